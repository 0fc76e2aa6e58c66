/* What a step sees for the trace: chunk averages, the step's two parts and the nearest training points are those that a
 * plain loop finds, the same bits at any number of ranks, and the step itself is not touched by being looked at. */
#include "dynamics_support.h"
#include "team_support.h"

#include "mmsold/base/sort.h"

enum { N = 60, D = 3, P = 310, STEPS = 12 };
static double points[N * D];

static mms_training cloud(void) { return heaps_in(points, N, D); }

static const struct {
  mms_method method;
  mms_scheme scheme;
  mms_backend backend;
} ways[] = {{MMS_METHOD_MMSOLD, MMS_SCHEME_EM, MMS_BACKEND_DENSE},
            {MMS_METHOD_MMSOLD, MMS_SCHEME_EXPONENTIAL, MMS_BACKEND_TREE},
            {MMS_METHOD_LANGEVIN, MMS_SCHEME_LM, MMS_BACKEND_REFERENCE}};
enum { WAYS = sizeof ways / sizeof *ways };

static mms_dynamics *begin_way(const mms_team *over, const mms_training *training, int64_t particles, int way) {
  const mms_dynamics_context context = {
      .team = over,
      .training = training,
      .score = {.bandwidth = 0.5, .smoothing = 0.4, .smoothing_samples = 4, .backend = ways[way].backend},
      .sampler = {.method = ways[way].method,
                  .scheme = ways[way].scheme,
                  .particles = particles,
                  .steps = STEPS,
                  .step_size_auto = true,
                  .seed = 9}};
  return begin(&context);
}

static void same_bits_at_any_number_of_ranks(void **state) {
  (void)state;
  mms_training training = cloud();
  mms_error error = mms_error_none();
  for (int way = 0; way < WAYS; way++) {
    mms_dynamics *together = begin_way(team, &training, P, way), *alone = begin_way(NULL, &training, P, way);
    mms_dynamics *unseen = begin_way(NULL, &training, P, way);
    mms_step_report a, b;
    for (int step = 0; step < STEPS; step++) {
      const mms_step_request look = {.observe = step % 3 == 0};
      expect_ok(mms_dynamics_step(together, &look, &a, &error), &error);
      expect_ok(mms_dynamics_step(alone, &look, &b, &error), &error);
      expect_ok(mms_dynamics_step(unseen, &(mms_step_request){0}, &b, &error), &error);
      if (!look.observe) continue;
      expect_ok(mms_dynamics_step(alone, &(mms_step_request){.observe = true}, &b, &error), &error);
      expect_ok(mms_dynamics_step(together, &(mms_step_request){.observe = true}, &a, &error), &error);
      expect_ok(mms_dynamics_step(unseen, &(mms_step_request){0}, &(mms_step_report){0}, &error), &error);
      assert_memory_equal(&a.observation, &b.observation, sizeof a.observation);
    }
    const mms_ensemble *seen = mms_dynamics_ensemble(alone), *other = mms_dynamics_ensemble(unseen);
    assert_memory_equal(seen->y, other->y, (size_t)(P * D) * sizeof(double)); /* looking changes nothing */
    mms_dynamics_free(&together);
    mms_dynamics_free(&alone);
    mms_dynamics_free(&unseen);
  }
}

/* The distance to the nearest training point in bandwidths, of every particle, sorted. */
static void distances_of(const mms_target *target, const double *y, int64_t count, double *out) {
  for (int64_t p = 0; p < count; p++) {
    double z[D];
    mms_target_positions(target, 1, y + p * D, z);
    out[p] = INFINITY;
    for (int i = 0; i < N; i++) {
      double square = 0;
      for (int k = 0; k < D; k++) square += (z[k] - points[i * D + k]) * (z[k] - points[i * D + k]);
      out[p] = fmin(out[p], sqrt(square) / 0.5);
    }
  }
  mms_sort_doubles(out, count);
}

static void what_is_seen_is_what_is_there(void **state) {
  (void)state;
  mms_training training = cloud();
  mms_error error = mms_error_none();
  for (int way = 0; way < WAYS; way++) {
    mms_dynamics *dynamics = begin_way(NULL, &training, P, way); /* alone: all of Y is here */
    const mms_ensemble *ensemble = mms_dynamics_ensemble(dynamics);
    mms_step_report report;
    walk(dynamics, 3);
    double before[P * D], distances[P];
    memcpy(before, ensemble->y, sizeof before);
    expect_ok(mms_dynamics_step(dynamics, &(mms_step_request){.observe = true}, &report, &error), &error);
    const mms_observation *seen = &report.observation;
    const mms_blocks *blocks = &ensemble->blocks;
    assert_int_equal(seen->chunks, 8);
    double sum[3][8] = {{0}}, particles[8] = {0}, potential = 0;
    for (int64_t b = 0; b < blocks->count; b++) {
      int64_t chunk = b * 8 / blocks->count;
      for (int64_t p = mms_blocks_first_row(blocks, b);
           p < mms_blocks_first_row(blocks, b) + mms_blocks_rows(blocks, b); p++) {
        const double *y = before + p * D;
        sum[0][chunk] += y[0];
        sum[1][chunk] += y[1];
        sum[2][chunk] += (y[0] * y[0] + y[1] * y[1] + y[2] * y[2]) / D;
        particles[chunk]++;
      }
    }
    for (int c = 0; c < 8; c++) {
      expect_near(seen->mean[MMS_OBSERVE_FIRST][c], sum[0][c] / particles[c], 1e-13);
      expect_near(seen->mean[MMS_OBSERVE_SECOND][c], sum[1][c] / particles[c], 1e-13);
      expect_near(seen->mean[MMS_OBSERVE_RADIUS][c], sum[2][c] / particles[c], 1e-13);
      potential += seen->mean[MMS_OBSERVE_POTENTIAL][c] * particles[c] / P;
    }
    expect_near(potential, report.mean_potential, 1e-8);
    distances_of(mms_dynamics_target(dynamics), before, P, distances); /* P < 512: every block is looked at */
    for (int q = 0; q < MMS_QUANTILES; q++) {
      double exact = distances[(int)(mms_observation_quantiles[q] * P)];
      expect_near(seen->nearest[q] / exact, 1, 0.1);
    }
    assert_true(seen->step_ratio > 0.05 && seen->step_ratio < 5);
    mms_dynamics_free(&dynamics);
  }
}

/* n = 1, Euler: the pull is −h Y (L Lᵀ = δ² I), the noise √(2h) ξ; so the ratio is √(h/2) on the manifold, where the
 * mean square of Y is 1. */
static void the_ratio_has_its_closed_form(void **state) {
  (void)state;
  const double one[2] = {3, -1};
  const mms_training training = {.count = 1, .dim = 2, .points = one};
  mms_error error = mms_error_none();
  for (int i = 0; i < 2; i++) {
    const mms_dynamics_context context = {
        .team = team,
        .training = &training,
        .score = {.bandwidth = 0.5},
        .sampler = {.scheme = MMS_SCHEME_EM, .particles = 4000, .steps = 1, .step_size = i == 0 ? 0.5 : 0.02}};
    mms_dynamics *dynamics = begin(&context);
    mms_step_report report;
    expect_ok(mms_dynamics_step(dynamics, &(mms_step_request){.observe = true}, &report, &error), &error);
    /* the noise's own mean square has a standard error of √(2/8000) */
    expect_near(report.observation.step_ratio / sqrt(0.5 * context.sampler.step_size), 1, 5 * 0.5 * sqrt(2.0 / 8000));
    assert_int_equal(report.observation.chunks, 8);
    mms_dynamics_free(&dynamics);
  }
}

/* Fewer blocks than chunks: what is not there is not a number, and a particle on a training point is seen to be. */
static void few_blocks_and_copies(void **state) {
  (void)state;
  mms_training training = cloud();
  mms_error error = mms_error_none();
  mms_dynamics *dynamics = begin_way(NULL, &training, 20, 2);
  mms_step_report report;
  const mms_target *target = mms_dynamics_target(dynamics);
  for (int p = 0; p < 20; p++)
    mms_target_coordinates(target, 1, points + (size_t)p * D, mms_dynamics_ensemble(dynamics)->y + (size_t)p * D);
  expect_ok(mms_dynamics_step(dynamics, &(mms_step_request){.observe = true}, &report, &error), &error);
  assert_int_equal(report.observation.chunks, 2);
  assert_true(isfinite(report.observation.mean[MMS_OBSERVE_POTENTIAL][1]));
  assert_true(isnan(report.observation.mean[MMS_OBSERVE_POTENTIAL][2]));
  for (int q = 0; q < MMS_QUANTILES; q++) assert_true(report.observation.nearest[q] < 0.005);
  mms_dynamics_free(&dynamics);
}

int main(int argc, char **argv) {
  if (!team_begin(&argc, &argv)) return 1;
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(same_bits_at_any_number_of_ranks),
      cmocka_unit_test(what_is_seen_is_what_is_there),
      cmocka_unit_test(the_ratio_has_its_closed_form),
      cmocka_unit_test(few_blocks_and_copies),
  };
  return team_end(cmocka_run_group_tests(tests, NULL, NULL));
}
