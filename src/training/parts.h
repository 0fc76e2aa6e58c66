/* A training set of which each rank holds a part. */
#ifndef TRAINING_PARTS_H
#define TRAINING_PARTS_H

#include "mmsold/training/training.h"
#include "training/rows.h"

/* Whether the set, whose count and dim are known, is to be partitioned (the rule is in training.h). Collective; alike
 * on all ranks. */
bool mms_training_parts_wanted(const mms_training *training, const mms_team *team, const mms_training_options *options);

/* Rank 0's n rows of d numbers (NULL elsewhere) dealt out as they come by: *mine [parts.n_local][d], freed with free(),
 * are the rows that `parts` says are this rank's. No rank needs memory for more than these and two pieces of rows.
 * Collective; agreed. */
mms_status mms_training_parts_deal(mms_blocks *parts, double **mine, const mms_team *team, int64_t n, int64_t d,
                                   const mms_rows *rows, mms_error *error);

/* Hand rank 0's rows (NULL elsewhere) out. Collective; agreed. */
mms_status mms_training_parts_share(mms_training *training, const mms_team *team, const mms_rows *rows,
                                    mms_error *error);

#endif
