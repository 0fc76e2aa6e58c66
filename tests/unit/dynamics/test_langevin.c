/* Langevin dynamics without the constraint: one Gaussian exactly (w1), bias orders (o), what the constraint would have
 * held (p), resume (v), and what is said where it flies apart. */
#include "dynamics_support.h"

static mms_dynamics_context setting(const mms_training *training, double bandwidth, int64_t particles) {
  return (mms_dynamics_context){
      .training = training,
      .score = {.bandwidth = bandwidth, .backend = MMS_BACKEND_REFERENCE},
      .sampler = {
          .method = MMS_METHOD_LANGEVIN, .particles = particles, .steps = 1000, .step_size_auto = true, .seed = 7}};
}

/* Truth w1: n = 1 has V = |y|²/2 in Y, and the exponential step is the exact transition of its Ornstein-Uhlenbeck
 * process: y' = e^{−h} y + (1 − e^{−2h})^{1/2} ξ, at any h. Fires: with Euler's 1 − h for e^{−h},
 * and with √(2h) for the noise's factor, it was seen to fail. */
static void exponential_is_exact_for_one_gaussian(void **state) {
  (void)state;
  enum { P = 40, D = 3 };
  double point[D] = {1.0, -2.0, 0.5}, xi[P * D], before[P * D];
  mms_training training = {.count = 1, .dim = D, .points = point};
  mms_dynamics_context context = setting(&training, 0.25, P);
  context.sampler.scheme = MMS_SCHEME_EXPONENTIAL;
  context.sampler.step_size_auto = false;
  const double sizes[] = {1e-9, 0.01, 0.7, 2.0, 200.0}; /* the last is 100 times the bound */
  for (int c = 0; c < 5; c++) {
    double h = context.sampler.step_size = sizes[c];
    mms_dynamics *dynamics = begin(&context);
    double *y = mms_dynamics_ensemble(dynamics)->y;
    for (int i = 0; i < P * D; i++) y[i] += 5.0;
    for (uint64_t step = 1; step <= 3; step++) {
      memcpy(before, y, sizeof before);
      walk(dynamics, 1);
      mms_random_normals_items((mms_random_key){.seed = 7, .stream = MMS_STREAM_LANGEVIN, .step = step}, P, D, xi);
      for (int i = 0; i < P * D; i++) expect_near(y[i], exp(-h) * before[i] + sqrt(-expm1(-2.0 * h)) * xi[i], 1e-12);
    }
    mms_dynamics_free(&dynamics);
  }
}

/* ... and its law is that Gaussian's after many steps 100 times the bound, where LM has flown apart and says why. */
static void exponential_stays_where_lm_flies_apart(void **state) {
  (void)state;
  enum { P = 4000, STEPS = 20 };
  double point = 3.0;
  mms_training training = {.count = 1, .dim = 1, .points = &point};
  mms_dynamics_context context = setting(&training, 0.25, P);
  context.sampler.scheme = MMS_SCHEME_EXPONENTIAL;
  context.sampler.step_size_auto = false;
  context.sampler.step_size = 200.0;
  mms_dynamics *dynamics = begin(&context);
  mms_step_report report = walk(dynamics, STEPS);
  expect_near(report.covariance_defect, 0.0, 4.0 * sqrt(2.0 / P)); /* standard error of a variance */
  expect_near(report.mean_defect, 0.0, 4.0 / sqrt(P));
  assert_true(report.covariance_defect > 1e-6); /* sampled, not imposed */
  char caution[512];
  assert_false(mms_dynamics_caution(dynamics, caution, sizeof caution));
  mms_dynamics_free(&dynamics);

  context.sampler.scheme = MMS_SCHEME_LM;
  dynamics = begin(&context);
  assert_true(mms_dynamics_caution(dynamics, caution, sizeof caution));
  assert_non_null(strstr(caution, "100 times the stability bound"));
  mms_error error = mms_error_none();
  mms_status status = MMS_OK;
  int taken = 0;
  while (status == MMS_OK && taken < STEPS) {
    status = mms_dynamics_step(dynamics, &(mms_step_request){0}, &report, &error);
    taken += status == MMS_OK;
  }
  expect_refused(status, MMS_ERR_NUMERIC, &error, "step_size = 200 is 100 times the stability bound 2");
  assert_non_null(strstr(error.message, "the increment of particle "));
  assert_int_equal(mms_dynamics_steps_done(dynamics), taken); /* the last good state is kept */
  double mean, covariance;
  expect_ok(mms_dynamics_measure(dynamics, &mean, &covariance, &error), &error);
  assert_true(covariance > 1e3 && isfinite(covariance));
  mms_dynamics_free(&dynamics);
}

/* The time average of E y² (per coordinate) after `burn` steps, and its standard error from batches. */
static double second_moment(mms_dynamics *dynamics, int burn, int steps, double *standard_error) {
  enum { BATCHES = 25 };
  const mms_ensemble *ensemble = mms_dynamics_ensemble(dynamics);
  int64_t entries = ensemble->blocks.n_local * ensemble->dim;
  double batches[BATCHES] = {0}, mean = 0.0, variance = 0.0;
  walk(dynamics, burn);
  for (int step = 0; step < steps; step++) {
    walk(dynamics, 1);
    for (int64_t i = 0; i < entries; i++)
      batches[step * BATCHES / steps] += ensemble->y[i] * ensemble->y[i] / (double)entries * BATCHES / steps;
  }
  for (int b = 0; b < BATCHES; b++) mean += batches[b] / BATCHES;
  for (int b = 0; b < BATCHES; b++) variance += (batches[b] - mean) * (batches[b] - mean) / (BATCHES - 1);
  *standard_error = sqrt(variance / BATCHES);
  return mean;
}

/* Truth o where the bias has closed form: for V = y²/2 Euler's stationary variance is 1/(1 − h/2), LM's is 1 exactly.
 * Fires: with ξ_prev of another step in LM (variance 1/(2 − h)), and with Euler in LM's place, it was seen to fail. */
static void bias_on_a_quadratic(void **state) {
  (void)state;
  enum { P = 300, STEPS = 500 };
  double point = -1.0;
  mms_training training = {.count = 1, .dim = 1, .points = &point};
  mms_dynamics_context context = setting(&training, 0.5, P);
  context.sampler.step_size_auto = false;
  for (int c = 0; c < 4; c++) {
    context.sampler.scheme = c % 2 == 0 ? MMS_SCHEME_EM : MMS_SCHEME_LM;
    double h = context.sampler.step_size = c < 2 ? 0.4 : 1.0, standard_error;
    mms_dynamics *dynamics = begin(&context);
    double found = second_moment(dynamics, 20, STEPS, &standard_error);
    assert_true(standard_error < 0.012);
    expect_near(found, c % 2 == 0 ? 1.0 / (1.0 - 0.5 * h) : 1.0, 4.5 * standard_error);
    mms_dynamics_free(&dynamics);
  }
}

/* E y² under exp(−V) for the mixture of points ±1, by the trapezoidal rule: here Y is z over √(1 + δ²). */
static double two_points_by_quadrature(double bandwidth) {
  double mass = 0.0, second = 0.0;
  for (int i = -4000; i <= 4000; i++) {
    double z = 0.001 * i, s = 2.0 * bandwidth * bandwidth;
    double density = exp(-(z - 1.0) * (z - 1.0) / s) + exp(-(z + 1.0) * (z + 1.0) / s);
    mass += density;
    second += density * z * z;
  }
  return second / mass / (1.0 + bandwidth * bandwidth);
}

/* Truth o beyond the quadratic: halving h halves Euler's bias and quarters LM's (measured: .126 and
 * .050 at h = .3 and .15, .026 and .001 at .6 and .3). Fires: as the test
 * above. */
static void bias_orders(void **state) {
  (void)state;
  enum { P = 1000, STEPS = 700 };
  double points[2] = {-1.0, 1.0};
  mms_training training = {.count = 2, .dim = 1, .points = points};
  mms_dynamics_context context = setting(&training, 0.8, P);
  context.sampler.step_size_auto = false;
  double exact = two_points_by_quadrature(0.8), bias[4], standard_error[4];
  for (int c = 0; c < 4; c++) {
    context.sampler.scheme = c < 2 ? MMS_SCHEME_EM : MMS_SCHEME_LM;
    context.sampler.step_size = (c < 2 ? 0.15 : 0.3) * (c % 2 == 0 ? 2.0 : 1.0);
    mms_dynamics *dynamics = begin(&context);
    bias[c] = second_moment(dynamics, 20, STEPS, &standard_error[c]) - exact;
    mms_dynamics_free(&dynamics);
  }
  assert_true(bias[0] > 10.0 * standard_error[0] && fabs(bias[2]) > 10.0 * standard_error[2]);
  expect_near(bias[0] / bias[1], 2.2, 0.4);
  assert_true(fabs(bias[3]) < fabs(bias[2]) / 4.0 + 3.5 * standard_error[3]); /* a quarter, or less */
  assert_true(fabs(bias[3]) < bias[0] / 20.0 + 3.5 * standard_error[3]);      /* the same h */
}

/* Truth p: circle of 12, bandwidth 0.1. Without the constraint the variance of a coordinate falls from .51 to .04
 * as smoothing grows; with it, it is .51 always. Fires: with MMS_METHOD_MMSOLD in langevin's place. */
static void smoothing_shrinks_the_cloud(void **state) {
  (void)state;
  double points[24];
  for (int i = 0; i < 12; i++) {
    points[2 * i] = cos(2.0 * M_PI * i / 12.0);
    points[2 * i + 1] = sin(2.0 * M_PI * i / 12.0);
  }
  mms_training training = {.count = 12, .dim = 2, .points = points};
  const struct {
    double smoothing, variance, step_size;
    int64_t draws, particles;
    int burn, steps;
  } cases[] = {{0.0, 0.51, 0.01, 0, 600, 10, 10},
               {0.2, 0.48, 0.008, 8, 240, 150, 500},
               {0.4, 0.38, 0.006, 16, 120, 200, 600},
               {0.6, 0.12, 0.003, 32, 100, 200, 300},
               {0.8, 0.04, 0.002, 64, 100, 100, 150}};
  for (int c = 0; c < 5; c++)
    for (int constrained = 0; constrained < 2; constrained++) {
      mms_dynamics_context context = setting(&training, 0.1, cases[c].particles);
      context.score.backend = MMS_BACKEND_AUTO;
      context.score.smoothing = cases[c].smoothing;
      context.score.smoothing_samples = cases[c].draws;
      context.sampler.scheme = MMS_SCHEME_EXPONENTIAL;
      context.sampler.step_size_auto = false;
      context.sampler.step_size = cases[c].step_size;
      context.sampler.method = constrained ? MMS_METHOD_MMSOLD : MMS_METHOD_LANGEVIN;
      mms_dynamics *dynamics = begin(&context);
      double standard_error;
      double found = 0.51 * second_moment(dynamics, cases[c].burn, constrained ? 25 : cases[c].steps, &standard_error);
      expect_near(found, constrained ? 0.51 : cases[c].variance, constrained ? 1e-12 : 0.005 + 2.0 * standard_error);
      mms_dynamics_free(&dynamics);
    }
}

/* Truth v: all arrays of the state, and the number of steps done, are the state. */
static void resume_continues_the_same_run(void **state) {
  (void)state;
  enum { P = 70, D = 3, N = 9 };
  double points[N * D], kept[P * D];
  for (int i = 0; i < N * D; i++) points[i] = sin(2.3 * i) * (1 + i % D);
  mms_training training = {.count = N, .dim = D, .points = points};
  mms_dynamics_context context = setting(&training, 0.3, P);
  context.score.smoothing = 0.2;
  context.score.smoothing_samples = 4;
  const mms_scheme schemes[] = {MMS_SCHEME_LM, MMS_SCHEME_EM, MMS_SCHEME_EXPONENTIAL};
  for (int c = 0; c < 3; c++) {
    context.sampler.scheme = schemes[c];
    mms_dynamics *whole = begin(&context), *second = NULL;
    mms_state_array arrays[MMS_STATE_ARRAYS];
    walk(whole, 5);
    assert_int_equal(mms_dynamics_arrays(whole, arrays), 1);
    memcpy(kept, arrays[0].data, sizeof kept);
    walk(whole, 5);
    mms_error error = mms_error_none();
    expect_ok(mms_dynamics_create(&second, &context, &error), &error);
    mms_dynamics_arrays(second, arrays);
    memcpy(arrays[0].data, kept, sizeof kept);
    mms_dynamics_resume(second, 5);
    mms_step_report report = walk(second, 5);
    assert_true(isnan(report.kinetic_temperature));
    assert_memory_equal(mms_dynamics_ensemble(whole)->y, arrays[0].data, sizeof kept);
    mms_dynamics_free(&whole);
    mms_dynamics_free(&second);
  }
}

static void what_it_does_not_know_is_refused(void **state) {
  (void)state;
  double points[4] = {0.0, 1.0, 2.0, 0.5};
  mms_training training = {.count = 2, .dim = 2, .points = points};
  mms_dynamics_context context = setting(&training, 0.3, 30);
  mms_dynamics *dynamics = NULL;
  mms_error error = mms_error_none();
  context.sampler.scheme = MMS_SCHEME_LM_CORRECTED;
  expect_refused(mms_dynamics_create(&dynamics, &context, &error), MMS_ERR_INPUT, &error,
                 "scheme lm-corrected is none of method langevin, which takes lm, em, exponential");
  context.sampler.scheme = MMS_SCHEME_LM;
  context.sampler.particles = 1; /* without the constraint one is enough */
  dynamics = begin(&context);
  walk(dynamics, 2);
  mms_dynamics_free(&dynamics);

  context.sampler.particles = 30;
  dynamics = begin(&context);
  mms_step_report report;
  const double bad[] = {NAN, INFINITY, 1e200, 3e7};
  for (int c = 0; c < 4; c++) {
    double *y = mms_dynamics_ensemble(dynamics)->y, kept = y[2 * 21];
    y[2 * 21] = bad[c];
    expect_refused(mms_dynamics_step(dynamics, &(mms_step_request){0}, &report, &error), MMS_ERR_NUMERIC, &error,
                   "step 1: the position of particle 21 is not finite or millions of standard deviations from");
    y[2 * 21] = kept;
  }
  walk(dynamics, 1);
  mms_dynamics_free(&dynamics);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(exponential_is_exact_for_one_gaussian),
      cmocka_unit_test(exponential_stays_where_lm_flies_apart),
      cmocka_unit_test(bias_on_a_quadratic),
      cmocka_unit_test(bias_orders),
      cmocka_unit_test(smoothing_shrinks_the_cloud),
      cmocka_unit_test(resume_continues_the_same_run),
      cmocka_unit_test(what_it_does_not_know_is_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
