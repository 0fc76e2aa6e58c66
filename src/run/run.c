/* The step loop and what surrounds it. */
#include "mmsold/run/run.h"

#include "mmsold/base/clock.h"
#include "mmsold/base/memory.h"
#include "run/mixing.h"
#include "run/session.h"
#include "run/signals.h"
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Seconds between looks at the clock-driven wishes: a `stop` file costs a system call. */
static const double look_interval = 1.0;

/* Checkpoints on the clock may take this share of a run: a slow file system stretches the interval. */
static const double write_budget = 0.02;

/* When things are due, on rank 0's clock; the others learn of it through the all-reduce. */
typedef struct schedule {
  double next_look, next_checkpoint, last_shown;
  bool stop;
} schedule;

/* After TERM a step may take twice the longest so far and these seconds more, before a dead rank is suspected. The
 * first one has nothing to lose. */
static const double step_patience = 5.0;

/* Will another step, a checkpoint and the samples still fit before the time limit? Twice the
 * longest step and three times the last write stand for what has not been measured. */
static bool time_is_up(const mms_session *session, double now) {
  const double limit = session->request->max_hours * 3600.0;
  const double margin = 2.0 * session->timing.longest_step + 3.0 * mms_session_write_seconds(session) + 2.0;
  return limit > 0.0 && now - session->started + margin >= limit;
}

static mms_step_request wishes(mms_session *session, schedule *when, double now) {
  const mms_run_request *request = session->request;
  mms_step_request ask = {.stop = mms_signals_stop(), .checkpoint = mms_signals_take_checkpoint()};
  if (mms_team_rank(request->team) != 0) return ask;
  if (now >= when->next_look) {
    when->next_look = now + look_interval;
    char path[4096];
    snprintf(path, sizeof path, "%s/stop", request->output.directory);
    if (access(path, F_OK) == 0) {
      if (unlink(path) != 0) /* it is obeyed once */
        mms_log_warn(request->log, "%s cannot be removed (%s): it will stop the next run too", path, strerror(errno));
      when->stop = true;
    }
    if (request->stop_file != NULL && access(request->stop_file, F_OK) == 0) when->stop = true;
  }
  ask.stop = ask.stop || when->stop || time_is_up(session, now);
  if (request->output.checkpoint_minutes > 0.0 && now >= when->next_checkpoint) ask.checkpoint = true;
  return ask;
}

/* A checkpoint on the way. One that cannot be written is a warning: the older ones are still there. */
static void checkpoint(mms_session *session, schedule *when) {
  mms_error error = mms_error_none();
  if (mms_session_write_checkpoint(session, &error) != MMS_OK)
    mms_log_warn(session->request->log, "no checkpoint was written, the run goes on with the older ones: %s",
                 error.message);
  else
    mms_log_detail(session->request->log, "checkpoint at step %lld written in %.2f s",
                   (long long)mms_dynamics_steps_done(session->dynamics), session->timing.last_checkpoint);
  const double wanted = 60.0 * session->request->output.checkpoint_minutes;
  const double affordable = session->timing.last_checkpoint / write_budget;
  when->next_checkpoint = mms_clock_seconds() + (wanted > affordable ? wanted : affordable);
}

static void count_time(mms_run_timing *timing, const mms_step_report *report, double seconds) {
  timing->field += report->seconds_field;
  timing->reduce += report->seconds_reduce;
  timing->algebra += report->seconds_algebra;
  if (seconds > timing->longest_step) timing->longest_step = seconds;
}

/* A stop was asked for and its checkpoint could not be written: there is nothing left but to say so. */
static mms_status stopped_without_checkpoint(const mms_session *session, mms_status status, mms_error *error) {
  mms_fail_within(error,
                  "stopped at step %lld, and no checkpoint could be written: the same command goes on from the one "
                  "before, if there is one",
                  (long long)mms_dynamics_steps_done(session->dynamics));
  return status == MMS_ERR_INPUT ? MMS_ERR_SYSTEM : status; /* the folder was good at the start */
}

/* A picture on the way. One that cannot be written is a warning: the run is worth more. */
static void snapshot(mms_session *session, int64_t step) {
  char name[64];
  mms_error error = mms_error_none();
  snprintf(name, sizeof name, "snapshot-%lld.h5", (long long)step);
  if (mms_session_write_samples(session, name, true, &error) != MMS_OK)
    mms_log_warn(session->request->log, "%s was not written, the run goes on without it: %s", name, error.message);
}

/* Step to the end, or to an orderly stop (MMS_STOPPED, with a checkpoint behind it). */
static mms_status advance(mms_session *session, mms_error *error) {
  const mms_run_request *request = session->request;
  const int64_t steps = mms_sampler_steps(&request->sampler), snapshot_every = request->output.snapshot_every;
  const double begun = mms_clock_seconds();
  schedule when = {.next_checkpoint = begun + 60.0 * request->output.checkpoint_minutes, .last_shown = begun};
  mms_status status = MMS_OK;
  for (int64_t step = mms_dynamics_steps_done(session->dynamics) + 1; step <= steps && status == MMS_OK; step++) {
    const double now = mms_clock_seconds();
    mms_step_request ask = wishes(session, &when, now);
    ask.observe = mms_trace_wants(&session->trace, step);
    const bool pictured = snapshot_every > 0 && step % snapshot_every == 0 && step < steps;
    ask.more = step < steps && !pictured;
    mms_step_report report;
    mms_signals_expect(step_patience + 2.0 * session->timing.longest_step);
    mms_observations_record(&session->observations, session->dynamics, step - 1);
    status = mms_dynamics_step(session->dynamics, &ask, &report, error);
    if (status != MMS_OK) {
      /* the last good state, for whoever wants to look at it, where this process made one */
      if (mms_dynamics_steps_done(session->dynamics) > session->steps_at_start) checkpoint(session, &when);
      return status;
    }
    mms_trace_record(&session->trace, step, &report);
    count_time(&session->timing, &report, mms_clock_seconds() - now);
    if (report.stop && step < steps) {
      status = mms_session_write_checkpoint(session, error);
      return status == MMS_OK ? MMS_STOPPED : stopped_without_checkpoint(session, status, error);
    }
    if (report.checkpoint && step < steps) checkpoint(session, &when);
    if (pictured) snapshot(session, step);
    mms_session_progress(session, &report, mms_clock_seconds(), &when.last_shown);
  }
  return status;
}

/* What the trace says at the end, in two lines. */
static void report_trace(const mms_session *session) {
  const mms_trace *trace = &session->trace;
  mms_log *log = session->request->log;
  mms_mixing mixing;
  int worst = 0;
  if (mms_mixing_worst(&mixing, trace, &worst))
    mms_log_info(log,
                 "mixing     R-hat %.3g (%s) over chunks of particles%s; a snapshot is new after some %.3g steps, the "
                 "second half of the trace holds %.3g",
                 mixing.r_hat, mms_observable_words[worst],
                 mixing.r_hat > 1.1 ? ": they still remember where they began" : "", mixing.tau, mixing.snapshots);
  if (trace->count == 0) return;
  const double *last = trace->values + trace->count - 1;
  double nearest[MMS_QUANTILES], ratio = last[MMS_TRACE_STEP_RATIO * trace->capacity];
  for (int q = 0; q < MMS_QUANTILES; q++) nearest[q] = last[(MMS_TRACE_NEAREST + q) * trace->capacity];
  char words[64] = "";
  if (!isnan(ratio)) snprintf(words, sizeof words, "; the field moves %.2g times what the noise does", ratio);
  if (!isnan(nearest[0]))
    mms_log_info(log,
                 "nearest    5, 50, 95 %% of the particles are within %.2g, %.2g, %.2g bandwidths of a training "
                 "point%s",
                 nearest[0], nearest[1], nearest[2], words);
}

/* The last checkpoint (so that more steps can be added later), the samples, the closing lines. */
static mms_status finish(mms_session *session, mms_error *error) {
  const mms_run_request *request = session->request;
  schedule unused = {0};
  checkpoint(session, &unused);
  mms_status status = mms_session_write_samples(session, "samples.h5", true, error);
  if (status != MMS_OK) return mms_session_rescue(session, status, error);
  double mean_defect = 0.0, covariance_defect = 0.0;
  status = mms_dynamics_measure(session->dynamics, &mean_defect, &covariance_defect, error);
  if (status != MMS_OK) return status;
  const mms_run_timing *timing = &session->timing;
  const double total = mms_clock_seconds() - session->started;
  mms_log_info(request->log,
               "finished   %lld steps in %.2f s (field %.0f%%, all-reduce %.0f%%, constraint %.0f%%, files %.0f%%)",
               (long long)(mms_dynamics_steps_done(session->dynamics) - session->steps_at_start), total,
               100.0 * timing->field / total, 100.0 * timing->reduce / total, 100.0 * timing->algebra / total,
               100.0 * timing->output / total);
  mms_log_info(request->log, "moments    mean defect %.1e, covariance defect %.1e (relative to the target)",
               mean_defect, covariance_defect);
  report_trace(session);
  mms_memory_watch_look(&session->memory, request->team, false);
  double most = session->memory.most;
  mms_team_max_double(request->team, &most, 1);
  if (most > 0.0)
    mms_log_info(request->log, "memory     at most %.1f MiB on the largest rank, shared pages counted once",
                 most / (1024.0 * 1024.0));
  mms_log_info(request->log, "result     %s/samples.h5", request->output.directory);
  mms_log_info(request->log, "look at it with: mmsold plot %s/samples.h5 --output %s/samples.png",
               request->output.directory, request->output.directory);
  return MMS_OK;
}

/* Rank 0 opens and looks at the output folder; all learn what is there. Collective; agreed. */
static mms_status open_folder(mms_folder *folder, const mms_run_request *request, mms_found *found, uint64_t *checksum,
                              mms_error *error) {
  mms_status status = MMS_OK;
  if (mms_team_rank(request->team) == 0) {
    char *aside = NULL;
    status = mms_folder_open(folder, request->output.directory, request->fresh, &aside, error);
    if (aside != NULL) mms_log_info(request->log, "the old output is kept in %s", aside);
    free(aside);
    if (status == MMS_OK) status = mms_resume_look(request, found, checksum, error);
  }
  status = mms_team_agree(request->team, status, error);
  if (status == MMS_OK) mms_team_broadcast(request->team, found, sizeof *found, 0);
  return status;
}

mms_status mms_session_check_folders(const mms_run_request *request, mms_error *error) {
  mms_status status = MMS_OK;
  if (mms_team_rank(request->team) == 0) {
    status = mms_folder_check(request->output.directory, error);
    if (status == MMS_OK) status = mms_folder_check_fallback(request->output.fallback, error);
  }
  return mms_team_agree(request->team, status, error);
}

/* What stands there is finished. */
static mms_status nothing_to_do(const mms_run_request *request, uint64_t checksum, mms_error *error) {
  mms_status status = mms_resume_check_finished(request, checksum, error);
  if (status == MMS_OK)
    mms_log_info(request->log, "%s/samples.h5 is finished (%lld steps): nothing to do; --fresh starts over",
                 request->output.directory, (long long)mms_sampler_steps(&request->sampler));
  return status;
}

/* The peak of memory as it is known at the start. Collective; agreed. */
static mms_status say_peak(mms_session *session, mms_error *error) {
  char *text = NULL;
  mms_status status = mms_session_describe_peak(session, &text, error);
  status = mms_team_agree(session->request->team, status, error);
  if (status == MMS_OK && text[0] != '\0') mms_log_info(session->request->log, "%s", text);
  free(text);
  return status;
}

static mms_status begin(mms_session *session, mms_found found, mms_error *error) {
  const mms_run_request *request = session->request;
  char *text = NULL;
  mms_status status = mms_session_describe(session, &text, error);
  status = mms_team_agree(request->team, status, error);
  if (status == MMS_OK) mms_log_info(request->log, "%s", text);
  free(text);
  if (status != MMS_OK) return status;
  mms_session_warn(session);
  mms_session_warn_unlike_processors(session);
  if (found == MMS_FOUND_CHECKPOINTS)
    status = mms_resume_read(session, error);
  else
    status = mms_dynamics_start(session->dynamics, error);
  if (status != MMS_OK) return status;
  status = say_peak(session, error);
  if (status == MMS_OK) mms_session_warn_long_step(session);
  return status;
}

void mms_run_series_begin(void) { mms_signals_begin(false); }
void mms_run_series_end(void) { mms_signals_end(); }
bool mms_run_stop_asked(void) { return mms_signals_stop(); }

mms_status mms_run(const mms_run_request *request, mms_error *error) {
  mms_status status = mms_team_refuse_singletons(request->team, error);
  if (status != MMS_OK) return status;
  mms_session session = {.folder = {.lock = -1}};
  mms_folder folder = {.lock = -1};
  mms_found found = MMS_FOUND_NOTHING;
  uint64_t checksum = 0;
  mms_signals_begin(mms_team_rank(request->team) <= 1); /* where one rank is dead, the other one says so */
  status = mms_session_check_folders(request, error);
  if (status == MMS_OK && !request->fresh) status = open_folder(&folder, request, &found, &checksum, error);
  if (status != MMS_OK || found == MMS_FOUND_FINISHED) {
    if (status == MMS_OK) status = nothing_to_do(request, checksum, error);
    mms_folder_close(&folder);
    mms_signals_end();
    return status;
  }
  status = mms_session_open(&session, request, error);
  /* The old output is moved only once everything else is there to begin with. */
  if (status == MMS_OK && request->fresh) status = open_folder(&folder, request, &found, &checksum, error);
  session.folder = folder;
  if (status == MMS_OK) status = begin(&session, found, error);
  if (status == MMS_OK) status = advance(&session, error);
  if (status == MMS_OK) status = finish(&session, error);
  if (status == MMS_STOPPED)
    mms_log_info(request->log,
                 "stopped    in order after step %lld of %lld; a checkpoint is in %s: run the same "
                 "command again to go on",
                 (long long)mms_dynamics_steps_done(session.dynamics), (long long)mms_sampler_steps(&request->sampler),
                 request->output.directory);
  mms_signals_end();
  mms_session_close(&session);
  return status;
}
