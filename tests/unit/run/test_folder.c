/* The output folder: made, refused, locked, set aside, pruned. */
#include "support.h"

#include "run/folder.h"
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char place[64];

static int make_place(void **state) {
  (void)state;
  snprintf(place, sizeof place, "folder-test-XXXXXX");
  return mkdtemp(place) != NULL && chdir(place) == 0 ? 0 : -1;
}

static int remove_place(void **state) {
  (void)state;
  char command[128];
  snprintf(command, sizeof command, "rm -rf '%s'", place);
  return chdir("..") == 0 && system(command) == 0 ? 0 : -1;
}

static void touch(const char *path) {
  const int file = open(path, O_CREAT | O_WRONLY, 0666);
  assert_true(file >= 0);
  close(file);
}

static void parents_are_made(void **state) {
  (void)state;
  mms_error error = mms_error_none();
  mms_folder folder;
  char *aside = NULL;
  expect_ok(mms_folder_open(&folder, "a/b/c", false, &aside, &error), &error);
  assert_int_equal(access("a/b/c/.lock", F_OK), 0);
  assert_null(aside);
  mms_folder_close(&folder);
}

static void what_a_killed_run_left_half_written_is_swept(void **state) {
  (void)state;
  mms_error error = mms_error_none();
  mms_folder folder;
  char *aside = NULL;
  assert_int_equal(mkdir("swept", 0777), 0);
  touch("swept/checkpoint-7.h5.partial");
  touch("swept/samples.h5.partial");
  touch("swept/checkpoint-7.h5");
  touch("swept/mine.h5.partial");
  expect_ok(mms_folder_open(&folder, "swept", false, &aside, &error), &error);
  assert_int_not_equal(access("swept/checkpoint-7.h5.partial", F_OK), 0);
  assert_int_not_equal(access("swept/samples.h5.partial", F_OK), 0);
  assert_int_equal(access("swept/checkpoint-7.h5", F_OK), 0);
  assert_int_equal(access("swept/mine.h5.partial", F_OK), 0); /* not of a run */
  assert_true(mms_folder_put_aside("swept", 7));
  assert_int_not_equal(access("swept/checkpoint-7.h5", F_OK), 0);
  assert_int_equal(access("swept/checkpoint-7.h5.damaged", F_OK), 0);
  mms_folder_close(&folder);
}

static void a_fallback_must_be_a_folder(void **state) {
  (void)state;
  mms_error error = mms_error_none();
  touch("no-folder");
  expect_ok(mms_folder_check_fallback(NULL, &error), &error);
  expect_ok(mms_folder_check_fallback(".", &error), &error);
  expect_refused(mms_folder_check_fallback("nowhere", &error), MMS_ERR_INPUT, &error, "nowhere");
  expect_refused(mms_folder_check_fallback("no-folder", &error), MMS_ERR_INPUT, &error, "is a file");
}

static void a_file_in_the_way_is_refused(void **state) {
  (void)state;
  mms_error error = mms_error_none();
  mms_folder folder;
  char *aside = NULL;
  touch("file");
  expect_refused(mms_folder_open(&folder, "file", false, &aside, &error), MMS_ERR_INPUT, &error, "is a file");
  expect_refused(mms_folder_open(&folder, "file/below", false, &aside, &error), MMS_ERR_INPUT, &error, "file/below");
  expect_refused(mms_folder_check("file", &error), MMS_ERR_INPUT, &error, "is a file");
}

static void a_second_run_is_refused(void **state) {
  (void)state;
  mms_error error = mms_error_none();
  mms_folder folder;
  char *aside = NULL;
  expect_ok(mms_folder_open(&folder, "busy", false, &aside, &error), &error);
  const pid_t child = fork(); /* record locks are per process, so the other run must be one */
  if (child == 0) {
    mms_folder other;
    const mms_status plain = mms_folder_open(&other, "busy", false, &aside, &error);
    const mms_status fresh = mms_folder_open(&other, "busy", true, &aside, &error);
    _exit(plain == MMS_ERR_INPUT && fresh == MMS_ERR_INPUT && strstr(error.message, "another run") != NULL ? 0 : 1);
  }
  int ended = 0;
  assert_int_equal(waitpid(child, &ended, 0), child);
  assert_true(WIFEXITED(ended) && WEXITSTATUS(ended) == 0);
  mms_folder_close(&folder);
  expect_ok(mms_folder_open(&folder, "busy", false, &aside, &error), &error); /* nothing stays behind */
  mms_folder_close(&folder);
}

static void fresh_keeps_the_old_output_aside(void **state) {
  (void)state;
  mms_error error = mms_error_none();
  mms_folder folder;
  char *aside = NULL;
  assert_int_equal(mkdir("out", 0777), 0);
  touch("out/samples.h5");
  expect_ok(mms_folder_open(&folder, "out", true, &aside, &error), &error);
  assert_string_equal(aside, "out.old-1");
  assert_int_equal(access("out.old-1/samples.h5", F_OK), 0);
  assert_int_equal(access("out/samples.h5", F_OK), -1);
  mms_folder_close(&folder);
  free(aside);
  expect_ok(mms_folder_open(&folder, "out", true, &aside, &error), &error);
  assert_string_equal(aside, "out.old-2");
  mms_folder_close(&folder);
  free(aside);
}

static void only_the_newest_checkpoints_stay(void **state) {
  (void)state;
  mms_error error = mms_error_none();
  assert_int_equal(mkdir("cp", 0777), 0);
  touch("cp/checkpoint-9.h5");
  touch("cp/checkpoint-100.h5");
  touch("cp/checkpoint-20.h5");
  touch("cp/checkpoint-20.h5.partial");
  touch("cp/checkpoint-x.h5");
  int64_t *steps = NULL, count = 0;
  expect_ok(mms_folder_checkpoints("cp", &steps, &count, &error), &error);
  assert_int_equal(count, 3);
  assert_int_equal(steps[0], 100);
  assert_int_equal(steps[1], 20);
  assert_int_equal(steps[2], 9);
  free(steps);
  mms_folder_prune("cp", 20, 1); /* 20 was just written; 100 is not of this run */
  assert_int_equal(access("cp/checkpoint-100.h5", F_OK), 0);
  assert_int_equal(access("cp/checkpoint-20.h5", F_OK), 0);
  assert_int_equal(access("cp/checkpoint-9.h5", F_OK), -1);
  touch("cp/checkpoint-9.h5");
  mms_folder_prune("cp", 100, 2);
  assert_int_equal(access("cp/checkpoint-9.h5", F_OK), -1);
  assert_int_equal(access("cp/checkpoint-20.h5", F_OK), 0);
  expect_refused(mms_folder_checkpoints("nowhere", &steps, &count, &error), MMS_ERR_INPUT, &error, "nowhere");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(parents_are_made),
      cmocka_unit_test(what_a_killed_run_left_half_written_is_swept),
      cmocka_unit_test(a_fallback_must_be_a_folder),
      cmocka_unit_test(a_file_in_the_way_is_refused),
      cmocka_unit_test(a_second_run_is_refused),
      cmocka_unit_test(fresh_keeps_the_old_output_aside),
      cmocka_unit_test(only_the_newest_checkpoints_stay),
  };
  return cmocka_run_group_tests(tests, make_place, remove_place);
}
