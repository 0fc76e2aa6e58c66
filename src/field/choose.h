/* The choice of `auto` between tree and dense, from what a few particles see of the training set: counts, never times,
 * so that it is the same wherever and whenever it is made. */
#ifndef FIELD_CHOOSE_H
#define FIELD_CHOOSE_H

#include "mmsold/field/field.h"

/* Points of the training set by a particle, on average. */
typedef struct mms_choice_counts {
  double one;      /* with weight in one draw */
  double together; /* with weight in some draw */
  double ball;     /* in a ball about the particle that holds all of these */
} mms_choice_counts;

/* Up to this dimension the tree, whatever else; beyond the other one dense. */
enum { MMS_CHOICE_TREE = 4, MMS_CHOICE_DENSE = 32 };

/* Of some particles placed as a run's are at the start, with some of their draws (`pairs` of them, smoothing > 0, or
 * none). Over the whole of a replicated set, or every so many of a large one. Local; allocates. */
mms_status mms_choice_count(mms_choice_counts *counts, const mms_training *training, double bandwidth, double smoothing,
                            int64_t pairs, mms_error *error);

/* The rule: is the tree the faster one for n points in dim dimensions and so many draws? Local. */
bool mms_choice_tree(int64_t n, int64_t dim, int64_t draws, const mms_choice_counts *counts);

#endif
