/* Ways of moving, behind one table of functions; one file per way. */
#ifndef MMSOLD_DYNAMICS_DYNAMICS_H
#define MMSOLD_DYNAMICS_DYNAMICS_H

#include "mmsold/base/status.h"
#include "mmsold/dynamics/observation.h"
#include "mmsold/ensemble/ensemble.h"
#include "mmsold/ensemble/tilt.h"
#include "mmsold/field/field.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum mms_method {
  MMS_METHOD_MMSOLD,   /* overdamped Langevin dynamics with the moment constraint */
  MMS_METHOD_LANGEVIN, /* the same without it */
  MMS_METHOD_KINETIC,  /* kinetic Langevin dynamics in the tilted energy E* (ALGORITHMS 6) */
  MMS_METHOD_CFDM      /* the closed-form flow from noise to data (ALGORITHMS 7) */
} mms_method;

/* How a step is discretised (ALGORITHMS 3). */
typedef enum mms_scheme {
  MMS_SCHEME_LM,           /* Leimkuhler-Matthews, the paper's */
  MMS_SCHEME_LM_CORRECTED, /* the same with drift step h/(1 + h/2) */
  MMS_SCHEME_EM,           /* Euler-Maruyama */
  MMS_SCHEME_EXPONENTIAL,  /* the linear pull solved exactly; stable at every h */
  MMS_SCHEME_ABOBA,        /* kinetic: drift, kick, friction, kick, drift; the paper's */
  MMS_SCHEME_BAOAB         /* kinetic: kick, drift, friction, drift, kick */
} mms_scheme;

/* What the `sampler:` section says. */
typedef struct mms_sampler_options {
  mms_method method;
  int64_t particles;
  int64_t steps;
  double step_size; /* h; looked at unless step_size_auto */
  bool
      step_size_auto; /* half the bound for LM, LM-corrected and EM; the bound for exponential; a quarter for kinetic */
  mms_scheme scheme;
  mms_retraction retraction;
  uint64_t seed;
  double friction;   /* γ of kinetic */
  mms_linalg linalg; /* where the d × d algebra is done; distributed is for mmsold */
  const char *tilt;  /* kinetic: a run's samples, for whoever reads files; NULL or "training": the training points */
} mms_sampler_options;

/* What a caller asks of a step; the requests travel in the step's own all-reduce. */
typedef struct mms_step_request {
  bool stop;       /* this rank was asked to stop */
  bool checkpoint; /* this rank was asked to write a checkpoint */
  bool observe;    /* report an observation of the state before the step; alike on all ranks */
  bool more;       /* the state is not looked at before the next step; alike on all ranks */
} mms_step_request;

/* What a step tells. Defects are those of the state before the step (they come free with its
 * reduction); mean_potential and drift belong to the same state. Without the constraint defects are not rounding but
 * what the moments really are. */
typedef struct mms_step_report {
  double mean_defect, covariance_defect;
  double mean_potential;      /* average of V over all particles; order-independent */
  double drift;               /* root mean square of the increment W */
  double kinetic_temperature; /* mean square of the velocities, 1 at equilibrium; NaN where there are none */
  bool stop, checkpoint;      /* some rank was asked to; alike on all ranks */
  bool repaired;
  double seconds_field, seconds_reduce, seconds_algebra;
  mms_observation observation; /* of the state before the step, where it was asked for */
} mms_step_report;

/* Points z that a tilt is averaged over in the training points' place, and the target of the run they are of; looked at
 * while the dynamics are created. Rows as mms_dynamics_tilt_blocks deals them out. */
typedef struct mms_tilt_points {
  int64_t count;                   /* over all ranks */
  const double *points;            /* [n_local][d] */
  const double *mean, *covariance; /* [d], [d][d], or NULL: not known */
} mms_tilt_points;

/* Everything a way of moving stands on; borrowed. */
typedef struct mms_dynamics_context {
  const mms_team *team;
  const mms_training *training;
  mms_score_options score;
  mms_sampler_options sampler;
  const mms_tilt_points *tilt_points; /* kinetic; NULL: the training points */
} mms_dynamics_context;

/* How `count` tilt points are dealt out over the context's team. Local. */
mms_blocks mms_dynamics_tilt_blocks(const mms_dynamics_context *context, int64_t count);

typedef struct mms_dynamics mms_dynamics;

/* Build target, field, ensemble and constraint. Collective; agreed. MMS_ERR_INPUT for P <= d and all
 * that makes the configuration impossible. Allocates everything a step needs. */
mms_status mms_dynamics_create(mms_dynamics **dynamics, const mms_dynamics_context *context, mms_error *error);
/* Collective; sets *dynamics to NULL; fine on NULL. */
void mms_dynamics_free(mms_dynamics **dynamics);

/* Put the particles at their start; step becomes 0. Collective; agreed. */
mms_status mms_dynamics_start(mms_dynamics *dynamics, mms_error *error);
/* Take over the arrays as they are (a checkpoint was read into them) as the state after `step` steps. Local. */
void mms_dynamics_resume(mms_dynamics *dynamics, int64_t step);

/* One step. Collective; exactly one all-reduce where `more` follow and no stop or checkpoint is asked for (else a small
 * agreement; for huge steps another, and a second all-reduce where a repair is needed); allocates nothing.
 * MMS_ERR_NUMERIC names the first bad particle of the lowest rank that saw one, and the likely cause
 * (h as a share of the bound); all ranks return alike and the state is the last good one. A machine's own failure after
 * the all-reduce (LAPACK's on one rank alone) is told in the next step where `more` follow: MMS_STATE_LOST then. */
mms_status mms_dynamics_step(mms_dynamics *dynamics, const mms_step_request *request, mms_step_report *report,
                             mms_error *error);

/* One array of the state: [n_local][d], rows as in the ensemble. Borrowed; a step may put another in its place. */
typedef struct mms_state_array {
  const char *name, *description;
  double *data;
} mms_state_array;
enum { MMS_STATE_ARRAYS = 4 }; /* the most there are */

/* All arrays of the state, Y first, into [MMS_STATE_ARRAYS]: with the number of steps done they are all of it. Returns
 * how many. Local. */
int mms_dynamics_arrays(mms_dynamics *dynamics, mms_state_array *arrays);

/* Defects of the state as it stands. Collective. */
mms_status mms_dynamics_measure(mms_dynamics *dynamics, double *mean_defect, double *covariance_defect,
                                mms_error *error);

/* Steps done; MMS_STATE_LOST after a step that failed when Y was already written over, on some rank at least: there is
 * no state to save then. Local. */
enum { MMS_STATE_LOST = -1 };
int64_t mms_dynamics_steps_done(const mms_dynamics *dynamics);
double mms_dynamics_step_size(const mms_dynamics *dynamics); /* h in use */
const mms_target *mms_dynamics_target(const mms_dynamics *dynamics);
mms_field *mms_dynamics_field(const mms_dynamics *dynamics);
mms_ensemble *mms_dynamics_ensemble(mms_dynamics *dynamics);
const mms_exact_sum *mms_dynamics_sums(const mms_dynamics *dynamics); /* what a step reduces */
bool mms_dynamics_moments_are_exact(const mms_dynamics *dynamics);    /* moves on the moment manifold */
const mms_tilt *mms_dynamics_tilt(const mms_dynamics *dynamics);      /* NULL where there is none */
int64_t mms_dynamics_bytes(const mms_dynamics *dynamics);             /* memory of this rank */
int64_t mms_dynamics_shared_bytes(const mms_dynamics *dynamics);      /* shared per node */

/* Where the d × d algebra is done, and why, in one line. Local. */
const char *mms_dynamics_linalg(const mms_dynamics *dynamics);

/* Positions z of all local particles where the target is spread over the ranks and they cannot be had a block at a
 * time: [n_local][d], good until the next step; NULL where mms_target_positions gives them. Collective. */
const double *mms_dynamics_positions_together(mms_dynamics *dynamics);

/* How it moves and how h stands to its bound, in one line; what a statistician should be warned of before the run, or
 * false where nothing. Local. */
void mms_dynamics_describe(const mms_dynamics *dynamics, char *text, size_t size);
bool mms_dynamics_caution(const mms_dynamics *dynamics, char *text, size_t size);

/* The steps a run of these options takes in all: `steps`, one less for the flow (its first is at t = 1/T). Local. */
int64_t mms_sampler_steps(const mms_sampler_options *sampler);
/* Does this way of moving know this scheme? Local. */
bool mms_method_takes(mms_method method, mms_scheme scheme);
/* The names of a scheme and a method as the configuration writes them ("lm", "lm-corrected", ...). Local. */
const char *mms_scheme_name(mms_scheme scheme);
const char *mms_method_name(mms_method method);

/* The least dimension in which this way of moving, with this score, works over a partitioned training set; INT64_MAX:
 * in none. Local. */
int64_t mms_dynamics_partition_from(const mms_sampler_options *sampler, const mms_score_options *score);

#endif
