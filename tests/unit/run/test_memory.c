/* Law 3 and what is said of it: a run's peak is known though what made it was given back between two looks. */
#include "support.h"

#include "mmsold/base/memory.h"
#include "run/memory.h"
#include <stdlib.h>
#include <string.h>

static const double mebibyte = 1024.0 * 1024.0;

static void peak_is_remembered(void **state) {
  (void)state;
#ifdef __SANITIZE_ADDRESS__
  skip(); /* which keeps what is given back */
#endif
  mms_team *team = NULL;
  assert_int_equal(mms_team_create(&team, NULL), MMS_OK);
  mms_memory_watch watch;
  mms_memory_watch_begin(&watch);
  assert_true(watch.libraries > 0.5 * mebibyte);
  assert_true(watch.most == watch.libraries);
  double *values = NULL;
  assert_int_equal(mms_allocate_doubles(&values, 12 << 20, "a peak", NULL), MMS_OK); /* zeroed: 96 MiB are taken */
  free(values);
  mms_memory_watch_look(&watch, team, true);
  const double peak = watch.most, now = watch.last.share;
  assert_true(peak >= watch.libraries + 90.0 * mebibyte && peak <= watch.libraries + 102.0 * mebibyte);
  assert_true(now < watch.libraries + 10.0 * mebibyte);

  assert_int_equal(mms_allocate_doubles(&values, 1 << 20, "less", NULL), MMS_OK);
  mms_memory_watch_look(&watch, team, false);
  assert_true(watch.most == peak); /* 8 MiB make no new peak */
  assert_true(watch.last.share >= now + 7.0 * mebibyte);

  char *text = NULL;
  assert_int_equal(mms_memory_describe(&watch, team, 0.0, &text, NULL), MMS_OK);
  assert_non_null(strstr(text, "on the largest rank"));
  free(text);
  watch = (mms_memory_watch){0}; /* a system that does not say */
  assert_int_equal(mms_memory_describe(&watch, team, 0.0, &text, NULL), MMS_OK);
  assert_string_equal(text, "");
  free(text);
  free(values);
  mms_team_free(&team);
}

/* A checkpoint's pieces stop growing with the particles, and samples are never held whole. */
static void files_are_written_in_pieces(void **state) {
  (void)state;
  const double few = mms_memory_of_files(1000, 256, 2, 2, 4);
  assert_true(few > 4.0 * mebibyte && few < 5.0 * mebibyte);
  const double many = mms_memory_of_files(10000000, 256, 2, 2, 4);
  assert_true(many > 48.0 * mebibyte && many < 64.0 * mebibyte);
  assert_true(mms_memory_of_files(100000000, 256, 2, 2, 4) == many);
  assert_true(mms_memory_of_files(100000, 256, 2, 784, 8) > mms_memory_of_files(100000, 256, 2, 2, 8) - 1.0);
}

int main(int argc, char **argv) {
  mms_error error = mms_error_none();
  expect_ok(mms_world_begin(&argc, &argv, &error), &error);
  const struct CMUnitTest tests[] = {cmocka_unit_test(peak_is_remembered),
                                     cmocka_unit_test(files_are_written_in_pieces)};
  const int failed = cmocka_run_group_tests(tests, NULL, NULL);
  mms_world_end();
  return failed;
}
