/* Averages over the particles that say how a law differs from another when mean and covariance do not. */
#ifndef MMSOLD_ENSEMBLE_OBSERVABLES_H
#define MMSOLD_ENSEMBLE_OBSERVABLES_H

#include "mmsold/base/matrix.h"
#include "mmsold/base/status.h"
#include "mmsold/ensemble/target.h"
#include <stdint.h>

/* With c = z − μ* in the sampler's coordinates. The first and the third don't know the constraint; the last is the same
 * in any linear coordinates (Mardia's kurtosis, d(d + 2) for a Gaussian; E y⁴ in one dimension). */
typedef enum mms_observable_kind {
  MMS_OBSERVABLE_RADIUS_SQUARED,    /* E |c|² */
  MMS_OBSERVABLE_RADIUS_FOURTH,     /* E |c|⁴ */
  MMS_OBSERVABLE_COORDINATE_FOURTH, /* E of the mean over coordinates of c_k⁴ */
  MMS_OBSERVABLE_KURTOSIS,          /* E (cᵀ Σ*⁻¹ c)² */
  MMS_OBSERVABLE_COUNT
} mms_observable_kind;

/* "kurtosis" and so on, as the configuration writes it, and what it is. Local. */
const char *mms_observable_name(mms_observable_kind which);
const char *mms_observable_meaning(mms_observable_kind which);

/* What observing needs of the target. Owns its arrays. */
typedef struct mms_observer {
  int64_t dim;
  int exponent;     /* lengths are taken in units of 2^exponent, near the target's largest scale: no sum overflows */
  double *mean;     /* μ* [d] */
  double *whitener; /* [d][d] lower: cᵀ Σ*⁻¹ c = |whitener c|²; NULL where the target is spread over ranks */
  double *scratch;  /* [d] */
} mms_observer;

/* For a target of mean [d] and covariance [d][d]. Local. MMS_ERR_NUMERIC where it is not positive definite. */
mms_status mms_observer_create(mms_observer *observer, int64_t dim, const double *mean, const double *covariance,
                               mms_error *error);
/* The same for a target, which may be spread over ranks. Local. */
mms_status mms_observer_create_for(mms_observer *observer, const mms_target *target, mms_error *error);
void mms_observer_free(mms_observer *observer);

/* The sum over z [rows][d] of an observable, divided by its unit; and that unit (a power of two). Local; allocates
 * nothing. The mean of P particles is unit · sum / P. */
double mms_observer_sum(const mms_observer *observer, mms_observable_kind which, int64_t rows, const double *z);
/* The same for observers of any target, with the particles' Y [rows][d] too: cᵀ Σ*⁻¹ c = |y|² where the target is
 * spread. */
double mms_observer_sum_with(const mms_observer *observer, mms_observable_kind which, int64_t rows, const double *z,
                             const double *y);
double mms_observer_unit(const mms_observer *observer, mms_observable_kind which);

/* The observable's value under N(μ*, Σ*), whose covariance [d][d] is given again. Local. */
double mms_observable_normal(mms_observable_kind which, int64_t dim, const double *covariance);

#endif
