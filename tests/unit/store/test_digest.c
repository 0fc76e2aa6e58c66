/* Truth x for whole files: every flipped byte and every cut of a small file is noticed, HDF5's own metadata and gaps
 * included, and HDF5 still reads a file that ends in a digest. */
#include "support.h"

#include "mmsold/base/memory.h"
#include "mmsold/store/h5.h"
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *const path = "digest-test.h5";

static char *read_all(const char *from, size_t *size) {
  FILE *file = fopen(from, "rb");
  assert_non_null(file);
  fseek(file, 0, SEEK_END);
  *size = (size_t)ftell(file);
  rewind(file);
  char *bytes = malloc(*size);
  assert_non_null(bytes);
  assert_int_equal(fread(bytes, 1, *size, file), *size);
  fclose(file);
  return bytes;
}

static void write_all(const char *bytes, size_t size) {
  FILE *file = fopen(path, "wb");
  assert_non_null(file);
  assert_int_equal(fwrite(bytes, 1, size, file), size);
  fclose(file);
}

/* A small file, or a copy of the one that MMSOLD_DIGEST_FILE names: a checkpoint, say. */
static int make_file(void **state) {
  (void)state;
  const char *other = getenv("MMSOLD_DIGEST_FILE");
  if (other != NULL) {
    size_t size = 0;
    char *bytes = read_all(other, &size);
    write_all(bytes, size);
    free(bytes);
    return 0;
  }
  mms_h5 *file = NULL;
  mms_error error = mms_error_none();
  const double values[12] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
  expect_ok(mms_h5_create(&file, NULL, path, &error), &error);
  expect_ok(mms_h5_attribute_text(file, "/", "kind", "test", &error), &error);
  expect_ok(mms_h5_write_rows(file, "/x", MMS_H5_FLOAT64, 4, 3, 0, 4, values, "numbers", NULL, NULL, &error), &error);
  expect_ok(mms_h5_commit(&file, &error), &error);
  return 0;
}

static int remove_file(void **state) {
  (void)state;
  unlink(path);
  return 0;
}

static void a_whole_file_passes_and_reads(void **state) {
  (void)state;
  mms_error error = mms_error_none();
  expect_ok(mms_h5_check_digest(NULL, path, &error), &error);
  if (getenv("MMSOLD_DIGEST_FILE") != NULL) return;
  mms_h5 *file = NULL;
  mms_matrix x = {0};
  int64_t datasets = 0, bytes = 0;
  expect_ok(mms_h5_open(&file, NULL, path, &error), &error);
  expect_ok(mms_h5_read_matrix(file, "/x", &x, &error), &error);
  expect_ok(mms_h5_verify(file, &datasets, &bytes, &error), &error);
  assert_true(x.data[11] == 12.0);
  mms_matrix_free(&x);
  mms_h5_close(&file);
}

static void every_flipped_byte_is_noticed(void **state) {
  (void)state;
  size_t size = 0;
  char *bytes = read_all(path, &size);
  for (size_t i = 0; i < size; i++) {
    bytes[i] = (char)(bytes[i] ^ 0x10);
    write_all(bytes, size);
    mms_error error = mms_error_none();
    if (mms_h5_check_digest(NULL, path, &error) != MMS_ERR_INPUT) fail_msg("byte %zu flipped unnoticed", i);
    bytes[i] = (char)(bytes[i] ^ 0x10);
  }
  write_all(bytes, size);
  free(bytes);
}

static void every_cut_and_every_addition_is_noticed(void **state) {
  (void)state;
  size_t size = 0;
  char *bytes = read_all(path, &size);
  for (size_t length = 0; length < size; length++) {
    write_all(bytes, length);
    mms_error error = mms_error_none();
    if (mms_h5_check_digest(NULL, path, &error) != MMS_ERR_INPUT) fail_msg("cut at byte %zu unnoticed", length);
  }
  char *longer = calloc(size + 1, 1);
  assert_non_null(longer);
  memcpy(longer, bytes, size);
  write_all(longer, size + 1);
  mms_error error = mms_error_none();
  expect_refused(mms_h5_check_digest(NULL, path, &error), MMS_ERR_INPUT, &error, path);
  write_all(bytes, size);
  free(longer);
  free(bytes);
  expect_refused(mms_h5_check_digest(NULL, "nowhere.h5", &error), MMS_ERR_SYSTEM, &error, "nowhere.h5");
}

/* A disk that holds something else than it was given, under a digest that fits it: only reading back can tell. */
static void what_is_not_there_as_it_was_written_gets_no_name(void **state) {
  (void)state;
  const char *const name = "digest-lie.h5", *const partial = "digest-lie.h5.partial";
  const double values[4] = {1.25, 2.25, 3.25, 4.25};
  mms_h5 *file = NULL;
  mms_error error = mms_error_none();
  expect_ok(mms_h5_create(&file, NULL, name, &error), &error);
  expect_ok(mms_h5_write_rows(file, "/x", MMS_H5_FLOAT64, 2, 2, 0, 2, values, "numbers", NULL, NULL, &error), &error);
  FILE *disk = fopen(partial, "r+b");
  assert_non_null(disk);
  double seen = 0.0;
  long at = 0;
  do assert_int_equal(fseek(disk, at++, SEEK_SET), 0);
  while (fread(&seen, sizeof seen, 1, disk) == 1 && seen != values[2]);
  assert_true(seen == values[2]);
  assert_int_equal(fseek(disk, at - 1, SEEK_SET), 0);
  seen = 5.25;
  assert_int_equal(fwrite(&seen, sizeof seen, 1, disk), 1);
  fclose(disk);
  expect_refused(mms_h5_commit(&file, &error), MMS_ERR_SYSTEM, &error, "reading back");
  assert_int_not_equal(access(name, F_OK), 0);
  assert_int_not_equal(access(partial, F_OK), 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_whole_file_passes_and_reads),
      cmocka_unit_test(every_flipped_byte_is_noticed),
      cmocka_unit_test(every_cut_and_every_addition_is_noticed),
      cmocka_unit_test(what_is_not_there_as_it_was_written_gets_no_name),
  };
  return cmocka_run_group_tests(tests, make_file, remove_file);
}
