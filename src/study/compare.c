/* All distances between two point sets in memory. */
#include "mmsold/study/compare.h"

#include "mmsold/base/memory.h"
#include "mmsold/random/random.h"
#include "mmsold/study/distances.h"
#include "study/moments.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
  KID_SIZE = 100, /* points in a subset, and subsets: ALGORITHMS 9 */
  KID_SUBSETS = 50,
  BALL_NEIGHBOUR = 3,      /* whose distance is a ball's radius: ALGORITHMS 9 */
  MANIFOLD_MOST = 50000,   /* points of a set in precision, recall and coverage, which cost the product of the sizes */
  LARGE_SET = 10000,       /* from here on the duplicates' percentile is 1, below it 5: ALGORITHMS 9, "large sets" */
  WIDEST_COVARIANCE = 4096 /* columns up to which a covariance is formed: 128 MiB a matrix */
};

/* What MMS_STREAM_SUBSET's `step` stands for here; the kernel distance uses 0 and 1. */
enum { SUBSET_HALF = 2, SUBSET_MANIFOLD_A = 3, SUBSET_MANIFOLD_B = 4 };

/* `size` rows drawn uniformly without replacement, in their order; the others into `rest` (NULL: not wanted). */
static mms_status split_rows(const mms_matrix *set, int64_t size, uint64_t purpose, uint64_t seed, mms_matrix *drawn,
                             mms_matrix *rest, mms_error *error) {
  void *memory = NULL;
  *drawn = (mms_matrix){0};
  mms_status status = mms_allocate(&memory, size, sizeof(int64_t), "a choice of points", error);
  int64_t *chosen = memory;
  mms_random_key key = {.seed = seed, .stream = MMS_STREAM_SUBSET, .step = purpose, .item = 0};
  if (status == MMS_OK) status = mms_random_subset(key, set->rows, size, chosen, error);
  if (status == MMS_OK) status = mms_matrix_create(drawn, size, set->cols, "a choice of points", error);
  if (status == MMS_OK && rest != NULL)
    status = mms_matrix_create(rest, set->rows - size, set->cols, "the other points", error);
  int64_t taken = 0, left = 0;
  for (int64_t i = 0; status == MMS_OK && i < set->rows; i++) {
    const double *row = set->data + i * set->cols;
    size_t bytes = (size_t)set->cols * sizeof *row;
    if (taken < size && chosen[taken] == i)
      memcpy(drawn->data + taken++ * set->cols, row, bytes);
    else if (rest != NULL)
      memcpy(rest->data + left++ * set->cols, row, bytes);
  }
  free(memory);
  if (status != MMS_OK) mms_matrix_free(drawn);
  return status;
}

static mms_status compare_halves(mms_comparison *comparison, const mms_matrix *b, int64_t directions, uint64_t seed,
                                 mms_error *error) {
  if (b->rows < 2) {
    comparison->sw2_reference = NAN;
    comparison->no_sw2_reference = "the second set has a single point, which has no halves";
    return MMS_OK;
  }
  mms_matrix half = {0}, rest = {0};
  mms_status status = split_rows(b, b->rows / 2, SUBSET_HALF, seed, &half, &rest, error);
  if (status == MMS_OK)
    status = mms_sliced_wasserstein2(&half, &rest, directions, seed, &comparison->sw2_reference, error);
  comparison->has_sw2_reference = status == MMS_OK;
  mms_matrix_free(&half);
  mms_matrix_free(&rest);
  return status;
}

static mms_status compare_kernels(mms_comparison *comparison, const mms_matrix *a, const mms_matrix *b, uint64_t seed,
                                  mms_error *error) {
  if (a->rows < 2 || b->rows < 2) {
    comparison->no_kid = "an unbiased kernel distance needs at least 2 points in each set";
    return MMS_OK;
  }
  int64_t size = a->rows >= KID_SIZE && b->rows >= KID_SIZE ? KID_SIZE : 0;
  mms_status status =
      mms_kernel_distance(a, b, size, KID_SUBSETS, seed, &comparison->kid, &comparison->kid_stderr, error);
  comparison->has_kid = status == MMS_OK;
  return status;
}

static mms_status compare_manifolds(mms_comparison *comparison, const mms_matrix *a, const mms_matrix *b, uint64_t seed,
                                    mms_error *error) {
  if (a->rows <= BALL_NEIGHBOUR || b->rows <= BALL_NEIGHBOUR) {
    comparison->no_manifold = "balls to the 3rd nearest neighbour need more than 3 points in each set";
    return MMS_OK;
  }
  mms_matrix few_a = {0}, few_b = {0};
  const mms_matrix *used_a = a, *used_b = b;
  mms_status status = MMS_OK;
  if (a->rows > MANIFOLD_MOST) {
    status = split_rows(a, MANIFOLD_MOST, SUBSET_MANIFOLD_A, seed, &few_a, NULL, error);
    used_a = &few_a;
  }
  if (status == MMS_OK && b->rows > MANIFOLD_MOST) {
    status = split_rows(b, MANIFOLD_MOST, SUBSET_MANIFOLD_B, seed, &few_b, NULL, error);
    used_b = &few_b;
  }
  mms_manifold_scores scores = {0};
  if (status == MMS_OK) status = mms_manifold_compare(used_a, used_b, BALL_NEIGHBOUR, &scores, error);
  if (status == MMS_OK) {
    comparison->has_manifold = true;
    comparison->precision = scores.precision;
    comparison->recall = scores.recall;
    comparison->coverage = scores.coverage;
    comparison->manifold_a = used_a->rows;
    comparison->manifold_b = used_b->rows;
  }
  mms_matrix_free(&few_a);
  mms_matrix_free(&few_b);
  return status;
}

static mms_status count_duplicates(mms_comparison *comparison, const mms_matrix *a, const mms_matrix *b,
                                   mms_error *error) {
  if (b->rows < 2) {
    comparison->no_duplicates = "nearest-neighbour distances inside the second set need at least 2 points there";
    return MMS_OK;
  }
  comparison->duplicate_percentile = b->rows > LARGE_SET ? 1 : 5;
  mms_status status = mms_duplicate_rate(a, b, comparison->duplicate_percentile, &comparison->duplicate_rate,
                                         &comparison->duplicate_threshold, error);
  comparison->has_duplicates = status == MMS_OK;
  return status;
}

static mms_status compare_moments(mms_comparison *comparison, const mms_matrix *a, const mms_matrix *b,
                                  mms_error *error) {
  if (b->cols > WIDEST_COVARIANCE) {
    comparison->no_defects = "covariances are compared up to 4096 columns";
    return MMS_OK;
  }
  double *origin = NULL, *mean = NULL, *covariance = NULL, spread = 0;
  mms_status status = mms_allocate_doubles(&mean, b->cols, "a mean", error);
  if (status == MMS_OK) status = mms_allocate_doubles(&covariance, b->cols * b->cols, "a covariance", error);
  if (status == MMS_OK) status = mms_allocate_doubles(&origin, b->cols, "a mean", error);
  if (status == MMS_OK) status = mms_study_measure(b, origin, mean, covariance, error);
  for (int64_t k = 0; status == MMS_OK && k < b->cols; k++) spread = fmax(spread, covariance[k * b->cols + k]);
  if (status == MMS_OK && spread > 0) {
    status = mms_moment_defect(a, mean, covariance, &comparison->mean_defect, &comparison->covariance_defect, error);
    comparison->has_defects = status == MMS_OK;
  } else if (status == MMS_OK) {
    comparison->no_defects = "defects are relative to the second set's covariance, which is zero";
  }
  free(origin);
  free(mean);
  free(covariance);
  return status;
}

mms_status mms_compare_sets(mms_comparison *comparison, const mms_matrix *a, const mms_matrix *b, int64_t directions,
                            uint64_t seed, mms_error *error) {
  *comparison = (mms_comparison){.count_a = a->rows, .count_b = b->rows, .dim = a->cols};
  mms_status status = mms_sliced_wasserstein2(a, b, directions, seed, &comparison->sw2, error);
  if (status == MMS_OK) status = compare_halves(comparison, b, directions, seed, error);
  if (status == MMS_OK) status = compare_kernels(comparison, a, b, seed, error);
  if (status == MMS_OK) status = compare_manifolds(comparison, a, b, seed, error);
  if (status == MMS_OK) status = count_duplicates(comparison, a, b, error);
  if (status == MMS_OK) status = compare_moments(comparison, a, b, error);
  return status;
}
