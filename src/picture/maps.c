/* Maps through gnuplot: one binary file of numbers, a script that places the panels. */
#include "mmsold/picture/maps.h"

#include "mmsold/base/memory.h"
#include "picture/chart_script.h"
#include "picture/file.h"
#include "picture/gnuplot.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {             /* the page, in pixels */
       SIDE = 300, /* the longer side of a map */
       GAP = 14,
       TITLE = 30,
       MARGIN = 20
};

/* Cividis (J. Nuñez, C. Anderton, R. Renslow, 2018), five of its colours. */
static const char palette[] = "set palette defined (0 '#00204D', 0.25 '#414D6B', 0.5 '#7C7B78', 0.75 '#BCAF6F', 1 "
                              "'#FFEA46')\n";

static mms_status check(const char *path, const mms_map *maps, int64_t count, int64_t across, int64_t rows,
                        int64_t columns, mms_error *error) {
  if (mms_chart_format_of(path) == MMS_CHART_NONE)
    return mms_fail(error, MMS_ERR_INPUT, "cannot write %s: a picture's name must end in .png, .pdf or .svg", path);
  if (count < 1 || across < 1 || rows < 1 || columns < 1)
    return mms_fail(error, MMS_ERR_INPUT, "%s: %lld maps of %lld x %lld cells cannot be drawn", path, (long long)count,
                    (long long)columns, (long long)rows);
  for (int64_t m = 0; m < count; m++)
    for (int64_t i = 0; i < rows * columns; i++)
      if (!isfinite(maps[m].values[i]))
        return mms_fail(error, MMS_ERR_INPUT, "%s: map %lld has %g at cell %lld", path, (long long)m, maps[m].values[i],
                        (long long)i);
  return mms_picture_check_path(path, error);
}

static mms_status write_numbers(const char *path, const mms_map *maps, int64_t count, int64_t cells, mms_error *error) {
  FILE *file = fopen(path, "wb");
  if (file == NULL) return mms_fail(error, MMS_ERR_SYSTEM, "cannot write %s: %s", path, strerror(errno));
  for (int64_t m = 0; m < count; m++) fwrite(maps[m].values, sizeof(double), (size_t)cells, file);
  return mms_picture_finish(file, path, error);
}

static void put_page(FILE *file, mms_chart_format format, double width, double height) {
  if (format == MMS_CHART_PDF)
    fprintf(file, "set terminal pdfcairo color size %gin,%gin font 'sans-serif,10'\n", width / 110, height / 110);
  else if (format == MMS_CHART_SVG)
    fprintf(file, "set terminal svg size %.0f,%.0f font 'sans-serif,14' background '#FFFFFF'\n", width, height);
  else
    fprintf(file,
            "if (strstrt(GPVAL_TERMINALS, 'pngcairo') > 0) set terminal pngcairo size %.0f,%.0f font 'sans-serif,12' "
            "background '#FFFFFF'; else set terminal png truecolor size %.0f,%.0f\n",
            width, height, width, height);
  fprintf(file, "set output ARG2\nset encoding utf8\nunset key\nunset colorbox\nunset tics\nset border 0\n%s", palette);
}

static void put_maps(FILE *file, mms_chart_format format, const mms_map *maps, int64_t count, int64_t across,
                     int64_t rows, int64_t columns, const double x[2], const double y[2]) {
  double longer = fmax(x[1] - x[0], y[1] - y[0]), wide = SIDE * (x[1] - x[0]) / longer;
  double high = SIDE * (y[1] - y[0]) / longer;
  int64_t lines = (count + across - 1) / across, most = count < across ? count : across;
  double width = 2 * MARGIN + (double)most * (wide + GAP) - GAP;
  double height = 2 * MARGIN + (double)lines * (high + TITLE + GAP) - GAP;
  double dx = (x[1] - x[0]) / (double)columns, dy = (y[1] - y[0]) / (double)rows;
  put_page(file, format, width, height);
  fprintf(file, "set xrange [%.17g:%.17g] noextend\nset yrange [%.17g:%.17g] noextend\nset multiplot\n", x[0], x[1],
          y[0], y[1]);
  for (int64_t m = 0; m < count; m++) {
    int64_t line = m / across, place = m % across;
    double left = MARGIN + (double)place * (wide + GAP), top = 0.0;
    for (int64_t i = 0; i < rows * columns; i++) top = fmax(top, maps[m].values[i]);
    double base = height - MARGIN - (double)line * (high + TITLE + GAP) - TITLE - high;
    fprintf(file, "set lmargin at screen %.6f\nset rmargin at screen %.6f\nset bmargin at screen %.6f\n", left / width,
            (left + wide) / width, base / height);
    fprintf(file, "set tmargin at screen %.6f\nset cbrange [0:%.17g]\n", (base + high) / height, top > 0.0 ? top : 1.0);
    fputs("set label 1 ", file);
    mms_picture_put_quoted(file, maps[m].title, '\'');
    fprintf(file, " at screen %.6f,%.6f left noenhanced textcolor rgb '#222222'\n", left / width,
            (base + high + 0.4 * TITLE) / height);
    fprintf(file,
            "plot ARG1 binary skip=%lld array=(%lld,%lld) format='%%float64' dx=%.17g dy=%.17g origin=(%.17g,%.17g) "
            "with image\n",
            (long long)(m * rows * columns * (int64_t)sizeof(double)), (long long)columns, (long long)rows, dx, dy,
            x[0] + 0.5 * dx, y[0] + 0.5 * dy);
  }
  fputs("unset multiplot\nunset output\n", file);
}

static mms_status write_script(const char *path, const char *picture, const mms_map *maps, int64_t count,
                               int64_t across, int64_t rows, int64_t columns, const double x[2], const double y[2],
                               mms_error *error) {
  FILE *file = fopen(path, "w");
  if (file == NULL) return mms_fail(error, MMS_ERR_SYSTEM, "cannot write %s: %s", path, strerror(errno));
  put_maps(file, mms_chart_format_of(picture), maps, count, across, rows, columns, x, y);
  return mms_picture_finish(file, path, error);
}

mms_status mms_picture_maps(const char *path, const mms_map *maps, int64_t count, int64_t across, int64_t rows,
                            int64_t columns, const double x[2], const double y[2], mms_error *error) {
  mms_status status = check(path, maps, count, across, rows, columns, error);
  if (status != MMS_OK) return status;
  char *numbers = NULL, *script = NULL, *picture = NULL;
  status = mms_format_text(&numbers, error, "%s.numbers.partial", path);
  if (status == MMS_OK) status = mms_format_text(&script, error, "%s.gnuplot.partial", path);
  if (status == MMS_OK) status = mms_format_text(&picture, error, "%s.partial", path);
  if (status == MMS_OK) status = write_numbers(numbers, maps, count, rows * columns, error);
  if (status == MMS_OK) status = write_script(script, path, maps, count, across, rows, columns, x, y, error);
  if (status == MMS_OK) status = mms_gnuplot_run(script, numbers, picture, error);
  if (status == MMS_OK) status = mms_picture_rename(picture, path, error);
  if (numbers != NULL) unlink(numbers);
  if (script != NULL) unlink(script);
  if (picture != NULL && status != MMS_OK) unlink(picture);
  free(numbers);
  free(script);
  free(picture);
  return status;
}
