/* A run: start or go on, step to the end, trace, snapshots, checkpoints, an orderly stop. */
#ifndef MMSOLD_RUN_RUN_H
#define MMSOLD_RUN_RUN_H

#include "mmsold/base/log.h"
#include "mmsold/base/status.h"
#include "mmsold/dynamics/dynamics.h"
#include "mmsold/training/training.h"
#include <stdbool.h>
#include <stdint.h>

typedef enum mms_precision { MMS_PRECISION_SINGLE, MMS_PRECISION_DOUBLE } mms_precision;

/* What the `output:` section says. */
typedef struct mms_output_options {
  const char *directory;
  mms_precision precision;   /* of /samples; /latent is always float64 */
  int64_t snapshot_every;    /* steps; 0 = the end only */
  int64_t trace_every;       /* steps; 0 = no trace */
  double checkpoint_minutes; /* 0 = only at an orderly stop */
  int64_t keep_checkpoints;
  const int *observables; /* [observable_count] of mms_observable: further columns of the trace */
  int64_t observable_count;
  const char *fallback; /* folder for a final output that `directory` does not take; NULL: the current one */
} mms_output_options;

typedef struct mms_run_request {
  const mms_team *team;
  mms_log *log;
  mms_training_options training;
  mms_score_options score;
  mms_sampler_options sampler;
  mms_output_options output;
  const char *configuration; /* the resolved configuration as text; stored in every file */
  double max_hours;          /* 0 = no limit */
  bool fresh;                /* keep the old output aside and start over */
  const char *stop_file;     /* NULL, or a file that asks for a stop as FOLDER/stop does, and stays */
} mms_run_request;

/* Do everything but the steps: read the training set, size every array, and write the plan (backend and why,
 * blocks, h as a share of its bound, memory per rank, estimated cost of a step) as text. *plan is
 * freed with free(). Collective; agreed. */
mms_status mms_run_plan(const mms_run_request *request, char **plan, mms_error *error);

/* From now on USR1 and USR2 no longer end this process: they are remembered for the mms_run to come, which obeys them
 * after its first step. For a program that starts long before its run. Local. */
void mms_run_catch_signals(void);

/* The run itself. MMS_OK: finished, `samples.h5` written. MMS_STOPPED: stopped in order, the same request goes on.
 * Collective; agreed. Meanwhile USR1, USR2, TERM and INT ask for a checkpoint or a stop, and ALRM is in use. */
mms_status mms_run(const mms_run_request *request, mms_error *error);

/* Runs of a series, one after another: from begin to end signals are caught also between runs, and a request to stop
 * that comes there is kept for the next one. Local; in pairs. */
void mms_run_series_begin(void);
void mms_run_series_end(void);
bool mms_run_stop_asked(void); /* of this rank, since begin */

#endif
