/* The tilt over a team: the bits of one process alone (law 1), and failures all ranks agree on. */
#include "team_support.h"

#include "mmsold/ensemble/tilt.h"
#include "mmsold/random/random.h"
#include <stdlib.h>

enum { MOST_N = 300, MOST_D = 12 };
static double points[MOST_N * MOST_D], gradients[MOST_N * MOST_D];

static void normals(uint64_t item, int64_t count, double *out) {
  mms_random_normals((mms_random_key){.seed = 3, .stream = MMS_STREAM_TEST, .item = item}, 0, count, out);
}

static mms_status solve(mms_tilt *tilt, const mms_team *over, int64_t n, int64_t d, mms_error *error) {
  mms_training training = {.count = n, .dim = d, .points = points};
  mms_target target;
  expect_ok(mms_target_create(&target, over, &training, 0.5, MMS_FACTOR_CHOLESKY, error), error);
  mms_blocks blocks = mms_blocks_make_even(n, (n + 15) / 16, mms_team_rank(over), mms_team_size(over));
  mms_status status = mms_tilt_solve(tilt, over, &target, &blocks, points + blocks.first_row * d,
                                     gradients + blocks.first_row * d, true, error);
  mms_target_free(&target);
  return status;
}

/* With one block too: more ranks than blocks. */
static void same_bits_at_any_rank_count(void **state) {
  (void)state;
  const int64_t counts[3] = {5, 100, MOST_N}, dims[3] = {1, 3, MOST_D};
  normals(1, MOST_N * MOST_D, points);
  normals(2, MOST_N * MOST_D, gradients);
  for (int c = 0; c < 3; c++)
    for (int k = 0; k < 3; k++) {
      mms_tilt together, alone;
      mms_error error = mms_error_none();
      size_t d = (size_t)dims[k];
      expect_ok(solve(&together, team, counts[c], dims[k], &error), &error);
      expect_ok(solve(&alone, NULL, counts[c], dims[k], &error), &error);
      assert_memory_equal(together.linear.data, alone.linear.data, d * sizeof(double));
      assert_memory_equal(together.quadratic.data, alone.quadratic.data, d * d * sizeof(double));
      assert_memory_equal(together.linear_error.data, alone.linear_error.data, d * sizeof(double));
      assert_memory_equal(together.quadratic_error.data, alone.quadratic_error.data, d * d * sizeof(double));
      assert_true(together.quadratic_error.data[0] > 0.0);
      mms_tilt_free(&together);
      mms_tilt_free(&alone);
    }
}

static void a_bad_gradient_on_one_rank_is_refused_by_all(void **state) {
  (void)state;
  mms_tilt tilt;
  mms_error error = mms_error_none();
  double kept = gradients[MOST_N * 3 - 1]; /* the last rank's */
  gradients[MOST_N * 3 - 1] = INFINITY;
  expect_refused(solve(&tilt, team, MOST_N, 3, &error), MMS_ERR_NUMERIC, &error, "not finite");
  assert_null(tilt.quadratic.data);
  gradients[MOST_N * 3 - 1] = kept;
}

int main(int argc, char **argv) {
  if (!team_begin(&argc, &argv)) return 1;
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(same_bits_at_any_rank_count),
      cmocka_unit_test(a_bad_gradient_on_one_rank_is_refused_by_all),
  };
  return team_end(cmocka_run_group_tests(tests, NULL, NULL));
}
