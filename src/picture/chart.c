/* Charts through gnuplot: the numbers go into a CSV file, a script says how they look. */
#include "mmsold/base/memory.h"
#include "mmsold/picture/picture.h"
#include "picture/chart_script.h"
#include "picture/file.h"
#include "picture/gnuplot.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static mms_status check(const char *path, const mms_chart *charts, int64_t panels, const mms_series *series,
                        const int64_t *panel_of, int64_t series_count, mms_error *error) {
  if (mms_chart_format_of(path) == MMS_CHART_NONE)
    return mms_fail(error, MMS_ERR_INPUT, "cannot write %s: a chart's name must end in .png, .pdf or .svg", path);
  if (charts == NULL || panels < 1 || series_count < 0 || (series_count > 0 && series == NULL))
    return mms_fail(error, MMS_ERR_INTERNAL, "%s: a chart needs at least one panel", path);
  for (int64_t s = 0; s < series_count; s++) {
    if (series[s].xy->rows > 0 && series[s].xy->cols != mms_chart_columns(&series[s]))
      return mms_fail(error, MMS_ERR_INTERNAL, "%s: series %lld has %lld columns, not %lld", path, (long long)s,
                      (long long)series[s].xy->cols, (long long)mms_chart_columns(&series[s]));
    if (panel_of != NULL && (panel_of[s] < 0 || panel_of[s] >= panels))
      return mms_fail(error, MMS_ERR_INTERNAL, "%s: series %lld belongs to panel %lld of %lld", path, (long long)s,
                      (long long)panel_of[s], (long long)panels);
  }
  return mms_picture_check_path(path, error);
}

static void write_numbers(FILE *file, const mms_series *series, const int64_t *panel_of, int64_t series_count) {
  bool values = false, bars = false;
  for (int64_t s = 0; s < series_count; s++) {
    values = values || series[s].mark == MMS_MARK_VALUES;
    bars = bars || series[s].mark == MMS_MARK_BARS;
  }
  fprintf(file, "x,y,panel,series,label%s\n", bars ? ",low,high" : values ? ",value" : "");
  for (int64_t s = 0; s < series_count; s++)
    for (int64_t i = 0; i < series[s].xy->rows; i++) {
      const double *point = series[s].xy->data + mms_chart_columns(&series[s]) * i;
      fprintf(file, "%.17g,%.17g,%lld,%lld,", point[0], point[1], (long long)(panel_of == NULL ? 0 : panel_of[s]),
              (long long)s);
      mms_picture_put_quoted(file, series[s].label, '"');
      if (series[s].mark == MMS_MARK_VALUES) fprintf(file, ",%.17g", point[2]);
      if (series[s].mark == MMS_MARK_BARS)
        fprintf(file, ",%.17g,%.17g", point[2], point[3]);
      else if (bars)
        fputs(",,", file);
      fputc('\n', file);
    }
}

static mms_status write_csv(const char *path, const mms_series *series, const int64_t *panel_of, int64_t series_count,
                            mms_error *error) {
  char *temporary = NULL;
  mms_status status = mms_format_text(&temporary, error, "%s.partial", path);
  if (status != MMS_OK) return status;
  FILE *file = fopen(temporary, "w");
  if (file == NULL) {
    status = mms_fail(error, MMS_ERR_SYSTEM, "cannot write %s: %s", path, strerror(errno));
  } else {
    write_numbers(file, series, panel_of, series_count);
    status = mms_picture_finish(file, path, error);
    if (status == MMS_OK)
      status = mms_picture_rename(temporary, path, error);
    else
      unlink(temporary);
  }
  free(temporary);
  return status;
}

/* Draw into a temporary picture by a temporary script, both beside the picture. */
static mms_status draw(const char *path, const char *csv, const char *script, const char *picture,
                       const mms_chart_content *content, mms_error *error) {
  FILE *file = fopen(script, "w");
  if (file == NULL) return mms_fail(error, MMS_ERR_SYSTEM, "cannot write %s: %s", script, strerror(errno));
  mms_chart_script(file, mms_chart_format_of(path), content);
  mms_status status = mms_picture_finish(file, script, error);
  if (status == MMS_OK) status = mms_gnuplot_run(script, csv, picture, error);
  unlink(script);
  struct stat found;
  if (status == MMS_OK && (stat(picture, &found) != 0 || found.st_size == 0))
    status = mms_fail(error, MMS_ERR_SYSTEM, "gnuplot ended without a picture");
  if (status == MMS_OK) return mms_picture_rename(picture, path, error);
  unlink(picture);
  return mms_fail_within(error, "%s was not drawn (its numbers are in %s)", path, csv);
}

mms_status mms_picture_chart(const char *path, const mms_chart *charts, int64_t panels, const mms_series *series,
                             const int64_t *panel_of, int64_t series_count, mms_error *error) {
  mms_status status = check(path, charts, panels, series, panel_of, series_count, error);
  if (status != MMS_OK) return status;
  char *csv = NULL, *script = NULL, *picture = NULL;
  status = mms_format_text(&csv, error, "%s.csv", path);
  if (status == MMS_OK) status = mms_format_text(&script, error, "%s.gnuplot.partial", path);
  if (status == MMS_OK) status = mms_format_text(&picture, error, "%s.partial", path);
  if (status == MMS_OK) status = write_csv(csv, series, panel_of, series_count, error);
  if (status == MMS_OK) {
    mms_chart_content content = {charts, panels, series, panel_of, series_count};
    status = draw(path, csv, script, picture, &content, error);
  }
  free(csv);
  free(script);
  free(picture);
  return status;
}
