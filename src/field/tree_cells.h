/* Lists of the points of weight by cells of space, for many calls at one bandwidth on a line or in the plane: a draw
 * looks up its cell, and nothing is searched. Made once; every list holds whatever can matter anywhere in its cell. */
#ifndef FIELD_TREE_CELLS_H
#define FIELD_TREE_CELLS_H

#include "field/kernels.h"
#include "mmsold/base/status.h"
#include "mmsold/training/training.h"
#include <stdbool.h>

typedef struct mms_tree_cells {
  mms_cells view; /* what the kernel sees: the arrays below */
  int32_t *table;
  double *lists;
  int64_t used, room; /* units of lists */
  double bandwidth;   /* that the lists are for; 0: there are none */
  int64_t bytes;
} mms_tree_cells;

/* Lists for draws that lie up to a few bandwidths and smoothings outside the training set; a point left out weighs less
 * than e^-depth of its draw's largest. None, and MMS_OK, where they would be too long (tree_cells.c has the rule).
 * Replaces earlier ones. Local; a function of its arguments alone. */
mms_status mms_tree_cells_make(mms_tree_cells *cells, const mms_training *training, double bandwidth, double smoothing,
                               double depth, mms_error *error);
void mms_tree_cells_free(mms_tree_cells *cells);

#endif
