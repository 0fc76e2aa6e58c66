/* The d × d work of a step, spread over a grid of ranks: no rank ever holds a whole d × d matrix.
 *
 * The one all-reduce carries 1ᵀY, 1ᵀW and what else is no matrix. D, S and C follow panel by panel, from all local rows
 * at once, then the same formulas as on every rank (constraint_gram.c), by ScaLAPACK. */
#include "ensemble/constraint_state.h"
#include "mmsold/base/memory.h"
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* The same that a block may add to an exact sum (exact_sum.h), so that the same blocks are refused. */
static const double LARGEST_MOMENT = 140737488355328.0; /* 2^47 */

struct mms_constraint_spread {
  mms_distributed d, s, c; /* YᵀY, WᵀW (upper triangles), YᵀW */
  mms_distributed a;       /* A = I − sym(C)/P */
  mms_distributed root;    /* Gram/P, then R (QR) */
  mms_distributed turn;    /* X (constraint_gram.c); then R⁻¹ (QR) or (Gram/P)^{-1/2} (polar) */
  const double *y, *w;     /* what was added, until it is summed up */
  double *values;          /* [d] eigenvalues, or squares of columns */
  double *rows;            /* [n_local][d]: polar only, for a retraction without W */
};

enum { MATRICES = 6 };

static void list(struct mms_constraint_spread *spread, mms_distributed *matrices[MATRICES]) {
  mms_distributed *all[MATRICES] = {&spread->d, &spread->s, &spread->c, &spread->a, &spread->root, &spread->turn};
  memcpy(matrices, all, sizeof all);
}

static int64_t rows_room(const mms_constraint *constraint) {
  return constraint->retraction == MMS_RETRACTION_POLAR ? constraint->blocks.n_local * constraint->dim : 0;
}

static mms_status create(mms_constraint *constraint, mms_error *error) {
  void *memory = NULL;
  mms_status status = mms_allocate(&memory, 1, sizeof(struct mms_constraint_spread), "the constraint", error);
  if (status != MMS_OK) return status;
  struct mms_constraint_spread *spread = constraint->spread = memory;
  mms_distributed *matrices[MATRICES];
  list(spread, matrices);
  for (int m = 0; m < MATRICES && status == MMS_OK; m++)
    status = mms_distributed_create(matrices[m], constraint->grid, "the moments of a step", error);
  if (status == MMS_OK) status = mms_allocate_doubles(&spread->values, constraint->dim, "the moments of a step", error);
  if (status == MMS_OK)
    status = mms_allocate_doubles(&spread->rows, rows_room(constraint), "rows to be retracted", error);
  return status;
}

static void free_spread(mms_constraint *constraint) {
  if (constraint->spread == NULL) return;
  mms_distributed *matrices[MATRICES];
  list(constraint->spread, matrices);
  for (int m = 0; m < MATRICES; m++) mms_distributed_free(matrices[m]);
  free(constraint->spread->values);
  free(constraint->spread->rows);
  free(constraint->spread);
}

static int64_t step_length(int64_t d) { return 2 * d; }
static int64_t plain_length(int64_t d) { return d; }

/* 1ᵀA of a block's rows into the sums at `at`; false where these, or the squares on the diagonal of AᵀA, which bound
 * its other entries, are refused. Half the mean of the squares is left in `half`. */
static bool add_columns(const mms_constraint *constraint, mms_exact_sum *sum, int64_t at, int64_t rows, const double *a,
                        double *half) {
  int64_t d = constraint->dim, before = mms_exact_sum_refused(sum);
  double *values = constraint->spread->values;
  bool within = true;
  memset(values, 0, (size_t)d * sizeof *values);
  for (int64_t i = 0; i < rows; i++)
    for (int64_t k = 0; k < d; k++) values[k] += a[i * d + k];
  mms_exact_sum_add_coarse(sum, at, d, values);
  memset(values, 0, (size_t)d * sizeof *values);
  for (int64_t i = 0; i < rows; i++)
    for (int64_t k = 0; k < d; k++) values[k] += a[i * d + k] * a[i * d + k];
  *half = 0.0;
  for (int64_t k = 0; k < d; k++) {
    within = within && values[k] < LARGEST_MOMENT; /* false for NaN */
    *half += 0.5 * values[k] / (double)d;
  }
  return within && mms_exact_sum_refused(sum) == before;
}

static int64_t add(mms_constraint *constraint, mms_exact_sum *sum, const double *y, const double *w, int64_t *count) {
  const mms_blocks *blocks = &constraint->blocks;
  int64_t d = constraint->dim, bad = -1;
  *count = 0;
  for (int64_t b = blocks->first; b < blocks->end; b++) {
    int64_t rows = mms_blocks_rows(blocks, b), offset = (mms_blocks_first_row(blocks, b) - blocks->first_row) * d;
    double half;
    bool good = add_columns(constraint, sum, 0, rows, y + offset, &half);
    if (w != NULL) {
      good = add_columns(constraint, sum, d, rows, w + offset, &half) && good;
      if (good) mms_exact_sum_add_fine(sum, MMS_FINE_DRIFT, 1, &half);
    }
    if (good) continue;
    *count += 1;
    if (bad < 0) bad = b;
  }
  constraint->spread->y = y;
  constraint->spread->w = w;
  return bad;
}

static void total(mms_constraint *constraint, mms_exact_sum *sum, bool step) {
  struct mms_constraint_spread *spread = constraint->spread;
  int64_t d = constraint->dim, rows = constraint->blocks.n_local;
  mms_exact_sum_read_coarse(sum, 0, d, constraint->sum_y);
  mms_distributed_gram(&spread->d, rows, spread->y);
  if (!step) return;
  mms_exact_sum_read_coarse(sum, d, d, constraint->sum_w);
  mms_distributed_gram(&spread->s, rows, spread->w);
  mms_distributed_product(&spread->c, rows, spread->y, spread->w);
}

/* max |D/P − I| over the upper triangle, or over what is above the diagonal. */
static double away(const mms_constraint *constraint, bool diagonal) {
  const mms_rank_grid *grid = constraint->grid;
  int64_t rows = mms_rank_grid_rows(grid), columns = mms_rank_grid_columns(grid);
  double largest = 0.0, particles = (double)constraint->blocks.total;
  for (int64_t i = 0; i < rows; i++)
    for (int64_t j = 0; j < columns; j++) {
      int64_t row = mms_rank_grid_row(grid, i), column = mms_rank_grid_column(grid, j);
      if (column < row || (column == row && !diagonal)) continue;
      double here = fabs(constraint->spread->d.data[i * columns + j] / particles - (row == column ? 1.0 : 0.0));
      largest = fmax(largest, here);
    }
  mms_team_max_double(mms_rank_grid_team(grid), &largest, 1);
  return largest;
}

static double defect(const mms_constraint *constraint) { return away(constraint, true); }

/* From −c in `a`: A = I − c, and X = 2 C/P − c + diag(E) A + 2 U, with the c that A is made with. */
static void add_ones(mms_constraint *constraint) {
  struct mms_constraint_spread *spread = constraint->spread;
  const mms_rank_grid *grid = constraint->grid;
  int64_t rows = mms_rank_grid_rows(grid), columns = mms_rank_grid_columns(grid);
  double particles = (double)constraint->blocks.total, *diagonal = spread->values;
  mms_distributed_diagonal(&spread->d, diagonal);
  for (int64_t i = 0; i < rows; i++) {
    const int64_t row = mms_rank_grid_row(grid, i);
    const double e = diagonal[row] / particles - 1.0;
    for (int64_t j = 0; j < columns; j++) {
      const int64_t column = mms_rank_grid_column(grid, j), at = i * columns + j;
      double *a = &spread->a.data[at], x = 2.0 * spread->c.data[at] / particles;
      if (column == row) {
        *a += 1.0;
        x += *a - 1.0 + e * *a;
      } else {
        x += *a + e * *a + (column > row ? 2.0 * spread->d.data[at] / particles : 0.0);
      }
      spread->turn.data[at] = x;
    }
  }
}

/* X += (E − diag(E)) A − 2 U; D loses its diagonal. */
static void complete(mms_constraint *constraint) {
  struct mms_constraint_spread *spread = constraint->spread;
  const mms_rank_grid *grid = constraint->grid;
  int64_t rows = mms_rank_grid_rows(grid), columns = mms_rank_grid_columns(grid);
  double particles = (double)constraint->blocks.total;
  for (int64_t i = 0; i < rows; i++)
    for (int64_t j = 0; j < columns; j++) {
      const int64_t row = mms_rank_grid_row(grid, i), column = mms_rank_grid_column(grid, j), at = i * columns + j;
      if (column == row) spread->d.data[at] = 0.0;
      if (column > row) spread->turn.data[at] -= 2.0 * spread->d.data[at] / particles;
    }
  mms_distributed_symmetric_multiply(1.0 / particles, &spread->d, &spread->a, 1.0, &spread->turn);
}

/* root += scale · moment − m mᵀ on this rank's part. */
static void finish_gram(mms_constraint *constraint, double scale, const double *moment) {
  const mms_rank_grid *grid = constraint->grid;
  int64_t rows = mms_rank_grid_rows(grid), columns = mms_rank_grid_columns(grid);
  double *root = constraint->spread->root.data;
  for (int64_t i = 0; i < rows; i++)
    for (int64_t j = 0; j < columns; j++) {
      double m = constraint->center[mms_rank_grid_row(grid, i)] * constraint->center[mms_rank_grid_column(grid, j)];
      int64_t at = i * columns + j;
      root[at] += scale * moment[at] - m;
    }
}

/* A, m = (1ᵀY A + 1ᵀW)/P and root = A + sym(A X) + S/P − m mᵀ, as in constraint_gram.c. */
static double assemble(mms_constraint *constraint) {
  struct mms_constraint_spread *spread = constraint->spread;
  const size_t bytes = (size_t)mms_rank_grid_matrix_bytes(constraint->grid);
  double particles = (double)constraint->blocks.total;
  memcpy(spread->a.data, spread->c.data, bytes);
  mms_distributed_add_transposed(-0.5 / particles, &spread->c, -0.5 / particles, &spread->a);
  const double size = mms_distributed_norm(&spread->a, MMS_SHAPE_FULL);
  add_ones(constraint);
  mms_distributed_vector_times(&spread->a, constraint->sum_y, constraint->center);
  for (int64_t k = 0; k < constraint->dim; k++)
    constraint->center[k] = (constraint->center[k] + constraint->sum_w[k]) / particles;

  double norm = mms_distributed_norm(&spread->a, MMS_SHAPE_FULL);
  double sum = norm + sqrt(mms_distributed_norm(&spread->s, MMS_SHAPE_SYMMETRIC) / particles);
  /* As there, with the largest entry of U and ‖c‖ instead of rows and columns. */
  if ((2.0 + size) * size * away(constraint, false) > DBL_EPSILON * sum * sum) complete(constraint);
  mms_distributed_multiply(false, 0.5, &spread->a, &spread->turn, 0.0, &spread->root);
  memcpy(spread->turn.data, spread->root.data, bytes);
  mms_distributed_add_transposed(1.0, &spread->turn, 1.0, &spread->root);
  finish_gram(constraint, 1.0 / particles, spread->s.data);
  for (int64_t k = 0; k < (int64_t)(bytes / sizeof(double)); k++) spread->root.data[k] += spread->a.data[k];
  return sum * sum;
}

static double assemble_plain(mms_constraint *constraint) {
  struct mms_constraint_spread *spread = constraint->spread;
  memset(spread->root.data, 0, (size_t)mms_rank_grid_matrix_bytes(constraint->grid));
  finish_gram(constraint, 1.0 / (double)constraint->blocks.total, spread->d.data);
  return mms_distributed_norm(&spread->d, MMS_SHAPE_SYMMETRIC) / (double)constraint->blocks.total;
}

/* turn = (Gram/P)^{-1/2} = Σ_j w_j^{-1/2} q_j q_jᵀ = BᵀB, rows of B w_j^{-1/4} q_jᵀ; κ of the root. B takes D's place.
 */
static mms_status polar_root(mms_constraint *constraint, mms_root_size *size, mms_error *error) {
  struct mms_constraint_spread *spread = constraint->spread;
  const mms_rank_grid *grid = constraint->grid;
  double *w = spread->values;
  int64_t rows = mms_rank_grid_rows(grid), columns = mms_rank_grid_columns(grid);
  mms_status status = mms_distributed_eigen(&spread->root, w, &spread->d, error);
  double largest = w[0], smallest = w[constraint->dim - 1];
  if (status == MMS_OK) status = mms_constraint_refuse_indefinite(largest, smallest, error);
  if (status != MMS_OK) return status;
  for (int64_t i = 0; i < rows; i++)
    for (int64_t j = 0; j < columns; j++) spread->d.data[i * columns + j] /= sqrt(sqrt(w[mms_rank_grid_row(grid, i)]));
  memcpy(spread->root.data, spread->d.data, (size_t)(rows * columns) * sizeof(double));
  mms_distributed_multiply(true, 1.0, &spread->root, &spread->d, 0.0, &spread->turn);
  if (size != NULL) size->condition = sqrt(largest / smallest);
  return MMS_OK;
}

/* turn = R⁻¹ with RᵀR = Gram/P; κ₁(R). */
static mms_status triangular_root(mms_constraint *constraint, mms_root_size *size, mms_error *error) {
  struct mms_constraint_spread *spread = constraint->spread;
  mms_status status = mms_distributed_cholesky_upper(&spread->root, error);
  if (status != MMS_OK) return error == NULL ? status : mms_fail_within(error, "the second moment of the particles");
  memcpy(spread->turn.data, spread->root.data, (size_t)mms_rank_grid_matrix_bytes(constraint->grid));
  status = mms_distributed_invert_upper(&spread->turn, error);
  if (status != MMS_OK || size == NULL) return status;
  size->condition =
      mms_distributed_norm(&spread->root, MMS_SHAPE_UPPER) * mms_distributed_norm(&spread->turn, MMS_SHAPE_UPPER);
  return MMS_OK;
}

static mms_status factor(mms_constraint *constraint, mms_root_size *size, mms_error *error) {
  bool polar = constraint->retraction == MMS_RETRACTION_POLAR;
  mms_status status = polar ? polar_root(constraint, size, error) : triangular_root(constraint, size, error);
  if (status == MMS_OK && size != NULL)
    size->longest = mms_distributed_longest_column(&constraint->spread->turn, polar ? MMS_SHAPE_FULL : MMS_SHAPE_UPPER);
  return status;
}

static void update(mms_constraint *constraint, double *y, double *w) {
  const struct mms_constraint_spread *spread = constraint->spread;
  int64_t d = constraint->dim, rows = constraint->blocks.n_local;
  size_t bytes = (size_t)(rows * d) * sizeof *y;
  double *here = w == NULL ? y : w;
  for (int64_t i = 0; i < rows; i++)
    for (int64_t k = 0; k < d; k++) here[i * d + k] -= constraint->center[k];
  if (w != NULL) mms_distributed_rows_times(&spread->a, false, rows, y, true, w);
  if (constraint->retraction == MMS_RETRACTION_QR) {
    mms_distributed_rows_triangle(&spread->turn, false, rows, here);
    if (w != NULL) memcpy(y, w, bytes);
    return;
  }
  if (w == NULL) {
    memcpy(spread->rows, y, bytes);
    here = spread->rows;
  }
  mms_distributed_rows_times(&spread->turn, false, rows, here, false, y);
}

static int64_t bytes(const mms_constraint *constraint) {
  return MATRICES * mms_rank_grid_matrix_bytes(constraint->grid) +
         (constraint->dim + rows_room(constraint)) * (int64_t)sizeof(double);
}

const mms_constraint_algebra mms_constraint_distributed = {.step_length = step_length,
                                                           .plain_length = plain_length,
                                                           .create = create,
                                                           .free = free_spread,
                                                           .add = add,
                                                           .total = total,
                                                           .defect = defect,
                                                           .assemble = assemble,
                                                           .assemble_plain = assemble_plain,
                                                           .factor = factor,
                                                           .update = update,
                                                           .bytes = bytes};
