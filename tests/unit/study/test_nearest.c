/* Nearest neighbours, duplicates, precision, recall and coverage: hand-made sets and brute force. */
#include "support.h"

#include "mmsold/base/memory.h"
#include "mmsold/random/random.h"
#include "mmsold/study/distances.h"
#include "study/points.h"
#include <stdlib.h>

static mms_matrix normals(int64_t rows, int64_t cols, uint64_t item, double offset) {
  mms_matrix set;
  mms_error error = mms_error_none();
  expect_ok(mms_matrix_create(&set, rows, cols, "a test set", &error), &error);
  mms_random_normals((mms_random_key){.seed = 4, .stream = MMS_STREAM_TEST, .item = item}, 0, rows * cols, set.data);
  for (int64_t i = 0; i < rows * cols; i++) set.data[i] += offset;
  return set;
}

static void expect_brute_force(const mms_matrix *queries, const mms_matrix *points) {
  int64_t index[400];
  double distance[400];
  mms_error error = mms_error_none();
  expect_ok(mms_nearest(queries, points, index, distance, &error), &error);
  for (int64_t q = 0; q < queries->rows; q++) {
    double best = INFINITY;
    int64_t who = -1;
    for (int64_t p = 0; p < points->rows; p++) {
      double square = 0;
      for (int64_t k = 0; k < points->cols; k++) {
        double difference = queries->data[q * points->cols + k] - points->data[p * points->cols + k];
        square += difference * difference;
      }
      if (square < best) {
        best = square;
        who = p;
      }
    }
    assert_int_equal(index[q], who); /* ties: the lowest index */
    assert_true(distance[q] == sqrt(best));
  }
}

/* Exact to the last bit in small and large d, far from the origin, with copies and near copies. */
static void nearest_is_brute_force(void **state) {
  (void)state;
  const int64_t dims[4] = {1, 2, 13, 50};
  const double offsets[2] = {0, 1e6};
  for (int i = 0; i < 4; i++)
    for (int j = 0; j < 2; j++) {
      int64_t d = dims[i];
      mms_matrix points = normals(1100, d, 1, offsets[j]), queries = normals(130, d, 2, offsets[j]);
      for (int64_t p = 600; p < 900; p++) /* copies inside the set: ties */
        memcpy(points.data + p * d, points.data + (p - 600) * d, (size_t)d * sizeof(double));
      for (int64_t q = 0; q < 60; q++) /* queries on points, or a few units in the last place off */
        for (int64_t k = 0; k < d; k++)
          queries.data[q * d + k] = points.data[(q * 17) * d + k] * (q % 2 == 0 ? 1 : 1 + 4e-16 * (double)(q % 7));
      expect_brute_force(&queries, &points);
      mms_matrix_free(&points);
      mms_matrix_free(&queries);
    }
}

/* The screen may be too low, never too high: otherwise a neighbour would be lost. And it must be tight. */
static void screen_is_a_lower_bound(void **state) {
  (void)state;
  const double offsets[3] = {0, 1e3, 1e8};
  for (int j = 0; j < 3; j++) {
    mms_matrix a = normals(50, 30, 1, offsets[j]), b = normals(70, 30, 2, offsets[j]);
    memcpy(b.data, a.data, 30 * 30 * sizeof(double));
    mms_screen screen;
    mms_error error = mms_error_none();
    expect_ok(mms_screen_create(&screen, &a, &b, &error), &error);
    assert_true(screen.by_products);
    mms_screen_bound(&screen, 0, 50, 0, 70);
    for (int64_t q = 0; q < 50; q++)
      for (int64_t p = 0; p < 70; p++) {
        double exact = mms_study_squared_distance(a.data + q * 30, b.data + p * 30, 30);
        double bound = screen.tile[q * MMS_SCREEN_COLUMNS + p];
        if (bound > exact) fail_msg("the bound %.17g is above %.17g", bound, exact);
        expect_near(bound, exact, 1e-11 * 200);
      }
    mms_screen_free(&screen);
    mms_matrix_free(&a);
    mms_matrix_free(&b);
  }
}

static void nearest_takes_what_there_is(void **state) {
  (void)state;
  double x[3] = {1, 2, 4}, distance[3] = {0};
  int64_t index[3] = {0};
  mms_matrix points = {3, 1, x}, none = {0, 1, x}, pair = {1, 2, x};
  mms_error error = mms_error_none();
  expect_ok(mms_nearest(&none, &points, index, distance, &error), &error);
  expect_ok(mms_nearest(&points, &points, NULL, distance, &error), &error);
  expect_ok(mms_nearest(&points, &points, index, NULL, &error), &error);
  assert_int_equal(index[2], 2);
  expect_refused(mms_nearest(&points, &none, index, NULL, &error), MMS_ERR_INPUT, &error, "at least 1");
  expect_refused(mms_nearest(&points, &pair, index, NULL, &error), MMS_ERR_INPUT, &error, "columns");
}

/* Training points 0, 1, 3, 7, 15: nearest distances 1, 1, 2, 4, 8; the median is 2 and the 60th percentile 2.8. */
static void duplicates_by_hand(void **state) {
  (void)state;
  double x[5] = {0, 1, 3, 7, 15}, y[4] = {15, 5.1, 9, 100}, rate = 0, threshold = 0;
  mms_matrix training = {5, 1, x}, generated = {4, 1, y};
  mms_error error = mms_error_none();
  expect_ok(mms_duplicate_rate(&generated, &training, 50, &rate, &threshold, &error), &error);
  expect_near(threshold, 2, 0);
  expect_near(rate, 0.5, 0); /* 15 and 5.1 (1.9 from 7); 9 is at 2, not nearer */
  expect_ok(mms_duplicate_rate(&generated, &training, 60, &rate, &threshold, &error), &error);
  expect_near(threshold, 2.8, 1e-14);
  expect_near(rate, 0.75, 0);
  expect_ok(mms_duplicate_rate(&generated, &training, 100, &rate, &threshold, &error), &error);
  expect_near(threshold, 8, 0);
  expect_refused(mms_duplicate_rate(&generated, &training, 101, &rate, &threshold, &error), MMS_ERR_INPUT, &error,
                 "101");
  training.rows = 1;
  expect_refused(mms_duplicate_rate(&generated, &training, 5, &rate, &threshold, &error), MMS_ERR_INPUT, &error,
                 "at least 2");
}

/* Planted copies are found; where the training set itself has copies, τ is 0 and exact copies still count. */
static void planted_copies_are_counted(void **state) {
  (void)state;
  mms_matrix training = normals(500, 30, 1, 0), generated = normals(200, 30, 2, 0);
  memcpy(generated.data, training.data + 90 * 30, 20 * 30 * sizeof(double));
  double rate = 0, threshold = 0;
  mms_error error = mms_error_none();
  expect_ok(mms_duplicate_rate(&generated, &training, 1, &rate, &threshold, &error), &error);
  assert_true(threshold > 0);
  expect_near(rate, 20.0 / 200, 0.02); /* chance adds about 1 % */
  assert_true(rate >= 20.0 / 200);
  memcpy(training.data + 250 * 30, training.data, 250 * 30 * sizeof(double));
  expect_ok(mms_duplicate_rate(&generated, &training, 5, &rate, &threshold, &error), &error);
  assert_true(threshold == 0);
  expect_near(rate, 20.0 / 200, 0);
  mms_matrix_free(&training);
  mms_matrix_free(&generated);
}

/* Real: two tight clusters of four at 0 and 100. Generated: four at 0 and one at 50.
 * With k = 3 the real balls have radius 3 at most. */
static void scores_by_hand(void **state) {
  (void)state;
  double real[8] = {0, 1, 2, 3, 100, 101, 102, 103}, made[5] = {0.5, 1.5, 2.5, 1.0, 50};
  mms_matrix a = {5, 1, made}, b = {8, 1, real};
  mms_manifold_scores scores = {-1, -1, -1};
  mms_error error = mms_error_none();
  expect_ok(mms_manifold_compare(&a, &b, 3, &scores, &error), &error);
  expect_near(scores.precision, 4.0 / 5, 0); /* 50 is in no real ball */
  expect_near(scores.coverage, 4.0 / 8, 0);  /* the cluster at 100 holds nothing */
  /* balls of the generated: radii 2, 1, 2, 1.5 and 49 (from 50 to 1.0): 1 … 99, so real 100 … 103 are outside */
  expect_near(scores.recall, 4.0 / 8, 0);
  made[4] = 51; /* 51 to 1.0 is its third nearest: radius 50, up to 101, and balls are closed */
  expect_ok(mms_manifold_compare(&a, &b, 3, &scores, &error), &error);
  expect_near(scores.recall, 6.0 / 8, 0);
}

static void a_set_scores_full_against_itself(void **state) {
  (void)state;
  const int64_t dims[2] = {2, 30};
  for (int i = 0; i < 2; i++) {
    mms_matrix a = normals(300, dims[i], 1, 0), far = normals(300, dims[i], 2, 1e4);
    mms_manifold_scores scores;
    mms_error error = mms_error_none();
    expect_ok(mms_manifold_compare(&a, &a, 3, &scores, &error), &error);
    assert_true(scores.precision == 1 && scores.recall == 1 && scores.coverage == 1);
    expect_ok(mms_manifold_compare(&a, &far, 3, &scores, &error), &error);
    assert_true(scores.precision == 0 && scores.recall == 0 && scores.coverage == 0);
    mms_matrix_free(&a);
    mms_matrix_free(&far);
  }
}

static void too_few_points_for_k_are_refused(void **state) {
  (void)state;
  double x[4] = {1, 2, 3, 4};
  mms_matrix three = {3, 1, x}, four = {4, 1, x};
  mms_manifold_scores scores;
  mms_error error = mms_error_none();
  expect_refused(mms_manifold_compare(&three, &four, 3, &scores, &error), MMS_ERR_INPUT, &error, "at least 4");
  expect_refused(mms_manifold_compare(&four, &three, 3, &scores, &error), MMS_ERR_INPUT, &error, "at least 4");
  expect_refused(mms_manifold_compare(&four, &four, 0, &scores, &error), MMS_ERR_INPUT, &error, "k = 0");
  expect_ok(mms_manifold_compare(&four, &four, 3, &scores, &error), &error);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(nearest_is_brute_force),           cmocka_unit_test(screen_is_a_lower_bound),
      cmocka_unit_test(nearest_takes_what_there_is),      cmocka_unit_test(duplicates_by_hand),
      cmocka_unit_test(planted_copies_are_counted),       cmocka_unit_test(scores_by_hand),
      cmocka_unit_test(a_set_scores_full_against_itself), cmocka_unit_test(too_few_points_for_k_are_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
