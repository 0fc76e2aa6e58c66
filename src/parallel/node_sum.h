/* Sums of integers over all ranks of a team, which the ranks of a node form in memory that they share: each adds up its
 * share of the places and takes the totals of the others from where they stand. Half the time of MPI's all-reduce,
 * which carries everything between processes. With several nodes each share goes in an all-reduce of its own among the
 * ranks that have it. Private. */
#ifndef PARALLEL_NODE_SUM_H
#define PARALLEL_NODE_SUM_H

#include "mmsold/parallel/team.h"

typedef struct mms_node_sum mms_node_sum;

/* Sums in `count` places, all zero. Borrows the team. *sum is NULL afterwards where it cannot be or would not pay: one
 * rank a node, nodes with different numbers of ranks, no room for shared memory. That is no error. Collective. */
void mms_node_sum_create(mms_node_sum **sum, const mms_team *team, int count);
void mms_node_sum_free(mms_node_sum **sum); /* Collective; fine on NULL. */

/* [count]: this rank's addends; after a reduction the totals, until they are written over. */
int64_t *mms_node_sum_values(const mms_node_sum *sum);

/* Totals over all ranks. Collective. Allocates nothing. */
void mms_node_sum_reduce(mms_node_sum *sum);

#endif
