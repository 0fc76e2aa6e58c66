/* What travels in the one all-reduce of a step: moments, potential, counters. The moment constraint sums them on its
 * way (constraint.h); ways of moving without it use the sums here, so that a trace shows their moments too. Moments
 * travel as coarse sums (exact_sum.h), two words each: what they are compared with is P. All else is summed finely. */
#ifndef MMSOLD_ENSEMBLE_MOMENTS_H
#define MMSOLD_ENSEMBLE_MOMENTS_H

#include "mmsold/base/status.h"
#include "mmsold/ensemble/target.h"
#include "mmsold/parallel/blocks.h"
#include "mmsold/parallel/exact_sum.h"
#include "mmsold/parallel/team.h"
#include <stdbool.h>
#include <stdint.h>

/* Indices of the counters that travel in the same all-reduce (summed over ranks). */
enum {
  MMS_COUNT_NONFINITE,  /* blocks refused: moments not finite or 2^47 and larger; others count their own here too */
  MMS_COUNT_FAILED,     /* ranks that failed locally in this step, or ... */
  MMS_COUNT_LOST,       /* ... in the one before, after its reduction; counted in both */
  MMS_COUNT_STOP,       /* ranks asked to stop */
  MMS_COUNT_CHECKPOINT, /* ranks asked to checkpoint */
  MMS_COUNT_POTENTIAL,  /* blocks whose potential was not finite or 2^87 and larger */
  MMS_COUNT_RIDER,      /* riders that were not finite or 2^47 and larger, and left out */
  MMS_COUNT_BINS,       /* the first of ... */
  MMS_BINS = 194,       /* ... so many counters of the observation (dynamics.h), */
  MMS_COUNTERS = MMS_COUNT_BINS + MMS_BINS
};

/* Sums that ride along for the observation. */
enum { MMS_RIDERS = 36 };

/* What is known after a reduction. The lines up to repaired are the constraint's alone. */
typedef struct mms_moments_report {
  double error_bound;       /* of the covariance defect that one retraction would leave: a bound or an estimate */
  bool repaired;            /* a second retraction was needed (see mms_constraint_apply) */
  double mean_defect;       /* max |1ᵀY|/P of the Y that went in */
  double covariance_defect; /* max |YᵀY/P − I| of the Y that went in */
  double drift;             /* root mean square of W's entries */
  double speed;             /* mean square of the velocities' entries; without the constraint only */
  double potential;         /* the sum of what was added as potential; NaN where a part was not finite */
  double seconds_reduce;    /* in the all-reduce, waiting included */
  double seconds_algebra;   /* in moments, factorisation and update, of this step so far */
} mms_moments_report;

typedef struct mms_moments mms_moments;

/* For the ensemble in `blocks`, in the target's coordinates. Where L is a number times the identity
 * (MMS_FACTOR_SCALAR) the defects are those of Z: max |mean − μ*| over √max diag Σ*, and
 * max |second moment about μ* − Σ*| over max |Σ*|. Borrows the target. Local; allocates all a step needs. */
mms_status mms_moments_create(mms_moments **moments, const mms_blocks *blocks, const mms_target *target,
                              mms_error *error);
void mms_moments_free(mms_moments **moments); /* Local, but Collective where its sums are shared; fine on NULL. */
/* From now on the ranks of a node reduce the sums of a step in memory that they share (mms_exact_sum_share), where they
 * can. Before the first step. Collective. */
void mms_moments_share(mms_moments *moments, const mms_team *team);
const mms_exact_sum *mms_moments_sums(const mms_moments *moments); /* of a step. Borrowed. Local. */

/* Begin a step: clear the sums. Local. */
void mms_moments_begin(mms_moments *moments);
/* Add 1ᵀY, YᵀY and the square of W of all local rows, y and w [n_local][d]; once a step. Local; a block's arithmetic
 * depends on nothing but the block. Returns −1, or the global number of the first block that is refused (not finite,
 * or moments of 2^47 and larger): MMS_COUNT_NONFINITE counts such blocks and the reduction will fail on all ranks. */
int64_t mms_moments_add(mms_moments *moments, const double *y, const double *w);
/* Add one block's sum of potentials V: as mms_constraint_add_potential. Local. */
void mms_moments_add_potential(mms_moments *moments, double potential);
/* Add one block's sum of squared velocities; one that is refused is counted in MMS_COUNT_NONFINITE. Local. */
void mms_moments_add_speed(mms_moments *moments, double squares);
/* Add `count` values to the riders from `first` on, and read all [MMS_RIDERS] after the reduction. Local. */
void mms_moments_add_riders(mms_moments *moments, int64_t first, int64_t count, const double *values);
void mms_moments_read_riders(const mms_moments *moments, double *riders);
/* Add to a counter (MMS_COUNT_...), and read it after the reduction. Local. */
void mms_moments_count(mms_moments *moments, int counter, int64_t amount);
int64_t mms_moments_counter(const mms_moments *moments, int counter);

/* The one all-reduce of a step. Collective. MMS_ERR_NUMERIC on all ranks alike where a block was refused or a rank
 * counted itself in MMS_COUNT_FAILED. */
mms_status mms_moments_reduce(mms_moments *moments, const mms_team *team, mms_error *error);
mms_moments_report mms_moments_read_report(const mms_moments *moments);

/* Defects of y [n_local][d] as it stands. Collective: one all-reduce. */
mms_status mms_moments_measure(mms_moments *moments, const mms_team *team, const double *y, double *mean_defect,
                               double *covariance_defect, mms_error *error);

int64_t mms_moments_bytes(const mms_moments *moments);

#endif
