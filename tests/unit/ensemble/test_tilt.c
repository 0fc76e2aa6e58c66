/* The tilt of the limit density: closed forms, the circle's symmetry (truth s), the Lyapunov equation, true standard
 * errors, and what cannot be normalised. */
#include "support.h"

#include "mmsold/ensemble/tilt.h"
#include "mmsold/field/field.h"
#include "mmsold/random/random.h"
#include <stdlib.h>

enum { MOST = 600, MOST_D = 6 };

static void normals(uint64_t item, int64_t count, double *out) {
  mms_random_normals((mms_random_key){.seed = 31, .stream = MMS_STREAM_TEST, .item = item}, 0, count, out);
}

static mms_target target_of(const double *points, int64_t n, int64_t d, double bandwidth) {
  mms_training training = {.count = n, .dim = d, .points = points};
  mms_target target;
  mms_error error = mms_error_none();
  expect_ok(mms_target_create(&target, NULL, &training, bandwidth, MMS_FACTOR_CHOLESKY, &error), &error);
  return target;
}

static mms_tilt tilt_of(const mms_target *target, int64_t n, const double *points, const double *gradients,
                        bool errors) {
  mms_tilt tilt;
  mms_error error = mms_error_none();
  mms_blocks blocks = mms_blocks_make(n, 16, 0, 1);
  expect_ok(mms_tilt_solve(&tilt, NULL, target, &blocks, points, gradients, errors, &error), &error);
  return tilt;
}

/* Correlated rows away from the origin. */
static void skewed(uint64_t item, int64_t n, int64_t d, double *points) {
  normals(item, n * d, points);
  for (int64_t i = 0; i < n; i++)
    for (int64_t k = d - 1; k >= 0; k--)
      points[i * d + k] = 0.4 * points[i * d + k] * (double)(k + 1) + (k > 0 ? points[i * d + k - 1] : 0.0) + 3.0;
}

/* V = ½ (z−m)ᵀH(z−m), and points whose mean and covariance are μ* and Σ*: then λ = −H(μ*−m) and Λ = Σ*⁻¹ − H exactly.
 * Σ* and H don't commute, so Q for Qᵀ, or a Lyapunov equation for a division, would show. One Gaussian (n = 1, H =
 * I/δ², Σ* = δ²I) is the case Λ = 0. */
static void quadratic_potentials_have_closed_forms(void **state) {
  (void)state;
  for (int64_t d = 1; d <= MOST_D; d++) {
    int64_t n = 40;
    double points[40 * MOST_D], gradients[40 * MOST_D], z[40 * MOST_D];
    double h[MOST_D * MOST_D], noise[MOST_D * MOST_D], middle[MOST_D];
    skewed((uint64_t)d, n, d, points);
    normals(100 + (uint64_t)d, d * d, noise);
    normals(200 + (uint64_t)d, d, middle);
    mms_target target = target_of(points, n, d, 0.3);
    for (int64_t i = 0; i < d; i++)
      for (int64_t j = 0; j < d; j++) {
        h[i * d + j] = i == j;
        for (int64_t k = 0; k < d; k++) h[i * d + j] += noise[i * d + k] * noise[j * d + k];
      }
    /* the data have covariance Σ* − δ²I: stretch them in the coordinates where that is diagonal */
    mms_training training = {.count = n, .dim = d, .points = points};
    mms_target turned;
    mms_error error = mms_error_none();
    expect_ok(mms_target_create(&turned, NULL, &training, 0.3, MMS_FACTOR_EIGEN, &error), &error);
    mms_target_coordinates(&turned, n, points, z);
    for (int64_t i = 0; i < n * d; i++) z[i] /= sqrt(1.0 - 0.09 / turned.eigenvalues.data[i % d]);
    mms_target_positions(&turned, n, z, points);
    for (int64_t p = 0; p < n; p++)
      for (int64_t i = 0; i < d; i++) {
        gradients[p * d + i] = 0.0;
        for (int64_t j = 0; j < d; j++) gradients[p * d + i] += h[i * d + j] * (points[p * d + j] - middle[j]);
      }
    mms_tilt tilt = tilt_of(&target, n, points, gradients, false);
    double size = 0.0;
    for (int64_t i = 0; i < d * d; i++) size = fmax(size, fabs(h[i]) + fabs(tilt.quadratic.data[i]));
    for (int64_t i = 0; i < d; i++) {
      double wanted = 0.0;
      for (int64_t j = 0; j < d; j++) wanted -= h[i * d + j] * (target.mean.data[j] - middle[j]);
      expect_near(tilt.linear.data[i], wanted, 1e-11 * size);
      for (int64_t j = 0; j < d; j++) { /* Σ(Λ + H) = I */
        double identity = 0.0;
        for (int64_t k = 0; k < d; k++)
          identity += target.covariance.data[i * d + k] * (tilt.quadratic.data[k * d + j] + h[k * d + j]);
        expect_near(identity, i == j, 1e-10 * size);
        assert_true(tilt.quadratic.data[i * d + j] == tilt.quadratic.data[j * d + i]);
      }
    }
    mms_tilt_free(&tilt);
    mms_target_free(&turned);
    mms_target_free(&target);
  }
}

static void one_gaussian_needs_no_tilt(void **state) {
  (void)state;
  const double delta = 0.4, x[2] = {1.0, -2.0};
  mms_target target = target_of(x, 1, 2, delta);
  double points[8], gradients[8]; /* ±√2 δ e_k about x: covariance δ² I */
  for (int p = 0; p < 4; p++)
    for (int k = 0; k < 2; k++) {
      points[2 * p + k] = x[k] + (p / 2 == k ? (p % 2 == 0 ? 1.0 : -1.0) * sqrt(2.0) * delta : 0.0);
      gradients[2 * p + k] = (points[2 * p + k] - x[k]) / (delta * delta);
    }
  mms_tilt tilt = tilt_of(&target, 4, points, gradients, false);
  for (int k = 0; k < 2; k++) expect_near(tilt.linear.data[k], 0.0, 1e-14);
  for (int k = 0; k < 4; k++) expect_near(tilt.quadratic.data[k], 0.0, 1e-13);
  mms_tilt_free(&tilt);
  mms_target_free(&target);
}

/* Truth s. Without smoothing k(x_p) = κ x_p by symmetry, so C = ½(1−κ)/δ² I and Λ = (1 − ½(1−κ)/δ²)/(½ + δ²) I. */
static void the_circle_of_twelve_is_symmetric(void **state) {
  (void)state;
  const double delta = 0.3;
  double points[24], gradients[24], mass = 0.0, kappa = 0.0;
  for (int p = 0; p < 12; p++) {
    double angle = M_PI * p / 6.0;
    points[2 * p] = cos(angle);
    points[2 * p + 1] = sin(angle);
    double weight = exp(-((1 - cos(angle)) * (1 - cos(angle)) + sin(angle) * sin(angle)) / (2 * delta * delta));
    mass += weight;
    kappa += weight * cos(angle);
  }
  kappa /= mass;
  mms_training training = {.count = 12, .dim = 2, .points = points};
  mms_target target = target_of(points, 12, 2, delta);
  mms_field *field = NULL;
  mms_error error = mms_error_none();
  expect_ok(mms_field_create(&field, NULL, &training, MMS_BACKEND_REFERENCE, 12, 0, &error), &error);
  mms_queries queries = {.count = 12, .points = points, .bandwidth = delta};
  expect_ok(mms_field_gradient(field, &queries, gradients, NULL, &error), &error);
  mms_tilt tilt = tilt_of(&target, 12, points, gradients, false);
  double wanted = (1.0 - 0.5 * (1.0 - kappa) / (delta * delta)) / (0.5 + delta * delta);
  for (int k = 0; k < 2; k++) expect_near(tilt.linear.data[k], 0.0, 1e-13);
  for (int k = 0; k < 4; k++) expect_near(tilt.quadratic.data[k], k % 3 == 0 ? wanted : 0.0, 1e-13);
  double least = 0.0;
  expect_ok(mms_tilt_check(&tilt, &least, &error), &error);
  expect_near(least, 1.0 + delta * delta * wanted, 1e-13);
  mms_tilt_free(&tilt);
  mms_field_free(&field);
  mms_target_free(&target);
}

/* Any points, any gradients: ΣΛ + ΛΣ = 2(I − sym C) with C straight from its definition. */
static void the_lyapunov_equation_holds(void **state) {
  (void)state;
  enum { N = 50, D = 5 };
  double points[N * D], gradients[N * D], away[N * D];
  skewed(7, N, D, points);
  normals(8, N * D, gradients);
  mms_target target = target_of(points, 30, D, 0.2); /* the points are not those of the target */
  mms_tilt tilt = tilt_of(&target, N, points, gradients, false);
  for (int i = 0; i < N * D; i++) away[i] = points[i] - target.mean.data[i % D];
  for (int i = 0; i < D; i++)
    for (int j = 0; j < D; j++) {
      double left = 0.0, c = 0.0;
      for (int p = 0; p < N; p++)
        c += (away[p * D + i] * gradients[p * D + j] + away[p * D + j] * gradients[p * D + i]) / (2.0 * N);
      for (int k = 0; k < D; k++)
        left += target.covariance.data[i * D + k] * tilt.quadratic.data[k * D + j] +
                tilt.quadratic.data[i * D + k] * target.covariance.data[k * D + j];
      expect_near(left, 2.0 * ((i == j) - c), 1e-11);
    }
  mms_tilt_free(&tilt);
  mms_target_free(&target);
}

/* A point's own λ and Λ are what the average is over: their spread gives the standard error. */
static void standard_errors_are_those_of_averages(void **state) {
  (void)state;
  enum { N = 37, D = 2 };
  double points[N * D], gradients[N * D], mean[6] = {0}, square[6] = {0};
  skewed(9, N, D, points);
  normals(10, N * D, gradients);
  mms_target target = target_of(points, N, D, 0.2);
  for (int p = 0; p < N; p++) {
    mms_tilt one = tilt_of(&target, 1, points + p * D, gradients + p * D, false);
    for (int k = 0; k < 6; k++) {
      double value = k < 2 ? one.linear.data[k] : one.quadratic.data[k - 2];
      mean[k] += value / N;
      square[k] += value * value / N;
    }
    mms_tilt_free(&one);
  }
  mms_tilt tilt = tilt_of(&target, N, points, gradients, true);
  for (int k = 0; k < 6; k++) {
    double wanted = sqrt((square[k] - mean[k] * mean[k]) / (N - 1));
    expect_near(k < 2 ? tilt.linear.data[k] : tilt.quadratic.data[k - 2], mean[k], 1e-10);
    expect_near((k < 2 ? tilt.linear_error.data[k] : tilt.quadratic_error.data[k - 2]) / wanted, 1.0, 1e-9);
  }
  mms_tilt_free(&tilt);
  mms_target_free(&target);
}

/* Energy and gradient belong together, are added, and don't depend on how many tiles the rows take. */
static void the_energy_has_that_gradient(void **state) {
  (void)state;
  enum { D = 3 };
  static double points[MOST * D], energy[MOST], gradient[MOST * D], again[MOST], again_gradient[MOST * D];
  skewed(11, MOST, D, points);
  const double linear[D] = {0.5, -1.0, 2.0}, quadratic[D * D] = {1, .2, .7, .4, -2, .1, .3, .5, .6};
  mms_target target = target_of(points, MOST, D, 0.2);
  mms_tilt tilt;
  mms_error error = mms_error_none();
  expect_ok(mms_tilt_create(&tilt, &target, linear, quadratic, &error), &error);
  for (int i = 0; i < MOST; i++) energy[i] = 7.0;
  for (int i = 0; i < MOST * D; i++) gradient[i] = 5.0;
  mms_tilt_add(&tilt, MOST, points, energy, gradient);
  for (int p = 0; p < MOST; p += 97)
    for (int k = 0; k < D; k++) {
      double side[2 * D], value[2] = {0, 0};
      for (int s = 0; s < 2; s++)
        for (int j = 0; j < D; j++) side[s * D + j] = points[p * D + j] + (j == k ? (s == 0 ? 1e-3 : -1e-3) : 0.0);
      mms_tilt_add(&tilt, 2, side, value, NULL);
      expect_near(gradient[p * D + k], 5.0 + (value[0] - value[1]) / 2e-3, 1e-9);
    }
  const double *at = points; /* the value itself, once */
  double wanted = 7.0;
  for (int i = 0; i < D; i++) {
    wanted += linear[i] * at[i];
    for (int j = 0; j < D; j++)
      wanted += 0.5 * (at[i] - target.mean.data[i]) * quadratic[i * D + j] * (at[j] - target.mean.data[j]);
  }
  expect_near(energy[0], wanted, 1e-12);
  for (int i = 0; i < MOST; i++) again[i] = 7.0;
  for (int i = 0; i < MOST * D; i++) again_gradient[i] = 5.0;
  for (int first = 0; first < MOST; first += MMS_TILT_TILE) {
    int rows = MOST - first < MMS_TILT_TILE ? MOST - first : MMS_TILT_TILE;
    mms_tilt_add(&tilt, rows, points + first * D, again + first, NULL);
    mms_tilt_add(&tilt, rows, points + first * D, NULL, again_gradient + first * D);
  }
  assert_memory_equal(energy, again, sizeof energy);
  assert_memory_equal(gradient, again_gradient, sizeof gradient);
  mms_tilt_free(&tilt);
  mms_target_free(&target);
}

/* I/δ² + Λ must be positive definite. In one dimension with n = 1 and Λ = −c/δ² the energy is (1−c)|z|²/(2δ²). */
static void what_cannot_be_normalised_is_refused(void **state) {
  (void)state;
  const double x[2] = {0.0, 0.0}, zero[2] = {0.0, 0.0};
  double least = 0.0;
  mms_target target = target_of(x, 1, 2, 0.1);
  mms_tilt tilt;
  mms_error error = mms_error_none();
  const double good[4] = {-99.0, 0.5, 0.5, 3.0}, level[4] = {-100.0, 0.0, 0.0, 3.0},
               bad[4] = {-50.0, 60.0, 60.0, -50.0};
  expect_ok(mms_tilt_create(&tilt, &target, zero, good, &error), &error);
  expect_ok(mms_tilt_check(&tilt, &least, &error), &error);
  assert_true(least > 0.0 && least < 0.01);
  mms_tilt_free(&tilt);
  expect_ok(mms_tilt_create(&tilt, &target, zero, level, &error), &error);
  expect_refused(mms_tilt_check(&tilt, &least, &error), MMS_ERR_NUMERIC, &error, "cannot be normalised");
  mms_tilt_free(&tilt);
  expect_ok(mms_tilt_create(&tilt, &target, zero, bad, &error), &error); /* negative only off the axes */
  expect_refused(mms_tilt_check(&tilt, &least, &error), MMS_ERR_NUMERIC, &error, "Lambda is -0.1");
  expect_near(least, -0.1, 1e-12);
  mms_tilt_free(&tilt);
  /* points spread wider than the target: C outgrows what V can bear */
  double points[8] = {3, 0, -3, 0, 0, 3, 0, -3}, gradients[8];
  for (int i = 0; i < 8; i++) gradients[i] = points[i] * 64.0;
  tilt = tilt_of(&target, 4, points, gradients, false);
  expect_refused(mms_tilt_check(&tilt, NULL, &error), MMS_ERR_NUMERIC, &error, "spread too wide");
  mms_tilt_free(&tilt);
  mms_target_free(&target);
}

static void bad_points_are_refused(void **state) {
  (void)state;
  double points[6] = {0, 1, 2, 0, 1, 1}, gradients[6] = {0, 1, NAN, 0, 1, 1};
  mms_target target = target_of(points, 3, 2, 0.5);
  mms_tilt tilt;
  mms_error error = mms_error_none();
  mms_blocks none = mms_blocks_make(0, 16, 0, 1), one = mms_blocks_make(1, 16, 0, 1), all = mms_blocks_make(3, 2, 0, 1);
  expect_refused(mms_tilt_solve(&tilt, NULL, &target, &none, points, gradients, false, &error), MMS_ERR_INPUT, &error,
                 "0 are given");
  expect_refused(mms_tilt_solve(&tilt, NULL, &target, &one, points, gradients, true, &error), MMS_ERR_INPUT, &error,
                 "at least two");
  expect_refused(mms_tilt_solve(&tilt, NULL, &target, &all, points, gradients, false, &error), MMS_ERR_NUMERIC, &error,
                 "not finite");
  gradients[2] = 1e30;
  expect_refused(mms_tilt_solve(&tilt, NULL, &target, &all, points, gradients, false, &error), MMS_ERR_NUMERIC, &error,
                 "immense");
  assert_null(tilt.linear.data);
  mms_target_free(&target);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(quadratic_potentials_have_closed_forms), cmocka_unit_test(one_gaussian_needs_no_tilt),
      cmocka_unit_test(the_circle_of_twelve_is_symmetric),      cmocka_unit_test(the_lyapunov_equation_holds),
      cmocka_unit_test(standard_errors_are_those_of_averages),  cmocka_unit_test(the_energy_has_that_gradient),
      cmocka_unit_test(what_cannot_be_normalised_is_refused),   cmocka_unit_test(bad_points_are_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
