/* σ-CFDM: the closed-form flow from noise to data, smoothed (ALGORITHMS 7; C. Scarvelis et al., Closed-Form Diffusion
 * Models). z_0 ~ N(0, I); then for k = 1 … T−1, at t = k/T, one Euler step of size 1/T:
 *     w = mean over the draws of softmax_i(−(|z − t x_i|² − 2σt ε·x_i)/(2(1−t)²)),  k̄ = Σ w_i x_i,
 *     v = (k̄ − z)/(1−t),   z ← z + v/T = z + (k̄ − z)/(T − k).
 * Dividing the logit's parts by t² shows the smoothed Gaussian logit of the query z/t at bandwidth (1−t)/t and
 * smoothing σ/t, up to a constant in i: the one operation of the field, with any backend. The last step, of length 1,
 * ends on k̄ itself: with σ = 0 on a training point.
 *
 * The whole state is (Y, number of steps done). The potential that is reported is the flow's own at its time:
 * V_t(z) = −E log (1/n) Σ_i exp(−|z + σε − t x_i|²/(2(1−t)²)), as the field has it at z/t. */
#include "dynamics/method.h"

#include "mmsold/random/random.h"
#include <math.h>
#include <stdio.h>

static mms_factor flow_factor(const mms_sampler_options *sampler) {
  (void)sampler;
  return MMS_FACTOR_SCALAR;
}

static mms_status flow_prepare(mms_dynamics *dynamics, mms_error *error) {
  (void)error;
  dynamics->step_size = 1.0 / (double)dynamics->context.sampler.steps;
  dynamics->step_bound = INFINITY; /* every step goes part of the way to a mean of training points */
  dynamics->always_stable = true;
  return MMS_OK;
}

static mms_status flow_start(mms_dynamics *dynamics, mms_error *error) {
  (void)error;
  const mms_blocks *blocks = &dynamics->ensemble.blocks;
  const mms_random_key key = {
      .seed = dynamics->context.sampler.seed, .stream = MMS_STREAM_START_NOISE, .item = (uint64_t)blocks->first_row};
  double *y = dynamics->ensemble.y;
  mms_random_normals_items(key, blocks->n_local, dynamics->target.dim, y);
  mms_target_coordinates(&dynamics->target, blocks->n_local, y, y); /* entry by entry here: L is a number */
  return MMS_OK;
}

static mms_status flow_block(mms_dynamics *dynamics, int64_t step, int64_t b, mms_error *error) {
  const int64_t steps = dynamics->context.sampler.steps;
  if (step >= steps)
    return mms_fail(error, MMS_ERR_INTERNAL, "step %lld of a flow that is over after %lld", (long long)step,
                    (long long)(steps - 1));
  mms_block_rows block = mms_method_rows(dynamics, b);
  const int64_t count = block.rows * dynamics->target.dim;
  const double left = (double)(steps - step), t = (double)step / (double)steps;
  double *query = dynamics->xi, *w = dynamics->w + block.offset;
  mms_target_positions(&dynamics->target, block.rows, dynamics->ensemble.y + block.offset, dynamics->z);
  for (int64_t i = 0; i < count; i++) query[i] = dynamics->z[i] / t;
  mms_status status =
      mms_method_means(dynamics, step, b, query, left / (double)step, dynamics->context.score.smoothing / t, error);
  if (status != MMS_OK) return status;
  const double scale = dynamics->target.factor.data[0];
  for (int64_t i = 0; i < count; i++) w[i] = (dynamics->mean[i] - dynamics->z[i]) / (left * scale);
  return MMS_OK;
}

static void flow_describe(const mms_dynamics *dynamics, char *text, size_t size) {
  const int64_t steps = dynamics->context.sampler.steps;
  snprintf(text, size, "closed-form flow from noise to data, %lld Euler steps of 1/%lld", (long long)(steps - 1),
           (long long)steps);
}

const mms_method_table mms_method_cfdm = {
    .name = "cfdm",
    .size = sizeof(mms_dynamics),
    .flow = true,
    .parts = true,
    .factor = flow_factor,
    .prepare = flow_prepare,
    .start = flow_start,
    .block = flow_block,
    .describe = flow_describe,
};
