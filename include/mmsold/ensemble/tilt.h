/* The tilt that gives the smoothed potential the target's moments (ALGORITHMS 6; the paper's limit density):
 *     ρ*(z) ∝ exp(−E*(z)),   E*(z) = V(z) + λ·z + ½ (z−μ*)ᵀ Λ (z−μ*),   mean μ*, covariance Σ*.
 * Under ρ*, by parts: λ = −E∇V, and with C = E[(z−μ*)∇Vᵀ]: Σ*Λ + ΛΣ* = 2 (I − sym C). */
#ifndef MMSOLD_ENSEMBLE_TILT_H
#define MMSOLD_ENSEMBLE_TILT_H

#include "mmsold/base/matrix.h"
#include "mmsold/base/status.h"
#include "mmsold/ensemble/target.h"
#include "mmsold/parallel/blocks.h"
#include "mmsold/parallel/team.h"
#include <stdbool.h>
#include <stdint.h>

/* Owns its arrays. The same bits on every rank. */
typedef struct mms_tilt {
  int64_t dim;                /* d */
  double bandwidth;           /* δ of the target */
  mms_matrix mean;            /* [1][d]  μ* */
  mms_matrix linear;          /* [1][d]  λ */
  mms_matrix quadratic;       /* [d][d]  Λ, symmetric to the bit */
  mms_matrix linear_error;    /* [1][d], [d][d]: standard errors over the points, entry by entry, as if these were */
  mms_matrix quadratic_error; /*   drawn independently; empty where they were not asked for */
  mms_matrix scratch;         /* [2 MMS_TILT_TILE][d], for mms_tilt_add */
} mms_tilt;

enum { MMS_TILT_TILE = 256 }; /* rows multiplied at once: the largest block of an ensemble */

/* λ and Λ from the average over `points` z [n_local][d] with gradients ∇V(z) [n_local][d], rows as in `blocks` over the
 * team: the training points (the paper's choice), a run's own particles, or any others. Collective; agreed; two
 * all-reduces with errors (which cost O(d³) a point), one without. Sums are exact, so the number of ranks does not
 * matter to a bit. MMS_ERR_INPUT without points, or without two for errors; MMS_ERR_NUMERIC where a gradient is not
 * finite or, times δ², 2^47 and more of the target's widest standard deviations. On failure *tilt is empty. */
mms_status mms_tilt_solve(mms_tilt *tilt, const mms_team *team, const mms_target *target, const mms_blocks *blocks,
                          const double *points, const double *gradients, bool errors, mms_error *error);

/* The tilt of given λ [d] and Λ [d][d] (its symmetric part). Local. */
mms_status mms_tilt_create(mms_tilt *tilt, const mms_target *target, const double *linear, const double *quadratic,
                           mms_error *error);
void mms_tilt_free(mms_tilt *tilt);

/* Has exp(−E*) a finite integral? With K the convex hull of the training points and h its support function
 * (h(z) = max over K of x·z), U(z) = |z|²/(2δ²) − h(z)/δ² + O(1), and V differs from U by O(1) at any smoothing. So
 * E*(z) = ½ zᵀ(I/δ² + Λ)z + O(|z|), and the integral is finite where I/δ² + Λ is positive definite. It is infinite
 * where not: along an eigenvector v of a negative eigenvalue E* falls without bound; of a zero one E* is asymptotically
 * linear along v and −v, with slopes that add up to −(h(v) + h(−v))/δ² <= 0, so one of them does not rise. Without a
 * tilt (Λ = 0) it is always finite. *least (may be NULL) is the least eigenvalue of I + δ²Λ. Local. MMS_ERR_NUMERIC
 * names it where it is not positive beyond rounding, with what to do. */
mms_status mms_tilt_check(const mms_tilt *tilt, double *least, mms_error *error);

/* Add the tilt's part of the energy, λ·z + ½ (z−μ*)ᵀΛ(z−μ*), to energy [rows], and of its gradient, λ + Λ(z−μ*), to
 * gradient [rows][d]; either may be NULL. Local; allocates nothing. Rows are taken in tiles of MMS_TILT_TILE from the
 * first, and BLAS gives a row other last bits when other rows stand beside it: calls that begin where a block of an
 * ensemble begins and end where it ends give the same bits at any number of ranks. */
void mms_tilt_add(const mms_tilt *tilt, int64_t rows, const double *z, double *energy, double *gradient);

#endif
