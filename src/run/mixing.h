/* Has the ensemble forgotten its start? From the chunks' averages in the trace. Private to run/. */
#ifndef RUN_MIXING_H
#define RUN_MIXING_H

#include "run/trace.h"

/* Of one observable, over the second half of the trace (the first half is left to the approach). With x_c(t) the mean
 * over chunk c at row t of N, C chunks as the chains of Gelman and Rubin: W the mean over c of the variances in time,
 * B/N the variance over c of the means in time,
 *     V⁺ = W (N − 1)/N + B/N,   r_hat = √(V⁺/W),
 *     ρ_t = 1 − (W − mean_c of the autocovariance at lag t)/V⁺,
 *     τ = −1 + 2 Σ of the pairs ρ_2k + ρ_2k+1 while they are positive, made non-increasing,
 * as in A. Vehtari et al., Bayesian Analysis 16 (2021) 667, without splitting chains. Chunks share the ensemble's
 * moments, so that their means are correlated by −1/(C − 1) at most: r_hat is up to 1/(2 C) too large in its excess
 * over 1, never too small. */
typedef struct mms_mixing {
  double r_hat;     /* near 1: time averages do not differ from chunk to chunk; 1.01 is the usual limit */
  double tau;       /* steps after which a snapshot is as good as new */
  double snapshots; /* N/τ: what the second half of the trace is worth in independent snapshots of the ensemble */
} mms_mixing;

/* As in names of datasets, and in words. */
extern const char *const mms_observable_names[MMS_OBSERVABLES], *const mms_observable_words[MMS_OBSERVABLES];

/* False (and NaN) where the trace is too short (16 rows), has one chunk, or the observable is not there or constant.
 * Local; allocates nothing; no more than 4,096 rows are looked at. */
bool mms_mixing_measure(mms_mixing *mixing, const mms_trace *trace, int observable);

/* All observables: `worst` is that of the largest r_hat. False where none could be measured. Local. */
bool mms_mixing_worst(mms_mixing *mixing, const mms_trace *trace, int *worst);

#endif
