/* The moment constraint: one all-reduce puts the ensemble back on the manifold
 *     Yᵀ1 = 0,  YᵀY = P I      (ALGORITHMS 2 and 3; the paper's projection and QR retraction).
 *
 * With W the unprojected increment, the step Y ← retract(Y + Π_Y(W)) needs only
 *     1ᵀY, 1ᵀW, C = YᵀW, S = WᵀW, D = YᵀY:
 *     A = I − sym(C)/P,  m = (1ᵀY A + 1ᵀW)/P,
 *     Gram = AᵀDA + AᵀC + CᵀA + S − P m mᵀ = RᵀR P,   Y ← (Y A + W − 1mᵀ) R⁻¹.
 * D and 1ᵀY are summed too, so that rounding never builds up over steps. The polar retraction
 * replaces R⁻¹ by (Gram/P)^{-1/2}. These sums are coarse ones (exact_sum.h): Y is of order one and Gram/P the
 * identity or larger, and what they leave out is less than its last place can tell. Potential, drift and riders are
 * fine. */
#ifndef MMSOLD_ENSEMBLE_CONSTRAINT_H
#define MMSOLD_ENSEMBLE_CONSTRAINT_H

#include "mmsold/base/status.h"
#include "mmsold/ensemble/moments.h"
#include "mmsold/linalg/distributed.h"
#include "mmsold/parallel/blocks.h"
#include "mmsold/parallel/exact_sum.h"
#include "mmsold/parallel/team.h"
#include <stdbool.h>
#include <stdint.h>

typedef enum mms_retraction { MMS_RETRACTION_QR, MMS_RETRACTION_POLAR } mms_retraction;

typedef struct mms_constraint mms_constraint;

/* For P = particles in dimension d over `blocks`. Local; allocates all a step needs.
 * MMS_ERR_INPUT where P <= d, with the reason. */
mms_status mms_constraint_create(mms_constraint **constraint, const mms_blocks *blocks, int64_t dim,
                                 mms_retraction retraction, mms_error *error);
/* The same with the d × d work spread over a grid of ranks of order d (borrowed; NULL: the same on every rank), on
 * which no rank holds a whole d × d matrix. The sums of such moments then travel panel by panel after the one
 * all-reduce, as plain sums: law 1 is not promised. Local too; failures are to be agreed on. */
mms_status mms_constraint_create_on(mms_constraint **constraint, const mms_blocks *blocks, int64_t dim,
                                    mms_retraction retraction, mms_rank_grid *grid, mms_error *error);
void mms_constraint_free(mms_constraint **constraint); /* Local, but Collective where its sums are shared. */
/* From now on the ranks of a node reduce the sums of a step in memory that they share (mms_exact_sum_share) and,
 * where d is large, make parts of its d × d product in turn, where they can. Nothing else changes. Before the first
 * step; the team, which is that of all later calls, is borrowed. Collective. */
void mms_constraint_share(mms_constraint *constraint, const mms_team *team);
const mms_exact_sum *mms_constraint_sums(const mms_constraint *constraint); /* of a step. Borrowed. Local. */

/* Begin a step: clear the sums. Local. */
void mms_constraint_begin(mms_constraint *constraint);
/* Add the moments of all local rows, y and w [n_local][d]; once a step. They stay as they are until the reduction.
 * Local; a block's arithmetic depends on nothing but the block. Returns −1, or the global number of the first block
 * that is refused (not finite, or moments of 2^47 and larger): MMS_COUNT_NONFINITE counts such blocks and the reduction
 * will fail on all ranks. */
int64_t mms_constraint_add(mms_constraint *constraint, const double *y, const double *w);
/* Add one block's sum of potentials V, which travels along as V/2^40: exact to 1e-10 and good up to
 * 1e26. A value beyond that, or not finite, makes the report's potential NaN and nothing else. Local. */
void mms_constraint_add_potential(mms_constraint *constraint, double potential);
/* Add `count` values to the riders from `first` on, and read all [MMS_RIDERS] after the reduction. Local. */
void mms_constraint_add_riders(mms_constraint *constraint, int64_t first, int64_t count, const double *values);
void mms_constraint_read_riders(const mms_constraint *constraint, double *riders);
/* Add to a counter (MMS_COUNT_...). Local. */
void mms_constraint_count(mms_constraint *constraint, int counter, int64_t amount);

/* The one all-reduce of a step, then the d × d work, the same on every rank. Collective.
 * MMS_ERR_NUMERIC on all ranks alike where a block was refused as not finite or too large, a rank
 * counted itself in MMS_COUNT_FAILED, or Gram is not positive definite or so close to it that no
 * digit of the retraction could be trusted; the caller adds which particle and the likely cause.
 * The counters are readable also on failure.
 *
 * The ranks factor the same matrix, but processors may differ in last bits, and LAPACK can fail on one. Where the
 * reduced numbers leave room for that to matter (huge steps only) the outcome is agreed on in a second, small
 * reduction. Everywhere else Gram is as good as the identity or larger and its factor cannot fail but by a fault of one
 * machine: that rank keeps the failure for itself, leaves its rows as they are and goes on, until it can tell
 * (mms_constraint_take_failure). */
mms_status mms_constraint_reduce(mms_constraint *constraint, const mms_team *team, mms_error *error);
/* What this rank kept for itself, once, or MMS_OK: to be agreed on before the state is looked at, or counted in
 * MMS_COUNT_FAILED and MMS_COUNT_LOST of the next step. Local. */
mms_status mms_constraint_take_failure(mms_constraint *constraint, mms_error *error);
int64_t mms_constraint_counter(const mms_constraint *constraint, int counter);

/* Y ← (Y A + W − 1mᵀ) R⁻¹ for all local rows, y and w [n_local][d], w is destroyed. Where
 * rounding would leave a defect above 1e-13 (huge steps only; agreed on by the reduction) a second retraction with its
 * own all-reduce follows. Collective; agreed. */
mms_status mms_constraint_apply(mms_constraint *constraint, const mms_team *team, double *y, double *w,
                                mms_error *error);

/* Put any Y [n_local][d] of order one (1e-8 and more) on the manifold (the start of a run): centre and retract, at
 * least twice. Collective; agreed. MMS_ERR_NUMERIC where a value is not finite or too large, or the rows do not span d
 * dimensions; y is then as it was given (or, where only a later pass failed, of no use). */
mms_status mms_constraint_retract(mms_constraint *constraint, const mms_team *team, double *y, mms_error *error);

/* Defects of y as it stands now. Collective: one all-reduce. */
mms_status mms_constraint_measure(mms_constraint *constraint, const mms_team *team, const double *y,
                                  double *mean_defect, double *covariance_defect, mms_error *error);

mms_moments_report mms_constraint_report(const mms_constraint *constraint);
int64_t mms_constraint_bytes(const mms_constraint *constraint);        /* memory of this rank */
int64_t mms_constraint_shared_bytes(const mms_constraint *constraint); /* shared per node */

#endif
