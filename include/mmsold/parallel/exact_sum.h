/* Sums that do not depend on order or grouping: fixed-point integers of two or three limbs.
 *
 * Construction. A double v, |v| < 2^47, is split into integers times fixed powers of two, the limbs, each of which is
 * added into its own int64. Integer addition is associative and commutative, so any order and any grouping over blocks
 * and ranks gives the same integers, and these are carried back into one double by the same arithmetic on every rank.
 * There are two kinds of sums, with places of their own:
 *
 *   coarse  v = a 2^-3 + b 2^-54 + e           |a|, |b| <= 2^50         |e| <= 2^-55    for up to 2^12 addends
 *   fine    v = a 2^8 + b 2^-32 + c 2^-72 + e  |a|, |b|, |c| <= 2^39    |e| <= 2^-73    for up to 2^23 addends
 *
 * With so many addends (blocks) a limb stays within 2^62. Where more than 2^12 are announced the coarse sums are kept
 * like the fine ones: a rule that knows nothing of ranks. More than 2^23 are refused. A double of size >= 2^-2 goes
 * into a coarse sum without error (its last place is at least 2^-54), one of size >= 2^-20 into a fine one.
 *
 * What is summed is meant to be of order one per particle (Y, and W measured in Y, are). Coarse is for what matters
 * absolutely then, as moments do: P particles in at most P blocks make an error of P 2^-55 at most in a sum that is
 * compared with P, a quarter of the last place of doubles below 1. Fine is for what may be small all over and is looked
 * at by itself. A value that is not finite or >= 2^47 in size is not added but counted, and the count travels with the
 * sums. */
#ifndef MMSOLD_PARALLEL_EXACT_SUM_H
#define MMSOLD_PARALLEL_EXACT_SUM_H

#include "mmsold/parallel/team.h"

typedef struct mms_exact_sum mms_exact_sum;

/* Most addends of coarse sums in two limbs. */
enum { MMS_EXACT_SUM_PAIRED_ADDENDS = 4096 };

typedef struct mms_exact_sum_shape {
  int64_t coarse, fine; /* how many sums of each kind */
  int extras;           /* plain int64 counters that travel in the same all-reduce */
  int64_t addends;      /* doubles that go into each sum at most, over all ranks; the same on every rank */
} mms_exact_sum_shape;

/* Sums of that shape, all zero. Local. MMS_ERR_INPUT where there are more than 2^23 addends; MMS_ERR_INTERNAL where a
 * number is negative or the message (mms_exact_sum_reduce) longer than an int can say; MMS_ERR_MEMORY. */
mms_status mms_exact_sum_create(mms_exact_sum **sum, const mms_exact_sum_shape *shape, mms_error *error);
void mms_exact_sum_free(mms_exact_sum **sum); /* Local; fine on NULL. */

/* Set all sums and extras to zero. Local. */
void mms_exact_sum_clear(mms_exact_sum *sum);

/* Add values[i] to the coarse, or fine, sum first + i, i < count. Values meant for places that their kind does not have
 * are counted as refused and added nowhere. Local. */
void mms_exact_sum_add_coarse(mms_exact_sum *sum, int64_t first, int64_t count, const double *values);
void mms_exact_sum_add_fine(mms_exact_sum *sum, int64_t first, int64_t count, const double *values);

/* Add to extra counter `index`. Local. */
void mms_exact_sum_count(mms_exact_sum *sum, int index, int64_t amount);

/* The one all-reduce. After it every rank reads the same totals. Collective: exactly one MPI_Allreduce of
 * (2 coarse + 3 fine + extras + 1) int64, 3 coarse where there are more than 2^12 addends. Allocates nothing. */
void mms_exact_sum_reduce(mms_exact_sum *sum, const mms_team *team);

/* Totals: the double nearest to the integer total, ties to even (never -0); NaN from places that the kind does not
 * have. Local, after reduce. */
void mms_exact_sum_read_coarse(const mms_exact_sum *sum, int64_t first, int64_t count, double *values);
void mms_exact_sum_read_fine(const mms_exact_sum *sum, int64_t first, int64_t count, double *values);
int64_t mms_exact_sum_extra(const mms_exact_sum *sum, int index);
int64_t mms_exact_sum_refused(const mms_exact_sum *sum); /* values that were not finite or too large, or had no place */
size_t mms_exact_sum_bytes(const mms_exact_sum *sum);    /* memory held, for the plan */

#endif
