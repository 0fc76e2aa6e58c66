/* .npy files: every type, order and byte order reads as what was meant; what is wrong with a file is named. */
#include "file_support.h"

#include "mmsold/store/arrays.h"
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static int set_up(void **state) {
  (void)state;
  return folder_make("a.npy");
}

/* A .npy file of format `version` with this header text and these data; returns its size. */
static size_t put_npy(int version, const char *header, const void *data, size_t bytes) {
  unsigned char file[4096] = "\x93NUMPY";
  size_t length = strlen(header), at = 8;
  file[6] = (unsigned char)version;
  for (int i = 0; i < (version == 1 ? 2 : 4); i++) file[at++] = (unsigned char)(length >> (8 * i));
  memcpy(file + at, header, length);
  memcpy(file + at + length, data, bytes);
  put(file, at + length + bytes);
  return at + length + bytes;
}

static void expect_values(int version, const char *header, const void *data, size_t bytes, int64_t rows, int64_t cols,
                          const double *wanted) {
  mms_error error = mms_error_none();
  mms_array array;
  put_npy(version, header, data, bytes);
  expect_ok(mms_npy_read(&array, path, &error), &error);
  assert_int_equal(array.values.rows, rows);
  assert_int_equal(array.values.cols, cols);
  for (int64_t i = 0; i < rows * cols; i++)
    if (array.values.data[i] != wanted[i]) fail_msg("%s: item %d is %g", header, (int)i, array.values.data[i]);
  mms_array_free(&array);
}

static void expect_header_refused(const char *header, const char *part) {
  mms_error error = mms_error_none();
  mms_array array;
  double data[6] = {0};
  put_npy(1, header, data, sizeof data);
  expect_refused(mms_npy_read(&array, path, &error), MMS_ERR_INPUT, &error, part);
  assert_non_null(strstr(error.message, path));
  assert_null(array.values.data);
}

static void every_type_reads(void **state) {
  (void)state;
#define HEADER(descr) "{'descr': '" descr "', 'fortran_order': False, 'shape': (3,), }\n"
#define TRY(descr, type, ...)                                                                                          \
  do {                                                                                                                 \
    const type data[3] = {__VA_ARGS__};                                                                                \
    const double wanted[3] = {__VA_ARGS__};                                                                            \
    expect_values(1, HEADER(descr), data, sizeof data, 3, 1, wanted);                                                  \
  } while (0)
  TRY("|b1", uint8_t, 0, 1, 1);
  TRY("|u1", uint8_t, 0, 128, 255);
  TRY("|i1", int8_t, -128, -1, 127);
  TRY("<i2", int16_t, -32768, -1, 32767);
  TRY("<u2", uint16_t, 0, 1, 65535);
  TRY("<i4", int32_t, -2147483647 - 1, -1, 2147483647);
  TRY("<u4", uint32_t, 0, 1, 4294967295);
  TRY("<i8", int64_t, -4503599627370497, -1, 7);
  TRY("<u8", uint64_t, 0, 1, 4503599627370497);
  TRY("<f4", float, -1.5f, 0.0f, 3.0e38f);
  TRY("<f8", double, -1.5, 5e-324, 1e300);
  TRY("=f8", double, 1, 2, 3);
  const unsigned char half[6] = {0x00, 0x3c, 0x01, 0x00, 0x00, 0xc0};
  expect_values(1, HEADER("<f2"), half, sizeof half, 3, 1, (const double[]){1.0, 0x1p-24, -2.0});
  const unsigned char big[6] = {0x01, 0x02, 0xff, 0xff, 0x00, 0x05};
  expect_values(1, HEADER(">i2"), big, sizeof big, 3, 1, (const double[]){258, -1, 5});
  const unsigned char big_float[12] = {0x3f, 0x80, 0, 0, 0xc0, 0, 0, 0, 0x3f, 0, 0, 0};
  expect_values(1, HEADER(">f4"), big_float, sizeof big_float, 3, 1, (const double[]){1, -2, 0.5});
  const unsigned char lowest[24] = {0x80, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
  expect_values(1, HEADER(">i8"), lowest, sizeof lowest, 3, 1, (const double[]){-0x1p63, -1, 0});
}

static void both_orders_and_all_formats_read(void **state) {
  (void)state;
  const double data[6] = {1, 2, 3, 4, 5, 6};
  const char *c = "{'descr': '<f8', 'fortran_order': False, 'shape': (2, 3), }";
  const char *f = "{\"shape\": (2, 3), 'fortran_order': True , 'descr': '<f8'}  \n";
  for (int version = 1; version <= 3; version++) {
    expect_values(version, c, data, sizeof data, 2, 3, data);
    expect_values(version, f, data, sizeof data, 2, 3, (const double[]){1, 3, 5, 2, 4, 6});
  }
  expect_values(1, "{'descr': '<f8', 'fortran_order': False, 'shape': (2L, 3L)}", data, sizeof data, 2, 3, data);
}

static void fortran_order_of_rank_three_reads(void **state) {
  (void)state;
  /* a[i][j][k] = 100 i + 10 j + k, stored with i fastest */
  double data[24], wanted[24];
  for (int i = 0; i < 2; i++)
    for (int j = 0; j < 3; j++)
      for (int k = 0; k < 4; k++) data[i + 2 * j + 6 * k] = wanted[12 * i + 4 * j + k] = 100 * i + 10 * j + k;
  expect_values(2, "{'descr': '<f8', 'fortran_order': True, 'shape': (2, 3, 4)}", data, sizeof data, 2, 12, wanted);
}

static void headers_are_read_strictly(void **state) {
  (void)state;
  expect_header_refused("{'descr': '<c16', 'fortran_order': False, 'shape': (3,)}", "'<c16'");
  expect_header_refused("{'descr': '|O', 'fortran_order': False, 'shape': (6,)}", "'|O'");
  expect_header_refused("{'descr': '<U5', 'fortran_order': False, 'shape': (6,)}", "'<U5'");
  expect_header_refused("{'descr': '<f3', 'fortran_order': False, 'shape': (6,)}", "'<f3'");
  expect_header_refused("{'descr': '|f8', 'fortran_order': False, 'shape': (6,)}", "'|f8'");
  expect_header_refused("{'descr': [('a', '<f8')], 'fortran_order': False, 'shape': (6,)}", "structured");
  expect_header_refused("{'descr': '<f8', 'fortran_order': False, 'shape': (6)}", "comma");
  expect_header_refused("{'descr': '<f8', 'fortran_order': False, 'shape': (-6,)}", "63 bits");
  expect_header_refused("{'descr': '<f8', 'fortran_order': False, 'shape': (99999999999999999999,)}", "63 bits");
  expect_header_refused("{'descr': '<f8', 'fortran_order': False, 'shape': (1,1,1,1,1,1,1,1,6)}", "8 dimensions");
  expect_header_refused("{'descr': '<f8', 'fortran_order': False, 'shape': ()}", "single number");
  expect_header_refused("{'descr': '<f8', 'fortran_order': 0, 'shape': (6,)}", "True or False");
  expect_header_refused("{'descr': '<f8', 'fortran_order': False}", "lacks");
  expect_header_refused("{'descr': '<f8', 'descr': '<f8', 'fortran_order': False, 'shape': (6,)}", "twice");
  expect_header_refused("{'descr': '<f8', 'colour': 3, 'fortran_order': False, 'shape': (6,)}", "'colour'");
  expect_header_refused("{'descr': '<f8', 'fortran_order': False, 'shape': (6,)} import os", "nothing but spaces");
  expect_header_refused("{'descr': '<f8' 'fortran_order': False, 'shape': (6,)}", "comma or }");
  expect_header_refused("{'descr': '<f8', 'fortran_order': False, 'shape': (6,)", "byte");
  expect_header_refused("", "byte 0");
}

static void impossible_shapes_are_refused_before_memory_is_asked_for(void **state) {
  (void)state;
  expect_header_refused("{'descr': '<f8', 'fortran_order': False, 'shape': (4611686018427387904, 4)}", "possible size");
  expect_header_refused("{'descr': '|u1', 'fortran_order': False, 'shape': (0, 4611686018427387904, 4)}",
                        "possible size");
  expect_header_refused("{'descr': '|u1', 'fortran_order': False, 'shape': (1099511627776,)}", "cut short");
  mms_error error = mms_error_none();
  mms_array array;
  put("\x93NUMPY\x02\x00\xff\xff\xff\xff{", 13);
  expect_refused(mms_npy_read(&array, path, &error), MMS_ERR_INPUT, &error, "4294967295");
}

static void every_cut_is_noticed(void **state) {
  (void)state;
  const double data[6] = {1, 2, 3, 4, 5, 6};
  unsigned char whole[512];
  size_t size = put_npy(1, "{'descr': '<f8', 'fortran_order': False, 'shape': (2, 3), }", data, sizeof data);
  FILE *stream = fopen(path, "rb");
  assert_int_equal(fread(whole, 1, sizeof whole, stream), size);
  fclose(stream);
  for (size_t cut = 0; cut < size; cut++) {
    mms_error error = mms_error_none();
    mms_array array;
    put(whole, cut);
    expect_refused(mms_npy_read(&array, path, &error), MMS_ERR_INPUT, &error, "cut short");
  }
  mms_error error = mms_error_none();
  mms_array array;
  put(whole, size + 1);
  expect_refused(mms_npy_read(&array, path, &error), MMS_ERR_INPUT, &error, "longer");
}

static void other_files_are_refused(void **state) {
  (void)state;
  mms_error error = mms_error_none();
  mms_array array;
  expect_refused(mms_npy_read(&array, "not-there.npy", &error), MMS_ERR_INPUT, &error, "not-there.npy: no such file");
  expect_refused(mms_npy_read(&array, folder, &error), MMS_ERR_INPUT, &error, "is a folder");
  expect_refused(mms_npy_read(&array, "/dev/null", &error), MMS_ERR_INPUT, &error, "not a regular file");
  put("PK\x03\x04 an .npz archive", 20);
  expect_refused(mms_npy_read(&array, path, &error), MMS_ERR_INPUT, &error, "not a .npy file");
  put("\x93NUMPY\x04\x00\x00\x00\x00\x00", 12);
  expect_refused(mms_npy_read(&array, path, &error), MMS_ERR_INPUT, &error, "format 4.0");
}

static void what_is_written_reads_back(void **state) {
  (void)state;
  mms_error error = mms_error_none();
  mms_matrix matrix;
  expect_ok(mms_matrix_create(&matrix, 37, 5, "m", &error), &error);
  for (int i = 0; i < 37 * 5; i++) matrix.data[i] = sin(i) * pow(10, i % 40 - 20);
  put("an older file", 13);
  expect_ok(mms_npy_write(&matrix, path, &error), &error);
  mms_array array;
  expect_ok(mms_npy_read(&array, path, &error), &error);
  assert_int_equal(array.rank, 2);
  assert_int_equal(array.values.rows, 37);
  assert_int_equal(array.values.cols, 5);
  assert_memory_equal(array.values.data, matrix.data, 37 * 5 * sizeof(double));
  struct stat about;
  assert_int_equal(stat(path, &about), 0);
  assert_int_equal(about.st_size, 128 + 37 * 5 * 8);
  char partial[300];
  snprintf(partial, sizeof partial, "%s.partial", path);
  assert_int_not_equal(access(partial, F_OK), 0);
  expect_refused(mms_npy_write(&matrix, "no-such-folder/a.npy", &error), MMS_ERR_INPUT, &error, "no-such-folder");
  expect_refused(mms_npy_write(&matrix, folder, &error), MMS_ERR_INPUT, &error, "is a folder");
  mms_array_free(&array);
  mms_matrix_free(&matrix);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_type_reads),
      cmocka_unit_test(both_orders_and_all_formats_read),
      cmocka_unit_test(fortran_order_of_rank_three_reads),
      cmocka_unit_test(headers_are_read_strictly),
      cmocka_unit_test(impossible_shapes_are_refused_before_memory_is_asked_for),
      cmocka_unit_test(every_cut_is_noticed),
      cmocka_unit_test(other_files_are_refused),
      cmocka_unit_test(what_is_written_reads_back),
  };
  return cmocka_run_group_tests(tests, set_up, folder_remove);
}
