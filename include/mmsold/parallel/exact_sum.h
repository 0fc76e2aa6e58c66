/* Sums that do not depend on order or grouping: fixed-point integers of three limbs.
 *
 * Construction. A double v, |v| < 2^47, is split as v = (a 2^80 + b 2^40 + c) 2^-72 + e with
 * integers |a|, |b|, |c| <= 2^39 and |e| <= 2^-73; each limb is added into its own int64.
 * Integer addition is associative and commutative, so any order and any grouping over blocks
 * and ranks gives the same three integers. With at most 2^23 addends (blocks;
 * mms_exact_sum_create refuses more) a limb stays within 2^62, and the limbs are carried back
 * into one double by the same arithmetic on every rank. A double of size >= 2^-20 is
 * represented without error (its last place is at least 2^-72), a smaller one to 2^-73
 * absolutely. What is summed is therefore meant to be of order one per particle (Y, and W
 * measured in Y, are). A value that is not finite or >= 2^47 in size is not added but counted,
 * and the count travels with the sum. */
#ifndef MMSOLD_PARALLEL_EXACT_SUM_H
#define MMSOLD_PARALLEL_EXACT_SUM_H

#include "mmsold/parallel/team.h"

typedef struct mms_exact_sum mms_exact_sum;

/* `length` independent sums, plus `extras` plain int64 counters that travel in the same
 * all-reduce. At most `addends` (over all ranks) doubles go into each sum; more than 2^23 is
 * refused (MMS_ERR_INPUT), as is 3 length + extras + 1 beyond an int. Local. MMS_ERR_MEMORY. */
mms_status mms_exact_sum_create(mms_exact_sum **sum, int64_t length, int extras, int64_t addends, mms_error *error);
void mms_exact_sum_free(mms_exact_sum **sum);

/* Set all sums and extras to zero. Local. */
void mms_exact_sum_clear(mms_exact_sum *sum);

/* Add values[i] to sum first + i, i < count. Local. */
void mms_exact_sum_add(mms_exact_sum *sum, int64_t first, int64_t count, const double *values);

/* Add to extra counter `index`. Local. */
void mms_exact_sum_count(mms_exact_sum *sum, int index, int64_t amount);

/* The one all-reduce. After it every rank reads the same totals. Collective: exactly one
 * MPI_Allreduce of (3 length + extras + 1) int64. Allocates nothing. */
void mms_exact_sum_reduce(mms_exact_sum *sum, const mms_team *team);

/* Totals: the double nearest to the integer total, ties to even (never -0). Local, after reduce. */
void mms_exact_sum_read(const mms_exact_sum *sum, int64_t first, int64_t count, double *values);
int64_t mms_exact_sum_extra(const mms_exact_sum *sum, int index);
int64_t mms_exact_sum_refused(const mms_exact_sum *sum); /* values that were not finite or too large */
size_t mms_exact_sum_bytes(const mms_exact_sum *sum);    /* memory held, for the plan */

#endif
