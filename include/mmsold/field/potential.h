/* The smoothed potential with ONE set of draws shared by all points, for densities and likelihoods on grids:
 *     V(z) ≈ −average over draws ±ε_m of log Σ_i exp(−|z − x_i|²/(2δ²) ± σ ε_m·(x_i − z)/δ²) + log n + dσ²/(2δ²)
 * (ALGORITHMS 1, antithetic pairs). With shared draws the exponentials fall apart, exp(ℓ_i + c_im) = exp(ℓ_i)
 * exp(c_im), so M draws at a point cost n M products instead of n M exponentials, and logarithms are taken of products
 * of sums.
 *
 * Pairs are split into groups, each with its own average: their spread is the standard error, of V and of whatever is
 * computed from V at many points, whose errors go together because the draws do. */
#ifndef MMSOLD_FIELD_POTENTIAL_H
#define MMSOLD_FIELD_POTENTIAL_H

#include "mmsold/base/status.h"
#include "mmsold/field/field.h"
#include "mmsold/training/training.h"
#include <stdint.h>

typedef struct mms_potential_options {
  double bandwidth;    /* δ */
  double smoothing;    /* σ; 0: the exact U */
  int64_t pairs;       /* M/2; 0: the exact U */
  uint64_t seed;       /* pair j of group g is the shared noise of (seed, step g + 1): the same at every σ */
  mms_backend backend; /* of the field where products cannot serve; AUTO chooses; anything else is obeyed */
} mms_potential_options;

typedef struct mms_potential mms_potential;

enum {
  MMS_POTENTIAL_GROUPS = 32, /* at most: a standard error from 32 groups is itself known to 13 % */
  MMS_POTENTIAL_BLOCK = 64   /* rows worked on at once */
};

/* Draws the noise, and decides how: by products where n <= 1,024 and every draw's range of exponents fits a double
 * (proved in src/field/potential.c), else through the field. `training` is borrowed and must outlive it. Collective;
 * agreed. */
mms_status mms_potential_create(mms_potential **potential, const mms_team *team, const mms_training *training,
                                const mms_potential_options *options, mms_error *error);
/* Collective; sets *potential to NULL; fine on NULL. */
void mms_potential_free(mms_potential **potential);

/* How many groups, G: 1 where V is exact, else min(pairs, MMS_POTENTIAL_GROUPS); the share of all draws that group g
 * has (the shares add up to 1). Local. */
int64_t mms_potential_groups(const mms_potential *potential);
double mms_potential_share(const mms_potential *potential, int64_t group);
/* One line: how it is computed and why. Local. */
const char *mms_potential_reason(const mms_potential *potential);

/* values [rows][G] and, unless NULL, gradients [rows][G][d]: V and ∇V from the draws of each group at points [rows][d].
 * Local; allocates nothing; rows may be 0. Rows are taken MMS_POTENTIAL_BLOCK at a time from the first: calls that
 * begin where a block begins give the same bits however the blocks are spread. MMS_ERR_NUMERIC where a point is not
 * finite. */
mms_status mms_potential_evaluate(mms_potential *potential, int64_t rows, const double *points, double *values,
                                  double *gradients, mms_error *error);

/* Average over the groups of values [rows][G] with their shares: mean [rows]; and its standard error [rows] (may be
 * NULL), from the spread of the groups: 0 where V is exact, NaN for one group of draws. Local. */
void mms_potential_average(const mms_potential *potential, int64_t rows, const double *values, double *mean,
                           double *standard_error);

#endif
