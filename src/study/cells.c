#include "mmsold/study/cells.h"

#include "mmsold/base/clock.h"
#include "mmsold/base/memory.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* Seconds of a core on one step, whatever it does, and on one draw of one particle against one training point; an index
 * leaves about so many points of a large set. Rough, from the benchmarks. */
static const double step_seconds = 2e-5, pair_seconds = 1e-9, most_points = 1000.0;

double mms_cell_cost(const mms_run_request *run) {
  const double n =
      run->training.count > 0 && (double)run->training.count < most_points ? (double)run->training.count : most_points;
  const double draws = 1.0 + 0.5 * (double)run->score.smoothing_samples;
  return (double)run->sampler.steps * (step_seconds + pair_seconds * (double)run->sampler.particles * n * draws);
}

/* Indices of the cells by falling cost, ties by number. */
static void sort_by_cost(const double *costs, int64_t count, int64_t *order) {
  for (int64_t i = 0; i < count; i++) {
    int64_t place = i;
    for (; place > 0 && costs[order[place - 1]] < costs[i]; place--) order[place] = order[place - 1];
    order[place] = i;
  }
}

/* One team per rank: the largest first, to the least loaded. */
static void spread(const double *costs, const int64_t *order, int64_t count, int ranks, double *load,
                   int *part_of_cell) {
  for (int64_t i = 0; i < count; i++) {
    int least = 0;
    for (int part = 1; part < ranks; part++)
      if (load[part] < load[least]) least = part;
    part_of_cell[order[i]] = least;
    load[least] += costs[order[i]];
  }
}

mms_status mms_cells_assign(const double *costs, int64_t count, int ranks, int *part_of_cell, int *part_of_rank,
                            int *parts, mms_error *error) {
  void *orders = NULL, *ranks_of = NULL;
  double *load = NULL;
  mms_status status = mms_allocate(&orders, count, sizeof(int64_t), "the order of the cells", error);
  if (status == MMS_OK) status = mms_allocate_doubles(&load, ranks, "the load of the ranks", error);
  if (status == MMS_OK) status = mms_allocate(&ranks_of, ranks, sizeof(int), "ranks of a cell", error);
  int64_t waiting = 0, *order = orders;
  for (int64_t i = 0; i < count; i++) waiting += costs[i] > 0.0;
  if (status == MMS_OK) {
    int *size = ranks_of;
    sort_by_cost(costs, count, order);
    *parts = waiting >= ranks ? ranks : waiting > 0 ? (int)waiting : 1;
    if (waiting >= ranks) {
      spread(costs, order, count, ranks, load, part_of_cell);
      for (int part = 0; part < ranks; part++) size[part] = 1;
    } else {
      for (int64_t i = 0; i < count; i++) part_of_cell[order[i]] = (int)(i % *parts);
      for (int part = 0; part < *parts; part++) size[part] = 1;
      for (int spare = ranks - *parts; spare > 0; spare--) {
        int neediest = 0;
        for (int part = 1; part < *parts; part++)
          if (costs[order[part]] / size[part] > costs[order[neediest]] / size[neediest]) neediest = part;
        size[neediest]++;
      }
    }
    for (int part = 0, rank = 0; part < *parts; part++)
      for (int i = 0; i < size[part]; i++) part_of_rank[rank++] = part;
  }
  free(orders);
  free(load);
  free(ranks_of);
  return status;
}

/* What a rank knows of the study while it works. */
typedef struct worker {
  const mms_cells_request *request;
  mms_team *part;
  mms_log said; /* of its cells: warnings only, unless more was asked for */
  char *stop_file;
  bool others; /* are there other teams? */
  double begun;
} worker;

/* Ask all other teams to stop too: they look at this file once a second. Not where there are none: a command that runs
 * one cell (a task of an array) may share the folder with other commands, which have time left. */
static void ask_others_to_stop(const worker *self) {
  if (!self->others || mms_team_rank(self->part) != 0) return;
  FILE *file = fopen(self->stop_file, "w");
  if (file == NULL)
    mms_log_warn(self->request->log, "%s could not be made: the other cells are not told to stop", self->stop_file);
  else
    fclose(file);
}

/* Should the next cell not be begun? The same answer on all ranks of the part. Collective over it. */
static bool stops_here(const worker *self) {
  const double hours = (mms_clock_seconds() - self->begun) / 3600.0;
  bool stop = mms_run_stop_asked();
  if (mms_team_rank(self->part) == 0)
    stop = stop || access(self->stop_file, F_OK) == 0 ||
           (self->request->max_hours > 0.0 && hours >= self->request->max_hours);
  int64_t any = stop;
  mms_team_sum_int64(self->part, &any, 1);
  return any > 0;
}

/* One cell, on this rank's part. Collective over it; all its ranks return alike. */
static mms_status run_cell(worker *self, const mms_cell *cell, mms_error *error) {
  const mms_cells_request *request = self->request;
  const double begun = mms_clock_seconds();
  mms_run_request run = cell->run;
  run.team = self->part;
  run.log = request->log != NULL && (cell->talks || request->log->level == MMS_LOG_VERBOSE) ? &self->said : NULL;
  run.stop_file = self->stop_file;
  if (request->max_hours > 0.0) run.max_hours = request->max_hours - (begun - self->begun) / 3600.0;
  mms_status status = mms_run(&run, error);
  mms_log own = self->said;
  if (request->log != NULL) own.level = request->log->level;
  if (status == MMS_OK)
    mms_log_info(&own, "cell       %s done in %.2f s", cell->name, mms_clock_seconds() - begun);
  else if (status == MMS_STOPPED)
    mms_log_info(&own, "cell       %s stopped in order", cell->name);
  else
    mms_log_warn(&own, "the cell %s failed, the others go on: %s", cell->name, error->message);
  return status;
}

/* Is the cell's result there? A run of it looks more closely. Rank 0's answer for all. Collective. */
static void look_for_results(const mms_cells_request *request, double *costs) {
  for (int64_t i = 0; i < request->count && mms_team_rank(request->team) == 0; i++) {
    char path[4096];
    struct stat about;
    snprintf(path, sizeof path, "%s/samples.h5", request->cells[i].run.output.directory);
    costs[i] = stat(path, &about) == 0 ? 0.0 : mms_cell_cost(&request->cells[i].run);
  }
  mms_team_broadcast(request->team, costs, (size_t)request->count * sizeof *costs, 0);
}

/* All cells of this rank's part, in `order`; outcome is left at 0 for those of others. Collective over the part. */
static void work(worker *self, const int64_t *order, const int *part_of_cell, int part, int64_t *outcome) {
  const mms_cells_request *request = self->request;
  bool stopped = false;
  for (int64_t i = 0; i < request->count; i++) {
    const int64_t c = order[i];
    if (part_of_cell[c] != part) continue;
    mms_error why = mms_error_none();
    if (!stopped) stopped = stops_here(self);
    const mms_status ended = stopped ? MMS_STOPPED : run_cell(self, &request->cells[c], &why);
    if (ended == MMS_STOPPED && !stopped) {
      stopped = true;
      ask_others_to_stop(self);
    }
    if (mms_team_rank(self->part) == 0) outcome[c] = ended;
  }
}

/* Everything between the agreement on who does what and on how it went. */
static mms_status run_parts(worker *self, mms_status *outcome, mms_error *error) {
  const mms_cells_request *request = self->request;
  const mms_team *team = request->team;
  const int ranks = mms_team_size(team);
  void *ended = NULL, *order = NULL, *of_cell = NULL, *of_rank = NULL;
  double *costs = NULL;
  int parts = 0;
  mms_status status = mms_allocate(&ended, request->count, sizeof(int64_t), "outcomes", error);
  if (status == MMS_OK) status = mms_allocate(&order, request->count, sizeof(int64_t), "the order of the cells", error);
  if (status == MMS_OK) status = mms_allocate(&of_cell, request->count, sizeof(int), "the parts of the cells", error);
  if (status == MMS_OK) status = mms_allocate(&of_rank, ranks, sizeof(int), "the parts of the ranks", error);
  if (status == MMS_OK) status = mms_allocate_doubles(&costs, request->count, "costs", error);
  status = mms_team_agree(team, status, error);
  if (status == MMS_OK) {
    look_for_results(request, costs);
    status = mms_cells_assign(costs, request->count, ranks, of_cell, of_rank, &parts, error);
    status = mms_team_agree(team, status, error);
  }
  if (status == MMS_OK) status = mms_team_split(&self->part, team, ((int *)of_rank)[mms_team_rank(team)], error);
  if (status == MMS_OK) {
    self->others = parts > 1;
    self->said.speaks = mms_team_rank(self->part) == 0;
    sort_by_cost(costs, request->count, order);
    const clock_t begun = clock();
    work(self, order, of_cell, ((int *)of_rank)[mms_team_rank(team)], ended);
    double busy = (double)(clock() - begun) / CLOCKS_PER_SEC;
    mms_team_max_double(team, &busy, 1);
    mms_log_detail(request->log, "busy       %.2f s of processor time on the busiest of %d ranks", busy, ranks);
    mms_team_sum_int64(team, ended, (int)request->count);
    for (int64_t c = 0; c < request->count; c++) {
      outcome[c] = (mms_status)((int64_t *)ended)[c];
      if (outcome[c] == MMS_STOPPED) status = MMS_STOPPED;
    }
    mms_team_free(&self->part);
  }
  free(ended);
  free(order);
  free(of_cell);
  free(of_rank);
  free(costs);
  return status;
}

mms_status mms_cells_run(const mms_cells_request *request, mms_status *outcome, mms_error *error) {
  worker self = {.request = request, .begun = mms_clock_seconds()};
  self.said = mms_log_to_stderr(MMS_LOG_QUIET, false);
  if (request->log != NULL && request->log->level == MMS_LOG_VERBOSE) self.said.level = MMS_LOG_VERBOSE;
  mms_status status = mms_team_refuse_singletons(request->team, error);
  if (status == MMS_OK) status = mms_format_text(&self.stop_file, error, "%s/stop", request->folder);
  status = mms_team_agree(request->team, status, error);
  if (status != MMS_OK) return status;
  mms_run_series_begin();
  status = run_parts(&self, outcome, error);
  mms_run_series_end();
  mms_team_barrier(request->team);
  if (mms_team_rank(request->team) == 0) unlink(self.stop_file); /* it is obeyed once */
  free(self.stop_file);
  return status;
}
