/* Maps: what comes out is a picture of the right size whose colours are the values', and what cannot be drawn is
 * refused. */
#include "support.h"

#include "mmsold/picture/maps.h"
#include <png.h>
#include <stdlib.h>
#include <unistd.h>

static const char path[] = "test-maps.png";
static const double x[2] = {-1, 1}, y[2] = {-1, 1};

/* Two maps side by side: each bright in another quarter. */
static void bright_cells_are_where_they_belong(void **state) {
  (void)state;
  double left[16] = {0}, right[16] = {0};
  left[0] = 1.0;   /* low x, low y */
  right[15] = 5.0; /* high x, high y: on its own scale */
  const mms_map maps[2] = {{"it's a map", left}, {NULL, right}};
  mms_error error = mms_error_none();
  expect_ok(mms_picture_maps(path, maps, 2, 2, 4, 4, x, y, &error), &error);
  png_image image = {.version = PNG_IMAGE_VERSION};
  assert_int_equal(png_image_begin_read_from_file(&image, path), 1);
  image.format = PNG_FORMAT_RGB;
  unsigned char *pixels = malloc(PNG_IMAGE_SIZE(image));
  assert_int_equal(png_image_finish_read(&image, NULL, pixels, 0, NULL), 1);
  int width = (int)image.width, height = (int)image.height;
  /* the page: margins of 20, maps of 300, a gap of 14, a title of 30 */
  assert_int_equal(width, 654);
  assert_int_equal(height, 370);
  const int yellow[2][2] = {{20 + 37, height - 20 - 37}, {20 + 314 + 300 - 37, 20 + 30 + 37}};
  for (int m = 0; m < 2; m++)
    for (int other = 0; other < 2; other++) { /* in the right place of its map, and not in the other's */
      int column = yellow[m][0], row = yellow[m == other ? m : other][1];
      const unsigned char *pixel = pixels + 3 * (row * width + column);
      if (m == other)
        assert_true(pixel[0] > 200 && pixel[1] > 180 && pixel[2] < 120);
      else
        assert_true(pixel[0] < 60 && pixel[2] > 50);
    }
  free(pixels);
  unlink(path);
  assert_int_not_equal(access("test-maps.png.numbers.partial", F_OK), 0);
}

static void what_cannot_be_drawn_is_refused(void **state) {
  (void)state;
  double values[4] = {0, 1, NAN, 2};
  const mms_map map = {"", values};
  mms_error error = mms_error_none();
  expect_refused(mms_picture_maps(path, &map, 1, 1, 2, 2, x, y, &error), MMS_ERR_INPUT, &error, "at cell 2");
  values[2] = 0;
  expect_refused(mms_picture_maps("maps.jpg", &map, 1, 1, 2, 2, x, y, &error), MMS_ERR_INPUT, &error, ".png");
  expect_refused(mms_picture_maps("no-folder/m.png", &map, 1, 1, 2, 2, x, y, &error), MMS_ERR_INPUT, &error,
                 "no-folder");
  expect_refused(mms_picture_maps(path, &map, 0, 1, 2, 2, x, y, &error), MMS_ERR_INPUT, &error, "0 maps");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(bright_cells_are_where_they_belong),
      cmocka_unit_test(what_cannot_be_drawn_is_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
