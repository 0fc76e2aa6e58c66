/* Law 1 and truth v: the same bits at any number of ranks, more ranks than blocks too; errors alike. */
#include "dynamics_support.h"
#include "team_support.h"

enum { N = 50, D = 20 };
static double points[N * D];

static mms_training clusters(void) { return clusters_in(points, N, D, 31); }

static mms_dynamics *begin_with(const mms_team *over, const mms_training *training, int64_t particles,
                                mms_scheme scheme) {
  mms_dynamics_context context = {
      .team = over,
      .training = training,
      .score = {.bandwidth = 0.3, .smoothing = 0.2, .smoothing_samples = 4, .backend = MMS_BACKEND_DENSE},
      .sampler = {.particles = particles, .step_size_auto = true, .seed = 9, .scheme = scheme}};
  context.score.sharing = (mms_sharing)(scheme % 3);
  context.sampler.retraction = scheme == MMS_SCHEME_EM ? MMS_RETRACTION_POLAR : MMS_RETRACTION_QR;
  return begin(&context);
}

/* Every rank also makes the whole run alone and compares its own rows with it. */
static void same_bits_as_alone(void **state) {
  (void)state;
  mms_training training = clusters();
  const int64_t counts[] = {205, 49, 21}; /* 13, 4 and 2 blocks of two sizes each */
  for (int c = 0; c < 3; c++)
    for (int scheme = 0; scheme < 4; scheme++) {
      mms_dynamics *together = begin_with(team, &training, counts[c], (mms_scheme)scheme);
      mms_dynamics *alone = begin_with(NULL, &training, counts[c], (mms_scheme)scheme);
      for (int step = 0; step < 20; step++) {
        mms_step_request request = {.stop = step == 3 && mms_team_rank(team) == mms_team_size(team) - 1};
        assert_int_equal(step_alike(together, &request, alone).stop, step == 3);
      }
      const mms_ensemble *mine = mms_dynamics_ensemble(together), *whole = mms_dynamics_ensemble(alone);
      assert_int_equal(whole->blocks.n_local, counts[c]);
      assert_memory_equal(mine->y, whole->y + mine->blocks.first_row * D,
                          (size_t)(mine->blocks.n_local * D) * sizeof(double));
      int64_t rows = mine->blocks.n_local;
      mms_team_sum_int64(team, &rows, 1);
      assert_int_equal(rows, counts[c]);
      mms_dynamics_free(&together);
      mms_dynamics_free(&alone);
    }
}

/* The same where a rank asks the tree for all its particles at once, in an order of its own (truth d): whatever the
 * share of the particles that it sorts. */
static void same_bits_in_the_order_of_an_index(void **state) {
  (void)state;
  enum { MANY = 45000, SPACE = 3, PARTICLES = 700 };
  double *many = malloc(sizeof(double) * MANY * SPACE);
  mms_training training = heaps_in(many, MANY, SPACE);
  mms_dynamics_context context = {
      .team = team,
      .training = &training,
      .score = {.bandwidth = 0.05, .smoothing = 0.03, .smoothing_samples = 4, .backend = MMS_BACKEND_TREE},
      .sampler = {.particles = PARTICLES, .step_size_auto = true, .seed = 9, .scheme = MMS_SCHEME_EXPONENTIAL}};
  mms_dynamics *together = begin(&context);
  assert_true(mms_field_together(mms_dynamics_field(together)));
  context.team = NULL;
  mms_dynamics *alone = begin(&context);
  for (int step = 0; step < 4; step++) {
    mms_step_request request = {.observe = step % 2 == 1};
    step_alike(together, &request, alone);
  }
  const mms_ensemble *mine = mms_dynamics_ensemble(together), *whole = mms_dynamics_ensemble(alone);
  assert_memory_equal(mine->y, whole->y + mine->blocks.first_row * SPACE,
                      (size_t)(mine->blocks.n_local * SPACE) * sizeof(double));
  break_particles(mms_dynamics_ensemble(together), 77, 60);
  mms_step_report report;
  mms_error error = mms_error_none();
  expect_refused(mms_dynamics_step(together, &(mms_step_request){0}, &report, &error), MMS_ERR_NUMERIC, &error,
                 "the position of particle 77");
  expect_same_message(&error);
  mms_dynamics_free(&together);
  mms_dynamics_free(&alone);
  free(many);
}

static void broken_particle_is_named_alike_on_all_ranks(void **state) {
  (void)state;
  mms_training training = clusters();
  mms_dynamics *dynamics = begin_with(team, &training, 200, MMS_SCHEME_LM);
  break_particles(mms_dynamics_ensemble(dynamics), 77, 60); /* 77, 137 and 197: on several ranks */
  mms_step_report report;
  mms_error error = mms_error_none();
  expect_refused(mms_dynamics_step(dynamics, &(mms_step_request){0}, &report, &error), MMS_ERR_NUMERIC, &error,
                 "the position of particle 77");
  expect_same_message(&error);
  double mean, covariance;
  expect_refused(mms_dynamics_measure(dynamics, &mean, &covariance, &error), MMS_ERR_NUMERIC, &error, "3 block(s)");
  expect_same_message(&error);
  mms_dynamics_free(&dynamics);
}

/* A step that blows up: the same words everywhere, and Y is the last good one. */
static void blown_up_step_is_refused_alike(void **state) {
  (void)state;
  mms_training training = clusters();
  mms_dynamics_context context = {.team = team,
                                  .training = &training,
                                  .score = {.bandwidth = 0.3, .backend = MMS_BACKEND_REFERENCE},
                                  .sampler = {.particles = 100, .step_size = 1e9, .seed = 9}};
  mms_dynamics *dynamics = begin(&context);
  mms_step_report report;
  mms_error error = mms_error_none();
  double mean, covariance;
  expect_refused(mms_dynamics_step(dynamics, &(mms_step_request){0}, &report, &error), MMS_ERR_NUMERIC, &error,
                 "times the stability bound");
  expect_same_message(&error);
  expect_ok(mms_dynamics_measure(dynamics, &mean, &covariance, &error), &error);
  expect_near(fmax(mean, covariance), 0.0, 1e-13);
  mms_dynamics_free(&dynamics);

  context.sampler.particles = D; /* and what create refuses is refused alike */
  expect_refused(mms_dynamics_create(&dynamics, &context, &error), MMS_ERR_INPUT, &error, "too few");
  expect_same_message(&error);
  context.sampler.particles = 100;
  context.score.bandwidth = -1.0;
  expect_refused(mms_dynamics_create(&dynamics, &context, &error), MMS_ERR_INPUT, &error, "bandwidth = -1");
  expect_same_message(&error);
}

int main(int argc, char **argv) {
  if (!team_begin(&argc, &argv)) return 1;
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(same_bits_as_alone),
      cmocka_unit_test(same_bits_in_the_order_of_an_index),
      cmocka_unit_test(broken_particle_is_named_alike_on_all_ranks),
      cmocka_unit_test(blown_up_step_is_refused_alike),
  };
  return team_end(cmocka_run_group_tests(tests, NULL, NULL));
}
