/* PCA and whitening with the D × D algebra spread over the ranks: covariance from each rank's share of the rows,
 * eigenvectors by ScaLAPACK, which come by panel by panel. */
#include "mmsold/base/memory.h"
#include "mmsold/linalg/distributed.h"
#include "training/parts.h"
#include "training/transform_parts.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* The covariance, its eigenvectors (row j is the j-th), a product of them, and what goes with them. */
typedef struct spectrum {
  mms_rank_grid *grid;
  mms_distributed covariance, vectors, product;
  double *values; /* [D] */
} spectrum;

static void spectrum_free(spectrum *s) {
  mms_distributed_free(&s->covariance);
  mms_distributed_free(&s->vectors);
  mms_distributed_free(&s->product);
  mms_rank_grid_free(&s->grid);
  free(s->values);
}

/* Collective; agreed. */
static mms_status spectrum_create(spectrum *s, const mms_team *team, int64_t columns, mms_error *error) {
  mms_status status = mms_rank_grid_create(&s->grid, team, columns, 0, error);
  if (status != MMS_OK) return status;
  status = mms_distributed_create(&s->covariance, s->grid, "the covariance of the training points", error);
  if (status == MMS_OK) status = mms_distributed_create(&s->vectors, s->grid, "eigenvectors", error);
  if (status == MMS_OK) status = mms_distributed_create(&s->product, s->grid, "scaled eigenvectors", error);
  if (status == MMS_OK) status = mms_allocate_doubles(&s->values, columns, "eigenvalues", error);
  return mms_team_agree(team, status, error);
}

/* Eigenvalues and eigenvectors of the covariance of rank 0's X [n][D] about its mean [D]. Collective; agreed. */
static mms_status find_spectrum(spectrum *s, const mms_team *team, const mms_rows *data, int64_t n, const double *mean,
                                mms_error *error) {
  const int64_t columns = mms_rank_grid_order(s->grid);
  double *centre = NULL, *mine = NULL;
  mms_blocks parts;
  mms_status status =
      mms_team_agree(team, mms_allocate_doubles(&centre, columns, "the mean of the training points", error), error);
  if (status == MMS_OK) status = mms_training_parts_deal(&parts, &mine, team, n, columns, data, error);
  if (status == MMS_OK) {
    if (data != NULL) memcpy(centre, mean, (size_t)columns * sizeof *centre);
    mms_team_broadcast(team, centre, (size_t)columns * sizeof *centre, 0);
    mms_distributed_covariance(&s->covariance, parts.n_local, mine, centre, 1.0 / (double)(n - 1));
    status = mms_distributed_eigen(&s->covariance, s->values, &s->vectors, error);
  }
  free(centre);
  free(mine);
  return status;
}

/* Rows 0 … count − 1 of a matrix go by `take` on rank 0, one after the other. Collective. */
typedef void row_taker(mms_transform *transform, int64_t row, const double *values, const double *scales);

static void take_rows(const mms_distributed *matrix, int64_t count, row_taker *take, mms_transform *transform,
                      const double *scales) {
  const int64_t n = mms_rank_grid_order(matrix->grid), step = mms_rank_grid_panel_rows(matrix->grid);
  double *panel = mms_rank_grid_panel(matrix->grid);
  for (int64_t first = 0; first < count; first += step) {
    int64_t rows = n - first < step ? n - first : step;
    mms_distributed_fetch_rows(matrix, first, rows, panel);
    for (int64_t i = 0; transform != NULL && i < rows && first + i < count; i++)
      take(transform, first + i, panel + i * n, scales);
  }
}

static void take_component(mms_transform *t, int64_t row, const double *v, const double *scales) {
  mms_transform_put_component(t, row, v, 1, scales[row]);
}

static void take_encode(mms_transform *t, int64_t row, const double *values, const double *scales) {
  (void)scales;
  memcpy(t->encode.data + row * t->dim, values, (size_t)t->dim * sizeof *values);
}

static void take_decode(mms_transform *t, int64_t row, const double *values, const double *scales) {
  (void)scales;
  memcpy(t->decode.data + row * t->dim, values, (size_t)t->dim * sizeof *values);
}

/* Whitening alone: Q diag(s^{±1}) Qᵀ as the product of (diag(s^{±½}) Qᵀ)ᵀ with itself. Collective. */
static void take_symmetric(spectrum *s, mms_transform *transform, const double *scales) {
  const mms_rank_grid *grid = s->grid;
  const int64_t rows = mms_rank_grid_rows(grid), columns = mms_rank_grid_columns(grid);
  for (int inverse = 0; inverse < 2; inverse++) {
    for (int64_t i = 0; i < rows; i++) {
      double scale = scales[mms_rank_grid_row(grid, i)]; /* s for the decoder; from there 1/s for the encoder */
      double factor = inverse ? 1.0 / scale : sqrt(scale);
      for (int64_t j = 0; j < columns; j++) s->vectors.data[i * columns + j] *= factor;
    }
    memcpy(s->covariance.data, s->vectors.data, (size_t)mms_rank_grid_matrix_bytes(grid));
    mms_distributed_multiply(true, 1.0, &s->covariance, &s->vectors, 0.0, &s->product);
    take_rows(&s->product, mms_rank_grid_order(grid), inverse ? take_encode : take_decode, transform, NULL);
  }
}

mms_status mms_transform_fit_rows_distributed(mms_transform *transform, const mms_team *team, const mms_rows *data,
                                              int64_t components, mms_whiten whiten, int64_t whiten_top,
                                              mms_error *error) {
  struct {
    int64_t n, columns, dim;
  } sizes = {0};
  const bool leads = mms_team_rank(team) == 0;
  spectrum s = {0};
  double *scales = NULL;
  mms_status status = MMS_OK;
  *transform = (mms_transform){.identity = true};
  if (leads) status = mms_transform_begin(transform, &scales, data, components, whiten, whiten_top, error);
  status = mms_team_agree(team, status, error);
  if (leads) sizes.n = data->count, sizes.columns = data->dim, sizes.dim = transform->identity ? 0 : transform->dim;
  if (status == MMS_OK) mms_team_broadcast(team, &sizes, sizeof sizes, 0);
  if (status == MMS_OK && sizes.dim > 0) { /* there is something to fit */
    if (!leads) status = mms_allocate_doubles(&scales, sizes.dim, "scales", error);
    status = mms_team_agree(team, status, error);
    if (status == MMS_OK) status = spectrum_create(&s, team, sizes.columns, error);
    if (status == MMS_OK) status = find_spectrum(&s, team, leads ? data : NULL, sizes.n, transform->offset.data, error);
    if (status == MMS_OK) {
      mms_transform_scales(sizes.dim, s.values, whiten, whiten_top, scales);
      if (components > 0)
        take_rows(&s.vectors, sizes.dim, take_component, leads ? transform : NULL, scales);
      else
        take_symmetric(&s, leads ? transform : NULL, scales);
    }
  }
  spectrum_free(&s);
  free(scales);
  if (status != MMS_OK) mms_transform_free(transform);
  return status;
}

mms_status mms_transform_fit_distributed(mms_transform *transform, const mms_team *team, const mms_matrix *data,
                                         int64_t components, mms_whiten whiten, int64_t whiten_top, mms_error *error) {
  const mms_rows rows = data != NULL ? mms_rows_of_matrix(data) : (mms_rows){0};
  return mms_transform_fit_rows_distributed(transform, team, data != NULL ? &rows : NULL, components, whiten,
                                            whiten_top, error);
}
