/* Many runs side by side: the cells of a study, each an ordinary resumable run in a folder of its own. */
#ifndef MMSOLD_STUDY_CELLS_H
#define MMSOLD_STUDY_CELLS_H

#include "mmsold/base/log.h"
#include "mmsold/base/status.h"
#include "mmsold/parallel/team.h"
#include "mmsold/run/run.h"
#include <stdbool.h>
#include <stdint.h>

/* One run. `run.team`, `run.log`, `run.max_hours` and `run.stop_file` are set here; the rest is the caller's. */
typedef struct mms_cell {
  const char *name;    /* for messages */
  mms_run_request run; /* its output.directory is its own */
  bool talks;          /* warnings of this one are said (one of several cells that differ in their seed is enough) */
} mms_cell;

/* What a run is taken to cost, in rough seconds of one core: only ratios matter, and a wrong guess costs balance,
 * never a result. Local. */
double mms_cell_cost(const mms_run_request *run);

/* Who does what: ranks 0 … ranks − 1 are cut into `parts` contiguous teams, part_of_rank [ranks] ascending, and every
 * cell goes to one of them, part_of_cell [count]. With at least as many cells to do as ranks a team is one rank, and
 * cells are given out largest first to the team with the least so far; with fewer, a cell is a team's only work and
 * ranks go where most is left per rank. Cells of cost 0 (done already) count for nothing. Depends on nothing but its
 * arguments. Local. MMS_ERR_MEMORY. */
mms_status mms_cells_assign(const double *costs, int64_t count, int ranks, int *part_of_cell, int *part_of_rank,
                            int *parts, mms_error *error);

typedef struct mms_cells_request {
  const mms_team *team;
  mms_log *log;
  const char *folder; /* of the study; a file `stop` in it stops all cells in order */
  const mms_cell *cells;
  int64_t count;
  double max_hours; /* 0 = no limit */
} mms_cells_request;

/* Run every cell that is not finished, go on with those that were stopped. outcome [count]: how each one ended, on all
 * ranks: MMS_OK finished (or it was), MMS_STOPPED not finished, stopped or never begun, else it failed; a failed cell
 * is named at once and the others go on. Returns MMS_OK also then; MMS_STOPPED where one was stopped. The results do
 * not depend on who did what. Collective; agreed. */
mms_status mms_cells_run(const mms_cells_request *request, mms_status *outcome, mms_error *error);

#endif
