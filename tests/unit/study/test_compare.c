/* The whole comparison of two sets in memory: what applies, what does not and why, and the numbers where known. */
#include "support.h"

#include "mmsold/random/random.h"
#include "mmsold/study/compare.h"
#include "mmsold/study/distances.h"
#include <stdlib.h>

static mms_matrix normals(int64_t rows, int64_t cols, uint64_t item) {
  mms_matrix set;
  mms_error error = mms_error_none();
  expect_ok(mms_matrix_create(&set, rows, cols, "a test set", &error), &error);
  mms_random_normals((mms_random_key){.seed = 6, .stream = MMS_STREAM_TEST, .item = item}, 0, rows * cols, set.data);
  return set;
}

static mms_comparison compare(const mms_matrix *a, const mms_matrix *b) {
  mms_comparison found;
  mms_error error = mms_error_none();
  expect_ok(mms_compare_sets(&found, a, b, 64, 1, &error), &error);
  return found;
}

static void a_set_equals_itself(void **state) {
  (void)state;
  mms_matrix a = normals(400, 3, 1);
  mms_comparison found = compare(&a, &a);
  assert_true(found.sw2 == 0);
  assert_true(found.has_sw2_reference && found.sw2_reference > 0 && found.sw2_reference < 0.5);
  assert_true(found.has_kid && found.has_manifold && found.has_duplicates && found.has_defects);
  assert_true(found.precision == 1 && found.recall == 1 && found.coverage == 1);
  assert_true(found.duplicate_rate == 1);
  expect_near(found.mean_defect, 0, 1e-15);
  expect_near(found.covariance_defect, 0, 1e-14);
  assert_false(found.defects_against_target);
  assert_true(found.count_a == 400 && found.count_b == 400 && found.dim == 3);
  assert_true(found.manifold_a == 400 && found.manifold_b == 400);
  mms_matrix_free(&a);
}

/* Two samples of one law lie as far apart as two halves of one of them. */
static void the_reference_is_the_noise_of_one_law(void **state) {
  (void)state;
  mms_matrix a = normals(1000, 2, 1), b = normals(2000, 2, 2), c = normals(1000, 2, 3);
  for (int64_t i = 0; i < 2000; i++) c.data[i] += 1;
  mms_comparison same = compare(&a, &b), other = compare(&c, &b);
  assert_true(same.sw2 < 2 * same.sw2_reference && same.sw2 > 0.5 * same.sw2_reference);
  assert_true(other.sw2 > 5 * other.sw2_reference);
  expect_near(same.kid, 0, 5 * same.kid_stderr);
  assert_true(other.kid > 5 * other.kid_stderr);
  expect_near(other.mean_defect, 1, 0.15);
  mms_matrix_free(&a);
  mms_matrix_free(&b);
  mms_matrix_free(&c);
}

static void what_does_not_apply_says_why(void **state) {
  (void)state;
  double x[3] = {1, 2, 3};
  mms_matrix one = {1, 1, x}, three = {3, 1, x};
  mms_comparison found = compare(&three, &one);
  assert_false(found.has_sw2_reference || found.has_kid || found.has_manifold || found.has_duplicates ||
               found.has_defects);
  assert_non_null(found.no_sw2_reference);
  assert_non_null(found.no_kid);
  assert_non_null(found.no_manifold);
  assert_non_null(found.no_duplicates);
  assert_non_null(found.no_defects);
  expect_near(found.sw2, sqrt(5.0 / 3), 1e-15);
  found = compare(&three, &three);
  assert_true(found.has_kid && found.kid_stderr == 0 && found.no_kid == NULL); /* too few for subsets: all at once */
  assert_false(found.has_manifold);
}

static void the_percentile_follows_the_size(void **state) {
  (void)state;
  mms_matrix few = normals(50, 1, 1), many = normals(10001, 1, 2);
  mms_comparison found = compare(&few, &few);
  assert_true(found.duplicate_percentile == 5);
  found = compare(&few, &many);
  assert_true(found.duplicate_percentile == 1);
  mms_matrix_free(&few);
  mms_matrix_free(&many);
}

static void different_spaces_are_refused(void **state) {
  (void)state;
  double x[6] = {1, 2, 3, 4, 5, 6};
  mms_matrix a = {3, 2, x}, b = {2, 3, x};
  mms_comparison found;
  mms_error error = mms_error_none();
  expect_refused(mms_compare_sets(&found, &a, &b, 8, 0, &error), MMS_ERR_INPUT, &error, "2 columns");
  expect_refused(mms_compare_sets(&found, &a, &b, 8, 0, &error), MMS_ERR_INPUT, &error, "has 3");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_set_equals_itself),          cmocka_unit_test(the_reference_is_the_noise_of_one_law),
      cmocka_unit_test(what_does_not_apply_says_why), cmocka_unit_test(the_percentile_follows_the_size),
      cmocka_unit_test(different_spaces_are_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
