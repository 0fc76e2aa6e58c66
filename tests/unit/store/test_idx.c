/* IDX files, plain and gzip: read as meant; cut, damaged or lying ones are refused. */
#include "file_support.h"

#include "mmsold/store/arrays.h"
#include <stdlib.h>
#include <unistd.h>
#include <zlib.h>

static int set_up(void **state) {
  (void)state;
  return folder_make("a-idx-ubyte");
}

static void put_gzip(const void *bytes, size_t count) {
  gzFile stream = gzopen(path, "wb");
  assert_non_null(stream);
  assert_int_equal(gzwrite(stream, bytes, (unsigned)count), (int)count);
  gzclose(stream);
}

static size_t get(unsigned char *bytes, size_t room) {
  FILE *stream = fopen(path, "rb");
  assert_non_null(stream);
  size_t count = fread(bytes, 1, room, stream);
  fclose(stream);
  return count;
}

/* 2 images of 2 x 3 bytes */
static const unsigned char images[] = {0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 2, 0,   0,
                                       0, 3, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 128, 255};

static void images_read_plain_and_packed(void **state) {
  (void)state;
  for (int packed = 0; packed < 2; packed++) {
    mms_error error = mms_error_none();
    mms_array array;
    int is_bytes = 0;
    packed ? put_gzip(images, sizeof images) : put(images, sizeof images);
    assert_true(mms_idx_recognise(path));
    expect_ok(mms_idx_read(&array, path, &is_bytes, &error), &error);
    assert_true(is_bytes);
    assert_int_equal(array.rank, 3);
    assert_int_equal(array.dims[2], 3);
    assert_int_equal(array.values.rows, 2);
    assert_int_equal(array.values.cols, 6);
    for (int i = 0; i < 12; i++) assert_true(array.values.data[i] == images[16 + i]);
    mms_array_free(&array);
  }
}

static void every_type_reads(void **state) {
  (void)state;
  const struct {
    unsigned char bytes[8 + 8];
    size_t size;
    double value;
  } files[] = {{{0, 0, 0x09, 1, 0, 0, 0, 1, 0xfe}, 9, -2},
               {{0, 0, 0x0B, 1, 0, 0, 0, 1, 0xff, 0x00}, 10, -256},
               {{0, 0, 0x0C, 1, 0, 0, 0, 1, 0, 1, 0, 0}, 12, 65536},
               {{0, 0, 0x0D, 1, 0, 0, 0, 1, 0xbf, 0x80, 0, 0}, 12, -1},
               {{0, 0, 0x0E, 1, 0, 0, 0, 1, 0x40, 0x04, 0, 0, 0, 0, 0, 0}, 16, 2.5}};
  for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
    mms_error error = mms_error_none();
    mms_array array;
    int is_bytes = 1;
    put(files[i].bytes, files[i].size);
    expect_ok(mms_idx_read(&array, path, &is_bytes, &error), &error);
    assert_false(is_bytes);
    assert_int_equal(array.values.rows, 1);
    assert_int_equal(array.values.cols, 1);
    assert_true(array.values.data[0] == files[i].value);
    mms_array_free(&array);
  }
}

static void every_cut_is_noticed(void **state) {
  (void)state;
  unsigned char packed[256];
  put_gzip(images, sizeof images);
  size_t size = get(packed, sizeof packed);
  mms_error error = mms_error_none();
  mms_array array;
  for (size_t cut = 0; cut < sizeof images; cut++) {
    put(images, cut);
    expect_refused(mms_idx_read(&array, path, NULL, &error), MMS_ERR_INPUT, &error, "cut short");
    assert_null(array.values.data);
  }
  for (size_t cut = 2; cut < size; cut++) {
    put(packed, cut);
    expect_refused(mms_idx_read(&array, path, NULL, &error), MMS_ERR_INPUT, &error, path);
  }
  put(images, 20);
  expect_refused(mms_idx_read(&array, path, NULL, &error), MMS_ERR_INPUT, &error,
                 "4 bytes of data where its header says 12");
}

static void trailing_bytes_and_damage_are_noticed(void **state) {
  (void)state;
  mms_error error = mms_error_none();
  mms_array array;
  unsigned char longer[sizeof images + 5];
  memset(longer, 7, sizeof longer);
  memcpy(longer, images, sizeof images);
  put(longer, sizeof longer);
  expect_refused(mms_idx_read(&array, path, NULL, &error), MMS_ERR_INPUT, &error, "17 bytes of data instead of 12");
  put_gzip(longer, sizeof longer);
  expect_refused(mms_idx_read(&array, path, NULL, &error), MMS_ERR_INPUT, &error, "17 bytes of data (unpacked)");
  unsigned char packed[256];
  put_gzip(images, sizeof images);
  size_t size = get(packed, sizeof packed);
  for (size_t at = size - 8; at < size; at++) { /* gzip's checksum and length */
    packed[at] ^= 1;
    put(packed, size);
    expect_refused(mms_idx_read(&array, path, NULL, &error), MMS_ERR_INPUT, &error, "gzip stream is damaged");
    packed[at] ^= 1;
  }
}

static void lies_in_the_header_are_not_believed(void **state) {
  (void)state;
  mms_error error = mms_error_none();
  mms_array array;
  const unsigned char huge[] = {0, 0, 0x0E, 2, 0xff, 0xff, 0xff, 0xff, 0, 0xff, 0xff, 0xff, 1, 2, 3};
  put(huge, sizeof huge); /* 2^56 numbers: found out before memory is asked for */
  expect_refused(mms_idx_read(&array, path, NULL, &error), MMS_ERR_INPUT, &error, "3 bytes of data");
  const unsigned char beyond[] = {0,    0,    0x0E, 3,    0xff, 0xff, 0xff, 0xff,
                                  0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
  put(beyond, sizeof beyond);
  expect_refused(mms_idx_read(&array, path, NULL, &error), MMS_ERR_INPUT, &error, "possible size");
}

static void other_files_are_refused(void **state) {
  (void)state;
  mms_error error = mms_error_none();
  mms_array array;
  expect_refused(mms_idx_read(&array, "not-there", NULL, &error), MMS_ERR_INPUT, &error, "no such file");
  expect_refused(mms_idx_read(&array, folder, NULL, &error), MMS_ERR_INPUT, &error, "is a folder");
  assert_false(mms_idx_recognise("not-there"));
  assert_false(mms_idx_recognise(folder));
  put("\x93NUMPY\x01", 7);
  assert_false(mms_idx_recognise(path));
  expect_refused(mms_idx_read(&array, path, NULL, &error), MMS_ERR_INPUT, &error, "93 4e 55 4d");
  put("\0\0\x0a\1", 4);
  expect_refused(mms_idx_read(&array, path, NULL, &error), MMS_ERR_INPUT, &error, "00 00 0a 01");
  put("\0\0\x08\x09", 4);
  expect_refused(mms_idx_read(&array, path, NULL, &error), MMS_ERR_INPUT, &error, "9 dimensions");
  put("\0\0\x08\0", 4);
  expect_refused(mms_idx_read(&array, path, NULL, &error), MMS_ERR_INPUT, &error, "0 dimensions");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(images_read_plain_and_packed),
      cmocka_unit_test(every_type_reads),
      cmocka_unit_test(every_cut_is_noticed),
      cmocka_unit_test(trailing_bytes_and_damage_are_noticed),
      cmocka_unit_test(lies_in_the_header_are_not_believed),
      cmocka_unit_test(other_files_are_refused),
  };
  return cmocka_run_group_tests(tests, set_up, folder_remove);
}
