/* Kinetic Langevin dynamics of independent particles in the tilted energy E* (ALGORITHMS 6), friction γ, unit mass:
 *     dz = v dt,   dv = −∇E*(z) dt − γ v dt + √(2γ) dB,   E*(z) = V(z) + λ·z + ½ (z−μ*)ᵀΛ(z−μ*),
 * in the splittings of B. Leimkuhler and C. Matthews (A: drift, B: kick, O: Ornstein-Uhlenbeck, exact), with
 * c = e^{−γh} and one gradient g a step:
 *     ABOBA, the paper's:  z½ = z + (h/2) v,  v ← v − (h/2) g(z½),  v ← c v + (1−c²)^{1/2} ξ,  v ← v − (h/2) g(z½),
 *                          z ← z½ + (h/2) v
 *     BAOAB:  v ← v − (h/2) g(z),  z ← z + (h/2) v,  v ← c v + (1−c²)^{1/2} ξ,  z ← z + (h/2) v,  v ← v − (h/2) g(z)
 * BAOAB's last kick and the next step's first use the same gradient, so they are made together, at the beginning of the
 * next step: what is kept of the velocities is from before the last half kick.
 *
 * The whole state is (Y, v, number of steps done). The noise of step t is made from its key; step 0's is the first v.
 */
#include "dynamics/method.h"
#include "dynamics/tilt_points.h"
#include "mmsold/base/memory.h"
#include "mmsold/linalg/dense.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct kinetic {
  mms_dynamics base;
  mms_tilt tilt;
  bool tilt_is_given;   /* from other points than the training points */
  double decay, spread; /* c and (1 − c²)^{1/2} */
  double *v, *v_next;   /* [n_local][d]: velocities now and after the step in hand */
} kinetic;

/* h ω is 1/2 in the stiffest direction then. On a quadratic both splittings have the right positions at any h, and
 * velocities whose variance is 1 − a (BAOAB) or 1/(1 − a) (ABOBA), a = (hω/2)²: 7 % off here, which says how far from
 * the quadratic the positions can be off. */
static const double AUTO_SHARE = 0.25;

static mms_factor kinetic_factor(const mms_sampler_options *sampler) {
  (void)sampler;
  return MMS_FACTOR_SCALAR;
}

static mms_status kinetic_prepare(mms_dynamics *dynamics, mms_error *error) {
  kinetic *self = (kinetic *)dynamics;
  const int64_t entries = dynamics->ensemble.blocks.n_local * dynamics->target.dim;
  mms_status status = mms_allocate_doubles(&self->v, entries, "the velocities", error);
  if (status == MMS_OK) status = mms_allocate_doubles(&self->v_next, entries, "the velocities", error);
  return status;
}

/* Both splittings of z̈ = −ω²z are stable for h ω < 2, and no curvature is above ω² = 1/δ² + λmax(Λ), as ∇²V is at most
 * I/δ². Local. */
static mms_status find_bound(const mms_tilt *tilt, double *bound, mms_error *error) {
  const int64_t d = tilt->dim;
  mms_matrix a = {0}, q = {0}, w = {0};
  mms_status status = mms_matrix_create(&a, d, d, "the tilt's curvature", error);
  if (status == MMS_OK) status = mms_matrix_create(&q, d, d, "the tilt's curvature", error);
  if (status == MMS_OK) status = mms_matrix_create(&w, 1, d, "the tilt's curvature", error);
  if (status == MMS_OK) {
    memcpy(a.data, tilt->quadratic.data, (size_t)(d * d) * sizeof *a.data);
    status = mms_dense_eigen(d, a.data, w.data, q.data, error);
  }
  if (status == MMS_OK) *bound = 2.0 / sqrt(1.0 / (tilt->bandwidth * tilt->bandwidth) + w.data[0]);
  mms_matrix_free(&a);
  mms_matrix_free(&q);
  mms_matrix_free(&w);
  return status;
}

static mms_status kinetic_settle(mms_dynamics *dynamics, mms_error *error) {
  kinetic *self = (kinetic *)dynamics;
  const mms_sampler_options *sampler = &dynamics->context.sampler;
  const mms_team *team = dynamics->context.team;
  self->tilt_is_given = dynamics->context.tilt_points != NULL;
  mms_status status = mms_tilt_points_solve(&self->tilt, dynamics, error);
  dynamics->context.tilt_points = NULL; /* not looked at any more */
  if (status != MMS_OK) return status;
  if (mms_team_rank(team) == 0) status = find_bound(&self->tilt, &dynamics->step_bound, error);
  status = mms_team_agree(team, status, error);
  if (status != MMS_OK) return status;
  mms_team_broadcast(team, &dynamics->step_bound, sizeof dynamics->step_bound, 0);
  dynamics->step_size = sampler->step_size_auto ? AUTO_SHARE * dynamics->step_bound : sampler->step_size;
  self->decay = exp(-sampler->friction * dynamics->step_size);
  self->spread = sqrt(-expm1(-2.0 * sampler->friction * dynamics->step_size));
  return MMS_OK;
}

static void kinetic_free(mms_dynamics *dynamics) {
  kinetic *self = (kinetic *)dynamics;
  mms_tilt_free(&self->tilt);
  free(self->v);
  free(self->v_next);
}

/* Training points plus δN as MM-SOLD starts, where they are; velocities N(0, I). */
static mms_status kinetic_start(mms_dynamics *dynamics, mms_error *error) {
  kinetic *self = (kinetic *)dynamics;
  const mms_dynamics_context *context = &dynamics->context;
  const mms_blocks *blocks = &dynamics->ensemble.blocks;
  for (int64_t b = blocks->first; b < blocks->end; b++)
    mms_method_noise(dynamics, 0, b, self->v + mms_method_rows(dynamics, b).offset);
  return mms_ensemble_start(&dynamics->ensemble, context->team, context->training, &dynamics->target, NULL,
                            context->sampler.seed, error);
}

/* dynamics->mean [rows][d] = ∇E* at z. */
static mms_status gradient(kinetic *self, int64_t step, int64_t b, int64_t rows, const double *z, mms_error *error) {
  mms_dynamics *dynamics = &self->base;
  const mms_score_options *score = &dynamics->context.score;
  mms_status status = mms_method_means(dynamics, step, b, z, score->bandwidth, score->smoothing, error);
  if (status != MMS_OK) return status;
  const double square = score->bandwidth * score->bandwidth;
  double *g = dynamics->mean;
  for (int64_t i = 0; i < rows * dynamics->target.dim; i++) g[i] = (z[i] - g[i]) / square;
  mms_tilt_add(&self->tilt, rows, z, NULL, g);
  return MMS_OK;
}

static mms_status kinetic_block(mms_dynamics *dynamics, int64_t step, int64_t b, mms_error *error) {
  kinetic *self = (kinetic *)dynamics;
  const bool aboba = dynamics->context.sampler.scheme == MMS_SCHEME_ABOBA;
  mms_block_rows block = mms_method_rows(dynamics, b);
  const int64_t count = block.rows * dynamics->target.dim;
  const double half = 0.5 * dynamics->step_size, scale = dynamics->target.factor.data[0];
  const double *v = self->v + block.offset, *g = dynamics->mean, *xi = dynamics->xi;
  double *z = dynamics->z, *w = dynamics->w + block.offset, *next = self->v_next + block.offset;
  mms_target_positions(&dynamics->target, block.rows, dynamics->ensemble.y + block.offset, z);
  for (int64_t i = 0; aboba && i < count; i++) z[i] += half * v[i];
  mms_status status = gradient(self, step, b, block.rows, z, error);
  if (status != MMS_OK) return status;
  mms_method_noise(dynamics, step, b, dynamics->xi);

  /* BAOAB's velocities lack the half kick that the step before left over. */
  const double owed = aboba || step == 1 ? 0.0 : half;
  double squares = 0.0;
  for (int64_t i = 0; i < count; i++) {
    const double now = v[i] - owed * g[i], kicked = now - half * g[i];
    const double after = self->decay * kicked + self->spread * xi[i] - (aboba ? half * g[i] : 0.0);
    squares += now * now;
    w[i] = half * ((aboba ? v[i] : kicked) + after) / scale;
    next[i] = after;
  }
  dynamics->speed[b - dynamics->ensemble.blocks.first] = squares;
  return MMS_OK;
}

static void kinetic_accept(mms_dynamics *dynamics) {
  kinetic *self = (kinetic *)dynamics;
  double *done = self->v;
  self->v = self->v_next;
  self->v_next = done;
}

static int kinetic_arrays(mms_dynamics *dynamics, mms_state_array *arrays) {
  arrays[0] = (mms_state_array){
      .name = "velocities",
      .description = "velocities, in the sampler's coordinates; with baoab from before the step's last half kick",
      .data = ((kinetic *)dynamics)->v};
  return 1;
}

static const mms_tilt *kinetic_tilt(const mms_dynamics *dynamics) { return &((const kinetic *)dynamics)->tilt; }

static void kinetic_describe(const mms_dynamics *dynamics, char *text, size_t size) {
  const mms_sampler_options *sampler = &dynamics->context.sampler;
  snprintf(
      text, size,
      "kinetic in the tilted energy (tilt from %s), scheme %s, friction %.4g, h = %.4g%s, %.3g times the stability "
      "bound 2/omega_max",
      ((const kinetic *)dynamics)->tilt_is_given ? "the particles of another run" : "the training points",
      mms_scheme_name(sampler->scheme), sampler->friction, dynamics->step_size,
      sampler->step_size_auto ? " (auto)" : "", dynamics->step_size / dynamics->step_bound);
}

static int64_t kinetic_bytes(const mms_dynamics *dynamics) {
  const int64_t d = dynamics->target.dim;
  const int64_t doubles = 2 * dynamics->ensemble.blocks.n_local * d + d * d + 2 * (MMS_TILT_TILE + 1) * d;
  return doubles * (int64_t)sizeof(double);
}

const mms_method_table mms_method_kinetic = {
    .name = "kinetic",
    .size = sizeof(kinetic),
    .velocities = true,
    .schemes = 1U << MMS_SCHEME_ABOBA | 1U << MMS_SCHEME_BAOAB,
    .factor = kinetic_factor,
    .prepare = kinetic_prepare,
    .settle = kinetic_settle,
    .free = kinetic_free,
    .start = kinetic_start,
    .block = kinetic_block,
    .accept = kinetic_accept,
    .arrays = kinetic_arrays,
    .tilt = kinetic_tilt,
    .describe = kinetic_describe,
    .bytes = kinetic_bytes,
};
