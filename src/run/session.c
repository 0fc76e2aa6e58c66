#include "run/session.h"
#include "run/tilt.h"

#include "mmsold/base/clock.h"
#include "mmsold/base/memory.h"
#include "mmsold/base/version.h"
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* `precision: single` against the size of the data, before the work and not after it. A set with the target's moments
 * has an entry as far from its mean as a standard deviation, and none where all numbers would round to zero says
 * anything. Where a transform stands between, only the mean is looked at. The same on every rank; Local. */
static mms_status check_precision(const mms_session *session, mms_error *error) {
  const mms_target *target = mms_dynamics_target(session->dynamics);
  const mms_transform *transform = &session->training.transform;
  if (session->request->output.precision != MMS_PRECISION_SINGLE) return MMS_OK;
  double largest = 0.0;
  const double *mean = transform->identity ? target->mean.data : transform->offset.data;
  for (int64_t k = 0; k < transform->data_dim; k++) {
    largest = fmax(largest, fabs(mean[k]));
    if (transform->identity) largest = fmax(largest, sqrt(target->variances.data[k]));
  }
  const bool vanishes = transform->identity && largest < (double)FLT_MIN;
  if (largest <= (double)FLT_MAX && !vanishes) return MMS_OK;
  return mms_fail(error, MMS_ERR_INPUT,
                  "output.precision: single cannot hold samples of size %.3g (its range is 1e-38 to 3e38): give "
                  "output.precision: double, or rescale the data",
                  largest);
}

mms_training_options mms_session_training(const mms_run_request *request) {
  mms_training_options options = request->training;
  options.may_partition = true;
  options.partition_from = mms_dynamics_partition_from(&request->sampler, &request->score);
  return options;
}

mms_status mms_session_open(mms_session *session, const mms_run_request *request, mms_error *error) {
  *session = (mms_session){.request = request, .folder = {.lock = -1}, .started = mms_clock_seconds()};
  const time_t now = time(NULL);
  struct tm utc;
  if (gmtime_r(&now, &utc) != NULL)
    strftime(session->started_at, sizeof session->started_at, "%Y-%m-%dT%H:%M:%SZ", &utc);
  const mms_training_options options = mms_session_training(request);
  mms_memory_watch_begin(&session->memory);
  mms_status status = mms_training_create(&session->training, request->team, &options, error);
  if (status != MMS_OK) return status;
  mms_memory_watch_look(&session->memory, request->team, true);
  mms_dynamics_context context = {
      .team = request->team, .training = &session->training, .score = request->score, .sampler = request->sampler};
  mms_tilt_file tilt;
  status = mms_tilt_file_read(&tilt, &context, error);
  if (status != MMS_OK) return status;
  if (tilt.given) context.tilt_points = &tilt.points;
  status = mms_dynamics_create(&session->dynamics, &context, error);
  mms_tilt_file_free(&tilt);
  if (status != MMS_OK) return status;
  mms_memory_watch_look(&session->memory, request->team, true);
  status = check_precision(session, error);
  if (status == MMS_OK)
    status = mms_trace_create(&session->trace, request->sampler.steps, request->output.trace_every, error);
  if (status == MMS_OK)
    status = mms_observations_create(&session->observations, session->dynamics, request->sampler.steps,
                                     request->output.trace_every, request->output.observables,
                                     request->output.observable_count, error);
  return mms_team_agree(request->team, status, error);
}

void mms_session_close(mms_session *session) {
  mms_trace_free(&session->trace);
  mms_observations_free(&session->observations);
  mms_dynamics_free(&session->dynamics);
  mms_training_free(&session->training);
  mms_folder_close(&session->folder);
}

/* How the ranks reduce the sums of a step. */
static const char *way_of(const mms_exact_sum *sums, const mms_team *team) {
  if (mms_team_size(team) == 1) return "one rank alone";
  if (!mms_exact_sum_is_shared(sums)) return "by MPI between all ranks";
  return mms_team_node_count(team) == 1 ? "in memory that the ranks share"
                                        : "in memory that the ranks of a node share, by MPI between nodes";
}

mms_status mms_session_describe(const mms_session *session, char **text, mms_error *error) {
  const mms_run_request *request = session->request;
  const mms_blocks *blocks = &mms_dynamics_ensemble(session->dynamics)->blocks;
  const mms_field *field = mms_dynamics_field(session->dynamics);
  const mms_exact_sum *sums = mms_dynamics_sums(session->dynamics);
  const double mib = 1024.0 * 1024.0;
  /* Where the training set's window is not shared (one rank on a node) it is simply that rank's. */
  const mms_training *training = &session->training;
  const double copy = training->partitioned ? 0.0 : (double)mms_shared_bytes(training->memory);
  const double shared = copy + (double)mms_dynamics_shared_bytes(session->dynamics);
  double largest[2] = {(double)(mms_dynamics_bytes(session->dynamics) + mms_training_bytes(training)),
                       (double)blocks->n_local};
  mms_team_max_double(request->team, largest, 2);
  char step[256];
  mms_dynamics_describe(session->dynamics, step, sizeof step);
  return mms_format_text(
      text, error,
      "mmsold %s (%s) on %d rank%s of %d node%s\n"
      "training   %s; n = %lld, d = %lld; %s\n"
      "field      %s\n"
      "step       %s\n"
      "linalg     %s\n"
      "particles  P = %lld in %lld block%s of up to %lld, at most %.0f on a rank; %lld steps\n"
      "reduction  %.1f KiB a step, %s\n"
      "memory     %.1f MiB on the largest rank, and %.1f MiB shared per node: arrays",
      mms_version(), mms_version_commit(), mms_team_size(request->team), mms_team_size(request->team) == 1 ? "" : "s",
      mms_team_node_count(request->team), mms_team_node_count(request->team) == 1 ? "" : "s",
      session->training.description, (long long)session->training.count, (long long)session->training.dim,
      mms_training_placement(training), mms_field_reason(field), step, mms_dynamics_linalg(session->dynamics),
      (long long)blocks->total, (long long)blocks->count, blocks->count == 1 ? "" : "s", (long long)blocks->size,
      largest[1], (long long)request->sampler.steps, (double)mms_exact_sum_message(sums) / 1024.0,
      way_of(sums, request->team), largest[0] / mib, shared / mib);
}

mms_status mms_session_describe_peak(mms_session *session, char **text, mms_error *error) {
  const mms_run_request *request = session->request;
  const mms_blocks *blocks = &mms_dynamics_ensemble(session->dynamics)->blocks;
  mms_memory_watch_look(&session->memory, request->team, false);
  const double files =
      mms_memory_of_files(blocks->n_local, blocks->size, session->training.dim, session->training.transform.data_dim,
                          request->output.precision == MMS_PRECISION_DOUBLE ? 8 : 4);
  return mms_memory_describe(&session->memory, request->team, files, text, error);
}

void mms_session_warn(const mms_session *session) {
  const mms_run_request *request = session->request;
  const int64_t particles = request->sampler.particles, dim = session->training.dim;
  if (mms_dynamics_moments_are_exact(session->dynamics) && particles < 2 * dim)
    mms_log_warn(request->log, "P = %lld particles in d = %lld dimensions: below 2 d the ensemble mixes poorly",
                 (long long)particles, (long long)dim);
  char caution[512];
  if (mms_dynamics_caution(session->dynamics, caution, sizeof caution)) mms_log_warn(request->log, "%s", caution);
}

/* FNV-1a of this rank's processor model and kernels, as a double that holds it exactly (52 bits). */
static double processor_fingerprint(void) {
  char text[512] = "";
  FILE *info = fopen("/proc/cpuinfo", "r");
  while (info != NULL && fgets(text, sizeof text, info) != NULL)
    if (strncmp(text, "model name", 10) == 0) break;
  if (info != NULL) fclose(info);
  strncat(text, mms_field_kernels(), sizeof text - strlen(text) - 1);
  uint64_t hash = 14695981039346656037u;
  for (const char *c = text; *c != '\0'; c++) hash = (hash ^ (unsigned char)*c) * 1099511628211u;
  return (double)(hash >> 12);
}

void mms_session_warn_unlike_processors(const mms_session *session) {
  const double mine = processor_fingerprint();
  double extremes[2] = {mine, -mine};
  mms_team_max_double(session->request->team, extremes, 2);
  if (extremes[0] != -extremes[1])
    mms_log_warn(session->request->log, "the ranks run on processors of different types: the result is right, but its "
                                        "last bits are not promised to be those of a run elsewhere");
}

/* Seconds between progress lines: often enough to be alive on a terminal, rare in a log file. */
static const double terminal_interval = 0.2, log_interval = 30.0;

void mms_session_progress(mms_session *session, const mms_step_report *report, double now, double *last_shown) {
  mms_log *log = session->request->log;
  if (log == NULL || !log->speaks || now - *last_shown < (log->terminal ? terminal_interval : log_interval)) return;
  *last_shown = now;
  const int64_t done = mms_dynamics_steps_done(session->dynamics);
  const int64_t steps = mms_sampler_steps(&session->request->sampler);
  const double rate = (double)(done - session->steps_at_start) / (now - session->started);
  const double left = rate > 0.0 ? (double)(steps - done) / rate : 0.0;
  char time_left[32];
  if (left < 100.0)
    snprintf(time_left, sizeof time_left, "%.0f s", left);
  else if (left < 6000.0)
    snprintf(time_left, sizeof time_left, "%.0f min", left / 60.0);
  else
    snprintf(time_left, sizeof time_left, "%.1f h", left / 3600.0);
  mms_log_progress(log, "step %lld of %lld (%.0f%%)  %.3g steps/s  %s left  covariance defect %.1e", (long long)done,
                   (long long)steps, 100.0 * (double)done / (double)steps, rate, time_left, report->covariance_defect);
}
