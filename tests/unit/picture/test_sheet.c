/* Image sheets, read back by libpng: size, clipping, order, magnification, labels, refusals. */
#include "support.h"

#include "mmsold/picture/picture.h"
#include <png.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct folder {
  char name[64], path[160];
} folder;

static int make_folder(void **state) {
  folder *place = calloc(1, sizeof *place);
  strcpy(place->name, "sheet-test-XXXXXX");
  if (mkdtemp(place->name) == NULL) return -1;
  snprintf(place->path, sizeof place->path, "%s/sheet.png", place->name);
  *state = place;
  return 0;
}

static int remove_folder(void **state) {
  folder *place = *state;
  unlink(place->path);
  int left = rmdir(place->name); /* fails where a temporary file was left behind */
  free(place);
  return left;
}

/* [height][width] grey; the caller frees it. */
static unsigned char *read_back(const char *path, int64_t *width, int64_t *height) {
  png_image image = {.version = PNG_IMAGE_VERSION};
  assert_int_equal(png_image_begin_read_from_file(&image, path), 1);
  assert_int_equal(image.format, PNG_FORMAT_GRAY);
  unsigned char *pixels = malloc(PNG_IMAGE_SIZE(image));
  assert_int_equal(png_image_finish_read(&image, NULL, pixels, 0, NULL), 1);
  *width = image.width;
  *height = image.height;
  return pixels;
}

static void file_is_a_png_of_8_bit_grey(void **state) {
  folder *place = *state;
  double values[2 * 4] = {0};
  mms_matrix images = {2, 4, values};
  mms_sheet_band band = {NULL, &images};
  mms_error error = mms_error_none();
  expect_ok(mms_picture_sheet(place->path, &band, 1, 2, 2, 2, &error), &error);
  unsigned char head[26];
  FILE *file = fopen(place->path, "rb");
  assert_int_equal(fread(head, 1, sizeof head, file), sizeof head);
  fclose(file);
  assert_memory_equal(head, "\x89PNG\r\n\x1a\n", 8);
  assert_memory_equal(head + 12, "IHDR", 4);
  /* two images of 2 x 2 at the largest scale 8, a gap of 3 and margins of 16 */
  assert_int_equal(head[18] << 8 | head[19], 2 * 16 + 2 * 16 + 3);
  assert_int_equal(head[22] << 8 | head[23], 2 * 16 + 16);
  assert_int_equal(head[24], 8);
  assert_int_equal(head[25], 0);
}

static void values_are_clipped_rounded_and_placed(void **state) {
  folder *place = *state;
  /* first image 2 x 3, row-major; the second begins a new line of the sheet */
  double values[2 * 6] = {-3, 0, 0.5, 1, 7, 0.25, 1, 1, 1, 1, 1, 0};
  const int expected[2 * 6] = {0, 0, 128, 255, 255, 64, 255, 255, 255, 255, 255, 0};
  mms_matrix images = {2, 6, values};
  mms_sheet_band band = {NULL, &images};
  mms_error error = mms_error_none();
  expect_ok(mms_picture_sheet(place->path, &band, 1, 2, 3, 1, &error), &error);
  int64_t width = 0, height = 0;
  unsigned char *pixels = read_back(place->path, &width, &height);
  assert_int_equal(width, 16 + 3 * 8 + 16);
  assert_int_equal(height, 16 + 2 * 8 + 3 + 2 * 8 + 16);
  for (int64_t image = 0; image < 2; image++)
    for (int64_t row = 0; row < 2 * 8; row++)
      for (int64_t column = 0; column < 3 * 8; column++)
        assert_int_equal(pixels[(16 + image * (2 * 8 + 3) + row) * width + 16 + column],
                         expected[image * 6 + row / 8 * 3 + column / 8]);
  assert_int_equal(pixels[0], 255); /* the page is white */
  free(pixels);
}

static void labels_are_drawn_above_their_band(void **state) {
  folder *place = *state;
  double values[4] = {1, 1, 1, 1};
  mms_matrix images = {1, 4, values}, none = {0, 4, values};
  mms_sheet_band bands[2] = {{"T", &images}, {"empty \xce\xb4", &none}};
  mms_error error = mms_error_none();
  expect_ok(mms_picture_sheet(place->path, bands, 2, 2, 2, 5, &error), &error);
  int64_t width = 0, height = 0, ink = 0;
  unsigned char *pixels = read_back(place->path, &width, &height);
  /* a T of 5 x 7 dots: 5 across, 6 more down, each 2 x 2 pixels; the images are white here */
  for (int64_t row = 16; row < 16 + 14; row++)
    for (int64_t column = 0; column < width; column++) ink += pixels[row * width + column] != 255;
  assert_int_equal(ink, 4 * (5 + 6));
  assert_int_equal(width, 32 + 2 * (7 * 6 - 1)); /* "empty" and a delta: seven glyphs make the page wider */
  free(pixels);
}

static void impossible_sheets_are_refused(void **state) {
  folder *place = *state;
  double values[4] = {0, 0, NAN, 0};
  mms_matrix good = {1, 4, (double[]){0, 0, 0, 0}}, bad = {1, 4, values};
  mms_sheet_band band = {"a", &good}, broken = {"b", &bad};
  mms_error error = mms_error_none();
  expect_refused(mms_picture_sheet("no-such-folder/a.png", &band, 1, 2, 2, 1, &error), MMS_ERR_INPUT, &error,
                 "no-such-folder");
  expect_refused(mms_picture_sheet("a.gif", &band, 1, 2, 2, 1, &error), MMS_ERR_INPUT, &error, ".png");
  char inside[160];
  snprintf(inside, sizeof inside, "%s/folder.png", place->name);
  assert_int_equal(mkdir(inside, 0700), 0);
  expect_refused(mms_picture_sheet(inside, &band, 1, 2, 2, 1, &error), MMS_ERR_INPUT, &error, "is a folder");
  rmdir(inside);
  expect_refused(mms_picture_sheet(place->path, &band, 1, 3, 2, 1, &error), MMS_ERR_INPUT, &error, "3 x 2");
  expect_refused(mms_picture_sheet(place->path, &broken, 1, 2, 2, 1, &error), MMS_ERR_INPUT, &error, "not a number");
  expect_refused(mms_picture_sheet(place->path, &band, 0, 2, 2, 1, &error), MMS_ERR_INPUT, &error, "0 bands");
  expect_refused(mms_picture_sheet(place->path, &band, 1, 2, 2, 0, &error), MMS_ERR_INPUT, &error, "0 columns");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(file_is_a_png_of_8_bit_grey, make_folder, remove_folder),
      cmocka_unit_test_setup_teardown(values_are_clipped_rounded_and_placed, make_folder, remove_folder),
      cmocka_unit_test_setup_teardown(labels_are_drawn_above_their_band, make_folder, remove_folder),
      cmocka_unit_test_setup_teardown(impossible_sheets_are_refused, make_folder, remove_folder),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
