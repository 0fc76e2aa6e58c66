/* Known mixtures: draws have the modes they are said to have (truth q's ground), counting and the chi-square test are
 * right against closed forms, and both fire. */
#include "support.h"

#include "mmsold/base/memory.h"
#include "mmsold/study/modes.h"
#include "mmsold/training/training.h"
#include <stdlib.h>

static void gamma_matches_closed_forms(void **state) {
  (void)state;
  for (int i = 0; i <= 60; i++) {
    double x = 0.5 * i, series = 0, term = 1;
    expect_near(mms_gamma_above(0.5, x), erfc(sqrt(x)), 1e-13);
    for (int k = 0; k < 12; k++) { /* Q(12, x) = e^-x (1 + x + … + x^11/11!) */
      series += term;
      term *= x / (k + 1);
    }
    expect_near(mms_gamma_above(12, x), exp(-x) * series, 1e-13);
  }
  assert_true(mms_gamma_above(3, 0) == 1);
  assert_true(mms_gamma_above(3, INFINITY) == 0);
  expect_near(mms_gamma_above(1, 700) / exp(-700), 1, 1e-10); /* relative, far out */
}

static void sources_have_their_modes(void **state) {
  (void)state;
  enum { N = 20000 };
  const char *names[] = {"gaussians", "grid", "clusters"};
  const int64_t expected[] = {8, 25, 2};
  for (int s = 0; s < 3; s++) {
    const mms_training_options options = {.source = names[s], .count = N, .seed = 11, .label = -1};
    mms_error error = mms_error_none();
    mms_points points;
    mms_modes modes;
    mms_mode_counts counts;
    mms_chi_square test;
    expect_ok(mms_points_select(&points, &options, &error), &error);
    assert_true(mms_modes_of(&modes, names[s]));
    assert_int_equal(modes.count, expected[s]);
    expect_ok(mms_modes_count(&counts, &points.values, &modes, &error), &error);
    assert_int_equal(counts.occupied, expected[s]);
    double far = exp(-4.5), spread = 0;
    if (s > 0) /* the ring's modes overlap a little: points there lie nearer to another mode */
      expect_near((double)counts.outside / N, far, 5 * sqrt(far / N));
    expect_ok(mms_chi_square_test(&test, modes.count, counts.count, modes.weight, 0, &error), &error);
    assert_int_equal(test.freedom, expected[s] - 1);
    assert_true(test.p > 1e-4 && !test.simulated);
    for (int64_t i = 0; i < N && s == 2; i++) { /* the narrow cluster has its own width */
      const double *x = points.values.data + 2 * i;
      if (x[0] > 1.2) spread += (x[0] - 2.5) * (x[0] - 2.5) / (double)counts.count[1];
    }
    if (s == 2) expect_near(spread, 0.0625, 5 * 0.0625 * sqrt(2.0 / (0.2 * N)));
    mms_points_free(&points);
  }
  mms_modes none;
  assert_false(mms_modes_of(&none, "checkerboard"));
}

static void a_lost_or_starved_mode_is_noticed(void **state) {
  (void)state;
  mms_error error = mms_error_none();
  mms_chi_square test;
  const double share[4] = {0.25, 0.25, 0.25, 0.25};
  const int64_t even[4] = {250, 250, 250, 250}, starved[4] = {300, 300, 300, 100}, lost[4] = {333, 333, 334, 0};
  expect_ok(mms_chi_square_test(&test, 4, even, share, 0, &error), &error);
  assert_true(test.statistic == 0 && test.p == 1);
  expect_ok(mms_chi_square_test(&test, 4, starved, share, 0, &error), &error);
  expect_near(test.statistic, 3 * 10 + 90, 1e-9);
  assert_true(test.p < 1e-20 && !test.simulated);
  expect_ok(mms_chi_square_test(&test, 4, lost, share, 0, &error), &error);
  assert_true(test.p < 1e-20);
  const double none_there[4] = {0.5, 0.5, 0, 0};
  const int64_t there[4] = {5, 5, 1, 0}, not_there[4] = {5, 5, 0, 0};
  expect_ok(mms_chi_square_test(&test, 4, there, none_there, 0, &error), &error);
  assert_true(isinf(test.statistic) && test.p == 0);
  expect_ok(mms_chi_square_test(&test, 4, not_there, none_there, 0, &error), &error);
  assert_true(test.statistic == 0 && test.freedom == 1 && test.p == 1);
  const int64_t nobody[4] = {0};
  expect_refused(mms_chi_square_test(&test, 4, nobody, share, 0, &error), MMS_ERR_INPUT, &error,
                 "nothing to be tested");
  expect_refused(mms_chi_square_test(&test, 3, even, share, 0, &error), MMS_ERR_INPUT, &error, "0.75");
}

/* Small counts: two cells of four points are a binomial, whose tail is known. */
static void small_counts_are_simulated(void **state) {
  (void)state;
  mms_error error = mms_error_none();
  mms_chi_square test;
  const double share[2] = {0.5, 0.5};
  const int64_t one_sided[2] = {6, 0};
  expect_ok(mms_chi_square_test(&test, 2, one_sided, share, 3, &error), &error);
  assert_true(test.simulated);
  expect_near(test.p, 2.0 / 64, 5 * sqrt(2.0 / 64 / 10000)); /* all six in either cell */
}

static void points_in_space_are_refused(void **state) {
  (void)state;
  mms_error error = mms_error_none();
  mms_modes modes;
  mms_mode_counts counts;
  mms_matrix points = {.rows = 1, .cols = 3, .data = (double[]){0, 0, 0}};
  assert_true(mms_modes_of(&modes, "grid"));
  expect_refused(mms_modes_count(&counts, &points, &modes, &error), MMS_ERR_INPUT, &error, "3 columns");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(gamma_matches_closed_forms),        cmocka_unit_test(sources_have_their_modes),
      cmocka_unit_test(a_lost_or_starved_mode_is_noticed), cmocka_unit_test(small_counts_are_simulated),
      cmocka_unit_test(points_in_space_are_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
