/* The target in a file of samples. */
#include "mmsold/base/memory.h"
#include "run/session.h"
#include <stdlib.h>

static const char *const COVARIANCE = "target covariance (data, 1/n, plus bandwidth^2 I), sampler's coordinates";

/* This rank's rows of Σ*: all of them on each where it is whole, else a share. */
typedef struct share {
  mms_blocks blocks;
  double *rows; /* [n_local][d]; NULL where whole */
} share;

static mms_status fetch(const mms_session *session, share *own, mms_error *error) {
  const mms_team *team = session->request->team;
  const mms_target *target = mms_dynamics_target(session->dynamics);
  own->blocks = mms_blocks_make(target->dim, 1, mms_team_rank(team), mms_team_size(team));
  if (target->spread == NULL) return MMS_OK;
  mms_status status =
      mms_allocate_doubles(&own->rows, own->blocks.n_local * target->dim, "rows of the target covariance", error);
  status = mms_team_agree(team, status, error);
  if (status == MMS_OK) mms_target_covariance_rows(target, own->blocks.first_row, own->blocks.n_local, own->rows);
  return status;
}

static mms_status write_covariance(const mms_session *session, const share *own, mms_h5 *file, mms_error *error) {
  const mms_target *target = mms_dynamics_target(session->dynamics);
  if (own->rows != NULL)
    return mms_h5_write_rows(file, "/target/covariance", MMS_H5_FLOAT64, target->dim, target->dim,
                             own->blocks.first_row, own->blocks.n_local, own->rows, COVARIANCE, NULL, NULL, error);
  return mms_h5_write_array(file, "/target/covariance", MMS_H5_FLOAT64, 2, target->dim, target->dim,
                            target->covariance.data, COVARIANCE, error);
}

/* diagonal [D] += that of EᵀΣ*E from rows first .. first + rows − 1 of Σ* (`values` [rows][d]), E the decoder [d][D].
 */
static void add_variances(const mms_transform *transform, int64_t first, int64_t rows, const double *values,
                          double *diagonal) {
  const int64_t dim = transform->dim, data_dim = transform->data_dim;
  for (int64_t k = 0; k < data_dim; k++) {
    const double *column = transform->decode.data + k;
    for (int64_t i = 0; i < rows; i++)
      for (int64_t j = 0; j < dim; j++)
        diagonal[k] += column[(first + i) * data_dim] * values[i * dim + j] * column[j * data_dim];
  }
}

/* `/target/data_mean` and `/target/data_covariance_diagonal`: the target in the data's coordinates. */
static mms_status write_data_target(const mms_session *session, const share *own, mms_h5 *file, mms_error *error) {
  const mms_target *target = mms_dynamics_target(session->dynamics);
  const mms_transform *transform = &session->training.transform;
  const int64_t data_dim = transform->data_dim;
  mms_matrix mean = {0}, diagonal = {0};
  mms_status status = mms_matrix_create(&mean, 1, data_dim, "the target's mean", error);
  if (status == MMS_OK) status = mms_matrix_create(&diagonal, 1, data_dim, "the target's variances", error);
  status = mms_team_agree(session->request->team, status, error);
  if (status == MMS_OK) {
    mms_transform_decode(transform, 1, target->mean.data, mean.data);
    if (transform->identity) {
      for (int64_t k = 0; k < data_dim; k++) diagonal.data[k] = target->variances.data[k];
    } else if (own->rows == NULL) {
      add_variances(transform, 0, transform->dim, target->covariance.data, diagonal.data);
    } else {
      add_variances(transform, own->blocks.first_row, own->blocks.n_local, own->rows, diagonal.data);
      mms_rank_grid_sum(target->spread->grid, diagonal.data, data_dim);
    }
    status = mms_h5_write_array(file, "/target/data_mean", MMS_H5_FLOAT64, 1, data_dim, 1, mean.data,
                                "target mean in the data's coordinates", error);
  }
  if (status == MMS_OK)
    status = mms_h5_write_array(file, "/target/data_covariance_diagonal", MMS_H5_FLOAT64, 1, data_dim, 1, diagonal.data,
                                "target variances in the data's coordinates", error);
  mms_matrix_free(&mean);
  mms_matrix_free(&diagonal);
  return status;
}

mms_status mms_target_file_write(const mms_session *session, mms_h5 *file, mms_error *error) {
  const mms_target *target = mms_dynamics_target(session->dynamics);
  share own = {.rows = NULL};
  mms_status status = mms_h5_write_array(file, "/target/mean", MMS_H5_FLOAT64, 1, target->dim, 1, target->mean.data,
                                         "target mean, sampler's coordinates", error);
  if (status == MMS_OK) status = fetch(session, &own, error);
  if (status == MMS_OK) status = write_covariance(session, &own, file, error);
  if (status == MMS_OK) status = write_data_target(session, &own, file, error);
  free(own.rows);
  return status;
}
