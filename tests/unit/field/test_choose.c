/* `auto` chooses by counts that say what they should, the same every time, and tells them. */
#include "team_support.h"
#include "unit/field/field_support.h"

#include "field/choose.h"

static mms_choice_counts count_of(const mms_training *training, double bandwidth, double smoothing, int64_t pairs) {
  mms_error error = mms_error_none();
  mms_choice_counts counts;
  expect_ok(mms_choice_count(&counts, training, bandwidth, smoothing, pairs, &error), &error);
  return counts;
}

/* Truth of the limits: one point at a tiny bandwidth, all of them at a huge one; a draw's never more than a particle's,
 * nor these more than the ball holds. */
static void counts_have_their_limits(void **state) {
  (void)state;
  mms_training training = cloud_make(CLOUD_NORMAL, 500, 6);
  mms_choice_counts counts = count_of(&training, 1e-4, 0.0, 0);
  expect_near(counts.one, 1.0, 0.0);
  expect_near(counts.together, 1.0, 0.0);
  counts = count_of(&training, 1e3, 1e3, 4);
  expect_near(counts.one, 500.0, 1e-9);
  expect_near(counts.ball, 500.0, 1e-9);
  counts = count_of(&training, 0.2, 1.0, 4);
  assert_true(counts.one > 1.0 && counts.one < counts.together && counts.together < counts.ball);
  expect_near(counts.pairs, 0.0, 0.0); /* draws 5 δ and more away */
  expect_near(count_of(&training, 0.2, 0.1, 4).pairs, 1.0, 0.0);
  expect_near(count_of(&training, 0.2, 0.1, 3).pairs, 0.0, 0.0); /* six draws are no whole group */
  const mms_choice_counts again = count_of(&training, 0.2, 1.0, 4);
  assert_memory_equal(&counts, &again, sizeof counts);
  const mms_choice_counts still = count_of(&training, 0.2, 0.0, 4); /* without smoothing there are no draws */
  assert_true(still.one == still.together);
  cloud_free(&training);
}

/* Points of the measured grid (tests/bench/README.md, auto) and the backend that was faster there by half and more. */
static void the_rule_takes_what_was_faster(void **state) {
  (void)state;
  const struct {
    int64_t n, dim, draws;
    mms_choice_counts counts;
    bool tree;
  } measured[] = {{1000, 8, 32, {1000, 1000, 1000, 1}, true},       {1000, 8, 32, {1000, 1000, 1000, 0}, false},
                  {100, 16, 32, {88, 100, 100, 0}, false},          {1000, 16, 32, {550, 900, 1000, 0}, true},
                  {10000, 5, 2, {77, 149, 9644, 0}, true},          {10000, 8, 32, {42, 327, 10000, 0}, true},
                  {10000, 8, 32, {8560, 9737, 9999, 0}, false},     {100, 8, 32, {8, 60, 100, 0}, false},
                  {1000, 10, 2, {21, 40, 1000, 0}, false},          {10000, 12, 2, {9000, 9995, 10000, 0}, true},
                  {10000, 16, 32, {10000, 10000, 10000, 0}, false}, {10000, 16, 2, {7, 45, 9000, 0}, false},
                  {10000, 4, 32, {10000, 10000, 10000, 0}, true},   {10000, 33, 2, {10000, 10000, 10000, 0}, false}};
  for (size_t i = 0; i < sizeof measured / sizeof *measured; i++)
    assert_int_equal(mms_choice_tree(measured[i].n, measured[i].dim, measured[i].draws, &measured[i].counts),
                     measured[i].tree);
}

/* The same set in six dimensions: one backend where few points matter, the other where all do; and the log says why. */
static void auto_follows_the_widths(void **state) {
  (void)state;
  mms_error error = mms_error_none();
  mms_training training = cloud_make(CLOUD_NORMAL, 400, 10);
  const double widths[] = {0.1, 100.0};
  const char *taken[2];
  for (int i = 0; i < 2; i++) {
    const mms_score_options score = {.bandwidth = widths[i], .smoothing = 10.0 * widths[i]};
    mms_field *field = NULL;
    expect_ok(mms_field_create_for(&field, team, &training, &score, 8, 1, &error), &error);
    taken[i] = mms_field_backend_name(field);
    assert_non_null(strstr(mms_field_reason(field), "points of weight"));
    mms_field_free(&field);
  }
  assert_string_equal(taken[0], "dense");
  assert_string_equal(taken[1], "tree");
  cloud_free(&training);
}

int main(int argc, char **argv) {
  if (!team_begin(&argc, &argv)) return 1;
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(counts_have_their_limits),
      cmocka_unit_test(the_rule_takes_what_was_faster),
      cmocka_unit_test(auto_follows_the_widths),
  };
  return team_end(cmocka_run_group_tests(tests, NULL, NULL));
}
