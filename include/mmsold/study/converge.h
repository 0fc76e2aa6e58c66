/* How the samples of a ladder of runs approach their limit: distances, biases, fitted powers (`mmsold converge`).
 *
 * Two laws are told apart. One snapshot is an empirical measure of P particles: its distance to the limit law, and the
 * spread of its averages from seed to seed, fall as P^{-1/2}. The long-run marginal, an average over many steps and
 * seeds, has a bias of its own: O(1/P) from the constraint, a power of h from the step. */
#ifndef MMSOLD_STUDY_CONVERGE_H
#define MMSOLD_STUDY_CONVERGE_H

#include "mmsold/base/log.h"
#include "mmsold/base/matrix.h"
#include "mmsold/ensemble/observables.h"
#include "mmsold/field/field.h"
#include "mmsold/parallel/team.h"
#include "mmsold/study/statistics.h"
#include "mmsold/training/training.h"
#include <stdbool.h>
#include <stdint.h>

/* Observables of a study: those of the trace, and the mean potential that every trace has. */
enum { MMS_STUDY_POTENTIAL = MMS_OBSERVABLE_COUNT, MMS_STUDY_OBSERVABLES };
const char *mms_study_observable_name(int which);

/* What the limit is taken from. */
typedef enum mms_reference {
  MMS_REFERENCE_FINEST, /* the last rung, all its seeds together: it has no error of its own and is not fitted */
  MMS_REFERENCE_NORMAL, /* N(mean*, covariance*): the limit where there is one training point */
  MMS_REFERENCE_LIMIT,  /* the limit law by quadrature (mms_limit), in two dimensions */
  MMS_REFERENCE_FILE    /* points in the sampler's coordinates */
} mms_reference;

/* The grid: cell (curve, rung, seed) has the number (curve · rungs + rung) · seeds + seed. */
typedef struct mms_converge_request {
  const mms_team *team;
  mms_log *log;
  int64_t curves, rungs, seeds;
  const char *abscissa;            /* the ladder's key, such as "particles" */
  const double *x;                 /* [rungs] its values, from the coarsest on */
  const char *const *curve_labels; /* [curves] what else differs, "" for a single curve */
  const char *const *names;        /* [cells] */
  const char *const *samples;      /* [cells] each cell's samples.h5; NULL: it failed, and is left out */
  const int *observables;          /* [observable_count] */
  int64_t observable_count;
  double burn_in;     /* share of a run's steps before the long-run averages begin */
  int64_t directions; /* of the sliced distance */
  uint64_t seed;      /* of these directions, and of points drawn from a normal law */
  mms_reference reference;
  const char *reference_file;    /* FILE.npy or FILE.h5:/dataset */
  mms_training_options training; /* these two for MMS_REFERENCE_LIMIT; the same in all cells */
  mms_score_options score;
  const char *configuration; /* stored in the file */
  const char *output;        /* converge.h5 */
} mms_converge_request;

/* One quantity over the grid: its value with a 95 % half width at each point, and, where a power is expected of it, the
 * line through the points of a curve in log-log. */
typedef struct mms_quantity {
  char name[48], meaning[160];
  bool power;    /* fitted */
  double *value; /* [curves][rungs] */
  double *stderr_value, *half_width;
  mms_line *line; /* [curves] */
} mms_quantity;

/* A polynomial of second degree in h through the long-run averages: what they tend to, and the bias's first two
 * coefficients. */
typedef struct mms_expansion {
  char name[48];
  bool *has;           /* [curves] */
  double *coefficient; /* [curves][3] */
  double *half_width;  /* [curves][3] */
} mms_expansion;

/* Owns its arrays. */
typedef struct mms_convergence {
  int64_t quantity_count, expansion_count, missing; /* cells without a result */
  mms_quantity *quantities;
  mms_expansion *expansions;
  int64_t raw_count; /* columns of `raw` */
  char (*raw_names)[48];
  double *raw; /* [raw_count][cells], NaN where a cell is missing */
  int64_t reference_points;
} mms_convergence;

/* Read every cell's samples and trace, measure, fit, write `output`. Cells are shared out over the ranks; the numbers
 * don't depend on that. MMS_ERR_INPUT names the cell whose file cannot be used. Collective; agreed; all ranks hold the
 * result. */
mms_status mms_converge(const mms_converge_request *request, mms_convergence *result, mms_error *error);
void mms_convergence_free(mms_convergence *result);

#endif
