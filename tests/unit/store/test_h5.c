/* HDF5 files of one process: what is written reads back; damage, cuts and wrong kinds are named. */
#include "file_support.h"

#include "mmsold/base/memory.h"
#include "mmsold/store/h5.h"
#include <hdf5.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static char partial[300];

static int set_up(void **state) {
  (void)state;
  if (folder_make("a.h5") != 0) return -1;
  snprintf(partial, sizeof partial, "%s.partial", path);
  return 0;
}

enum { ROWS = 3000, COLS = 50 };

static double value_at(int64_t i) { return sin((double)i) * 3.7; }

/* The file most tests look at: two chunked datasets, a scalar, groups and attributes. */
static void write_sample(void) {
  mms_error error = mms_error_none();
  mms_h5 *file = NULL;
  double *values = NULL;
  expect_ok(mms_allocate_doubles(&values, ROWS * COLS, "values", &error), &error);
  for (int i = 0; i < ROWS * COLS; i++) values[i] = value_at(i);
  const int64_t steps[3] = {1, -2, INT64_MAX};
  const double scalar = 0.1;
  expect_ok(mms_h5_create(&file, NULL, path, &error), &error);
  expect_ok(mms_h5_write_rows(file, "/samples", MMS_H5_FLOAT64, ROWS, COLS, 0, ROWS, values, "in some coordinates",
                              "particle", "coordinate", &error),
            &error);
  expect_ok(mms_h5_write_rows(file, "/single", MMS_H5_FLOAT32, ROWS, COLS, 0, ROWS, values, NULL, NULL, NULL, &error),
            &error);
  expect_ok(mms_h5_write_array(file, "/trace/deep/step", MMS_H5_INT64, 1, 3, 0, steps, "steps", &error), &error);
  expect_ok(mms_h5_write_array(file, "/trace/scalar", MMS_H5_FLOAT64, 0, 0, 0, &scalar, NULL, &error), &error);
  expect_ok(mms_h5_group(file, "/empty/group", &error), &error);
  expect_ok(mms_h5_attribute_text(file, "/", "configuration", "first: 1\nsecond: 2\n", &error), &error);
  expect_ok(mms_h5_attribute_int(file, "/", "step", -7, &error), &error);
  expect_ok(mms_h5_attribute_uint(file, "/", "seed", UINT64_MAX, &error), &error);
  expect_ok(mms_h5_attribute_double(file, "/trace", "width", 0.1, &error), &error);
  expect_ok(mms_h5_commit(&file, &error), &error);
  assert_null(file);
  free(values);
}

static void what_is_written_reads_back(void **state) {
  (void)state;
  write_sample();
  mms_error error = mms_error_none();
  mms_h5 *file = NULL;
  mms_matrix matrix;
  expect_ok(mms_h5_open(&file, NULL, path, &error), &error);
  assert_true(mms_h5_has(file, "/samples"));
  assert_true(mms_h5_has(file, "/trace/deep"));
  assert_false(mms_h5_has(file, "/trace/shallow/step"));
  expect_ok(mms_h5_read_matrix(file, "/samples", &matrix, &error), &error);
  assert_int_equal(matrix.rows, ROWS);
  assert_int_equal(matrix.cols, COLS);
  for (int i = 0; i < ROWS * COLS; i++) assert_true(matrix.data[i] == value_at(i));
  mms_matrix_free(&matrix);
  double part[2 * COLS];
  expect_ok(mms_h5_read_rows(file, "/single", 1234, 2, part, &error), &error);
  for (int i = 0; i < 2 * COLS; i++) assert_true(part[i] == (double)(float)value_at(1234 * COLS + i));
  expect_ok(mms_h5_read_rows(file, "/single", 0, 0, NULL, &error), &error);
  int rank = -1;
  int64_t dims[8];
  expect_ok(mms_h5_shape(file, "/trace/deep/step", &rank, dims, &error), &error);
  assert_int_equal(rank, 1);
  assert_int_equal(dims[0], 3);
  expect_ok(mms_h5_read_matrix(file, "/trace/scalar", &matrix, &error), &error);
  assert_true(matrix.rows == 1 && matrix.cols == 1 && matrix.data[0] == 0.1);
  mms_matrix_free(&matrix);
  mms_h5_close(&file);
  assert_null(file);
}

static void attributes_read_back_and_keep_their_kind(void **state) {
  (void)state;
  mms_error error = mms_error_none();
  mms_h5 *file = NULL;
  char *text = NULL;
  int64_t step = 0;
  uint64_t seed = 0;
  double width = 0;
  expect_ok(mms_h5_open(&file, NULL, path, &error), &error);
  expect_ok(mms_h5_read_text(file, "/", "configuration", &text, &error), &error);
  assert_string_equal(text, "first: 1\nsecond: 2\n");
  free(text);
  expect_ok(mms_h5_read_int(file, "/", "step", &step, &error), &error);
  assert_int_equal(step, -7);
  expect_ok(mms_h5_read_uint(file, "/", "seed", &seed, &error), &error);
  assert_true(seed == UINT64_MAX);
  expect_ok(mms_h5_read_double(file, "/trace", "width", &width, &error), &error);
  assert_true(width == 0.1);
  expect_refused(mms_h5_read_int(file, "/", "configuration", &step, &error), MMS_ERR_INPUT, &error, "is text");
  expect_refused(mms_h5_read_text(file, "/", "step", &text, &error), MMS_ERR_INPUT, &error, "is int64");
  expect_refused(mms_h5_read_int(file, "/", "colour", &step, &error), MMS_ERR_INPUT, &error, "no attribute colour");
  expect_refused(mms_h5_read_int(file, "/nowhere", "step", &step, &error), MMS_ERR_INPUT, &error, "/nowhere");
  mms_h5_close(&file);
}

static void long_texts_and_many_attributes_are_kept(void **state) {
  (void)state;
  enum { LENGTH = 200000 }; /* beyond the 64 KiB of an attribute in HDF5's oldest format */
  mms_error error = mms_error_none();
  mms_h5 *file = NULL;
  char *text = NULL, *back = NULL;
  expect_ok(mms_allocate((void **)&text, LENGTH + 1, 1, "text", &error), &error);
  for (int i = 0; i < LENGTH; i++) text[i] = (char)('a' + i % 26);
  expect_ok(mms_h5_create(&file, NULL, path, &error), &error);
  expect_ok(mms_h5_attribute_text(file, "/", "long", text, &error), &error);
  expect_ok(mms_h5_attribute_text(file, "/", "nothing", "", &error), &error);
  for (int i = 0; i < 40; i++) {
    char name[16];
    snprintf(name, sizeof name, "a%d", i);
    expect_ok(mms_h5_attribute_int(file, "/", name, i, &error), &error);
  }
  expect_ok(mms_h5_commit(&file, &error), &error);
  expect_ok(mms_h5_open(&file, NULL, path, &error), &error);
  expect_ok(mms_h5_read_text(file, "/", "long", &back, &error), &error);
  assert_string_equal(back, text);
  free(back);
  expect_ok(mms_h5_read_text(file, "/", "nothing", &back, &error), &error);
  assert_string_equal(back, "");
  mms_h5_close(&file);
  free(back);
  free(text);
}

static void equal_content_gives_equal_files(void **state) {
  (void)state;
  unsigned char *first = NULL, *second = NULL;
  size_t sizes[2];
  for (int i = 0; i < 2; i++) {
    write_sample();
    if (i == 0) sleep(1); /* a time stamp of seconds would differ */
    FILE *stream = fopen(path, "rb");
    fseek(stream, 0, SEEK_END);
    sizes[i] = (size_t)ftell(stream);
    rewind(stream);
    unsigned char *bytes = malloc(sizes[i]);
    assert_int_equal(fread(bytes, 1, sizes[i], stream), sizes[i]);
    fclose(stream);
    *(i == 0 ? &first : &second) = bytes;
  }
  assert_int_equal(sizes[0], sizes[1]);
  assert_memory_equal(first, second, sizes[0]);
  free(first);
  free(second);
}

static void the_old_file_stays_until_commit(void **state) {
  (void)state;
  write_sample();
  struct stat before, after;
  assert_int_equal(stat(path, &before), 0);
  FILE *stale = fopen(partial, "wb");
  fputs("left over from a killed run", stale);
  fclose(stale);
  mms_error error = mms_error_none();
  mms_h5 *file = NULL;
  const double one = 1;
  expect_ok(mms_h5_create(&file, NULL, path, &error), &error);
  expect_ok(mms_h5_write_array(file, "/one", MMS_H5_FLOAT64, 0, 0, 0, &one, NULL, &error), &error);
  assert_int_equal(stat(path, &after), 0);
  assert_true(before.st_ino == after.st_ino && before.st_size == after.st_size);
  mms_h5_close(&file); /* given up: the old file stays, the new one goes */
  assert_int_not_equal(access(partial, F_OK), 0);
  assert_int_equal(stat(path, &after), 0);
  assert_true(before.st_ino == after.st_ino);
  expect_ok(mms_h5_create(&file, NULL, path, &error), &error);
  expect_ok(mms_h5_commit(&file, &error), &error);
  assert_int_equal(stat(path, &after), 0);
  assert_true(before.st_size != after.st_size);
  assert_int_not_equal(access(partial, F_OK), 0);
}

static void places_that_cannot_be_written_are_refused(void **state) {
  (void)state;
  mms_error error = mms_error_none();
  mms_h5 *file = NULL;
  expect_refused(mms_h5_create(&file, NULL, "no-such-folder/a.h5", &error), MMS_ERR_INPUT, &error, "no-such-folder");
  assert_null(file);
  expect_refused(mms_h5_create(&file, NULL, folder, &error), MMS_ERR_INPUT, &error, "is a folder");
  char below[300];
  snprintf(below, sizeof below, "%s/b.h5", path);
  expect_refused(mms_h5_create(&file, NULL, below, &error), MMS_ERR_INPUT, &error, "cannot be written");
}

static void values_that_do_not_fit_are_refused(void **state) {
  (void)state;
  mms_error error = mms_error_none();
  mms_h5 *file = NULL;
  const double large = 1e300, half = 0.5;
  expect_ok(mms_h5_create(&file, NULL, path, &error), &error);
  expect_refused(mms_h5_write_rows(file, "/large", MMS_H5_FLOAT32, 1, 1, 0, 1, &large, NULL, NULL, NULL, &error),
                 MMS_ERR_NUMERIC, &error, "/large: the value 1.0");
  expect_refused(mms_h5_write_rows(file, "/half", MMS_H5_INT64, 1, 1, 0, 1, &half, NULL, NULL, NULL, &error),
                 MMS_ERR_NUMERIC, &error, "0.5");
  expect_refused(mms_h5_write_rows(file, "/less", MMS_H5_INT64, 2, 1, 0, 1, &half, NULL, NULL, NULL, &error),
                 MMS_ERR_INTERNAL, &error, "1 rows of 2");
  expect_refused(mms_h5_write_rows(file, "/more", MMS_H5_INT64, 2, 1, 1, 2, &half, NULL, NULL, NULL, &error),
                 MMS_ERR_INTERNAL, &error, "do not lie inside");
  mms_h5_close(&file);
}

static void empty_and_very_wide_datasets_work(void **state) {
  (void)state;
  enum { WIDE = 300000 }; /* one row is larger than a chunk */
  mms_error error = mms_error_none();
  mms_h5 *file = NULL;
  double *wide = NULL;
  expect_ok(mms_allocate_doubles(&wide, 2 * WIDE, "wide", &error), &error);
  for (int i = 0; i < 2 * WIDE; i++) wide[i] = value_at(i);
  expect_ok(mms_h5_create(&file, NULL, path, &error), &error);
  expect_ok(mms_h5_write_rows(file, "/none", MMS_H5_FLOAT64, 0, 4, 0, 0, NULL, "nobody", "a", "b", &error), &error);
  expect_ok(mms_h5_write_rows(file, "/thin", MMS_H5_FLOAT64, 4, 0, 0, 4, NULL, NULL, NULL, NULL, &error), &error);
  expect_ok(mms_h5_write_array(file, "/nothing", MMS_H5_FLOAT64, 1, 0, 0, NULL, NULL, &error), &error);
  expect_ok(mms_h5_write_rows(file, "/wide", MMS_H5_FLOAT64, 2, WIDE, 0, 2, wide, NULL, NULL, NULL, &error), &error);
  expect_ok(mms_h5_commit(&file, &error), &error);
  expect_ok(mms_h5_open(&file, NULL, path, &error), &error);
  mms_matrix matrix;
  expect_ok(mms_h5_read_matrix(file, "/none", &matrix, &error), &error);
  assert_true(matrix.rows == 0 && matrix.cols == 4);
  mms_matrix_free(&matrix);
  expect_ok(mms_h5_read_matrix(file, "/wide", &matrix, &error), &error);
  assert_memory_equal(matrix.data, wide, 2 * WIDE * sizeof(double));
  mms_matrix_free(&matrix);
  int64_t datasets = 0;
  expect_ok(mms_h5_verify(file, &datasets, NULL, &error), &error);
  assert_int_equal(datasets, 4);
  mms_h5_close(&file);
  free(wide);
}

typedef struct lines {
  char text[8192];
} lines;

static void keep_line(void *context, const char *line) {
  lines *kept = context;
  size_t used = strlen(kept->text);
  snprintf(kept->text + used, sizeof kept->text - used, "%s\n", line);
}

static void a_file_describes_itself(void **state) {
  (void)state;
  write_sample();
  mms_error error = mms_error_none();
  mms_h5 *file = NULL;
  lines kept = {""};
  expect_ok(mms_h5_open(&file, NULL, path, &error), &error);
  expect_ok(mms_h5_describe(file, keep_line, &kept, &error), &error);
  const char *wanted = "/\n"
                       "    configuration =\n"
                       "      | first: 1\n"
                       "      | second: 2\n"
                       "    seed = 18446744073709551615\n"
                       "    step = -7\n"
                       "/samples  3000 x 50  float64  in some coordinates\n"
                       "/single  3000 x 50  float32\n"
                       "/trace/\n"
                       "    width = 0.10000000000000001\n"
                       "/trace/deep/step  3  int64  steps\n"
                       "/trace/scalar  scalar  float64\n";
  assert_string_equal(kept.text, wanted);
  int64_t datasets = 0, bytes = 0;
  expect_ok(mms_h5_verify(file, &datasets, &bytes, &error), &error);
  assert_int_equal(datasets, 4);
  assert_int_equal(bytes, ROWS * COLS * 12 + 3 * 8 + 8);
  mms_h5_close(&file);
}

/* Where the bytes of one double of /samples lie in the file. */
static long find_value(double wanted) {
  FILE *stream = fopen(path, "rb");
  long place = -1;
  unsigned char window[8] = {0};
  for (long at = 0, byte; place < 0 && (byte = fgetc(stream)) != EOF; at++) { /* HDF5 aligns nothing */
    memmove(window, window + 1, 7);
    window[7] = (unsigned char)byte;
    if (memcmp(window, &wanted, sizeof wanted) == 0) place = at - 7;
  }
  fclose(stream);
  return place;
}

static void a_flipped_byte_is_found(void **state) {
  (void)state;
  write_sample();
  long place = find_value(value_at(77777));
  assert_true(place > 0);
  FILE *stream = fopen(path, "r+b");
  fseek(stream, place + 3, SEEK_SET);
  int byte = fgetc(stream);
  fseek(stream, place + 3, SEEK_SET);
  fputc(byte ^ 0x10, stream);
  fclose(stream);
  mms_error error = mms_error_none();
  mms_h5 *file = NULL;
  double row[COLS];
  expect_ok(mms_h5_open(&file, NULL, path, &error), &error);
  expect_refused(mms_h5_verify(file, NULL, NULL, &error), MMS_ERR_INPUT, &error, "/samples");
  assert_non_null(strstr(error.message, "damaged"));
  expect_refused(mms_h5_read_rows(file, "/samples", 77777 / COLS, 1, row, &error), MMS_ERR_INPUT, &error, "/samples");
  expect_ok(mms_h5_read_rows(file, "/single", 77777 / COLS, 1, row, &error), &error);
  mms_h5_close(&file);
}

static void every_cut_is_refused(void **state) {
  (void)state;
  write_sample();
  struct stat about;
  assert_int_equal(stat(path, &about), 0);
  /* The 32 bytes of the digest lie behind what HDF5 knows of; test_digest.c cuts those. */
  for (off_t cut = about.st_size - 33, i = 0; cut > 0; cut = cut * 2 / 3, i++) {
    mms_error error = mms_error_none();
    mms_h5 *file = NULL;
    assert_int_equal(truncate(path, cut), 0);
    expect_refused(mms_h5_open(&file, NULL, path, &error), MMS_ERR_INPUT, &error, path);
    assert_null(file);
    if (i == 0) assert_non_null(strstr(error.message, "truncated file"));
  }
}

static void other_files_are_refused(void **state) {
  (void)state;
  mms_error error = mms_error_none();
  mms_h5 *file = NULL;
  expect_refused(mms_h5_open(&file, NULL, "not-there.h5", &error), MMS_ERR_INPUT, &error, "not-there.h5: no such file");
  expect_refused(mms_h5_open(&file, NULL, folder, &error), MMS_ERR_INPUT, &error, "is a folder");
  FILE *stream = fopen(path, "wb");
  fputs("not what you think", stream);
  fclose(stream);
  expect_refused(mms_h5_open(&file, NULL, path, &error), MMS_ERR_INPUT, &error, "is not an HDF5 file (18 bytes");
  assert_int_equal(truncate(path, 0), 0);
  expect_refused(mms_h5_open(&file, NULL, path, &error), MMS_ERR_INPUT, &error, "is empty");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(what_is_written_reads_back),
      cmocka_unit_test(attributes_read_back_and_keep_their_kind),
      cmocka_unit_test(long_texts_and_many_attributes_are_kept),
      cmocka_unit_test(equal_content_gives_equal_files),
      cmocka_unit_test(the_old_file_stays_until_commit),
      cmocka_unit_test(places_that_cannot_be_written_are_refused),
      cmocka_unit_test(values_that_do_not_fit_are_refused),
      cmocka_unit_test(empty_and_very_wide_datasets_work),
      cmocka_unit_test(a_file_describes_itself),
      cmocka_unit_test(a_flipped_byte_is_found),
      cmocka_unit_test(every_cut_is_refused),
      cmocka_unit_test(other_files_are_refused),
  };
  return cmocka_run_group_tests(tests, set_up, folder_remove);
}
