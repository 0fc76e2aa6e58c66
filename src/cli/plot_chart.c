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
