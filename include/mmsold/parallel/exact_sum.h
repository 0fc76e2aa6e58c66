/* Sums that do not depend on order or grouping: fixed-point integers of two or three limbs.
 *
 * Construction. A double v, |v| < 2^47, is split into integers times fixed powers of two, the limbs, each of which is
 * added into its own int64. Integer addition is associative and commutative, so any order and any grouping over blocks
 * and ranks gives the same integers, and these are carried back into one double by the same arithmetic on every rank.
 * There are two kinds of sums, with places of their own:
 *
 *   fine    v = a 2^8 + b 2^-32 + c 2^-72 + e         |a|, |b|, |c| <= 2^39    |e| <= 2^-73     up to 2^23 addends
 *   coarse  v = a 2^(47-n) + b 2^(46-2n) + e          |a|, |b| <= 2^n          |e| <= 2^(45-2n)  up to 2^(62-n) addends
 *
 * With so many addends (blocks) a limb stays within 2^62. n is 50, units of 2^-54, for up to 2^12 addends, and one less
 * for each doubling up to 2^16: then 46, units of 2^-46. Where still more are announced the coarse sums are kept like
 * the fine ones; more than 2^23 are refused. These rules know nothing of ranks. A double whose last place is a unit or
 * more goes into its sum without error: from 2^-2 on into a coarse one of up to 2^12 addends, from 2^-20 into a fine
 * one.
 *
 * What is summed is meant to be of order one per particle (Y, and W measured in Y, are). Coarse is for what matters
 * absolutely then, as moments do, and is compared with P. Blocks of r particles make an error of 2^(45-2n) P/r: a
 * quarter of the last place of doubles below 1, in units of P, for up to 2^12 blocks of any size, and half of it for up
 * to 2^16 if they hold 128 particles and more. Fine is for what may be small all over and is looked at by itself. A
 * value that is not finite or >= 2^47 in size is not added but counted, and the count travels with the sums. */
#ifndef MMSOLD_PARALLEL_EXACT_SUM_H
#define MMSOLD_PARALLEL_EXACT_SUM_H

#include "mmsold/parallel/team.h"
#include <stdbool.h>

typedef struct mms_exact_sum mms_exact_sum;

/* Most addends of coarse sums in two limbs, and in the finest of their units. */
enum { MMS_EXACT_SUM_PAIRED_ADDENDS = 65536, MMS_EXACT_SUM_FINEST_ADDENDS = 4096 };

typedef struct mms_exact_sum_shape {
  int64_t coarse, fine; /* how many sums of each kind */
  int extras;           /* plain int64 counters that travel in the same all-reduce */
  int64_t addends;      /* doubles that go into each sum at most, over all ranks; the same on every rank */
} mms_exact_sum_shape;

/* Sums of that shape, all zero. Local. MMS_ERR_INPUT where there are more than 2^23 addends; MMS_ERR_INTERNAL where a
 * number is negative or the message (mms_exact_sum_reduce) longer than an int can say; MMS_ERR_MEMORY. */
mms_status mms_exact_sum_create(mms_exact_sum **sum, const mms_exact_sum_shape *shape, mms_error *error);
void mms_exact_sum_free(mms_exact_sum **sum); /* Local, but Collective where shared; fine on NULL. */

/* Once, before anything is added: from now on the ranks of a node reduce in memory that they share, and each carries
 * its part of the totals back into doubles for all, in half the time. The totals are the same. False, and nothing has
 * changed, where that cannot be: one rank a node, nodes with different numbers of ranks, too little room for shared
 * memory. The team is borrowed. Collective. */
bool mms_exact_sum_share(mms_exact_sum *sum, const mms_team *team);
bool mms_exact_sum_is_shared(const mms_exact_sum *sum); /* Local. */

/* Set all sums and extras to zero. Local. */
void mms_exact_sum_clear(mms_exact_sum *sum);

/* Add values[i] to the coarse, or fine, sum first + i, i < count. Values meant for places that their kind does not have
 * are counted as refused and added nowhere. Local. */
void mms_exact_sum_add_coarse(mms_exact_sum *sum, int64_t first, int64_t count, const double *values);
void mms_exact_sum_add_fine(mms_exact_sum *sum, int64_t first, int64_t count, const double *values);

/* Add to extra counter `index`. Local. */
void mms_exact_sum_count(mms_exact_sum *sum, int index, int64_t amount);

/* The one all-reduce. After it every rank reads the same totals, and before more is added the sums are to be cleared.
 * Collective: exactly one MPI_Allreduce of (2 coarse + 3 fine + extras + 1) int64, 3 coarse where there are more than
 * 2^16 addends; where shared each rank of a node makes it with its share of them, and none is made on a single node.
 * Allocates nothing. */
void mms_exact_sum_reduce(mms_exact_sum *sum, const mms_team *team);

/* The totals of all coarse sums, [coarse], where they stand: the caller's to write over until the sums are cleared, if
 * it does not read them otherwise. Local, after reduce. */
double *mms_exact_sum_totals(mms_exact_sum *sum);

/* Totals: the double nearest to the integer total, ties to even (never -0); NaN from places that the kind does not
 * have. Local, after reduce. */
void mms_exact_sum_read_coarse(const mms_exact_sum *sum, int64_t first, int64_t count, double *values);
void mms_exact_sum_read_fine(const mms_exact_sum *sum, int64_t first, int64_t count, double *values);
int64_t mms_exact_sum_extra(const mms_exact_sum *sum, int index);
int64_t mms_exact_sum_refused(const mms_exact_sum *sum); /* values that were not finite or too large, or had no place */
size_t mms_exact_sum_message(const mms_exact_sum *sum);  /* bytes that are reduced */
size_t mms_exact_sum_bytes(const mms_exact_sum *sum);    /* memory held, for the plan */

#endif
