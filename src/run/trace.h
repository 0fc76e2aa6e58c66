/* The trace: one row per traced state, kept on every rank alike. Private to run/. */
#ifndef RUN_TRACE_H
#define RUN_TRACE_H

#include "mmsold/base/status.h"
#include "mmsold/dynamics/dynamics.h"
#include "mmsold/store/h5.h"
#include <stdbool.h>
#include <stdint.h>

/* The columns of a row after its step, in the order they are stored. */
enum {
  MMS_TRACE_MEAN_DEFECT,
  MMS_TRACE_COVARIANCE_DEFECT,
  MMS_TRACE_MEAN_POTENTIAL,
  MMS_TRACE_DRIFT,
  MMS_TRACE_REQUIRED, /* those above are in every trace; those below only where there is such a number */
  MMS_TRACE_TEMPERATURE = MMS_TRACE_REQUIRED,
  MMS_TRACE_STEP_RATIO,
  MMS_TRACE_NEAREST, /* MMS_QUANTILES of them */
  MMS_TRACE_COLUMNS = MMS_TRACE_NEAREST + MMS_QUANTILES
};

/* Owns its arrays. `every` 0: no trace. Row i describes the state after steps[i] steps. */
typedef struct mms_trace {
  int64_t every, count, capacity;
  int64_t *steps; /* [capacity] */
  double *values; /* [MMS_TRACE_COLUMNS][capacity]; NaN where there is no such number */
  double *chunks; /* [MMS_OBSERVABLES][capacity][MMS_CHUNKS], likewise */
} mms_trace;

/* Room for a run of `steps` steps traced `every` steps. Local. */
mms_status mms_trace_create(mms_trace *trace, int64_t steps, int64_t every, mms_error *error);
void mms_trace_free(mms_trace *trace);

/* Is the state that step `step` (1, 2, …) starts from one of those traced (its number a multiple of `every`)? Then the
 * step is to be asked for an observation. Local. */
bool mms_trace_wants(const mms_trace *trace, int64_t step);
/* Take what step `step` reported of the state it started from, if that state is one of the traced ones. Local;
 * allocates nothing. */
void mms_trace_record(mms_trace *trace, int64_t step, const mms_step_report *report);

/* Write `/trace/step`, `/trace/<name>`, `/trace/chunks/<observable>` [T'][MMS_CHUNKS] and, where the trace is long
 * enough,
 * `/mixing`; nothing where there are no rows. Collective. */
mms_status mms_trace_write(const mms_trace *trace, mms_h5 *file, mms_error *error);
/* Take the rows of states before step `step` from a file's `/trace` (those of the cadence
 * `every`). Columns that the file does not have are NaN. Collective. */
mms_status mms_trace_read(mms_trace *trace, mms_h5 *file, int64_t step, mms_error *error);

#endif
