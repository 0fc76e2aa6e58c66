/* Kernel distance (ALGORITHMS 9): unbiased MMD² with k(x, y) = (x·y/d + 1)³. */
#include "mmsold/base/memory.h"
#include "mmsold/linalg/dense.h"
#include "mmsold/random/random.h"
#include "mmsold/study/distances.h"
#include "study/points.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { TILE = 256 }; /* rows and columns of a block of products */

static int64_t smaller(int64_t a, int64_t b) { return a < b ? a : b; }

/* Σ k over a block of products [rows][columns]; the diagonal is left out where `skip_diagonal`. */
static double sum_block(const double *products, int64_t rows, int64_t columns, int64_t dim, int skip_diagonal) {
  double total = 0, scale = 1 / (double)dim;
  for (int64_t i = 0; i < rows; i++) {
    double sum = 0;
    for (int64_t j = 0; j < columns; j++) {
      double base = products[i * columns + j] * scale + 1;
      if (!skip_diagonal || i != j) sum += base * base * base;
    }
    total += sum;
  }
  return total;
}

/* Mean of k(x_i, y_j) over all pairs. tile: [TILE][TILE]. Sums nest (row, block, whole), so rounding stays small. */
static double mean_between(const double *x, int64_t n, const double *y, int64_t m, int64_t dim, double *tile) {
  double sum = 0;
  for (int64_t i = 0; i < n; i += TILE)
    for (int64_t j = 0; j < m; j += TILE) {
      int64_t rows = smaller(TILE, n - i), columns = smaller(TILE, m - j);
      mms_dense_multiply(false, true, rows, columns, dim, 1.0, x + i * dim, y + j * dim, 0.0, tile);
      sum += sum_block(tile, rows, columns, dim, 0);
    }
  return sum / (double)n / (double)m;
}

/* Mean of k(x_i, x_j) over i ≠ j, from the blocks on and above the diagonal. */
static double mean_within(const double *x, int64_t n, int64_t dim, double *tile) {
  double sum = 0;
  for (int64_t i = 0; i < n; i += TILE)
    for (int64_t j = i; j < n; j += TILE) {
      int64_t rows = smaller(TILE, n - i), columns = smaller(TILE, n - j);
      mms_dense_multiply(false, true, rows, columns, dim, 1.0, x + i * dim, x + j * dim, 0.0, tile);
      sum += (i == j ? 1 : 2) * sum_block(tile, rows, columns, dim, i == j);
    }
  return sum / (double)n / (double)(n - 1);
}

static double unbiased_mmd2(const double *x, int64_t n, const double *y, int64_t m, int64_t dim, double *tile) {
  return mean_within(x, n, dim, tile) + mean_within(y, m, dim, tile) - 2 * mean_between(x, n, y, m, dim, tile);
}

/* Room for the subsets of both sets. */
typedef struct bench {
  double *tile, *a, *b; /* [TILE][TILE]; [size][d] each */
  int64_t *chosen;      /* [size] */
} bench;

/* Subset `number` of a set: rows drawn without replacement. `side` 0 or 1 tells the two sets apart. */
static mms_status draw_subset(const bench *work, const mms_matrix *set, uint64_t side, int64_t number, int64_t size,
                              uint64_t seed, double *out, mms_error *error) {
  mms_random_key key = {.seed = seed, .stream = MMS_STREAM_SUBSET, .step = side, .item = (uint64_t)number};
  mms_status status = mms_random_subset(key, set->rows, size, work->chosen, error);
  for (int64_t i = 0; status == MMS_OK && i < size; i++)
    memcpy(out + i * set->cols, set->data + work->chosen[i] * set->cols, (size_t)set->cols * sizeof *out);
  return status;
}

/* Mean and its standard error over subsets; the running (Welford) form, in the order of the subsets. */
static mms_status average_subsets(const bench *work, const mms_matrix *a, const mms_matrix *b, int64_t size,
                                  int64_t subsets, uint64_t seed, double *mmd2, double *standard_error,
                                  mms_error *error) {
  double mean = 0, squares = 0;
  for (int64_t s = 0; s < subsets; s++) {
    mms_status status = draw_subset(work, a, 0, s, size, seed, work->a, error);
    if (status == MMS_OK) status = draw_subset(work, b, 1, s, size, seed, work->b, error);
    if (status != MMS_OK) return status;
    double value = unbiased_mmd2(work->a, size, work->b, size, a->cols, work->tile), change = value - mean;
    mean += change / (double)(s + 1);
    squares += change * (value - mean);
  }
  *mmd2 = mean;
  *standard_error = subsets == 1 ? 0 : sqrt(squares / (double)(subsets - 1) / (double)subsets);
  return MMS_OK;
}

static mms_status check_subsets(const mms_matrix *a, const mms_matrix *b, int64_t size, int64_t subsets,
                                mms_error *error) {
  if (size == 1 || size < 0 || (size > 0 && subsets < 1))
    return mms_fail(error, MMS_ERR_INPUT,
                    "%lld subsets of %lld points: at least 1 subset of 2 points is needed, or size 0 for all points",
                    (long long)subsets, (long long)size);
  if (size > smaller(a->rows, b->rows))
    return mms_fail(error, MMS_ERR_INPUT, "subsets of %lld points need that many in each set; there are %lld and %lld",
                    (long long)size, (long long)a->rows, (long long)b->rows);
  return mms_study_check(a, "the first set", b, "the second set", 2, error);
}

mms_status mms_kernel_distance(const mms_matrix *a, const mms_matrix *b, int64_t subset_size, int64_t subsets,
                               uint64_t seed, double *mmd2, double *standard_error, mms_error *error) {
  mms_status status = check_subsets(a, b, subset_size, subsets, error);
  if (status != MMS_OK) return status;
  bench work = {0};
  void *chosen = NULL;
  status = mms_allocate_doubles(&work.tile, (int64_t)TILE * TILE, "a block of products", error);
  if (status == MMS_OK) status = mms_allocate_doubles(&work.a, subset_size * a->cols, "a subset", error);
  if (status == MMS_OK) status = mms_allocate_doubles(&work.b, subset_size * b->cols, "a subset", error);
  if (status == MMS_OK) status = mms_allocate(&chosen, subset_size, sizeof(int64_t), "a subset", error);
  work.chosen = chosen;
  if (status == MMS_OK && subset_size == 0) {
    *mmd2 = unbiased_mmd2(a->data, a->rows, b->data, b->rows, a->cols, work.tile);
    *standard_error = 0;
  } else if (status == MMS_OK) {
    status = average_subsets(&work, a, b, subset_size, subsets, seed, mmd2, standard_error, error);
  }
  free(work.tile);
  free(work.a);
  free(work.b);
  free(chosen);
  return status;
}
