/* Moments of a point set against given ones, far below the defects that matter (1e-12). */
#include "study/moments.h"
#include "mmsold/base/memory.h"
#include "mmsold/linalg/dense.h"
#include "mmsold/study/distances.h"
#include "study/careful.h"
#include "study/points.h"

#include <math.h>
#include <stdlib.h>

/* Rows per product. Inside a block rounding is at most γ_64 ≈ 7e-15 of Σ|y_i y_j| ≤ P max var (Cauchy-Schwarz); blocks
 * are added with compensation, so the covariance is good to about 1e-14 of its largest entry whatever P is. */
enum { BLOCK = 64 };

typedef struct bench {
  mms_careful *sums;      /* [d + d²]: of x − μ, then of y yᵀ, y = (x − μ) − mean */
  double *rows, *product; /* [BLOCK][d], [d][d] */
} bench;

/* mean ← Σ (x − μ) / P. The differences are taken first: μ itself may be large. */
static void average(bench *work, const mms_matrix *points, const double *origin, double *mean) {
  int64_t dim = points->cols;
  for (int64_t i = 0; i < points->rows; i++)
    for (int64_t k = 0; k < dim; k++) mms_careful_add(&work->sums[k], points->data[i * dim + k] - origin[k]);
  for (int64_t k = 0; k < dim; k++) mean[k] = mms_careful_total(&work->sums[k]) / (double)points->rows;
}

/* covariance ← Σ y yᵀ / P with y = (x − μ) − mean. */
static void average_products(bench *work, const mms_matrix *points, const double *origin, const double *mean,
                             double *covariance) {
  int64_t dim = points->cols;
  mms_careful *second = work->sums + dim;
  for (int64_t first = 0; first < points->rows; first += BLOCK) {
    int64_t rows = points->rows - first < BLOCK ? points->rows - first : BLOCK;
    for (int64_t i = 0; i < rows; i++)
      for (int64_t k = 0; k < dim; k++)
        work->rows[i * dim + k] = (points->data[(first + i) * dim + k] - origin[k]) - mean[k];
    mms_dense_gram_upper(rows, dim, 1.0, work->rows, 0.0, work->product);
    for (int64_t i = 0; i < dim; i++)
      for (int64_t j = i; j < dim; j++) mms_careful_add(&second[i * dim + j], work->product[i * dim + j]);
  }
  for (int64_t i = 0; i < dim * dim; i++) covariance[i] = mms_careful_total(&second[i]) / (double)points->rows;
  mms_dense_mirror_upper(dim, covariance);
}

mms_status mms_study_measure(const mms_matrix *points, const double *origin, double *mean, double *covariance,
                             mms_error *error) {
  int64_t dim = points->cols;
  bench work = {0};
  void *sums = NULL;
  mms_status status = mms_allocate(&sums, dim + dim * dim, sizeof *work.sums, "moments", error);
  work.sums = sums;
  if (status == MMS_OK) status = mms_allocate_doubles(&work.rows, BLOCK * dim, "moments", error);
  if (status == MMS_OK) status = mms_allocate_doubles(&work.product, dim * dim, "moments", error);
  if (status == MMS_OK) {
    average(&work, points, origin, mean);
    average_products(&work, points, origin, mean, covariance);
  }
  free(work.sums);
  free(work.rows);
  free(work.product);
  return status;
}

/* The largest |found − wanted|, and NaN where there is one. */
static double largest_difference(int64_t count, const double *found, const double *wanted) {
  double largest = 0;
  for (int64_t i = 0; i < count; i++) {
    double difference = fabs(found[i] - (wanted == NULL ? 0 : wanted[i]));
    if (!(difference <= largest)) largest = difference;
  }
  return largest;
}

mms_status mms_moment_defect(const mms_matrix *points, const double *mean, const double *covariance,
                             double *mean_defect, double *covariance_defect, mms_error *error) {
  int64_t dim = points->cols;
  mms_status status = mms_study_check(points, "the set of points", points, "itself", 1, error);
  if (status != MMS_OK) return status;
  double spread = 0;
  for (int64_t k = 0; k < dim; k++) spread = fmax(spread, covariance[k * dim + k]);
  if (!(spread > 0))
    return mms_fail(error, MMS_ERR_INPUT,
                    "the covariance to compare with is zero, and defects are relative to it; compare other sets");
  double *first = NULL, *second = NULL;
  status = mms_allocate_doubles(&first, dim, "a mean", error);
  if (status == MMS_OK) status = mms_allocate_doubles(&second, dim * dim, "a covariance", error);
  if (status == MMS_OK) status = mms_study_measure(points, mean, first, second, error);
  if (status == MMS_OK) {
    *mean_defect = largest_difference(dim, first, NULL) / sqrt(spread);
    *covariance_defect =
        largest_difference(dim * dim, second, covariance) / largest_difference(dim * dim, covariance, NULL);
  }
  free(first);
  free(second);
  return status;
}
