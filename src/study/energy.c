/* Energy distance (G. Székely and M. Rizzo, J. Stat. Plan. Inference 143 (2013) 1249). */
#include "mmsold/study/distances.h"
#include "study/points.h"

#include <math.h>
#include <stdbool.h>

/* Sum of distances of one row to many. Rows of few columns are short loops, so no screen is needed. */
static double sum_of_distances(const double *row, const mms_matrix *points, int64_t first) {
  double sum = 0.0;
  for (int64_t j = first; j < points->rows; j++)
    sum += sqrt(mms_study_squared_distance(row, points->data + j * points->cols, points->cols));
  return sum;
}

mms_status mms_mean_distance(const mms_matrix *a, const mms_matrix *b, double *mean, mms_error *error) {
  mms_status status = mms_study_check(a, "the first set", b, "the second set", 1, error);
  if (status != MMS_OK) return status;
  const bool same = a->data == b->data;
  double total = 0.0;
  for (int64_t i = 0; i < a->rows; i++)
    total += sum_of_distances(a->data + i * a->cols, b, same ? i + 1 : 0) / (double)b->rows;
  *mean = (same ? 2.0 : 1.0) * total / (double)a->rows;
  return MMS_OK;
}

mms_status mms_energy_distance(const mms_matrix *a, const mms_matrix *b, double within_b, double *distance,
                               mms_error *error) {
  double between = 0.0, within_a = 0.0;
  mms_status status = mms_mean_distance(a, b, &between, error);
  if (status == MMS_OK) status = mms_mean_distance(a, a, &within_a, error);
  if (status == MMS_OK && isnan(within_b)) status = mms_mean_distance(b, b, &within_b, error);
  if (status != MMS_OK) return status;
  const double squared = 2.0 * between - within_a - within_b;
  *distance = squared > 0.0 ? sqrt(squared) : 0.0; /* below 0 by rounding only */
  return MMS_OK;
}
