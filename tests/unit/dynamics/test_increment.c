/* The unprojected increment of each scheme (truth w1: the exponential one is exact for one Gaussian). */
#include "support.h"

#include "dynamics/increment.h"
#include "mmsold/random/random.h"

enum { N = 30, D = 3, ROWS = 11 };

typedef struct setting {
  double points[N * D], y[ROWS * D], z[ROWS * D], mean[ROWS * D], previous[ROWS * D], xi[ROWS * D], w[ROWS * D];
  mms_target target;
  mms_increment increment;
} setting;

static void draw(uint64_t item, int64_t count, double *out) {
  mms_random_normals((mms_random_key){.seed = 3, .stream = MMS_STREAM_TEST, .item = item}, 0, count, out);
}

static void set_up(setting *s, mms_scheme scheme, double h) {
  mms_error error = mms_error_none();
  draw(0, N * D, s->points);
  for (int i = 0; i < N; i++) s->points[i * D + 1] += 2.0 * s->points[i * D];
  mms_training training = {.count = N, .dim = D, .points = s->points};
  expect_ok(mms_target_create(&s->target, NULL, &training, 0.5, mms_increment_factor(scheme), &error), &error);
  expect_ok(mms_increment_create(&s->increment, scheme, h, &s->target, &error), &error);
  draw(1, ROWS * D, s->y);
  draw(2, ROWS * D, s->mean); /* any k̄ */
  draw(3, ROWS * D, s->previous);
  draw(4, ROWS * D, s->xi);
  mms_target_positions(&s->target, ROWS, s->y, s->z);
}

static void go(setting *s) {
  double mean[ROWS * D];
  memcpy(mean, s->mean, sizeof mean);
  mms_increment_block(&s->increment, &s->target, ROWS, s->y, s->z, mean, s->previous, s->xi, s->w);
}

static void tear_down(setting *s) {
  mms_increment_free(&s->increment);
  mms_target_free(&s->target);
}

static void gradient_schemes_are_their_formulas(void **state) {
  (void)state;
  const double h = 0.03;
  const struct {
    mms_scheme scheme;
    double drift, previous, noise;
  } cases[] = {{MMS_SCHEME_LM, h, sqrt(h / 2), sqrt(h / 2)},
               {MMS_SCHEME_LM_CORRECTED, h / (1 + h / 2), sqrt(h / 2), sqrt(h / 2)},
               {MMS_SCHEME_EM, h, 0.0, sqrt(2 * h)}};
  for (size_t c = 0; c < 3; c++) {
    setting s;
    set_up(&s, cases[c].scheme, h);
    go(&s);
    for (int i = 0; i < ROWS * D; i++) {
      double gradient = 0.0; /* G_Z L / δ² */
      for (int k = 0; k < D; k++)
        gradient += (s.z[i / D * D + k] - s.mean[i / D * D + k]) / 0.25 * s.target.factor.data[k * D + i % D];
      expect_near(s.w[i], -cases[c].drift * gradient + cases[c].previous * s.previous[i] + cases[c].noise * s.xi[i],
                  1e-13);
    }
    tear_down(&s);
  }
}

/* Conditional mean and variance of dy = −B(y − y^k) dt + √2 dW over h, at any h. */
static void exponential_scheme_is_the_exact_law(void **state) {
  (void)state;
  const double sizes[] = {1e-9, 0.01, 0.3, 50.0};
  for (int c = 0; c < 4; c++) {
    setting s;
    double h = sizes[c], moved[ROWS * D];
    set_up(&s, MMS_SCHEME_EXPONENTIAL, h);
    go(&s);
    memcpy(moved, s.w, sizeof moved);
    memset(s.xi, 0, sizeof s.xi);
    go(&s); /* no noise: the drift alone */
    draw(4, ROWS * D, s.xi);
    for (int i = 0; i < ROWS * D; i++) {
      double rate = s.target.eigenvalues.data[i % D] / 0.25, pull = 0.0;
      for (int k = 0; k < D; k++)
        pull += (s.mean[i / D * D + k] - s.target.mean.data[k]) * s.target.inverse.data[i % D * D + k];
      double end = pull + exp(-rate * h) * (s.y[i] - pull);
      expect_near(s.y[i] + s.w[i], end, 1e-12);
      double variance = (1.0 - exp(-2.0 * rate * h)) / rate;
      expect_near(moved[i] - s.w[i], s.xi[i] * sqrt(variance), 1e-7 * sqrt(variance) + 1e-12);
      if (c == 0) { /* Euler's, to O(h²) */
        expect_near(s.w[i], -h * rate * (s.y[i] - pull), 1e-12);
        expect_near(moved[i] - s.w[i], s.xi[i] * sqrt(2.0 * h), 1e-10);
      }
    }
    tear_down(&s);
  }
}

/* n = 1 without the constraint: Z ~ N(x, δ²I) stays what it is whatever h, and from anywhere gets there. LM
 * with the same h multiplies the distance by h − 1 each step. */
static void one_gaussian_stays_put_where_lm_flies_apart(void **state) {
  (void)state;
  enum { STEPS = 60, COUNT = 2000 };
  static double y[COUNT], z[COUNT], mean[COUNT], previous[COUNT], xi[COUNT], w[COUNT];
  double point = 2.0, size[2];
  mms_training training = {.count = 1, .dim = 1, .points = &point};
  const mms_scheme schemes[] = {MMS_SCHEME_EXPONENTIAL, MMS_SCHEME_LM};
  mms_error error = mms_error_none();
  for (int c = 0; c < 2; c++) {
    mms_target target;
    mms_increment increment;
    expect_ok(mms_target_create(&target, NULL, &training, 0.1, mms_increment_factor(schemes[c]), &error), &error);
    expect_ok(mms_increment_create(&increment, schemes[c], 100.0 * target.step_bound, &target, &error), &error);
    draw(9, COUNT, y);
    for (int step = 0; step < STEPS; step++) {
      draw(10 + (uint64_t)step, COUNT, previous);
      draw(11 + (uint64_t)step, COUNT, xi);
      mms_target_positions(&target, COUNT, y, z);
      for (int i = 0; i < COUNT; i++) mean[i] = point;
      mms_increment_block(&increment, &target, COUNT, y, z, mean, previous, xi, w);
      for (int i = 0; i < COUNT; i++) y[i] += w[i];
    }
    size[c] = 0.0;
    for (int i = 0; i < COUNT; i++) size[c] += y[i] * y[i] / COUNT;
    mms_increment_free(&increment);
    mms_target_free(&target);
  }
  expect_near(size[0], 1.0, 4.0 * sqrt(2.0 / COUNT));
  assert_true(size[1] > 1e100);
}

static void auto_step_is_a_share_of_the_bound(void **state) {
  (void)state;
  mms_target target = {.step_bound = 0.25};
  expect_near(mms_increment_auto_step(MMS_SCHEME_LM, &target), 0.125, 0.0);
  expect_near(mms_increment_auto_step(MMS_SCHEME_LM_CORRECTED, &target), 0.125, 0.0);
  expect_near(mms_increment_auto_step(MMS_SCHEME_EM, &target), 0.125, 0.0);
  expect_near(mms_increment_auto_step(MMS_SCHEME_EXPONENTIAL, &target), 0.25, 0.0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(gradient_schemes_are_their_formulas),
      cmocka_unit_test(exponential_scheme_is_the_exact_law),
      cmocka_unit_test(one_gaussian_stays_put_where_lm_flies_apart),
      cmocka_unit_test(auto_step_is_a_share_of_the_bound),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
