/* Observables by hand, under a normal law, and at scales where fourth powers would overflow. */
#include "support.h"

#include "mmsold/ensemble/observables.h"
#include "mmsold/random/random.h"

#include <math.h>
#include <stdlib.h>

static double mean_of(const mms_observer *observer, mms_observable_kind which, int64_t rows, const double *z) {
  return mms_observer_unit(observer, which) * mms_observer_sum(observer, which, rows, z) / (double)rows;
}

static void test_by_hand(void **state) {
  (void)state;
  const double mean[] = {1, 2}, covariance[] = {4, 0, 0, 9}, z[] = {3, 2, 1, 5}; /* c = (2, 0), (0, 3) */
  mms_observer observer;
  mms_error error = mms_error_none();
  expect_ok(mms_observer_create(&observer, 2, mean, covariance, &error), &error);
  assert_true(mean_of(&observer, MMS_OBSERVABLE_RADIUS_SQUARED, 2, z) == 6.5);
  assert_true(mean_of(&observer, MMS_OBSERVABLE_RADIUS_FOURTH, 2, z) == 48.5);
  assert_true(mean_of(&observer, MMS_OBSERVABLE_COORDINATE_FOURTH, 2, z) == 24.25);
  assert_true(fabs(mean_of(&observer, MMS_OBSERVABLE_KURTOSIS, 2, z) - 1.0) < 1e-14);
  mms_observer_free(&observer);
}

/* 40,000 draws of N(μ, Σ) with Σ not diagonal against the closed forms, within 4 standard errors. */
static void test_normal_law(void **state) {
  (void)state;
  enum { DRAWS = 40000 };
  const double mean[] = {-3, 1e3}, root[] = {2, 0, 1.5, 0.5}, covariance[] = {4, 3, 3, 2.5};
  double *z = malloc(2 * DRAWS * sizeof *z);
  assert_non_null(z);
  mms_random_normals_items((mms_random_key){.seed = 3, .stream = MMS_STREAM_TEST}, DRAWS, 2, z);
  for (int i = 0; i < DRAWS; i++) {
    const double a = z[2 * i], b = z[2 * i + 1];
    z[2 * i] = mean[0] + root[0] * a;
    z[2 * i + 1] = mean[1] + root[2] * a + root[3] * b;
  }
  mms_observer observer;
  mms_error error = mms_error_none();
  expect_ok(mms_observer_create(&observer, 2, mean, covariance, &error), &error);
  for (int which = 0; which < MMS_OBSERVABLE_COUNT; which++) {
    double squares = 0.0;
    const double value = mean_of(&observer, (mms_observable_kind)which, DRAWS, z);
    for (int i = 0; i < DRAWS; i++) {
      const double one = mean_of(&observer, (mms_observable_kind)which, 1, z + 2 * i) - value;
      squares += one * one;
    }
    const double wrong = fabs(value - mms_observable_normal((mms_observable_kind)which, 2, covariance));
    assert_true(wrong < 4.0 * sqrt(squares) / DRAWS);
  }
  mms_observer_free(&observer);
  free(z);
}

static void test_scales_and_refusals(void **state) {
  (void)state;
  const double mean[] = {0}, huge[] = {1e250}, z[] = {1e125, -1e125}, singular[] = {1, 1, 1, 1}, origin[] = {0, 0};
  mms_observer observer;
  mms_error error = mms_error_none();
  expect_ok(mms_observer_create(&observer, 1, mean, huge, &error), &error);
  const double sum = mms_observer_sum(&observer, MMS_OBSERVABLE_RADIUS_FOURTH, 2, z);
  assert_true(sum > 1e-3 && sum < 1e3); /* of order one a particle, whatever the data's unit */
  assert_true(fabs(mean_of(&observer, MMS_OBSERVABLE_KURTOSIS, 2, z) - 1.0) < 1e-12);
  mms_observer_free(&observer);
  expect_refused(mms_observer_create(&observer, 2, origin, singular, &error), MMS_ERR_NUMERIC, &error, "");
  for (int which = 0; which < MMS_OBSERVABLE_COUNT; which++) {
    assert_non_null(mms_observable_name((mms_observable_kind)which));
    assert_non_null(mms_observable_meaning((mms_observable_kind)which));
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_by_hand),
      cmocka_unit_test(test_normal_law),
      cmocka_unit_test(test_scales_and_refusals),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
