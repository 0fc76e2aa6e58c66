/* The same run with d × d algebra on every rank and spread over them: one step from one state to 1e-10, moments as
 * exact (truth i), and no rank with a whole d × d matrix. */
#include "team_support.h"

#include "mmsold/base/memory.h"
#include "mmsold/dynamics/dynamics.h"
#include "mmsold/random/random.h"
#include <stdatomic.h>
#include <stdlib.h>

/* The largest piece of memory that anything in this process asks for, ScaLAPACK and MPI included. Sanitizers have an
 * allocator of their own. */
static _Atomic size_t largest_piece;
#if defined(__SANITIZE_ADDRESS__)
enum { COUNTED = 0 };
#else
enum { COUNTED = 1 };
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *old, size_t size);
void *__libc_memalign(size_t alignment, size_t size);

static void note(size_t size) {
  if (size > largest_piece) largest_piece = size;
}
void *malloc(size_t size) {
  note(size);
  return __libc_malloc(size);
}
void *calloc(size_t count, size_t size) {
  note(count * size);
  return __libc_calloc(count, size);
}
void *realloc(void *old, size_t size) {
  note(size);
  return __libc_realloc(old, size);
}
void *aligned_alloc(size_t alignment, size_t size) {
  note(size);
  return __libc_memalign(alignment, size);
}
int posix_memalign(void **out, size_t alignment, size_t size) {
  note(size);
  *out = __libc_memalign(alignment, size);
  return *out == NULL ? 12 : 0; /* ENOMEM */
}
#endif

enum { MOST_N = 150, MOST_D = 256 };
static double points[MOST_N * MOST_D];

/* Correlated columns of scales from 1 down to 1/4, away from zero. */
static mms_training cloud(int64_t n, int64_t d) {
  mms_random_normals((mms_random_key){.seed = 8, .stream = MMS_STREAM_TEST}, 0, n * d, points);
  for (int64_t i = 0; i < n; i++)
    for (int64_t k = d - 1; k >= 0; k--)
      points[i * d + k] =
          3.0 + (points[i * d + k] + (k > 0 ? 0.5 * points[i * d + k - 1] : 0.0)) / (1.0 + 3.0 * (double)k / (double)d);
  return (mms_training){.count = n, .dim = d, .points = points};
}

static mms_dynamics_context setting(const mms_team *over, const mms_training *training, int64_t particles,
                                    mms_linalg linalg) {
  return (mms_dynamics_context){
      .team = over,
      .training = training,
      .score = {.bandwidth = 0.3, .smoothing = 0.2, .smoothing_samples = 2, .backend = MMS_BACKEND_DENSE},
      .sampler = {.particles = particles, .steps = 10, .step_size_auto = true, .seed = 4, .linalg = linalg}};
}

static mms_dynamics *begin(const mms_dynamics_context *context) {
  mms_dynamics *dynamics = NULL;
  mms_error error = mms_error_none();
  expect_ok(mms_dynamics_create(&dynamics, context, &error), &error);
  expect_ok(mms_dynamics_start(dynamics, &error), &error);
  return dynamics;
}

static void expect_same(int64_t count, const double *a, const double *b, double tolerance) {
  for (int64_t i = 0; i < count; i++) expect_near(a[i], b[i], tolerance);
}

/* One step of both from the same state, and what is seen of it. */
static void compare_step(mms_dynamics *whole, mms_dynamics *spread) {
  const mms_step_request look = {.observe = true};
  mms_error error = mms_error_none();
  mms_step_report a, b;
  const mms_blocks *blocks = &mms_dynamics_ensemble(whole)->blocks;
  int64_t d = mms_dynamics_target(whole)->dim, entries = blocks->n_local * d;
  double *y = mms_dynamics_ensemble(whole)->y, *other = mms_dynamics_ensemble(spread)->y;
  memcpy(other, y, (size_t)entries * sizeof *y);
  mms_dynamics_resume(spread, mms_dynamics_steps_done(whole));
  expect_ok(mms_dynamics_step(whole, &look, &a, &error), &error);
  expect_ok(mms_dynamics_step(spread, &look, &b, &error), &error);
  expect_same(entries, other, y, 1e-10);
  expect_near(b.mean_defect, 0.0, 1e-12);
  expect_near(b.covariance_defect, 0.0, 1e-12);
  expect_near(b.drift, a.drift, 1e-10 * a.drift);
  expect_near(b.mean_potential, a.mean_potential, 1e-8 * fabs(a.mean_potential)); /* single precision, screened */
  expect_near(b.observation.step_ratio, a.observation.step_ratio, 1e-8 * a.observation.step_ratio);
  for (int q = 0; q < MMS_QUANTILES; q++) expect_near(b.observation.nearest[q], a.observation.nearest[q], 0.05);
  for (int o = 1; o < MMS_OBSERVABLES && d > 1; o++) /* in one dimension the second component is none */
    expect_same(a.observation.chunks, a.observation.mean[o], b.observation.mean[o], 1e-10);

  double *z = calloc((size_t)entries + 1, sizeof *z);
  assert_null(mms_dynamics_positions_together(whole));
  mms_target_positions(mms_dynamics_target(whole), blocks->n_local, y, z);
  expect_same(entries, mms_dynamics_positions_together(spread), z, 1e-10);
  free(z);
}

static void a_step_agrees_with_the_replicated_one(void **state) {
  (void)state;
  static const struct {
    int64_t d, particles;
    mms_scheme scheme;
    mms_retraction retraction;
  } cases[] = {{37, 90, MMS_SCHEME_LM, MMS_RETRACTION_QR},     {96, 150, MMS_SCHEME_LM_CORRECTED, MMS_RETRACTION_QR},
               {96, 97, MMS_SCHEME_EM, MMS_RETRACTION_QR},     {37, 80, MMS_SCHEME_EXPONENTIAL, MMS_RETRACTION_QR},
               {41, 100, MMS_SCHEME_LM, MMS_RETRACTION_POLAR}, {37, 64, MMS_SCHEME_EXPONENTIAL, MMS_RETRACTION_POLAR},
               {1, 20, MMS_SCHEME_LM, MMS_RETRACTION_QR},      {3, 40, MMS_SCHEME_EXPONENTIAL, MMS_RETRACTION_POLAR}};
  for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
    mms_training training = cloud(150, cases[c].d);
    mms_dynamics_context context = setting(team, &training, cases[c].particles, MMS_LINALG_REPLICATED);
    context.sampler.scheme = cases[c].scheme;
    context.sampler.retraction = cases[c].retraction;
    mms_dynamics *whole = begin(&context);
    context.sampler.linalg = MMS_LINALG_DISTRIBUTED;
    mms_dynamics *spread = begin(&context);
    const mms_blocks *blocks = &mms_dynamics_ensemble(whole)->blocks;
    expect_same(blocks->n_local * cases[c].d, mms_dynamics_ensemble(whole)->y, mms_dynamics_ensemble(spread)->y, 1e-10);
    for (int step = 0; step < (c == 0 ? 3 : 1); step++) compare_step(whole, spread);
    double mean, covariance;
    mms_error error = mms_error_none();
    expect_ok(mms_dynamics_measure(spread, &mean, &covariance, &error), &error);
    expect_near(fmax(mean, covariance), 0.0, 1e-12);
    assert_non_null(strstr(mms_dynamics_linalg(spread), "distributed over"));
    assert_non_null(strstr(mms_dynamics_linalg(spread), "number of ranks"));
    assert_non_null(strstr(mms_dynamics_linalg(whole), "replicated (as given)"));
    mms_dynamics_free(&whole);
    mms_dynamics_free(&spread);
  }
}

/* Rows of Σ* and its diagonal are the replicated target's. */
static void the_target_is_the_same(void **state) {
  (void)state;
  mms_error error = mms_error_none();
  mms_training training = cloud(150, 96);
  mms_target whole, spread;
  expect_ok(mms_target_create(&whole, team, &training, 0.3, MMS_FACTOR_CHOLESKY, &error), &error);
  expect_ok(mms_target_create_distributed(&spread, team, &training, 0.3, MMS_FACTOR_CHOLESKY, &error), &error);
  mms_blocks rows = mms_blocks_make(96, 1, mms_team_rank(team), mms_team_size(team));
  double *share = calloc((size_t)(rows.n_local * 96) + 1, sizeof *share);
  mms_target_covariance_rows(&spread, rows.first_row, rows.n_local, share);
  expect_same(rows.n_local * 96, share, whole.covariance.data + rows.first_row * 96, 1e-12);
  expect_same(96, spread.variances.data, whole.variances.data, 1e-12);
  expect_same(96, spread.eigenvalues.data, whole.eigenvalues.data, 1e-12);
  expect_same(96, spread.mean.data, whole.mean.data, 0.0);
  expect_near(spread.step_bound, whole.step_bound, 1e-12);
  if (mms_team_size(team) > 1) assert_true(mms_target_bytes(&spread) > 0 && spread.covariance.data == NULL);
  free(share);
  mms_target_free(&whole);
  mms_target_free(&spread);
  expect_refused(mms_target_create_distributed(&spread, team, &training, -1.0, MMS_FACTOR_CHOLESKY, &error),
                 MMS_ERR_INPUT, &error, "bandwidth = -1");
  training = cloud(20, 96); /* rank 19 of 96 */
  expect_refused(mms_target_create_distributed(&spread, team, &training, 1e-9, MMS_FACTOR_EIGEN, &error), MMS_ERR_INPUT,
                 &error, "singular in floating point");
  assert_null(spread.spread);
  points[5] = 1e200;
  expect_refused(mms_target_create_distributed(&spread, team, &training, 0.3, MMS_FACTOR_CHOLESKY, &error),
                 MMS_ERR_INPUT, &error, "overflows");
}

/* What is wrong is refused by all ranks alike, with the particle's name; then the state is the last good one. */
static void failures_are_agreed_on(void **state) {
  (void)state;
  mms_training training = cloud(100, 12);
  mms_dynamics_context context = setting(team, &training, 80, MMS_LINALG_DISTRIBUTED);
  mms_dynamics *dynamics = begin(&context);
  mms_error error = mms_error_none();
  mms_step_report report;
  const mms_blocks *blocks = &mms_dynamics_ensemble(dynamics)->blocks;
  bool mine = blocks->first_row <= 33 && 33 < blocks->first_row + blocks->n_local;
  double *entry = mine ? mms_dynamics_ensemble(dynamics)->y + (33 - blocks->first_row) * 12 + 5 : NULL, kept = 0.0;
  if (mine) kept = *entry, *entry = (double)NAN;
  expect_refused(mms_dynamics_step(dynamics, &(mms_step_request){.observe = true}, &report, &error), MMS_ERR_NUMERIC,
                 &error, "position of particle 33");
  if (mine) *entry = kept;
  expect_ok(mms_dynamics_step(dynamics, &(mms_step_request){0}, &report, &error), &error);
  assert_int_equal(mms_dynamics_steps_done(dynamics), 1);
  mms_dynamics_free(&dynamics);

  context.sampler.particles = 12;
  expect_refused(mms_dynamics_create(&dynamics, &context, &error), MMS_ERR_INPUT, &error, "too few for dimension 12");
  context.sampler.particles = 80;
  context.sampler.method = MMS_METHOD_LANGEVIN;
  expect_refused(mms_dynamics_create(&dynamics, &context, &error), MMS_ERR_INPUT, &error,
                 "distributed is for sampler.method: mmsold; langevin");
  context.sampler.linalg = MMS_LINALG_AUTO;
  dynamics = begin(&context);
  assert_non_null(strstr(mms_dynamics_linalg(dynamics), "replicated (auto)"));
  mms_dynamics_free(&dynamics);
}

/* Huge steps are repaired by a second retraction, here too; and particles that do not span the space are refused. */
static void huge_steps_are_repaired(void **state) {
  (void)state;
  mms_training training = cloud(100, 37);
  mms_dynamics_context context = setting(team, &training, 60, MMS_LINALG_DISTRIBUTED);
  mms_error error = mms_error_none();
  for (int retraction = 0; retraction < 2; retraction++) {
    context.sampler.retraction = (mms_retraction)retraction;
    context.sampler.step_size_auto = false;
    context.sampler.step_size = 2e3;
    mms_dynamics *dynamics = begin(&context);
    mms_step_report report = {0};
    double mean, covariance;
    bool repaired = false;
    for (int step = 0; step < 4; step++) {
      expect_ok(mms_dynamics_step(dynamics, &(mms_step_request){0}, &report, &error), &error);
      repaired = repaired || report.repaired;
    }
    assert_true(repaired);
    expect_ok(mms_dynamics_measure(dynamics, &mean, &covariance, &error), &error);
    expect_near(fmax(mean, covariance), 0.0, 1e-12);
    mms_dynamics_free(&dynamics);
  }
  mms_blocks blocks = mms_blocks_make(60, 16, mms_team_rank(team), mms_team_size(team));
  mms_rank_grid *grid = NULL;
  mms_constraint *constraint = NULL;
  double *y = calloc((size_t)(blocks.n_local * 37) + 1, sizeof *y);
  expect_ok(mms_rank_grid_create(&grid, team, 37, 8, &error), &error);
  for (int retraction = 0; retraction < 2; retraction++) {
    expect_ok(mms_constraint_create_on(&constraint, &blocks, 37, (mms_retraction)retraction, grid, &error), &error);
    for (int64_t i = 0; i < blocks.n_local * 37; i++)
      y[i] = i % 37 < 2 ? sin((double)(blocks.first_row * 37 + i)) : 0.0;
    expect_refused(mms_constraint_retract(constraint, team, y, &error), MMS_ERR_NUMERIC, &error,
                   "cannot be put on the moment manifold");
    assert_true(mms_constraint_bytes(constraint) > 0);
    mms_constraint_free(&constraint);
  }
  mms_rank_grid_free(&grid);
  free(y);
}

/* Steps that begin beside the manifold, by as much as `away`: they end on it, where the replicated ones end. */
static void a_step_returns_from_beside_the_manifold(void **state) {
  (void)state;
  enum { P = 60, D = 37 };
  const double away[] = {0.0, 1e-9, 1e-4};
  mms_error error = mms_error_none();
  mms_blocks blocks = mms_blocks_make(P, 16, mms_team_rank(team), mms_team_size(team));
  const int64_t count = blocks.n_local * D, first = blocks.first_row * D;
  mms_rank_grid *grid = NULL;
  expect_ok(mms_rank_grid_create(&grid, team, D, 8, &error), &error);
  double *y[2], *w = calloc((size_t)count + 1, sizeof *w), mean, covariance;
  for (int kind = 0; kind < 2; kind++) y[kind] = calloc((size_t)count + 1, sizeof *y[kind]);
  for (int retraction = 0; retraction < 2; retraction++)
    for (size_t k = 0; k < sizeof away / sizeof *away; k++) {
      for (int kind = 0; kind < 2; kind++) {
        mms_constraint *constraint = NULL;
        expect_ok(mms_constraint_create_on(&constraint, &blocks, D, (mms_retraction)retraction, kind == 0 ? NULL : grid,
                                           &error),
                  &error);
        mms_random_normals((mms_random_key){.seed = 5, .stream = MMS_STREAM_TEST}, first, count, y[kind]);
        expect_ok(mms_constraint_retract(constraint, team, y[kind], &error), &error);
        for (int64_t i = 0; i < blocks.n_local; i++) /* neighbouring columns are mixed */
          for (int64_t a = 1; a < D; a++) y[kind][i * D + a] += away[k] * y[kind][i * D + a - 1];
        mms_random_normals((mms_random_key){.seed = 6, .stream = MMS_STREAM_TEST}, first, count, w);
        for (int64_t i = 0; i < count; i++) w[i] = 0.3 * w[i] - 0.1 * y[kind][i];
        mms_constraint_begin(constraint);
        assert_int_equal(mms_constraint_add(constraint, y[kind], w), -1);
        expect_ok(mms_constraint_reduce(constraint, team, &error), &error);
        expect_ok(mms_constraint_apply(constraint, team, y[kind], w, &error), &error);
        assert_false(mms_constraint_report(constraint).repaired);
        expect_ok(mms_constraint_measure(constraint, team, y[kind], &mean, &covariance, &error), &error);
        expect_near(fmax(mean, covariance), 0.0, 1e-14);
        mms_constraint_free(&constraint);
      }
      expect_same(count, y[0], y[1], 1e-11);
    }
  free(y[0]), free(y[1]), free(w);
  mms_rank_grid_free(&grid);
}

/* The largest piece of memory of a run's making, first step and what a file is written from. */
static double largest_of(mms_linalg linalg, mms_scheme scheme, int64_t d) {
  mms_training training = cloud(MOST_N, d);
  mms_dynamics_context context = setting(team, &training, d + 16, linalg);
  context.sampler.scheme = scheme;
  context.score.smoothing_samples = 0;
  context.score.backend = MMS_BACKEND_REFERENCE; /* the others have tiles of some MiB */
  mms_blocks rows = mms_blocks_make(d, 1, mms_team_rank(team), mms_team_size(team));
  double *share = calloc((size_t)(rows.n_local * d) + 1, sizeof *share), mean, covariance;
  mms_error error = mms_error_none();
  mms_step_report report;
  largest_piece = 0;
  mms_dynamics *dynamics = begin(&context);
  expect_ok(mms_dynamics_step(dynamics, &(mms_step_request){0}, &report, &error), &error);
  expect_ok(mms_dynamics_measure(dynamics, &mean, &covariance, &error), &error);
  mms_target_covariance_rows(mms_dynamics_target(dynamics), linalg == MMS_LINALG_REPLICATED ? 0 : rows.first_row,
                             rows.n_local, share);
  mms_dynamics_free(&dynamics);
  free(share);
  double largest = (double)largest_piece;
  mms_team_max_double(team, &largest, 1);
  return largest;
}

static void no_rank_holds_a_whole_matrix(void **state) {
  (void)state;
  if (!COUNTED || mms_team_size(team) == 1) skip();
  const int64_t d = MOST_D;
  const double whole = 8.0 * (double)(d * d), part = whole / mms_team_size(team);
  /* Rows of the ensemble, d + 16 in blocks of 16, are as many as a matrix has. Its parts are of blocks of 64 in 256. */
  const double room = fmax(1.5 * part + 8.0 * 64.0 * (double)d, 1.01 * 8.0 * 128.0 * (double)d); /* or a panel */
  double replicated = largest_of(MMS_LINALG_REPLICATED, MMS_SCHEME_LM, d);
  double distributed = largest_of(MMS_LINALG_DISTRIBUTED, MMS_SCHEME_LM, d);
  double eigenvectors = largest_of(MMS_LINALG_DISTRIBUTED, MMS_SCHEME_EXPONENTIAL, d);
  if (mms_team_rank(team) == 0)
    printf("largest pieces, in whole matrices: %.3f replicated, %.3f distributed, %.3f with eigenvectors\n",
           replicated / whole, distributed / whole, eigenvectors / whole);
  assert_true(replicated >= whole);
  assert_true(distributed < whole && distributed < room);
  assert_true(eigenvectors < 2.0 * room); /* ScaLAPACK's workspace is twice a part */
}

/* Teams that work side by side (the cells of a study) have grids of their own. */
static void parts_of_a_team_step_side_by_side(void **state) {
  (void)state;
  mms_team *part = NULL;
  mms_error error = mms_error_none();
  expect_ok(mms_team_split(&part, team, mms_team_rank(team) % 2, &error), &error);
  mms_training training = cloud(100, 20);
  mms_dynamics_context context = setting(part, &training, 50 + mms_team_rank(team) % 2, MMS_LINALG_REPLICATED);
  mms_dynamics *whole = begin(&context);
  context.sampler.linalg = MMS_LINALG_DISTRIBUTED;
  mms_dynamics *spread = begin(&context);
  compare_step(whole, spread);
  mms_dynamics_free(&whole);
  mms_dynamics_free(&spread);
  mms_team_free(&part);
}

int main(int argc, char **argv) {
  if (!team_begin(&argc, &argv)) return 1;
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_step_agrees_with_the_replicated_one),
      cmocka_unit_test(the_target_is_the_same),
      cmocka_unit_test(failures_are_agreed_on),
      cmocka_unit_test(huge_steps_are_repaired),
      cmocka_unit_test(a_step_returns_from_beside_the_manifold),
      cmocka_unit_test(no_rank_holds_a_whole_matrix),
      cmocka_unit_test(parts_of_a_team_step_side_by_side),
  };
  return team_end(cmocka_run_group_tests(tests, NULL, NULL));
}
