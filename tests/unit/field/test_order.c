/* Law 1 and truth (d) for rows that the tree answers in the order of its index. */
#include "team_support.h"
#include "unit/field/field_support.h"

/* The bits of batch after batch, and of a second call, which
 * begins in the order that the first one found. */
static void rows_in_the_order_of_the_index(void **state) {
  (void)state;
  enum { BLOCK = 24, BLOCKS = 9, ROWS = BLOCK * BLOCKS, N = 60000 };
  mms_error error = mms_error_none();
  mms_training training = cloud_make(CLOUD_NORMAL, N, 3);
  double *points = queries_near(&training, ROWS, 0.1);
  mms_field *field = field_make(team, &training, MMS_BACKEND_TREE, BLOCK, 40);
  assert_true(mms_field_together(field) && !mms_field_collective(field));
  expect_ok(mms_field_reserve(field, ROWS, &error), &error);
  const int64_t pairs[] = {0, 4, 40}; /* the last: more draws than a frontier finds leaves for */
  for (size_t p = 0; p < 3; p++) {
    double one[3 * ROWS], one_mass[ROWS], all[3 * ROWS], mass[ROWS];
    mms_queries batches[BLOCKS];
    for (int64_t b = 0; b < BLOCKS; b++) {
      batches[b] = (mms_queries){.count = BLOCK, .points = points + b * BLOCK * 3, .bandwidth = 0.02};
      batches[b].smoothing = pairs[p] == 40 ? 0.3 : 0.02;
      batches[b].pairs = pairs[p];
      batches[b].first_particle = 1000 + b * BLOCK, batches[b].block = b, batches[b].seed = 3, batches[b].step = 9;
      expect_ok(mms_field_softmax_mean(field, &batches[b], one + b * BLOCK * 3, one_mass + b * BLOCK, &error), &error);
    }
    for (int again = 0; again < 2; again++) {
      expect_ok(mms_field_softmax_mean_batches(field, batches, BLOCKS, all, again ? mass : NULL, &error), &error);
      assert_memory_equal(all, one, sizeof one);
    }
    assert_memory_equal(mass, one_mass, sizeof mass);
    /* fewer rows than in the call before, and batches that do not follow one another */
    expect_ok(mms_field_softmax_mean_batches(field, batches + 2, BLOCKS - 2, all, mass, &error), &error);
    assert_memory_equal(all, one + 2 * BLOCK * 3, sizeof one - 2 * BLOCK * 3 * sizeof(double));
    batches[4].first_particle += 1;
    expect_ok(mms_field_softmax_mean_batches(field, batches, BLOCKS, all, mass, &error), &error);
    assert_memory_equal(all, one, 4 * BLOCK * 3 * sizeof(double));
    assert_true(p == 0 || memcmp(all + 4 * BLOCK * 3, one + 4 * BLOCK * 3, 3 * sizeof(double)) != 0);
    /* one row that cannot be asked: nothing is, and it is named */
    double kept = points[5 * BLOCK * 3 + 4];
    points[5 * BLOCK * 3 + 4] = NAN;
    batches[4].first_particle -= 1;
    expect_refused(mms_field_softmax_mean_batches(field, batches, BLOCKS, all, mass, &error), MMS_ERR_NUMERIC, &error,
                   "particle 1121");
    points[5 * BLOCK * 3 + 4] = kept;
  }
  mms_field_free(&field);
  /* a small index stays with a core, and draws that particles share stay with their block */
  training.count = 1000;
  field = field_make(team, &training, MMS_BACKEND_TREE, BLOCK, 4);
  assert_false(mms_field_together(field));
  mms_field_free(&field);
  training.count = N;
  const mms_score_options shared = {.backend = MMS_BACKEND_TREE, .sharing = MMS_SHARING_BLOCK};
  expect_ok(mms_field_create_for(&field, team, &training, &shared, BLOCK, 4, &error), &error);
  assert_false(mms_field_together(field));
  mms_field_free(&field);
  free(points);
  cloud_free(&training);
}

int main(int argc, char **argv) {
  if (!team_begin(&argc, &argv)) return 1;
  const struct CMUnitTest tests[] = {cmocka_unit_test(rows_in_the_order_of_the_index)};
  return team_end(cmocka_run_group_tests(tests, NULL, NULL));
}
