/* The pieces of `mmsold plot`. Private to the program; all Local. */
#ifndef CLI_PLOT_H
#define CLI_PLOT_H

#include "mmsold/base/log.h"
#include "mmsold/base/matrix.h"
#include "mmsold/store/h5.h"
#include "mmsold/training/training.h"

/* A file to be drawn, and where to. Borrowed. */
typedef struct mms_plot {
  mms_log *log;
  mms_h5 *file;
  const char *path, *output;
} mms_plot;

/* The training set a file was made from, built again from its stored configuration. Owns its arrays. */
typedef struct mms_plot_training {
  bool has;              /* false: the source is gone; everything else is empty */
  mms_points real;       /* [n][D] in the data's coordinates, in the order of `training` */
  mms_training training; /* with the transform */
} mms_plot_training;

/* Build it again; where that cannot be done a warning says why and `has` is false. */
void mms_plot_rebuild(const mms_plot *plot, mms_plot_training *out);
void mms_plot_training_free(mms_plot_training *training);

/* An image sheet of the first of `/samples`, and the real ones beside them. */
mms_status mms_plot_samples_sheet(const mms_plot *plot, int64_t image_rows, int64_t image_columns, mms_error *error);
/* A scatter chart of `/samples` [P][2] beside the training points. */
mms_status mms_plot_samples_scatter(const mms_plot *plot, mms_error *error);
/* Points in space: three views along the axes, colour for the third coordinate. Up to two sets [n][3]. */
mms_status mms_plot_space(const char *output, const mms_matrix *const *sets, const char *const *labels, int count,
                          mms_error *error);
mms_status mms_plot_samples_space(const mms_plot *plot, mms_error *error);
/* What `evaluate` wrote in the plane: V as the colour of its points. */
mms_status mms_plot_evaluated(const mms_plot *plot, mms_error *error);
/* What a run traced, over the steps, from `/trace`: a panel for each kind of number. */
mms_status mms_plot_trace(const mms_plot *plot, mms_error *error);
/* What `density` wrote: both laws at every smoothing; their likelihoods over it. */
mms_status mms_plot_density(const mms_plot *plot, mms_error *error);
mms_status mms_plot_likelihood(const mms_plot *plot, mms_error *error);
/* The results of `converge`: distances, biases and spreads with error bars and the fitted powers, in log-log. */
mms_status mms_plot_converge(const mms_plot *plot, mms_error *error);
/* What `prepare` wrote: a sheet or a scatter chart of the rows, decoded. */
mms_status mms_plot_prepared(const mms_plot *plot, mms_error *error);

/* The attributes image_rows and image_columns where both are there and more than 0; else 0 and 0. */
void mms_plot_image_shape(const mms_plot *plot, int64_t *rows, int64_t *columns);

#endif
