/* What a run would do and cost, before it is begun. */
#include "mmsold/base/clock.h"
#include "mmsold/base/memory.h"
#include "run/session.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A step longer than this many seconds is worth a word: requests are met between steps only, and a queue gives its
 * warning five minutes before the end (jobs/run.sbatch). */
static const double long_step = 300.0;

/* Multiplications a second that no backend on no processor stays below, how many of them a trial may take, and how many
 * a draw is worth at least: its noise. */
static const double slowest_rate = 1e9, trial_work = 3e9, least_draw = 1e3;

/* Seconds of a step as judged by a part of one block of it, the slowest rank's; 0 where it is surely below long_step.
 * Collective. */
static double estimate_step(const mms_session *session) {
  const mms_run_request *request = session->request;
  const mms_ensemble *ensemble = mms_dynamics_ensemble(session->dynamics);
  const mms_blocks *blocks = &ensemble->blocks;
  const double size = fmax(least_draw, (double)session->training.count * (double)ensemble->dim);
  const int64_t pairs = request->score.smoothing > 0.0 ? request->score.smoothing_samples / 2 : 0;
  const double draws = pairs > 0 ? 2.0 * (double)pairs : 1.0;
  double slowest = (double)blocks->n_local * draws * size / slowest_rate;
  mms_team_max_double(request->team, &slowest, 1);
  if (slowest < long_step) return 0.0;

  int64_t rows = blocks->n_local > 0 ? mms_blocks_rows(blocks, blocks->first) : 0, some = pairs;
  while (some > 4 && 2.0 * (double)(rows * some) * size > trial_work) some /= 2;
  while (rows > 1 && 2.0 * (double)(rows * (some > 0 ? some : 1)) * size > trial_work) rows /= 2;
  if (mms_field_collective(mms_dynamics_field(session->dynamics))) rows = 0; /* no question for one rank alone */
  double seconds = 0.0, *points = NULL, *mean = NULL;
  const double *all = mms_dynamics_positions_together(session->dynamics);
  if (rows > 0 && mms_allocate_doubles(&points, rows * ensemble->dim, "a trial's points", NULL) == MMS_OK &&
      mms_allocate_doubles(&mean, rows * ensemble->dim, "a trial's means", NULL) == MMS_OK) {
    if (all != NULL)
      memcpy(points, all, (size_t)(rows * ensemble->dim) * sizeof *points);
    else
      mms_target_positions(mms_dynamics_target(session->dynamics), rows, ensemble->y, points);
    const mms_queries trial = {.count = rows,
                               .points = points,
                               .bandwidth = request->score.bandwidth,
                               .smoothing = request->score.smoothing,
                               .pairs = some,
                               .noise = request->score.noise,
                               .sharing = request->score.sharing,
                               .seed = request->sampler.seed,
                               .first_particle = blocks->first_row,
                               .block = blocks->first};
    const double begun = mms_clock_seconds();
    /* where it fails the step will, and say why */
    if (mms_field_softmax_mean(mms_dynamics_field(session->dynamics), &trial, mean, NULL, NULL) == MMS_OK)
      seconds = (mms_clock_seconds() - begun) * (double)blocks->n_local / (double)rows * draws /
                (some > 0 ? 2.0 * (double)some : 1.0);
  }
  free(points);
  free(mean);
  mms_team_max_double(request->team, &seconds, 1);
  return seconds;
}

double mms_session_warn_long_step(const mms_session *session) {
  const double seconds = estimate_step(session);
  if (seconds <= long_step) return 0.0;
  mms_log_warn(
      session->request->log,
      "a step takes about %.2g minutes (estimated from a part of one): a checkpoint, a stop and --max-hours are "
      "met between steps only; take more ranks, or fewer score.smoothing_samples",
      seconds / 60.0);
  return seconds;
}

/* One step to warm caches up, then up to five (of a run that has so many) as long as they take half a second together,
 * of which the fastest counts: the others tell of other work on the machine. Collective; agreed. */
static mms_status measure_step(const mms_session *session, double *seconds, double *share, mms_error *error) {
  enum { MOST = 6 };
  const double long_enough = 0.5;
  const mms_step_request ask = {0};
  const int64_t steps = mms_sampler_steps(&session->request->sampler);
  double spent = 0.0;
  mms_status status = MMS_OK;
  for (int trial = 0; trial < MOST && trial < steps && spent < long_enough && status == MMS_OK; trial++) {
    mms_step_report report = {0};
    const double begun = mms_clock_seconds();
    status = mms_dynamics_step(session->dynamics, &ask, &report, error);
    double taken = mms_clock_seconds() - begun;
    mms_team_max_double(session->request->team, &taken, 1); /* so that all ranks make as many */
    if (trial > 0) spent += taken;
    if (trial > 1 && taken >= *seconds) continue;
    *seconds = taken;
    *share = taken > 0.0 ? report.seconds_field / taken : 0.0;
  }
  return status;
}

/* `text`, the peak of memory, and the cost of a step and of all. Local. */
static mms_status add_cost(char **plan, const char *text, const char *peak, double seconds, const char *how,
                           int64_t steps, mms_error *error) {
  const double total = seconds * (double)steps;
  const bool brief = total < 120.0;
  return mms_format_text(plan, error, "%s%s%s\ncost       %.4g s per step, %s: about %.4g %s for %lld steps", text,
                         peak[0] != '\0' ? "\n" : "", peak, seconds, how, brief ? total : total / 60.0,
                         brief ? "s" : "minutes", (long long)steps);
}

mms_status mms_run_plan(const mms_run_request *request, char **plan, mms_error *error) {
  *plan = NULL;
  mms_session session = {.folder = {.lock = -1}};
  mms_status status = mms_session_check_folders(request, error);
  if (status == MMS_OK) status = mms_session_open(&session, request, error);
  char *text = NULL, *peak = NULL;
  double seconds = 0.0, share = 0.0;
  if (status == MMS_OK) status = mms_session_describe(&session, &text, error);
  status = mms_team_agree(request->team, status, error);
  if (status == MMS_OK) {
    mms_session_warn(&session);
    status = mms_dynamics_start(session.dynamics, error);
  }
  char how[96] = "estimated from a part of one";
  if (status == MMS_OK) seconds = mms_session_warn_long_step(&session);
  if (status == MMS_OK && seconds == 0.0) {
    status = measure_step(&session, &seconds, &share, error);
    snprintf(how, sizeof how, "the fastest of a few here (field %.0f%%)", 100.0 * share);
  }
  if (status == MMS_OK) status = mms_session_describe_peak(&session, &peak, error);
  status = mms_team_agree(request->team, status, error);
  if (status == MMS_OK) status = add_cost(plan, text, peak, seconds, how, mms_sampler_steps(&request->sampler), error);
  status = mms_team_agree(request->team, status, error);
  free(text);
  free(peak);
  mms_session_close(&session);
  return status;
}
