/* Quantiles, means and fits against numbers from tables, from closed forms, and from data whose answer is known. */
#include "support.h"

#include "mmsold/random/random.h"
#include "mmsold/study/statistics.h"

#include <math.h>

/* Abramowitz and Stegun, table 26.10; one degree of freedom is Cauchy's tan, two has a closed form. */
static void test_student(void **state) {
  (void)state;
  const struct {
    double p, freedom, t;
  } cases[] = {{0.975, 1, 12.706204736}, {0.975, 2, 4.302652730},  {0.975, 3, 3.182446305}, {0.975, 7, 2.364624252},
               {0.95, 10, 1.812461123},  {0.995, 30, 2.749995654}, {0.975, 1e6, 1.959966},  {0.5, 4, 0.0}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    const double t = mms_student_quantile(cases[i].p, cases[i].freedom);
    assert_true(fabs(t - cases[i].t) < 1e-6 * (1.0 + cases[i].t));
    assert_true(fabs(mms_student_quantile(1.0 - cases[i].p, cases[i].freedom) + t) < 1e-9 * (1.0 + t));
  }
  assert_true(fabs(mms_student_quantile(0.9, 1) - tan(0.4 * acos(-1.0))) < 1e-9);
}

static void test_mean(void **state) {
  (void)state;
  const double values[] = {1, 2, 3, 4, 5};
  const mms_mean all = mms_mean_of(values, 5), one = mms_mean_of(values, 1), none = mms_mean_of(values, 0);
  assert_true(all.mean == 3.0 && fabs(all.deviation - sqrt(2.5)) < 1e-15);
  assert_true(fabs(all.stderr_mean - sqrt(0.5)) < 1e-15);
  assert_true(fabs(all.half_width - 2.776445105 * sqrt(0.5)) < 1e-8);
  assert_true(one.mean == 1.0 && isnan(one.stderr_mean) && isnan(one.half_width));
  assert_true(isnan(none.mean));
}

/* Exact points: the line is found, its interval is that of the errors as given (1.96 σ/√Σw(x − x̄)²). */
static void test_exact_line(void **state) {
  (void)state;
  const double x[] = {0, 1, 2, 3}, y[] = {1, 3, 5, 7}, error[] = {0.1, 0.1, 0.1, 0.1};
  const mms_line line = mms_line_fit(x, y, error, 4);
  assert_true(line.has && line.used == 4);
  assert_true(fabs(line.slope - 2.0) < 1e-12 && fabs(line.constant - 1.0) < 1e-12 && line.chi_square < 1e-20);
  assert_true(fabs(line.half_width - 1.959963985 * 0.1 / sqrt(5.0)) < 1e-9);
  /* a point with a huge error changes nothing, one with a small error all */
  const double bent[] = {1, 3, 5, 100}, weak[] = {0.1, 0.1, 0.1, 1e6}, strong[] = {1e6, 0.1, 0.1, 0.1};
  assert_true(fabs(mms_line_fit(x, bent, weak, 4).slope - 2.0) < 1e-9);
  assert_true(mms_line_fit(x, bent, strong, 4).slope > 10.0);
}

/* Points that scatter more than they say get wider intervals: by √(χ²/2) and Student's t with 2 degrees. */
static void test_scatter_widens(void **state) {
  (void)state;
  const double x[] = {0, 1, 2, 3}, y[] = {1.5, 2.5, 4.5, 7.5}, error[] = {0.1, 0.1, 0.1, 0.1};
  const mms_line line = mms_line_fit(x, y, error, 4);
  assert_true(line.chi_square > 90.0);
  assert_true(fabs(line.half_width - 4.302652730 * sqrt(line.chi_square / 2.0) * 0.1 / sqrt(5.0)) < 1e-7);
}

/* y = 3 x^{-1/2} (1 + 5 % noise), 400 times: the 95 % interval holds the truth about 95 times in 100 (± 3.3 of standard
 * error), and the fit has no bias. */
static void test_power_covers(void **state) {
  (void)state;
  double x[6], y[6], error[6], sum = 0.0;
  int inside = 0;
  for (uint64_t trial = 0; trial < 400; trial++) {
    double noise[6];
    mms_random_normals((mms_random_key){.seed = 7, .stream = MMS_STREAM_TEST, .item = trial}, 0, 6, noise);
    for (int i = 0; i < 6; i++) {
      x[i] = 100.0 * pow(2.0, i);
      error[i] = 0.05 * 3.0 / sqrt(x[i]);
      y[i] = 3.0 / sqrt(x[i]) + error[i] * noise[i];
    }
    const mms_line line = mms_power_fit(x, y, error, 6, 2.0);
    assert_true(line.has && line.used == 6);
    sum += line.slope;
    inside += fabs(line.slope + 0.5) <= line.half_width;
  }
  assert_true(fabs(sum / 400.0 + 0.5) < 0.005);
  assert_true(inside >= 366 && inside <= 400); /* 380 expected; Birge's ratio only ever widens */
}

/* What says nothing about a power is left out: negative values, and what is not resolved from 0. */
static void test_unresolved_is_left_out(void **state) {
  (void)state;
  const double x[] = {1, 2, 4, 8, 16}, y[] = {1, 0.5, 0.25, -0.1, 0.001}, error[] = {0.01, 0.01, 0.01, 0.01, 0.01};
  const mms_line line = mms_power_fit(x, y, error, 5, 2.0);
  assert_true(line.has && line.used == 3 && fabs(line.slope + 1.0) < 1e-12);
  assert_false(mms_power_fit(x, y, error, 1, 2.0).has);
  const double same[] = {2, 2, 2};
  assert_false(mms_power_fit(same, y, error, 3, 2.0).has);
  const double unknown[] = {0, NAN, INFINITY};
  assert_false(mms_power_fit(x, y, unknown, 3, 2.0).has);
}

static void test_polynomial(void **state) {
  (void)state;
  double x[5], y[5], error[5], c[4], half[4];
  for (int i = 0; i < 5; i++) {
    x[i] = 0.01 * (i + 1);
    y[i] = 2.0 - 3.0 * x[i] + 40.0 * x[i] * x[i];
    error[i] = 1e-3;
  }
  assert_true(mms_polynomial_fit(x, y, error, 5, 2, c, half));
  assert_true(fabs(c[0] - 2.0) < 1e-9 && fabs(c[1] + 3.0) < 1e-6 && fabs(c[2] - 40.0) < 1e-4);
  /* the weights of equally spaced points: var c0 = 4.6 σ² at 5 points extrapolated by one spacing */
  assert_true(fabs(half[0] - 1.959963985 * 1e-3 * sqrt(4.6)) < 1e-7);
  assert_true(mms_polynomial_fit(x, y, error, 3, 2, c, half));
  assert_false(mms_polynomial_fit(x, y, error, 2, 2, c, half));
  const double same[] = {1, 1, 1, 1};
  assert_false(mms_polynomial_fit(same, y, error, 4, 1, c, half));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_student),      cmocka_unit_test(test_mean),
      cmocka_unit_test(test_exact_line),   cmocka_unit_test(test_scatter_widens),
      cmocka_unit_test(test_power_covers), cmocka_unit_test(test_unresolved_is_left_out),
      cmocka_unit_test(test_polynomial),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
