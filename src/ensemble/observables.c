#include "mmsold/ensemble/observables.h"

#include "mmsold/base/memory.h"
#include "mmsold/linalg/dense.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const struct {
  const char *name, *meaning;
  int power; /* of a length */
} table[MMS_OBSERVABLE_COUNT] = {
    [MMS_OBSERVABLE_RADIUS_SQUARED] = {"radius_squared", "mean of |z - mean*|^2", 2},
    [MMS_OBSERVABLE_RADIUS_FOURTH] = {"radius_fourth", "mean of |z - mean*|^4", 4},
    [MMS_OBSERVABLE_COORDINATE_FOURTH] = {"coordinate_fourth",
                                          "mean over particles and coordinates of the fourth power of z - mean*", 4},
    [MMS_OBSERVABLE_KURTOSIS] = {"kurtosis", "mean of the squared Mahalanobis length, squared (Mardia's kurtosis)", 0},
};

const char *mms_observable_name(mms_observable_kind which) { return table[which].name; }
const char *mms_observable_meaning(mms_observable_kind which) { return table[which].meaning; }

static mms_status create(mms_observer *observer, int64_t dim, const double *mean, double largest_variance,
                         mms_error *error) {
  *observer = (mms_observer){.dim = dim};
  frexp(sqrt(largest_variance), &observer->exponent);
  mms_status status = mms_allocate_doubles(&observer->mean, dim, "the observables", error);
  if (status == MMS_OK) status = mms_allocate_doubles(&observer->scratch, dim, "the observables", error);
  if (status == MMS_OK) memcpy(observer->mean, mean, (size_t)dim * sizeof *mean);
  return status;
}

mms_status mms_observer_create(mms_observer *observer, int64_t dim, const double *mean, const double *covariance,
                               mms_error *error) {
  double largest = 0.0, *root = NULL;
  for (int64_t k = 0; k < dim; k++) largest = fmax(largest, covariance[k * dim + k]);
  mms_status status = create(observer, dim, mean, largest, error);
  if (status == MMS_OK) status = mms_allocate_doubles(&observer->whitener, dim * dim, "the observables", error);
  if (status == MMS_OK) status = mms_allocate_doubles(&root, dim * dim, "the observables", error);
  if (status == MMS_OK) {
    memcpy(root, covariance, (size_t)(dim * dim) * sizeof *root);
    status = mms_dense_cholesky_upper(dim, root, error); /* Σ* = RᵀR, cᵀΣ*⁻¹c = |R⁻ᵀ c|² */
  }
  if (status == MMS_OK) status = mms_dense_invert_upper(dim, root, error);
  for (int64_t i = 0; status == MMS_OK && i < dim; i++)
    for (int64_t j = 0; j <= i; j++) observer->whitener[i * dim + j] = root[j * dim + i];
  free(root);
  if (status != MMS_OK) mms_observer_free(observer);
  return status;
}

mms_status mms_observer_create_for(mms_observer *observer, const mms_target *target, mms_error *error) {
  double largest = 0.0;
  if (target->spread == NULL)
    return mms_observer_create(observer, target->dim, target->mean.data, target->covariance.data, error);
  for (int64_t k = 0; k < target->dim; k++) largest = fmax(largest, target->variances.data[k]);
  mms_status status = create(observer, target->dim, target->mean.data, largest, error);
  if (status != MMS_OK) mms_observer_free(observer);
  return status;
}

void mms_observer_free(mms_observer *observer) {
  free(observer->mean);
  free(observer->whitener);
  free(observer->scratch);
  *observer = (mms_observer){0};
}

/* |whitener c|². */
static double mahalanobis(const mms_observer *observer, const double *c) {
  const int64_t dim = observer->dim;
  double total = 0.0;
  for (int64_t i = 0; i < dim; i++) {
    double sum = 0.0;
    for (int64_t j = 0; j <= i; j++) sum += observer->whitener[i * dim + j] * c[j];
    total += sum * sum;
  }
  return total;
}

double mms_observer_sum(const mms_observer *observer, mms_observable_kind which, int64_t rows, const double *z) {
  const int64_t dim = observer->dim;
  double *c = observer->scratch, total = 0.0;
  for (int64_t row = 0; row < rows; row++) {
    double squares = 0.0, fourths = 0.0;
    for (int64_t k = 0; k < dim; k++) {
      c[k] = z[row * dim + k] - observer->mean[k];
      const double scaled = ldexp(c[k], -observer->exponent), square = scaled * scaled;
      squares += square;
      fourths += square * square;
    }
    switch (which) {
    case MMS_OBSERVABLE_RADIUS_SQUARED:
      total += squares;
      break;
    case MMS_OBSERVABLE_RADIUS_FOURTH:
      total += squares * squares;
      break;
    case MMS_OBSERVABLE_COORDINATE_FOURTH:
      total += fourths / (double)dim;
      break;
    default: {
      const double length = mahalanobis(observer, c);
      total += length * length;
    }
    }
  }
  return total;
}

double mms_observer_sum_with(const mms_observer *observer, mms_observable_kind which, int64_t rows, const double *z,
                             const double *y) {
  double total = 0.0;
  if (which != MMS_OBSERVABLE_KURTOSIS || observer->whitener != NULL) return mms_observer_sum(observer, which, rows, z);
  for (int64_t row = 0; row < rows; row++) {
    double square = 0.0;
    for (int64_t k = 0; k < observer->dim; k++) square += y[row * observer->dim + k] * y[row * observer->dim + k];
    total += square * square;
  }
  return total;
}

double mms_observer_unit(const mms_observer *observer, mms_observable_kind which) {
  return ldexp(1.0, table[which].power * observer->exponent);
}

/* Isserlis' theorem: E|c|⁴ = (tr Σ)² + 2 tr Σ², E c_k⁴ = 3 Σ_kk². */
double mms_observable_normal(mms_observable_kind which, int64_t dim, const double *covariance) {
  double trace = 0.0, squares = 0.0, diagonal = 0.0;
  for (int64_t i = 0; i < dim; i++) {
    trace += covariance[i * dim + i];
    diagonal += covariance[i * dim + i] * covariance[i * dim + i];
    for (int64_t j = 0; j < dim; j++) squares += covariance[i * dim + j] * covariance[i * dim + j];
  }
  switch (which) {
  case MMS_OBSERVABLE_RADIUS_SQUARED:
    return trace;
  case MMS_OBSERVABLE_RADIUS_FOURTH:
    return trace * trace + 2.0 * squares;
  case MMS_OBSERVABLE_COORDINATE_FOURTH:
    return 3.0 * diagonal / (double)dim;
  default:
    return (double)dim * ((double)dim + 2.0);
  }
}
