/* Densities of the plane over a list of smoothings: the naive law exp(−V), the tilted limit law ρ* (ALGORITHMS 6), and
 * how well each explains test points (`mmsold density`). */
#ifndef MMSOLD_STUDY_DENSITY_H
#define MMSOLD_STUDY_DENSITY_H

#include "mmsold/base/log.h"
#include "mmsold/base/matrix.h"
#include "mmsold/base/status.h"
#include "mmsold/field/field.h"
#include "mmsold/parallel/team.h"
#include "mmsold/training/training.h"
#include <stdint.h>

typedef enum mms_density_rule { MMS_DENSITY_MONTE_CARLO, MMS_DENSITY_QUADRATURE } mms_density_rule;

/* What the `density:` section says. Strings and lists are borrowed. */
typedef struct mms_density_options {
  const double *smoothing; /* the list of σ */
  int64_t smoothing_count;
  mms_density_rule potential;
  int64_t smoothing_samples; /* M, even, for Monte Carlo: one set of draws for all points and all σ */
  const char *expectation;   /* what λ and Λ are averaged over: "training"; "source": points drawn from the generator,
                                which give μ* and Σ* too; "matched": none, the law's moments are set (mms_tilt_match);
                                else   a file: a run's /latent, or points in the data's coordinates */
  int64_t expectation_count; /* of "source" */
  int64_t cells;             /* of the picture, each side */
  const double *extent;      /* low and high of both axes, or of x and then y; none: μ* ± 5 standard deviations */
  int64_t extent_count;      /* 0, 2 or 4 */
  const char *test;          /* "source": drawn from the generator; else a file, in the data's coordinates */
  int64_t test_count;        /* of "source" */
  uint64_t seed;             /* of the draws, of what is drawn from a generator, and of the bootstrap */
} mms_density_options;

typedef struct mms_density_request {
  const mms_team *team;
  mms_log *log;
  mms_training_options training;
  double bandwidth;
  mms_backend backend;
  mms_density_options density;
  const char *directory;     /* density.h5 goes there; the folder is made */
  bool fresh;                /* keep a density.h5 that is there aside */
  const char *configuration; /* stored in the file */
} mms_density_request;

enum { MMS_NAIVE, MMS_TILTED, MMS_LAWS };

/* One law at one σ. Standard errors are those of the draws and, where a value depends on them, of the test points. */
typedef struct mms_density_law {
  double log_z, log_z_error;
  double nll, nll_error;     /* average of energy + log Z over the test points */
  double above, above_error; /* nll less the least of this law's; its error is that of the difference */
  double chosen;             /* share of bootstrap replicates in which this σ has the least nll */
  double mean[2], covariance[4];
  double edge, change; /* of mms_law */
} mms_density_law;

typedef struct mms_density_row {
  double smoothing;
  double lambda[2], lambda_error[2], quadratic[4], quadratic_error[4];
  mms_density_law law[MMS_LAWS];
} mms_density_row;

/* The table. Owns rows. */
typedef struct mms_density_table {
  int64_t count, test_count;
  mms_density_row *rows;
  double least[MMS_LAWS], least_low[MMS_LAWS], least_high[MMS_LAWS]; /* σ of the least nll; 95 % of the bootstrap */
} mms_density_table;
void mms_density_table_free(mms_density_table *table);

/* Writes DIRECTORY/density.h5 and fills the table (on every rank). Cells and points are spread over the team in blocks;
 * the same bits at any number of ranks. The integrals run over the picture's grid, widened by whole cells where a law
 * has more than 1e-9 of its mass outside. Collective; agreed. MMS_ERR_INPUT where d is not 2 or density.h5 exists
 * (without `fresh`); MMS_ERR_NUMERIC where exp(−E*) cannot be normalised, with the σ. On failure no density.h5 is left
 * that was not there. */
mms_status mms_density(const mms_density_request *request, mms_density_table *table, mms_error *error);

#endif
