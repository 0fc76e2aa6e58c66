/* Distances against closed forms, hand-made sets and brute force. */
#include "support.h"

#include "mmsold/base/memory.h"
#include "mmsold/base/sort.h"
#include "mmsold/linalg/dense.h"
#include "mmsold/random/random.h"
#include "mmsold/study/distances.h"
#include <stdlib.h>

/* Standard normals [rows][cols]; `item` tells sets apart. */
static mms_matrix normals(int64_t rows, int64_t cols, uint64_t item) {
  mms_matrix set;
  mms_error error = mms_error_none();
  expect_ok(mms_matrix_create(&set, rows, cols, "a test set", &error), &error);
  mms_random_normals((mms_random_key){.seed = 3, .stream = MMS_STREAM_TEST, .item = item}, 0, rows * cols, set.data);
  return set;
}

static mms_matrix copy_of(const mms_matrix *set) {
  mms_matrix copy;
  mms_error error = mms_error_none();
  expect_ok(mms_matrix_create(&copy, set->rows, set->cols, "a test set", &error), &error);
  memcpy(copy.data, set->data, (size_t)(set->rows * set->cols) * sizeof(double));
  return copy;
}

/* Rows in another order: row i goes to 7 i mod n (n prime to 7). */
static mms_matrix shuffled(const mms_matrix *set) {
  mms_matrix copy = copy_of(set);
  for (int64_t i = 0; i < set->rows; i++)
    memcpy(copy.data + 7 * i % set->rows * set->cols, set->data + i * set->cols, (size_t)set->cols * sizeof(double));
  return copy;
}

static double sw2(const mms_matrix *a, const mms_matrix *b, int64_t directions) {
  double distance = -1;
  mms_error error = mms_error_none();
  expect_ok(mms_sliced_wasserstein2(a, b, directions, 5, &distance, &error), &error);
  return distance;
}

/* --- sliced Wasserstein ------------------------------------------------------------------- */

static void same_points_are_at_distance_zero(void **state) {
  (void)state;
  const int64_t dims[3] = {1, 2, 40};
  for (int i = 0; i < 3; i++) {
    mms_matrix a = normals(501, dims[i], 1), b = shuffled(&a);
    assert_true(sw2(&a, &b, 33) == 0.0); /* permutation does not matter, not even in the last bit */
    mms_matrix_free(&a);
    mms_matrix_free(&b);
  }
  mms_matrix wide = normals(100, 80, 1), same = shuffled(&wide);
  expect_near(sw2(&wide, &same, 8), 0, 1e-13);
  mms_matrix_free(&wide);
  mms_matrix_free(&same);
}

static void a_shift_in_one_dimension_is_the_distance(void **state) {
  (void)state;
  mms_matrix a = normals(300, 1, 1), b = shuffled(&a);
  for (int64_t i = 0; i < b.rows; i++) b.data[i] += 2.5;
  expect_near(sw2(&a, &b, 4), 2.5, 1e-13);
  mms_matrix_free(&a);
  mms_matrix_free(&b);
}

/* In d dimensions a shift v gives |v|²/d on average over directions. */
static void a_shift_in_the_plane_is_averaged_over_directions(void **state) {
  (void)state;
  mms_matrix a = normals(200, 2, 1), b = copy_of(&a);
  for (int64_t i = 0; i < b.rows; i++) b.data[2 * i] += 3;
  const double variance = 1.0 / 8; /* of cos² of a uniform angle */
  double square = sw2(&a, &b, 4000) * sw2(&a, &b, 4000);
  expect_near(square, 9 * 0.5, 4 * 9 * sqrt(variance / 4000));
  mms_matrix_free(&a);
  mms_matrix_free(&b);
}

/* Quantiles of N(0, 1) times s against themselves: (s − 1) times their root mean square. */
static void scaled_quantiles_in_one_dimension(void **state) {
  (void)state;
  mms_matrix a = normals(1000, 1, 2), b = shuffled(&a);
  double square = 0;
  for (int64_t i = 0; i < a.rows; i++) square += a.data[i] * a.data[i] / (double)a.rows;
  for (int64_t i = 0; i < b.rows; i++) b.data[i] *= 3;
  expect_near(sw2(&a, &b, 2), 2 * sqrt(square), 1e-12);
  mms_matrix_free(&a);
  mms_matrix_free(&b);
}

static void unequal_sizes_match_the_brute_quantile_integral(void **state) {
  (void)state;
  const int64_t sizes[4][2] = {{3, 5}, {6, 4}, {1, 7}, {90, 30}};
  for (int c = 0; c < 4; c++) {
    int64_t n = sizes[c][0], m = sizes[c][1];
    mms_matrix a = normals(n, 1, 3), b = normals(m, 1, 4);
    double found = sw2(&a, &b, 1), sum = 0;
    mms_sort_doubles(a.data, n);
    mms_sort_doubles(b.data, m);
    for (int64_t u = 0; u < n * m; u++) { /* both quantile functions are constant on ((u, u + 1)/(n m)) */
      double difference = a.data[u / m] - b.data[u / n];
      sum += difference * difference;
    }
    expect_near(found, sqrt(sum / (double)(n * m)), 1e-13);
    mms_matrix_free(&a);
    mms_matrix_free(&b);
  }
}

static void signs_zeros_and_large_values_are_sorted(void **state) {
  (void)state;
  double x[6] = {0.0, -1e150, 1e-300, -0.0, 5, -5}, y[6] = {5, -5, 0.0, 1e-300, 0.0, -1e150};
  mms_matrix a = {6, 1, x}, b = {6, 1, y};
  assert_true(sw2(&a, &b, 3) == 0.0);
}

static void impossible_sliced_distances_are_refused(void **state) {
  (void)state;
  double x[6] = {1, 2, 3, NAN, 5, 6}, distance = 0;
  mms_matrix a = {2, 1, x}, b = {1, 2, x}, none = {0, 1, x}, broken = {6, 1, x};
  mms_error error = mms_error_none();
  expect_refused(mms_sliced_wasserstein2(&a, &b, 4, 0, &distance, &error), MMS_ERR_INPUT, &error, "2");
  expect_refused(mms_sliced_wasserstein2(&a, &b, 4, 0, &distance, &error), MMS_ERR_INPUT, &error, "columns");
  expect_refused(mms_sliced_wasserstein2(&a, &none, 4, 0, &distance, &error), MMS_ERR_INPUT, &error, "0");
  expect_refused(mms_sliced_wasserstein2(&a, &a, 0, 0, &distance, &error), MMS_ERR_INPUT, &error, "at least 1");
  expect_refused(mms_sliced_wasserstein2(&a, &broken, 4, 0, &distance, &error), MMS_ERR_INPUT, &error, "row 3");
}

/* --- kernel distance ---------------------------------------------------------------------- */

/* X = {0, 1}, Y = {2, −1}, d = 1: k(0, 1) = 1, k(2, −1) = −1, and between them
 * (1, 1, 27, 0): MMD² = 1 − 1 − 2·29/4. */
static void two_points_by_hand(void **state) {
  (void)state;
  double x[2] = {0, 1}, y[2] = {2, -1}, mmd2 = 0, stderror = -1;
  mms_matrix a = {2, 1, x}, b = {2, 1, y};
  mms_error error = mms_error_none();
  expect_ok(mms_kernel_distance(&a, &b, 0, 0, 0, &mmd2, &stderror, &error), &error);
  expect_near(mmd2, -14.5, 1e-14);
  assert_true(stderror == 0);
}

/* Against the definition, over several blocks and both triangles. */
static void blocks_match_the_plain_double_sum(void **state) {
  (void)state;
  mms_matrix a = normals(300, 3, 1), b = normals(270, 3, 2);
  const mms_matrix *sets[2] = {&a, &b};
  double sums[2][2] = {{0}};
  for (int s = 0; s < 2; s++)
    for (int t = 0; t < 2; t++)
      for (int64_t i = 0; i < sets[s]->rows; i++)
        for (int64_t j = 0; j < sets[t]->rows; j++) {
          if (s == t && i == j) continue;
          double product = 0;
          for (int k = 0; k < 3; k++) product += sets[s]->data[3 * i + k] * sets[t]->data[3 * j + k];
          sums[s][t] += pow(product / 3 + 1, 3);
        }
  double wanted = sums[0][0] / (300.0 * 299) + sums[1][1] / (270.0 * 269) - 2 * sums[0][1] / (300.0 * 270);
  double mmd2 = 0, stderror = 0;
  mms_error error = mms_error_none();
  expect_ok(mms_kernel_distance(&a, &b, 0, 0, 0, &mmd2, &stderror, &error), &error);
  expect_near(mmd2, wanted, 1e-11);
  mms_matrix_free(&a);
  mms_matrix_free(&b);
}

/* Unbiased: zero on average where both sets have one law (a biased estimate would add the diagonal). */
static void same_law_gives_zero_on_average(void **state) {
  (void)state;
  enum { TRIALS = 200 };
  double mean = 0, squares = 0;
  for (int t = 0; t < TRIALS; t++) {
    mms_matrix a = normals(20, 2, (uint64_t)(100 + 2 * t)), b = normals(20, 2, (uint64_t)(101 + 2 * t));
    double mmd2 = 0, stderror = 0;
    mms_error error = mms_error_none();
    expect_ok(mms_kernel_distance(&a, &b, 0, 0, 0, &mmd2, &stderror, &error), &error);
    mean += mmd2 / TRIALS;
    squares += mmd2 * mmd2 / TRIALS;
    mms_matrix_free(&a);
    mms_matrix_free(&b);
  }
  double spread = sqrt((squares - mean * mean) / TRIALS);
  expect_near(mean, 0, 4 * spread);
  assert_true(spread < 0.3); /* so that the bias of about 1 that the diagonal adds at n = 20 would be seen */
}

static void subsets_know_their_error(void **state) {
  (void)state;
  mms_matrix a = normals(5000, 2, 1), b = normals(5000, 2, 2), c = normals(5000, 2, 3);
  for (int64_t i = 0; i < 2 * c.rows; i++) c.data[i] = 1.5 * c.data[i] + 0.5;
  double all = 0, some = 0, stderror = 0, again = 0;
  mms_error error = mms_error_none();
  expect_ok(mms_kernel_distance(&a, &b, 100, 50, 9, &some, &stderror, &error), &error);
  expect_near(some, 0, 4 * stderror + 0.02); /* plus the two finite sets' own distance */
  expect_ok(mms_kernel_distance(&a, &c, 0, 0, 9, &all, &again, &error), &error);
  expect_ok(mms_kernel_distance(&a, &c, 100, 50, 9, &some, &stderror, &error), &error);
  expect_near(some, all, 4 * stderror);
  assert_true(stderror > 0 && all > 5 * stderror);
  mms_matrix_free(&a);
  mms_matrix_free(&b);
  mms_matrix_free(&c);
}

static void impossible_kernel_distances_are_refused(void **state) {
  (void)state;
  double x[4] = {1, 2, 3, 4}, mmd2 = 0, stderror = 0;
  mms_matrix a = {4, 1, x}, one = {1, 1, x}, flat = {2, 2, x};
  mms_error error = mms_error_none();
  expect_refused(mms_kernel_distance(&a, &one, 0, 0, 0, &mmd2, &stderror, &error), MMS_ERR_INPUT, &error, "at least 2");
  expect_refused(mms_kernel_distance(&a, &a, 5, 2, 0, &mmd2, &stderror, &error), MMS_ERR_INPUT, &error, "5 points");
  expect_refused(mms_kernel_distance(&a, &a, 1, 2, 0, &mmd2, &stderror, &error), MMS_ERR_INPUT, &error, "1 points");
  expect_refused(mms_kernel_distance(&a, &a, 2, 0, 0, &mmd2, &stderror, &error), MMS_ERR_INPUT, &error, "0 subsets");
  expect_refused(mms_kernel_distance(&a, &flat, 0, 0, 0, &mmd2, &stderror, &error), MMS_ERR_INPUT, &error, "columns");
}

/* --- moments ------------------------------------------------------------------------------ */

/* A set whose moments are known: ± columns of a scaled identity, far from the origin. */
static void tiny_defects_are_seen_at_many_points(void **state) {
  (void)state;
  enum { P = 20000, D = 2 };
  mms_matrix set = normals(P, D, 1);
  double mean[D] = {0}, covariance[D * D] = {0}, first = 0, second = 0;
  long double sum[D] = {0}, square[D * D] = {0};
  for (int64_t i = 0; i < P; i++)
    for (int k = 0; k < D; k++) sum[k] += set.data[i * D + k];
  for (int k = 0; k < D; k++) mean[k] = (double)(sum[k] / P);
  for (int64_t i = 0; i < P; i++)
    for (int k = 0; k < D * D; k++)
      square[k] += (set.data[i * D + k / D] - sum[k / D] / P) * (set.data[i * D + k % D] - sum[k % D] / P);
  for (int k = 0; k < D * D; k++) covariance[k] = (double)(square[k] / P);
  mms_error error = mms_error_none();
  expect_ok(mms_moment_defect(&set, mean, covariance, &first, &second, &error), &error);
  expect_near(first, 0, 1e-15);
  expect_near(second, 0, 1e-14);
  double largest = fmax(covariance[0], covariance[3]);
  mean[1] += 1e-12 * sqrt(largest);
  covariance[1] += 1e-12 * largest; /* what must be told from zero */
  covariance[2] += 1e-12 * largest;
  expect_ok(mms_moment_defect(&set, mean, covariance, &first, &second, &error), &error);
  expect_near(first, 1e-12, 1e-15);
  expect_near(second, 1e-12, 3e-14);
  mms_matrix_free(&set);
}

static void offsets_do_not_spoil_the_moments(void **state) {
  (void)state;
  double x[8] = {1e6 + 1, -3, 1e6 - 1, -3, 1e6, -1, 1e6, -5}, mean[2] = {1e6, -3}, first = 1, second = 1;
  double covariance[4] = {0.5, 0, 0, 2};
  mms_matrix set = {4, 2, x};
  mms_error error = mms_error_none();
  expect_ok(mms_moment_defect(&set, mean, covariance, &first, &second, &error), &error);
  assert_true(first == 0 && second == 0);
  mean[1] = -1; /* √2 of the larger standard deviation away; the covariance is about the set's own mean */
  expect_ok(mms_moment_defect(&set, mean, covariance, &first, &second, &error), &error);
  expect_near(first, sqrt(2), 1e-15);
  expect_near(second, 0, 1e-15);
  const double flat[4] = {0};
  expect_refused(mms_moment_defect(&set, mean, flat, &first, &second, &error), MMS_ERR_INPUT, &error, "zero");
  x[3] = NAN;
  expect_refused(mms_moment_defect(&set, mean, covariance, &first, &second, &error), MMS_ERR_INPUT, &error, "row 1");
  mms_matrix none = {0, 2, x};
  expect_refused(mms_moment_defect(&none, mean, covariance, &first, &second, &error), MMS_ERR_INPUT, &error,
                 "0 points");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(same_points_are_at_distance_zero),
      cmocka_unit_test(a_shift_in_one_dimension_is_the_distance),
      cmocka_unit_test(a_shift_in_the_plane_is_averaged_over_directions),
      cmocka_unit_test(scaled_quantiles_in_one_dimension),
      cmocka_unit_test(unequal_sizes_match_the_brute_quantile_integral),
      cmocka_unit_test(signs_zeros_and_large_values_are_sorted),
      cmocka_unit_test(impossible_sliced_distances_are_refused),
      cmocka_unit_test(two_points_by_hand),
      cmocka_unit_test(blocks_match_the_plain_double_sum),
      cmocka_unit_test(same_law_gives_zero_on_average),
      cmocka_unit_test(subsets_know_their_error),
      cmocka_unit_test(impossible_kernel_distances_are_refused),
      cmocka_unit_test(tiny_defects_are_seen_at_many_points),
      cmocka_unit_test(offsets_do_not_spoil_the_moments),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
