/* MM-SOLD: overdamped Langevin dynamics of the whole ensemble on the moment manifold (ALGORITHMS 2 and 3).
 *
 * The whole state is (Y, number of steps done): the noise of step t, ξ_prev included, is made again
 * from its key whenever it is needed, and step 0's is the first ξ_prev. */
#include "dynamics/increment.h"
#include "dynamics/method.h"
#include "mmsold/base/clock.h"
#include "mmsold/base/memory.h"
#include "mmsold/random/random.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* The state begins with what all ways of moving have. */
typedef struct langevin {
  mms_dynamics base;
  mms_increment increment;
  double constant;  /* V = constant − log_mass: log n + dσ²/(2δ²) */
  int64_t pairs;    /* M/2, or 0 where there is nothing to smooth */
  double *w;        /* [n_local][d] */
  double *z, *mean; /* [block size][d] */
  double *xi, *xi_previous;
  double *log_mass;  /* [block size] */
  int64_t bad_block; /* the first local block that was refused in this step, or −1 */
} langevin;

static mms_status allocate(langevin *self, mms_error *error) {
  mms_dynamics *base = &self->base;
  const mms_blocks *blocks = &base->ensemble.blocks;
  int64_t d = base->target.dim, tile = blocks->size * d;
  mms_status status = mms_allocate_doubles(&self->w, blocks->n_local * d, "the increments", error);
  if (status == MMS_OK) status = mms_allocate_doubles(&self->z, tile, "a block's positions", error);
  if (status == MMS_OK) status = mms_allocate_doubles(&self->mean, tile, "a block's softmax means", error);
  if (status == MMS_OK) status = mms_allocate_doubles(&self->xi, tile, "a block's noise", error);
  if (status == MMS_OK) status = mms_allocate_doubles(&self->xi_previous, tile, "a block's noise", error);
  if (status == MMS_OK) status = mms_allocate_doubles(&self->log_mass, blocks->size, "a block's log mass", error);
  return status;
}

/* What only this rank's memory can refuse, after target and field stand. */
static mms_status create_local(langevin *self, mms_error *error) {
  mms_dynamics *base = &self->base;
  const mms_sampler_options *sampler = &base->context.sampler;
  const mms_score_options *score = &base->context.score;
  int64_t d = base->target.dim;
  base->step_size =
      sampler->step_size_auto ? mms_increment_auto_step(sampler->scheme, &base->target) : sampler->step_size;
  self->constant = log((double)base->context.training->count);
  if (self->pairs > 0) {
    double ratio = score->smoothing / score->bandwidth;
    self->constant += 0.5 * (double)d * ratio * ratio;
  }
  mms_status status = mms_increment_create(&self->increment, sampler->scheme, base->step_size, &base->target, error);
  if (status == MMS_OK)
    status = mms_constraint_create(&base->constraint, &base->ensemble.blocks, d, sampler->retraction, error);
  if (status == MMS_OK) status = allocate(self, error);
  return status;
}

static mms_status langevin_create(mms_dynamics **dynamics, const mms_dynamics_context *context, mms_error *error) {
  void *memory = NULL;
  mms_status status = mms_allocate(&memory, 1, sizeof(langevin), "the dynamics", error);
  langevin *self = memory;
  const mms_sampler_options *sampler = &context->sampler;
  const mms_score_options *score = &context->score;
  if (status == MMS_OK) {
    *dynamics = &self->base;
    self->base.method = &mms_method_mmsold;
    self->base.context = *context;
    self->pairs = score->smoothing > 0.0 ? score->smoothing_samples / 2 : 0;
    if (sampler->particles <= context->training->dim) { /* refused before the work of target and field is done */
      mms_blocks blocks = mms_blocks_make(sampler->particles, 1, 0, 1);
      mms_constraint *refused = NULL;
      status = mms_constraint_create(&refused, &blocks, context->training->dim, sampler->retraction, error);
    }
  }
  status = mms_team_agree(context->team, status, error);
  if (status == MMS_OK)
    status = mms_target_create(&self->base.target, context->team, context->training, score->bandwidth,
                               mms_increment_factor(sampler->scheme), error);
  if (status == MMS_OK) {
    mms_dynamics *base = &self->base;
    status = mms_ensemble_create(&base->ensemble, context->team, sampler->particles, base->target.dim, 2 * self->pairs,
                                 error);
    if (status == MMS_OK) {
      base->target.tile = base->ensemble.blocks.size;
      status = create_local(self, error);
    }
    status = mms_team_agree(context->team, status, error);
  }
  if (status == MMS_OK)
    status = mms_field_create(&self->base.field, context->team, context->training, score->backend,
                              self->base.ensemble.blocks.size, self->pairs, error);
  return status;
}

static void langevin_free(mms_dynamics *dynamics) {
  langevin *self = (langevin *)dynamics;
  mms_field_free(&dynamics->field);
  mms_constraint_free(&dynamics->constraint);
  mms_ensemble_free(&dynamics->ensemble);
  mms_target_free(&dynamics->target);
  mms_increment_free(&self->increment);
  free(self->w);
  free(self->z);
  free(self->mean);
  free(self->xi);
  free(self->xi_previous);
  free(self->log_mass);
  free(self);
}

static mms_status langevin_start(mms_dynamics *dynamics, mms_error *error) {
  const mms_dynamics_context *context = &dynamics->context;
  mms_status status = mms_ensemble_start(&dynamics->ensemble, context->team, context->training, &dynamics->target,
                                         dynamics->constraint, context->sampler.seed, error);
  if (status == MMS_OK) dynamics->step = 0;
  return status;
}

/* xi [rows][d]: the raw noise of step `step` for the particles from global index `first` on. */
static void draw_noise(const langevin *self, int64_t step, int64_t first, int64_t rows, double *xi) {
  const mms_random_key key = {.seed = self->base.context.sampler.seed,
                              .stream = MMS_STREAM_LANGEVIN,
                              .step = (uint64_t)step,
                              .item = (uint64_t)first};
  mms_random_normals_items(key, rows, self->base.target.dim, xi);
}

static bool all_finite(int64_t count, const double *values) {
  bool finite = true;
  for (int64_t i = 0; i < count; i++) finite = finite && isfinite(values[i]);
  return finite;
}

/* On the manifold |y| <= √P, and P < 2^48. */
static const double FARTHEST = 16777216.0; /* 2^24 */

static bool on_the_map(int64_t count, const double *y) {
  bool within = true;
  for (int64_t i = 0; i < count; i++) within = within && fabs(y[i]) <= FARTHEST; /* false for NaN */
  return within;
}

/* Block b of step `step`: its W, and its potential into the sums. A failure is only this
 * rank's; numbers that went wrong are counted, not returned. */
static mms_status do_block(langevin *self, int64_t step, int64_t b, mms_error *error) {
  mms_dynamics *base = &self->base;
  const mms_blocks *blocks = &base->ensemble.blocks;
  const mms_score_options *score = &base->context.score;
  int64_t d = base->target.dim, first = mms_blocks_first_row(blocks, b), rows = mms_blocks_rows(blocks, b);
  const double *y = base->ensemble.y + (first - blocks->first_row) * d;
  double *w = self->w + (first - blocks->first_row) * d;
  mms_target_positions(&base->target, rows, y, self->z);
  if (!on_the_map(rows * d, y)) { /* no query for the field */
    memset(w, 0, (size_t)(rows * d) * sizeof *w);
    mms_constraint_count(base->constraint, MMS_COUNT_NONFINITE, 1);
    if (self->bad_block < 0) self->bad_block = b;
    return MMS_OK;
  }
  mms_queries queries = {.count = rows,
                         .points = self->z,
                         .bandwidth = score->bandwidth,
                         .smoothing = score->smoothing,
                         .pairs = self->pairs,
                         .noise = score->noise,
                         .sharing = score->sharing,
                         .seed = base->context.sampler.seed,
                         .step = (uint64_t)step,
                         .first_particle = first,
                         .block = b};
  mms_status status = mms_field_softmax_mean(base->field, &queries, self->mean, self->log_mass, error);
  if (status != MMS_OK) return status;
  double potential = 0.0;
  for (int64_t i = 0; i < rows; i++) potential += self->constant - self->log_mass[i];
  mms_constraint_add_potential(base->constraint, potential);

  draw_noise(self, step, first, rows, self->xi);
  if (self->increment.uses_previous) draw_noise(self, step - 1, first, rows, self->xi_previous);
  mms_increment_block(&self->increment, &base->target, rows, y, self->z, self->mean, self->xi_previous, self->xi, w);
  return MMS_OK;
}

/* What was wrong with a particle, in the order in which it is looked for. */
enum { BAD_POSITION, BAD_INCREMENT, LARGE_INCREMENT };

/* The worst row of this rank's first refused block: the first whose position or increment is not
 * finite, else the one that moved most. */
static int64_t find_culprit(const langevin *self, int *kind, double *size) {
  const mms_blocks *blocks = &self->base.ensemble.blocks;
  int64_t d = self->base.target.dim, first = mms_blocks_first_row(blocks, self->bad_block);
  int64_t offset = first - blocks->first_row, worst = 0;
  *size = 0.0;
  for (int64_t i = 0; i < mms_blocks_rows(blocks, self->bad_block); i++) {
    const double *y = self->base.ensemble.y + (offset + i) * d, *w = self->w + (offset + i) * d;
    double length = 0.0; /* by hypot: the squares of what is refused here may overflow */
    for (int64_t k = 0; k < d; k++) length = hypot(length, w[k]);
    *kind = !on_the_map(d, y) ? BAD_POSITION : !all_finite(d, w) ? BAD_INCREMENT : LARGE_INCREMENT;
    if (*kind != LARGE_INCREMENT) return first + i;
    if (length > *size) {
      *size = length;
      worst = i;
    }
  }
  return first + worst;
}

/* The words for numbers that went wrong in a step, the same on every rank: the particle is the one
 * of the lowest block that was refused. Collective. */
static mms_status explain(const langevin *self, int64_t step, mms_error *error) {
  const mms_dynamics *base = &self->base;
  const mms_team *team = base->context.team;
  double share = base->step_size / base->target.step_bound;
  const char *cause =
      base->context.sampler.scheme == MMS_SCHEME_EXPONENTIAL ? "a smaller step_size or a larger bandwidth may help"
      : share > 1.0 ? "above 1 the scheme is unstable: take a smaller step_size, auto, or the exponential scheme"
                    : "the step size is within the bound, so look at the data and the bandwidth";
  int kind = BAD_POSITION;
  double size = 0.0, lowest = -INFINITY; /* of −id: the helper takes maxima */
  int64_t mine = -1;
  if (self->bad_block >= 0) {
    mine = find_culprit(self, &kind, &size);
    lowest = -(double)mine;
  }
  mms_team_max_double(team, &lowest, 1);
  if (isinf(lowest)) /* no particle alone is to blame: the reduced matrix was not definite */
    return mms_fail_within(error, "step %lld: step_size = %g is %.3g times the stability bound %.3g (%s)",
                           (long long)step, base->step_size, share, base->target.step_bound, cause);
  int64_t particle = (int64_t)-lowest;
  double seen[2] = {-INFINITY, -INFINITY};
  if (mine == particle) {
    seen[0] = kind;
    seen[1] = isfinite(size) ? size : 0.0;
  }
  mms_team_max_double(team, seen, 2);
  if ((int)seen[0] == BAD_POSITION)
    return mms_fail(error, MMS_ERR_NUMERIC,
                    "step %lld: the position of particle %lld is not finite or far off the moment manifold before the "
                    "step: the state that was taken over is damaged",
                    (long long)step, (long long)particle);
  char moved[64] = "is not finite";
  if ((int)seen[0] == LARGE_INCREMENT) snprintf(moved, sizeof moved, "is %.3g standard deviations long", seen[1]);
  return mms_fail(
      error, MMS_ERR_NUMERIC,
      "step %lld: the increment of particle %lld %s; step_size = %g is %.3g times the stability bound %.3g (%s)",
      (long long)step, (long long)particle, moved, base->step_size, share, base->target.step_bound, cause);
}

static void fill_report(const langevin *self, mms_step_report *report) {
  const mms_constraint *constraint = self->base.constraint;
  mms_moments_report moments = mms_constraint_report(constraint);
  report->mean_defect = moments.mean_defect;
  report->covariance_defect = moments.covariance_defect;
  report->mean_potential = moments.potential / (double)self->base.ensemble.blocks.total;
  report->drift = moments.drift;
  report->stop = mms_constraint_counter(constraint, MMS_COUNT_STOP) > 0;
  report->checkpoint = mms_constraint_counter(constraint, MMS_COUNT_CHECKPOINT) > 0;
  report->repaired = moments.repaired;
  report->seconds_reduce = moments.seconds_reduce;
  report->seconds_algebra = moments.seconds_algebra;
}

static mms_status langevin_step(mms_dynamics *dynamics, const mms_step_request *request, mms_step_report *report,
                                mms_error *error) {
  langevin *self = (langevin *)dynamics;
  const mms_blocks *blocks = &dynamics->ensemble.blocks;
  const mms_team *team = dynamics->context.team;
  int64_t step = dynamics->step + 1;
  double field_before = mms_field_read_counters(dynamics->field).seconds;
  *report = (mms_step_report){0};
  self->bad_block = -1;

  mms_constraint_begin(dynamics->constraint);
  mms_status mine = MMS_OK;
  for (int64_t b = blocks->first; b < blocks->end && mine == MMS_OK; b++) mine = do_block(self, step, b, error);
  if (mine == MMS_OK) {
    int64_t refused = mms_constraint_add(dynamics->constraint, dynamics->ensemble.y, self->w);
    if (refused >= 0 && (self->bad_block < 0 || refused < self->bad_block)) self->bad_block = refused;
  } else {
    mms_constraint_count(dynamics->constraint, MMS_COUNT_FAILED, 1);
  }
  if (request->stop) mms_constraint_count(dynamics->constraint, MMS_COUNT_STOP, 1);
  if (request->checkpoint) mms_constraint_count(dynamics->constraint, MMS_COUNT_CHECKPOINT, 1);
  report->seconds_field = mms_field_read_counters(dynamics->field).seconds - field_before;

  mms_error reduction = mms_error_none();
  mms_status status = mms_constraint_reduce(dynamics->constraint, team, &reduction);
  if (mms_constraint_counter(dynamics->constraint, MMS_COUNT_FAILED) > 0) return mms_team_agree(team, mine, error);
  if (status != MMS_OK) {
    if (error != NULL) *error = reduction;
    status = explain(self, step, error);
  }
  if (status == MMS_OK) {
    status = mms_constraint_apply(dynamics->constraint, team, dynamics->ensemble.y, self->w, error);
    dynamics->step = status == MMS_OK ? step : MMS_STATE_LOST; /* Y is written over by then */
  }
  fill_report(self, report);
  return status;
}

static int64_t langevin_bytes(const mms_dynamics *dynamics) {
  const mms_blocks *blocks = &dynamics->ensemble.blocks;
  int64_t d = dynamics->target.dim;
  int64_t doubles = 2 * blocks->n_local * d                 /* Y and W */
                    + blocks->size * (4 * d + 1)            /* a block's tiles */
                    + 3 * d * d + (MMS_TARGET_TILE + 2) * d /* the target */
                    + 2 * d;                                /* the exponential scheme's factors */
  return doubles * (int64_t)sizeof(double) + mms_constraint_bytes(dynamics->constraint) +
         mms_field_bytes(dynamics->field);
}

const mms_method_table mms_method_mmsold = {
    .create = langevin_create,
    .free = langevin_free,
    .start = langevin_start,
    .step = langevin_step,
    .bytes = langevin_bytes,
};
