/* The closed-form flow: straight lines (t), landing on training points (u), one step against plain loops, resume (v).
 */
#include "dynamics_support.h"

static mms_dynamics_context setting(const mms_training *training, int64_t particles, int64_t steps) {
  return (mms_dynamics_context){
      .training = training,
      .score = {.bandwidth = 0.1},
      .sampler = {.method = MMS_METHOD_CFDM, .particles = particles, .steps = steps, .seed = 11}};
}

/* Truth t: with one training point x every Euler step lies on the line z(t) = x + (z_0 − x)(1−t)/(1−1/T), and the last
 * one, to t = 1, ends on x. Fires: with z + (k̄ − z)/T, the 1/(1−t) left out, it was seen to fail. */
static void one_point_is_reached_on_straight_lines(void **state) {
  (void)state;
  enum { P = 50, D = 3, T = 40 };
  double point[D] = {2.0, -1.0, 30.0}, start[P * D], z[P * D], noise[P * D];
  mms_training training = {.count = 1, .dim = D, .points = point};
  mms_dynamics_context context = setting(&training, P, T);
  for (int smooth = 0; smooth < 2; smooth++) {
    context.score.smoothing = smooth ? 0.5 : 0.0;
    context.score.smoothing_samples = smooth ? 4 : 0;
    mms_dynamics *dynamics = begin(&context);
    positions(dynamics, start); /* N(0, I), around 0 and not around the data */
    mms_random_normals_items((mms_random_key){.seed = 11, .stream = MMS_STREAM_START_NOISE}, P, D, noise);
    for (int i = 0; i < P * D; i++) expect_near(start[i], noise[i], 1e-13);
    for (int k = 1; k < T; k++) {
      walk(dynamics, 1);
      positions(dynamics, z);
      double left = 1.0 - (k + 1.0) / T;
      for (int i = 0; i < P * D; i++)
        expect_near(z[i], point[i % D] + (start[i] - point[i % D]) * left / (1.0 - 1.0 / T), 1e-12);
    }
    assert_int_equal(mms_dynamics_steps_done(dynamics), mms_sampler_steps(&context.sampler));
    mms_step_report report;
    mms_error error = mms_error_none();
    expect_refused(mms_dynamics_step(dynamics, &(mms_step_request){0}, &report, &error), MMS_ERR_INTERNAL, &error,
                   "step 40 of a flow that is over after 39");
    mms_dynamics_free(&dynamics);
  }
}

/* Truth u: without smoothing the flow ends on training points, all of them; with it between them. Fires: with the
 * 1/(1−t) left out it was seen to fail. */
static void flow_lands_on_training_points(void **state) {
  (void)state;
  enum { N = 8, P = 400, T = 100 };
  double points[2 * N], z[2 * P], expected = (double)P / N;
  for (int i = 0; i < N; i++) {
    points[2 * i] = cos(2.0 * M_PI * i / N);
    points[2 * i + 1] = sin(2.0 * M_PI * i / N);
  }
  mms_training training = {.count = N, .dim = 2, .points = points};
  mms_dynamics_context context = setting(&training, P, T);
  for (int smooth = 0; smooth < 2; smooth++) {
    context.score.smoothing = smooth ? 0.4 : 0.0;
    context.score.smoothing_samples = smooth ? 16 : 0;
    mms_dynamics *dynamics = begin(&context);
    walk(dynamics, T - 1);
    positions(dynamics, z);
    int count[N] = {0}, away = 0;
    for (int p = 0; p < P; p++) {
      int nearest = 0;
      double least = INFINITY;
      for (int i = 0; i < N; i++) {
        double distance = hypot(z[2 * p] - points[2 * i], z[2 * p + 1] - points[2 * i + 1]);
        if (distance < least) nearest = i;
        least = fmin(least, distance);
      }
      count[nearest]++;
      if (!smooth) expect_near(least, 0.0, 1e-9);
      away += least > 0.05;
    }
    double chi_square = 0.0; /* by symmetry all are as likely; 7 degrees of freedom exceed 24.3 once in 1,000 times */
    for (int i = 0; i < N; i++) chi_square += (count[i] - expected) * (count[i] - expected) / expected;
    assert_true(chi_square < 24.3);
    if (smooth) assert_true(away > P / 4);
    mms_dynamics_free(&dynamics);
  }
}

static int64_t block_of(const mms_dynamics_context *context, int64_t p) {
  const int64_t particles = context->sampler.particles, draws = context->score.smoothing_samples;
  const mms_blocks blocks = mms_blocks_make_even(particles, mms_ensemble_block_count(particles, 2, draws), 0, 1);
  int64_t b = 0;
  while (mms_blocks_first_row(&blocks, b + 1) <= p) b++;
  return b;
}

/* The draw of pair `pair` for particle `p` in step `step`. */
static void draw(const mms_dynamics_context *context, int64_t p, int64_t step, int pair, float *eps) {
  const mms_score_options *score = &context->score;
  mms_random_key key = {.seed = 11, .stream = MMS_STREAM_SMOOTHING};
  key.step = score->noise == MMS_NOISE_FIXED ? 0 : (uint64_t)step;
  if (score->sharing == MMS_SHARING_PARTICLE) key.item = (uint64_t)p;
  if (score->sharing == MMS_SHARING_BLOCK) key.item = (uint64_t)block_of(context, p);
  mms_random_normals_float(key, (int64_t)pair * 2, 2, eps);
}

/* Step k as ALGORITHMS 7 writes it, through the score: s = (Σ w t x − z)/(1−t)², v = (z + (1−t)s)/t, z + v/T. */
static void step_by_hand(const mms_dynamics_context *context, int64_t p, int64_t k, const double *z, double *out) {
  const mms_training *training = context->training;
  const double t = (double)k / (double)context->sampler.steps, u = 1.0 - t, sigma = context->score.smoothing;
  const int draws = (int)context->score.smoothing_samples;
  double pull[2] = {0.0, 0.0}, weights[16];
  for (int m = 0; m < draws; m++) {
    float eps[2];
    draw(context, p, k, m / 2, eps);
    double sign = m % 2 == 0 ? 1.0 : -1.0, total = 0.0, largest = -INFINITY;
    for (int64_t i = 0; i < training->count; i++) {
      const double *x = training->points + 2 * i;
      double square = (z[0] - t * x[0]) * (z[0] - t * x[0]) + (z[1] - t * x[1]) * (z[1] - t * x[1]);
      weights[i] = -(square - 2.0 * sigma * t * sign * ((double)eps[0] * x[0] + (double)eps[1] * x[1])) / (2.0 * u * u);
      largest = fmax(largest, weights[i]);
    }
    for (int64_t i = 0; i < training->count; i++) total += weights[i] = exp(weights[i] - largest);
    for (int64_t i = 0; i < training->count; i++)
      for (int c = 0; c < 2; c++) pull[c] += weights[i] / total * t * training->points[2 * i + c] / draws;
  }
  for (int c = 0; c < 2; c++) {
    double score = (pull[c] - z[c]) / (u * u);
    out[c] = z[c] + (z[c] + u * score) / t / (double)context->sampler.steps;
  }
}

/* Fires: with queries z in place of z/t, and with smoothing σ in place of σ/t, only this one was seen to fail. */
static void steps_are_those_of_plain_loops(void **state) {
  (void)state;
  enum { N = 12, P = 40, T = 30 };
  double points[2 * N], before[2 * P], after[2 * P], expected[2];
  for (int i = 0; i < 2 * N; i++) points[i] = sin(1.9 * i) + 0.3 * (i % 2);
  mms_training training = {.count = N, .dim = 2, .points = points};
  mms_dynamics_context context = setting(&training, P, T);
  context.score.smoothing = 0.3;
  context.score.smoothing_samples = 6;
  context.score.nearest = N;
  for (int c = 0; c < 6; c++) {
    context.score.noise = (mms_noise)(c % 2);
    context.score.sharing = (mms_sharing)(c / 2);
    context.score.backend = c == 0 ? MMS_BACKEND_REFERENCE : c == 1 ? MMS_BACKEND_DENSE : MMS_BACKEND_AUTO;
    if (c == 2) context.score.backend = MMS_BACKEND_NEIGHBOURS; /* all of them: the exact flow */
    mms_dynamics *dynamics = begin(&context);
    for (int k = 1; k < T; k++) {
      positions(dynamics, before);
      mms_step_report report = walk(dynamics, 1);
      positions(dynamics, after);
      for (int p = 0; p < P; p++) {
        step_by_hand(&context, p, k, before + 2 * p, expected);
        for (int a = 0; a < 2; a++) expect_near(after[2 * p + a], expected[a], 1e-9);
      }
      assert_true(isfinite(report.mean_potential) && isnan(report.kinetic_temperature));
    }
    mms_dynamics_free(&dynamics);
  }
}

static void resume_and_refusals(void **state) {
  (void)state;
  enum { P = 40, D = 2 };
  double points[6] = {0.0, 1.0, 2.0, 0.5, -1.0, 0.2}, kept[P * D];
  mms_training training = {.count = 3, .dim = D, .points = points};
  mms_dynamics_context context = setting(&training, P, 20);
  context.score.smoothing = 0.2;
  context.score.smoothing_samples = 4;
  mms_dynamics *whole = begin(&context), *second = NULL;
  mms_error error = mms_error_none();
  walk(whole, 9);
  memcpy(kept, mms_dynamics_ensemble(whole)->y, sizeof kept);
  walk(whole, 10);
  expect_ok(mms_dynamics_create(&second, &context, &error), &error);
  memcpy(mms_dynamics_ensemble(second)->y, kept, sizeof kept);
  mms_dynamics_resume(second, 9);
  walk(second, 10);
  assert_memory_equal(mms_dynamics_ensemble(whole)->y, mms_dynamics_ensemble(second)->y, sizeof kept);
  char text[256];
  mms_dynamics_describe(whole, text, sizeof text);
  assert_non_null(strstr(text, "19 Euler steps of 1/20"));
  assert_false(mms_dynamics_caution(whole, text, sizeof text));
  mms_dynamics_free(&whole);
  mms_dynamics_ensemble(second)->y[2 * 17] = NAN;
  mms_dynamics_resume(second, 3);
  mms_step_report report;
  expect_refused(mms_dynamics_step(second, &(mms_step_request){0}, &report, &error), MMS_ERR_NUMERIC, &error,
                 "the position of particle 17 is not finite");
  mms_dynamics_free(&second);
  context.sampler.steps = 1;
  expect_refused(mms_dynamics_create(&second, &context, &error), MMS_ERR_INPUT, &error, "a flow needs 2 or more");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(one_point_is_reached_on_straight_lines),
      cmocka_unit_test(flow_lands_on_training_points),
      cmocka_unit_test(steps_are_those_of_plain_loops),
      cmocka_unit_test(resume_and_refusals),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
