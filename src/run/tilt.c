#include "run/tilt.h"

#include <math.h>
#include <string.h>

void mms_tilt_file_free(mms_tilt_file *tilt) {
  mms_matrix_free(&tilt->rows);
  mms_matrix_free(&tilt->mean);
  mms_matrix_free(&tilt->covariance);
  *tilt = (mms_tilt_file){0};
}

/* The shape of /latent against the training set's dimension. Local to each rank's call. */
static mms_status check_shape(mms_h5 *file, const char *path, int64_t dim, int64_t *count, mms_error *error) {
  int rank = 0;
  int64_t dims[8] = {0};
  mms_status status = mms_h5_shape(file, "/latent", &rank, dims, error);
  if (status == MMS_OK && (rank != 2 || dims[0] < 1 || dims[1] != dim))
    status = mms_fail(error, MMS_ERR_INPUT,
                      "sampler.tilt: %s: /latent is not a set of points in %lld dimensions: give the samples.h5 of a "
                      "run with this training set",
                      path, (long long)dim);
  *count = dims[0];
  return status;
}

static mms_status read_arrays(mms_tilt_file *tilt, const mms_dynamics_context *context, mms_h5 *file,
                              mms_error *error) {
  const int64_t dim = context->training->dim;
  int64_t count = 0;
  mms_status status = check_shape(file, context->sampler.tilt, dim, &count, error);
  mms_blocks blocks = {0};
  if (status == MMS_OK) {
    blocks = mms_dynamics_tilt_blocks(context, count);
    status = mms_matrix_create(&tilt->rows, blocks.n_local, dim, "the points of the tilt", error);
  }
  status = mms_team_agree(context->team, status, error);
  if (status == MMS_OK)
    status = mms_h5_read_rows(file, "/latent", blocks.first_row, blocks.n_local, tilt->rows.data, error);
  status = mms_team_agree(context->team, status, error);
  if (status == MMS_OK) status = mms_h5_read_matrix(file, "/target/mean", &tilt->mean, error);
  status = mms_team_agree(context->team, status, error);
  if (status == MMS_OK) status = mms_h5_read_matrix(file, "/target/covariance", &tilt->covariance, error);
  if (status == MMS_OK &&
      (tilt->mean.rows * tilt->mean.cols != dim || tilt->covariance.rows != dim || tilt->covariance.cols != dim))
    status = mms_fail(error, MMS_ERR_INPUT, "sampler.tilt: %s: /target is not one in %lld dimensions",
                      context->sampler.tilt, (long long)dim);
  status = mms_team_agree(context->team, status, error);
  tilt->points = (mms_tilt_points){
      .count = count, .points = tilt->rows.data, .mean = tilt->mean.data, .covariance = tilt->covariance.data};
  return status;
}

mms_status mms_tilt_file_read(mms_tilt_file *tilt, const mms_dynamics_context *context, mms_error *error) {
  const char *path = context->sampler.tilt;
  *tilt = (mms_tilt_file){0};
  if (context->sampler.method != MMS_METHOD_KINETIC || path == NULL || strcmp(path, "training") == 0) return MMS_OK;
  mms_h5 *file = NULL;
  mms_status status = mms_h5_open(&file, context->team, path, error);
  if (status == MMS_OK) {
    status = mms_h5_check_digest(context->team, path, error);
    if (status == MMS_OK) status = read_arrays(tilt, context, file, error);
    mms_h5_close(&file);
  }
  if (status != MMS_OK) {
    mms_tilt_file_free(tilt);
    return strstr(error != NULL ? error->message : "", "sampler.tilt") != NULL
               ? status
               : mms_fail_within(error, "sampler.tilt: it takes training or a samples.h5 of a run");
  }
  tilt->given = true;
  return MMS_OK;
}

mms_status mms_tilt_file_write(const mms_tilt *tilt, mms_h5 *file, mms_error *error) {
  if (tilt == NULL) return MMS_OK;
  mms_status status = mms_h5_write_array(file, "/tilt/linear", MMS_H5_FLOAT64, 1, tilt->dim, 1, tilt->linear.data,
                                         "lambda of the tilted energy, sampler's coordinates", error);
  if (status == MMS_OK)
    status = mms_h5_write_array(file, "/tilt/quadratic", MMS_H5_FLOAT64, 2, tilt->dim, tilt->dim, tilt->quadratic.data,
                                "Lambda of the tilted energy, sampler's coordinates", error);
  return status;
}

/* Another type of processor may round another way; other points make another tilt. */
static const double SAME = 1e-9;

/* Does `name` hold these values? Collective; agreed. */
static mms_status same_values(const mms_team *team, mms_h5 *file, const char *path, const char *name,
                              const mms_matrix *now, mms_error *error) {
  mms_matrix then = {0};
  const int64_t entries = now->rows * now->cols;
  double largest = 0.0, away = 0.0;
  mms_status status = mms_h5_read_matrix(file, name, &then, error);
  if (status == MMS_OK && then.rows * then.cols != entries)
    status = mms_fail(error, MMS_ERR_INPUT, "%s: %s is not of the training set's dimension", path, name);
  for (int64_t i = 0; status == MMS_OK && i < entries; i++) {
    largest = fmax(largest, fabs(now->data[i]));
    away = fmax(away, fabs(now->data[i] - then.data[i]));
  }
  if (status == MMS_OK && !(away <= SAME * largest))
    status = mms_fail(error, MMS_ERR_INPUT,
                      "%s: the tilt has changed since this run began (%s is another): bring the old file of "
                      "sampler.tilt back, or give --fresh to start over",
                      path, name);
  mms_matrix_free(&then);
  return mms_team_agree(team, status, error);
}

mms_status mms_tilt_file_compare(const mms_tilt *tilt, const mms_team *team, mms_h5 *file, const char *path,
                                 mms_error *error) {
  if (tilt == NULL) return MMS_OK;
  mms_status status = same_values(team, file, path, "/tilt/linear", &tilt->linear, error);
  if (status == MMS_OK) status = same_values(team, file, path, "/tilt/quadratic", &tilt->quadratic, error);
  return status;
}
