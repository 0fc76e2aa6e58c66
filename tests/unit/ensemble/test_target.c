/* Target moments, the coordinates they define, and the pullback of a gradient (truth j). */
#include "support.h"

#include "mmsold/ensemble/target.h"
#include "mmsold/random/random.h"
#include <stdlib.h>

enum { N = 40, D = 3 };

/* Correlated rows far from the origin, so that L is far from diagonal. */
static mms_training skewed(double *points) {
  for (int i = 0; i < N; i++) {
    double u[D];
    mms_random_normals((mms_random_key){.seed = 5, .stream = MMS_STREAM_TEST, .item = (uint64_t)i}, 0, D, u);
    points[i * D + 0] = 100.0 + u[0];
    points[i * D + 1] = 2.0 * u[0] + 0.5 * u[1];
    points[i * D + 2] = -u[0] + u[1] + 0.3 * u[2];
  }
  return (mms_training){.count = N, .dim = D, .points = points};
}

static void moments_are_those_of_the_mixture(void **state) {
  (void)state;
  double points[N * D];
  mms_training training = skewed(points);
  mms_error error = mms_error_none();
  for (int kind = 0; kind < 2; kind++) {
    mms_target target;
    expect_ok(mms_target_create(&target, NULL, &training, 0.2, (mms_factor)kind, &error), &error);
    for (int a = 0; a < D; a++) {
      long double mean = 0.0L;
      for (int i = 0; i < N; i++) mean += (long double)points[i * D + a] / N;
      expect_near(target.mean.data[a], (double)mean, 1e-14 * 100.0);
      for (int b = 0; b < D; b++) {
        long double sum = a == b ? 0.04L : 0.0L, mean_b = 0.0L;
        for (int i = 0; i < N; i++) mean_b += (long double)points[i * D + b] / N;
        for (int i = 0; i < N; i++)
          sum += ((long double)points[i * D + a] - mean) * ((long double)points[i * D + b] - mean_b) / N;
        expect_near(target.covariance.data[a * D + b], (double)sum, 1e-13);
        double product = 0.0, identity = 0.0;
        for (int k = 0; k < D; k++) {
          product += target.factor.data[a * D + k] * target.factor.data[b * D + k];
          identity += target.factor.data[a * D + k] * target.inverse.data[k * D + b];
        }
        expect_near(product, (double)sum, 1e-13);
        expect_near(identity, a == b, 1e-12);
        if (kind == MMS_FACTOR_CHOLESKY && b > a) expect_near(target.factor.data[a * D + b], 0.0, 0.0);
      }
    }
    double trace = 0.0, eigenvalues = 0.0;
    for (int a = 0; a < D; a++) {
      trace += target.covariance.data[a * D + a];
      eigenvalues += target.eigenvalues.data[a];
      if (a > 0) assert_true(target.eigenvalues.data[a] <= target.eigenvalues.data[a - 1]);
    }
    expect_near(eigenvalues, trace, 1e-12);
    expect_near(target.step_bound, 2.0 * 0.04 / target.eigenvalues.data[0], 1e-15);
    mms_target_free(&target);
  }
}

static void coordinates_go_there_and_back(void **state) {
  (void)state;
  enum { ROWS = 37 };
  double points[N * D], y[ROWS * D], z[ROWS * D], back[ROWS * D];
  mms_training training = skewed(points);
  mms_error error = mms_error_none();
  for (int kind = 0; kind < 2; kind++) {
    mms_target target;
    expect_ok(mms_target_create(&target, NULL, &training, 0.2, (mms_factor)kind, &error), &error);
    mms_random_normals((mms_random_key){.seed = 6, .stream = MMS_STREAM_TEST}, 0, ROWS * D, y);
    mms_target_positions(&target, ROWS, y, z);
    for (int i = 0; i < ROWS; i++)
      for (int a = 0; a < D; a++) { /* z = μ* + L y, entry by entry */
        double wanted = target.mean.data[a];
        for (int k = 0; k < D; k++) wanted += target.factor.data[a * D + k] * y[i * D + k];
        expect_near(z[i * D + a], wanted, 1e-12);
      }
    mms_target_coordinates(&target, ROWS, z, back);
    mms_target_coordinates(&target, ROWS, z, z); /* in place */
    for (int i = 0; i < ROWS * D; i++) {
      expect_near(back[i], y[i], 1e-11);
      expect_near(z[i], back[i], 0.0);
    }
    mms_target_free(&target);
  }
}

/* Tiles are counted from the first row, so that a call's length does not reach a full tile's bits. */
static void rows_do_not_depend_on_later_rows(void **state) {
  (void)state;
  enum { WIDE = 20, ROWS = 2 * MMS_TARGET_TILE + 88 };
  static double points[60 * WIDE], y[ROWS * WIDE], all[ROWS * WIDE], some[ROWS * WIDE];
  mms_random_normals((mms_random_key){.seed = 8, .stream = MMS_STREAM_TEST}, 0, 60 * WIDE, points);
  mms_random_normals((mms_random_key){.seed = 9, .stream = MMS_STREAM_TEST}, 0, ROWS * WIDE, y);
  mms_training training = {.count = 60, .dim = WIDE, .points = points};
  mms_error error = mms_error_none();
  mms_target target;
  expect_ok(mms_target_create(&target, NULL, &training, 0.2, MMS_FACTOR_CHOLESKY, &error), &error);
  mms_target_positions(&target, ROWS, y, all);
  for (int first = 0; first < ROWS; first += MMS_TARGET_TILE)
    mms_target_positions(&target, ROWS - first < MMS_TARGET_TILE ? ROWS - first : MMS_TARGET_TILE, y + first * WIDE,
                         some + first * WIDE);
  assert_memory_equal(all, some, sizeof all);
  mms_target_free(&target);
}

/* U of ALGORITHMS 1, written out. */
static double potential(const mms_training *training, double bandwidth, const double *z) {
  double sum = 0.0;
  for (int64_t i = 0; i < training->count; i++) {
    double square = 0.0;
    for (int k = 0; k < D; k++) square += (z[k] - training->points[i * D + k]) * (z[k] - training->points[i * D + k]);
    sum += exp(-square / (2.0 * bandwidth * bandwidth));
  }
  return -log(sum / (double)training->count);
}

static double total(const mms_training *training, const mms_target *target, int64_t rows, const double *y) {
  double z[5 * D], sum = 0.0;
  mms_target_positions(target, rows, y, z);
  for (int64_t p = 0; p < rows; p++) sum += potential(training, target->bandwidth, z + p * D);
  return sum;
}

/* Truth j: G_Y against differences of F(Y) = Σ_p V(Z_p); and L in place of Lᵀ would be seen. */
static void pull_back_is_the_gradient_in_y(void **state) {
  (void)state;
  enum { P = 5 };
  const double bandwidth = 0.8, step = 1e-5;
  double points[N * D], y[P * D], z[P * D], gradient_z[P * D], gradient_y[P * D];
  mms_training training = skewed(points);
  mms_error error = mms_error_none();
  for (int kind = 0; kind < 2; kind++) {
    mms_target target;
    expect_ok(mms_target_create(&target, NULL, &training, bandwidth, (mms_factor)kind, &error), &error);
    mms_random_normals((mms_random_key){.seed = 7, .stream = MMS_STREAM_TEST}, 0, P * D, y);
    mms_target_positions(&target, P, y, z);
    for (int i = 0; i < P * D; i++) {
      double moved[D];
      memcpy(moved, z + i / D * D, sizeof moved);
      moved[i % D] += step;
      double up = potential(&training, bandwidth, moved);
      moved[i % D] -= 2.0 * step;
      gradient_z[i] = (up - potential(&training, bandwidth, moved)) / (2.0 * step);
    }
    mms_target_pull_back(&target, P, gradient_z, gradient_y);
    double wrong = 0.0;
    for (int i = 0; i < P * D; i++) {
      double moved[P * D];
      memcpy(moved, y, sizeof moved);
      moved[i] += step;
      double up = total(&training, &target, P, moved);
      moved[i] -= 2.0 * step;
      double difference = (up - total(&training, &target, P, moved)) / (2.0 * step), transposed = 0.0;
      expect_near(gradient_y[i], difference, 1e-5);
      for (int k = 0; k < D; k++) transposed += gradient_z[i / D * D + k] * target.factor.data[i % D * D + k];
      wrong = fmax(wrong, fabs(transposed - difference));
    }
    assert_true(wrong > 0.1);
    mms_target_free(&target);
  }
}

static void one_point_is_right(void **state) {
  (void)state;
  double point[D] = {1.0, -2.0, 3.0};
  mms_training training = {.count = 1, .dim = D, .points = point};
  mms_target target;
  mms_error error = mms_error_none();
  expect_ok(mms_target_create(&target, NULL, &training, 1e-3, MMS_FACTOR_CHOLESKY, &error), &error);
  for (int a = 0; a < D; a++) {
    expect_near(target.mean.data[a], point[a], 0.0);
    for (int b = 0; b < D; b++) expect_near(target.covariance.data[a * D + b], a == b ? 1e-6 : 0.0, 1e-20);
  }
  expect_near(target.step_bound, 2.0, 1e-12);
  mms_target_free(&target);
}

static void impossible_targets_are_refused(void **state) {
  (void)state;
  double points[] = {1e6, 1.0, -1e6, 1.0, 2e6, 1.0}; /* the second column is constant */
  mms_training training = {.count = 3, .dim = 2, .points = points};
  mms_target target;
  mms_error error = mms_error_none();
  expect_refused(mms_target_create(&target, NULL, &training, 1e-3, MMS_FACTOR_CHOLESKY, &error), MMS_ERR_INPUT, &error,
                 "singular in floating point");
  assert_null(target.mean.data);
  const char *advice = strstr(error.message, "a bandwidth of ");
  assert_non_null(advice);
  double cure = strtod(advice + strlen("a bandwidth of "), NULL);
  expect_ok(mms_target_create(&target, NULL, &training, cure, MMS_FACTOR_CHOLESKY, &error), &error);
  mms_target_free(&target);
  expect_refused(mms_target_create(&target, NULL, &training, 0.8 * cure, MMS_FACTOR_CHOLESKY, &error), MMS_ERR_INPUT,
                 &error, "singular in floating point");

  const double bandwidths[] = {0.0, -1.0, NAN, INFINITY, 1e-200};
  for (int i = 0; i < 5; i++)
    expect_refused(mms_target_create(&target, NULL, &training, bandwidths[i], MMS_FACTOR_EIGEN, &error), MMS_ERR_INPUT,
                   &error, "bandwidth = ");
  points[0] = 1e200;
  expect_refused(mms_target_create(&target, NULL, &training, 1.0, MMS_FACTOR_EIGEN, &error), MMS_ERR_INPUT, &error,
                 "overflows");
  training.count = 0;
  expect_refused(mms_target_create(&target, NULL, &training, 1.0, MMS_FACTOR_EIGEN, &error), MMS_ERR_INPUT, &error,
                 "empty");
}

/* 2 WIDE points ± c_k e_k, whose covariance is diagonal to the bit; `tilt` of the first goes along the last axis too.
 */
enum { WIDE = 12 };

static mms_training on_axes(double *points, double tilt) {
  memset(points, 0, 2 * WIDE * WIDE * sizeof *points);
  for (int k = 0; k < WIDE; k++) {
    double length = k % 3 == 2 ? 2.0 + 1e-13 * k : 1.0 + 0.25 * k; /* some are alike */
    points[2 * k * WIDE + k] = length;
    points[(2 * k + 1) * WIDE + k] = -length;
  }
  points[WIDE - 1] = tilt;
  points[2 * WIDE - 1] = -tilt;
  return (mms_training){.count = 2 * WIDE, .dim = WIDE, .points = points};
}

/* What the maps say without any product must be what L says. */
static void expect_maps_of_the_factor(const mms_target *target) {
  enum { ROWS = 19 };
  double y[ROWS * WIDE], z[ROWS * WIDE], back[ROWS * WIDE], pulled[ROWS * WIDE];
  mms_random_normals((mms_random_key){.seed = 10, .stream = MMS_STREAM_TEST}, 0, ROWS * WIDE, y);
  mms_target_positions(target, ROWS, y, z);
  mms_target_coordinates(target, ROWS, z, back);
  mms_target_pull_back(target, ROWS, z, pulled);
  for (int i = 0; i < ROWS; i++)
    for (int a = 0; a < WIDE; a++) {
      double wanted = target->mean.data[a], wanted_pull = 0.0, inverse = 0.0;
      for (int k = 0; k < WIDE; k++) {
        wanted += target->factor.data[a * WIDE + k] * y[i * WIDE + k];
        wanted_pull += z[i * WIDE + k] * target->factor.data[k * WIDE + a];
        inverse += target->inverse.data[a * WIDE + k] * (z[i * WIDE + k] - target->mean.data[k]);
      }
      expect_near(z[i * WIDE + a], wanted, 1e-13);
      expect_near(pulled[i * WIDE + a], wanted_pull, 1e-13);
      expect_near(back[i * WIDE + a], inverse, 1e-13);
      expect_near(back[i * WIDE + a], y[i * WIDE + a], 1e-13);
    }
  memcpy(back, y, sizeof back);
  mms_target_positions(target, ROWS, back, back);
  assert_memory_equal(back, z, sizeof z);
  mms_target_coordinates(target, ROWS, back, back);
  for (int i = 0; i < ROWS * WIDE; i++) expect_near(back[i], y[i], 1e-13);
}

/* In their principal axes data need no product with L: it has one entry a column, of the eigenvectors in descending
 * order; an entry beside the diagonal that is more than rounding ends that. */
static void principal_axes_need_no_product(void **state) {
  (void)state;
  double points[2 * WIDE * WIDE];
  mms_error error = mms_error_none();
  const double tilts[] = {0.0, 1e-14, 1e-11};
  for (int kind = 0; kind < 2; kind++)
    for (int t = 0; t < 3; t++) {
      mms_training training = on_axes(points, tilts[t]);
      mms_target target;
      expect_ok(mms_target_create(&target, NULL, &training, 0.2, (mms_factor)kind, &error), &error);
      assert_int_equal(target.aligned, t < 2);
      expect_maps_of_the_factor(&target);
      for (int a = 0; a < WIDE; a++) {
        if (a > 0) assert_true(target.eigenvalues.data[a] <= target.eigenvalues.data[a - 1] * (1.0 + 1e-10));
        if (a > 0 && target.aligned && kind == MMS_FACTOR_EIGEN)
          assert_true(target.axes[a] > target.axes[a - 1] ||
                      target.eigenvalues.data[a] < target.eigenvalues.data[a - 1] * (1.0 - 1e-10));
        for (int b = 0; b < WIDE; b++) {
          double product = 0.0;
          for (int k = 0; k < WIDE; k++) product += target.factor.data[a * WIDE + k] * target.factor.data[b * WIDE + k];
          expect_near(product, target.covariance.data[a * WIDE + b], 1e-14);
          if (kind == MMS_FACTOR_CHOLESKY && b > a) expect_near(target.factor.data[a * WIDE + b], 0.0, 0.0);
        }
        if (kind == MMS_FACTOR_EIGEN && target.aligned)
          expect_near(target.variances.data[target.axes[a]], target.eigenvalues.data[a], 0.0);
      }
      mms_target_free(&target);
    }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(moments_are_those_of_the_mixture), cmocka_unit_test(coordinates_go_there_and_back),
      cmocka_unit_test(rows_do_not_depend_on_later_rows), cmocka_unit_test(pull_back_is_the_gradient_in_y),
      cmocka_unit_test(principal_axes_need_no_product),   cmocka_unit_test(one_point_is_right),
      cmocka_unit_test(impossible_targets_are_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
