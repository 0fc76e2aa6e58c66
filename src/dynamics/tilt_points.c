#include "dynamics/tilt_points.h"

#include "mmsold/base/memory.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Draws the tilt is estimated with, over all points: as many as in 16 steps of the run, within these. A gradient is off
 * by some σ/δ² a draw where smoothing blurs the points together, and λ by that over the square root of the draws. */
static const double LEAST_DRAWS = 65536.0, MOST_DRAWS = 1048576.0, STEPS_WORTH = 16.0;

/* Times the M draws of a gradient are repeated. The same on every rank. */
static int64_t count_repeats(const mms_dynamics *dynamics, int64_t points) {
  const mms_dynamics_context *context = &dynamics->context;
  if (dynamics->pairs == 0 || context->score.noise == MMS_NOISE_FIXED) return 1; /* it would be the same again */
  const double draws = 2.0 * (double)dynamics->pairs;
  const double wanted = fmin(fmax(STEPS_WORTH * draws * (double)context->sampler.particles, LEAST_DRAWS), MOST_DRAWS);
  return (int64_t)ceil(wanted / (draws * (double)points));
}

/* Fresh draws of the tilt are named by steps counted down from the last one that a key can hold; no run gets there. */
static const uint64_t LAST_STEP = ((uint64_t)1 << 40) - 1;

/* gradients [n_local][d] = the average of the repeats. Local. */
static mms_status find_gradients(const mms_dynamics *dynamics, const mms_blocks *blocks, const double *points,
                                 double *gradients, double *tile, mms_error *error) {
  const mms_score_options *score = &dynamics->context.score;
  const int64_t d = dynamics->target.dim, repeats = count_repeats(dynamics, blocks->total);
  for (int64_t b = blocks->first; b < blocks->end; b++) {
    const int64_t first = mms_blocks_first_row(blocks, b), rows = mms_blocks_rows(blocks, b);
    const int64_t offset = (first - blocks->first_row) * d;
    memset(gradients + offset, 0, (size_t)(rows * d) * sizeof *gradients);
    for (int64_t repeat = 0; repeat < repeats; repeat++) {
      const mms_queries queries = {.count = rows,
                                   .points = points + offset,
                                   .bandwidth = score->bandwidth,
                                   .smoothing = score->smoothing,
                                   .pairs = dynamics->pairs,
                                   .noise = score->noise,
                                   .sharing = score->sharing,
                                   .seed = dynamics->context.sampler.seed,
                                   .step = LAST_STEP - (uint64_t)repeat,
                                   .first_particle = first,
                                   .block = b};
      mms_status status = mms_field_gradient(dynamics->field, &queries, tile, NULL, error);
      if (status != MMS_OK) return status;
      for (int64_t i = 0; i < rows * d; i++) gradients[offset + i] += tile[i] / (double)repeats;
    }
  }
  return MMS_OK;
}

/* Are the points of a run with this target? Its moments went through a file and back: to rounding. */
static mms_status check_target(const mms_tilt_points *given, const mms_target *target, mms_error *error) {
  const int64_t d = target->dim;
  const double length = sqrt(target->eigenvalues.data[0]), tolerance = 1e-12;
  double away = 0.0;
  for (int64_t k = 0; given->mean != NULL && k < d; k++)
    away = fmax(away, fabs(given->mean[k] - target->mean.data[k]) / (length + fabs(target->mean.data[k])));
  for (int64_t k = 0; given->covariance != NULL && k < d * d; k++)
    away = fmax(away, fabs(given->covariance[k] - target->covariance.data[k]) / (length * length));
  if (away <= tolerance) return MMS_OK;
  return mms_fail(error, MMS_ERR_INPUT,
                  "the points of the tilt are of a run with another target (its moments differ by %.3g of the target's "
                  "scale): take particles of a run with this training set and bandwidth",
                  away);
}

mms_blocks mms_dynamics_tilt_blocks(const mms_dynamics_context *context, int64_t count) {
  const int64_t draws = context->score.smoothing > 0.0 ? context->score.smoothing_samples : 0;
  const int64_t own = mms_ensemble_block_size(context->sampler.particles, context->training->dim, draws);
  const int64_t size = own > MMS_TILT_LEAST_ROWS ? own : MMS_TILT_LEAST_ROWS;
  return mms_blocks_make_even(count, (count + size - 1) / size, mms_team_rank(context->team),
                              mms_team_size(context->team));
}

mms_status mms_tilt_points_solve(mms_tilt *tilt, const mms_dynamics *dynamics, mms_error *error) {
  const mms_dynamics_context *context = &dynamics->context;
  const mms_team *team = context->team;
  const int64_t d = dynamics->target.dim;
  const mms_tilt_points *given = context->tilt_points;
  mms_blocks blocks = mms_dynamics_tilt_blocks(context, given != NULL ? given->count : context->training->count);
  const double *points = given != NULL ? given->points : context->training->points + blocks.first_row * d;
  double *gradients = NULL, *tile = NULL;
  *tilt = (mms_tilt){0};
  mms_status status = given != NULL ? check_target(given, &dynamics->target, error) : MMS_OK;
  if (status == MMS_OK)
    status = mms_allocate_doubles(&gradients, blocks.n_local * d, "gradients at the points of the tilt", error);
  if (status == MMS_OK)
    status = mms_allocate_doubles(&tile, blocks.size * d, "gradients at the points of the tilt", error);
  if (status == MMS_OK) status = find_gradients(dynamics, &blocks, points, gradients, tile, error);
  status = mms_team_agree(team, status, error);
  if (status == MMS_OK)
    status = mms_tilt_solve(tilt, team, &dynamics->target, &blocks, points, gradients, false, error);
  free(gradients);
  free(tile);
  if (status != MMS_OK) return status;
  status = mms_team_agree(team, mms_tilt_check(tilt, NULL, error), error);
  if (status != MMS_OK) mms_tilt_free(tilt);
  return status;
}
