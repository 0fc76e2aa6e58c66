/* Errors as values, allocation without overflow, checked narrowing. */
#include "support.h"

#include "mmsold/base/matrix.h"
#include "mmsold/base/memory.h"
#include <stdlib.h>

static void messages_carry_context(void **state) {
  (void)state;
  mms_error error = mms_error_none();
  assert_int_equal(mms_fail(&error, MMS_ERR_INPUT, "row %d is empty", 7), MMS_ERR_INPUT);
  assert_int_equal(mms_fail_within(&error, "%s", "a.npy"), MMS_ERR_INPUT);
  assert_string_equal(error.message, "a.npy: row 7 is empty");
}

static void long_messages_are_cut_not_overrun(void **state) {
  (void)state;
  char text[2 * MMS_MESSAGE_SIZE];
  memset(text, 'x', sizeof text - 1);
  text[sizeof text - 1] = '\0';
  mms_error error = mms_error_none();
  mms_fail(&error, MMS_ERR_INPUT, "%s", text);
  mms_fail_within(&error, "%s", text);
  assert_int_equal(strlen(error.message), MMS_MESSAGE_SIZE - 1);
}

static void exit_codes_are_the_contract(void **state) {
  (void)state;
  assert_int_equal(mms_exit_code(MMS_OK), 0);
  assert_int_equal(mms_exit_code(MMS_ERR_INPUT), 2);
  assert_int_equal(mms_exit_code(MMS_STOPPED), 75);
  assert_int_equal(mms_exit_code(MMS_ERR_NUMERIC), 1);
  assert_int_equal(mms_exit_code(MMS_ERR_SYSTEM), 1);
}

static void arrays_are_aligned_and_zero(void **state) {
  (void)state;
  double *values = NULL;
  mms_error error = mms_error_none();
  expect_ok(mms_allocate_doubles(&values, 1001, "values", &error), &error);
  assert_int_equal((uintptr_t)values % MMS_ALIGNMENT, 0);
  for (int i = 0; i < 1001; i++) assert_true(values[i] == 0.0);
  free(values);
}

static void impossible_sizes_are_refused(void **state) {
  (void)state;
  double *values = NULL;
  mms_error error = mms_error_none();
  expect_refused(mms_allocate_doubles(&values, INT64_MAX, "the moon", &error), MMS_ERR_MEMORY, &error, "the moon");
  assert_null(values);
  expect_refused(mms_allocate_doubles(&values, -1, "less", &error), MMS_ERR_MEMORY, &error, "less");
  mms_matrix matrix;
  expect_refused(mms_matrix_create(&matrix, INT64_MAX / 2, 3, "wide", &error), MMS_ERR_MEMORY, &error, "wide");
}

static void narrowing_is_checked(void **state) {
  (void)state;
  int narrow = 0;
  mms_error error = mms_error_none();
  expect_ok(mms_narrow(&narrow, 2147483647, "n", &error), &error);
  assert_int_equal(narrow, 2147483647);
  expect_refused(mms_narrow(&narrow, 2147483648, "rows", &error), MMS_ERR_INTERNAL, &error, "rows");
  expect_refused(mms_narrow(&narrow, -1, "rows", &error), MMS_ERR_INTERNAL, &error, "-1");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(messages_carry_context),       cmocka_unit_test(long_messages_are_cut_not_overrun),
      cmocka_unit_test(exit_codes_are_the_contract),  cmocka_unit_test(arrays_are_aligned_and_zero),
      cmocka_unit_test(impossible_sizes_are_refused), cmocka_unit_test(narrowing_is_checked),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
