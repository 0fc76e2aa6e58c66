/* Law 1 and truth v for the ways of moving without the constraint: the same bits at any number of ranks, in every array
 * of the state; errors alike. */
#include "support.h"

#include "mmsold/dynamics/dynamics.h"
#include "mmsold/random/random.h"
#include <stdlib.h>

enum { N = 50, D = 10 };
static double points[N * D];
static mms_team *team;

static mms_training cloud(void) {
  for (int i = 0; i < N * D; i++) points[i] = sin(1.1 * i) * (1.0 + i % D) + (double)(i / D % 3);
  return (mms_training){.count = N, .dim = D, .points = points};
}

static const struct {
  mms_method method;
  mms_scheme scheme;
} ways[] = {{MMS_METHOD_LANGEVIN, MMS_SCHEME_LM},
            {MMS_METHOD_LANGEVIN, MMS_SCHEME_EXPONENTIAL},
            {MMS_METHOD_KINETIC, MMS_SCHEME_ABOBA},
            {MMS_METHOD_KINETIC, MMS_SCHEME_BAOAB},
            {MMS_METHOD_CFDM, MMS_SCHEME_LM}};
enum { WAYS = sizeof ways / sizeof *ways };

static mms_dynamics *begin(const mms_team *over, const mms_training *training, int64_t particles, int way) {
  const mms_dynamics_context context = {.team = over,
                                        .training = training,
                                        .score = {.bandwidth = 0.5,
                                                  .smoothing = 0.4,
                                                  .smoothing_samples = 4,
                                                  .sharing = (mms_sharing)(way % 3),
                                                  .backend = MMS_BACKEND_DENSE},
                                        .sampler = {.method = ways[way].method,
                                                    .scheme = ways[way].scheme,
                                                    .particles = particles,
                                                    .steps = 30,
                                                    .step_size_auto = true,
                                                    .friction = 1.0,
                                                    .seed = 9}};
  mms_dynamics *dynamics = NULL;
  mms_error error = mms_error_none();
  expect_ok(mms_dynamics_create(&dynamics, &context, &error), &error);
  expect_ok(mms_dynamics_start(dynamics, &error), &error);
  return dynamics;
}

/* Every rank also makes the whole run alone and compares its own rows with it. */
static void same_bits_as_alone(void **state) {
  (void)state;
  mms_training training = cloud();
  mms_error error = mms_error_none();
  const int64_t counts[] = {105, 21}; /* 7 and 2 blocks, the last ones short */
  for (int c = 0; c < 2; c++)
    for (int way = 0; way < WAYS; way++) {
      mms_dynamics *together = begin(team, &training, counts[c], way);
      mms_dynamics *alone = begin(NULL, &training, counts[c], way);
      mms_step_report report, report_alone;
      for (int step = 0; step < 10; step++) {
        mms_step_request request = {.stop = step == 3 && mms_team_rank(team) == mms_team_size(team) - 1};
        expect_ok(mms_dynamics_step(together, &request, &report, &error), &error);
        expect_ok(mms_dynamics_step(alone, &(mms_step_request){0}, &report_alone, &error), &error);
        assert_int_equal(report.stop, step == 3);
        expect_near(report.mean_potential, report_alone.mean_potential, 0.0);
        expect_near(report.drift, report_alone.drift, 0.0);
        expect_near(report.covariance_defect, report_alone.covariance_defect, 0.0);
        if (!isnan(report.kinetic_temperature))
          expect_near(report.kinetic_temperature, report_alone.kinetic_temperature, 0.0);
      }
      const mms_blocks *mine = &mms_dynamics_ensemble(together)->blocks;
      mms_state_array here[MMS_STATE_ARRAYS], whole[MMS_STATE_ARRAYS];
      int arrays = mms_dynamics_arrays(together, here);
      assert_int_equal(mms_dynamics_arrays(alone, whole), arrays);
      for (int a = 0; a < arrays; a++)
        assert_memory_equal(here[a].data, whole[a].data + mine->first_row * D,
                            (size_t)(mine->n_local * D) * sizeof(double));
      mms_dynamics_free(&together);
      mms_dynamics_free(&alone);
    }
}

/* The message every rank holds is the lowest rank's. */
static void expect_same_message(const mms_error *error) {
  mms_error first = *error;
  mms_team_broadcast(team, &first, sizeof first, 0);
  assert_int_equal(first.status, error->status);
  assert_string_equal(first.message, error->message);
}

static void broken_particle_is_named_alike_on_all_ranks(void **state) {
  (void)state;
  mms_training training = cloud();
  for (int way = 0; way < WAYS; way++) {
    mms_dynamics *dynamics = begin(team, &training, 100, way);
    mms_ensemble *ensemble = mms_dynamics_ensemble(dynamics);
    for (int64_t p = 37; p < 100; p += 30) { /* 37, 67 and 97: on several ranks */
      int64_t local = p - ensemble->blocks.first_row;
      if (local >= 0 && local < ensemble->blocks.n_local) ensemble->y[local * D + 2] = NAN;
    }
    mms_step_report report;
    mms_error error = mms_error_none();
    expect_refused(mms_dynamics_step(dynamics, &(mms_step_request){0}, &report, &error), MMS_ERR_NUMERIC, &error,
                   "the position of particle 37 ");
    expect_same_message(&error);
    mms_dynamics_free(&dynamics);
  }
}

int main(int argc, char **argv) {
  mms_error error = mms_error_none();
  if (mms_world_begin(&argc, &argv, &error) != MMS_OK || mms_team_create(&team, &error) != MMS_OK) return 1;
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(same_bits_as_alone),
      cmocka_unit_test(broken_particle_is_named_alike_on_all_ranks),
  };
  int failed = cmocka_run_group_tests(tests, NULL, NULL);
  if (failed != 0) mms_world_abort(1); /* the others may wait for this rank */
  mms_team_free(&team);
  mms_world_end();
  return 0;
}
