#include "mmsold/dynamics/dynamics.h"

#include "dynamics/method.h"
#include <math.h>

static const char *const SCHEME_NAMES[] = {"lm", "lm-corrected", "em", "exponential"};
enum { SCHEMES = sizeof SCHEME_NAMES / sizeof *SCHEME_NAMES };

const char *mms_scheme_name(mms_scheme scheme) {
  return (int)scheme >= 0 && (int)scheme < SCHEMES ? SCHEME_NAMES[scheme] : "unknown";
}

static const mms_method_table *find_method(mms_method method) {
  return method == MMS_METHOD_MMSOLD ? &mms_method_mmsold : NULL;
}

/* The random streams count steps and particles in this many bits (random.h). */
static const int64_t MOST_STEPS = ((int64_t)1 << 40) - 1;
static const int64_t MOST_PARTICLES = ((int64_t)1 << 48) - 1;

static mms_status check_sampler(const mms_sampler_options *sampler, mms_error *error) {
  if (sampler->particles < 1 || sampler->particles > MOST_PARTICLES)
    return mms_fail(error, MMS_ERR_INPUT, "particles = %lld: it must be at least 1 (and below 2^48)",
                    (long long)sampler->particles);
  if (sampler->steps < 0 || sampler->steps > MOST_STEPS)
    return mms_fail(error, MMS_ERR_INPUT, "steps = %lld: it must be 0 or more (and below 2^40)",
                    (long long)sampler->steps);
  if (!sampler->step_size_auto && !(sampler->step_size > 0.0 && isfinite(sampler->step_size)))
    return mms_fail(error, MMS_ERR_INPUT, "step_size = %g: it must be a positive, finite number, or auto",
                    sampler->step_size);
  if ((int)sampler->scheme < 0 || (int)sampler->scheme >= SCHEMES)
    return mms_fail(error, MMS_ERR_INPUT, "scheme number %d is not one of lm, lm-corrected, em, exponential",
                    (int)sampler->scheme);
  if (sampler->retraction != MMS_RETRACTION_QR && sampler->retraction != MMS_RETRACTION_POLAR)
    return mms_fail(error, MMS_ERR_INPUT, "retraction number %d is neither qr nor polar", (int)sampler->retraction);
  return MMS_OK;
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

mms_status mms_dynamics_create(mms_dynamics **dynamics, const mms_dynamics_context *context, mms_error *error) {
  *dynamics = NULL;
  const mms_method_table *method = find_method(context->sampler.method);
  mms_status status =
      method != NULL ? MMS_OK
                     : mms_fail(error, MMS_ERR_INPUT, "method number %d is not known", (int)context->sampler.method);
  if (status == MMS_OK) status = check_sampler(&context->sampler, error);
  if (status == MMS_OK) status = check_score(&context->score, error);
  status = mms_team_agree(context->team, status, error); /* also where the ranks were told different things */
  if (status != MMS_OK) return status;
  status = method->create(dynamics, context, error);
  if (status != MMS_OK) mms_dynamics_free(dynamics);
  return status;
}

void mms_dynamics_free(mms_dynamics **dynamics) {
  if (*dynamics == NULL) return;
  (*dynamics)->method->free(*dynamics);
  *dynamics = NULL;
}

mms_status mms_dynamics_start(mms_dynamics *dynamics, mms_error *error) {
  return dynamics->method->start(dynamics, error);
}

void mms_dynamics_resume(mms_dynamics *dynamics, int64_t step) { dynamics->step = step; }

mms_status mms_dynamics_step(mms_dynamics *dynamics, const mms_step_request *request, mms_step_report *report,
                             mms_error *error) {
  return dynamics->method->step(dynamics, request, report, error);
}

mms_status mms_dynamics_measure(mms_dynamics *dynamics, double *mean_defect, double *covariance_defect,
                                mms_error *error) {
  return mms_constraint_measure(dynamics->constraint, dynamics->context.team, dynamics->ensemble.y, mean_defect,
                                covariance_defect, error);
}

int64_t mms_dynamics_steps_done(const mms_dynamics *dynamics) { return dynamics->step; }
double mms_dynamics_step_size(const mms_dynamics *dynamics) { return dynamics->step_size; }
const mms_target *mms_dynamics_target(const mms_dynamics *dynamics) { return &dynamics->target; }
const mms_field *mms_dynamics_field(const mms_dynamics *dynamics) { return dynamics->field; }
mms_ensemble *mms_dynamics_ensemble(mms_dynamics *dynamics) { return &dynamics->ensemble; }
int64_t mms_dynamics_bytes(const mms_dynamics *dynamics) { return dynamics->method->bytes(dynamics); }
