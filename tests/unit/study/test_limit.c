/* Laws on the plane by quadrature: V against its definition, closed forms of one Gaussian, the circle of 12 (truths p
 * and s), moments matched exactly (truth n), and what must be refused. */
#include "support.h"

#include "mmsold/random/random.h"
#include "mmsold/study/limit.h"
#include <stdlib.h>

static double circle[24];

static mms_training circle_of_twelve(void) {
  for (int i = 0; i < 12; i++) {
    circle[2 * i] = cos(M_PI * i / 6.0);
    circle[2 * i + 1] = sin(M_PI * i / 6.0);
  }
  return (mms_training){.count = 12, .dim = 2, .points = circle};
}

static mms_quadrature *quadrature_of(const mms_training *training, double delta, double sigma) {
  mms_quadrature *quadrature = NULL;
  mms_error error = mms_error_none();
  expect_ok(mms_quadrature_create(&quadrature, NULL, training, delta, sigma, 1e-7, &error), &error);
  return quadrature;
}

/* U from its definition. */
static double potential(const mms_training *training, double delta, const double z[2]) {
  double least = INFINITY, mass = 0.0;
  for (int64_t i = 0; i < training->count; i++) {
    double x = z[0] - training->points[2 * i], y = z[1] - training->points[2 * i + 1];
    least = fmin(least, (x * x + y * y) / (2 * delta * delta));
  }
  for (int64_t i = 0; i < training->count; i++) {
    double x = z[0] - training->points[2 * i], y = z[1] - training->points[2 * i + 1];
    mass += exp(least - (x * x + y * y) / (2 * delta * delta)) / (double)training->count;
  }
  return least - log(mass);
}

/* The two-dimensional integral in polar coordinates about z: another rule than the one under test. */
static double smoothed(const mms_training *training, double delta, double sigma, const double z[2]) {
  enum { RADII = 160, ANGLES = 240 };
  double sum = 0.0, weight = 0.0;
  for (int r = 0; r < RADII; r++) { /* radius 8 s², midpoints in s: flat at s = 0, where the rule's error comes from */
    double s = (r + 0.5) / RADII, radius = 8.0 * s * s, w = s * radius * exp(-0.5 * radius * radius);
    for (int a = 0; a < ANGLES; a++) {
      const double at[2] = {z[0] + sigma * radius * cos(2 * M_PI * a / ANGLES),
                            z[1] + sigma * radius * sin(2 * M_PI * a / ANGLES)};
      sum += w * potential(training, delta, at);
    }
    weight += w * ANGLES;
  }
  return sum / weight;
}

static void potentials_are_those_of_the_definition(void **state) {
  (void)state;
  mms_training training = circle_of_twelve();
  const double delta = 0.3, z[6] = {0.1, 0.2, 1.0, -0.4, 2.3, 1.7};
  const double sigmas[3] = {0.0, 0.25, 0.7};
  mms_error error = mms_error_none();
  for (int s = 0; s < 3; s++) {
    mms_quadrature *quadrature = quadrature_of(&training, delta, sigmas[s]);
    double values[3], gradients[6], ends[24], slopes[12];
    expect_ok(mms_quadrature_points(quadrature, 3, z, values, gradients, &error), &error);
    for (int p = 0; p < 3; p++) {
      double wanted =
          s == 0 ? potential(&training, delta, z + 2 * p) : smoothed(&training, delta, sigmas[s], z + 2 * p);
      expect_near(values[p], wanted, 2e-6 * (1 + fabs(wanted))); /* the midpoints of the other rule */
      for (int k = 0; k < 4; k++) {
        ends[8 * p + 2 * k] = z[2 * p] + (k == 0 ? 1e-4 : k == 1 ? -1e-4 : 0.0);
        ends[8 * p + 2 * k + 1] = z[2 * p + 1] + (k == 2 ? 1e-4 : k == 3 ? -1e-4 : 0.0);
      }
    }
    expect_ok(mms_quadrature_points(quadrature, 12, ends, slopes, NULL, &error), &error);
    for (int p = 0; p < 3; p++)
      for (int k = 0; k < 2; k++)
        expect_near(gradients[2 * p + k], (slopes[4 * p + 2 * k] - slopes[4 * p + 2 * k + 1]) / 2e-4, 1e-5);
    /* the same at the cells of a plane that has these points among its middles */
    for (int p = 0; p < 3; p++) {
      mms_plane plane = {.columns = 5, .rows = 3};
      for (int k = 0; k < 2; k++) {
        plane.low[k] = z[2 * p + k] - (k == 0 ? 0.35 : 0.25);
        plane.high[k] = z[2 * p + k] + (k == 0 ? 0.15 : 0.05);
      }
      double cells[15];
      expect_ok(mms_quadrature_plane(quadrature, &plane, 0, 3, cells, &error), &error);
      expect_near(cells[13], values[p], 1e-10 * (1 + fabs(values[p])));
    }
    mms_quadrature_free(&quadrature);
  }
}

static mms_plane square_plane(int64_t cells, double extent) {
  return (mms_plane){.columns = cells, .rows = cells, .low = {-extent, -extent}, .high = {extent, extent}};
}

/* One Gaussian: V = |z−x|²/(2δ²) + σ²/δ² at any σ (d = 2), log Z = log 2πδ² − σ²/δ²; the law N(x, δ²I). */
static void one_gaussian_has_closed_forms(void **state) {
  (void)state;
  const double x[2] = {0.3, -0.2}, delta = 0.35, sigma = 0.5;
  const mms_training training = {.count = 1, .dim = 2, .points = x};
  mms_quadrature *quadrature = quadrature_of(&training, delta, sigma);
  mms_plane plane = {.columns = 60, .rows = 50, .low = {-2.7, -3.2}, .high = {3.3, 2.8}};
  double *v = calloc(3000, sizeof *v), marginal[60];
  mms_error error = mms_error_none();
  mms_law law;
  expect_ok(mms_quadrature_plane(quadrature, &plane, 0, 50, v, &error), &error);
  expect_ok(mms_law_create(&law, &plane, v, NULL, &error), &error);
  expect_near(law.log_z, log(2 * M_PI * delta * delta) - sigma * sigma / (delta * delta), 1e-9);
  assert_true(law.edge < 1e-9 && law.change < 1e-6);
  for (int k = 0; k < 2; k++) expect_near(law.mean[k], x[k], 1e-9);
  for (int k = 0; k < 4; k++) expect_near(law.covariance[k], k % 3 == 0 ? delta * delta : 0.0, 1e-8);
  mms_law_marginal(&law, 0, marginal);
  for (int i = 0; i < 60; i += 7) {
    double z[2];
    mms_plane_point(&plane, i, z);
    double away = (z[0] - x[0]) / delta;
    expect_near(marginal[i], exp(-0.5 * away * away) / (delta * sqrt(2 * M_PI)), 1e-8);
  }
  mms_law_free(&law);
  mms_quadrature_free(&quadrature);
  free(v);
}

static double fourth(void *context, const double z[2]) {
  (void)context;
  return z[0] * z[0] * z[0] * z[0];
}

/* Truth p: covariance per axis of the naive law. Truth s: the matched λ is 0 and Λ a multiple of I. */
static void the_circle_of_twelve(void **state) {
  (void)state;
  mms_training training = circle_of_twelve();
  const double sigmas[2] = {0.0, 0.2}, variances[2] = {.51, .48};
  mms_plane plane = square_plane(140, 3.5);
  double *v = calloc(140 * 140, sizeof *v);
  mms_error error = mms_error_none();
  mms_target target;
  expect_ok(mms_target_create(&target, NULL, &training, 0.1, MMS_FACTOR_CHOLESKY, &error), &error);
  for (int s = 0; s < 2; s++) {
    mms_quadrature *quadrature = quadrature_of(&training, 0.1, sigmas[s]);
    mms_law naive, limit;
    mms_tilt tilt;
    expect_ok(mms_quadrature_plane(quadrature, &plane, 0, 140, v, &error), &error);
    expect_ok(mms_law_create(&naive, &plane, v, NULL, &error), &error);
    for (int k = 0; k < 4; k++) expect_near(naive.covariance[k], k % 3 == 0 ? variances[s] : 0.0, 0.005);
    if (s == 0) expect_near(naive.log_z, log(2 * M_PI * 0.01), 1e-9);
    expect_ok(mms_tilt_match(&tilt, &target, &plane, v, &error), &error);
    for (int k = 0; k < 2; k++) expect_near(tilt.linear.data[k], 0.0, 1e-6);
    expect_near(tilt.quadratic.data[0], tilt.quadratic.data[3], 1e-6);
    expect_near(tilt.quadratic.data[1], 0.0, 1e-6);
    if (s == 0) expect_near(tilt.quadratic.data[0], 0.0, 1e-6); /* the mixture has these moments by itself */
    if (s > 0) assert_true(tilt.quadratic.data[0] < -0.01 && tilt.quadratic.data[0] > -100.0);
    expect_ok(mms_law_create(&limit, &plane, v, &tilt, &error), &error);
    for (int k = 0; k < 2; k++) expect_near(limit.mean[k], 0.0, 1e-11);
    for (int k = 0; k < 4; k++) expect_near(limit.covariance[k], k % 3 == 0 ? 0.51 : 0.0, 1e-11);
    mms_tilt_free(&tilt);
    mms_law_free(&naive);
    mms_law_free(&limit);
    mms_quadrature_free(&quadrature);
  }
  mms_target_free(&target);
  free(v);
}

/* Three skewed points: nothing is symmetric. The tilt that Newton finds obeys the moment identities under its own law,
 * which mms_tilt_solve uses: λ = −E∇V and the Lyapunov equation (ALGORITHMS 6). */
static void identities_hold_under_the_matched_law(void **state) {
  (void)state;
  const double points[6] = {0.0, 0.0, 1.0, 0.4, 0.3, 1.5};
  const mms_training training = {.count = 3, .dim = 2, .points = points};
  mms_error error = mms_error_none();
  mms_limit limit;
  expect_ok(mms_limit_create(&limit, NULL, &training, 0.4, 0.3, 70, &error), &error);
  for (int k = 0; k < 2; k++) expect_near(limit.law.mean[k], limit.target.mean.data[k], 1e-11);
  for (int k = 0; k < 4; k++) expect_near(limit.law.covariance[k], limit.target.covariance.data[k], 1e-11);
  mms_quadrature *quadrature = quadrature_of(&training, 0.4, 0.3);
  int64_t cells = mms_plane_cells(&limit.law.plane);
  double *z = calloc((size_t)(2 * cells), sizeof *z), *g = calloc((size_t)(2 * cells), sizeof *g);
  double *v = calloc((size_t)cells, sizeof *v), mean[2] = {0}, c[4] = {0};
  for (int64_t i = 0; i < cells; i++) mms_plane_point(&limit.law.plane, i, z + 2 * i);
  expect_ok(mms_quadrature_points(quadrature, cells, z, v, g, &error), &error);
  for (int64_t i = 0; i < cells; i++) {
    double mass = limit.law.density.data[i] * mms_plane_cell_area(&limit.law.plane);
    for (int k = 0; k < 2; k++) {
      mean[k] -= mass * g[2 * i + k];
      for (int l = 0; l < 2; l++) c[2 * k + l] += mass * (z[2 * i + k] - limit.target.mean.data[k]) * g[2 * i + l];
    }
  }
  for (int k = 0; k < 2; k++) {
    expect_near(mean[k], limit.tilt.linear.data[k], 1e-6);
    for (int l = 0; l < 2; l++) {
      double left = 0.0;
      for (int j = 0; j < 2; j++)
        left += limit.target.covariance.data[2 * k + j] * limit.tilt.quadratic.data[2 * j + l] +
                limit.tilt.quadratic.data[2 * k + j] * limit.target.covariance.data[2 * j + l];
      expect_near(left, 2.0 * ((k == l) - 0.5 * (c[2 * k + l] + c[2 * l + k])), 1e-6);
    }
  }
  /* an expectation against a plain sum */
  double sum = 0.0;
  for (int64_t i = 0; i < cells; i++)
    sum += fourth(NULL, z + 2 * i) * limit.law.density.data[i] * mms_plane_cell_area(&limit.law.plane);
  expect_near(mms_law_expectation(&limit.law, fourth, NULL), sum, 1e-12);
  free(z);
  free(g);
  free(v);
  mms_quadrature_free(&quadrature);
  mms_limit_free(&limit);
}

static void what_cannot_be_done_is_refused(void **state) {
  (void)state;
  mms_training training = circle_of_twelve(), wide = {.count = 8, .dim = 3, .points = circle};
  mms_quadrature *quadrature = NULL;
  mms_error error = mms_error_none();
  expect_refused(mms_quadrature_create(&quadrature, NULL, &wide, 0.1, 0.1, 1e-7, &error), MMS_ERR_INPUT, &error,
                 "d = 3");
  expect_refused(mms_quadrature_create(&quadrature, NULL, &training, 0.1, 0.1, 0.0, &error), MMS_ERR_INPUT, &error,
                 "tolerance of 0");
  expect_refused(mms_quadrature_create(&quadrature, NULL, &training, 0.5, 0.2, 1e-17, &error), MMS_ERR_NUMERIC, &error,
                 "take Monte Carlo");
  mms_limit limit;
  expect_refused(mms_limit_create(&limit, NULL, &wide, 0.1, 0.1, 50, &error), MMS_ERR_INPUT, &error, "d = 3");
  /* a plane that does not hold the target, and a tilt beyond what V bears */
  mms_target target;
  mms_tilt tilt;
  mms_law law;
  expect_ok(mms_target_create(&target, NULL, &training, 0.1, MMS_FACTOR_CHOLESKY, &error), &error);
  mms_plane small = square_plane(40, 0.5);
  double v[1600] = {0};
  expect_refused(mms_tilt_match(&tilt, &target, &small, v, &error), MMS_ERR_NUMERIC, &error, "");
  const double zero[2] = {0, 0}, steep[4] = {-101, 0, 0, -101};
  expect_ok(mms_tilt_create(&tilt, &target, zero, steep, &error), &error);
  expect_refused(mms_law_create(&law, &small, v, &tilt, &error), MMS_ERR_NUMERIC, &error, "cannot be normalised");
  v[41] = NAN;
  expect_refused(mms_law_create(&law, &small, v, NULL, &error), MMS_ERR_NUMERIC, &error, "(-0.4625, -0.4625)");
  mms_tilt_free(&tilt);
  mms_target_free(&target);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(potentials_are_those_of_the_definition),
      cmocka_unit_test(one_gaussian_has_closed_forms),
      cmocka_unit_test(the_circle_of_twelve),
      cmocka_unit_test(identities_hold_under_the_matched_law),
      cmocka_unit_test(what_cannot_be_done_is_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
