/* Charts: points in the plane, and what a run traced. */
#include "cli/plot.h"

#include "mmsold/picture/picture.h"

#include <inttypes.h>
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

/* Three views of points in space along the axes, the third coordinate in colour. */
static const int axes[3][3] = {{0, 1, 2}, {0, 2, 1}, {1, 2, 0}};
static const char *const names[3] = {"x", "y", "z"};

/* xy [n][3]: the columns of `points` [n][3] in the order of a view. */
static mms_status make_view(const mms_matrix *points, int view, mms_matrix *xy, mms_error *error) {
  mms_status status = mms_matrix_create(xy, points->rows, 3, "a view of points in space", error);
  for (int64_t i = 0; status == MMS_OK && i < points->rows; i++)
    for (int k = 0; k < 3; k++) xy->data[3 * i + k] = points->data[3 * i + axes[view][k]];
  return status;
}

mms_status mms_plot_space(const char *output, const mms_matrix *const *sets, const char *const *labels, int count,
                          mms_error *error) {
  mms_matrix xy[6] = {{0}};
  mms_chart charts[6];
  mms_series series[6];
  int64_t panel_of[6];
  char titles[6][64];
  mms_status status = MMS_OK;
  for (int p = 0; p < 3 * count && status == MMS_OK; p++) {
    const int *axis = axes[p % 3];
    status = make_view(sets[p / 3], p % 3, &xy[p], error);
    snprintf(titles[p], sizeof titles[p], "%" PRId64 " %s", sets[p / 3]->rows, labels[p / 3]);
    charts[p] = (mms_chart){.title = titles[p],
                            .x_label = names[axis[0]],
                            .y_label = names[axis[1]],
                            .value_label = names[axis[2]],
                            .equal_axes = 1};
    series[p] = (mms_series){.xy = &xy[p], .mark = MMS_MARK_VALUES};
    panel_of[p] = p;
  }
  if (status == MMS_OK) status = mms_picture_chart(output, charts, 3 * count, series, panel_of, 3 * count, error);
  for (int p = 0; p < 6; p++) mms_matrix_free(&xy[p]);
  return status;
}

mms_status mms_plot_samples_space(const mms_plot *plot, mms_error *error) {
  mms_matrix samples = {0};
  mms_plot_training training;
  mms_status status = mms_h5_read_matrix(plot->file, "/samples", &samples, error);
  if (status != MMS_OK) return status;
  mms_plot_rebuild(plot, &training);
  if (training.has && training.real.values.cols != 3) mms_plot_training_free(&training);
  const mms_matrix *const sets[2] = {&training.real.values, &samples};
  const char *const labels[2] = {"training points", "particles"};
  int first = training.has ? 0 : 1;
  status = mms_plot_space(plot->output, sets + first, labels + first, 2 - first, error);
  mms_matrix_free(&samples);
  mms_plot_training_free(&training);
  return status;
}

mms_status mms_plot_evaluated(const mms_plot *plot, mms_error *error) {
  mms_matrix points = {0}, potential = {0}, xy = {0};
  mms_status status = mms_h5_read_matrix(plot->file, "/points", &points, error);
  if (status == MMS_OK) status = mms_h5_read_matrix(plot->file, "/V", &potential, error);
  if (status == MMS_OK && (potential.rows != points.rows || potential.cols != 1))
    status = mms_fail(error, MMS_ERR_INPUT, "%s: /V is %" PRId64 " x %" PRId64 ", and /points has %" PRId64 " rows",
                      plot->path, potential.rows, potential.cols, points.rows);
  if (status == MMS_OK && points.cols != 2)
    status = mms_fail(error, MMS_ERR_INPUT,
                      "%s: V is drawn at points in the plane, and these have %" PRId64 " columns: nothing to draw",
                      plot->path, points.cols);
  if (status == MMS_OK) status = mms_matrix_create(&xy, points.rows, 3, "the potential at points", error);
  for (int64_t i = 0; status == MMS_OK && i < points.rows; i++) {
    xy.data[3 * i] = points.data[2 * i];
    xy.data[3 * i + 1] = points.data[2 * i + 1];
    xy.data[3 * i + 2] = potential.data[i];
  }
  char title[64];
  snprintf(title, sizeof title, "smoothed potential at %" PRId64 " points", points.rows);
  const mms_chart chart = {.title = title, .x_label = "x", .y_label = "y", .value_label = "V", .equal_axes = 1};
  const mms_series series = {.xy = &xy, .mark = MMS_MARK_VALUES};
  if (status == MMS_OK) status = mms_picture_chart(plot->output, &chart, 1, &series, NULL, 1, error);
  mms_matrix_free(&points);
  mms_matrix_free(&potential);
  mms_matrix_free(&xy);
  return status;
}
