/* One step, whatever the way of moving: W block by block, ONE all-reduce, then Y + W, on the manifold or as it is. */
#include "dynamics/observe.h"
#include <math.h>

/* The sums that travel are the constraint's, or the moments' where there is none. */

static void begin(mms_dynamics *dynamics) {
  if (dynamics->constraint != NULL)
    mms_constraint_begin(dynamics->constraint);
  else
    mms_moments_begin(dynamics->moments);
}

void mms_step_count(mms_dynamics *dynamics, int counter, int64_t amount) {
  if (dynamics->constraint != NULL)
    mms_constraint_count(dynamics->constraint, counter, amount);
  else
    mms_moments_count(dynamics->moments, counter, amount);
}

int64_t mms_step_counter(const mms_dynamics *dynamics, int which) {
  return dynamics->constraint != NULL ? mms_constraint_counter(dynamics->constraint, which)
                                      : mms_moments_counter(dynamics->moments, which);
}

void mms_step_add_riders(mms_dynamics *dynamics, int64_t first, int64_t count, const double *values) {
  if (dynamics->constraint != NULL)
    mms_constraint_add_riders(dynamics->constraint, first, count, values);
  else
    mms_moments_add_riders(dynamics->moments, first, count, values);
}

void mms_step_read_riders(const mms_dynamics *dynamics, double *riders) {
  if (dynamics->constraint != NULL)
    mms_constraint_read_riders(dynamics->constraint, riders);
  else
    mms_moments_read_riders(dynamics->moments, riders);
}

/* Moments, potentials and squared velocities of all local blocks; the first block that the sums refuse, or −1. */
static int64_t add(mms_dynamics *dynamics) {
  const mms_blocks *blocks = &dynamics->ensemble.blocks;
  const double *y = dynamics->ensemble.y;
  for (int64_t b = 0; b < blocks->end - blocks->first; b++) {
    if (dynamics->constraint != NULL)
      mms_constraint_add_potential(dynamics->constraint, dynamics->potential[b]);
    else
      mms_moments_add_potential(dynamics->moments, dynamics->potential[b]);
    if (dynamics->method->velocities) mms_moments_add_speed(dynamics->moments, dynamics->speed[b]);
  }
  return dynamics->constraint != NULL ? mms_constraint_add(dynamics->constraint, y, dynamics->w)
                                      : mms_moments_add(dynamics->moments, y, dynamics->w);
}

static mms_status reduce(mms_dynamics *dynamics, mms_error *error) {
  const mms_team *team = dynamics->context.team;
  return dynamics->constraint != NULL ? mms_constraint_reduce(dynamics->constraint, team, error)
                                      : mms_moments_reduce(dynamics->moments, team, error);
}

static mms_status apply(mms_dynamics *dynamics, mms_error *error) {
  double *y = dynamics->ensemble.y;
  if (dynamics->constraint != NULL)
    return mms_constraint_apply(dynamics->constraint, dynamics->context.team, y, dynamics->w, error);
  int64_t entries = dynamics->ensemble.blocks.n_local * dynamics->target.dim;
  for (int64_t i = 0; i < entries; i++) y[i] += dynamics->w[i];
  if (dynamics->method->accept != NULL) dynamics->method->accept(dynamics);
  return MMS_OK;
}

static void fill_report(const mms_dynamics *dynamics, mms_step_report *report) {
  mms_moments_report moments = dynamics->constraint != NULL ? mms_constraint_report(dynamics->constraint)
                                                            : mms_moments_read_report(dynamics->moments);
  report->mean_defect = moments.mean_defect;
  report->covariance_defect = moments.covariance_defect;
  report->mean_potential = moments.potential / (double)dynamics->ensemble.blocks.total;
  report->drift = moments.drift;
  report->kinetic_temperature = dynamics->method->velocities ? moments.speed : (double)NAN;
  report->stop = mms_step_counter(dynamics, MMS_COUNT_STOP) > 0;
  report->checkpoint = mms_step_counter(dynamics, MMS_COUNT_CHECKPOINT) > 0;
  report->repaired = moments.repaired;
  report->seconds_reduce = moments.seconds_reduce;
  report->seconds_algebra = moments.seconds_algebra;
}

/* W of each local block, on its own. A failure is only this rank's. */
static mms_status each_block(mms_dynamics *dynamics, int64_t step, mms_error *error) {
  const mms_blocks *blocks = &dynamics->ensemble.blocks;
  mms_status mine = dynamics->asked.together ? mms_method_ask(dynamics, step, error) : MMS_OK;
  for (int64_t b = blocks->first; b < blocks->end && mine == MMS_OK; b++) {
    dynamics->potential[b - blocks->first] = dynamics->speed[b - blocks->first] = 0.0;
    dynamics->pull_square = dynamics->noise_square = 0.0;
    if (!mms_method_block_is_sound(dynamics, b)) continue;
    mine = dynamics->method->block(dynamics, step, b, error);
    if (mine != MMS_OK || !dynamics->observing) continue;
    mms_observe_block(dynamics, b);
    mine = mms_observe_nearest(dynamics, b, error);
  }
  if (dynamics->observing && mms_field_collective(dynamics->field)) {
    mms_error observed = mms_error_none();
    mms_status status = mms_observe_together(dynamics, &observed);
    if (mine == MMS_OK && status != MMS_OK) {
      mine = status;
      if (error != NULL) *error = observed;
    }
  }
  return mine;
}

/* What this rank alone could not do after the last reduction, if it is the next one's or an agreement's to tell. */
static mms_status take_failure(mms_dynamics *dynamics, mms_error *error) {
  return dynamics->constraint != NULL ? mms_constraint_take_failure(dynamics->constraint, error) : MMS_OK;
}

/* W of this rank's blocks into the sums that travel. A failure is only this rank's. */
static mms_status prepare_sums(mms_dynamics *dynamics, int64_t step, mms_error *error) {
  mms_status mine =
      mms_method_is_spread(dynamics) ? mms_method_together(dynamics, step, error) : each_block(dynamics, step, error);
  mms_status before = take_failure(dynamics, error);
  if (before != MMS_OK) {
    mine = before;
    mms_step_count(dynamics, MMS_COUNT_LOST, 1);
  }
  if (mine == MMS_OK) {
    mms_step_count(dynamics, MMS_COUNT_NONFINITE, dynamics->bad_blocks);
    int64_t refused = add(dynamics);
    if (refused >= 0 && (dynamics->bad_block < 0 || refused < dynamics->bad_block)) dynamics->bad_block = refused;
  } else {
    mms_step_count(dynamics, MMS_COUNT_FAILED, 1);
  }
  return mine;
}

/* Y + W, and where the state is going to be looked at the agreement that all ranks have it. */
static mms_status take_step(mms_dynamics *dynamics, bool looked_at, mms_error *error) {
  mms_status status = apply(dynamics, error);
  if (status != MMS_OK || !looked_at || dynamics->constraint == NULL) return status;
  return mms_team_agree(dynamics->context.team, take_failure(dynamics, error), error);
}

mms_status mms_dynamics_step(mms_dynamics *dynamics, const mms_step_request *request, mms_step_report *report,
                             mms_error *error) {
  const mms_team *team = dynamics->context.team;
  int64_t step = dynamics->step + 1;
  double field_before = mms_field_read_counters(dynamics->field).seconds;
  *report = (mms_step_report){0};
  dynamics->bad_block = -1;
  dynamics->bad_blocks = 0;
  dynamics->observing = request->observe;

  begin(dynamics);
  mms_status mine = prepare_sums(dynamics, step, error);
  if (request->stop) mms_step_count(dynamics, MMS_COUNT_STOP, 1);
  if (request->checkpoint) mms_step_count(dynamics, MMS_COUNT_CHECKPOINT, 1);
  report->seconds_field = mms_field_read_counters(dynamics->field).seconds - field_before;

  mms_error reduction = mms_error_none();
  mms_status status = reduce(dynamics, &reduction);
  if (mms_step_counter(dynamics, MMS_COUNT_LOST) > 0) dynamics->step = MMS_STATE_LOST;
  if (mms_step_counter(dynamics, MMS_COUNT_FAILED) > 0) return mms_team_agree(team, mine, error);
  if (status != MMS_OK) {
    if (error != NULL) *error = reduction;
    status = mms_method_explain(dynamics, step, error);
  }
  if (status == MMS_OK) {
    const bool asked =
        mms_step_counter(dynamics, MMS_COUNT_STOP) + mms_step_counter(dynamics, MMS_COUNT_CHECKPOINT) > 0;
    status = take_step(dynamics, asked || !request->more, error);
    dynamics->step = status == MMS_OK ? step : MMS_STATE_LOST; /* Y is written over by then */
  }
  fill_report(dynamics, report);
  if (request->observe) mms_observe_read(dynamics, &report->observation);
  return status;
}
