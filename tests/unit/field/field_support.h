/* Training sets made by hand and batches of queries, for the tests of the field. */
#ifndef TESTS_FIELD_SUPPORT_H
#define TESTS_FIELD_SUPPORT_H

#include "support.h"

#include "mmsold/field/field.h"
#include "mmsold/random/random.h"
#include <stdlib.h>

/* Instruction sets for which the tree has kernels of its own (amx has those of avx512). */
static const char *const TREE_KERNELS[] = {"portable", "avx2", "avx512"};

typedef enum cloud_kind { CLOUD_NORMAL, CLOUD_CLUSTERED, CLOUD_DUPLICATED, CLOUD_OFFSET } cloud_kind;

/* n points in d dimensions; freed with cloud_free. Offset: around 1e4 in every coordinate, with spread 1. */
static inline mms_training cloud_make(cloud_kind kind, int64_t n, int64_t d) {
  double *points = malloc((size_t)(n * d) * sizeof(double));
  if (points == NULL) abort();
  for (int64_t i = 0; i < n; i++) {
    mms_random_key key = {.seed = 11, .stream = MMS_STREAM_TEST, .item = (uint64_t)i};
    if (kind == CLOUD_DUPLICATED) key.item = (uint64_t)(i / 3);
    mms_random_normals(key, 0, d, points + i * d);
    for (int64_t k = 0; k < d; k++) {
      if (kind == CLOUD_OFFSET) points[i * d + k] += 1e4;
      if (kind == CLOUD_CLUSTERED) points[i * d + k] = (double)(i % 4 == k % 4) * 5.0 + 1e-3 * points[i * d + k];
    }
  }
  return (mms_training){.count = n, .dim = d, .points = points};
}

static inline void cloud_free(mms_training *training) { free((double *)(uintptr_t)training->points); }

/* Queries near training points: x_i + `away` N(0, I). Freed with free(). */
static inline double *queries_near(const mms_training *training, int64_t count, double away) {
  int64_t d = training->dim;
  double *points = malloc((size_t)(count * d + 1) * sizeof(double));
  if (points == NULL) abort();
  for (int64_t row = 0; row < count; row++) {
    mms_random_key key = {.seed = 12, .stream = MMS_STREAM_TEST, .item = (uint64_t)row};
    mms_random_normals(key, 0, d, points + row * d);
    const double *x = training->points + (row * 7 % training->count) * d;
    for (int64_t k = 0; k < d; k++) points[row * d + k] = x[k] + away * points[row * d + k];
  }
  return points;
}

static inline mms_field *field_make(const mms_team *over, const mms_training *training, mms_backend backend,
                                    int64_t max_rows, int64_t max_pairs) {
  mms_error error = mms_error_none();
  mms_field *field = NULL;
  expect_ok(mms_field_create(&field, over, training, backend, max_rows, max_pairs, &error), &error);
  return field;
}

/* The largest |entry|. */
static inline double largest_entry(const double *values, int64_t count) {
  double most = 0.0;
  for (int64_t i = 0; i < count; i++) most = fmax(most, fabs(values[i]));
  return most;
}

static inline double largest_difference(const double *a, const double *b, int64_t count) {
  double most = 0.0;
  for (int64_t i = 0; i < count; i++) {
    if (!isfinite(a[i]) || !isfinite(b[i])) return INFINITY;
    most = fmax(most, fabs(a[i] - b[i]));
  }
  return most;
}

#endif
