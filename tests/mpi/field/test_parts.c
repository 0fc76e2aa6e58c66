/* Truth (h): a partitioned training set gives the bits of a replicated one, moments, starts and every field of dense
 * and neighbours; each rank holds its share; what cannot be done is refused by all. */
#include "team_support.h"
#include "unit/field/field_support.h"

#include "field/choose.h"
#include "mmsold/ensemble/ensemble.h"
#include "mmsold/store/arrays.h"
#include <unistd.h>

static char file[64];

/* Rank 0 writes n x d points; all read them, once replicated and once in parts. */
static void both_ways(cloud_kind kind, int64_t n, int64_t d, mms_training *whole, mms_training *parts) {
  mms_error error = mms_error_none();
  mms_training cloud = cloud_make(kind, n, d);
  mms_matrix matrix = {.rows = n, .cols = d, .data = (double *)(uintptr_t)cloud.points};
  mms_status status = mms_team_rank(team) == 0 ? mms_npy_write(&matrix, file, &error) : MMS_OK;
  expect_ok(mms_team_agree(team, status, &error), &error);
  mms_training_options options = {.source = file, .label = -1, .thin = MMS_THIN_NONE, .may_partition = true};
  options.placement = MMS_PLACEMENT_REPLICATED;
  expect_ok(mms_training_create(whole, team, &options, &error), &error);
  options.placement = MMS_PLACEMENT_PARTITIONED;
  expect_ok(mms_training_create(parts, team, &options, &error), &error);
  mms_team_barrier(team);
  if (mms_team_rank(team) == 0) unlink(file);
  cloud_free(&cloud);
  assert_true(parts->partitioned && parts->points == NULL && !whole->partitioned);
  assert_true(parts->checksum == whole->checksum && parts->count == n);
}

static void free_both(mms_training *whole, mms_training *parts) {
  mms_training_free(whole);
  mms_training_free(parts);
}

static void see(void *context, int64_t first, int64_t rows, const double *points) {
  const mms_training *whole = context;
  assert_memory_equal(points, whole->points + first * whole->dim, (size_t)(rows * whole->dim) * sizeof(double));
}

static void all_rows_come_by(void **state) {
  (void)state;
  const int64_t counts[] = {1, 511, 512, 513, 3000};
  for (size_t i = 0; i < 5; i++) {
    mms_training whole, parts;
    both_ways(CLOUD_NORMAL, counts[i], 3, &whole, &parts);
    mms_training_walk(&parts, see, &whole);
    int64_t rows = parts.parts.n_local, most = (counts[i] + MMS_TRAINING_TILE - 1) / MMS_TRAINING_TILE;
    most = (most + mms_team_size(team) - 1) / mms_team_size(team) * MMS_TRAINING_TILE;
    assert_true(rows <= most); /* a rank's share, up to a tile */
    mms_team_sum_int64(team, &rows, 1);
    assert_int_equal(rows, counts[i]);
    free_both(&whole, &parts);
  }
}

static void moments_and_starts_are_the_same(void **state) {
  (void)state;
  mms_error error = mms_error_none();
  mms_training whole, parts;
  both_ways(CLOUD_OFFSET, 1300, 7, &whole, &parts);
  mms_target targets[2];
  mms_ensemble ensembles[2];
  for (int p = 0; p < 2; p++) {
    const mms_training *training = p == 0 ? &whole : &parts;
    expect_ok(mms_target_create(&targets[p], team, training, 0.1, MMS_FACTOR_CHOLESKY, &error), &error);
    expect_ok(mms_ensemble_create(&ensembles[p], team, 100, 7, 0, &error), &error);
    expect_ok(mms_ensemble_start(&ensembles[p], team, training, &targets[p], NULL, 5, &error), &error);
  }
  assert_memory_equal(targets[0].mean.data, targets[1].mean.data, 7 * sizeof(double));
  assert_memory_equal(targets[0].covariance.data, targets[1].covariance.data, 49 * sizeof(double));
  assert_memory_equal(targets[0].factor.data, targets[1].factor.data, 49 * sizeof(double));
  assert_memory_equal(ensembles[0].y, ensembles[1].y, (size_t)(ensembles[0].blocks.n_local * 7) * sizeof(double));
  for (int p = 0; p < 2; p++) {
    mms_target_free(&targets[p]);
    mms_ensemble_free(&ensembles[p]);
  }
  free_both(&whole, &parts);
}

/* What is asked: rows in batches of up to BATCH, each rank its own. */
enum { ROWS = 40, BATCH = 16 };

static void expect_same(const mms_training *whole, const mms_training *parts, mms_score_options score, mms_queries q,
                        const char *what) {
  mms_error error = mms_error_none();
  int64_t d = whole->dim;
  mms_blocks blocks = mms_blocks_make_even(ROWS, (ROWS + BATCH - 1) / BATCH, mms_team_rank(team), mms_team_size(team));
  double *points = queries_near(whole, ROWS, 0.2);
  double *mean = calloc((size_t)(2 * ROWS * d), sizeof(double)), mass[2][ROWS] = {{0}};
  mms_queries batches[ROWS / BATCH + 1];
  mms_field *fields[2] = {NULL, NULL};
  for (int64_t k = 0; k < d; k++) points[3 * d + k] *= 1e9; /* one that single precision is not asked about */
  for (int64_t b = blocks.first; b < blocks.end; b++) {
    int64_t first = mms_blocks_first_row(&blocks, b);
    q.count = mms_blocks_rows(&blocks, b), q.points = points + first * d, q.first_particle = first, q.block = b;
    batches[b - blocks.first] = q;
  }
  for (int p = 0; p < 2; p++) {
    expect_ok(mms_field_create_for(&fields[p], team, p == 0 ? whole : parts, &score, BATCH, q.pairs, &error), &error);
    assert_true(mms_field_collective(fields[p]) == (p == 1));
    expect_ok(mms_field_reserve(fields[p], blocks.n_local, &error), &error);
    for (int turn = 0; turn < 2; turn++) /* the second time over used memory */
      expect_ok(mms_field_softmax_mean_batches(fields[p], batches, blocks.end - blocks.first, mean + p * ROWS * d,
                                               mass[p], &error),
                &error);
    mms_field_free(&fields[p]);
  }
  int64_t n = blocks.n_local;
  if (memcmp(mean, mean + ROWS * d, (size_t)(n * d) * sizeof(double)) != 0 ||
      memcmp(mass[0], mass[1], (size_t)n * sizeof(double)) != 0)
    fail_msg("%s, n = %lld, d = %lld, delta = %g, %lld pairs, sharing %d: means differ by %.2e, masses by %.2e", what,
             (long long)whole->count, (long long)d, q.bandwidth, (long long)q.pairs, (int)q.sharing,
             largest_difference(mean, mean + ROWS * d, n * d), largest_difference(mass[0], mass[1], n));
  free(points);
  free(mean);
}

/* In both ways to screen, whatever this processor would take. */
static void expect_same_screened(const mms_training *whole, const mms_training *parts, mms_score_options score,
                                 mms_queries q, const char *what) {
  const char *const screens[2] = {"single", "bfloat16"};
  for (int s = 0; s < 2; s++) {
    setenv("MMSOLD_SCREEN", screens[s], 1);
    expect_same(whole, parts, score, q, what);
    unsetenv("MMSOLD_SCREEN");
  }
}

/* Few points of weight, many, and all; fewer points than one tile of the finish and many tiles. */
static void dense_is_the_same(void **state) {
  (void)state;
  const int64_t counts[] = {40, 1300, 2300}, dims[] = {12, 90, 12};
  const double widths[] = {0.02, 0.5, 3.0, 1e3};
  for (size_t i = 0; i < 3; i++) {
    mms_training whole, parts;
    both_ways(i == 1 ? CLOUD_CLUSTERED : CLOUD_NORMAL, counts[i], dims[i], &whole, &parts);
    for (size_t w = 0; w < 4; w++)
      for (int sharing = 0; sharing < 3; sharing += 2) {
        mms_score_options score = {.backend = MMS_BACKEND_DENSE, .sharing = (mms_sharing)sharing};
        mms_queries q = {.bandwidth = widths[w], .smoothing = 0.4, .pairs = 4, .sharing = score.sharing, .step = 3};
        if (sharing == 0)
          expect_same_screened(&whole, &parts, score, q, "dense");
        else
          expect_same(&whole, &parts, score, q, "dense, shared");
        q.pairs = 0;
        if (sharing == 0) expect_same(&whole, &parts, score, q, "dense, exact");
      }
    free_both(&whole, &parts);
  }
}

/* More draws than one group takes, so that a row's sums come from several rounds. */
static void many_draws_are_the_same(void **state) {
  (void)state;
  mms_training whole, parts;
  both_ways(CLOUD_NORMAL, 520, 9, &whole, &parts);
  mms_score_options score = {.backend = MMS_BACKEND_DENSE, .sharing = MMS_SHARING_BLOCK};
  const double widths[] = {0.05, 2.0};
  for (int w = 0; w < 2; w++) {
    mms_queries q = {.bandwidth = widths[w], .smoothing = 0.4, .pairs = 270, .sharing = MMS_SHARING_BLOCK};
    expect_same(&whole, &parts, score, q, "dense, many draws");
  }
  free_both(&whole, &parts);
}

static void neighbours_are_the_same(void **state) {
  (void)state;
  const int64_t dims[] = {2, 9, 40};
  for (size_t i = 0; i < 3; i++)
    for (int kind = 0; kind < 2; kind++) {
      mms_training whole, parts;
      both_ways(kind == 0 ? CLOUD_NORMAL : CLOUD_DUPLICATED, 1300, dims[i], &whole, &parts);
      mms_score_options score = {.backend = MMS_BACKEND_NEIGHBOURS, .nearest = 20, .remainder = 10};
      mms_queries q = {.bandwidth = 0.3, .smoothing = 0.4, .pairs = 2, .step = 2};
      expect_same_screened(&whole, &parts, score, q, "neighbours");
      q.pairs = 60; /* through the Gram matrix where d > K + L */
      expect_same(&whole, &parts, score, q, "neighbours, many draws");
      score.sharing = q.sharing = MMS_SHARING_BLOCK;
      expect_same(&whole, &parts, score, q, "neighbours, shared");
      score.nearest = 1300, score.remainder = 0, q.pairs = 1;
      if (i == 1) expect_same(&whole, &parts, score, q, "neighbours, all");
      free_both(&whole, &parts);
    }
}

/* The choice of a screen counts the same points wherever they lie, and all ranks hear the same. */
static void screens_are_chosen_alike(void **state) {
  (void)state;
  mms_error error = mms_error_none();
  mms_training whole, parts;
  both_ways(CLOUD_NORMAL, 2300, 40, &whole, &parts);
  for (int b = 0; b < 2; b++) {
    mms_score_options score = {.bandwidth = 0.02, .smoothing = 0.5, .nearest = 20};
    mms_choice_screen_counts counts[2], first;
    score.backend = b == 0 ? MMS_BACKEND_DENSE : MMS_BACKEND_NEIGHBOURS;
    for (int p = 0; p < 2; p++)
      expect_ok(mms_choice_screen_count(&counts[p], team, p == 0 ? &whole : &parts, &score, 3, &error), &error);
    assert_memory_equal(&counts[0], &counts[1], sizeof counts[0]);
    first = counts[0];
    mms_team_broadcast(team, &first, sizeof first, 0);
    assert_memory_equal(&first, &counts[0], sizeof first);
    assert_true(first.brief >= first.single && first.brief > 0.0);
  }
  mms_screen screen;
  char why[96];
  const mms_score_options score = {.backend = MMS_BACKEND_DENSE, .bandwidth = 0.02};
  if (mms_team_rank(team) == mms_team_size(team) - 1) setenv("MMSOLD_SCREEN", "bfloat16", 1); /* one rank's is all's */
  expect_ok(mms_choice_screen(&screen, team, &whole, &score, 0, why, sizeof why, &error), &error);
  assert_int_equal(screen, MMS_SCREEN_BFLOAT16);
  unsetenv("MMSOLD_SCREEN");
  free_both(&whole, &parts);
}

/* What needs the whole set says so; one rank's bad row is everybody's. */
static void refusals(void **state) {
  (void)state;
  mms_error error = mms_error_none();
  mms_training whole, parts, none;
  mms_field *field = NULL;
  both_ways(CLOUD_NORMAL, 600, 5, &whole, &parts);
  expect_refused(mms_field_create(&field, team, &parts, MMS_BACKEND_TREE, 4, 2, &error), MMS_ERR_INPUT, &error,
                 "backend tree holds the whole training set");
  expect_refused(mms_field_create(&field, team, &parts, MMS_BACKEND_REFERENCE, 4, 2, &error), MMS_ERR_INPUT, &error,
                 "backend reference holds the whole");
  expect_refused(mms_field_create(&field, team, &parts, MMS_BACKEND_AUTO, 4, 2, &error), MMS_ERR_INPUT, &error,
                 "more than 8 dimensions");
  assert_null(field);
  mms_training_options options = {.source = "circle", .count = 5, .label = -1};
  options.placement = MMS_PLACEMENT_PARTITIONED;
  expect_refused(mms_training_create(&none, team, &options, &error), MMS_ERR_INPUT, &error, "run and evaluate");
  mms_score_options score = {.backend = MMS_BACKEND_NEIGHBOURS, .nearest = 5, .remainder = 2};
  expect_ok(mms_field_create_for(&field, team, &parts, &score, 4, 2, &error), &error);
  double z[20] = {0.0}, mean[20];
  mms_queries q = {.count = 4, .points = z, .bandwidth = 0.1, .smoothing = 0.1, .pairs = 2, .first_particle = 9};
  if (mms_team_rank(team) == mms_team_size(team) - 1) z[7] = NAN; /* one rank's row: all hear of it */
  expect_refused(mms_field_softmax_mean_batches(field, &q, 1, mean, NULL, &error), MMS_ERR_NUMERIC, &error,
                 "coordinate 2 of particle 10");
  z[7] = 0.0;
  expect_ok(mms_field_softmax_mean_batches(field, &q, 1, mean, NULL, &error), &error);
  mms_field_free(&field);
  free_both(&whole, &parts);
}

int main(int argc, char **argv) {
  if (!team_begin(&argc, &argv)) return 1;
  snprintf(file, sizeof file, "parts-%lld.npy", team_run_number());
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(all_rows_come_by),
      cmocka_unit_test(moments_and_starts_are_the_same),
      cmocka_unit_test(dense_is_the_same),
      cmocka_unit_test(many_draws_are_the_same),
      cmocka_unit_test(neighbours_are_the_same),
      cmocka_unit_test(screens_are_chosen_alike),
      cmocka_unit_test(refusals),
  };
  return team_end(cmocka_run_group_tests(tests, NULL, NULL));
}
