/* What a block's step is made of, whatever the way of moving. */
#include "dynamics/method.h"
#include "mmsold/random/random.h"
#include <math.h>
#include <string.h>

mms_block_rows mms_method_rows(const mms_dynamics *dynamics, int64_t b) {
  const mms_blocks *blocks = &dynamics->ensemble.blocks;
  int64_t first = mms_blocks_first_row(blocks, b);
  return (mms_block_rows){
      .first = first, .rows = mms_blocks_rows(blocks, b), .offset = (first - blocks->first_row) * dynamics->target.dim};
}

/* On the manifold |y| <= √P, and P < 2^48. Without it nobody is that many standard deviations away who did not fly
 * apart, and the exact sums refuse what is not much farther. */
static const double FARTHEST = 16777216.0; /* 2^24 */

static bool on_the_map(int64_t count, const double *y) {
  bool within = true;
  for (int64_t i = 0; i < count; i++) within = within && fabs(y[i]) <= FARTHEST; /* false for NaN */
  return within;
}

bool mms_method_block_is_there(const mms_dynamics *dynamics, int64_t b) {
  mms_block_rows block = mms_method_rows(dynamics, b);
  return on_the_map(block.rows * dynamics->target.dim, dynamics->ensemble.y + block.offset);
}

bool mms_method_block_is_sound(mms_dynamics *dynamics, int64_t b) {
  mms_block_rows block = mms_method_rows(dynamics, b);
  int64_t count = block.rows * dynamics->target.dim;
  if (mms_method_block_is_there(dynamics, b)) return true;
  memset(dynamics->w + block.offset, 0, (size_t)count * sizeof *dynamics->w);
  dynamics->bad_blocks++;
  if (dynamics->bad_block < 0) dynamics->bad_block = b;
  return false;
}

mms_status mms_method_means(mms_dynamics *dynamics, int64_t step, int64_t b, const double *points, double bandwidth,
                            double smoothing, mms_error *error) {
  const mms_score_options *score = &dynamics->context.score;
  mms_block_rows block = mms_method_rows(dynamics, b);
  mms_queries queries = {.count = block.rows,
                         .points = points,
                         .bandwidth = bandwidth,
                         .smoothing = smoothing,
                         .pairs = dynamics->pairs,
                         .noise = score->noise,
                         .sharing = score->sharing,
                         .seed = dynamics->context.sampler.seed,
                         .step = (uint64_t)step,
                         .first_particle = block.first,
                         .block = b};
  mms_status status = MMS_OK;
  if (dynamics->asked.asking) return mms_method_note(dynamics, b, &queries);
  if (dynamics->asked.together)
    mms_method_answer(dynamics, b);
  else
    status = mms_field_softmax_mean(dynamics->field, &queries, dynamics->mean, dynamics->log_mass, error);
  if (status != MMS_OK) return status;
  double constant = log((double)dynamics->context.training->count), potential = 0.0; /* V = log n + dσ²/(2δ²) − … */
  if (dynamics->pairs > 0) {
    double ratio = smoothing / bandwidth;
    constant += 0.5 * (double)dynamics->target.dim * ratio * ratio;
  }
  for (int64_t i = 0; i < block.rows; i++) potential += constant - dynamics->log_mass[i];
  dynamics->potential[b - dynamics->ensemble.blocks.first] = potential;
  return MMS_OK;
}

void mms_method_noise(const mms_dynamics *dynamics, int64_t step, int64_t b, double *xi) {
  mms_block_rows block = mms_method_rows(dynamics, b);
  const mms_random_key key = {.seed = dynamics->context.sampler.seed,
                              .stream = MMS_STREAM_LANGEVIN,
                              .step = (uint64_t)step,
                              .item = (uint64_t)block.first};
  mms_random_normals_items(key, block.rows, dynamics->target.dim, xi);
}

/* What was wrong with a particle, in the order in which it is looked for. */
enum { BAD_POSITION, BAD_INCREMENT, LARGE_INCREMENT };

/* The worst row of this rank's first refused block: the first whose position or increment is not
 * finite, else the one that moved most. */
static int64_t find_culprit(const mms_dynamics *dynamics, int *kind, double *size) {
  mms_block_rows block = mms_method_rows(dynamics, dynamics->bad_block);
  int64_t d = dynamics->target.dim, worst = 0;
  *size = 0.0;
  for (int64_t i = 0; i < block.rows; i++) {
    const double *y = dynamics->ensemble.y + block.offset + i * d, *w = dynamics->w + block.offset + i * d;
    double length = 0.0; /* by hypot: the squares of what is refused here may overflow */
    bool finite = true;
    for (int64_t k = 0; k < d; k++) {
      length = hypot(length, w[k]);
      finite = finite && isfinite(w[k]);
    }
    *kind = !on_the_map(d, y) ? BAD_POSITION : !finite ? BAD_INCREMENT : LARGE_INCREMENT;
    if (*kind != LARGE_INCREMENT) return block.first + i;
    if (length > *size) {
      *size = length;
      worst = i;
    }
  }
  return block.first + worst;
}

/* How the step stands to its bound, and what follows. */
static void describe_cause(const mms_dynamics *dynamics, char *text, size_t size) {
  double share = dynamics->step_size / dynamics->step_bound;
  if (isinf(dynamics->step_bound)) {
    snprintf(text, size, "step_size = %g: look at the data, the smoothing and the bandwidth", dynamics->step_size);
    return;
  }
  const char *cause = "the step size is within the bound, so look at the data and the bandwidth";
  if (share > 1.0) cause = "above 1 the scheme is unstable: take a smaller step_size, auto, or the exponential scheme";
  if (share > 1.0 && dynamics->method->velocities)
    cause = "above 1 the scheme is unstable: take a smaller step_size, or auto";
  if (dynamics->always_stable) cause = "a smaller step_size or a larger bandwidth may help";
  snprintf(text, size, "step_size = %g is %.3g times the stability bound %.3g (%s)", dynamics->step_size, share,
           dynamics->step_bound, cause);
}

mms_status mms_method_explain(const mms_dynamics *dynamics, int64_t step, mms_error *error) {
  const mms_team *team = dynamics->context.team;
  char cause[256];
  describe_cause(dynamics, cause, sizeof cause);
  int kind = BAD_POSITION;
  double size = 0.0, lowest = -INFINITY; /* of −id: the helper takes maxima */
  int64_t mine = -1;
  if (dynamics->bad_block >= 0) {
    mine = find_culprit(dynamics, &kind, &size);
    lowest = -(double)mine;
  }
  mms_team_max_double(team, &lowest, 1);
  if (isinf(lowest)) /* no particle alone is to blame: the reduced matrix was not definite */
    return mms_fail_within(error, "step %lld: %s", (long long)step, cause);
  int64_t particle = (int64_t)-lowest;
  double seen[2] = {-INFINITY, -INFINITY};
  if (mine == particle) {
    seen[0] = kind;
    seen[1] = isfinite(size) ? size : 0.0;
  }
  mms_team_max_double(team, seen, 2);
  if ((int)seen[0] == BAD_POSITION && dynamics->constraint != NULL)
    return mms_fail(error, MMS_ERR_NUMERIC,
                    "step %lld: the position of particle %lld is not finite or far off the moment manifold before the "
                    "step: the state that was taken over is damaged",
                    (long long)step, (long long)particle);
  if ((int)seen[0] == BAD_POSITION)
    return mms_fail(error, MMS_ERR_NUMERIC,
                    "step %lld: the position of particle %lld is not finite or millions of standard deviations from "
                    "the target's mean before the step; %s",
                    (long long)step, (long long)particle, cause);
  char moved[64] = "is not finite";
  if ((int)seen[0] == LARGE_INCREMENT) snprintf(moved, sizeof moved, "is %.3g standard deviations long", seen[1]);
  return mms_fail(error, MMS_ERR_NUMERIC, "step %lld: the increment of particle %lld %s; %s", (long long)step,
                  (long long)particle, moved, cause);
}
