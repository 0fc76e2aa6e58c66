#include "mmsold/dynamics/dynamics.h"

#include "dynamics/method.h"
#include "dynamics/tilt_points.h"
#include "mmsold/base/memory.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const SCHEME_NAMES[] = {"lm", "lm-corrected", "em", "exponential", "aboba", "baoab"};
enum { SCHEMES = sizeof SCHEME_NAMES / sizeof *SCHEME_NAMES };

const char *mms_scheme_name(mms_scheme scheme) {
  return (int)scheme >= 0 && (int)scheme < SCHEMES ? SCHEME_NAMES[scheme] : "unknown";
}

static const mms_method_table *const METHODS[] = {[MMS_METHOD_MMSOLD] = &mms_method_mmsold,
                                                  [MMS_METHOD_LANGEVIN] = &mms_method_langevin,
                                                  [MMS_METHOD_KINETIC] = &mms_method_kinetic,
                                                  [MMS_METHOD_CFDM] = &mms_method_cfdm};

static const mms_method_table *find_method(mms_method method) {
  bool known = (int)method >= 0 && (size_t)method < sizeof METHODS / sizeof METHODS[0];
  return known ? METHODS[method] : NULL;
}

bool mms_method_takes(mms_method method, mms_scheme scheme) {
  const mms_method_table *table = find_method(method);
  return table != NULL && (int)scheme >= 0 && (int)scheme < SCHEMES && (table->schemes & 1U << scheme) != 0;
}

const char *mms_method_name(mms_method method) {
  const mms_method_table *table = find_method(method);
  return table != NULL ? table->name : "unknown";
}

int64_t mms_sampler_steps(const mms_sampler_options *sampler) {
  return sampler->method == MMS_METHOD_CFDM ? sampler->steps - 1 : sampler->steps;
}

/* The random streams count steps and particles in this many bits (random.h). */
static const int64_t MOST_STEPS = ((int64_t)1 << 40) - 1;
static const int64_t MOST_PARTICLES = ((int64_t)1 << 48) - 1;

/* A scheme of its own, and of this way of moving. */
static mms_status check_scheme(const mms_sampler_options *sampler, mms_error *error) {
  char list[128] = "";
  if (find_method(sampler->method)->schemes == 0 || mms_method_takes(sampler->method, sampler->scheme)) return MMS_OK;
  for (int s = 0; s < SCHEMES; s++) {
    size_t used = strlen(list);
    if (mms_method_takes(sampler->method, (mms_scheme)s))
      snprintf(list + used, sizeof list - used, "%s%s", used > 0 ? ", " : "", SCHEME_NAMES[s]);
  }
  if ((int)sampler->scheme < 0 || (int)sampler->scheme >= SCHEMES)
    return mms_fail(error, MMS_ERR_INPUT, "scheme number %d is not one of %s", (int)sampler->scheme, list);
  return mms_fail(error, MMS_ERR_INPUT, "scheme %s is none of method %s, which takes %s",
                  mms_scheme_name(sampler->scheme), mms_method_name(sampler->method), list);
}

static mms_status check_sampler(const mms_sampler_options *sampler, mms_error *error) {
  if (sampler->particles < 1 || sampler->particles > MOST_PARTICLES)
    return mms_fail(error, MMS_ERR_INPUT, "particles = %lld: it must be at least 1 (and below 2^48)",
                    (long long)sampler->particles);
  if (sampler->steps < 0 || sampler->steps > MOST_STEPS)
    return mms_fail(error, MMS_ERR_INPUT, "steps = %lld: it must be 0 or more (and below 2^40)",
                    (long long)sampler->steps);
  if (sampler->method == MMS_METHOD_CFDM && sampler->steps < 2)
    return mms_fail(error, MMS_ERR_INPUT, "steps = %lld: a flow needs 2 or more", (long long)sampler->steps);
  if (sampler->method == MMS_METHOD_KINETIC && !(sampler->friction > 0.0 && isfinite(sampler->friction)))
    return mms_fail(error, MMS_ERR_INPUT, "friction = %g: it must be a positive, finite number", sampler->friction);
  if (!sampler->step_size_auto && sampler->method != MMS_METHOD_CFDM &&
      !(sampler->step_size > 0.0 && isfinite(sampler->step_size)))
    return mms_fail(error, MMS_ERR_INPUT, "step_size = %g: it must be a positive, finite number, or auto",
                    sampler->step_size);
  if (sampler->retraction != MMS_RETRACTION_QR && sampler->retraction != MMS_RETRACTION_POLAR)
    return mms_fail(error, MMS_ERR_INPUT, "retraction number %d is neither qr nor polar", (int)sampler->retraction);
  return check_scheme(sampler, error);
}

static mms_status check_score(const mms_score_options *score, mms_error *error) {
  if (!(score->smoothing >= 0.0) || !isfinite(score->smoothing))
    return mms_fail(error, MMS_ERR_INPUT, "smoothing = %g: it must be 0 or a positive, finite number",
                    score->smoothing);
  if (score->smoothing_samples < 0 || score->smoothing_samples % 2 != 0)
    return mms_fail(error, MMS_ERR_INPUT,
                    "smoothing_samples = %lld: it must be an even number, as draws come in pairs, or 0 for none",
                    (long long)score->smoothing_samples);
  return MMS_OK;
}

/* Arrays every way of moving works in. */
static mms_status allocate(mms_dynamics *dynamics, mms_error *error) {
  const mms_blocks *blocks = &dynamics->ensemble.blocks;
  int64_t d = dynamics->target.dim, tile = blocks->size * d, local = blocks->end - blocks->first;
  mms_status status = mms_allocate_doubles(&dynamics->w, blocks->n_local * d, "the increments", error);
  if (status == MMS_OK) status = mms_allocate_doubles(&dynamics->potential, local, "the blocks' potentials", error);
  if (status == MMS_OK) status = mms_allocate_doubles(&dynamics->speed, local, "the blocks' velocities", error);
  if (status == MMS_OK) status = mms_allocate_doubles(&dynamics->z, tile, "a block's positions", error);
  if (status == MMS_OK) status = mms_allocate_doubles(&dynamics->mean, tile, "a block's softmax means", error);
  if (status == MMS_OK) status = mms_allocate_doubles(&dynamics->xi, tile, "a block's noise", error);
  if (status == MMS_OK) status = mms_allocate_doubles(&dynamics->log_mass, blocks->size, "a block's log mass", error);
  return status;
}

/* What only this rank's memory can refuse, after the target stands. */
static mms_status create_local(mms_dynamics *dynamics, mms_error *error) {
  const mms_sampler_options *sampler = &dynamics->context.sampler;
  const mms_target_spread *spread = dynamics->target.spread;
  int64_t d = dynamics->target.dim;
  mms_status status = mms_ensemble_create(&dynamics->ensemble, dynamics->context.team, sampler->particles, d,
                                          2 * dynamics->pairs, error);
  if (status != MMS_OK) return status;
  if (dynamics->method->constrained)
    status = mms_constraint_create_on(&dynamics->constraint, &dynamics->ensemble.blocks, d, sampler->retraction,
                                      spread != NULL ? spread->grid : NULL, error);
  else
    status = mms_moments_create(&dynamics->moments, &dynamics->ensemble.blocks, &dynamics->target, error);
  if (status == MMS_OK) status = allocate(dynamics, error);
  if (status == MMS_OK && spread != NULL && dynamics->target.kind == MMS_FACTOR_EIGEN)
    status = mms_allocate_doubles(&dynamics->mapped, dynamics->ensemble.blocks.n_local * d, "the increments", error);
  if (status == MMS_OK) status = dynamics->method->prepare(dynamics, error);
  return status;
}

/* P <= d with the constraint is refused before the work of target and field is done. */
static mms_status check_particles(const mms_dynamics_context *context, mms_error *error) {
  const mms_sampler_options *sampler = &context->sampler;
  if (!find_method(sampler->method)->constrained || sampler->particles > context->training->dim) return MMS_OK;
  mms_blocks blocks = mms_blocks_make(sampler->particles, 1, 0, 1);
  mms_constraint *refused = NULL;
  return mms_constraint_create(&refused, &blocks, context->training->dim, sampler->retraction, error);
}

/* A step of so many draws at the one bandwidth pays for lists by cells within a few dozen steps. Not by the number of
 * steps: a longer run begins with the bits of a shorter one. */
static bool lists_pay(const mms_dynamics *self) {
  const int64_t least = 4096, draws = self->pairs > 0 ? 2 * self->pairs : 1;
  return !self->method->flow && self->context.sampler.particles >= (least + draws - 1) / draws;
}

/* The most rows that the field is asked for at a time. */
static int64_t field_rows(const mms_dynamics *self) {
  const int64_t size = self->ensemble.blocks.size, least = self->method->tilt != NULL ? MMS_TILT_LEAST_ROWS : 1;
  return size > least ? size : least;
}

static void share(mms_dynamics *self) {
  if (self->constraint != NULL)
    mms_constraint_share(self->constraint, self->context.team);
  else
    mms_moments_share(self->moments, self->context.team);
}

static mms_status create(mms_dynamics **dynamics, const mms_dynamics_context *context, mms_error *error) {
  const mms_method_table *method = find_method(context->sampler.method);
  const mms_score_options *score = &context->score;
  void *memory = NULL;
  mms_status status = mms_allocate(&memory, 1, method->size, "the dynamics", error);
  mms_dynamics *self = memory;
  *dynamics = self;
  if (status == MMS_OK) {
    self->method = method;
    self->context = *context;
    self->pairs = score->smoothing > 0.0 ? score->smoothing_samples / 2 : 0;
    status = check_particles(context, error);
    if (status == MMS_OK && context->training->partitioned && !method->parts)
      status = mms_fail(error, MMS_ERR_INPUT,
                        "sampler.method: %s works on a whole training set: give training.placement: replicated",
                        method->name);
  }
  mms_linalg linalg = MMS_LINALG_REPLICATED;
  if (status == MMS_OK)
    status = mms_method_choose_linalg(context, method, &linalg, self->linalg, sizeof self->linalg, error);
  status = mms_team_agree(context->team, status, error);
  if (status == MMS_OK)
    status = (linalg == MMS_LINALG_DISTRIBUTED ? mms_target_create_distributed : mms_target_create)(
        &self->target, context->team, context->training, score->bandwidth, method->factor(&context->sampler), error);
  if (status == MMS_OK) status = mms_team_agree(context->team, create_local(self, error), error);
  mms_score_options asked = *score;
  if (method->flow) asked.bandwidth = 0.0; /* there is no one bandwidth to choose a backend for */
  if (status == MMS_OK)
    status = mms_field_create_for(&self->field, context->team, context->training, &asked, field_rows(self), self->pairs,
                                  error);
  if (status == MMS_OK && lists_pay(self))
    status = mms_field_prepare(self->field, score->bandwidth, score->smoothing, error);
  if (status == MMS_OK && method->parts && mms_field_together(self->field)) status = mms_method_ask_create(self, error);
  if (status == MMS_OK && method->settle != NULL) status = method->settle(self, error);
  if (status == MMS_OK) share(self); /* last, as the field cannot do without its memory */
  return status;
}

mms_status mms_dynamics_create(mms_dynamics **dynamics, const mms_dynamics_context *context, mms_error *error) {
  *dynamics = NULL;
  mms_status status = MMS_OK;
  if (find_method(context->sampler.method) == NULL)
    status = mms_fail(error, MMS_ERR_INPUT, "method number %d is not known", (int)context->sampler.method);
  if (status == MMS_OK) status = check_sampler(&context->sampler, error);
  if (status == MMS_OK) status = check_score(&context->score, error);
  status = mms_team_agree(context->team, status, error); /* also where the ranks were told different things */
  if (status != MMS_OK) return status;
  status = create(dynamics, context, error);
  if (status != MMS_OK) mms_dynamics_free(dynamics);
  return status;
}

void mms_dynamics_free(mms_dynamics **dynamics) {
  mms_dynamics *self = *dynamics;
  if (self == NULL) return;
  if (self->method->free != NULL) self->method->free(self);
  mms_method_ask_free(self);
  mms_field_free(&self->field);
  mms_constraint_free(&self->constraint);
  mms_moments_free(&self->moments);
  mms_ensemble_free(&self->ensemble);
  mms_target_free(&self->target);
  double *const arrays[] = {self->w,    self->potential, self->speed,    self->z,
                            self->mean, self->xi,        self->log_mass, self->mapped};
  for (size_t i = 0; i < sizeof arrays / sizeof *arrays; i++) free(arrays[i]);
  free(self);
  *dynamics = NULL;
}

mms_status mms_dynamics_start(mms_dynamics *dynamics, mms_error *error) {
  mms_status status = dynamics->method->start(dynamics, error);
  if (status == MMS_OK) dynamics->step = 0;
  return status;
}

void mms_dynamics_resume(mms_dynamics *dynamics, int64_t step) { dynamics->step = step; }

int mms_dynamics_arrays(mms_dynamics *dynamics, mms_state_array *arrays) {
  arrays[0] =
      (mms_state_array){.name = "Y", .description = "particles in manifold coordinates", .data = dynamics->ensemble.y};
  return 1 + (dynamics->method->arrays != NULL ? dynamics->method->arrays(dynamics, arrays + 1) : 0);
}

mms_status mms_dynamics_measure(mms_dynamics *dynamics, double *mean_defect, double *covariance_defect,
                                mms_error *error) {
  const mms_team *team = dynamics->context.team;
  const double *y = dynamics->ensemble.y;
  return dynamics->constraint != NULL
             ? mms_constraint_measure(dynamics->constraint, team, y, mean_defect, covariance_defect, error)
             : mms_moments_measure(dynamics->moments, team, y, mean_defect, covariance_defect, error);
}

int64_t mms_dynamics_steps_done(const mms_dynamics *dynamics) { return dynamics->step; }
double mms_dynamics_step_size(const mms_dynamics *dynamics) { return dynamics->step_size; }
const mms_target *mms_dynamics_target(const mms_dynamics *dynamics) { return &dynamics->target; }
mms_field *mms_dynamics_field(const mms_dynamics *dynamics) { return dynamics->field; }
const mms_exact_sum *mms_dynamics_sums(const mms_dynamics *dynamics) {
  return dynamics->constraint != NULL ? mms_constraint_sums(dynamics->constraint) : mms_moments_sums(dynamics->moments);
}

mms_ensemble *mms_dynamics_ensemble(mms_dynamics *dynamics) { return &dynamics->ensemble; }

bool mms_dynamics_moments_are_exact(const mms_dynamics *dynamics) { return dynamics->constraint != NULL; }

const mms_tilt *mms_dynamics_tilt(const mms_dynamics *dynamics) {
  return dynamics->method->tilt != NULL ? dynamics->method->tilt(dynamics) : NULL;
}

int64_t mms_dynamics_bytes(const mms_dynamics *dynamics) {
  const mms_blocks *blocks = &dynamics->ensemble.blocks;
  int64_t d = dynamics->target.dim;
  int64_t doubles = 2 * blocks->n_local * d              /* Y and W */
                    + blocks->size * (3 * d + 1)         /* a block's tiles */
                    + 2 * (blocks->end - blocks->first); /* the blocks' sums */
  if (dynamics->mapped != NULL) doubles += blocks->n_local * d;
  if (dynamics->asked.together) doubles += blocks->n_local * (2 * d + 1); /* all questions at once */
  int64_t bytes =
      doubles * (int64_t)sizeof(double) + mms_target_bytes(&dynamics->target) + mms_field_bytes(dynamics->field);
  bytes +=
      dynamics->constraint != NULL ? mms_constraint_bytes(dynamics->constraint) : mms_moments_bytes(dynamics->moments);
  return bytes + (dynamics->method->bytes != NULL ? dynamics->method->bytes(dynamics) : 0);
}

int64_t mms_dynamics_shared_bytes(const mms_dynamics *dynamics) {
  const int64_t board = dynamics->constraint != NULL ? mms_constraint_shared_bytes(dynamics->constraint) : 0;
  return board + mms_field_shared_bytes(dynamics->field);
}

void mms_dynamics_describe(const mms_dynamics *dynamics, char *text, size_t size) {
  dynamics->method->describe(dynamics, text, size);
}

const char *mms_dynamics_linalg(const mms_dynamics *dynamics) { return dynamics->linalg; }

const double *mms_dynamics_positions_together(mms_dynamics *dynamics) {
  if (!mms_method_is_spread(dynamics)) return NULL;
  mms_target_positions_together(&dynamics->target, dynamics->ensemble.blocks.n_local, dynamics->ensemble.y,
                                dynamics->w); /* which a step writes over */
  return dynamics->w;
}

bool mms_dynamics_caution(const mms_dynamics *dynamics, char *text, size_t size) {
  double h = dynamics->step_size, bound = dynamics->step_bound;
  if (dynamics->always_stable || !(h > bound)) return false;
  const mms_sampler_options *sampler = &dynamics->context.sampler;
  bool exponential = mms_method_takes(sampler->method, MMS_SCHEME_EXPONENTIAL);
  snprintf(text, size,
           "step_size %.4g is %.3g times the stability bound %.4g of scheme %s: particles may fly apart%s; use "
           "step_size: auto%s",
           h, h / bound, bound, mms_scheme_name(sampler->scheme),
           dynamics->constraint != NULL ? " while the moments still look perfect" : "",
           exponential ? " or scheme: exponential" : "");
  return true;
}

int64_t mms_dynamics_partition_from(const mms_sampler_options *sampler, const mms_score_options *score) {
  const mms_method_table *method = find_method(sampler->method);
  return method != NULL && method->parts ? mms_field_partition_from(score) : INT64_MAX;
}
