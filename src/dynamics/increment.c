#include "dynamics/increment.h"

#include "mmsold/base/memory.h"
#include <math.h>
#include <stdlib.h>

mms_factor mms_increment_factor(mms_scheme scheme) {
  return scheme == MMS_SCHEME_EXPONENTIAL ? MMS_FACTOR_EIGEN : MMS_FACTOR_CHOLESKY;
}

double mms_increment_auto_step(mms_scheme scheme, const mms_target *target) {
  return scheme == MMS_SCHEME_EXPONENTIAL ? target->step_bound : 0.5 * target->step_bound;
}

mms_status mms_increment_create(mms_increment *increment, mms_scheme scheme, double step_size, const mms_target *target,
                                mms_error *error) {
  double h = step_size;
  *increment = (mms_increment){.scheme = scheme, .step_size = h, .drift = h};
  increment->uses_previous = scheme == MMS_SCHEME_LM || scheme == MMS_SCHEME_LM_CORRECTED;
  increment->noise = increment->uses_previous ? sqrt(0.5 * h) : sqrt(2.0 * h);
  if (scheme == MMS_SCHEME_LM_CORRECTED) increment->drift = h / (1.0 + 0.5 * h);
  if (scheme != MMS_SCHEME_EXPONENTIAL) return MMS_OK;

  int64_t d = target->dim;
  mms_status status = mms_allocate_doubles(&increment->relax, d, "the exponential scheme", error);
  if (status == MMS_OK) status = mms_allocate_doubles(&increment->spread, d, "the exponential scheme", error);
  if (status != MMS_OK) {
    mms_increment_free(increment);
    return status;
  }
  for (int64_t k = 0; k < d; k++) { /* B = Λ/δ² >= 1; expm1 keeps the digits at small h */
    double rate = target->eigenvalues.data[k] / (target->bandwidth * target->bandwidth);
    increment->relax[k] = -expm1(-h * rate);
    increment->spread[k] = sqrt(-expm1(-2.0 * h * rate) / rate);
  }
  return MMS_OK;
}

void mms_increment_free(mms_increment *increment) {
  free(increment->relax);
  free(increment->spread);
  *increment = (mms_increment){0};
}

/* G_Z = (Z − K̄)/δ² in the place of K̄; the exponential scheme wants K̄ itself. */
void mms_increment_field(const mms_increment *increment, const mms_target *target, int64_t rows, const double *z,
                         double *mean) {
  int64_t count = rows * target->dim;
  double square = target->bandwidth * target->bandwidth;
  if (increment->scheme == MMS_SCHEME_EXPONENTIAL) return;
  for (int64_t i = 0; i < count; i++) mean[i] = (z[i] - mean[i]) / square;
}

/* LM:  W = −h G_Y + √(h/2) (ξ_prev + ξ);   EM:  W = −h G_Y + √(2h) ξ;   G_Y = (Z − K̄) L/δ².
 * Exponential:  W = −(Y − Y^k)(I − e^{−hB}) + ξ (B⁻¹(I − e^{−2hB}))^{1/2},   Y^k = (K̄ − 1μ*ᵀ) L⁻ᵀ. */
void mms_increment_finish(const mms_increment *increment, int64_t dim, int64_t rows, const double *y,
                          const double *mapped, const double *xi_previous, const double *xi, double *w) {
  if (increment->scheme != MMS_SCHEME_EXPONENTIAL) {
    for (int64_t i = 0; i < rows * dim; i++) {
      double xi_sum = increment->uses_previous ? xi_previous[i] + xi[i] : xi[i];
      w[i] = -increment->drift * mapped[i] + increment->noise * xi_sum;
    }
    return;
  }
  for (int64_t i = 0; i < rows; i++)
    for (int64_t k = 0; k < dim; k++) {
      int64_t at = i * dim + k;
      w[at] = -(y[at] - mapped[at]) * increment->relax[k] + xi[at] * increment->spread[k];
    }
}

void mms_increment_block(const mms_increment *increment, const mms_target *target, int64_t rows, const double *y,
                         const double *z, double *mean, const double *xi_previous, const double *xi, double *w) {
  mms_increment_field(increment, target, rows, z, mean);
  if (increment->scheme == MMS_SCHEME_EXPONENTIAL)
    mms_target_coordinates(target, rows, mean, w);
  else
    mms_target_pull_back(target, rows, mean, w);
  mms_increment_finish(increment, target->dim, rows, y, w, xi_previous, xi, w);
}

void mms_increment_parts(const mms_increment *increment, int64_t dim, int64_t rows, const double *xi_previous,
                         const double *xi, const double *w, double *pull_square, double *noise_square) {
  *pull_square = *noise_square = 0.0;
  for (int64_t i = 0; i < rows; i++)
    for (int64_t k = 0; k < dim; k++) {
      int64_t at = i * dim + k;
      double raw = increment->uses_previous ? xi_previous[at] + xi[at] : xi[at];
      double noise = raw * (increment->scheme == MMS_SCHEME_EXPONENTIAL ? increment->spread[k] : increment->noise);
      double pull = w[at] - noise;
      *noise_square += noise * noise;
      *pull_square += pull * pull;
    }
}
