/* The d × d work of a step, the same on every rank. */
#include "ensemble/constraint_state.h"

#include "base/clones.h"
#include "ensemble/few.h"
#include "mmsold/base/memory.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Hand out `count` doubles of the constraint's memory on fresh cache lines; with memory still
 * NULL only the need is counted. */
static double *carve(mms_constraint_whole *whole, int64_t count) {
  int64_t line = MMS_ALIGNMENT / (int64_t)sizeof(double);
  double *piece = whole->memory == NULL ? NULL : whole->memory + whole->memory_count;
  whole->memory_count += (count + line - 1) / line * line;
  return piece;
}

static void carve_all(mms_constraint *constraint) {
  mms_constraint_whole *whole = &constraint->whole;
  int64_t d = constraint->dim, square = d * d;
  whole->memory_count = 0;
  whole->packed = carve(whole, mms_panels_step_length(d));
  whole->panel = carve(whole, mms_panels_room(d));
  whole->d = carve(whole, square);
  whole->a = carve(whole, square);
  whole->root = carve(whole, square);
  whole->inverse = carve(whole, square);
  whole->turn = carve(whole, square);
  whole->eigenvalues = carve(whole, d);
  whole->tile = carve(whole, constraint->blocks.size * d);
  whole->refused = carve(whole, constraint->blocks.end - constraint->blocks.first);
}

static mms_status create(mms_constraint *constraint, mms_error *error) {
  carve_all(constraint);
  mms_constraint_whole *whole = &constraint->whole;
  mms_status status = mms_allocate_doubles(&whole->memory, whole->memory_count, "the moments of a step", error);
  if (status != MMS_OK) return status;
  carve_all(constraint);
  if (constraint->retraction != MMS_RETRACTION_POLAR) return MMS_OK;
  return mms_dense_eigen_work_create(&whole->eigen, constraint->dim, error);
}

static void free_whole(mms_constraint *constraint) {
  mms_dense_eigen_work_free(&constraint->whole.eigen);
  free(constraint->whole.memory);
}

static int64_t add(mms_constraint *constraint, mms_exact_sum *sum, const double *y, const double *w, int64_t *count) {
  mms_panels panels = {.blocks = &constraint->blocks,
                       .dim = constraint->dim,
                       .panel = constraint->whole.panel,
                       .refused = constraint->whole.refused};
  return mms_panels_add(&panels, sum, y, w, count);
}

static void total(mms_constraint *constraint, const mms_exact_sum *sum, bool step) {
  mms_constraint_whole *whole = &constraint->whole;
  int64_t d = constraint->dim, triangle = mms_panels_triangle(d), at = step ? 2 * d : d;
  double *packed = whole->packed;
  mms_exact_sum_read(sum, 0, step ? mms_panels_step_length(d) : mms_panels_plain_length(d), packed);
  memcpy(constraint->sum_y, packed, (size_t)d * sizeof *packed);
  mms_panels_unpack(d, packed + at, whole->d);
  if (!step) return;
  memcpy(constraint->sum_w, packed + d, (size_t)d * sizeof *packed);
  whole->s = packed + at + triangle;
  whole->c = packed + at + 2 * triangle;
}

/* The largest |a_ij|, j > i, of a matrix [n][n]. */
MMS_CLONES
static double largest_beside(int64_t n, const double *a) {
  enum { LANES = 8 };
  double largest[LANES] = {0.0}, most = 0.0;
  for (int64_t i = 0; i < n; i++) {
    const double *row = a + i * n + i + 1;
    int64_t count = n - i - 1, j = 0;
    for (; j + LANES <= count; j += LANES)
      for (int l = 0; l < LANES; l++) {
        double size = fabs(row[j + l]);
        largest[l] = size > largest[l] ? size : largest[l];
      }
    for (; j < count; j++) most = fabs(row[j]) > most ? fabs(row[j]) : most;
  }
  for (int l = 0; l < LANES; l++) most = largest[l] > most ? largest[l] : most;
  return most;
}

static double defect(const mms_constraint *constraint) {
  int64_t d = constraint->dim;
  double particles = (double)constraint->blocks.total, largest = largest_beside(d, constraint->whole.d) / particles;
  for (int64_t i = 0; i < d; i++) largest = fmax(largest, fabs(constraint->whole.d[i * d + i] / particles - 1.0));
  return largest;
}

static double drift_trace(const mms_constraint *constraint) {
  double trace = 0.0;
  for (int64_t k = 0; k < constraint->dim; k++)
    trace += constraint->whole.s[mms_panels_triangle_row(constraint->dim, k)];
  return trace;
}

/* The 1-norm, largest column sum, of an n × n matrix; work: [n]. */
MMS_CLONES
static double column_norm(int64_t n, const double *restrict a, double *restrict work) {
  double largest = 0.0;
  memset(work, 0, (size_t)n * sizeof *work);
  for (int64_t i = 0; i < n; i++)
    for (int64_t j = 0; j < n; j++) work[j] += fabs(a[i * n + j]);
  for (int64_t j = 0; j < n; j++) largest = fmax(largest, work[j]);
  return largest;
}

/* Σ |a_k|, in eight parts so that additions need not wait for each other. */
static inline double size_of(int64_t count, const double *a) {
  enum { LANES = 8 };
  double part[LANES] = {0.0}, sum = 0.0;
  int64_t k = 0;
  for (; k + LANES <= count; k += LANES)
    for (int l = 0; l < LANES; l++) part[l] += fabs(a[k + l]);
  for (; k < count; k++) sum += fabs(a[k]);
  for (int l = 0; l < LANES; l++) sum += part[l];
  return sum;
}

/* The same of a symmetric matrix, packed by rows of its upper triangle. */
MMS_CLONES
static double packed_norm(int64_t n, const double *restrict packed, double *restrict work) {
  double largest = 0.0;
  memset(work, 0, (size_t)n * sizeof *work);
  for (int64_t i = 0; i < n; packed += n - i, i++) {
    work[i] += size_of(n - i, packed); /* what row i holds stands in column i too */
    for (int64_t j = 1; j < n - i; j++) work[i + j] += fabs(packed[j]);
  }
  for (int64_t j = 0; j < n; j++) largest = fmax(largest, work[j]);
  return largest;
}

/* Y' = YA + W with ‖Y‖² = P: AᵀDA, AᵀC and S are at most a²P, a√s P and sP for a = ‖A‖ and
 * s = ‖S‖/P, so the terms of Gram/P add up to (a + √s)² at most, much more than Gram/P itself
 * where a large step runs along Y and the projection takes it back. */
static double growth(const mms_constraint *constraint) {
  double a = column_norm(constraint->dim, constraint->whole.a, constraint->whole.eigenvalues);
  double s = packed_norm(constraint->dim, constraint->whole.s, constraint->whole.eigenvalues);
  double sum = a + sqrt(s / (double)constraint->blocks.total);
  return sum * sum;
}

/* Square matrices meet their transposes in tiles. */
enum { TILE = 32 };

typedef struct tile {
  double turned[TILE][TILE]; /* [i − i0][j − j0]: the matrix at row j, column i */
  int64_t rows, cols;        /* TILE, but at the ends */
} tile;

static inline void turn_tile(int64_t n, const double *matrix, int64_t i0, int64_t j0, tile *t) {
  t->rows = n - i0 < TILE ? n - i0 : TILE;
  t->cols = n - j0 < TILE ? n - j0 : TILE;
  for (int64_t j = 0; j < t->cols; j++)
    for (int64_t i = 0; i < t->rows; i++) t->turned[i][j] = matrix[(j0 + j) * n + i0 + i];
}

/* A = I − sym(C)/P of n × n. */
MMS_CLONES
static void projection(int64_t n, double particles, const double *restrict c, double *restrict a) {
  tile t;
  for (int64_t i0 = 0; i0 < n; i0 += TILE)
    for (int64_t j0 = 0; j0 < n; j0 += TILE) {
      turn_tile(n, c, i0, j0, &t);
      for (int64_t i = 0; i < t.rows; i++) {
        const double *from = c + (i0 + i) * n + j0;
        double *to = a + (i0 + i) * n + j0;
        for (int64_t j = 0; j < t.cols; j++) to[j] = -(0.5 * (from[j] + t.turned[i][j]) / particles);
      }
    }
  for (int64_t i = 0; i < n; i++) a[i * n + i] += 1.0;
}

/* The upper triangle of root = (sym(B) + S)/P − m mᵀ, S packed; below the diagonal other numbers. */
MMS_CLONES
static void second_moment(int64_t n, double particles, const double *restrict b, const double *restrict s,
                          const double *restrict m, double *restrict root) {
  tile t;
  for (int64_t i0 = 0; i0 < n; i0 += TILE)
    for (int64_t j0 = i0; j0 < n; j0 += TILE) {
      turn_tile(n, b, i0, j0, &t);
      for (int64_t i = i0; i < i0 + t.rows; i++) {
        const double *from = b + i * n, *packed = s + mms_panels_triangle_row(n, i) - i;
        for (int64_t j = i > j0 ? i : j0; j < j0 + t.cols; j++)
          root[i * n + j] = (0.5 * (from[j] + t.turned[i - i0][j - j0]) + packed[j]) / particles - m[i] * m[j];
      }
    }
}

/* A = I − sym(C)/P,  m = (1ᵀY A + 1ᵀW)/P,  P root = AᵀDA + AᵀC + CᵀA + S − P m mᵀ. */
static double assemble(mms_constraint *constraint) {
  int64_t n = constraint->dim;
  double particles = (double)constraint->blocks.total;
  const double *c = constraint->whole.c;
  double *a = constraint->whole.a, *root = constraint->whole.root, *product = constraint->whole.turn;
  projection(n, particles, c, a);
  memcpy(constraint->center, constraint->sum_w, (size_t)n * sizeof *constraint->center);
  for (int64_t i = 0; i < n; i++) /* not by BLAS, whose product packs all of A for one row */
    for (int64_t j = 0; j < n; j++) constraint->center[j] += constraint->sum_y[i] * a[i * n + j];
  for (int64_t k = 0; k < n; k++) constraint->center[k] /= particles;
  /* AᵀDA + AᵀC + CᵀA = sym(Aᵀ(DA + 2C)) */
  memcpy(product, c, (size_t)(n * n) * sizeof *product);
  mms_dense_multiply(false, false, n, n, n, 1.0, constraint->whole.d, a, 2.0, product);
  mms_dense_multiply(true, false, n, n, n, 1.0, a, product, 0.0, constraint->whole.inverse);
  second_moment(n, particles, constraint->whole.inverse, constraint->whole.s, constraint->center, root);
  return growth(constraint);
}

/* Row sums of D/P bound its terms, and so what rounding can do to the Gram matrix. */
static double assemble_plain(mms_constraint *constraint) {
  mms_constraint_whole *whole = &constraint->whole;
  int64_t d = constraint->dim;
  double largest = 0.0, particles = (double)constraint->blocks.total;
  for (int64_t i = 0; i < d; i++) {
    double row = 0.0;
    for (int64_t j = 0; j < d; j++) {
      double entry = whole->d[i * d + j] / particles;
      row += fabs(entry);
      whole->root[i * d + j] = entry - constraint->center[i] * constraint->center[j];
    }
    largest = fmax(largest, row);
  }
  return largest;
}

/* inverse = (Gram/P)^{-1/2} = Q w^{-1/2} Qᵀ; κ of the root. */
static mms_status polar_root(mms_constraint *constraint, double *condition, mms_error *error) {
  int64_t n = constraint->dim;
  double *q = constraint->whole.turn, *w = constraint->whole.eigenvalues;
  mms_status status = mms_dense_eigen_with(&constraint->whole.eigen, n, constraint->whole.root, w, q, error);
  if (status == MMS_OK) status = mms_constraint_refuse_indefinite(w[0], w[n - 1], error);
  if (status != MMS_OK) return status;
  for (int64_t i = 0; i < n; i++)
    for (int64_t j = 0; j < n; j++) constraint->whole.root[i * n + j] = q[i * n + j] / sqrt(w[j]);
  mms_dense_multiply(false, true, n, n, n, 1.0, constraint->whole.root, q, 0.0, constraint->whole.inverse);
  *condition = sqrt(w[0] / w[n - 1]);
  return MMS_OK;
}

/* inverse = R⁻¹ with RᵀR = Gram/P; κ₁(R). */
static mms_status triangular_root(mms_constraint *constraint, double *condition, mms_error *error) {
  int64_t n = constraint->dim;
  mms_status status = mms_dense_cholesky_upper(n, constraint->whole.root, error);
  if (status != MMS_OK) return error == NULL ? status : mms_fail_within(error, "the second moment of the particles");
  memcpy(constraint->whole.inverse, constraint->whole.root, (size_t)(n * n) * sizeof *constraint->whole.inverse);
  status = mms_dense_invert_upper(n, constraint->whole.inverse, error);
  if (status != MMS_OK) return status;
  double *work = constraint->whole.eigenvalues;
  *condition = column_norm(n, constraint->whole.root, work) * column_norm(n, constraint->whole.inverse, work);
  return MMS_OK;
}

/* The largest square sum of a column; work: [n]. */
MMS_CLONES
static double longest_column(int64_t n, const double *restrict a, double *restrict work) {
  double longest = 0.0;
  memset(work, 0, (size_t)n * sizeof *work);
  for (int64_t i = 0; i < n; i++)
    for (int64_t j = 0; j < n; j++) work[j] += a[i * n + j] * a[i * n + j];
  for (int64_t j = 0; j < n; j++) longest = fmax(longest, work[j]);
  return longest;
}

static mms_status factor(mms_constraint *constraint, double *condition, double *longest, mms_error *error) {
  mms_status status = constraint->retraction == MMS_RETRACTION_POLAR ? polar_root(constraint, condition, error)
                                                                     : triangular_root(constraint, condition, error);
  if (status == MMS_OK)
    *longest = longest_column(constraint->dim, constraint->whole.inverse, constraint->whole.eigenvalues);
  return status;
}

/* y ← (y A + w − 1mᵀ) inverse, or y ← (y − 1mᵀ) inverse without w, block by block: the bits of a
 * row may depend on the rows beside it (law 1). */
static void update(mms_constraint *constraint, double *y, double *w) {
  const mms_blocks *blocks = &constraint->blocks;
  int64_t d = constraint->dim;
  for (int64_t b = blocks->first; b < blocks->end; b++) {
    int64_t offset = (mms_blocks_first_row(blocks, b) - blocks->first_row) * d, rows = mms_blocks_rows(blocks, b);
    double *here = (w == NULL ? y : w) + offset;
    if (d <= MMS_FEW_DIMENSIONS) {
      mms_few_update(rows, d, constraint->whole.a, constraint->center, constraint->whole.inverse,
                     w == NULL ? NULL : here, y + offset);
      continue;
    }
    for (int64_t i = 0; i < rows; i++)
      for (int64_t k = 0; k < d; k++) here[i * d + k] -= constraint->center[k];
    if (w != NULL) mms_dense_multiply(false, false, rows, d, d, 1.0, y + offset, constraint->whole.a, 1.0, here);
    if (constraint->retraction == MMS_RETRACTION_QR) {
      mms_dense_triangle_right(true, false, rows, d, constraint->whole.inverse, here);
      if (w != NULL) memcpy(y + offset, here, (size_t)(rows * d) * sizeof *y);
    } else {
      mms_dense_multiply(false, false, rows, d, d, 1.0, here, constraint->whole.inverse, 0.0, constraint->whole.tile);
      memcpy(y + offset, constraint->whole.tile, (size_t)(rows * d) * sizeof *y);
    }
  }
}

static int64_t bytes(const mms_constraint *constraint) {
  const mms_constraint_whole *whole = &constraint->whole;
  return (whole->memory_count + whole->eigen.length) * (int64_t)sizeof(double) +
         whole->eigen.integer_length * (int64_t)sizeof(int);
}

const mms_constraint_algebra mms_constraint_replicated = {.step_length = mms_panels_step_length,
                                                          .plain_length = mms_panels_plain_length,
                                                          .create = create,
                                                          .free = free_whole,
                                                          .add = add,
                                                          .total = total,
                                                          .defect = defect,
                                                          .drift_trace = drift_trace,
                                                          .assemble = assemble,
                                                          .assemble_plain = assemble_plain,
                                                          .factor = factor,
                                                          .update = update,
                                                          .bytes = bytes};
