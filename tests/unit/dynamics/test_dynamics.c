/* Whole steps: exact moments (i), resume (v), one Gaussian (l), the exponential scheme far above the
 * bound (w1), and what is refused. */
#include "dynamics_support.h"

enum { N = 60, MOST_D = 20 };
static double points[N * MOST_D];

static mms_training clusters(int64_t d) { return clusters_in(points, N, d, 21); }

static mms_dynamics_context setting(const mms_training *training, int64_t particles) {
  return (mms_dynamics_context){
      .training = training,
      .score = {.bandwidth = 0.3, .smoothing = 0.2, .smoothing_samples = 4, .backend = MMS_BACKEND_REFERENCE},
      .sampler = {.particles = particles, .steps = 10, .step_size_auto = true, .seed = 4}};
}

/* Truth i through the whole machine, for every scheme and both retractions. */
static void moments_are_exact_after_every_step(void **state) {
  (void)state;
  mms_error error = mms_error_none();
  for (int64_t d = 2; d <= MOST_D; d += MOST_D - 2) {
    mms_training training = clusters(d);
    mms_dynamics_context context = setting(&training, d == 2 ? 100 : 50);
    for (int c = 0; c < 8; c++) {
      context.sampler.scheme = (mms_scheme)(c / 2);
      context.sampler.retraction = (mms_retraction)(c % 2);
      mms_dynamics *dynamics = begin(&context);
      for (int step = 0; step < (d == 2 ? 60 : 15); step++) {
        mms_step_report report = walk(dynamics, 1);
        double mean, covariance;
        expect_ok(mms_dynamics_measure(dynamics, &mean, &covariance, &error), &error);
        expect_near(mean, 0.0, 1e-13);
        expect_near(covariance, 0.0, 1e-13);
        assert_true(isfinite(report.mean_potential) && report.drift > 0.0 && !report.stop && !report.checkpoint);
      }
      mms_dynamics_free(&dynamics);
      assert_null(dynamics);
    }
  }
}

static void exponential_stays_put_where_lm_flies_apart(void **state) {
  (void)state;
  mms_training training = clusters(2);
  mms_dynamics_context context = setting(&training, 100);
  context.sampler.step_size_auto = false;
  double drift[2], farthest[2] = {0.0, 0.0};
  const mms_scheme schemes[] = {MMS_SCHEME_EXPONENTIAL, MMS_SCHEME_LM};
  for (int c = 0; c < 2; c++) {
    context.sampler.scheme = schemes[c];
    context.sampler.step_size = 1.0;
    mms_dynamics *dynamics = begin(&context);
    context.sampler.step_size = 100.0 * mms_dynamics_target(dynamics)->step_bound;
    mms_dynamics_free(&dynamics);
    dynamics = begin(&context);
    drift[c] = walk(dynamics, 100).drift;
    mms_error error = mms_error_none();
    double mean, covariance; /* and yet the moments are exact (truth i) */
    expect_ok(mms_dynamics_measure(dynamics, &mean, &covariance, &error), &error);
    expect_near(fmax(mean, covariance), 0.0, 1e-12);
    double z[200]; /* how far from its nearest training point is the farthest particle */
    mms_target_positions(mms_dynamics_target(dynamics), 100, mms_dynamics_ensemble(dynamics)->y, z);
    for (int p = 0; p < 100; p++) {
      double nearest = INFINITY;
      for (int i = 0; i < N; i++)
        nearest = fmin(nearest, hypot(z[2 * p] - points[2 * i], z[2 * p + 1] - points[2 * i + 1]));
      farthest[c] = fmax(farthest[c], nearest);
    }
    mms_dynamics_free(&dynamics);
  }
  assert_true(drift[0] < 2.0 && drift[1] > 20.0);
  assert_true(farthest[0] < 4.5 * 0.3);
  assert_true(farthest[1] > 3.0 * farthest[0]);
}

/* run(2T) = run(T), copy Y, resume(T), to the bit. */
static void resume_continues_the_same_run(void **state) {
  (void)state;
  mms_training training = clusters(3);
  mms_dynamics_context context = setting(&training, 70);
  for (int scheme = 0; scheme < 4; scheme++) {
    context.sampler.scheme = (mms_scheme)scheme;
    double kept[210];
    mms_dynamics *whole = begin(&context);
    walk(whole, 7);
    memcpy(kept, mms_dynamics_ensemble(whole)->y, sizeof kept);
    walk(whole, 7);
    assert_int_equal(mms_dynamics_steps_done(whole), 14);
    mms_dynamics *second = NULL;
    mms_error error = mms_error_none();
    expect_ok(mms_dynamics_create(&second, &context, &error), &error);
    memcpy(mms_dynamics_ensemble(second)->y, kept, sizeof kept);
    mms_dynamics_resume(second, 7);
    walk(second, 7);
    assert_memory_equal(mms_dynamics_ensemble(whole)->y, mms_dynamics_ensemble(second)->y, sizeof kept);
    memcpy(mms_dynamics_ensemble(second)->y, kept, sizeof kept);
    mms_dynamics_resume(second, 8); /* at another step the noise is another */
    walk(second, 7);
    assert_memory_not_equal(mms_dynamics_ensemble(whole)->y, mms_dynamics_ensemble(second)->y, sizeof kept);
    mms_dynamics_free(&whole);
    mms_dynamics_free(&second);
  }
}

/* Truth l: with n = 1 the projected gradient is zero, so only noise moves the particles ... */
static void one_gaussian_has_no_force(void **state) {
  (void)state;
  double point[3] = {1.0, 2.0, -1.0};
  mms_training training = {.count = 1, .dim = 3, .points = point};
  mms_dynamics_context context = setting(&training, 40);
  context.score.smoothing = 0.0;
  context.sampler.step_size_auto = false;
  context.sampler.scheme = MMS_SCHEME_EM;
  context.sampler.step_size = 1e-16; /* noise of 1e-8: what is left is the force */
  mms_dynamics *dynamics = begin(&context);
  double before[120];
  memcpy(before, mms_dynamics_ensemble(dynamics)->y, sizeof before);
  mms_dynamics_free(&dynamics);
  context.sampler.step_size = 1e3; /* the same start; the gradient is Y itself, times 1e3 */
  context.sampler.seed = 4;
  dynamics = begin(&context);
  walk(dynamics, 1);
  double noise[120], norm = 0.0;
  const double *after = mms_dynamics_ensemble(dynamics)->y;
  for (uint64_t p = 0; p < 40; p++)
    mms_random_normals((mms_random_key){.seed = 4, .stream = MMS_STREAM_LANGEVIN, .step = 1, .item = p}, 0, 3,
                       noise + 3 * p);
  mms_constraint *constraint = NULL; /* the plain step without any force */
  mms_error error = mms_error_none();
  mms_blocks blocks = mms_blocks_make(40, 16, 0, 1);
  expect_ok(mms_constraint_create(&constraint, &blocks, 3, MMS_RETRACTION_QR, &error), &error);
  for (int i = 0; i < 120; i++) noise[i] *= sqrt(2e3);
  mms_constraint_begin(constraint);
  assert_int_equal(mms_constraint_add(constraint, before, noise), -1);
  expect_ok(mms_constraint_reduce(constraint, NULL, &error), &error);
  expect_ok(mms_constraint_apply(constraint, NULL, before, noise, &error), &error);
  for (int i = 0; i < 120; i++) {
    expect_near(after[i], before[i], 1e-10);
    norm = fmax(norm, fabs(after[i]));
  }
  assert_true(norm > 1.0);
  mms_constraint_free(&constraint);
  mms_dynamics_free(&dynamics);
}

/* ... and the law is uniform on the manifold: E y⁴ = 3 (P − 1)/(P + 1) at d = 1. */
static void one_gaussian_fourth_moment(void **state) {
  (void)state;
  enum { P = 8, STEPS = 20000, BATCHES = 50 };
  double point = -3.0;
  mms_training training = {.count = 1, .dim = 1, .points = &point};
  mms_dynamics_context context = setting(&training, P);
  context.sampler.step_size_auto = false;
  context.sampler.step_size = 0.5;
  for (int scheme = 0; scheme < 4; scheme += 3) {
    context.sampler.scheme = (mms_scheme)scheme;
    mms_dynamics *dynamics = begin(&context);
    const double *y = mms_dynamics_ensemble(dynamics)->y;
    walk(dynamics, 50);
    double batches[BATCHES] = {0}, mean = 0.0, variance = 0.0;
    for (int step = 0; step < STEPS; step++) {
      walk(dynamics, 1);
      for (int p = 0; p < P; p++)
        batches[step / (STEPS / BATCHES)] += y[p] * y[p] * y[p] * y[p] / P / (STEPS / BATCHES);
    }
    for (int b = 0; b < BATCHES; b++) mean += batches[b] / BATCHES;
    for (int b = 0; b < BATCHES; b++) variance += (batches[b] - mean) * (batches[b] - mean) / (BATCHES - 1);
    double standard_error = sqrt(variance / BATCHES);
    assert_true(standard_error < 0.02);
    expect_near(mean, 3.0 * (P - 1) / (P + 1), 4.0 * standard_error);
    mms_dynamics_free(&dynamics);
  }
}

static void potential_and_step_size_are_reported(void **state) {
  (void)state;
  mms_training training = clusters(2);
  mms_dynamics_context context = setting(&training, 40);
  for (int smooth = 0; smooth < 2; smooth++) {
    context.score.smoothing = smooth ? 0.2 : 0.0;
    for (int scheme = 0; scheme < 4; scheme++) {
      context.sampler.scheme = (mms_scheme)scheme;
      mms_dynamics *dynamics = begin(&context);
      double bound = mms_dynamics_target(dynamics)->step_bound, z[80], potential[40], gradient[80], sum = 0.0;
      expect_near(mms_dynamics_step_size(dynamics), scheme == MMS_SCHEME_EXPONENTIAL ? bound : bound / 2, 0.0);
      mms_target_positions(mms_dynamics_target(dynamics), 40, mms_dynamics_ensemble(dynamics)->y, z);
      mms_error error = mms_error_none();
      mms_field *field = NULL;
      expect_ok(mms_field_create(&field, NULL, &training, MMS_BACKEND_REFERENCE, 40, 2, &error), &error);
      mms_queries queries = {.count = 40,
                             .points = z,
                             .bandwidth = 0.3,
                             .smoothing = context.score.smoothing,
                             .pairs = 2,
                             .seed = 4,
                             .step = 1};
      expect_ok(mms_field_gradient(field, &queries, gradient, potential, &error), &error);
      for (int p = 0; p < 40; p++) sum += potential[p] / 40.0;
      mms_step_request request = {.stop = scheme == 1, .checkpoint = scheme == 2};
      mms_step_report report;
      expect_ok(mms_dynamics_step(dynamics, &request, &report, &error), &error);
      expect_near(report.mean_potential, sum, 1e-9);
      assert_int_equal(report.stop, scheme == 1);
      assert_int_equal(report.checkpoint, scheme == 2);
      assert_true(mms_dynamics_bytes(dynamics) > 0 && mms_dynamics_field(dynamics) != NULL);
      mms_field_free(&field);
      mms_dynamics_free(&dynamics);
    }
  }
}

static void impossible_options_are_refused(void **state) {
  (void)state;
  mms_training training = clusters(2);
  const mms_dynamics_context good = setting(&training, 40);
  mms_dynamics *dynamics = NULL;
  mms_error error = mms_error_none();
#define REFUSED(change, words)                                                                                         \
  do {                                                                                                                 \
    mms_dynamics_context context = good;                                                                               \
    context.change;                                                                                                    \
    expect_refused(mms_dynamics_create(&dynamics, &context, &error), MMS_ERR_INPUT, &error, words);                    \
    assert_null(dynamics);                                                                                             \
  } while (0)
  REFUSED(sampler.particles = 2, "particles = 2 is too few for dimension 2");
  REFUSED(sampler.particles = 0, "particles = 0");
  REFUSED(sampler.particles = INT64_MAX, "2^48");
  REFUSED(sampler.steps = -1, "steps = -1");
  REFUSED(sampler = ((mms_sampler_options){.particles = 40, .step_size = 0.0}), "step_size = 0");
  REFUSED(sampler = ((mms_sampler_options){.particles = 40, .step_size = -1.0}), "step_size = -1");
  REFUSED(sampler = ((mms_sampler_options){.particles = 40, .step_size = NAN}), "step_size = ");
  REFUSED(sampler = ((mms_sampler_options){.particles = 40, .step_size = INFINITY}), "step_size = inf");
  REFUSED(sampler.method = (mms_method)9, "method number 9");
  REFUSED(sampler.scheme = (mms_scheme)9, "scheme number 9");
  REFUSED(sampler.retraction = (mms_retraction)9, "retraction number 9");
  REFUSED(score.smoothing = -0.1, "smoothing = -0.1");
  REFUSED(score.smoothing = NAN, "smoothing = ");
  REFUSED(score.smoothing_samples = 3, "smoothing_samples = 3");
  REFUSED(score.smoothing_samples = -2, "smoothing_samples = -2");
  REFUSED(score.bandwidth = 0.0, "bandwidth = 0");
#undef REFUSED
}

static void broken_states_name_the_particle(void **state) {
  (void)state;
  mms_training training = clusters(2);
  mms_dynamics_context context = setting(&training, 100);
  mms_step_report report;
  mms_error error = mms_error_none();
  mms_dynamics *dynamics = begin(&context);
  double *y = mms_dynamics_ensemble(dynamics)->y, kept = y[2 * 61];
  const double bad[] = {NAN, INFINITY, 1e200};
  for (int c = 0; c < 3; c++) {
    y[2 * 61] = y[2 * 90] = bad[c];
    expect_refused(mms_dynamics_step(dynamics, &(mms_step_request){0}, &report, &error), MMS_ERR_NUMERIC, &error,
                   "the position of particle 61");
    assert_non_null(strstr(error.message, "step 1:"));
    assert_int_equal(mms_dynamics_steps_done(dynamics), 0);
  }
  y[2 * 61] = y[2 * 90] = kept;
  walk(dynamics, 1); /* an error leaves nothing behind */
  mms_dynamics_free(&dynamics);

  context.sampler.step_size_auto = false;
  context.sampler.step_size = 1e9;
  context.sampler.scheme = MMS_SCHEME_LM;
  dynamics = begin(&context);
  double before[200];
  memcpy(before, mms_dynamics_ensemble(dynamics)->y, sizeof before);
  expect_refused(mms_dynamics_step(dynamics, &(mms_step_request){0}, &report, &error), MMS_ERR_NUMERIC, &error,
                 "times the stability bound");
  assert_non_null(strstr(error.message, "step_size = 1e+09"));
  assert_non_null(strstr(error.message, "exponential scheme"));
  assert_memory_equal(before, mms_dynamics_ensemble(dynamics)->y, sizeof before);
  mms_dynamics_free(&dynamics);
}

static void schemes_have_names(void **state) {
  (void)state;
  assert_string_equal(mms_scheme_name(MMS_SCHEME_LM), "lm");
  assert_string_equal(mms_scheme_name(MMS_SCHEME_LM_CORRECTED), "lm-corrected");
  assert_string_equal(mms_scheme_name(MMS_SCHEME_EM), "em");
  assert_string_equal(mms_scheme_name(MMS_SCHEME_EXPONENTIAL), "exponential");
  assert_string_equal(mms_scheme_name((mms_scheme)77), "unknown");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(moments_are_exact_after_every_step),
      cmocka_unit_test(exponential_stays_put_where_lm_flies_apart),
      cmocka_unit_test(resume_continues_the_same_run),
      cmocka_unit_test(one_gaussian_has_no_force),
      cmocka_unit_test(one_gaussian_fourth_moment),
      cmocka_unit_test(potential_and_step_size_are_reported),
      cmocka_unit_test(impossible_options_are_refused),
      cmocka_unit_test(broken_states_name_the_particle),
      cmocka_unit_test(schemes_have_names),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
