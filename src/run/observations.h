/* Observables of the traced states, as further columns of the trace. Private to run/.
 *
 * A step has one all-reduce and this adds none: each rank keeps its blocks' part of every row in exact sums, and they
 * are put together when a file is written. */
#ifndef RUN_OBSERVATIONS_H
#define RUN_OBSERVATIONS_H

#include "mmsold/dynamics/dynamics.h"
#include "mmsold/ensemble/observables.h"
#include "mmsold/parallel/exact_sum.h"
#include "mmsold/store/h5.h"

/* Owns its arrays. Row i describes the state after steps[i] steps; rows before `done` are totals, the same on every
 * rank. */
typedef struct mms_observations {
  int64_t every, count, done, capacity;
  int kinds;
  mms_observable_kind kind[MMS_OBSERVABLE_COUNT];
  int64_t *steps;     /* [capacity] */
  double *values;     /* [kinds][capacity], up to `done` */
  mms_exact_sum *sum; /* [capacity][kinds], from `done` on */
  mms_observer observer;
  double *z; /* [block size][d] */
} mms_observations;

/* Room for `kinds` observables of a run of `steps` steps traced every `every` steps (0: none). Local. */
mms_status mms_observations_create(mms_observations *observations, mms_dynamics *dynamics, int64_t steps, int64_t every,
                                   const int *kind, int64_t kinds, mms_error *error);
void mms_observations_free(mms_observations *observations);

/* Take the state as it stands, after `step` steps, if it is a traced one. Collective where the target is spread over
 * the ranks, else Local; allocates nothing. */
void mms_observations_record(mms_observations *observations, mms_dynamics *dynamics, int64_t step);

/* Write `/trace/<observable>`, rows as in the `/trace/step` of a file that is written after `step` steps; nothing where
 * there are none. Collective. */
mms_status mms_observations_write(mms_observations *observations, const mms_team *team, int64_t particles, int64_t step,
                                  mms_h5 *file, mms_error *error);
/* Take the rows of states before step `step` from a file; NaN where it has no such column. Collective. */
mms_status mms_observations_read(mms_observations *observations, mms_h5 *file, int64_t step, mms_error *error);

#endif
