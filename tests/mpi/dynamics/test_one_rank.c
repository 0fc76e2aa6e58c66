/* A step in which the factorisation fails, or comes to something else, on one rank alone: the ranks end alike, and one
 * all-reduce a step is all that it takes where nothing fails (law 2). */
#include "dynamics_support.h"
#include "team_support.h"

#include "linalg/small.h"
#include "mmsold/ensemble/constraint.h"
#include "parallel/team_mpi.h"

enum { N = 50, D = 6, PARTICLES = 205 };
static double points[N * D];

static int reductions;    /* MPI_Allreduce made by this rank, and ... */
static int travelled;     /* ... how many numbers the last carried */
static int barriers;      /* of the ranks of a node that reduce in memory they share */
static bool broken;       /* this rank's Cholesky factorisation breaks */
static double slip = 1.0; /* this rank's next factor is so many times too large: an unlike processor, exaggerated */

int MPI_Allreduce(const void *in, void *out, int count, MPI_Datatype type, MPI_Op op, MPI_Comm comm) {
  reductions++;
  travelled = count;
  return PMPI_Allreduce(in, out, count, type, op, comm);
}

int MPI_Barrier(MPI_Comm comm) {
  barriers++;
  return PMPI_Barrier(comm);
}

/* In the library's place. */
int mms_small_cholesky(int n, int width, double *a) {
  if (broken) return n;
  for (int i = 0; i < n; i++)
    for (int j = i; j < n; j++) {
      double left = a[i * width + j];
      for (int k = 0; k < i; k++) left -= a[k * width + i] * a[k * width + j];
      if (i == j && !(left > 0.0)) return i + 1;
      a[i * width + j] = i == j ? sqrt(left) : left / a[i * width + i];
    }
  for (int k = 0; k < n * width; k++) a[k] *= slip;
  slip = 1.0;
  return 0;
}

void mms_small_invert_upper(int n, int width, double *r) {
  for (int j = n - 1; j >= 0; j--)
    for (int i = j; i >= 0; i--) {
      double sum = i == j ? 1.0 : 0.0;
      for (int k = i + 1; k <= j; k++) sum -= r[i * width + k] * r[k * width + j];
      r[i * width + j] = sum / r[i * width + i];
    }
}

static bool last_rank(void) { return mms_team_rank(team) == mms_team_size(team) - 1; }
static bool several(void) { return mms_team_size(team) > 1; }

static mms_dynamics *begin_run_on(const mms_team *of) {
  static mms_training training;
  training = clusters_in(points, N, D, 31);
  mms_dynamics_context context = {
      .team = of,
      .training = &training,
      .score = {.bandwidth = 0.3, .smoothing = 0.2, .smoothing_samples = 4, .backend = MMS_BACKEND_DENSE},
      .sampler = {.particles = PARTICLES, .step_size_auto = true, .seed = 9, .scheme = MMS_SCHEME_LM}};
  mms_dynamics *dynamics = begin(&context);
  walk(dynamics, 2);
  return dynamics;
}

static mms_dynamics *begin_run(void) { return begin_run_on(team); }

static mms_status take(mms_dynamics *dynamics, mms_step_request request, mms_error *error) {
  mms_step_report report;
  return mms_dynamics_step(dynamics, &request, &report, error);
}

static void expect_lost(mms_dynamics *dynamics, mms_status status, const mms_error *error) {
  char rank[32];
  snprintf(rank, sizeof rank, several() ? "rank %d: " : "second moment", mms_team_size(team) - 1);
  assert_int_not_equal(status, MMS_OK);
  assert_non_null(strstr(error->message, rank));
  assert_non_null(strstr(error->message, "Cholesky factorisation"));
  expect_same_message(error);
  if (several()) assert_int_equal(mms_dynamics_steps_done(dynamics), MMS_STATE_LOST);
}

static void start_that_fails_on_one_rank_fails_on_all(void **state) {
  (void)state;
  mms_dynamics *dynamics = begin_run();
  mms_error error = mms_error_none();
  broken = last_rank();
  assert_int_not_equal(mms_dynamics_start(dynamics, &error), MMS_OK);
  broken = false;
  assert_non_null(strstr(error.message, "Cholesky factorisation"));
  expect_same_message(&error);
  mms_dynamics_free(&dynamics);
}

/* At once where the state is going to be looked at, for whatever reason. */
static void failure_of_one_rank_is_told_before_the_state_is_used(void **state) {
  (void)state;
  const bool first = mms_team_rank(team) == 0;
  const mms_step_request requests[] = {{0}, {.more = true, .stop = first}, {.more = true, .checkpoint = first}};
  for (size_t k = 0; k < sizeof requests / sizeof *requests; k++) {
    mms_dynamics *dynamics = begin_run();
    mms_error error = mms_error_none();
    broken = last_rank();
    mms_status status = take(dynamics, requests[k], &error);
    broken = false;
    expect_lost(dynamics, status, &error);
    mms_dynamics_free(&dynamics);
  }
}

/* With the next step's all-reduce where that follows at once, whatever that step asks for. */
static void failure_of_one_rank_travels_with_the_next_step(void **state) {
  (void)state;
  const mms_step_request requests[] = {{0}, {.more = true}, {.more = true, .stop = true}};
  for (size_t k = 0; several() && k < sizeof requests / sizeof *requests; k++) {
    mms_dynamics *dynamics = begin_run();
    mms_error error = mms_error_none();
    broken = last_rank();
    expect_ok(take(dynamics, (mms_step_request){.more = true}, &error), &error);
    broken = false;
    expect_lost(dynamics, take(dynamics, requests[k], &error), &error);
    mms_dynamics_free(&dynamics);
  }
}

/* Through MPI, or with `shared` in the memory of a node, which takes three barriers; and one agreement in the end. */
static void check_reductions(const mms_team *of, bool shared) {
  mms_dynamics *dynamics = begin_run_on(of);
  mms_error error = mms_error_none();
  /* two words a moment; three the potential, the drift and each rider; one a counter */
  const int words = 2 * (2 * D * D + 3 * D) + 3 * (2 + MMS_RIDERS) + MMS_COUNTERS + 1;
  const mms_exact_sum *sums = mms_dynamics_sums(dynamics);
  assert_true(mms_exact_sum_message(sums) == 8 * (size_t)words && mms_exact_sum_is_shared(sums) == shared);
  for (int step = 0; step < 6; step++) {
    reductions = barriers = 0;
    expect_ok(take(dynamics, (mms_step_request){.more = step < 5, .observe = step == 3}, &error), &error);
    assert_int_equal(barriers, shared ? 3 : 0);
    assert_int_equal(reductions, (several() && !shared) + (several() && step == 5));
    if (several() && !shared && step < 5) assert_int_equal(travelled, words);
  }
  mms_dynamics_free(&dynamics);
}

static void ordinary_step_has_one_reduction(void **state) {
  (void)state;
  mms_team *apart = NULL;
  mms_error error = mms_error_none();
  expect_ok(mms_team_create_cut(&apart, 1, &error), &error);
  check_reductions(team, several());
  check_reductions(apart, false);
  mms_team_free(&apart);
}

/* A step so large that it has to be repaired, to be taken from y on the manifold. */
static mms_constraint *huge_step(double **y, double **w) {
  mms_blocks blocks = mms_blocks_make(PARTICLES, 16, mms_team_rank(team), mms_team_size(team));
  mms_constraint *constraint = NULL;
  mms_error error = mms_error_none();
  *y = calloc((size_t)(blocks.n_local * D) + 1, sizeof **y);
  *w = calloc((size_t)(blocks.n_local * D) + 1, sizeof **w);
  assert_true(*y != NULL && *w != NULL);
  expect_ok(mms_constraint_create(&constraint, &blocks, D, MMS_RETRACTION_QR, &error), &error);
  mms_random_normals((mms_random_key){.seed = 1, .stream = MMS_STREAM_TEST, .item = (uint64_t)blocks.first}, 0,
                     blocks.n_local * D, *y);
  expect_ok(mms_constraint_retract(constraint, team, *y, &error), &error);
  for (int64_t i = 0; i < blocks.n_local * D; i++) (*w)[i] = -1e4 * (*y)[i];
  mms_constraint_begin(constraint);
  mms_constraint_add(constraint, *y, *w);
  return constraint;
}

static void huge_step_that_fails_on_one_rank_fails_on_all_at_once(void **state) {
  (void)state;
  double *y, *w;
  mms_error error = mms_error_none();
  mms_constraint *constraint = huge_step(&y, &w);
  broken = last_rank();
  assert_int_not_equal(mms_constraint_reduce(constraint, team, &error), MMS_OK);
  broken = false;
  assert_non_null(strstr(error.message, "Cholesky factorisation"));
  expect_same_message(&error);
  mms_constraint_free(&constraint);
  free(y);
  free(w);
}

/* One rank comes to a bound a million times smaller than the others and would not repair: all do. */
static void repair_is_agreed_on(void **state) {
  (void)state;
  double *y, *w, mean, covariance;
  mms_error error = mms_error_none();
  mms_constraint *constraint = huge_step(&y, &w);
  if (last_rank() && several()) slip = 1e3;
  expect_ok(mms_constraint_reduce(constraint, team, &error), &error);
  assert_true(mms_constraint_report(constraint).error_bound > 1e-13);
  expect_ok(mms_constraint_apply(constraint, team, y, w, &error), &error);
  assert_true(mms_constraint_report(constraint).repaired);
  expect_ok(mms_constraint_measure(constraint, team, y, &mean, &covariance, &error), &error);
  expect_near(fmax(mean, covariance), 0.0, 1e-12);
  mms_constraint_free(&constraint);
  free(y);
  free(w);
}

int main(int argc, char **argv) {
  if (!team_begin(&argc, &argv)) return 1;
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(start_that_fails_on_one_rank_fails_on_all),
      cmocka_unit_test(failure_of_one_rank_is_told_before_the_state_is_used),
      cmocka_unit_test(failure_of_one_rank_travels_with_the_next_step),
      cmocka_unit_test(ordinary_step_has_one_reduction),
      cmocka_unit_test(huge_step_that_fails_on_one_rank_fails_on_all_at_once),
      cmocka_unit_test(repair_is_agreed_on),
  };
  return team_end(cmocka_run_group_tests(tests, NULL, NULL));
}
