/* V at many points, from draws or by quadrature, and the grid its integrals need. Private to src/study. */
#ifndef STUDY_DENSITY_SOURCE_H
#define STUDY_DENSITY_SOURCE_H

#include "mmsold/field/potential.h"
#include "study/density.h"

/* Where V comes from: G groups of draws, or one exact value. */
typedef struct mms_density_source {
  mms_potential *draws;
  mms_quadrature *exact;
  int64_t groups;
} mms_density_source;

/* Points that are evaluated together: this rank's share of them, or all. Owns its arrays. */
typedef struct mms_density_batch {
  mms_blocks blocks;
  double *values;       /* [n_local][G] */
  double *mean, *error; /* [n_local]: average over the draws, and its standard error */
  double *all;          /* [total]: the averages, on every rank */
} mms_density_batch;

/* Collective; agreed. */
mms_status mms_density_source_open(const mms_density_setting *setting, double smoothing, mms_density_source *from,
                                   mms_error *error);
/* Collective; fine on an empty one. */
void mms_density_source_close(mms_density_source *from);
/* The share of all draws that a group has. Local. */
double mms_density_share(const mms_density_source *from, int64_t group);

/* V at this rank's share of `count` points [count][2] that every rank has, in blocks of MMS_POTENTIAL_BLOCK; at this
 * rank's rows of a plane's cells, a row a block. Collective; agreed. */
mms_status mms_density_evaluate_points(const mms_team *team, mms_density_source *from, int64_t count,
                                       const double *points, mms_density_batch *of, mms_error *error);
mms_status mms_density_evaluate_plane(const mms_team *team, mms_density_source *from, const mms_plane *plane,
                                      mms_density_batch *of, mms_error *error);
void mms_density_batch_free(mms_density_batch *of);

/* A plane with `by` more cells on every side. Local. */
mms_plane mms_density_widened(const mms_plane *plane, int64_t by);
/* How many cells the picture's grid must be widened by for the naive law and, unless NULL, the tilted one: from a
 * coarse look with few draws at three times its width. The same on every rank. Collective; agreed. */
mms_status mms_density_width(const mms_density_setting *setting, double smoothing, const mms_tilt *tilt, int64_t *by,
                             mms_error *error);

#endif
