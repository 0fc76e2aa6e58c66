/* Law 1 for the field: a block's result is the same bits whichever rank computes it, and the screen's copy is one per
 * node. Every rank evaluates every block here; ranks with other work must come out alike. */
#include "team_support.h"
#include "unit/field/field_support.h"

static void same_bits_with(mms_backend backend) {
  mms_error error = mms_error_none();
  for (int64_t d = 2; d <= 24; d += 22) {
    mms_training training = cloud_make(CLOUD_NORMAL, 500, d);
    enum { ROWS = 16, BLOCKS = 3 };
    double *points = queries_near(&training, ROWS * BLOCKS, 0.2);
    const mms_score_options score = {.backend = backend, .nearest = 20, .remainder = 10};
    mms_field *field = NULL;
    expect_ok(mms_field_create_for(&field, team, &training, &score, ROWS, 4, &error), &error);
    int64_t values = ROWS * BLOCKS * d;
    double *mean = calloc((size_t)values, sizeof(double)), *first = calloc((size_t)values, sizeof(double));
    for (int64_t i = 0; i < BLOCKS; i++) { /* each rank starts at another block */
      int64_t block = (i + mms_team_rank(team)) % BLOCKS;
      mms_queries q = {.count = ROWS, .points = points + block * ROWS * d, .bandwidth = 0.1, .smoothing = 0.3};
      q.pairs = 4, q.first_particle = block * ROWS, q.block = block;
      expect_ok(mms_field_softmax_mean(field, &q, mean + block * ROWS * d, NULL, &error), &error);
    }
    memcpy(first, mean, (size_t)values * sizeof(double));
    mms_team_broadcast(team, first, (size_t)values * sizeof(double), 0);
    assert_memory_equal(first, mean, (size_t)values * sizeof(double));
    mms_field_free(&field);
    free(points);
    free(mean);
    free(first);
    cloud_free(&training);
  }
}

static void same_bits_on_every_rank(void **state) {
  (void)state;
  same_bits_with(MMS_BACKEND_DENSE);
  same_bits_with(MMS_BACKEND_TREE);
  same_bits_with(MMS_BACKEND_NEIGHBOURS);
  setenv("MMSOLD_SCREEN", "bfloat16", 1);
  same_bits_with(MMS_BACKEND_DENSE);
  same_bits_with(MMS_BACKEND_NEIGHBOURS);
  unsetenv("MMSOLD_SCREEN");
}

/* A field that one rank alone can't make is made by none, and all hear why. */
static void refused_together(void **state) {
  (void)state;
  mms_error error = mms_error_none();
  mms_training training = cloud_make(CLOUD_NORMAL, 10, 2);
  bool last = mms_team_rank(team) == mms_team_size(team) - 1;
  mms_field *field = NULL;
  mms_status status = mms_field_create(&field, team, &training, MMS_BACKEND_DENSE, last ? -3 : 4, 2, &error);
  expect_refused(status, MMS_ERR_INPUT, &error, "-3 rows");
  assert_null(field);
  cloud_free(&training);
}

int main(int argc, char **argv) {
  if (!team_begin(&argc, &argv)) return 1;
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(same_bits_on_every_rank),
      cmocka_unit_test(refused_together),
  };
  return team_end(cmocka_run_group_tests(tests, NULL, NULL));
}
