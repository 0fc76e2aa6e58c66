/* Are all modes of a known mixture there, each with its share? */
#ifndef MMSOLD_STUDY_MODES_H
#define MMSOLD_STUDY_MODES_H

#include "mmsold/base/matrix.h"
#include "mmsold/base/status.h"
#include "mmsold/training/modes.h"
#include <stdbool.h>
#include <stdint.h>

/* Which points belong to which mode: the one under which a point is likeliest. */
typedef struct mms_mode_counts {
  int64_t points, occupied;
  int64_t count[MMS_MODES_MOST];
  int64_t outside; /* points more than 3 widths from their mode's centre; of the mixture itself exp(-9/2) = 1.1 % are */
} mms_mode_counts;

/* Count points [n][2]. Local. MMS_ERR_INPUT where they are not in the plane. */
mms_status mms_modes_count(mms_mode_counts *counts, const mms_matrix *points, const mms_modes *modes, mms_error *error);

/* Pearson's test of counts against shares (which add up to 1). */
typedef struct mms_chi_square {
  double statistic; /* sum of (count - expected)^2/expected; infinite where a cell without a share is occupied */
  int64_t freedom;  /* cells that have a share, less one */
  double p;         /* chance of a statistic as large or larger for independent points with these shares */
  bool simulated;   /* p from 10,000 simulated sets, since an expected count is below 5, else from the chi-square law */
} mms_chi_square;

/* cells >= 1 counts against shares; the simulation draws with `seed`. Local. MMS_ERR_INPUT: no points, or shares that
 * do not add up to 1. */
mms_status mms_chi_square_test(mms_chi_square *test, int64_t cells, const int64_t *count, const double *share,
                               uint64_t seed, mms_error *error);

/* Q(a, x): the chance that a Gamma(a) variable is larger than x; a > 0, x >= 0. With a = k/2 and x = s/2 that of a
 * chi-square variable of k degrees of freedom larger than s. Local. */
double mms_gamma_above(double a, double x);

#endif
