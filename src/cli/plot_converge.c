/* The picture of a study. */
#include "cli/plot.h"

#include "mmsold/base/memory.h"
#include "mmsold/picture/picture.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_SERIES = 64, PANELS = 3 };

/* What is being drawn. Owns its arrays. */
typedef struct drawing {
  const mms_plot *plot;
  int64_t curves, rungs;
  char *abscissa, *labels, *observables;
  mms_matrix x;
  mms_series series[MOST_SERIES];
  mms_matrix points[MOST_SERIES];
  char names[MOST_SERIES][128];
  int64_t panel_of[MOST_SERIES], count;
} drawing;

/* Line `which` of a text of lines, into out. False where there is none. */
static bool line_of(const char *text, int64_t which, char *out, size_t size) {
  for (; which > 0; which--) {
    text += strcspn(text, "\n");
    if (*text++ == '\0') return false;
  }
  snprintf(out, size, "%.*s", (int)strcspn(text, "\n"), text);
  return true;
}

static mms_status read_part(const drawing *d, const char *quantity, const char *format, mms_matrix *out,
                            mms_error *error) {
  char path[160];
  snprintf(path, sizeof path, format, quantity);
  return mms_h5_read_matrix(d->plot->file, path, out, error);
}

/* Room for another series, or none where the picture is full. */
static mms_series *another(drawing *d, int64_t panel, mms_mark mark, const char *label, int64_t rows, mms_error *error,
                           mms_status *status) {
  if (d->count >= MOST_SERIES) return NULL;
  const int64_t s = d->count;
  *status = mms_matrix_create(&d->points[s], rows, mark == MMS_MARK_BARS ? 4 : 2, "a series", error);
  if (*status != MMS_OK) return NULL;
  snprintf(d->names[s], sizeof d->names[s], "%s", label);
  d->series[s] = (mms_series){.label = d->names[s], .xy = &d->points[s], .mark = mark};
  d->panel_of[s] = panel;
  d->count++;
  return &d->series[s];
}

/* A power through (x, y) over all the ladder. */
static void draw_power(drawing *d, int64_t s, double slope, double x, double y) {
  for (int64_t i = 0; i < 2; i++) {
    const double at = d->x.data[i == 0 ? 0 : d->rungs - 1];
    d->points[s].data[2 * i] = at;
    d->points[s].data[2 * i + 1] = y * pow(at / x, slope);
  }
}

/* One quantity, all curves: points with bars, and the fitted line. */
static mms_status add_quantity(drawing *d, int64_t panel, const char *quantity, const char *said, mms_error *error) {
  mms_matrix value = {0}, half = {0}, slope = {0}, width = {0}, constant = {0};
  mms_status status = read_part(d, quantity, "/points/%s", &value, error);
  if (status == MMS_OK) status = read_part(d, quantity, "/points/%s_half_width", &half, error);
  if (status == MMS_OK) status = read_part(d, quantity, "/fit/%s/slope", &slope, error);
  if (status == MMS_OK) status = read_part(d, quantity, "/fit/%s/slope_half_width", &width, error);
  if (status == MMS_OK) status = read_part(d, quantity, "/fit/%s/constant", &constant, error);
  if (status == MMS_OK &&
      (value.rows * value.cols != d->curves * d->rungs || half.rows * half.cols != value.rows * value.cols ||
       slope.rows != d->curves || width.rows != d->curves || constant.rows != d->curves))
    status = mms_fail(error, MMS_ERR_INPUT, "%s: %s is not of %" PRId64 " curves of %" PRId64 " points", d->plot->path,
                      quantity, d->curves, d->rungs);
  for (int64_t curve = 0; status == MMS_OK && curve < d->curves; curve++) {
    char label[128], own[64] = "", power[64] = "";
    line_of(d->labels, curve, own, sizeof own);
    if (isfinite(slope.data[curve]))
      snprintf(power, sizeof power, ", power %.2f ± %.2f", slope.data[curve], width.data[curve]);
    snprintf(label, sizeof label, "%s%s%s%s", said, own[0] != '\0' ? ", " : "", own, power);
    mms_series *points = another(d, panel, MMS_MARK_BARS, label, d->rungs, error, &status);
    if (points == NULL) break;
    for (int64_t i = 0; i < d->rungs; i++) {
      const double y = value.data[curve * d->rungs + i], bar = half.data[curve * d->rungs + i];
      const int64_t s = d->count - 1;
      double *point = d->points[s].data + 4 * i;
      point[0] = d->x.data[i];
      point[1] = y;
      /* a logarithmic axis has no end for a bar that reaches 0: it is drawn as long as the axis may be */
      point[2] = y - bar > 0 ? y - bar : y * 1e-6;
      point[3] = isnan(bar) ? y : y + bar;
    }
    if (!isfinite(slope.data[curve])) continue;
    if (another(d, panel, MMS_MARK_LINES, label, 2, error, &status) == NULL) break;
    draw_power(d, d->count - 1, slope.data[curve], 1.0, exp(constant.data[curve]));
  }
  mms_matrix_free(&value);
  mms_matrix_free(&half);
  mms_matrix_free(&slope);
  mms_matrix_free(&width);
  mms_matrix_free(&constant);
  return status;
}

/* The power that theory expects, through the first point of the panel that can be drawn. */
static mms_status add_guide(drawing *d, int64_t panel, double slope, const char *label, mms_error *error) {
  mms_status status = MMS_OK;
  for (int64_t s = 0; s < d->count; s++) {
    const mms_matrix *points = &d->points[s];
    if (d->panel_of[s] != panel || d->series[s].mark != MMS_MARK_BARS) continue;
    for (int64_t i = 0; i < points->rows; i++) {
      const double x = points->data[4 * i], y = points->data[4 * i + 1];
      if (!(y > 0.0) || !(x > 0.0)) continue;
      if (another(d, panel, MMS_MARK_LINES, label, 2, error, &status) != NULL) draw_power(d, d->count - 1, slope, x, y);
      return status;
    }
  }
  return status;
}

static mms_status add_guides(drawing *d, mms_error *error) {
  mms_status status = MMS_OK;
  if (strcmp(d->abscissa, "particles") == 0) {
    status = add_guide(d, 0, -0.5, "P^(-1/2)", error);
    if (status == MMS_OK) status = add_guide(d, 1, -1.0, "1/P", error);
    if (status == MMS_OK) status = add_guide(d, 2, -0.5, "P^(-1/2)", error);
  } else if (strcmp(d->abscissa, "step_size") == 0) {
    status = add_guide(d, 1, 1.0, "h", error);
    if (status == MMS_OK) status = add_guide(d, 1, 2.0, "h^2", error);
  }
  return status;
}

static mms_status read_head(drawing *d, mms_error *error) {
  mms_h5 *file = d->plot->file;
  mms_status status = mms_h5_read_text(file, "/", "abscissa", &d->abscissa, error);
  if (status == MMS_OK) status = mms_h5_read_text(file, "/", "curves", &d->labels, error);
  if (status == MMS_OK) status = mms_h5_read_text(file, "/", "observables", &d->observables, error);
  if (status == MMS_OK) status = mms_h5_read_int(file, "/", "curve_count", &d->curves, error);
  if (status == MMS_OK) status = read_part(d, d->abscissa, "/points/%s", &d->x, error);
  d->rungs = d->x.rows;
  if (status == MMS_OK && (d->curves < 1 || d->rungs < 1))
    status = mms_fail(error, MMS_ERR_INPUT, "%s: no curves and no points", d->plot->path);
  return status;
}

mms_status mms_plot_converge(const mms_plot *plot, mms_error *error) {
  void *memory = NULL;
  mms_status status = mms_allocate(&memory, 1, sizeof(drawing), "a picture", error);
  if (status != MMS_OK) return status;
  drawing *d = memory;
  d->plot = plot;
  status = read_head(d, error);
  if (status == MMS_OK) status = add_quantity(d, 0, "sliced_distance", "sliced W2", error);
  if (status == MMS_OK) status = add_quantity(d, 0, "energy_distance", "energy distance", error);
  char name[48], quantity[64];
  for (int64_t k = 0; status == MMS_OK && line_of(d->observables, k, name, sizeof name); k++) {
    snprintf(quantity, sizeof quantity, "%s_bias", name);
    status = add_quantity(d, 1, quantity, name, error);
    snprintf(quantity, sizeof quantity, "%s_spread", name);
    if (status == MMS_OK) status = add_quantity(d, 2, quantity, name, error);
  }
  if (status == MMS_OK) status = add_guides(d, error);
  const mms_chart charts[PANELS] = {{.title = "a snapshot's distance to the limit",
                                     .x_label = d->abscissa,
                                     .y_label = "distance",
                                     .log_x = 1,
                                     .log_y = 1},
                                    {.title = "bias in the long run",
                                     .x_label = d->abscissa,
                                     .y_label = "size of the difference to the limit",
                                     .log_x = 1,
                                     .log_y = 1},
                                    {.title = "spread of a snapshot's averages",
                                     .x_label = d->abscissa,
                                     .y_label = "standard deviation over seeds",
                                     .log_x = 1,
                                     .log_y = 1}};
  if (status == MMS_OK)
    status = mms_picture_chart(plot->output, charts, PANELS, d->series, d->panel_of, d->count, error);
  for (int64_t s = 0; s < MOST_SERIES; s++) mms_matrix_free(&d->points[s]);
  mms_matrix_free(&d->x);
  free(d->abscissa);
  free(d->labels);
  free(d->observables);
  free(d);
  return status;
}
