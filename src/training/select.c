/* Which rows of a source are kept, and in which order. */
#include "mmsold/base/memory.h"
#include "mmsold/base/sort.h"
#include "mmsold/random/random.h"
#include "training/generators.h"
#include "training/mesh.h"
#include "training/source.h"
#include "training/thin.h"
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DRAWS_PER_KEPT = 10 }; /* a generator's draws before thinning (ALGORITHMS section 10) */

/* values <- its rows chosen[0 … count − 1]. */
static mms_status keep_rows(mms_matrix *values, const int64_t *chosen, int64_t count, mms_error *error) {
  mms_matrix kept;
  size_t row = (size_t)values->cols;
  mms_status status = mms_matrix_create(&kept, count, values->cols, "the chosen rows", error);
  if (status != MMS_OK) return status;
  for (int64_t i = 0; i < count; i++)
    memcpy(kept.data + (size_t)i * row, values->data + (size_t)chosen[i] * row, row * sizeof(double));
  mms_matrix_free(values);
  *values = kept;
  return MMS_OK;
}

static mms_status refuse_class(mms_matrix *labels, const mms_training_options *options, mms_error *error) {
  char list[256] = "";
  mms_sort_doubles(labels->data, labels->rows);
  for (int64_t i = 0; i < labels->rows && strlen(list) < 200; i++)
    if (i == 0 || labels->data[i] != labels->data[i - 1])
      snprintf(list + strlen(list), sizeof list - strlen(list), "%s%lld", i > 0 ? ", " : "",
               (long long)labels->data[i]);
  return mms_fail(error, MMS_ERR_INPUT, "class: no row of %s is labelled %lld; the labels there are %s%s",
                  options->labels, (long long)options->label, list, strlen(list) >= 200 ? ", ..." : "");
}

/* Keep the rows whose label is options->label. */
static mms_status keep_class(mms_source *source, const mms_training_options *options, mms_error *error) {
  mms_matrix labels;
  int64_t *chosen = NULL;
  int64_t count = 0;
  mms_status status = mms_labels_read(&labels, options->labels, error);
  if (status != MMS_OK) return status;
  if (labels.rows != source->count)
    status = mms_fail(error, MMS_ERR_INPUT, "labels: %s holds %lld labels, but %s has %lld rows", options->labels,
                      (long long)labels.rows, options->source, (long long)source->count);
  if (status == MMS_OK)
    status = mms_allocate((void **)&chosen, labels.rows, sizeof(int64_t), "the rows of a class", error);
  for (int64_t i = 0; status == MMS_OK && i < labels.rows; i++)
    if (labels.data[i] == (double)options->label) chosen[count++] = i;
  if (status == MMS_OK && count == 0) status = refuse_class(&labels, options, error);
  if (status == MMS_OK) {
    source->chosen = chosen;
    source->count = count;
  } else {
    free(chosen);
  }
  mms_matrix_free(&labels);
  return status;
}

/* Thin the rows to `count`, for which they are held. */
static mms_status keep_spread(mms_source *source, int64_t count, uint64_t seed, mms_error *error) {
  int64_t *chosen = NULL;
  mms_status status = mms_source_hold(source, error);
  if (status == MMS_OK) status = mms_allocate((void **)&chosen, count, sizeof(int64_t), "the chosen rows", error);
  if (status == MMS_OK) status = mms_thin_farthest(&source->held, count, seed, chosen, error);
  if (status == MMS_OK) status = keep_rows(&source->held, chosen, count, error);
  if (status == MMS_OK) source->count = count;
  free(chosen);
  return status;
}

/* A uniform subset of the rows in their own order. */
static mms_status keep_some(mms_source *source, int64_t count, uint64_t seed, mms_error *error) {
  const mms_random_key key = {.seed = seed, .stream = MMS_STREAM_SELECT, .step = 0, .item = 0};
  int64_t *some = NULL;
  mms_status status = mms_allocate((void **)&some, count, sizeof(int64_t), "the chosen rows", error);
  if (status == MMS_OK) status = mms_random_subset(key, source->count, count, some, error);
  if (status != MMS_OK) {
    free(some);
    return status;
  }
  for (int64_t i = 0; source->chosen != NULL && i < count; i++) some[i] = source->chosen[some[i]];
  free(source->chosen);
  source->chosen = some;
  source->count = count;
  return MMS_OK;
}

/* Rows drawn rather than read: from a generator, or on a mesh. */
static mms_status generate(mms_source *source, const mms_training_options *options, bool thin, char **about,
                           mms_error *error) {
  int64_t count = options->count;
  bool mesh = mms_mesh_named(options->source);
  const char *kind = mesh ? "mesh" : "generator";
  if (count < 1)
    return mms_fail(error, MMS_ERR_INPUT, "count: %lld; the %s %s needs a count of at least 1", (long long)count, kind,
                    options->source);
  if (count > INT64_MAX / DRAWS_PER_KEPT)
    return mms_fail(error, MMS_ERR_INPUT, "count: %lld is too large", (long long)count);
  if (options->labels != NULL)
    return mms_fail(error, MMS_ERR_INPUT, "labels: %s is given, but rows of the %s %s have no labels", options->labels,
                    kind, options->source);
  int64_t draws = thin ? DRAWS_PER_KEPT * count : count;
  mms_status status = mesh ? mms_mesh_draw(&source->held, options->source, draws, options->seed, error)
                           : mms_generator_draw(&source->held, options->source, draws, options->seed, error);
  source->count = source->held.rows;
  source->dim = source->held.cols;
  if (status == MMS_OK && thin) status = keep_spread(source, count, options->seed, error);
  if (status != MMS_OK) return status;
  if (!thin) return mms_format_text(about, error, "%s: %lld points", options->source, (long long)count);
  return mms_format_text(about, error, "%s: %lld points thinned from %lld draws", options->source, (long long)count,
                         (long long)draws);
}

static mms_status select_from_file(mms_source *source, const mms_training_options *options, bool thin, char **about,
                                   mms_error *error) {
  mms_status status = mms_source_open(source, options->source, error);
  if (status != MMS_OK) return status;
  const int64_t read = source->count;
  char class_words[64] = "";
  if (options->labels != NULL) status = keep_class(source, options, error);
  if (status != MMS_OK) return status;
  const int64_t there = source->count, count = options->count > 0 ? options->count : there;
  if (options->labels != NULL)
    snprintf(class_words, sizeof class_words, ", %lld of class %lld", (long long)there, (long long)options->label);
  if (count > there)
    return mms_fail(error, MMS_ERR_INPUT, "count: %lld rows were asked for, but %s has %lld%s", (long long)count,
                    options->source, (long long)there, options->labels != NULL ? " of that class" : "");
  if (count < there)
    status = thin ? keep_spread(source, count, options->seed, error) : keep_some(source, count, options->seed, error);
  if (status != MMS_OK) return status;
  return mms_format_text(about, error, "%s%s: %lld rows%s, %lld kept%s", options->source,
                         source->prepared ? " (prepared)" : "", (long long)read, class_words, (long long)count,
                         count < there && thin ? " by thinning" : "");
}

bool mms_source_is_drawn(const char *source) { return mms_generator_known(source) || mms_mesh_named(source); }

mms_status mms_source_select(mms_source *source, const mms_training_options *options, char **about, mms_error *error) {
  *source = (mms_source){0};
  *about = NULL;
  if (options->source == NULL || options->source[0] == '\0')
    return mms_fail(error, MMS_ERR_INPUT, "source: is missing; give a file or one of the generators %s",
                    mms_generator_names());
  if (options->count < 0) return mms_fail(error, MMS_ERR_INPUT, "count: %lld is negative", (long long)options->count);
  bool drawn = mms_source_is_drawn(options->source);
  bool thin =
      options->thin == MMS_THIN_FARTHEST || (options->thin == MMS_THIN_DEFAULT && mms_generator_thins(options->source));
  mms_status status =
      drawn ? generate(source, options, thin, about, error) : select_from_file(source, options, thin, about, error);
  if (status != MMS_OK) mms_source_free(source);
  return status;
}

mms_status mms_points_select(mms_points *points, const mms_training_options *options, mms_error *error) {
  mms_source source;
  char *about = NULL;
  *points = (mms_points){0};
  mms_status status = mms_source_select(&source, options, &about, error);
  if (status == MMS_OK) status = mms_source_take(&source, points, error);
  free(about);
  return status;
}
