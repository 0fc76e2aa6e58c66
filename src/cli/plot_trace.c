/* A run's trace as charts: moments, potential, step, distance to the training set, chunks of particles. */
#include "cli/plot.h"

#include "mmsold/picture/picture.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

/* A logarithmic axis has no place for 0; a defect of 0 is drawn below the rounding of one double. */
static const double drawn_zero = 1e-17;

enum { PANEL_DEFECTS, PANEL_POTENTIAL, PANEL_STEP, PANEL_NEAREST, PANEL_CHUNKS, PANEL_TEMPERATURE, PANELS };

static const mms_chart panels[PANELS] = {
    {.title = "moment defects", .x_label = "step", .y_label = "largest defect (0 drawn as 1e-17)", .log_y = 1},
    {.title = "mean potential", .x_label = "step", .y_label = "V"},
    {.title = "length of a step", .x_label = "step", .y_label = "root mean square; ratio", .log_y = 1},
    {.title = "distance to the nearest training point", .x_label = "step", .y_label = "bandwidths", .log_y = 1},
    {.title = "chunks of particles", .x_label = "step", .y_label = "mean first coordinate (standard deviations)"},
    {.title = "kinetic temperature", .x_label = "step", .y_label = "mean square velocity"}};

static const struct {
  const char *path, *label;
  int panel;
} columns[] = {{"/trace/mean_defect", "mean", PANEL_DEFECTS},
               {"/trace/covariance_defect", "covariance", PANEL_DEFECTS},
               {"/trace/mean_potential", "mean potential", PANEL_POTENTIAL},
               {"/trace/drift", "step (standard deviations)", PANEL_STEP},
               {"/trace/step_ratio", "its field over its noise", PANEL_STEP},
               {"/trace/nearest_05", "5 %", PANEL_NEAREST},
               {"/trace/nearest_50", "50 %", PANEL_NEAREST},
               {"/trace/nearest_95", "95 % of the particles are within", PANEL_NEAREST},
               {"/trace/kinetic_temperature", "temperature", PANEL_TEMPERATURE}};
static const char chunks_path[] = "/trace/chunks/first_coordinate";
enum { COLUMNS = sizeof columns / sizeof columns[0], MOST_CHUNKS = 16, SERIES = COLUMNS + MOST_CHUNKS };

/* The lines of the chart, as they are found. Owns xy. */
typedef struct lines {
  mms_matrix steps;
  mms_matrix xy[SERIES];
  mms_series series[SERIES];
  int64_t panel_of[SERIES], count;
  char labels[MOST_CHUNKS][16];
} lines;

/* One more line: step and column `column` of the values. */
static mms_status add_line(lines *all, const mms_matrix *values, int64_t column, const char *label, int panel,
                           mms_error *error) {
  mms_matrix *xy = &all->xy[all->count];
  mms_status status = mms_matrix_create(xy, all->steps.rows, 2, "the trace", error);
  if (status != MMS_OK) return status;
  for (int64_t i = 0; i < xy->rows; i++) {
    double value = values->data[i * values->cols + column];
    xy->data[2 * i] = all->steps.data[i];
    xy->data[2 * i + 1] = panel == PANEL_DEFECTS && !isnan(value) ? fmax(value, drawn_zero) : value;
  }
  all->series[all->count] = (mms_series){.label = label, .xy = xy, .mark = MMS_MARK_LINES};
  all->panel_of[all->count++] = panel;
  return MMS_OK;
}

static mms_status read_values(const mms_plot *plot, const lines *all, const char *path, mms_matrix *values,
                              mms_error *error) {
  mms_status status = mms_h5_read_matrix(plot->file, path, values, error);
  if (status == MMS_OK && values->rows != all->steps.rows)
    status = mms_fail(error, MMS_ERR_INPUT, "%s: %s has %" PRId64 " rows, /trace/step has %" PRId64, plot->path, path,
                      values->rows, all->steps.rows);
  return status;
}

static mms_status add_column(const mms_plot *plot, lines *all, int which, mms_error *error) {
  mms_matrix values = {0};
  if (!mms_h5_has(plot->file, columns[which].path)) return MMS_OK;
  mms_status status = read_values(plot, all, columns[which].path, &values, error);
  if (status == MMS_OK && values.cols != 1)
    status = mms_fail(error, MMS_ERR_INPUT, "%s: %s is not a column", plot->path, columns[which].path);
  if (status == MMS_OK) status = add_line(all, &values, 0, columns[which].label, columns[which].panel, error);
  mms_matrix_free(&values);
  return status;
}

static mms_status add_chunks(const mms_plot *plot, lines *all, mms_error *error) {
  mms_matrix values = {0};
  if (!mms_h5_has(plot->file, chunks_path)) return MMS_OK;
  mms_status status = read_values(plot, all, chunks_path, &values, error);
  for (int64_t c = 0; status == MMS_OK && c < values.cols && c < MOST_CHUNKS; c++) {
    if (values.rows > 0 && isnan(values.data[c])) break; /* fewer blocks than chunks */
    snprintf(all->labels[c], sizeof all->labels[c], "%" PRId64, c + 1);
    status = add_line(all, &values, c, all->labels[c], PANEL_CHUNKS, error);
  }
  mms_matrix_free(&values);
  return status;
}

/* Draw the panels that have lines. */
static mms_status draw(const mms_plot *plot, lines *all, mms_error *error) {
  mms_chart charts[PANELS];
  int64_t place[PANELS], count = 0;
  for (int p = 0; p < PANELS; p++) {
    bool used = p == PANEL_DEFECTS;
    for (int64_t s = 0; s < all->count; s++) used = used || all->panel_of[s] == p;
    place[p] = count;
    if (used) charts[count++] = panels[p];
  }
  for (int64_t s = 0; s < all->count; s++) all->panel_of[s] = place[all->panel_of[s]];
  return mms_picture_chart(plot->output, charts, count, all->series, all->panel_of, all->count, error);
}

mms_status mms_plot_trace(const mms_plot *plot, mms_error *error) {
  lines all;
  memset(&all, 0, sizeof all);
  mms_status status = mms_h5_read_matrix(plot->file, "/trace/step", &all.steps, error);
  for (int c = 0; status == MMS_OK && c < COLUMNS; c++) status = add_column(plot, &all, c, error);
  if (status == MMS_OK) status = add_chunks(plot, &all, error);
  if (status == MMS_OK) status = draw(plot, &all, error);
  for (int s = 0; s < SERIES; s++) mms_matrix_free(&all.xy[s]);
  mms_matrix_free(&all.steps);
  return status;
}
