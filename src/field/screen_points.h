/* The screen's copy of the training set: single precision, centred and scaled into the unit ball, once per node.
 * x' = (x − centre)/scale with scale a power of two (so scaling rounds nothing) and |x'| <= 1. */
#ifndef FIELD_SCREEN_POINTS_H
#define FIELD_SCREEN_POINTS_H

#include "mmsold/training/training.h"

typedef struct mms_screen_points {
  int64_t padded;       /* points, rounded up to the kernels' chunk; the added ones have half = 1e30 and never win */
  int64_t stride;       /* floats from one point to the next (by row), or from one coordinate to the next (by column) */
  double scale;         /* S */
  double radius;        /* a bound of |x'|, X <= 1 */
  const double *centre; /* [d] */
  const float *half;    /* |x'|²/2: [padded] */
  const float *x;       /* by row [padded][stride], by column [d][stride] */
  mms_shared *memory;
} mms_screen_points;

/* Collective over `team`; agreed. */
mms_status mms_screen_points_create(mms_screen_points *points, const mms_team *team, const mms_training *training,
                                    bool by_column, mms_error *error);
void mms_screen_points_free(mms_screen_points *points); /* Collective */

/* Centre [dim] (zero before), scale and radius. As mms_training_walk: Collective where the set is partitioned. */
void mms_screen_points_measure(const mms_training *training, double *centre, double *scale, double *radius);

/* A bound of the rounding error of a computed score s = z'·x' − |x'|²/2 ± β ε·x' over all points, for |z'| <= z_norm
 * and β|ε| <= e_norm: derived in screen_points.c. */
double mms_screen_points_error(const mms_screen_points *points, int64_t dim, double z_norm, double e_norm, double beta);

#endif
