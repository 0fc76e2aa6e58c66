/* Some rows of a distributed matrix at a time: summed into it from all ranks, handed to all ranks, and multiplied with
 * the rows that each rank has of something else. */
#include "linalg/grid.h"
#include "mmsold/linalg/dense.h"
#include "mmsold/linalg/distributed.h"
#include <cblas.h>
#include <math.h>
#include <string.h>

/* Rows handed to BLAS in one call: within the 32-bit counts it takes. */
static const int64_t ROWS_AT_ONCE = (int64_t)1 << 30;

static int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }

/* How many of a panel's entries each rank has, and where they begin in the order of the ranks. */
static void deal(mms_rank_grid *grid, int64_t first, int64_t count) {
  int at = 0;
  for (int r = 0; r < grid->high * grid->wide; r++) {
    int before = mms_rank_grid_share((int)first, grid->block, r % grid->wide, grid->wide);
    int rows = mms_rank_grid_share((int)(first + count), grid->block, r % grid->wide, grid->wide) - before;
    grid->counts[r] = rows * mms_rank_grid_share(grid->n, grid->block, r / grid->wide, grid->high);
    grid->offsets[r] = at;
    at += grid->counts[r];
  }
}

/* Call `copy` for every run of entries of a panel that lie side by side, in the order in which they are packed. */
typedef void run_visitor(void *context, int64_t row, int64_t column, int64_t length, int64_t packed);

static void walk(const mms_rank_grid *grid, int64_t first, int64_t count, run_visitor *visit, void *context) {
  int64_t packed = 0, block = grid->block;
  for (int r = 0; r < grid->high * grid->wide; r++)
    for (int64_t i = first; i < first + count; i++) {
      if (i / block % grid->wide != r % grid->wide) continue;
      for (int64_t column = r / grid->wide * block; column < grid->n; column += block * grid->high) {
        int64_t length = least(block, grid->n - column);
        visit(context, i - first, column, length, packed);
        packed += length;
      }
    }
}

/* A panel of columns `from` and on, and the same in the order of the ranks. */
typedef struct exchange {
  int64_t n, from;
  const double *panel;
  double *whole, *packed;
} exchange;

static void pack(void *context, int64_t row, int64_t column, int64_t length, int64_t packed) {
  const exchange *e = context;
  int64_t left = column < e->from ? least(length, e->from - column) : 0;
  memset(e->packed + packed, 0, (size_t)left * sizeof(double));
  if (left < length)
    memcpy(e->packed + packed + left, e->panel + row * (e->n - e->from) + column + left - e->from,
           (size_t)(length - left) * sizeof(double));
}

static void unpack(void *context, int64_t row, int64_t column, int64_t length, int64_t packed) {
  const exchange *e = context;
  memcpy(e->whole + row * e->n + column, e->packed + packed, (size_t)length * sizeof(double));
}

void mms_distributed_sum_rows(mms_distributed *matrix, int64_t first, int64_t count, int64_t from,
                              const double *panel) {
  mms_rank_grid *grid = matrix->grid;
  exchange e = {.n = grid->n, .from = from, .panel = panel, .packed = grid->packed};
  int local;
  mms_rank_grid_part_of_rows(grid, first, count, &local);
  deal(grid, first, count);
  walk(grid, first, count, pack, &e);
  /* This rank's rows of the panel lie side by side in its part. */
  MPI_Reduce_scatter(grid->packed, matrix->data + (int64_t)local * grid->columns, grid->counts, MPI_DOUBLE, MPI_SUM,
                     grid->communicator);
}

void mms_distributed_fetch_rows(const mms_distributed *matrix, int64_t first, int64_t count, double *panel) {
  mms_rank_grid *grid = matrix->grid;
  exchange e = {.n = grid->n, .whole = panel, .packed = grid->packed};
  int local, rows = mms_rank_grid_part_of_rows(grid, first, count, &local);
  deal(grid, first, count);
  MPI_Allgatherv(matrix->data + (int64_t)local * grid->columns, rows * grid->columns, MPI_DOUBLE, grid->packed,
                 grid->counts, grid->offsets, MPI_DOUBLE, grid->communicator);
  walk(grid, first, count, unpack, &e);
}

void mms_distributed_put_rows(mms_distributed *matrix, int64_t first, int64_t count, const double *panel) {
  const mms_rank_grid *grid = matrix->grid;
  int local, rows = mms_rank_grid_part_of_rows(grid, first, count, &local);
  for (int64_t i = local; i < local + rows; i++)
    for (int64_t j = 0; j < grid->columns; j++)
      matrix->data[i * grid->columns + j] =
          panel[(mms_rank_grid_row(grid, i) - first) * grid->n + mms_rank_grid_column(grid, j)];
}

void mms_distributed_gram(mms_distributed *matrix, int64_t rows, const double *x) {
  mms_rank_grid *grid = matrix->grid;
  for (int64_t first = 0; first < grid->n; first += grid->panel_rows) {
    int64_t count = least(grid->panel_rows, grid->n - first);
    /* what lies below the diagonal is not formed: let it be a number */
    memset(grid->own, 0, (size_t)(count * (grid->n - first)) * sizeof(double));
    mms_dense_gram_panel(rows, grid->n, first, count, x, grid->own);
    mms_distributed_sum_rows(matrix, first, count, first, grid->own);
  }
}

void mms_distributed_product(mms_distributed *matrix, int64_t rows, const double *x, const double *y) {
  mms_rank_grid *grid = matrix->grid;
  for (int64_t first = 0; first < grid->n; first += grid->panel_rows) {
    int64_t count = least(grid->panel_rows, grid->n - first);
    mms_dense_product_panel(rows, grid->n, first, count, x, y, grid->own);
    mms_distributed_sum_rows(matrix, first, count, 0, grid->own);
  }
}

void mms_distributed_covariance(mms_distributed *matrix, int64_t rows, const double *x, const double *mean,
                                double scale) {
  mms_rank_grid *grid = matrix->grid;
  int64_t n = grid->n;
  double *tile = grid->panel; /* some centred rows; they are formed again for each panel */
  for (int64_t first = 0; first < n; first += grid->panel_rows) {
    int64_t count = least(grid->panel_rows, n - first);
    memset(grid->own, 0, (size_t)(count * n) * sizeof(double));
    for (int64_t row = 0; row < rows; row += grid->panel_rows) {
      int64_t now = least(grid->panel_rows, rows - row);
      for (int64_t i = 0; i < now; i++)
        for (int64_t k = 0; k < n; k++) tile[i * n + k] = x[(row + i) * n + k] - mean[k];
      cblas_dgemm(CblasRowMajor, CblasTrans, CblasNoTrans, (int)count, (int)n, (int)now, scale, tile + first, (int)n,
                  tile, (int)n, 1.0, grid->own, (int)n);
    }
    mms_distributed_sum_rows(matrix, first, count, 0, grid->own);
  }
}

/* C [rows][n], m of its columns, = A [rows][n], k of its columns, times op(B), B in a panel [.][n], plus beta C. */
static void multiply(bool transpose, int64_t rows, int64_t n, int64_t m, int64_t k, const double *a, const double *b,
                     double beta, double *c) {
  if (m <= 0 || k <= 0) return;
  for (int64_t row = 0; row < rows; row += ROWS_AT_ONCE)
    cblas_dgemm(CblasRowMajor, CblasNoTrans, transpose ? CblasTrans : CblasNoTrans,
                (int)least(ROWS_AT_ONCE, rows - row), (int)m, (int)k, 1.0, a + row * n, (int)n, b, (int)n, beta,
                c + row * n, (int)n);
}

/* C [rows][n], m of its columns, ← C op(T), T upper triangular in a panel [.][n]. */
static void triangle(bool transpose, int64_t rows, int64_t n, int64_t m, const double *t, double *c) {
  for (int64_t row = 0; row < rows; row += ROWS_AT_ONCE)
    cblas_dtrmm(CblasRowMajor, CblasRight, CblasUpper, transpose ? CblasTrans : CblasNoTrans, CblasNonUnit,
                (int)least(ROWS_AT_ONCE, rows - row), (int)m, 1.0, t, (int)n, c + row * n, (int)n);
}

void mms_distributed_rows_times(const mms_distributed *matrix, bool transpose, int64_t rows, const double *in, bool add,
                                double *out) {
  const mms_rank_grid *grid = matrix->grid;
  int64_t n = grid->n;
  for (int64_t first = 0; first < n; first += grid->panel_rows) {
    int64_t count = least(grid->panel_rows, n - first);
    mms_distributed_fetch_rows(matrix, first, count, grid->own);
    if (transpose)
      multiply(true, rows, n, count, n, in, grid->own, add ? 1.0 : 0.0, out + first);
    else
      multiply(false, rows, n, n, count, in + first, grid->own, add || first > 0 ? 1.0 : 0.0, out);
  }
}

/* With K the columns of a panel, T_K its rows:   x T:  x_{>K} += x_K T_{K,>K}, then x_K ← x_K T_KK, from the last panel
 * to the first;   x Tᵀ:  x_K ← x_K T_KKᵀ + x_{>K} T_{K,>K}ᵀ, from the first to the last. */
void mms_distributed_rows_triangle(const mms_distributed *matrix, bool transpose, int64_t rows, double *x) {
  const mms_rank_grid *grid = matrix->grid;
  int64_t n = grid->n, panels = (n + grid->panel_rows - 1) / grid->panel_rows;
  for (int64_t p = 0; p < panels; p++) {
    int64_t first = (transpose ? p : panels - 1 - p) * grid->panel_rows, count = least(grid->panel_rows, n - first);
    int64_t beyond = first + count, rest = n - beyond;
    mms_distributed_fetch_rows(matrix, first, count, grid->own);
    if (transpose) {
      triangle(true, rows, n, count, grid->own + first, x + first);
      multiply(true, rows, n, count, rest, x + beyond, grid->own + beyond, 1.0, x + first);
    } else {
      multiply(false, rows, n, rest, count, x + first, grid->own + beyond, 1.0, x + beyond);
      triangle(false, rows, n, count, grid->own + first, x + first);
    }
  }
}

/* Shows every entry of this rank's part that is looked at. */
typedef void entry_visitor(void *context, int64_t row, int64_t column, double value);

static void visit_entries(const mms_distributed *matrix, mms_shape shape, entry_visitor *visit, void *context) {
  const mms_rank_grid *grid = matrix->grid;
  for (int64_t i = 0; i < grid->rows; i++)
    for (int64_t j = 0; j < grid->columns; j++) {
      int64_t row = mms_rank_grid_row(grid, i), column = mms_rank_grid_column(grid, j);
      if (shape == MMS_SHAPE_FULL || column >= row) visit(context, row, column, matrix->data[i * grid->columns + j]);
    }
}

/* A vector that entries are added up in, and what they are added up with. */
typedef struct gathering {
  const double *x;
  double *out;
  mms_shape shape;
  bool finite;
} gathering;

static void take_diagonal(void *context, int64_t row, int64_t column, double value) {
  const gathering *g = context;
  if (row == column) g->out[row] = value;
}

static void take_product(void *context, int64_t row, int64_t column, double value) {
  const gathering *g = context;
  g->out[column] += g->x[row] * value;
}

static void take_symmetric(void *context, int64_t row, int64_t column, double value) {
  const gathering *g = context;
  g->out[column] += g->x[row] * value;
  if (row != column) g->out[row] += g->x[column] * value;
}

static void take_size(void *context, int64_t row, int64_t column, double value) {
  const gathering *g = context;
  g->out[column] += fabs(value);
  if (g->shape == MMS_SHAPE_SYMMETRIC && row != column) g->out[row] += fabs(value);
}

static void take_square(void *context, int64_t row, int64_t column, double value) {
  const gathering *g = context;
  (void)row;
  g->out[column] += value * value;
}

static void look(void *context, int64_t row, int64_t column, double value) {
  gathering *g = context;
  (void)row, (void)column;
  g->finite = g->finite && isfinite(value);
}

static void gather(const mms_distributed *matrix, mms_shape shape, entry_visitor *visit, const double *x, double *out) {
  const mms_rank_grid *grid = matrix->grid;
  gathering g = {.x = x, .out = out, .shape = shape};
  memset(out, 0, (size_t)grid->n * sizeof *out);
  visit_entries(matrix, shape, visit, &g);
  mms_rank_grid_sum(grid, out, grid->n);
}

void mms_distributed_diagonal(const mms_distributed *matrix, double *diagonal) {
  gather(matrix, MMS_SHAPE_FULL, take_diagonal, NULL, diagonal);
}

void mms_distributed_vector_times(const mms_distributed *matrix, const double *x, double *out) {
  gather(matrix, MMS_SHAPE_FULL, take_product, x, out);
}

void mms_distributed_symmetric_vector_times(const mms_distributed *matrix, const double *x, double *out) {
  gather(matrix, MMS_SHAPE_SYMMETRIC, take_symmetric, x, out);
}

static double largest_of(const mms_distributed *matrix, mms_shape shape, entry_visitor *visit) {
  double largest = 0.0, *sums = matrix->grid->own;
  gather(matrix, shape, visit, NULL, sums);
  for (int64_t j = 0; j < matrix->grid->n; j++)
    if (!(sums[j] <= largest)) largest = sums[j]; /* NaN stays */
  return largest;
}

double mms_distributed_norm(const mms_distributed *matrix, mms_shape shape) {
  return largest_of(matrix, shape, take_size);
}

double mms_distributed_longest_column(const mms_distributed *matrix, mms_shape shape) {
  return largest_of(matrix, shape, take_square);
}

bool mms_distributed_is_finite(const mms_distributed *matrix, mms_shape shape) {
  gathering g = {.finite = true};
  visit_entries(matrix, shape, look, &g);
  int64_t bad = !g.finite;
  mms_team_sum_int64(matrix->grid->team, &bad, 1);
  return bad == 0;
}
