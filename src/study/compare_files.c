/* Two files compared: what to read from each, and in which coordinates. */
#include "mmsold/base/memory.h"
#include "mmsold/store/h5.h"
#include "mmsold/study/compare.h"
#include "mmsold/study/distances.h"
#include "mmsold/training/training.h"

#include <stdlib.h>
#include <string.h>

/* The file of a source "FILE.h5" or "FILE.h5:/dataset" where that dataset is `meant` or none is named; NULL for any
 * other source. Freed by the caller. */
static mms_status h5_file_of(char **file, const char *source, const char *meant, mms_error *error) {
  *file = NULL;
  const char *mark = strstr(source, ".h5:/");
  size_t length = strlen(source);
  if (mark != NULL) {
    if (strcmp(mark + 4, meant) != 0) return MMS_OK;
    length = (size_t)(mark - source) + 3;
  } else if (length < 4 || strcmp(source + length - 3, ".h5") != 0) {
    return MMS_OK;
  }
  return mms_format_text(file, error, "%.*s", (int)length, source);
}

/* The points of a source in the data's coordinates. */
static mms_status read_set(mms_matrix *set, const char *source, mms_error *error) {
  mms_points points = {0};
  mms_status status = mms_points_read(&points, source, error);
  if (status == MMS_OK) *set = points.values;
  return status;
}

/* Defects of `/latent` against `/target` in a file of samples; nothing where the file has no such thing. */
static mms_status measure_against_target(mms_comparison *comparison, mms_h5 *file, const char *path, mms_error *error) {
  mms_matrix latent = {0}, mean = {0}, covariance = {0};
  mms_status status = mms_h5_read_matrix(file, "/latent", &latent, error);
  if (status == MMS_OK) status = mms_h5_read_matrix(file, "/target/mean", &mean, error);
  if (status == MMS_OK) status = mms_h5_read_matrix(file, "/target/covariance", &covariance, error);
  int64_t dim = latent.cols;
  if (status == MMS_OK && (mean.rows * mean.cols != dim || covariance.rows != dim || covariance.cols != dim))
    status = mms_fail(error, MMS_ERR_INPUT,
                      "%s: /latent has %lld columns, but /target/mean has %lld values and /target/covariance is %lld x "
                      "%lld; the file is not one of ours or was changed",
                      path, (long long)dim, (long long)(mean.rows * mean.cols), (long long)covariance.rows,
                      (long long)covariance.cols);
  if (status == MMS_OK)
    status = mms_moment_defect(&latent, mean.data, covariance.data, &comparison->mean_defect,
                               &comparison->covariance_defect, error);
  if (status == MMS_OK) {
    comparison->has_defects = comparison->defects_against_target = true;
    comparison->no_defects = NULL;
  }
  mms_matrix_free(&latent);
  mms_matrix_free(&mean);
  mms_matrix_free(&covariance);
  return status;
}

static mms_status look_for_target(mms_comparison *comparison, const char *source, mms_error *error) {
  char *path = NULL;
  mms_status status = h5_file_of(&path, source, "/samples", error);
  if (status != MMS_OK || path == NULL) return status;
  mms_h5 *file = NULL;
  status = mms_h5_open(&file, NULL, path, error);
  bool whole = status == MMS_OK;
  static const char *const parts[] = {"/latent", "/target/mean", "/target/covariance"};
  for (size_t i = 0; i < sizeof parts / sizeof *parts && whole; i++) {
    status = mms_h5_find(file, parts[i], &whole, error);
    whole = whole && status == MMS_OK;
  }
  if (status == MMS_OK && whole) status = measure_against_target(comparison, file, path, error);
  mms_h5_close(&file);
  free(path);
  return status;
}

/* Both sets; refused where they are not of the same space. */
static mms_status read_both(mms_matrix *set_a, const char *a, mms_matrix *set_b, const char *b, mms_error *error) {
  mms_status status = read_set(set_a, a, error);
  if (status == MMS_OK) status = read_set(set_b, b, error);
  if (status == MMS_OK && set_a->cols != set_b->cols)
    status = mms_fail(error, MMS_ERR_INPUT,
                      "%s has %lld columns and %s has %lld; only points of the same space can be compared", a,
                      (long long)set_a->cols, b, (long long)set_b->cols);
  return status;
}

mms_status mms_compare_files(mms_comparison *comparison, const char *a, const char *b, int64_t directions,
                             uint64_t seed, mms_error *error) {
  *comparison = (mms_comparison){0};
  mms_matrix set_a = {0}, set_b = {0};
  mms_status status = read_both(&set_a, a, &set_b, b, error);
  if (status == MMS_OK) status = mms_compare_sets(comparison, &set_a, &set_b, directions, seed, error);
  if (status == MMS_OK) status = look_for_target(comparison, a, error);
  mms_matrix_free(&set_a);
  mms_matrix_free(&set_b);
  return status;
}

mms_status mms_compare_sliced(mms_comparison *comparison, const char *a, const char *b, int64_t directions,
                              uint64_t seed, mms_error *error) {
  mms_matrix set_a = {0}, set_b = {0};
  mms_status status = read_both(&set_a, a, &set_b, b, error);
  *comparison = (mms_comparison){.count_a = set_a.rows, .count_b = set_b.rows, .dim = set_a.cols};
  if (status == MMS_OK) status = mms_sliced_wasserstein2(&set_a, &set_b, directions, seed, &comparison->sw2, error);
  mms_matrix_free(&set_a);
  mms_matrix_free(&set_b);
  return status;
}
