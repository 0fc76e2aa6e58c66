#include "mmsold/training/training.h"

#include "mmsold/base/memory.h"
#include "training/parts.h"
#include "training/source.h"
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What rank 0 builds and the others receive. */
typedef struct draft {
  mms_source source; /* points.values end in the sampler's coordinates */
  char *about;       /* source and selection in words */
  int fitted_by;     /* ranks that fitted the transform together; 0: rank 0 alone, or nothing was fitted */
  char *description;
} draft;

/* The numbers that go ahead of the arrays. */
typedef struct facts {
  int64_t count, dim, data_dim, identity, image_rows, image_columns;
  uint64_t checksum;
} facts;

static uint64_t add_bytes(uint64_t hash, const void *bytes, size_t count) {
  const unsigned char *at = bytes;
  for (size_t i = 0; i < count; i++) hash = (hash ^ at[i]) * UINT64_C(0x100000001b3); /* FNV-1a's 64-bit prime */
  return hash;
}

static uint64_t add_count(uint64_t hash, int64_t value) {
  unsigned char bytes[8];
  for (int i = 0; i < 8; i++) bytes[i] = (unsigned char)((uint64_t)value >> (8 * i));
  return add_bytes(hash, bytes, sizeof bytes);
}

uint64_t mms_training_checksum(int64_t n, int64_t d, const double *points) {
  uint64_t hash = UINT64_C(0xcbf29ce484222325); /* FNV-1a's 64-bit offset basis */
  hash = add_count(add_count(hash, n), d);
  return add_bytes(hash, points, (size_t)n * (size_t)d * sizeof(double));
}

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
  const double columns = (double)d->source.points.values.cols;
  if (!options->may_spread || d->source.prepared || (options->components == 0 && options->whiten == MMS_WHITEN_NONE))
    return false;
  return mms_linalg_spreads(options->linalg, mms_team_size(team), FIT_MATRICES * columns * columns * sizeof(double));
}

/* Fit the transform where the source does not bring its own. Collective; agreed. */
static mms_status fit(draft *d, const mms_team *team, const mms_training_options *options, mms_error *error) {
  mms_transform *transform = &d->source.transform;
  const mms_matrix *values = &d->source.points.values;
  const bool builds = mms_team_rank(team) == 0;
  bool spread = builds && fit_spreads(d, team, options);
  mms_team_broadcast(team, &spread, sizeof spread, 0);
  if (spread) {
    d->fitted_by = mms_team_size(team);
    return mms_transform_fit_distributed(transform, team, builds ? values : NULL, options->components, options->whiten,
                                         options->whiten_top, error);
  }
  mms_status status = MMS_OK;
  if (builds && !d->source.prepared)
    status = mms_transform_fit(transform, values, options->components, options->whiten, options->whiten_top, error);
  return mms_team_agree(team, status, error);
}

/* The rows in the sampler's coordinates. */
static mms_status transform_rows(mms_source *source, mms_error *error) {
  mms_matrix *values = &source->points.values;
  if (source->prepared || source->transform.identity) return MMS_OK;
  mms_matrix latent;
  mms_status status = mms_matrix_create(&latent, values->rows, source->transform.dim, "the training points", error);
  if (status != MMS_OK) return status;
  mms_transform_encode(&source->transform, values->rows, values->data, latent.data);
  mms_matrix_free(values);
  *values = latent;
  return MMS_OK;
}

static mms_status read_rows(draft *d, const mms_training_options *options, mms_error *error) {
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
  mms_status status = mms_team_agree(team, builds ? read_rows(d, options, error) : MMS_OK, error);
  if (status == MMS_OK) status = fit(d, team, options, error);
  if (status != MMS_OK) return status;
  if (builds) status = transform_rows(&d->source, error);
  if (builds && status == MMS_OK) status = describe(d, options, error);
  return mms_team_agree(team, status, error);
}

static facts facts_of(const draft *d) {
  const mms_matrix *values = &d->source.points.values;
  return (facts){.count = values->rows,
                 .dim = values->cols,
                 .data_dim = d->source.transform.data_dim,
                 .identity = d->source.transform.identity,
                 .image_rows = d->source.points.image_rows,
                 .image_columns = d->source.points.image_columns,
                 .checksum = mms_training_checksum(values->rows, values->cols, values->data)};
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

/* The points of rank 0 in memory shared by the node. Collective; agreed. */
static mms_status share_points(mms_training *training, const mms_team *team, const draft *d, mms_error *error) {
  size_t bytes = (size_t)training->count * (size_t)training->dim * sizeof(double);
  mms_status status = mms_shared_create(&training->memory, team, bytes, "the training set", error);
  if (status != MMS_OK) return status;
  if (mms_team_rank(team) == 0) memcpy(mms_shared_data(training->memory), d->source.points.values.data, bytes);
  mms_shared_publish(training->memory);
  training->points = mms_shared_data(training->memory);
  return MMS_OK;
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
    training->checksum = f.checksum;
    training->image_rows = f.image_rows;
    training->image_columns = f.image_columns;
    training->description = d.description;
    d.description = NULL;
    status = mms_team_broadcast_text(team, &training->description, 0, error);
  }
  if (status == MMS_OK) status = share_transform(training, team, &d, &f, error);
  if (status == MMS_OK) {
    training->partitioned = mms_training_parts_wanted(training, team, options);
    status = training->partitioned ? mms_training_parts_share(training, team, d.source.points.values.data, error)
                                   : share_points(training, team, &d, error);
  }
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
