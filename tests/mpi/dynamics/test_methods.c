/* Law 1 and truth v for the ways of moving without the constraint: the same bits at any number of ranks, in every array
 * of the state; errors alike. */
#include "dynamics_support.h"
#include "team_support.h"

enum { N = 50, D = 10 };
static double points[N * D];

static mms_training cloud(void) { return heaps_in(points, N, D); }

static const struct {
  mms_method method;
  mms_scheme scheme;
} ways[] = {{MMS_METHOD_LANGEVIN, MMS_SCHEME_LM},
            {MMS_METHOD_LANGEVIN, MMS_SCHEME_EXPONENTIAL},
            {MMS_METHOD_KINETIC, MMS_SCHEME_ABOBA},
            {MMS_METHOD_KINETIC, MMS_SCHEME_BAOAB},
            {MMS_METHOD_CFDM, MMS_SCHEME_LM}};
enum { WAYS = sizeof ways / sizeof *ways };

static mms_dynamics *begin_way(const mms_team *over, const mms_training *training, int64_t particles, int way) {
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
  return begin(&context);
}

/* Every rank also makes the whole run alone and compares its own rows with it. */
static void same_bits_as_alone(void **state) {
  (void)state;
  mms_training training = cloud();
  const int64_t counts[] = {107, 21}; /* 7 and 2 blocks of two sizes each */
  for (int c = 0; c < 2; c++)
    for (int way = 0; way < WAYS; way++) {
      mms_dynamics *together = begin_way(team, &training, counts[c], way);
      mms_dynamics *alone = begin_way(NULL, &training, counts[c], way);
      for (int step = 0; step < 10; step++) {
        mms_step_request request = {.stop = step == 3 && mms_team_rank(team) == mms_team_size(team) - 1};
        assert_int_equal(step_alike(together, &request, alone).stop, step == 3);
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

static void broken_particle_is_named_alike_on_all_ranks(void **state) {
  (void)state;
  mms_training training = cloud();
  for (int way = 0; way < WAYS; way++) {
    mms_dynamics *dynamics = begin_way(team, &training, 100, way);
    break_particles(mms_dynamics_ensemble(dynamics), 37, 30); /* 37, 67 and 97: on several ranks */
    mms_step_report report;
    mms_error error = mms_error_none();
    expect_refused(mms_dynamics_step(dynamics, &(mms_step_request){0}, &report, &error), MMS_ERR_NUMERIC, &error,
                   "the position of particle 37 ");
    expect_same_message(&error);
    mms_dynamics_free(&dynamics);
  }
}

int main(int argc, char **argv) {
  if (!team_begin(&argc, &argv)) return 1;
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(same_bits_as_alone),
      cmocka_unit_test(broken_particle_is_named_alike_on_all_ranks),
  };
  return team_end(cmocka_run_group_tests(tests, NULL, NULL));
}
