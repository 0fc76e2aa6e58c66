/* Sliced Wasserstein-2 distance (ALGORITHMS 9): the exact 1-D distance along random directions. */
#include "mmsold/base/memory.h"
#include "mmsold/linalg/dense.h"
#include "mmsold/random/random.h"
#include "mmsold/study/distances.h"
#include "study/points.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
  CHUNK = 16,     /* directions projected at once */
  SMALL_DIM = 64, /* up to here our own loop projects: its result for a point does not depend on where the point stands,
                     so that permuted sets are at distance zero exactly; beyond, BLAS */
  DIGIT_BITS = 11, /* of the radix sort: six passes over 64 bits, counts that stay in the first cache */
  DIGITS = 1 << DIGIT_BITS,
  PASSES = 6
};

/* Room for one chunk. */
typedef struct bench {
  double *directions; /* [CHUNK][d] */
  double *across;     /* the same, transposed: [d][CHUNK] */
  double *a, *b;      /* projections: [CHUNK][n], [CHUNK][m] */
  uint64_t *keys;     /* two rows of max(n, m) */
} bench;

/* Bits of a double such that unsigned order is numeric order, and back. */
static uint64_t key_of(double value) {
  uint64_t bits;
  memcpy(&bits, &value, sizeof bits);
  return bits ^ ((bits >> 63) != 0 ? UINT64_MAX : UINT64_C(1) << 63);
}

static double value_of(uint64_t key) {
  uint64_t bits = key ^ ((key >> 63) != 0 ? UINT64_C(1) << 63 : UINT64_MAX);
  double value;
  memcpy(&value, &bits, sizeof value);
  return value;
}

/* Ascending, by counting digits from the lowest on; a digit that all keys share is skipped. keys: [2 count]. */
static void sort_values(double *values, int64_t count, uint64_t *keys) {
  int64_t counts[PASSES][DIGITS];
  memset(counts, 0, sizeof counts);
  uint64_t *from = keys, *to = keys + count;
  for (int64_t i = 0; i < count; i++) {
    from[i] = key_of(values[i] + 0.0); /* + 0.0: one zero, not two */
    for (int pass = 0; pass < PASSES; pass++) counts[pass][from[i] >> (pass * DIGIT_BITS) & (DIGITS - 1)]++;
  }
  for (int pass = 0; pass < PASSES; pass++) {
    int shift = pass * DIGIT_BITS;
    if (counts[pass][from[0] >> shift & (DIGITS - 1)] == count) continue;
    int64_t place = 0;
    for (int digit = 0; digit < DIGITS; digit++) {
      int64_t here = counts[pass][digit];
      counts[pass][digit] = place;
      place += here;
    }
    for (int64_t i = 0; i < count; i++) to[counts[pass][from[i] >> shift & (DIGITS - 1)]++] = from[i];
    uint64_t *swap = from;
    from = to;
    to = swap;
  }
  for (int64_t i = 0; i < count; i++) values[i] = value_of(from[i]);
}

/* ∫_0^1 (F_a⁻¹(u) − F_b⁻¹(u))² du of two sorted samples: both quantile functions are steps, of widths 1/n and
 * 1/m, and the integral over their common refinement is exact. Widths are counted in units of 1/(n m). */
static double squared_distance_1d(const double *a, int64_t n, const double *b, int64_t m) {
  double sum = 0;
  int64_t i = 0, j = 0, left_a = m, left_b = n; /* what is left of the current steps */
  while (i < n && j < m) {
    int64_t width = left_a < left_b ? left_a : left_b;
    double difference = a[i] - b[j];
    sum += difference * difference * ((double)width / (double)m);
    left_a -= width;
    left_b -= width;
    if (left_a == 0) {
      i++;
      left_a = m;
    }
    if (left_b == 0) {
      j++;
      left_b = n;
    }
  }
  return sum / (double)n;
}

/* CHUNK unit vectors: normalised Gaussians. */
static void draw_directions(bench *work, int64_t dim, int64_t first, int64_t count, uint64_t seed) {
  for (int64_t c = 0; c < count; c++) {
    double *direction = work->directions + c * dim, square = 0;
    mms_random_key key = {.seed = seed, .stream = MMS_STREAM_DIRECTION, .step = 0, .item = (uint64_t)(first + c)};
    mms_random_normals(key, 0, dim, direction);
    for (int64_t k = 0; k < dim; k++) square += direction[k] * direction[k];
    if (square == 0) direction[0] = square = 1; /* no direction at all: never seen, and any will do */
    double scale = 1 / sqrt(square);
    for (int64_t k = 0; k < dim; k++) {
      direction[k] = dim == 1 ? copysign(1, direction[k]) : direction[k] * scale;
      work->across[k * CHUNK + c] = direction[k];
    }
  }
}

/* Projections of a set on the chunk's directions: out [CHUNK][n]. */
static void project(const bench *work, const mms_matrix *set, int64_t count, double *out) {
  if (set->cols > SMALL_DIM) {
    mms_dense_multiply(false, true, count, set->rows, set->cols, 1.0, work->directions, set->data, 0.0, out);
    return;
  }
  for (int64_t i = 0; i < set->rows; i++) {
    double sums[CHUNK] = {0};
    for (int64_t k = 0; k < set->cols; k++) {
      double value = set->data[i * set->cols + k];
      for (int c = 0; c < CHUNK; c++) sums[c] += value * work->across[k * CHUNK + c];
    }
    for (int64_t c = 0; c < count; c++) out[c * set->rows + i] = sums[c];
  }
}

static void put_away(bench *work) {
  free(work->directions);
  free(work->across);
  free(work->a);
  free(work->b);
  free(work->keys);
}

static mms_status set_up(bench *work, int64_t n, int64_t m, int64_t dim, mms_error *error) {
  *work = (bench){0};
  void *keys = NULL;
  mms_status status = mms_allocate_doubles(&work->directions, CHUNK * dim, "directions", error);
  if (status == MMS_OK) status = mms_allocate_doubles(&work->across, CHUNK * dim, "directions", error);
  if (status == MMS_OK) status = mms_allocate_doubles(&work->a, CHUNK * n, "projections", error);
  if (status == MMS_OK) status = mms_allocate_doubles(&work->b, CHUNK * m, "projections", error);
  if (status == MMS_OK) status = mms_allocate(&keys, 2 * (n > m ? n : m), sizeof(uint64_t), "sorting", error);
  work->keys = keys;
  if (status != MMS_OK) put_away(work);
  return status;
}

mms_status mms_sliced_wasserstein2(const mms_matrix *a, const mms_matrix *b, int64_t directions, uint64_t seed,
                                   double *distance, mms_error *error) {
  if (directions < 1)
    return mms_fail(error, MMS_ERR_INPUT, "%lld directions: a sliced distance needs at least 1", (long long)directions);
  mms_status status = mms_study_check(a, "the first set", b, "the second set", 1, error);
  if (status != MMS_OK) return status;
  bench work;
  status = set_up(&work, a->rows, b->rows, a->cols, error);
  if (status != MMS_OK) return status;
  double sum = 0;
  for (int64_t first = 0; first < directions; first += CHUNK) {
    int64_t count = directions - first < CHUNK ? directions - first : CHUNK;
    draw_directions(&work, a->cols, first, count, seed);
    project(&work, a, count, work.a);
    project(&work, b, count, work.b);
    for (int64_t c = 0; c < count; c++) {
      sort_values(work.a + c * a->rows, a->rows, work.keys);
      sort_values(work.b + c * b->rows, b->rows, work.keys);
      sum += squared_distance_1d(work.a + c * a->rows, a->rows, work.b + c * b->rows, b->rows);
    }
  }
  *distance = sqrt(sum / (double)directions);
  put_away(&work);
  return MMS_OK;
}
