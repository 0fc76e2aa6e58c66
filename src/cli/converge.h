/* The grid of cells that a `converge:` section asks for. Private to the program. */
#ifndef CLI_CONVERGE_H
#define CLI_CONVERGE_H

#include "cli/config.h"
#include "mmsold/study/cells.h"
#include "mmsold/study/converge.h"

/* A list of the section with two values or more. Curves differ by all but the first, which is the abscissa. */
typedef struct mms_ladder {
  mms_key list, key; /* converge.particles stands for sampler.particles */
  int64_t count;
  bool falls; /* the finest value is the smallest */
} mms_ladder;

enum { MMS_MOST_CELLS = 10000 };

/* Owns everything. Cell (curve, rung, seed) has the number (curve · rungs + rung) · seeds + seed. */
typedef struct mms_grid {
  mms_ladder ladders[MMS_KEYS];
  int ladder_count;
  int64_t curves, rungs, seeds, count;
  char *text;            /* the resolved configuration of the study */
  char *base;            /* what the cells have in common */
  double *x;             /* [rungs] */
  char **labels;         /* [curves] */
  char **names;          /* [count] */
  mms_config *configs;   /* [count] */
  char **configurations; /* [count] their resolved texts */
  mms_cell *cells;       /* [count] */
  char **samples;        /* [count] where each leaves its samples */
} mms_grid;

/* Local. MMS_ERR_INPUT where there is no ladder, or what a cell would be is refused (the cell is named). On failure
 * the grid is left for mms_grid_free. */
mms_status mms_grid_create(mms_grid *grid, const mms_config *config, bool fresh, mms_error *error);
void mms_grid_free(mms_grid *grid);

/* The results as a table, on stdout. Local. */
void mms_converge_print(const mms_grid *grid, const mms_convergence *result);

#endif
