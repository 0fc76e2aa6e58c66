/* The training set behind a file, built again from the configuration the file holds. */
#include "cli/config.h"
#include "cli/plot.h"

#include "mmsold/base/memory.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

/* Are `real` the rows that `training` was made of? Not where the source is a prepared file, whose rows are in the
 * sampler's coordinates already. A row that belongs comes out within rounding. */
static bool belongs(const mms_points *real, const mms_training *training) {
  const mms_transform *transform = &training->transform;
  mms_error none = mms_error_none();
  double *z = NULL;
  if (real->values.rows != training->count || real->values.cols != transform->data_dim) return false;
  if (mms_allocate_doubles(&z, training->dim, "one row", &none) != MMS_OK) return false;
  mms_transform_encode(transform, 1, real->values.data, z);
  double away = 0, size = 0;
  for (int64_t j = 0; j < training->dim; j++) {
    away = fmax(away, fabs(z[j] - training->points[j]));
    size = fmax(size, fabs(training->points[j]));
  }
  free(z);
  return away <= 1e-8 * (size + 1);
}

/* Rows in the data's coordinates, decoded, where the source has no others. */
static mms_status decode_rows(mms_plot_training *out, mms_error *error) {
  mms_points_free(&out->real);
  mms_status status = mms_matrix_create(&out->real.values, out->training.count, out->training.transform.data_dim,
                                        "the training rows", error);
  if (status != MMS_OK) return status;
  mms_transform_decode(&out->training.transform, out->training.count, out->training.points, out->real.values.data);
  out->real.image_rows = out->training.image_rows;
  out->real.image_columns = out->training.image_columns;
  return MMS_OK;
}

static mms_status rebuild(const mms_plot *plot, mms_plot_training *out, mms_error *error) {
  char *text = NULL, *name = NULL;
  mms_config config = {0};
  mms_status status = mms_h5_read_text(plot->file, "/", "configuration", &text, error);
  if (status == MMS_OK) status = mms_format_text(&name, error, "%s, configuration", plot->path);
  if (status == MMS_OK) status = mms_config_parse(&config, text, name, NULL, 0, MMS_NEEDS_TRAINING, error);
  config.training.placement = MMS_PLACEMENT_REPLICATED; /* as the run had it does not matter here */
  if (status == MMS_OK) status = mms_training_create(&out->training, NULL, &config.training, error);
  if (status == MMS_OK) {
    status = mms_points_select(&out->real, &config.training, error);
    if (status != MMS_OK || !belongs(&out->real, &out->training)) status = decode_rows(out, error);
  }
  mms_config_free(&config);
  free(name);
  free(text);
  return status;
}

void mms_plot_rebuild(const mms_plot *plot, mms_plot_training *out) {
  mms_error error = mms_error_none();
  uint64_t checksum = 0;
  *out = (mms_plot_training){.has = false};
  if (rebuild(plot, out, &error) != MMS_OK) {
    mms_log_warn(plot->log, "the training set cannot be shown: %s", error.message);
    mms_plot_training_free(out);
    return;
  }
  out->has = true;
  if (mms_h5_read_uint(plot->file, "/", "training_checksum", &checksum, &error) == MMS_OK &&
      checksum != out->training.checksum)
    mms_log_warn(plot->log,
                 "%s was made from other bits than its source gives now (checksum %016" PRIx64 ", now %016" PRIx64
                 "): another processor, or the source has changed",
                 plot->path, checksum, out->training.checksum);
}

void mms_plot_training_free(mms_plot_training *training) {
  mms_points_free(&training->real);
  mms_training_free(&training->training);
  *training = (mms_plot_training){.has = false};
}
