/* HDF5 files that other programs wrote are read with care, or refused by what they hold. */
#include "support.h"

#include "mmsold/store/h5.h"
#include <hdf5.h>
#include <stdlib.h>
#include <unistd.h>

static char folder[] = "h5-others-XXXXXX";
static char path[256];

static int set_up(void **state) {
  (void)state;
  if (mkdtemp(folder) == NULL) return -1;
  snprintf(path, sizeof path, "%s/a.h5", folder);
  return 0;
}

static int tear_down(void **state) {
  (void)state;
  unlink(path);
  return rmdir(folder);
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

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(files_of_others_are_read_with_care),
  };
  return cmocka_run_group_tests(tests, set_up, tear_down);
}
