/* The target with its d × d matrices spread over the ranks. */
#include "ensemble/target_parts.h"
#include "mmsold/base/memory.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

void mms_target_spread_free(mms_target_spread **spread) {
  if (*spread == NULL) return;
  mms_distributed_free(&(*spread)->covariance);
  mms_distributed_free(&(*spread)->factor);
  mms_distributed_free(&(*spread)->inverse);
  mms_rank_grid_free(&(*spread)->grid);
  free(*spread);
  *spread = NULL;
}

static mms_status allocate(mms_target *target, mms_error *error) {
  int64_t d = target->dim;
  void *memory = NULL;
  mms_status status = mms_matrix_create(&target->mean, 1, d, "the target mean", error);
  if (status == MMS_OK) status = mms_matrix_create(&target->variances, 1, d, "the target's variances", error);
  if (status == MMS_OK) status = mms_matrix_create(&target->eigenvalues, 1, d, "the target's eigenvalues", error);
  if (status == MMS_OK) status = mms_allocate(&memory, 1, sizeof(mms_target_spread), "the target", error);
  target->spread = memory;
  return status;
}

static mms_status allocate_matrices(mms_target_spread *spread, mms_error *error) {
  mms_rank_grid *grid = spread->grid;
  mms_status status = mms_distributed_create(&spread->covariance, grid, "the target covariance", error);
  if (status == MMS_OK) status = mms_distributed_create(&spread->factor, grid, "the target's factor", error);
  if (status == MMS_OK) status = mms_distributed_create(&spread->inverse, grid, "the target's inverse factor", error);
  return status;
}

/* μ* is rank 0's, as ever; Σ* the sum of what each rank makes of its share of the points. */
static void find_moments(mms_target *target, const mms_team *team, const mms_training *training) {
  int rank = mms_team_rank(team), ranks = mms_team_size(team);
  int64_t n = training->count, d = target->dim;
  int64_t first = n * rank / ranks, rows = n * (rank + 1) / ranks - first;
  double *mean = target->mean.data;
  if (rank == 0 || training->partitioned)
    mms_target_find_mean(training, mean, rank == 0 ? target->variances.data : NULL);
  mms_team_broadcast(team, mean, (size_t)d * sizeof *mean, 0);
  const double *share = training->points != NULL ? training->points + first * d : NULL;
  mms_distributed_covariance(&target->spread->covariance, training->partitioned ? training->parts.n_local : rows,
                             training->partitioned ? training->mine : share, mean, 1.0 / (double)n);
}

/* Scale row j of this rank's part of `matrix` by w_j^power. */
static void scale_rows(mms_distributed *matrix, const double *w, double power) {
  const mms_rank_grid *grid = matrix->grid;
  int64_t rows = mms_rank_grid_rows(grid), columns = mms_rank_grid_columns(grid);
  for (int64_t i = 0; i < rows; i++) {
    double scale = pow(w[mms_rank_grid_row(grid, i)], power);
    for (int64_t j = 0; j < columns; j++) matrix->data[i * columns + j] *= scale;
  }
}

/* Lᵀ and its inverse from Σ*; eigenvalues on the way. */
static mms_status find_factor(mms_target *target, mms_error *error) {
  mms_target_spread *spread = target->spread;
  size_t bytes = (size_t)mms_rank_grid_matrix_bytes(spread->grid);
  double *eigenvalues = target->eigenvalues.data;
  mms_status status;
  memcpy(spread->factor.data, spread->covariance.data, bytes);
  if (target->kind == MMS_FACTOR_EIGEN)
    status = mms_distributed_eigen(&spread->factor, eigenvalues, &spread->inverse, error);
  else
    status = mms_distributed_eigenvalues(&spread->factor, eigenvalues, error);
  if (status == MMS_OK) status = mms_target_refuse_singular(target, error);
  if (status != MMS_OK) return status;
  if (target->kind == MMS_FACTOR_EIGEN) {
    memcpy(spread->factor.data, spread->inverse.data, bytes);
    scale_rows(&spread->factor, eigenvalues, 0.5);
    scale_rows(&spread->inverse, eigenvalues, -0.5);
    return MMS_OK;
  }
  memcpy(spread->factor.data, spread->covariance.data, bytes);
  status = mms_distributed_cholesky_upper(&spread->factor, error);
  if (status != MMS_OK) return error == NULL ? status : mms_fail_within(error, "the target covariance");
  memcpy(spread->inverse.data, spread->factor.data, bytes);
  return mms_distributed_invert_upper(&spread->inverse, error);
}

static mms_status compute(mms_target *target, mms_error *error) {
  mms_distributed *covariance = &target->spread->covariance;
  const mms_rank_grid *grid = target->spread->grid;
  int64_t rows = mms_rank_grid_rows(grid), columns = mms_rank_grid_columns(grid);
  double square = target->bandwidth * target->bandwidth;
  for (int64_t i = 0; i < rows; i++)
    for (int64_t j = 0; j < columns; j++)
      if (mms_rank_grid_row(grid, i) == mms_rank_grid_column(grid, j)) covariance->data[i * columns + j] += square;
  mms_distributed_diagonal(covariance, target->variances.data);
  mms_status status = mms_target_refuse_overflow(target, error);
  if (status == MMS_OK) status = find_factor(target, error);
  if (status == MMS_OK) target->step_bound = 2.0 * square / target->eigenvalues.data[0];
  return status;
}

mms_status mms_target_create_distributed(mms_target *target, const mms_team *team, const mms_training *training,
                                         double bandwidth, mms_factor kind, mms_error *error) {
  mms_status status = mms_target_begin(target, training, bandwidth, kind, error);
  if (status == MMS_OK && kind == MMS_FACTOR_SCALAR)
    status = mms_fail(error, MMS_ERR_INTERNAL, "a distributed target has a factor of its covariance");
  if (status == MMS_OK) status = allocate(target, error);
  status = mms_team_agree(team, status, error);
  if (status == MMS_OK) status = mms_rank_grid_create(&target->spread->grid, team, target->dim, 0, error);
  if (status == MMS_OK) status = mms_team_agree(team, allocate_matrices(target->spread, error), error);
  if (status == MMS_OK) {
    find_moments(target, team, training);
    status = compute(target, error); /* from numbers that are the same on all ranks */
  }
  if (status != MMS_OK) mms_target_free(target);
  return status;
}

/* out [rows][d] = in M, or in Mᵀ, with the matrix of a factor: a triangle where that is Cholesky's. Collective. */
static void rows_times(const mms_target *target, const mms_distributed *matrix, bool transpose, int64_t rows,
                       const double *in, double *out) {
  if (target->kind != MMS_FACTOR_CHOLESKY) {
    mms_distributed_rows_times(matrix, transpose, rows, in, false, out);
    return;
  }
  if (out != in) memcpy(out, in, (size_t)(rows * target->dim) * sizeof *out);
  mms_distributed_rows_triangle(matrix, transpose, rows, out);
}

void mms_target_positions_together(const mms_target *target, int64_t rows, const double *in, double *out) {
  int64_t d = target->dim;
  rows_times(target, &target->spread->factor, false, rows, in, out);
  for (int64_t i = 0; i < rows; i++)
    for (int64_t k = 0; k < d; k++) out[i * d + k] += target->mean.data[k];
}

void mms_target_coordinates_together(const mms_target *target, int64_t rows, double *in, double *out) {
  int64_t d = target->dim;
  for (int64_t i = 0; i < rows; i++)
    for (int64_t k = 0; k < d; k++) in[i * d + k] -= target->mean.data[k];
  rows_times(target, &target->spread->inverse, target->kind != MMS_FACTOR_CHOLESKY, rows, in, out);
}

void mms_target_pull_back_together(const mms_target *target, int64_t rows, const double *in, double *out) {
  rows_times(target, &target->spread->factor, true, rows, in, out);
}

void mms_target_covariance_rows(const mms_target *target, int64_t first, int64_t rows, double *out) {
  int64_t d = target->dim;
  if (target->spread == NULL) {
    memcpy(out, target->covariance.data + first * d, (size_t)(rows * d) * sizeof *out);
    return;
  }
  const mms_rank_grid *grid = target->spread->grid;
  int64_t step = mms_rank_grid_panel_rows(grid);
  double *panel = mms_rank_grid_panel(grid);
  for (int64_t from = 0; from < d; from += step) {
    int64_t count = d - from < step ? d - from : step;
    mms_distributed_fetch_rows(&target->spread->covariance, from, count, panel);
    for (int64_t i = from; i < from + count; i++)
      if (i >= first && i < first + rows)
        memcpy(out + (i - first) * d, panel + (i - from) * d, (size_t)d * sizeof *out);
  }
}
