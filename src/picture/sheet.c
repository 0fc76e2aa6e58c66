/* Image sheets: bands of small grey images on a white page, as an 8-bit PNG. */
#include "mmsold/base/memory.h"
#include "mmsold/picture/picture.h"
#include "picture/file.h"
#include "picture/font.h"

#include <errno.h>
#include <math.h>
#include <png.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
  WHITE = 255,
  INK = 40,             /* labels: nearly black, so that they do not outshout the images */
  MARGIN = 16,          /* around the page, in pixels */
  GAP = 3,              /* between images */
  BAND_GAP = 20,        /* between bands */
  LABEL_GAP = 6,        /* between a label and its images */
  LABEL_SCALE = 2,      /* the 5 × 8 font is drawn at 10 × 16 */
  VISIBLE_SIDE = 64,    /* an image's longer side is magnified to at least this many pixels */
  LARGEST_SCALE = 8,    /* … but a dot never becomes larger than this */
  WIDEST_PAGE = 2400,   /* … nor the page wider than a screen, where a smaller scale avoids it */
  LARGEST_PAGE = 65500, /* pixels in a side: more opens in no viewer */
};

typedef struct page {
  int64_t width, height;
  int64_t scale, cell_width, cell_height; /* of one image, magnified */
  unsigned char *pixels;                  /* [height][width] */
} page;

static int64_t smaller(int64_t a, int64_t b) { return a < b ? a : b; }
static int64_t larger(int64_t a, int64_t b) { return a > b ? a : b; }

static int64_t label_height(const char *label) {
  return label == NULL || label[0] == '\0' ? 0 : MMS_FONT_HEIGHT * LABEL_SCALE + LABEL_GAP;
}

static int64_t band_height(const page *sheet, const mms_sheet_band *band, int64_t columns) {
  int64_t lines = (band->images->rows + columns - 1) / columns;
  return label_height(band->label) + lines * sheet->cell_height + larger(lines - 1, 0) * GAP;
}

static mms_status check_bands(const char *path, const mms_sheet_band *bands, int64_t band_count, int64_t image_rows,
                              int64_t image_columns, int64_t columns, mms_error *error) {
  if (!mms_picture_has_suffix(path, ".png"))
    return mms_fail(error, MMS_ERR_INPUT, "cannot write %s: an image sheet is a PNG, so its name must end in .png",
                    path);
  if (band_count < 1 || columns < 1 || image_rows < 1 || image_columns < 1 || image_rows > LARGEST_PAGE ||
      image_columns > LARGEST_PAGE || columns > LARGEST_PAGE)
    return mms_fail(error, MMS_ERR_INPUT,
                    "%s: a sheet of %lld bands, %lld columns and images of %lld x %lld pixels is not possible", path,
                    (long long)band_count, (long long)columns, (long long)image_rows, (long long)image_columns);
  for (int64_t b = 0; b < band_count; b++) {
    const mms_matrix *images = bands[b].images;
    if (images->rows > 0 && images->cols != image_rows * image_columns)
      return mms_fail(error, MMS_ERR_INPUT, "%s: band %lld has %lld values to an image, not %lld x %lld", path,
                      (long long)b, (long long)images->cols, (long long)image_rows, (long long)image_columns);
    for (int64_t i = 0; i < images->rows * images->cols; i++)
      if (isnan(images->data[i]))
        return mms_fail(error, MMS_ERR_INPUT, "%s: image %lld of band %lld has a value that is not a number", path,
                        (long long)(i / images->cols), (long long)b);
  }
  return mms_picture_check_path(path, error);
}

/* The page's size follows from what is on it. */
static mms_status lay_out(page *sheet, const char *path, const mms_sheet_band *bands, int64_t band_count,
                          int64_t image_rows, int64_t image_columns, int64_t columns, mms_error *error) {
  int64_t most = 1, longer = larger(image_rows, image_columns), widest_label = 0;
  for (int64_t b = 0; b < band_count; b++) {
    most = larger(most, smaller(bands[b].images->rows, columns));
    if (bands[b].label != NULL) widest_label = larger(widest_label, mms_font_width(bands[b].label) * LABEL_SCALE);
  }
  sheet->scale = smaller((VISIBLE_SIDE + longer - 1) / longer, LARGEST_SCALE);
  while (sheet->scale > 1 && most * (image_columns * sheet->scale + GAP) > WIDEST_PAGE) sheet->scale--;
  sheet->cell_width = image_columns * sheet->scale;
  sheet->cell_height = image_rows * sheet->scale;
  sheet->width = 2 * MARGIN + larger(most * (sheet->cell_width + GAP) - GAP, widest_label);
  sheet->height = 2 * MARGIN + (band_count - 1) * BAND_GAP;
  for (int64_t b = 0; b < band_count; b++) sheet->height += band_height(sheet, &bands[b], columns);
  if (sheet->width > LARGEST_PAGE || sheet->height > LARGEST_PAGE)
    return mms_fail(error, MMS_ERR_INPUT,
                    "%s would be %lld x %lld pixels, more than the %d that viewers open; draw fewer images", path,
                    (long long)sheet->width, (long long)sheet->height, (int)LARGEST_PAGE);
  void *memory = NULL;
  mms_status status = mms_allocate(&memory, sheet->width * sheet->height, 1, "an image sheet", error);
  if (status != MMS_OK) return status;
  sheet->pixels = memory;
  memset(sheet->pixels, WHITE, (size_t)(sheet->width * sheet->height));
  return MMS_OK;
}

static void fill_square(page *sheet, int64_t x, int64_t y, int64_t side, unsigned char grey) {
  for (int64_t row = y; row < y + side; row++) memset(sheet->pixels + row * sheet->width + x, grey, (size_t)side);
}

static void draw_label(page *sheet, int64_t x, int64_t y, const char *text) {
  for (const char *c = text; *c != '\0'; c++) {
    if (((unsigned char)*c & 0xC0) == 0x80) continue; /* inside a UTF-8 character, drawn as one glyph already */
    const uint8_t *columns = mms_font_glyph((unsigned char)*c);
    for (int64_t i = 0; i < MMS_FONT_WIDTH; i++)
      for (int64_t j = 0; j < MMS_FONT_HEIGHT; j++)
        if ((columns[i] >> j & 1) != 0) fill_square(sheet, x + i * LABEL_SCALE, y + j * LABEL_SCALE, LABEL_SCALE, INK);
    x += MMS_FONT_ADVANCE * LABEL_SCALE;
  }
}

static unsigned char grey_of(double value) {
  double clipped = fmin(fmax(value, 0.0), 1.0);
  return (unsigned char)(clipped * 255.0 + 0.5);
}

static void draw_image(page *sheet, int64_t x, int64_t y, const double *image, int64_t rows, int64_t columns) {
  for (int64_t i = 0; i < rows; i++)
    for (int64_t j = 0; j < columns; j++)
      fill_square(sheet, x + j * sheet->scale, y + i * sheet->scale, sheet->scale, grey_of(image[i * columns + j]));
}

/* libpng's simplified writer: errors come back as values, no jumps. */
static mms_status write_png(const page *sheet, const char *path, mms_error *error) {
  char *temporary = NULL;
  mms_status status = mms_format_text(&temporary, error, "%s.partial", path);
  if (status != MMS_OK) return status;
  FILE *stream = fopen(temporary, "wb");
  if (stream == NULL) {
    status = mms_fail(error, MMS_ERR_SYSTEM, "cannot write %s: %s", path, strerror(errno));
    free(temporary);
    return status;
  }
  png_image image = {.version = PNG_IMAGE_VERSION,
                     .width = (png_uint_32)sheet->width,
                     .height = (png_uint_32)sheet->height,
                     .format = PNG_FORMAT_GRAY};
  int written = png_image_write_to_stdio(&image, stream, 0, sheet->pixels, (png_int_32)sheet->width, NULL);
  png_image_free(&image);
  if (fclose(stream) != 0 || written == 0) {
    status =
        mms_fail(error, MMS_ERR_SYSTEM, "cannot write %s: %s", path, written == 0 ? image.message : strerror(errno));
    unlink(temporary);
  } else {
    status = mms_picture_rename(temporary, path, error);
  }
  free(temporary);
  return status;
}

mms_status mms_picture_sheet(const char *path, const mms_sheet_band *bands, int64_t band_count, int64_t image_rows,
                             int64_t image_columns, int64_t columns, mms_error *error) {
  mms_status status = check_bands(path, bands, band_count, image_rows, image_columns, columns, error);
  if (status != MMS_OK) return status;
  page sheet = {0};
  status = lay_out(&sheet, path, bands, band_count, image_rows, image_columns, columns, error);
  if (status != MMS_OK) return status;
  int64_t top = MARGIN;
  for (int64_t b = 0; b < band_count; b++) {
    if (label_height(bands[b].label) > 0) draw_label(&sheet, MARGIN, top, bands[b].label);
    int64_t first = top + label_height(bands[b].label);
    for (int64_t i = 0; i < bands[b].images->rows; i++)
      draw_image(&sheet, MARGIN + i % columns * (sheet.cell_width + GAP),
                 first + i / columns * (sheet.cell_height + GAP), bands[b].images->data + i * bands[b].images->cols,
                 image_rows, image_columns);
    top += band_height(&sheet, &bands[b], columns) + BAND_GAP;
  }
  status = write_png(&sheet, path, error);
  free(sheet.pixels);
  return status;
}

const char *mms_picture_libpng(void) { return png_get_libpng_ver(NULL); }
