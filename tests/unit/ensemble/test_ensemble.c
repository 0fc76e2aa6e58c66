/* The particles: block sizes, and the start of a run. */
#include "support.h"

#include "mmsold/ensemble/ensemble.h"
#include "mmsold/parallel/exact_sum.h"
#include "mmsold/random/random.h"
#include <stdlib.h>

static void block_size_follows_the_rule(void **state) {
  (void)state;
  const int64_t few[][3] = {{1, 1, 1},       {20, 2, 10},       {240, 15, 16},    {257, 20, 13},
                            {1000, 64, 16},  {1008, 64, 16},    {1040, 68, 16},   {2016, 128, 16},
                            {2017, 64, 32},  {3000, 96, 32},    {4033, 64, 64},   {8064, 128, 63},
                            {8065, 64, 127}, {16128, 128, 126}, {16129, 64, 253}, {10000000, 39064, 256}};
  for (size_t i = 0; i < sizeof few / sizeof *few; i++) {
    assert_int_equal(mms_ensemble_block_count(few[i][0], 8, 0), few[i][1]);
    assert_int_equal(mms_ensemble_block_size(few[i][0], 8, 0), few[i][2]);
  }
  const struct {
    int64_t particles, dim, draws, size;
  } many[] = {{300, 100, 32, 19}, {1000, 9, 32, 16},   {1000, 64, 32, 16},   {1000, 65, 32, 32},
              {1000, 20, 0, 63},  {960, 20, 0, 60},    {961, 20, 0, 61},     {3000, 700, 2, 188},
              {20, 10, 2, 10},    {8000, 784, 2, 250}, {100000, 700, 2, 256}};
  for (size_t i = 0; i < sizeof many / sizeof *many; i++)
    assert_int_equal(mms_ensemble_block_size(many[i].particles, many[i].dim, many[i].draws), many[i].size);
}

/* Where the sums of moments are coarser (exact_sum.h), blocks are long. */
static void many_blocks_are_long(void **state) {
  (void)state;
  int64_t met = 0;
  for (int64_t particles = 65536; particles < (INT64_C(1) << 26); particles += particles / 97)
    for (int64_t dim = 1; dim < 10000; dim *= 3) {
      int64_t size = mms_ensemble_block_size(particles, dim, 8);
      if (mms_ensemble_block_count(particles, dim, 8) <= MMS_EXACT_SUM_FINEST_ADDENDS) continue;
      met++;
      assert_true(size >= 128);
    }
  assert_true(met > 100);
}

/* Two or four ranks differ by one row at most. */
static void ranks_have_even_shares(void **state) {
  (void)state;
  mms_error error = mms_error_none();
  mms_ensemble ensemble;
  for (int64_t particles = 241; particles < 40000; particles += 37)
    for (int ranks = 2; ranks <= 4; ranks += 2) {
      expect_ok(mms_ensemble_create(&ensemble, NULL, particles, 1, 32, &error), &error);
      int64_t least = particles, most = 0;
      for (int rank = 0; rank < ranks; rank++) {
        mms_blocks blocks = mms_blocks_of_rank(&ensemble.blocks, rank, ranks);
        least = blocks.n_local < least ? blocks.n_local : least;
        most = blocks.n_local > most ? blocks.n_local : most;
      }
      assert_true(most - least <= 1);
      mms_ensemble_free(&ensemble);
    }
}

static void start_is_a_training_point_plus_noise_on_the_manifold(void **state) {
  (void)state;
  enum { N = 7, D = 2, P = 500 };
  double points[N * D], expected[P * D];
  for (int i = 0; i < N * D; i++) points[i] = sin(3.0 * i) * (1 + i % D);
  mms_training training = {.count = N, .dim = D, .points = points};
  mms_error error = mms_error_none();
  mms_target target;
  mms_ensemble ensemble;
  mms_constraint *constraint = NULL;
  expect_ok(mms_target_create(&target, NULL, &training, 0.05, MMS_FACTOR_CHOLESKY, &error), &error);
  expect_ok(mms_ensemble_create(&ensemble, NULL, P, D, 0, &error), &error);
  expect_ok(mms_constraint_create(&constraint, &ensemble.blocks, D, MMS_RETRACTION_QR, &error), &error);
  expect_ok(mms_ensemble_start(&ensemble, NULL, &training, &target, constraint, 42, &error), &error);
  double mean, covariance;
  expect_ok(mms_constraint_measure(constraint, NULL, ensemble.y, &mean, &covariance, &error), &error);
  expect_near(mean, 0.0, 1e-14);
  expect_near(covariance, 0.0, 1e-13);

  /* Before it was put on the manifold each particle was near one point, and all points were used: undo the
   * retraction, which is one affine map, by comparing pairs drawn from the same point. */
  int used[N] = {0};
  for (int p = 0; p < P; p++) {
    uint64_t at =
        mms_random_index((mms_random_key){.seed = 42, .stream = MMS_STREAM_START_INDEX, .item = (uint64_t)p}, 0, N);
    used[at]++;
    double noise[D];
    mms_random_normals((mms_random_key){.seed = 42, .stream = MMS_STREAM_START_NOISE, .item = (uint64_t)p}, 0, D,
                       noise);
    for (int k = 0; k < D; k++) expected[p * D + k] = points[at * D + (uint64_t)k] + 0.05 * noise[k];
  }
  mms_target_coordinates(&target, P, expected, expected);
  expect_ok(mms_constraint_retract(constraint, NULL, expected, &error), &error);
  for (int i = 0; i < P * D; i++) expect_near(ensemble.y[i], expected[i], 1e-12);
  for (int i = 0; i < N; i++) assert_true(used[i] > P / N / 2 && used[i] < P / N * 2);

  mms_constraint_free(&constraint);
  mms_ensemble_free(&ensemble);
  mms_target_free(&target);
  assert_null(ensemble.y);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(block_size_follows_the_rule),
      cmocka_unit_test(many_blocks_are_long),
      cmocka_unit_test(ranks_have_even_shares),
      cmocka_unit_test(start_is_a_training_point_plus_noise_on_the_manifold),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
