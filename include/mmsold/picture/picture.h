/* Pictures from arrays: image sheets through libpng, charts through gnuplot. Local. Files are
 * written under a temporary name and renamed; the suffix says the format (.png; charts also .pdf and .svg). */
#ifndef MMSOLD_PICTURE_PICTURE_H
#define MMSOLD_PICTURE_PICTURE_H

#include "mmsold/base/matrix.h"
#include "mmsold/base/status.h"
#include <stddef.h>
#include <stdint.h>

/* The versions of libpng, and of gnuplot where it is found in PATH ("not found" where not). Local. */
const char *mms_picture_libpng(void);
void mms_picture_gnuplot(char *text, size_t size);

/* One band of a sheet: `images` [count][rows·cols] grey, 0 black … 1 white (values outside are
 * clipped to [0, 1] here, and nowhere else), with a label drawn above it. */
typedef struct mms_sheet_band {
  const char *label;
  const mms_matrix *images;
} mms_sheet_band;

/* Bands one under another, `columns` images to a row, each band label in a built-in bitmap font; images
 * magnified by an integer (nearest neighbour) so that they can be seen, on a white page. Grey is round(255 clip(v)), an
 * 8-bit PNG. A NaN is refused (image and band named), and so is a path that is not .png or has no folder:
 * MMS_ERR_INPUT. */
mms_status mms_picture_sheet(const char *path, const mms_sheet_band *bands, int64_t band_count, int64_t image_rows,
                             int64_t image_columns, int64_t columns, mms_error *error);

typedef enum mms_mark {
  MMS_MARK_POINTS,
  MMS_MARK_LINES,
  MMS_MARK_VALUES, /* points whose colour says a number, of a scale beside the axes */
  MMS_MARK_BARS    /* points with error bars */
} mms_mark;

/* One series of a chart: xy [n][2]; [n][3] with the numbers of MMS_MARK_VALUES in the third column; [n][4] with the
 * ends of the bars of MMS_MARK_BARS (x, y, low, high). A label that an earlier series of the panel has stands once in
 * the legend, and both are of one colour. */
typedef struct mms_series {
  const char *label;
  const mms_matrix *xy;
  mms_mark mark;
} mms_series;

typedef struct mms_chart {
  const char *title, *x_label, *y_label;
  int log_x, log_y;
  int equal_axes;          /* same scale on both axes (scatter of positions), and one range for all such panels */
  const char *value_label; /* of the scale of colours; NULL where there are no values */
} mms_chart;

/* A chart of one or more panels, up to three side by side (`panel_of` [series_count] gives each series' panel, NULL:
 * all in one; charts: [panels]). Colour-blind-safe colours (Okabe-Ito), legend, axis labels. The numbers are written
 * beside the picture as PATH.csv (x, y, panel, series, label, and value, or low and high, where there are any). What
 * cannot be drawn (NaN, infinity, not positive on a log axis) is left out of the picture only. Names and labels are
 * plain text: no shell sees them and no markup is read in them. MMS_ERR_SYSTEM where gnuplot is missing, saying which
 * package has it; the CSV stays. */
mms_status mms_picture_chart(const char *path, const mms_chart *charts, int64_t panels, const mms_series *series,
                             const int64_t *panel_of, int64_t series_count, mms_error *error);

#endif
