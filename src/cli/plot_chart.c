/* Charts: points in the plane, and what a run traced. */
#include "cli/plot.h"

#include "mmsold/picture/picture.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

mms_status mms_plot_samples_scatter(const mms_plot *plot, mms_error *error) {
  mms_matrix samples = {0};
  mms_plot_training training;
  mms_status status = mms_h5_read_matrix(plot->file, "/samples", &samples, error);
  if (status != MMS_OK) return status;
  mms_plot_rebuild(plot, &training);
  if (training.has && training.real.values.cols != 2) {
    mms_log_warn(plot->log, "the training set is not in the plane: only the particles are shown");
    mms_plot_training_free(&training);
  }
  char titles[2][64];
  snprintf(titles[0], sizeof titles[0], "%" PRId64 " training points", training.real.values.rows);
  snprintf(titles[1], sizeof titles[1], "%" PRId64 " particles", samples.rows);
  const mms_chart charts[2] = {{.title = titles[0], .x_label = "x", .y_label = "y", .equal_axes = 1},
                               {.title = titles[1], .x_label = "x", .y_label = "y", .equal_axes = 1}};
  const mms_series series[2] = {{.label = "training", .xy = &training.real.values, .mark = MMS_MARK_POINTS},
                                {.label = "particles", .xy = &samples, .mark = MMS_MARK_POINTS}};
  const int64_t panel_of[2] = {0, 1};
  int first = training.has ? 0 : 1;
  status = mms_picture_chart(plot->output, charts + first, 2 - first, series + first, panel_of, 2 - first, error);
  mms_matrix_free(&samples);
  mms_plot_training_free(&training);
  return status;
}

enum { TRACES = 4 };

/* A logarithmic axis has no place for 0; a defect of 0 is drawn below the rounding of one double. */
static const double drawn_zero = 1e-17;

static const struct {
  const char *path, *label;
  int64_t panel;
} traces[TRACES] = {{"/trace/mean_defect", "mean", 0},
                    {"/trace/covariance_defect", "covariance", 0},
                    {"/trace/mean_potential", "mean potential", 1},
                    {"/trace/drift", "drift", 2}};

/* [T][2] of step and value. */
static mms_status read_series(const mms_plot *plot, const mms_matrix *steps, int which, mms_matrix *xy,
                              mms_error *error) {
  mms_matrix values = {0};
  mms_status status = mms_h5_read_matrix(plot->file, traces[which].path, &values, error);
  if (status != MMS_OK) return status;
  if (values.rows != steps->rows || values.cols != 1)
    status = mms_fail(error, MMS_ERR_INPUT, "%s: %s has %" PRId64 " rows, /trace/step has %" PRId64, plot->path,
                      traces[which].path, values.rows, steps->rows);
  if (status == MMS_OK) status = mms_matrix_create(xy, steps->rows, 2, "the trace", error);
  for (int64_t i = 0; status == MMS_OK && i < steps->rows; i++) {
    xy->data[2 * i] = steps->data[i];
    xy->data[2 * i + 1] = traces[which].panel == 0 ? fmax(values.data[i], drawn_zero) : values.data[i];
  }
  mms_matrix_free(&values);
  return status;
}

mms_status mms_plot_trace(const mms_plot *plot, mms_error *error) {
  mms_matrix steps = {0}, xy[TRACES] = {{0}};
  mms_series series[TRACES];
  int64_t panel_of[TRACES], count = 0;
  mms_status status = mms_h5_read_matrix(plot->file, "/trace/step", &steps, error);
  for (int t = 0; status == MMS_OK && t < TRACES; t++) {
    if (!mms_h5_has(plot->file, traces[t].path)) continue;
    status = read_series(plot, &steps, t, &xy[count], error);
    series[count] = (mms_series){.label = traces[t].label, .xy = &xy[count], .mark = MMS_MARK_LINES};
    panel_of[count] = traces[t].panel;
    if (status == MMS_OK) count++;
  }
  const mms_chart charts[3] = {
      {.title = "moment defects", .x_label = "step", .y_label = "largest defect (0 drawn as 1e-17)", .log_y = 1},
      {.title = "mean potential", .x_label = "step", .y_label = "V"},
      {.title = "drift", .x_label = "step", .y_label = "root mean square of a step"}};
  if (status == MMS_OK) status = mms_picture_chart(plot->output, charts, 3, series, panel_of, count, error);
  for (int t = 0; t < TRACES; t++) mms_matrix_free(&xy[t]);
  mms_matrix_free(&steps);
  return status;
}
