/* Diagnostics that travel in a step's own all-reduce. Private to src/dynamics. */
#ifndef DYNAMICS_OBSERVE_H
#define DYNAMICS_OBSERVE_H

#include "dynamics/method.h"

/* Add what is to be seen of block b, whose step is done (its W and potential stand), to the sums that travel. Local. */
void mms_observe_block(mms_dynamics *dynamics, int64_t b);

/* The distances of block b's particles to the nearest training points, unless all blocks are asked for at once. z, mean
 * and log_mass of the block in hand are written over. Local; a failure is only this rank's. */
mms_status mms_observe_nearest(mms_dynamics *dynamics, int64_t b, mms_error *error);

/* Over a partitioned training set, where the field is asked for all blocks at once: the distances to the nearest
 * training points, before or after all blocks. Collective: whatever became of the blocks; agreed. */
mms_status mms_observe_together(mms_dynamics *dynamics, mms_error *error);

/* What was seen, after the reduction; the same on every rank. Local. */
void mms_observe_read(const mms_dynamics *dynamics, mms_observation *observation);

/* The sums of the step: the constraint's, or the moments' where there is none (step.c). */
void mms_step_add_riders(mms_dynamics *dynamics, int64_t first, int64_t count, const double *values);
void mms_step_read_riders(const mms_dynamics *dynamics, double *riders);
void mms_step_count(mms_dynamics *dynamics, int counter, int64_t amount);
int64_t mms_step_counter(const mms_dynamics *dynamics, int which);

#endif
