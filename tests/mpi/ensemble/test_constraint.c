/* The constraint where ranks share the reduction, and in many dimensions the d × d product, of a step: the bits of one
 * rank alone (truth d). */
#include "team_support.h"

#include "mmsold/ensemble/constraint.h"
#include "mmsold/random/random.h"
#include "parallel/team_mpi.h"

enum { STEPS = 3, SIZE = 16, SHARED_FROM = 256 };

static void fill(uint64_t seed, double scale, int64_t first, int64_t count, double *values) {
  mms_random_normals((mms_random_key){.seed = seed, .stream = MMS_STREAM_TEST}, first, count, values);
  for (int64_t i = 0; i < count; i++) values[i] *= scale;
}

/* Some steps of P = total particles in d dimensions from the same start; y [n_local][d] is the caller's to free. */
static double *walk(const mms_team *of, int64_t total, int64_t d, mms_retraction retraction, bool shared) {
  mms_error error = mms_error_none();
  const mms_blocks blocks = mms_blocks_make(total, SIZE, mms_team_rank(of), mms_team_size(of));
  mms_constraint *constraint = NULL;
  const int64_t entries = blocks.n_local * d, before = blocks.first_row * d;
  double *y = calloc((size_t)entries + 1, sizeof *y), *w = calloc((size_t)entries + 1, sizeof *w);
  assert_true(y != NULL && w != NULL);
  expect_ok(mms_constraint_create(&constraint, &blocks, d, retraction, &error), &error);
  if (shared) mms_constraint_share(constraint, of);
  const bool together = mms_exact_sum_is_shared(mms_constraint_sums(constraint)) && d >= SHARED_FROM;
  assert_int_equal(mms_constraint_shared_bytes(constraint), together ? d * d * (int64_t)sizeof *y : 0);
  fill(1, 1.0, before, entries, y);
  expect_ok(mms_constraint_retract(constraint, of, y, &error), &error);
  for (uint64_t step = 0; step < STEPS; step++) {
    fill(2 + step, 0.1, before, entries, w);
    mms_constraint_begin(constraint);
    assert_int_equal(mms_constraint_add(constraint, y, w), -1);
    expect_ok(mms_constraint_reduce(constraint, of, &error), &error);
    expect_ok(mms_constraint_apply(constraint, of, y, w, &error), &error);
  }
  mms_constraint_free(&constraint);
  free(w);
  return y;
}

static void check(int64_t total, int64_t d, mms_retraction retraction) {
  double *alone = walk(NULL, total, d, retraction, false);
  for (int cut = 0; cut <= 2; cut++) { /* one node; nodes of one rank; of two */
    mms_team *of = NULL;
    mms_error error = mms_error_none();
    expect_ok(mms_team_create_cut(&of, cut, &error), &error);
    const mms_blocks blocks = mms_blocks_make(total, SIZE, mms_team_rank(of), mms_team_size(of));
    double *y = walk(of, total, d, retraction, true);
    assert_memory_equal(y, alone + blocks.first_row * d, (size_t)(blocks.n_local * d) * sizeof *y);
    free(y);
    mms_team_free(&of);
  }
  free(alone);
}

static void few_dimensions(void **state) {
  (void)state;
  check(100, 2, MMS_RETRACTION_QR);
  check(101, 37, MMS_RETRACTION_QR);
  check(101, 37, MMS_RETRACTION_POLAR);
}

static void many_dimensions(void **state) {
  (void)state;
  check(300, 259, MMS_RETRACTION_QR);
  check(300, 259, MMS_RETRACTION_POLAR);
}

int main(int argc, char **argv) {
  if (!team_begin(&argc, &argv)) return 1;
  const struct CMUnitTest tests[] = {cmocka_unit_test(few_dimensions), cmocka_unit_test(many_dimensions)};
  return team_end(cmocka_run_group_tests(tests, NULL, NULL));
}
