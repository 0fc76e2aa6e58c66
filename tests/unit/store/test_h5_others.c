/* HDF5 files that other programs wrote are read with care, or refused by what they hold. */
#include "file_support.h"

#include "mmsold/store/h5.h"
#include <hdf5.h>
#include <stdlib.h>
#include <unistd.h>

static int set_up(void **state) {
  (void)state;
  return folder_make("a.h5");
}

typedef struct lines {
  char text[8192];
} lines;

static void keep_line(void *context, const char *line) {
  lines *kept = context;
  size_t used = strlen(kept->text);
  snprintf(kept->text + used, sizeof kept->text - used, "%s\n", line);
}

/* What others wrote: types we do not read, text of variable length, a shape nothing stands behind. */
static void write_what_others_write(void) {
  hid_t id = H5Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
  hsize_t two = 2, cube[3] = {2, 3, 4}, huge[2] = {1ull << 40, 1000};
  hid_t text = H5Tcopy(H5T_C_S1);
  H5Tset_size(text, H5T_VARIABLE);
  hid_t complex = H5Tcreate(H5T_COMPOUND, 16);
  H5Tinsert(complex, "r", 0, H5T_NATIVE_DOUBLE);
  H5Tinsert(complex, "i", 8, H5T_NATIVE_DOUBLE);
  hid_t space = H5Screate_simple(1, &two, NULL), space3 = H5Screate_simple(3, cube, NULL);
  hid_t space_huge = H5Screate_simple(2, huge, NULL), scalar = H5Screate(H5S_SCALAR);
  H5Dclose(H5Dcreate2(id, "/complex", complex, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
  hid_t words = H5Dcreate2(id, "/words", text, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
  const char *two_words[2] = {"one", "two"};
  H5Dwrite(words, text, H5S_ALL, H5S_ALL, H5P_DEFAULT, two_words);
  hid_t attribute = H5Acreate2(words, "title", text, scalar, H5P_DEFAULT, H5P_DEFAULT);
  H5Awrite(attribute, text, two_words);
  H5Aclose(attribute);
  H5Dclose(words);
  int16_t numbers[24];
  for (int i = 0; i < 24; i++) numbers[i] = (int16_t)(i - 5);
  hid_t images = H5Dcreate2(id, "/images", H5T_STD_I16BE, space3, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
  H5Dwrite(images, H5T_NATIVE_INT16, H5S_ALL, H5S_ALL, H5P_DEFAULT, numbers);
  H5Dclose(images);
  hid_t chunked = H5Pcreate(H5P_DATASET_CREATE);
  hsize_t chunk[2] = {16, 1000};
  H5Pset_chunk(chunked, 2, chunk);
  H5Dclose(H5Dcreate2(id, "/huge", H5T_NATIVE_DOUBLE, space_huge, H5P_DEFAULT, chunked, H5P_DEFAULT));
  H5Gclose(H5Gcreate2(id, "/group", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
  H5Pclose(chunked);
  H5Sclose(space);
  H5Sclose(space3);
  H5Sclose(space_huge);
  H5Sclose(scalar);
  H5Tclose(text);
  H5Tclose(complex);
  H5Fclose(id);
}

static void files_of_others_are_read_with_care(void **state) {
  (void)state;
  write_what_others_write();
  mms_error error = mms_error_none();
  mms_h5 *file = NULL;
  mms_matrix matrix;
  char *title = NULL;
  expect_ok(mms_h5_open(&file, NULL, path, &error), &error);
  expect_ok(mms_h5_read_matrix(file, "/images", &matrix, &error), &error);
  assert_true(matrix.rows == 2 && matrix.cols == 12);
  for (int i = 0; i < 24; i++) assert_true(matrix.data[i] == i - 5);
  mms_matrix_free(&matrix);
  expect_ok(mms_h5_read_text(file, "/words", "title", &title, &error), &error);
  assert_string_equal(title, "one");
  free(title);
  expect_refused(mms_h5_read_matrix(file, "/complex", &matrix, &error), MMS_ERR_INPUT, &error, "compound");
  expect_refused(mms_h5_read_matrix(file, "/words", &matrix, &error), MMS_ERR_INPUT, &error, "/words: holds text");
  expect_refused(mms_h5_read_matrix(file, "/group", &matrix, &error), MMS_ERR_INPUT, &error, "is a group");
  expect_refused(mms_h5_read_matrix(file, "/nowhere", &matrix, &error), MMS_ERR_INPUT, &error, "no dataset /nowhere");
  expect_refused(mms_h5_read_matrix(file, "/huge", &matrix, &error), MMS_ERR_INPUT, &error, "claims 1099511627776");
  double row[12];
  expect_refused(mms_h5_read_rows(file, "/images", 1, 2, row, &error), MMS_ERR_INTERNAL, &error, "there are 2");
  lines kept = {""};
  expect_ok(mms_h5_describe(file, keep_line, &kept, &error), &error);
  assert_non_null(strstr(kept.text, "/complex  2  compound"));
  assert_non_null(strstr(kept.text, "/images  2 x 3 x 4  int16"));
  assert_non_null(strstr(kept.text, "title : 1 x text"));
  mms_h5_close(&file);
}

/* A file in HDF5's oldest format, whose metadata carry no checksums: a chunked dataset, a plain one and a text. */
static void write_small(void) {
  hid_t id = H5Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
  hsize_t five = 5, thirteen = 13;
  const double numbers[13] = {1, 2, 3, 4, 5};
  char words[77] = "words";
  hid_t space = H5Screate_simple(1, &five, NULL), space13 = H5Screate_simple(1, &thirteen, NULL);
  hid_t scalar = H5Screate(H5S_SCALAR), text = H5Tcopy(H5T_C_S1), chunked = H5Pcreate(H5P_DATASET_CREATE);
  H5Tset_size(text, sizeof words);
  H5Pset_chunk(chunked, 1, &five);
  hid_t in_chunks = H5Dcreate2(id, "/chunks", H5T_IEEE_F64LE, space, H5P_DEFAULT, chunked, H5P_DEFAULT);
  H5Dwrite(in_chunks, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, numbers);
  H5Dclose(in_chunks);
  hid_t plain = H5Dcreate2(id, "/plain", H5T_IEEE_F64LE, space13, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
  H5Dwrite(plain, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, numbers);
  hid_t attribute = H5Acreate2(plain, "words", text, scalar, H5P_DEFAULT, H5P_DEFAULT);
  H5Awrite(attribute, text, words);
  H5Aclose(attribute);
  H5Dclose(plain);
  H5Pclose(chunked);
  H5Tclose(text);
  H5Sclose(space);
  H5Sclose(space13);
  H5Sclose(scalar);
  H5Fclose(id);
}

/* Exchange bytes that occur in the file. */
static void patch(const void *from, const void *to, size_t size) {
  static unsigned char bytes[1 << 15];
  FILE *file = fopen(path, "r+b");
  assert_non_null(file);
  size_t length = fread(bytes, 1, sizeof bytes, file), at = 0;
  while (at + size <= length && memcmp(bytes + at, from, size) != 0) at++;
  assert_true(at + size <= length);
  assert_int_equal(fseek(file, (long)at, SEEK_SET), 0);
  assert_int_equal(fwrite(to, 1, size, file), size);
  assert_int_equal(fclose(file), 0);
}

static void expect_reading_refused(const char *name, const char *part) {
  mms_error error = mms_error_none();
  mms_h5 *file = NULL;
  mms_matrix matrix;
  expect_ok(mms_h5_open(&file, NULL, path, &error), &error);
  expect_refused(mms_h5_read_matrix(file, name, &matrix, &error), MMS_ERR_INPUT, &error, part);
  assert_true(strncmp(error.message, path, strlen(path)) == 0);
  expect_refused(mms_h5_verify(file, NULL, NULL, &error), MMS_ERR_INPUT, &error, part);
  mms_h5_close(&file);
}

/* Chunk dimensions follow each other, 4 bytes each, the item's last: 5 of 8 bytes become 2^28 + 5. */
static void a_chunk_larger_than_the_file_is_refused(void **state) {
  (void)state;
  write_small();
  patch("\5\0\0\0\10\0\0\0", "\5\0\0\20\10\0\0\0", 8);
  expect_reading_refused("/chunks", "claims chunks of 2147483688 bytes");
}

/* The shape 13 becomes 2^27 + 13, and the 104 bytes stored become 2^30 + 104. */
static void a_dataset_larger_than_the_file_is_refused(void **state) {
  (void)state;
  write_small();
  patch("\15\0\0\0\0\0\0\0\15\0\0\0\0\0\0\0", "\15\0\0\10\0\0\0\0\15\0\0\10\0\0\0\0", 16);
  patch("\150\0\0\0\0\0\0\0", "\150\0\0\100\0\0\0\0", 8);
  expect_reading_refused("/plain", "claims 134217741 x 1 items of 8 bytes");
}

/* The type of a text says its length: 77 becomes 2^30 + 77. HDF5 notices that by itself; our words name the file. */
static void an_attribute_larger_than_the_file_is_refused(void **state) {
  (void)state;
  write_small();
  patch("\115\0\0\0", "\115\0\0\100", 4);
  mms_error error = mms_error_none();
  mms_h5 *file = NULL;
  char *text = NULL;
  lines kept = {""};
  expect_ok(mms_h5_open(&file, NULL, path, &error), &error);
  expect_refused(mms_h5_read_text(file, "/plain", "words", &text, &error), MMS_ERR_INPUT, &error, "words");
  assert_true(strncmp(error.message, path, strlen(path)) == 0);
  assert_null(text);
  expect_refused(mms_h5_describe(file, keep_line, &kept, &error), MMS_ERR_INPUT, &error, "attribute");
  mms_h5_close(&file);
}

/* As in a group that holds itself, which HDF5 follows down for ever. */
static void groups_without_end_are_refused(void **state) {
  (void)state;
  char name[2 * 101 + 1] = "";
  hid_t id = H5Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
  for (int level = 1; level <= 101; level++) {
    strcat(name, "/g");
    H5Gclose(H5Gcreate2(id, name, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
  }
  H5Fclose(id);
  mms_error error = mms_error_none();
  mms_h5 *file = NULL;
  lines kept = {""};
  expect_ok(mms_h5_open(&file, NULL, path, &error), &error);
  expect_refused(mms_h5_describe(file, keep_line, &kept, &error), MMS_ERR_INPUT, &error, "beyond 100 levels");
  expect_refused(mms_h5_verify(file, NULL, NULL, &error), MMS_ERR_INPUT, &error, "beyond 100 levels");
  mms_h5_close(&file);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(files_of_others_are_read_with_care),
      cmocka_unit_test(a_chunk_larger_than_the_file_is_refused),
      cmocka_unit_test(a_dataset_larger_than_the_file_is_refused),
      cmocka_unit_test(groups_without_end_are_refused),
      cmocka_unit_test(an_attribute_larger_than_the_file_is_refused),
  };
  return cmocka_run_group_tests(tests, set_up, folder_remove);
}
