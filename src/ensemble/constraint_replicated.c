/* The d × d work of a step, the same on every rank. */
#include "ensemble/constraint_state.h"

#include "ensemble/few.h"
#include "ensemble/norms.h"
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
  whole->panel = carve(whole, mms_panels_room(d));
  whole->a = carve(whole, square);
  whole->root = carve(whole, square);
  const bool polar = constraint->retraction == MMS_RETRACTION_POLAR;
  whole->inverse = polar ? carve(whole, square) : whole->root;
  whole->turn = polar ? carve(whole, square) : NULL;
  whole->eigenvalues = carve(whole, d);
  whole->tile = carve(whole, constraint->blocks.size * d);
  whole->refused = carve(whole, constraint->blocks.end - constraint->blocks.first);
  whole->squares = carve(whole, constraint->blocks.end - constraint->blocks.first);
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
  mms_shared_free(&constraint->whole.board);
  mms_dense_eigen_work_free(&constraint->whole.eigen);
  free(constraint->whole.memory);
}

static int64_t add(mms_constraint *constraint, mms_exact_sum *sum, const double *y, const double *w, int64_t *count) {
  mms_panels panels = {.blocks = &constraint->blocks,
                       .dim = constraint->dim,
                       .panel = constraint->whole.panel,
                       .refused = constraint->whole.refused,
                       .squares = constraint->whole.squares,
                       .drift = MMS_FINE_DRIFT};
  return mms_panels_add(&panels, sum, y, w, count);
}

static void total(mms_constraint *constraint, mms_exact_sum *sum, bool step) {
  mms_constraint_whole *whole = &constraint->whole;
  int64_t d = constraint->dim, triangle = mms_panels_triangle(d);
  double *totals = mms_exact_sum_totals(sum);
  memcpy(constraint->sum_y, totals, (size_t)d * sizeof *totals);
  whole->d = totals + (step ? 2 * d : d);
  if (!step) return;
  memcpy(constraint->sum_w, totals + d, (size_t)d * sizeof *totals);
  whole->s = totals + 2 * d + triangle;
  whole->c = totals + 2 * d + 2 * triangle;
}

static double defect(const mms_constraint *constraint) {
  int64_t d = constraint->dim;
  const double *packed = constraint->whole.d;
  double particles = (double)constraint->blocks.total, largest = mms_packed_beside(d, packed) / particles;
  for (int64_t i = 0; i < d; i++)
    largest = fmax(largest, fabs(packed[mms_panels_triangle_row(d, i)] / particles - 1.0));
  return largest;
}

/* Row sums of D/P bound its terms, and so what rounding can do to the Gram matrix. */
static double assemble_plain(mms_constraint *constraint) {
  mms_constraint_whole *whole = &constraint->whole;
  int64_t d = constraint->dim;
  double particles = (double)constraint->blocks.total;
  for (int64_t i = 0; i < d; i++) {
    const double *packed = whole->d + mms_panels_triangle_row(d, i) - i;
    for (int64_t j = i; j < d; j++)
      whole->root[i * d + j] = packed[j] / particles - constraint->center[i] * constraint->center[j];
  }
  return mms_packed_norm(d, whole->d, whole->eigenvalues) / particles;
}

/* inverse = (Gram/P)^{-1/2} = Q w^{-1/2} Qᵀ; κ of the root. */
static mms_status polar_root(mms_constraint *constraint, mms_root_size *size, mms_error *error) {
  int64_t n = constraint->dim;
  double *q = constraint->whole.turn, *w = constraint->whole.eigenvalues;
  mms_status status = mms_dense_eigen_with(&constraint->whole.eigen, n, constraint->whole.root, w, q, error);
  if (status == MMS_OK) status = mms_constraint_refuse_indefinite(w[0], w[n - 1], error);
  if (status != MMS_OK) return status;
  for (int64_t i = 0; i < n; i++)
    for (int64_t j = 0; j < n; j++) constraint->whole.root[i * n + j] = q[i * n + j] / sqrt(w[j]);
  mms_dense_multiply(false, true, n, n, n, 1.0, constraint->whole.root, q, 0.0, constraint->whole.inverse);
  if (size != NULL) size->condition = sqrt(w[0] / w[n - 1]);
  return MMS_OK;
}

/* inverse = R⁻¹ with RᵀR = Gram/P; κ₁(R). */
static mms_status triangular_root(mms_constraint *constraint, mms_root_size *size, mms_error *error) {
  int64_t n = constraint->dim;
  double *root = constraint->whole.root, *work = constraint->whole.eigenvalues;
  mms_status status = mms_dense_cholesky_upper(n, root, error);
  if (status != MMS_OK) return error == NULL ? status : mms_fail_within(error, "the second moment of the particles");
  const double norm = size != NULL ? mms_square_norm(n, root, work) : 0.0;
  status = mms_dense_invert_upper(n, root, error);
  if (status == MMS_OK && size != NULL) size->condition = norm * mms_square_norm(n, root, work);
  return status;
}

static mms_status factor(mms_constraint *constraint, mms_root_size *size, mms_error *error) {
  mms_status status = constraint->retraction == MMS_RETRACTION_POLAR ? polar_root(constraint, size, error)
                                                                     : triangular_root(constraint, size, error);
  if (status == MMS_OK && size != NULL)
    size->longest = mms_square_longest(constraint->dim, constraint->whole.inverse, constraint->whole.eigenvalues);
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
                                                          .share = mms_constraint_share_product,
                                                          .add = add,
                                                          .total = total,
                                                          .defect = defect,
                                                          .assemble = mms_constraint_assemble,
                                                          .assemble_plain = assemble_plain,
                                                          .factor = factor,
                                                          .update = update,
                                                          .bytes = bytes};
