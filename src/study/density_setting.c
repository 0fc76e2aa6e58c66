/* What all σ of `density` share: training set, target, points to average over and to test with, the picture's grid. */
#include "study/density.h"

#include "mmsold/base/memory.h"
#include "mmsold/field/potential.h"
#include "mmsold/store/h5.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const double EXTENT = 5.0; /* standard deviations to each side, where no extent is given */

/* Seeds for what is drawn beside the training set, apart from its own (Knuth's multiplier: MMIX). */
static uint64_t seed_for(uint64_t seed, uint64_t use) {
  return (seed + use) * 6364136223846793005U + 1442695040888963407U;
}

void mms_density_close(mms_density_setting *setting) {
  mms_training_free(&setting->training);
  mms_target_free(&setting->target);
  free(setting->tilt_points);
  mms_matrix_free(&setting->test);
  *setting = (mms_density_setting){.request = NULL};
}

/* `count` points of the training set's generator, in the sampler's coordinates. */
static mms_status draw(const mms_density_setting *setting, int64_t count, uint64_t seed, const char *key,
                       mms_matrix *out, mms_error *error) {
  const mms_training_options *training = &setting->request->training;
  if (strchr(training->source, '.') != NULL || strchr(training->source, '/') != NULL)
    return mms_fail(error, MMS_ERR_INPUT,
                    "density.%s: source: %s is a file, from which nothing new can be drawn; name a file of points", key,
                    training->source);
  const mms_training_options options = {
      .source = training->source, .count = count, .thin = MMS_THIN_NONE, .seed = seed, .label = -1};
  mms_points points = {.image_rows = 0};
  mms_status status = mms_points_select(&points, &options, error);
  if (status == MMS_OK) status = mms_matrix_create(out, count, setting->training.dim, "drawn points", error);
  if (status == MMS_OK) mms_transform_encode(&setting->training.transform, count, points.values.data, out->data);
  mms_points_free(&points);
  return status;
}

/* A file of points in the data's coordinates, or a run's /latent. */
static mms_status read_file(const mms_density_setting *setting, const char *path, const char *key, mms_matrix *out,
                            mms_error *error) {
  const mms_transform *transform = &setting->training.transform;
  int64_t dim = setting->training.dim, data_dim = transform->identity ? dim : transform->data_dim;
  size_t length = strlen(path);
  if (length > 3 && strcmp(path + length - 3, ".h5") == 0) {
    mms_h5 *file = NULL;
    mms_status status = mms_h5_open(&file, NULL, path, error);
    if (status != MMS_OK) return status;
    bool latent = mms_h5_has(file, "/latent");
    if (latent) status = mms_h5_read_matrix(file, "/latent", out, error);
    mms_h5_close(&file);
    if (status == MMS_OK && latent && out->cols != dim)
      status =
          mms_fail(error, MMS_ERR_INPUT, "density.%s: /latent of %s has %lld columns; the training set has d = %lld",
                   key, path, (long long)out->cols, (long long)dim);
    if (latent || status != MMS_OK) return status;
  }
  mms_points points = {.image_rows = 0};
  mms_status status = mms_points_read(&points, path, error);
  if (status == MMS_OK && points.values.cols != data_dim)
    status = mms_fail(error, MMS_ERR_INPUT, "density.%s: %s has %lld columns; the data have %lld", key, path,
                      (long long)points.values.cols, (long long)data_dim);
  if (status == MMS_OK) status = mms_matrix_create(out, points.values.rows, dim, "points", error);
  if (status == MMS_OK) mms_transform_encode(transform, points.values.rows, points.values.data, out->data);
  mms_points_free(&points);
  return status;
}

/* Rank 0's matrix on all ranks. Collective; agreed. */
static mms_status share(const mms_team *team, mms_status status, mms_matrix *matrix, mms_error *error) {
  status = mms_team_agree(team, status, error);
  if (status != MMS_OK) return status;
  int64_t shape[2] = {matrix->rows, matrix->cols};
  mms_team_broadcast(team, shape, sizeof shape, 0);
  if (mms_team_rank(team) != 0) status = mms_matrix_create(matrix, shape[0], shape[1], "points", error);
  status = mms_team_agree(team, status, error);
  if (status == MMS_OK) mms_team_broadcast(team, matrix->data, (size_t)(shape[0] * shape[1]) * sizeof(double), 0);
  return status;
}

/* The points λ and Λ are averaged over, on all ranks, and the target: of these where they are drawn, else of the
 * training set. Collective; agreed. */
static mms_status load_expectation(mms_density_setting *setting, mms_error *error) {
  const mms_density_options *density = &setting->request->density;
  const mms_team *team = setting->request->team;
  const char *from = density->expectation;
  bool source = strcmp(from, "source") == 0, none = strcmp(from, "matched") == 0;
  bool training = strcmp(from, "training") == 0;
  mms_matrix all = {.rows = 0};
  mms_status status = MMS_OK;
  if (mms_team_rank(team) == 0) {
    if (source)
      status = draw(setting, density->expectation_count, seed_for(density->seed, 0), "expectation", &all, error);
    else if (!none && !training)
      status = read_file(setting, from, "expectation", &all, error);
    else
      status = mms_matrix_create(&all, none ? 0 : setting->training.count, setting->training.dim, "points", error);
    if (status == MMS_OK && training)
      memcpy(all.data, setting->training.points, (size_t)(all.rows * all.cols) * sizeof(double));
  }
  status = share(team, status, &all, error);
  if (status == MMS_OK) {
    const mms_training drawn = {.count = all.rows, .dim = all.cols, .points = all.data};
    status = mms_target_create(&setting->target, team, source ? &drawn : &setting->training,
                               setting->request->bandwidth, MMS_FACTOR_CHOLESKY, error);
  }
  if (status == MMS_OK) {
    setting->tilt_sampled = !source && !none && !training;
    setting->tilt_blocks = mms_blocks_make(all.rows, MMS_POTENTIAL_BLOCK, mms_team_rank(team), mms_team_size(team));
    status = mms_allocate_doubles(&setting->tilt_points, setting->tilt_blocks.n_local * 2, "points", error);
    status = mms_team_agree(team, status, error);
  }
  if (status == MMS_OK)
    memcpy(setting->tilt_points, all.data + 2 * setting->tilt_blocks.first_row,
           (size_t)(2 * setting->tilt_blocks.n_local) * sizeof(double));
  mms_matrix_free(&all);
  return status;
}

/* Collective; agreed. */
static mms_status load_test(mms_density_setting *setting, mms_error *error) {
  const mms_density_options *density = &setting->request->density;
  mms_status status = MMS_OK;
  if (mms_team_rank(setting->request->team) == 0) {
    if (strcmp(density->test, "source") == 0)
      status = draw(setting, density->test_count, seed_for(density->seed, 1), "test", &setting->test, error);
    else
      status = read_file(setting, density->test, "test", &setting->test, error);
    if (status == MMS_OK && setting->test.rows < 2)
      status = mms_fail(error, MMS_ERR_INPUT, "density.test: %lld points; a likelihood with an error needs at least 2",
                        (long long)setting->test.rows);
  }
  status = share(setting->request->team, status, &setting->test, error);
  setting->test_count = setting->test.rows;
  return status;
}

static mms_status lay_plane(mms_density_setting *setting, mms_error *error) {
  const mms_density_options *density = &setting->request->density;
  mms_plane *plane = &setting->picture;
  *plane = (mms_plane){.columns = density->cells, .rows = density->cells};
  for (int k = 0; k < 2; k++) {
    double reach = EXTENT * sqrt(setting->target.covariance.data[3 * k]);
    const double *given = density->extent + (density->extent_count == 4 ? 2 * k : 0);
    plane->low[k] = density->extent_count > 0 ? given[0] : setting->target.mean.data[k] - reach;
    plane->high[k] = density->extent_count > 0 ? given[1] : setting->target.mean.data[k] + reach;
    if (!(plane->low[k] < plane->high[k]))
      return mms_fail(error, MMS_ERR_INPUT, "density.extent: %g to %g is no range; give low, then high", plane->low[k],
                      plane->high[k]);
    double side = mms_plane_side(plane, k);
    if (side > setting->request->bandwidth)
      mms_log_warn(
          setting->request->log,
          "density.cells: cells of side %.3g are wider than the bandwidth %g: where the density is as narrow as "
          "that the integrals are inexact (the column \"cells\" says by how much); %.0f cells would do",
          side, setting->request->bandwidth, ceil((plane->high[k] - plane->low[k]) / setting->request->bandwidth));
  }
  return MMS_OK;
}

mms_status mms_density_open(mms_density_setting *setting, const mms_density_request *request, mms_error *error) {
  *setting = (mms_density_setting){.request = request};
  mms_status status = mms_training_create(&setting->training, request->team, &request->training, error);
  if (status == MMS_OK && setting->training.dim != 2)
    status =
        mms_fail(error, MMS_ERR_INPUT,
                 "a density is drawn in the plane; the training set has d = %lld (training.components: 2 would make "
                 "it a plane)",
                 (long long)setting->training.dim);
  if (status == MMS_OK) status = load_expectation(setting, error);
  if (status == MMS_OK) status = load_test(setting, error);
  if (status == MMS_OK) status = mms_team_agree(request->team, lay_plane(setting, error), error);
  if (status != MMS_OK) mms_density_close(setting);
  return status;
}
