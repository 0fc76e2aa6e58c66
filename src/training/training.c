#include "mmsold/training/training.h"

#include "mmsold/base/memory.h"
#include "training/parts.h"
#include "training/source.h"
#include "training/transform_parts.h"
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What rank 0 builds and the others receive. */
typedef struct draft {
  mms_source source;
  char *about;   /* source and selection in words */
  int fitted_by; /* ranks that fitted the transform together; 0: rank 0 alone, or nothing was fitted */
  char *description;
} draft;

/* The numbers that go ahead of the arrays. */
typedef struct facts {
  int64_t count, dim, data_dim, identity, image_rows, image_columns;
} facts;

static mms_status describe(draft *d, const mms_training_options *options, mms_error *error) {
  char pca[64] = "", whitening[64] = "", spread[64] = "";
  if (options->components > 0) snprintf(pca, sizeof pca, "; PCA to %lld components", (long long)options->components);
  if (d->fitted_by > 0) snprintf(spread, sizeof spread, ", fitted by %d ranks together", d->fitted_by);
  if (options->whiten != MMS_WHITEN_NONE)
    snprintf(whitening, sizeof whitening, "; whitening (%s) of the top %lld",
             options->whiten == MMS_WHITEN_CAP ? "cap" : "full", (long long)options->whiten_top);
  return mms_format_text(&d->description, error, "%s%s%s%s", d->about, pca, whitening, spread);
}

/* A fit over the ranks' grid holds the covariance, its eigenvectors and what the solver works with. */
static const double FIT_MATRICES = 4.0;

static bool fit_spreads(const draft *d, const mms_team *team, const mms_training_options *options) {
  const double columns = (double)d->source.dim;
  if (!options->may_spread || d->source.prepared || (options->components == 0 && options->whiten == MMS_WHITEN_NONE))
    return false;
  return mms_linalg_spreads(options->linalg, mms_team_size(team), FIT_MATRICES * columns * columns * sizeof(double));
}

/* Fit the transform where the source does not bring its own. Collective; agreed. */
static mms_status fit(draft *d, const mms_team *team, const mms_training_options *options, mms_error *error) {
  mms_transform *transform = &d->source.transform;
  const mms_rows rows = mms_source_rows(&d->source);
  const bool builds = mms_team_rank(team) == 0;
  bool spread = builds && fit_spreads(d, team, options);
  mms_team_broadcast(team, &spread, sizeof spread, 0);
  if (spread) {
    d->fitted_by = mms_team_size(team);
    return mms_transform_fit_rows_distributed(transform, team, builds ? &rows : NULL, options->components,
                                              options->whiten, options->whiten_top, error);
  }
  mms_status status = MMS_OK;
  if (builds && !d->source.prepared)
    status = mms_transform_fit_rows(transform, &rows, options->components, options->whiten, options->whiten_top, error);
  return mms_team_agree(team, status, error);
}

static mms_status open_rows(draft *d, const mms_training_options *options, mms_error *error) {
  if (options->placement == MMS_PLACEMENT_PARTITIONED && !options->may_partition)
    return mms_fail(error, MMS_ERR_INPUT,
                    "placement: partitioned is for run and evaluate; here the training set is held whole: use auto or "
                    "replicated");
  if (options->components < 0)
    return mms_fail(error, MMS_ERR_INPUT, "components: %lld is negative", (long long)options->components);
  mms_status status = mms_source_select(&d->source, options, &d->about, error);
  if (status == MMS_OK && d->source.prepared && (options->components > 0 || options->whiten != MMS_WHITEN_NONE))
    status = mms_fail(error, MMS_ERR_INPUT,
                      "%s: was made by `prepare` and has its transform; set components: 0 and whiten: none",
                      options->source);
  return status;
}

/* Rank 0's draft. Collective; agreed. */
static mms_status build(draft *d, const mms_team *team, const mms_training_options *options, mms_error *error) {
  const bool builds = mms_team_rank(team) == 0;
  mms_status status = mms_team_agree(team, builds ? open_rows(d, options, error) : MMS_OK, error);
  if (status == MMS_OK) status = fit(d, team, options, error);
  if (status != MMS_OK) return status;
  if (builds) status = describe(d, options, error);
  return mms_team_agree(team, status, error);
}

static facts facts_of(const draft *d) {
  const mms_source *source = &d->source;
  const mms_transform *transform = &source->transform;
  return (facts){.count = source->count,
                 .dim = transform->dim,
                 .data_dim = transform->data_dim,
                 .identity = transform->identity,
                 .image_rows = source->image_rows,
                 .image_columns = source->image_columns};
}

static void share_matrix(const mms_team *team, mms_matrix *matrix) {
  mms_team_broadcast(team, matrix->data, (size_t)(matrix->rows * matrix->cols) * sizeof(double), 0);
}

/* The transform of rank 0 on all ranks. Collective; agreed. */
static mms_status share_transform(mms_training *training, const mms_team *team, draft *d, const facts *f,
                                  mms_error *error) {
  mms_transform *t = &training->transform;
  mms_status status = MMS_OK;
  if (mms_team_rank(team) == 0) {
    *t = d->source.transform;
    d->source.transform = (mms_transform){0};
  } else {
    *t = (mms_transform){.identity = f->identity != 0, .data_dim = f->data_dim, .dim = f->dim};
    if (!t->identity) status = mms_matrix_create(&t->offset, 1, f->data_dim, "the mean", error);
    if (!t->identity && status == MMS_OK)
      status = mms_matrix_create(&t->encode, f->data_dim, f->dim, "the encoder", error);
    if (!t->identity && status == MMS_OK)
      status = mms_matrix_create(&t->decode, f->dim, f->data_dim, "the decoder", error);
  }
  status = mms_team_agree(team, status, error);
  if (status != MMS_OK || t->identity) return status;
  share_matrix(team, &t->offset);
  share_matrix(team, &t->encode);
  share_matrix(team, &t->decode);
  return MMS_OK;
}

static void put_points(void *context, int64_t first, int64_t rows, const double *points) {
  const mms_training *training = context;
  const int64_t d = training->dim;
  double *shared = mms_shared_data(training->memory);
  memcpy(shared + first * d, points, (size_t)(rows * d) * sizeof(double));
}

/* Rank 0's rows (NULL elsewhere) in memory shared by the node. Collective; agreed. */
static mms_status share_points(mms_training *training, const mms_team *team, const mms_rows *rows, mms_error *error) {
  size_t bytes = (size_t)training->count * (size_t)training->dim * sizeof(double);
  mms_status status = mms_shared_create(&training->memory, team, bytes, "the training set", error);
  if (status != MMS_OK) return status;
  if (rows != NULL) status = mms_rows_walk(rows, put_points, training, error);
  status = mms_team_agree(team, status, error);
  if (status != MMS_OK) return status;
  mms_shared_publish(training->memory);
  training->points = mms_shared_data(training->memory);
  return MMS_OK;
}

/* Rank 0's rows in the sampler's coordinates to where they are to live, and their checksum. Collective; agreed. */
static mms_status place(mms_training *training, const mms_team *team, const mms_source *source,
                        const mms_training_options *options, mms_error *error) {
  const bool builds = mms_team_rank(team) == 0;
  const bool encodes = !source->prepared && !training->transform.identity;
  const mms_rows kept = mms_source_rows(source);
  mms_latent_rows latent = {0};
  mms_status status = MMS_OK;
  if (builds)
    status = mms_latent_rows_create(&latent, &kept, encodes ? &training->transform : NULL, &training->checksum, error);
  status = mms_team_agree(team, status, error);
  if (status == MMS_OK) {
    const mms_rows rows = builds ? mms_rows_of_latent(&latent) : (mms_rows){0};
    training->partitioned = mms_training_parts_wanted(training, team, options);
    status =
        (training->partitioned ? mms_training_parts_share : share_points)(training, team, builds ? &rows : NULL, error);
    mms_team_broadcast(team, &training->checksum, sizeof training->checksum, 0);
  }
  mms_latent_rows_free(&latent);
  return status;
}

mms_status mms_training_create(mms_training *training, const mms_team *team, const mms_training_options *options,
                               mms_error *error) {
  *training = (mms_training){0};
  draft d = {0};
  facts f = {0};
  mms_status status = build(&d, team, options, error);
  if (status == MMS_OK) {
    if (mms_team_rank(team) == 0) f = facts_of(&d);
    mms_team_broadcast(team, &f, sizeof f, 0);
    training->count = f.count;
    training->dim = f.dim;
    training->image_rows = f.image_rows;
    training->image_columns = f.image_columns;
    training->description = d.description;
    d.description = NULL;
    status = mms_team_broadcast_text(team, &training->description, 0, error);
  }
  if (status == MMS_OK) status = share_transform(training, team, &d, &f, error);
  if (status == MMS_OK) status = place(training, team, &d.source, options, error);
  mms_source_free(&d.source);
  free(d.about);
  free(d.description);
  if (status != MMS_OK) mms_training_free(training);
  return status;
}

void mms_training_free(mms_training *training) {
  mms_tiles_free(&training->tiles);
  free(training->mine);
  mms_shared_free(&training->memory);
  mms_transform_free(&training->transform);
  free(training->description);
  *training = (mms_training){0};
}
