#include "dynamics/overdamped.h"

#include "mmsold/base/memory.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

mms_factor mms_overdamped_factor(const mms_sampler_options *sampler) { return mms_increment_factor(sampler->scheme); }

mms_status mms_overdamped_prepare(mms_dynamics *dynamics, mms_error *error) {
  mms_overdamped *self = (mms_overdamped *)dynamics;
  const mms_sampler_options *sampler = &dynamics->context.sampler;
  dynamics->step_size =
      sampler->step_size_auto ? mms_increment_auto_step(sampler->scheme, &dynamics->target) : sampler->step_size;
  dynamics->step_bound = dynamics->target.step_bound;
  dynamics->always_stable = sampler->scheme == MMS_SCHEME_EXPONENTIAL;
  mms_status status =
      mms_increment_create(&self->increment, sampler->scheme, dynamics->step_size, &dynamics->target, error);
  if (status == MMS_OK)
    status = mms_allocate_doubles(&self->xi_previous, dynamics->ensemble.blocks.size * dynamics->target.dim,
                                  "a block's noise", error);
  return status;
}

void mms_overdamped_free(mms_dynamics *dynamics) {
  mms_overdamped *self = (mms_overdamped *)dynamics;
  mms_increment_free(&self->increment);
  free(self->xi_previous);
}

mms_status mms_overdamped_start(mms_dynamics *dynamics, mms_error *error) {
  const mms_dynamics_context *context = &dynamics->context;
  return mms_ensemble_start(&dynamics->ensemble, context->team, context->training, &dynamics->target,
                            dynamics->constraint, context->sampler.seed, error);
}

/* ξ of the block, and ξ_prev where the scheme looks at it. */
static void draw(mms_overdamped *self, int64_t step, int64_t b) {
  mms_method_noise(&self->base, step, b, self->base.xi);
  if (self->increment.uses_previous) mms_method_noise(&self->base, step - 1, b, self->xi_previous);
}

static void observe(mms_overdamped *self, mms_block_rows block) {
  mms_dynamics *dynamics = &self->base;
  if (dynamics->observing)
    mms_increment_parts(&self->increment, dynamics->target.dim, block.rows, self->xi_previous, dynamics->xi,
                        dynamics->w + block.offset, &dynamics->pull_square, &dynamics->noise_square);
}

mms_status mms_overdamped_block(mms_dynamics *dynamics, int64_t step, int64_t b, mms_error *error) {
  mms_overdamped *self = (mms_overdamped *)dynamics;
  const mms_score_options *score = &dynamics->context.score;
  mms_block_rows block = mms_method_rows(dynamics, b);
  mms_method_positions(dynamics, b);
  mms_status status = mms_method_means(dynamics, step, b, dynamics->z, score->bandwidth, score->smoothing, error);
  if (status != MMS_OK) return status;
  draw(self, step, b);
  mms_increment_block(&self->increment, &dynamics->target, block.rows, dynamics->ensemble.y + block.offset, dynamics->z,
                      dynamics->mean, self->xi_previous, dynamics->xi, dynamics->w + block.offset);
  observe(self, block);
  return MMS_OK;
}

mms_status mms_overdamped_front(mms_dynamics *dynamics, int64_t step, int64_t b, mms_error *error) {
  mms_overdamped *self = (mms_overdamped *)dynamics;
  const mms_score_options *score = &dynamics->context.score;
  mms_block_rows block = mms_method_rows(dynamics, b);
  mms_status status = mms_method_means(dynamics, step, b, dynamics->z, score->bandwidth, score->smoothing, error);
  if (status != MMS_OK) return status;
  mms_increment_field(&self->increment, &dynamics->target, block.rows, dynamics->z, dynamics->mean);
  memcpy(dynamics->w + block.offset, dynamics->mean, (size_t)(block.rows * dynamics->target.dim) * sizeof(double));
  return MMS_OK;
}

void mms_overdamped_map(mms_dynamics *dynamics) {
  const mms_overdamped *self = (const mms_overdamped *)dynamics;
  int64_t rows = dynamics->ensemble.blocks.n_local;
  if (self->increment.scheme == MMS_SCHEME_EXPONENTIAL)
    mms_target_coordinates_together(&dynamics->target, rows, dynamics->w, dynamics->mapped);
  else
    mms_target_pull_back_together(&dynamics->target, rows, dynamics->w, dynamics->w);
}

void mms_overdamped_back(mms_dynamics *dynamics, int64_t step, int64_t b) {
  mms_overdamped *self = (mms_overdamped *)dynamics;
  mms_block_rows block = mms_method_rows(dynamics, b);
  double *w = dynamics->w + block.offset;
  draw(self, step, b);
  mms_increment_finish(&self->increment, dynamics->target.dim, block.rows, dynamics->ensemble.y + block.offset,
                       dynamics->mapped != NULL ? dynamics->mapped + block.offset : w, self->xi_previous, dynamics->xi,
                       w);
  observe(self, block);
}

void mms_overdamped_describe(const mms_dynamics *dynamics, char *text, size_t size) {
  const mms_sampler_options *sampler = &dynamics->context.sampler;
  snprintf(text, size, "%sscheme %s, h = %.4g%s, %.3g times the stability bound 2 bandwidth^2/lambda_max%s",
           dynamics->constraint != NULL ? "" : "without the moment constraint, ", mms_scheme_name(sampler->scheme),
           dynamics->step_size, sampler->step_size_auto ? " (auto)" : "", dynamics->step_size / dynamics->step_bound,
           dynamics->always_stable ? "; this scheme is stable at every h" : "");
}

int64_t mms_overdamped_bytes(const mms_dynamics *dynamics) {
  int64_t d = dynamics->target.dim;
  return (dynamics->ensemble.blocks.size * d + 2 * d) * (int64_t)sizeof(double);
}
