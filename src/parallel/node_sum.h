/* Sums of integers over all ranks of a team, which the ranks of a node form in memory that they share: each adds up its
 * share of the places, makes of them what is wanted, and takes what the others made from where it stands. Half the time
 * of MPI's all-reduce, which carries everything between processes. With several nodes each share goes in an all-reduce
 * of its own among the ranks that have it. Private. */
#ifndef PARALLEL_NODE_SUM_H
#define PARALLEL_NODE_SUM_H

#include "mmsold/parallel/team.h"

typedef struct mms_node_sum mms_node_sum;

typedef struct mms_node_sum_shape {
  int lists;        /* integers of each place that is settled, one from each list */
  int length, rest; /* such places; places of one integer whose totals are all that is wanted */
  /* Called with `context` when the totals of places first .. first + count − 1 are there, by the one rank of each node
   * that has them: what it leaves in the first list all ranks get. */
  void (*settle)(void *context, int64_t first, int64_t count);
  void *context;
} mms_node_sum_shape;

/* Sums of that shape, all zero. Borrows team and context. *sum is NULL afterwards where it cannot be or would not pay:
 * one rank a node, nodes with different numbers of ranks, no room for shared memory. That is no error. Collective. */
void mms_node_sum_create(mms_node_sum **sum, const mms_team *team, const mms_node_sum_shape *shape);
void mms_node_sum_free(mms_node_sum **sum); /* Collective; fine on NULL. */

/* [lists][length], then [rest]: this rank's addends; after a reduction what was settled, in the first list, and the
 * totals of the rest, until they are written over. */
int64_t *mms_node_sum_values(const mms_node_sum *sum);

/* Collective. Allocates nothing. */
void mms_node_sum_reduce(mms_node_sum *sum);

#endif
