/* V from shared draws: the oracle's numbers draw for draw, near and far, up to the widest range of exponents that
 * products are allowed; and standard errors that are true. */
#include "support.h"

#include "mmsold/field/potential.h"
#include "mmsold/random/random.h"
#include <stdlib.h>

enum { MOST_N = 1100, MOST_D = 5, ROWS = 70 };
static double x[MOST_N * MOST_D], z[ROWS * MOST_D];
static double values[ROWS * MMS_POTENTIAL_GROUPS], gradients[ROWS * MMS_POTENTIAL_GROUPS * MOST_D];

/* Points of a cloud, and rows in it, beside it and far outside. */
static mms_training cloud(int64_t n, int64_t d) {
  const mms_random_key key = {.seed = 5, .stream = MMS_STREAM_TEST, .item = (uint64_t)n};
  mms_random_normals(key, 0, n * d, x);
  mms_random_normals(key, n * d, ROWS * d, z);
  for (int64_t i = 0; i < ROWS * d; i++) z[i] *= i / d < ROWS / 2 ? 1.0 : i / d < ROWS - 5 ? 4.0 : 1000.0;
  return (mms_training){.count = n, .dim = d, .points = x};
}

static mms_potential *make(const mms_training *training, mms_potential_options options) {
  mms_potential *potential = NULL;
  mms_error error = mms_error_none();
  expect_ok(mms_potential_create(&potential, NULL, training, &options, &error), &error);
  expect_ok(mms_potential_evaluate(potential, ROWS, z, values, gradients, &error), &error);
  return potential;
}

/* Against the reference backend on the same draws. Returns the greatest deviation in units of what rounding explains:
 * eps times the logits that go in. */
static double deviation(const mms_training *training, mms_potential *potential, mms_potential_options options) {
  mms_field *field = NULL;
  mms_error error = mms_error_none();
  int64_t d = training->dim, groups = mms_potential_groups(potential);
  double wanted[ROWS], slope[ROWS * MOST_D], whole[ROWS] = {0.0}, mean[ROWS], worst = 0.0,
                                             delta2 = options.bandwidth * options.bandwidth;
  expect_ok(mms_field_create(&field, NULL, training, MMS_BACKEND_REFERENCE, ROWS, options.pairs, &error), &error);
  for (int64_t g = 0; g < groups; g++) {
    mms_queries queries = {.count = ROWS,
                           .points = z,
                           .bandwidth = options.bandwidth,
                           .smoothing = options.smoothing,
                           .pairs = (g + 1) * options.pairs / groups - g * options.pairs / groups,
                           .sharing = MMS_SHARING_ALL,
                           .seed = options.seed,
                           .step = (uint64_t)g + 1};
    expect_ok(mms_field_gradient(field, &queries, slope, wanted, &error), &error);
    for (int64_t p = 0; p < ROWS; p++) {
      double reach = 0.0, extent = 0.0;
      for (int64_t k = 0; k < d; k++) reach += z[p * d + k] * z[p * d + k], extent += 25.0;
      double logits = 1.0 + (reach + extent + 5.0 * options.smoothing * sqrt(extent + reach)) / delta2;
      worst = fmax(worst, fabs(values[p * groups + g] - wanted[p]) / (2.2e-16 * logits));
      whole[p] += wanted[p] * (options.smoothing > 0.0 ? (double)queries.pairs / (double)options.pairs : 1.0);
      for (int64_t k = 0; k < d; k++) {
        double away = fabs(gradients[(p * groups + g) * d + k] - slope[p * d + k]);
        worst = fmax(worst, away * delta2 / (sqrt(reach + extent) * 2.2e-16 * logits));
      }
    }
  }
  mms_potential_average(potential, ROWS, values, mean, NULL);
  for (int64_t p = 0; p < ROWS; p++) expect_near(mean[p], whole[p], 1e-12 * (1.0 + fabs(whole[p])));
  mms_field_free(&field);
  return worst;
}

static void products_are_the_oracles_numbers(void **state) {
  (void)state;
  const int64_t counts[4] = {1, 12, 130, 1024}, dims[3] = {1, 2, 5}, pairs[4] = {1, 7, 40, 300};
  for (int c = 0; c < 4; c++)
    for (int k = 0; k < 3; k++) {
      mms_training training = cloud(counts[c], dims[k]);
      mms_potential_options options = {.bandwidth = 0.4, .smoothing = 0.5, .pairs = pairs[c], .seed = 9};
      if (counts[c] == 1024) options.pairs = 3;
      mms_potential *potential = make(&training, options);
      assert_non_null(strstr(mms_potential_reason(potential), "products"));
      expect_near(deviation(&training, potential, options), 0.0, 8.0);
      mms_potential_free(&potential);
    }
}

/* Just within the range that is proved, and just beyond, where the field takes over; the same numbers both times. */
static void the_range_of_exponents_is_kept(void **state) {
  (void)state;
  mms_training training = cloud(40, 2);
  int by_products = 0, by_field = 0;
  for (int i = 0; i < 12; i++) {
    mms_potential_options options = {.bandwidth = 0.1, .smoothing = 0.4 + 0.06 * i, .pairs = 50, .seed = 9};
    mms_potential *potential = make(&training, options);
    const char *reach = strstr(mms_potential_reason(potential), "reach over ");
    assert_non_null(reach);
    double range = strtod(reach + strlen("reach over "), NULL);
    if (strstr(mms_potential_reason(potential), "products of") != NULL) {
      by_products++;
      assert_true(range <= 890.0);
    } else {
      by_field++;
      assert_true(range >= 890.0);
    }
    expect_near(deviation(&training, potential, options), 0.0, 8.0);
    mms_potential_free(&potential);
  }
  assert_true(by_products >= 3 && by_field >= 3);
  training = cloud(MOST_N, 2);
  mms_potential *potential = make(&training, (mms_potential_options){.bandwidth = 0.4, .smoothing = 0.1, .pairs = 2});
  assert_non_null(strstr(mms_potential_reason(potential), "more than the 1024"));
  mms_potential_free(&potential);
}

/* Two points on a line, and rows where the one far away has lost up to e^1000 before a draw gives it back up to e^890.
 */
static void what_underflows_has_no_weight(void **state) {
  (void)state;
  double range = 0.0;
  x[0] = -1.0, x[1] = 1.0;
  for (int p = 0; p < ROWS; p++) z[p] = 5.0 * (2.0 * p / (ROWS - 1.0) - 1.0);
  const mms_training training = {.count = 2, .dim = 1, .points = x};
  mms_potential_options options = {.bandwidth = 0.1, .smoothing = 0.5, .pairs = 60, .seed = 9};
  for (; options.smoothing < 3.0; options.smoothing += 0.02) {
    mms_potential *potential = make(&training, options);
    const char *reach = strstr(mms_potential_reason(potential), "reach over ");
    if (strstr(mms_potential_reason(potential), "products of") != NULL) range = strtod(reach + 11, NULL);
    expect_near(deviation(&training, potential, options), 0.0, 8.0);
    mms_potential_free(&potential);
  }
  assert_true(range > 870.0);
}

/* σ = 0 or no draws: U itself, one group, no error. */
static void without_smoothing_it_is_exact(void **state) {
  (void)state;
  mms_training training = cloud(12, 2);
  double mean[ROWS], spread[ROWS];
  for (int i = 0; i < 2; i++) {
    mms_potential_options options = {.bandwidth = 0.4, .smoothing = i == 0 ? 0.0 : 0.3, .pairs = i == 0 ? 40 : 0};
    mms_potential *potential = make(&training, options);
    assert_int_equal(mms_potential_groups(potential), 1);
    options.smoothing = 0.0;
    expect_near(deviation(&training, potential, options), 0.0, 8.0);
    mms_potential_average(potential, ROWS, values, mean, spread);
    for (int p = 0; p < ROWS; p++) assert_true(mean[p] == values[p] && spread[p] == 0.0);
    mms_potential_free(&potential);
  }
  mms_potential *single = make(&training, (mms_potential_options){.bandwidth = 0.4, .smoothing = 0.3, .pairs = 1});
  mms_potential_average(single, ROWS, values, mean, spread);
  for (int p = 0; p < ROWS; p++) assert_true(isfinite(mean[p]) && isnan(spread[p]));
  mms_potential_free(&single);
}

/* E U(z + σε) in one dimension by the trapezoidal rule, from the definition of U. */
static double smoothed(const mms_training *training, double at, double delta, double sigma) {
  double sum = 0.0, weight = 0.0;
  for (int i = -400; i <= 400; i++) {
    double e = 0.02 * i, mass = 0.0, w = exp(-0.5 * e * e);
    for (int64_t j = 0; j < training->count; j++) {
      double away = (at + sigma * e - training->points[j]) / delta;
      mass += exp(-0.5 * away * away) / (double)training->count;
    }
    sum -= w * log(mass);
    weight += w;
  }
  return sum / weight;
}

/* Averages less quadrature, over their standard errors: of mean square 1 over many seeds. */
static void standard_errors_are_true(void **state) {
  (void)state;
  mms_training training = cloud(9, 1);
  double total = 0.0, mean[ROWS], spread[ROWS];
  const int seeds = 60, rows[3] = {3, 10, 20};
  for (int r = 0; r < 3; r++) {
    double wanted = smoothed(&training, z[rows[r]], 0.3, 0.4);
    for (int seed = 0; seed < seeds; seed++) {
      mms_potential_options options = {.bandwidth = 0.3, .smoothing = 0.4, .pairs = 1000, .seed = (uint64_t)seed};
      mms_potential *potential = NULL;
      mms_error error = mms_error_none();
      expect_ok(mms_potential_create(&potential, NULL, &training, &options, &error), &error);
      expect_ok(mms_potential_evaluate(potential, 1, z + rows[r], values, NULL, &error), &error);
      mms_potential_average(potential, 1, values, mean, spread);
      total += (mean[0] - wanted) * (mean[0] - wanted) / (spread[0] * spread[0]) / (3.0 * seeds);
      mms_potential_free(&potential);
    }
  }
  expect_near(total, 1.0, 5.0 * sqrt(2.2 / (3.0 * seeds))); /* 2.2: the kurtosis of a t with 31 degrees of freedom */
}

static void wrong_requests_are_refused(void **state) {
  (void)state;
  mms_training training = cloud(12, 2);
  mms_potential *potential = NULL;
  mms_error error = mms_error_none();
  mms_potential_options options = {.bandwidth = 0.0, .smoothing = 0.1, .pairs = 2};
  expect_refused(mms_potential_create(&potential, NULL, &training, &options, &error), MMS_ERR_INPUT, &error,
                 "bandwidth 0");
  options = (mms_potential_options){.bandwidth = 0.1, .smoothing = -0.1, .pairs = 2};
  expect_refused(mms_potential_create(&potential, NULL, &training, &options, &error), MMS_ERR_INPUT, &error,
                 "smoothing -0.1");
  options.smoothing = 0.1;
  expect_ok(mms_potential_create(&potential, NULL, &training, &options, &error), &error);
  z[3] = NAN;
  expect_refused(mms_potential_evaluate(potential, ROWS, z, values, NULL, &error), MMS_ERR_NUMERIC, &error,
                 "coordinate 1 of point 1");
  z[3] = 1e200;
  expect_refused(mms_potential_evaluate(potential, ROWS, z, values, NULL, &error), MMS_ERR_NUMERIC, &error, "too far");
  mms_potential_free(&potential);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(products_are_the_oracles_numbers), cmocka_unit_test(the_range_of_exponents_is_kept),
      cmocka_unit_test(what_underflows_has_no_weight),    cmocka_unit_test(without_smoothing_it_is_exact),
      cmocka_unit_test(standard_errors_are_true),         cmocka_unit_test(wrong_requests_are_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
