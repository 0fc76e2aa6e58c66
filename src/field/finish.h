/* The finish: the smoothed softmax mean over a given list of training points, in double, from x − z. Every screen ends
 * here, so no screen can spoil the answer. */
#ifndef FIELD_FINISH_H
#define FIELD_FINISH_H

#include "field/kernels.h"
#include "mmsold/training/training.h"
#include <stdbool.h>

typedef struct mms_finish mms_finish;

/* What one row has gathered over its draws so far. `sum` [d] is borrowed. */
typedef struct mms_finish_row {
  const double *z; /* the query: [d] */
  double *sum;     /* Σ_i W_i (x_i − x_base) */
  double log_mass;
  int64_t base;         /* the training point that sums are taken about; −1 before the first draws */
  const double *origin; /* that point: [d], borrowed */
} mms_finish_row;

/* The width of the kernel and of the noise, and the share 1/(2·pairs) each draw has in the average. */
typedef struct mms_finish_scale {
  double bandwidth, smoothing, share;
} mms_finish_scale;

/* Room for one row at a time. Points in few dimensions (<= MMS_FINISH_COLUMNS) are worked on by coordinate. Local. */
enum { MMS_FINISH_COLUMNS = 8 };
mms_status mms_finish_create(mms_finish **finish, const mms_training *training, const mms_field_kernel_table *kernels,
                             mms_error *error);
void mms_finish_free(mms_finish **finish);
int64_t mms_finish_bytes(const mms_finish *finish);

/* Start a row at z with sums in sum [d]. Local. */
mms_finish_row mms_finish_begin(const double *z, double *sum, int64_t dim);

/* Add draws ±ε_j, noise [pairs][d], over the points index[0 .. count − 1] (in ascending order), or over all points
 * where index is NULL. Exact for any list that holds all points of weight. Local; allocates nothing. */
void mms_finish_add(mms_finish *finish, mms_finish_row *row, const mms_finish_scale *scale, const float *noise,
                    int64_t pairs, const int32_t *index, int64_t count);

/* The same over all points where they come by in pieces, in order: a list of more than mms_finish_width() points is
 * worked on in tiles of that many, in two passes, for MMS_FINISH_PAIRS pairs at most at a time. `points` [count][d] is
 * one such tile; all but the last are full. begin, then mass for every tile, then weigh for every tile, then end: the
 * bits of mms_finish_add with no index. row->origin points into the tile where row->base was set by `mass`: the caller
 * keeps it. */
enum { MMS_FINISH_PAIRS = 16 };
typedef struct mms_finish_wide {
  double tops[2 * MMS_FINISH_PAIRS], sums[2 * MMS_FINISH_PAIRS]; /* online softmax of each draw */
  double nearest;
  bool settled; /* row->base stands already */
} mms_finish_wide;

int64_t mms_finish_width(const mms_finish *finish);
void mms_finish_wide_begin(mms_finish_wide *wide, const mms_finish_row *row);
void mms_finish_wide_mass(mms_finish *finish, mms_finish_row *row, const mms_finish_scale *scale, const float *noise,
                          int64_t pairs, const double *points, int64_t first, int64_t count, mms_finish_wide *wide);
void mms_finish_wide_weigh(mms_finish *finish, mms_finish_row *row, const mms_finish_scale *scale, const float *noise,
                           int64_t pairs, const double *points, int64_t first, int64_t count,
                           const mms_finish_wide *wide);
void mms_finish_wide_end(mms_finish_row *row, const mms_finish_scale *scale, int64_t pairs,
                         const mms_finish_wide *wide);

#endif
