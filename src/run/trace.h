/* The trace: one row per traced state, kept on every rank alike. Private to run/. */
#ifndef RUN_TRACE_H
#define RUN_TRACE_H

#include "mmsold/base/status.h"
#include "mmsold/dynamics/dynamics.h"
#include "mmsold/store/h5.h"
#include <stdint.h>

/* The columns of a row after its step, in the order they are stored. */
enum {
  MMS_TRACE_MEAN_DEFECT,
  MMS_TRACE_COVARIANCE_DEFECT,
  MMS_TRACE_MEAN_POTENTIAL,
  MMS_TRACE_DRIFT,
  MMS_TRACE_COLUMNS
};

/* Owns its arrays. `every` 0: no trace. Row i describes the state after steps[i] steps. */
typedef struct mms_trace {
  int64_t every, count, capacity;
  int64_t *steps; /* [capacity] */
  double *values; /* [MMS_TRACE_COLUMNS][capacity] */
} mms_trace;

/* Room for a run of `steps` steps traced `every` steps. Local. */
mms_status mms_trace_create(mms_trace *trace, int64_t steps, int64_t every, mms_error *error);
void mms_trace_free(mms_trace *trace);

/* Take what step `step` (1, 2, …) reported of the state it started from, if that state is one
 * of the traced ones (its step a multiple of `every`). Local; allocates nothing. */
void mms_trace_record(mms_trace *trace, int64_t step, const mms_step_report *report);

/* Write `/trace/step` and `/trace/<name>`; nothing where there are no rows. Collective. */
mms_status mms_trace_write(const mms_trace *trace, mms_h5 *file, mms_error *error);
/* Take the rows of states before step `step` from a file's `/trace` (those of the cadence
 * `every`). Collective. */
mms_status mms_trace_read(mms_trace *trace, mms_h5 *file, int64_t step, mms_error *error);

#endif
