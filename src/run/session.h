/* A run in progress: what its parts share. Private to run/. */
#ifndef RUN_SESSION_H
#define RUN_SESSION_H

#include "mmsold/run/run.h"
#include "run/folder.h"
#include "run/memory.h"
#include "run/observations.h"
#include "run/trace.h"

/* Seconds of this process's run, by what they went into; reports only. */
typedef struct mms_run_timing {
  double field, reduce, algebra, output, total;
  double longest_step, last_checkpoint;
} mms_run_timing;

/* Owns everything but the request. */
typedef struct mms_session {
  const mms_run_request *request;
  mms_training training;
  mms_dynamics *dynamics;
  mms_trace trace;
  mms_observations observations;
  mms_folder folder; /* on rank 0 only */
  mms_run_timing timing;
  mms_memory_watch memory; /* this rank's, since the start */
  double started;          /* mms_clock_seconds at the start */
  char started_at[32];     /* the same in UTC, ISO 8601 */
  int64_t steps_at_start;  /* steps already done when this process took over */
} mms_session;

/* What the training set of a request may be like: partitioned where the rest of it can work with that. Local. */
mms_training_options mms_session_training(const mms_run_request *request);

/* Training set, dynamics and trace of a request. Collective; agreed. On failure the session is
 * left for mms_session_close. */
mms_status mms_session_open(mms_session *session, const mms_run_request *request, mms_error *error);
/* Collective; fine on a session that was only partly opened. */
void mms_session_close(mms_session *session);

/* The lines that tell what was read, what was chosen and why, and what it costs in memory; freed
 * with free(). Collective (the largest rank is reported). */
mms_status mms_session_describe(const mms_session *session, char **text, mms_error *error);
/* The line that states the peak of this rank's memory as far as it can be known now; freed with free(). Collective. */
mms_status mms_session_describe_peak(mms_session *session, char **text, mms_error *error);
/* Of a rank's `rows` particles, so many are decoded and written at a time: whole blocks. Local. */
int64_t mms_output_rows(int64_t rows, int64_t block, int64_t data_dim);
/* Warnings a statistician would want before the run: few particles, a step above its bound. */
void mms_session_warn(const mms_session *session);

/* Warn where a step takes so long that requests to stop come late; returns its estimated seconds then, else 0. For
 * particles that are at their place; takes some seconds itself where work is that long. Collective. */
double mms_session_warn_long_step(const mms_session *session);

/* Write `samples.h5`, `snapshot-STEP.h5` or `checkpoint-STEP.h5` of the present state, whole and
 * in one piece or not at all. Collective; agreed. */
mms_status mms_session_write_samples(mms_session *session, const char *name, bool complete, mms_error *error);
mms_status mms_session_write_checkpoint(mms_session *session, mms_error *error);
/* What writing a checkpoint takes: the last one, or a guess before the first. Local. */
double mms_session_write_seconds(const mms_session *session);
/* The output folder did not take the final samples (`status` and `error` say why): write them into
 * output.fallback, under a name that is free there. Returns `status` (MMS_ERR_SYSTEM for
 * MMS_ERR_INPUT) with where the result is now added to the message. Collective; agreed. */
mms_status mms_session_rescue(mms_session *session, mms_status status, mms_error *error);

/* What an output folder holds for this request. */
typedef enum mms_found { MMS_FOUND_NOTHING, MMS_FOUND_CHECKPOINTS, MMS_FOUND_FINISHED } mms_found;

/* Could a run write into its folders? Changes nothing. Collective; agreed. */
mms_status mms_session_check_folders(const mms_run_request *request, mms_error *error);

/* Look at `samples.h5` and the checkpoints there and compare configurations. *checksum: of the training set of a
 * finished result. For rank 0; Local. */
mms_status mms_resume_look(const mms_run_request *request, mms_found *found, uint64_t *checksum, mms_error *error);
/* The result there is finished: is the training set still that of `checksum` (rank 0's)? MMS_ERR_INPUT: it has changed.
 * One that cannot be read is a warning. Collective; agreed. */
mms_status mms_resume_check_finished(const mms_run_request *request, uint64_t checksum, mms_error *error);
/* Was the file `path` made by a run like this one (same configuration and training set)? Then after *step steps. Local.
 */
bool mms_resume_is_ours(const mms_session *session, const char *path, int64_t *step);
/* Read the newest good checkpoint into the session; damaged ones are named and passed over; none
 * good is an error. Collective; agreed. */
mms_status mms_resume_read(mms_session *session, mms_error *error);

/* Say once if the ranks run on processors of different types: bit equality is not promised then. Collective. */
void mms_session_warn_unlike_processors(const mms_session *session);

/* A progress line when one is due. Local. */
void mms_session_progress(mms_session *session, const mms_step_report *report, double now, double *last_shown);

/* `/target/...`: the target's moments in the sampler's coordinates and in the data's. Collective; agreed. */
mms_status mms_target_file_write(const mms_session *session, mms_h5 *file, mms_error *error);

#endif
