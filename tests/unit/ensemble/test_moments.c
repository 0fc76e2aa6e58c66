/* The sums of a step without the constraint: against plain loops, and what they refuse. */
#include "support.h"

#include "mmsold/ensemble/moments.h"
#include "mmsold/random/random.h"
#include <stdlib.h>

enum { N = 40, P = 100, MOST_D = 20 };
static double points[N * MOST_D], y[P * MOST_D], w[P * MOST_D];

static mms_target target_of(int64_t d, mms_factor kind) {
  for (int64_t i = 0; i < N * d; i++) points[i] = 5.0 + sin(1.7 * (double)i) * (double)(1 + i % d);
  mms_training training = {.count = N, .dim = d, .points = points};
  mms_target target;
  mms_error error = mms_error_none();
  expect_ok(mms_target_create(&target, NULL, &training, 0.3, kind, &error), &error);
  mms_random_normals((mms_random_key){.seed = 3, .stream = MMS_STREAM_TEST}, 0, P * d, y);
  mms_random_normals((mms_random_key){.seed = 4, .stream = MMS_STREAM_TEST}, 0, P * d, w);
  return target;
}

/* max |1ᵀY|/P and max |YᵀY/P − wanted|, in units of wanted's largest. */
static void by_hand(int64_t d, const double *wanted, double scale, double *mean, double *covariance) {
  double spread = 0.0;
  *mean = *covariance = 0.0;
  for (int64_t i = 0; i < d; i++) spread = fmax(spread, wanted[i * d + i]);
  for (int64_t i = 0; i < d; i++) {
    double sum = 0.0;
    for (int64_t p = 0; p < P; p++) sum += y[p * d + i] / P;
    *mean = fmax(*mean, scale * fabs(sum) / sqrt(spread));
    for (int64_t j = 0; j < d; j++) {
      double second = 0.0;
      for (int64_t p = 0; p < P; p++) second += y[p * d + i] * y[p * d + j] / P;
      *covariance = fmax(*covariance, fabs(scale * scale * second - wanted[i * d + j]) / spread);
    }
  }
}

static void sums_are_those_of_plain_loops(void **state) {
  (void)state;
  mms_error error = mms_error_none();
  for (int c = 0; c < 4; c++) {
    int64_t d = c % 2 == 0 ? 2 : MOST_D;
    bool scalar = c >= 2;
    mms_target target = target_of(d, scalar ? MMS_FACTOR_SCALAR : MMS_FACTOR_CHOLESKY);
    double identity[MOST_D * MOST_D] = {0}, mean, covariance, found_mean, found_covariance, squares = 0.0;
    for (int64_t k = 0; k < d; k++) identity[k * d + k] = 1.0;
    if (scalar) { /* the power of two next above √λmax(Σ*) */
      double s = target.factor.data[0], root = sqrt(target.eigenvalues.data[0]);
      int exponent;
      assert_true(frexp(s, &exponent) == 0.5 && s >= root && s <= 2.0 * root && target.inverse.data[0] == 1.0 / s);
    }
    by_hand(d, scalar ? target.covariance.data : identity, scalar ? target.factor.data[0] : 1.0, &mean, &covariance);
    mms_moments *moments = NULL;
    mms_blocks blocks = mms_blocks_make(P, 16, 0, 1);
    expect_ok(mms_moments_create(&moments, &blocks, &target, &error), &error);
    expect_ok(mms_moments_measure(moments, NULL, y, &found_mean, &found_covariance, &error), &error);
    expect_near(found_mean, mean, 1e-14);
    expect_near(found_covariance, covariance, 1e-13);
    mms_moments_begin(moments);
    assert_int_equal(mms_moments_add(moments, y, w), -1);
    for (int b = 0; b < 7; b++) mms_moments_add_potential(moments, 1e9 * b);
    for (int b = 0; b < 7; b++) mms_moments_add_speed(moments, 0.25 * b);
    mms_moments_count(moments, MMS_COUNT_STOP, 3);
    expect_ok(mms_moments_reduce(moments, NULL, &error), &error);
    mms_moments_report report = mms_moments_read_report(moments);
    for (int64_t i = 0; i < P * d; i++) squares += w[i] * w[i] / (double)(P * d);
    expect_near(report.mean_defect, mean, 1e-14);
    expect_near(report.covariance_defect, covariance, 1e-13);
    expect_near(report.drift, sqrt(squares), 1e-13);
    expect_near(report.potential, 21e9, 1e-9);
    expect_near(report.speed, 5.25 / (double)(P * d), 1e-15);
    assert_int_equal(mms_moments_counter(moments, MMS_COUNT_STOP), 3);
    assert_true(mms_moments_bytes(moments) > 0);
    mms_moments_free(&moments);
    mms_target_free(&target);
  }
}

static void what_cannot_be_summed_is_refused(void **state) {
  (void)state;
  mms_error error = mms_error_none();
  mms_target target = target_of(2, MMS_FACTOR_CHOLESKY);
  mms_moments *moments = NULL;
  mms_blocks blocks = mms_blocks_make(P, 16, 0, 1);
  expect_ok(mms_moments_create(&moments, &blocks, &target, &error), &error);
  for (int c = 0; c < 3; c++) {
    double *bad = c == 0 ? &y[2 * 50] : &w[2 * 70 + 1], kept = *bad;
    *bad = c == 1 ? 1.2e7 : (double)NAN; /* the square is 2^47 and more */
    mms_moments_begin(moments);
    assert_int_equal(mms_moments_add(moments, y, w), c == 0 ? 3 : 4);
    expect_refused(mms_moments_reduce(moments, NULL, &error), MMS_ERR_NUMERIC, &error, "1 block(s)");
    *bad = kept;
  }
  mms_moments_begin(moments);
  assert_int_equal(mms_moments_add(moments, y, w), -1);
  mms_moments_add_speed(moments, INFINITY);
  expect_refused(mms_moments_reduce(moments, NULL, &error), MMS_ERR_NUMERIC, &error, "1 block(s)");
  mms_moments_begin(moments);
  mms_moments_count(moments, MMS_COUNT_FAILED, 2);
  expect_refused(mms_moments_reduce(moments, NULL, &error), MMS_ERR_NUMERIC, &error, "2 rank(s) could not");
  mms_moments_begin(moments); /* a potential that is not finite is no reason to stop */
  assert_int_equal(mms_moments_add(moments, y, w), -1);
  mms_moments_add_potential(moments, INFINITY);
  expect_ok(mms_moments_reduce(moments, NULL, &error), &error);
  assert_true(isnan(mms_moments_read_report(moments).potential));
  mms_moments_free(&moments);
  assert_null(moments);
  mms_moments_free(&moments);
  mms_target_free(&target);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(sums_are_those_of_plain_loops),
      cmocka_unit_test(what_cannot_be_summed_is_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
