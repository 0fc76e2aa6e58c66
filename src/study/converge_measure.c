/* Numbers of single cells against a reference. */
#include "mmsold/base/memory.h"
#include "mmsold/linalg/dense.h"
#include "mmsold/random/random.h"
#include "mmsold/store/h5.h"
#include "mmsold/study/distances.h"
#include "mmsold/training/training.h"
#include "study/converge_cells.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *mms_study_observable_name(int which) {
  return which == MMS_STUDY_POTENTIAL ? "mean_potential" : mms_observable_name((mms_observable_kind)which);
}

/* A finished cell's file. Owns its arrays. */
typedef struct cell_file {
  mms_matrix latent, mean, covariance, steps;
  mms_matrix columns[MMS_STUDY_OBSERVABLES]; /* of the trace, as the request orders its observables */
} cell_file;

static void close_cell(cell_file *cell) {
  mms_matrix_free(&cell->latent);
  mms_matrix_free(&cell->mean);
  mms_matrix_free(&cell->covariance);
  mms_matrix_free(&cell->steps);
  for (int k = 0; k < MMS_STUDY_OBSERVABLES; k++) mms_matrix_free(&cell->columns[k]);
}

/* `traced`: the trace is wanted too. Local. */
static mms_status open_cell(const mms_converge_request *request, const char *path, bool traced, cell_file *cell,
                            mms_error *error) {
  *cell = (cell_file){0};
  mms_h5 *file = NULL;
  mms_status status = mms_h5_open(&file, NULL, path, error);
  if (status == MMS_OK) status = mms_h5_read_matrix(file, "/latent", &cell->latent, error);
  if (status == MMS_OK) status = mms_h5_read_matrix(file, "/target/mean", &cell->mean, error);
  if (status == MMS_OK) status = mms_h5_read_matrix(file, "/target/covariance", &cell->covariance, error);
  if (status == MMS_OK && traced && request->observable_count > 0)
    status = mms_h5_read_matrix(file, "/trace/step", &cell->steps, error);
  for (int64_t k = 0; status == MMS_OK && traced && k < request->observable_count; k++) {
    char name[64];
    snprintf(name, sizeof name, "/trace/%s", mms_study_observable_name(request->observables[k]));
    status = mms_h5_read_matrix(file, name, &cell->columns[k], error);
    if (status == MMS_OK && cell->columns[k].rows != cell->steps.rows)
      status = mms_fail(error, MMS_ERR_INPUT, "%s: %s and /trace/step are of different lengths", path, name);
  }
  mms_h5_close(&file);
  if (status != MMS_OK) close_cell(cell);
  return status;
}

/* What a cell is held against. Owns its arrays. */
typedef struct reference {
  int64_t curve; /* of MMS_REFERENCE_FINEST; -1: none yet */
  mms_matrix points, mean, covariance;
  double within; /* mean distance inside it */
} reference;

static void drop_reference(reference *limit) {
  mms_matrix_free(&limit->points);
  mms_matrix_free(&limit->mean);
  mms_matrix_free(&limit->covariance);
  limit->curve = -1;
}

static int64_t cell_of(const mms_converge_request *request, int64_t curve, int64_t rung, int64_t seed) {
  return (curve * request->rungs + rung) * request->seeds + seed;
}

/* The last rung's snapshots together, an equal share of each: particles of one run can be exchanged. */
static mms_status pool_finest(const mms_converge_request *request, int64_t curve, mms_matrix *points,
                              mms_error *error) {
  mms_status status = MMS_OK;
  int64_t filled = 0;
  for (int64_t seed = 0; status == MMS_OK && seed < request->seeds; seed++) {
    const char *path = request->samples[cell_of(request, curve, request->rungs - 1, seed)];
    if (path == NULL) continue;
    cell_file cell;
    status = open_cell(request, path, false, &cell, error);
    if (status != MMS_OK) break;
    int64_t share = MMS_MOST_REFERENCE / request->seeds;
    if (share > cell.latent.rows) share = cell.latent.rows;
    if (points->data == NULL)
      status = mms_matrix_create(points, share * request->seeds, cell.latent.cols, "points of the limit", error);
    if (status == MMS_OK)
      memcpy(points->data + filled * points->cols, cell.latent.data, (size_t)(share * points->cols) * sizeof(double));
    filled += share;
    close_cell(&cell);
  }
  if (status == MMS_OK && filled == 0)
    return mms_fail(error, MMS_ERR_INPUT,
                    "no cell of the last rung is finished: there is nothing to hold the others against");
  points->rows = filled;
  return status;
}

/* MMS_MOST_REFERENCE draws of N(mean, covariance). */
static mms_status draw_normal(const mms_converge_request *request, const cell_file *cell, mms_matrix *points,
                              mms_error *error) {
  const int64_t dim = cell->latent.cols;
  double *root = NULL;
  mms_status status = mms_allocate_doubles(&root, dim * dim, "a factor of the covariance", error);
  if (status == MMS_OK) status = mms_matrix_create(points, MMS_MOST_REFERENCE, dim, "points of the limit", error);
  if (status == MMS_OK) {
    memcpy(root, cell->covariance.data, (size_t)(dim * dim) * sizeof *root);
    status = mms_dense_cholesky_upper(dim, root, error);
  }
  if (status == MMS_OK) {
    const mms_random_key key = {.seed = request->seed, .stream = MMS_STREAM_STUDY};
    mms_random_normals_items(key, MMS_MOST_REFERENCE, dim, points->data);
    mms_dense_triangle_right(true, false, MMS_MOST_REFERENCE, dim, root, points->data);
    for (int64_t i = 0; i < MMS_MOST_REFERENCE; i++)
      for (int64_t k = 0; k < dim; k++) points->data[i * dim + k] += cell->mean.data[k];
  }
  free(root);
  return status;
}

static mms_status read_file(const mms_converge_request *request, mms_matrix *points, mms_error *error) {
  mms_points read;
  mms_status status = mms_points_read(&read, request->reference_file, error);
  if (status == MMS_OK) {
    *points = read.values;
    if (points->rows > MMS_MOST_REFERENCE) points->rows = MMS_MOST_REFERENCE;
  }
  return status;
}

static bool same_matrix(const mms_matrix *a, const mms_matrix *b) {
  return a->rows == b->rows && a->cols == b->cols &&
         memcmp(a->data, b->data, (size_t)(a->rows * a->cols) * sizeof(double)) == 0;
}

static mms_status copy_matrix(const mms_matrix *from, mms_matrix *to, mms_error *error) {
  mms_status status = mms_matrix_create(to, from->rows, from->cols, "a target", error);
  if (status == MMS_OK) memcpy(to->data, from->data, (size_t)(from->rows * from->cols) * sizeof(double));
  return status;
}

/* The reference of a cell, made anew only where the last one doesn't serve. */
static mms_status find_reference(const mms_converge_request *request, const mms_truth *truth, int64_t curve,
                                 const cell_file *cell, reference *limit, mms_error *error) {
  bool serves = limit->curve >= 0;
  if (request->reference == MMS_REFERENCE_FINEST) serves = serves && limit->curve == curve;
  if (request->reference == MMS_REFERENCE_NORMAL)
    serves = serves && same_matrix(&limit->mean, &cell->mean) && same_matrix(&limit->covariance, &cell->covariance);
  if (serves) return MMS_OK;
  drop_reference(limit);
  mms_status status = copy_matrix(&cell->mean, &limit->mean, error);
  if (status == MMS_OK) status = copy_matrix(&cell->covariance, &limit->covariance, error);
  if (status != MMS_OK) return status;
  if (request->reference == MMS_REFERENCE_FINEST)
    status = pool_finest(request, curve, &limit->points, error);
  else if (request->reference == MMS_REFERENCE_NORMAL)
    status = draw_normal(request, cell, &limit->points, error);
  else if (request->reference == MMS_REFERENCE_LIMIT)
    status = copy_matrix(&truth->limit, &limit->points, error);
  else
    status = read_file(request, &limit->points, error);
  if (status == MMS_OK) status = mms_mean_distance(&limit->points, &limit->points, &limit->within, error);
  if (status == MMS_OK) limit->curve = curve;
  return status;
}

/* The observable over all rows, and the standard error of that mean if the rows are independent. */
static void observe(const mms_observer *observer, mms_observable_kind which, const mms_matrix *points, double *mean,
                    double *stderr_mean) {
  double sum = 0.0, squares = 0.0;
  const double n = (double)points->rows;
  for (int64_t i = 0; i < points->rows; i++) {
    const double value = mms_observer_sum(observer, which, 1, points->data + i * points->cols);
    sum += value;
    squares += value * value;
  }
  const double unit = mms_observer_unit(observer, which), variance = fmax(squares / n - sum / n * (sum / n), 0.0);
  *mean = unit * sum / n;
  if (stderr_mean != NULL) *stderr_mean = unit * sqrt(variance / n);
}

/* Average of a trace's rows from the burn-in on; *last: the last row. */
static mms_status average(const mms_converge_request *request, const cell_file *cell, const mms_matrix *column,
                          double *mean, double *last, mms_error *error) {
  const double from = cell->steps.rows > 0 ? request->burn_in * cell->steps.data[cell->steps.rows - 1] : 0.0;
  double sum = 0.0;
  int64_t used = 0;
  for (int64_t i = 0; i < column->rows; i++) {
    if (cell->steps.data[i] < from) continue;
    sum += column->data[i];
    used++;
  }
  if (used == 0) return mms_fail(error, MMS_ERR_INPUT, "its trace is empty; give output.trace_every");
  *mean = sum / (double)used;
  *last = column->data[column->rows - 1];
  return MMS_OK;
}

/* All columns of one cell; columns[c] is the place of column c. */
static mms_status measure_cell(const mms_converge_request *request, const mms_truth *known, int64_t c, reference *limit,
                               double *const *columns, mms_error *error) {
  const int64_t curve = c / (request->rungs * request->seeds), rung = c / request->seeds % request->rungs;
  const int64_t kinds = request->observable_count;
  const bool is_reference = request->reference == MMS_REFERENCE_FINEST && rung == request->rungs - 1;
  cell_file cell;
  mms_observer observer = {0};
  mms_status status = open_cell(request, request->samples[c], true, &cell, error);
  if (status != MMS_OK) return status;
  status = find_reference(request, known, curve, &cell, limit, error);
  if (status == MMS_OK && !is_reference)
    status = mms_sliced_wasserstein2(&cell.latent, &limit->points, request->directions, request->seed,
                                     columns[MMS_RAW_SLICED], error);
  if (status == MMS_OK && !is_reference)
    status = mms_energy_distance(&cell.latent, &limit->points, limit->within, columns[MMS_RAW_ENERGY], error);
  if (status == MMS_OK)
    status = mms_observer_create(&observer, cell.latent.cols, cell.mean.data, cell.covariance.data, error);
  for (int64_t k = 0; status == MMS_OK && k < kinds; k++) {
    double *snapshot = columns[MMS_RAW_FIRST_OBSERVABLE + 2 * k], *mean = columns[MMS_RAW_FIRST_OBSERVABLE + 2 * k + 1];
    double *truth = columns[MMS_RAW_FIRST_OBSERVABLE + 2 * kinds + 2 * k],
           *truth_error = columns[MMS_RAW_FIRST_OBSERVABLE + 2 * kinds + 2 * k + 1];
    const int which = request->observables[k];
    status = average(request, &cell, &cell.columns[k], mean, snapshot, error);
    if (request->reference == MMS_REFERENCE_LIMIT) {
      *truth = known->limit_value[k];
      *truth_error = 0.0;
    }
    if (status != MMS_OK || which == MMS_STUDY_POTENTIAL) continue;
    observe(&observer, (mms_observable_kind)which, &cell.latent, snapshot, NULL);
    if (request->reference == MMS_REFERENCE_NORMAL) {
      *truth = mms_observable_normal((mms_observable_kind)which, cell.latent.cols, cell.covariance.data);
      *truth_error = 0.0;
    } else if (request->reference == MMS_REFERENCE_FILE) {
      observe(&observer, (mms_observable_kind)which, &limit->points, truth, truth_error);
    }
  }
  mms_observer_free(&observer);
  close_cell(&cell);
  return status;
}

/* The truth of every point: from its first finished cell, or from the averages of the last rung. */
static void settle_truth(const mms_converge_request *request, const double *raw, mms_truth *truth) {
  const int64_t kinds = request->observable_count, cells = request->curves * request->rungs * request->seeds;
  for (int64_t point = 0; point < request->curves * request->rungs; point++)
    for (int64_t k = 0; k < kinds; k++) {
      double *value = &truth->value[point * kinds + k], *wrong = &truth->stderr_value[point * kinds + k];
      *value = *wrong = NAN;
      if (request->reference == MMS_REFERENCE_FINEST) {
        const int64_t last = cell_of(request, point / request->rungs, request->rungs - 1, 0);
        double finest[1024];
        int64_t used = 0;
        for (int64_t s = 0; s < request->seeds && used < 1024; s++) {
          const double mean = raw[(MMS_RAW_FIRST_OBSERVABLE + 2 * k + 1) * cells + last + s];
          if (isfinite(mean)) finest[used++] = mean;
        }
        const mms_mean all = mms_mean_of(finest, used);
        *value = all.mean;
        *wrong = all.stderr_mean;
        continue;
      }
      for (int64_t s = 0; s < request->seeds && isnan(*value); s++) {
        const double *column = raw + (MMS_RAW_FIRST_OBSERVABLE + 2 * kinds + 2 * k) * cells;
        *value = column[point * request->seeds + s];
        *wrong = column[cells + point * request->seeds + s];
      }
    }
}

mms_status mms_converge_measure(const mms_converge_request *request, double *raw, mms_truth *truth, mms_error *error) {
  const int64_t cells = request->curves * request->rungs * request->seeds;
  const int columns = MMS_RAW_FIRST_OBSERVABLE + 4 * (int)request->observable_count;
  const int rank = mms_team_rank(request->team), ranks = mms_team_size(request->team);
  const int64_t first = cells * rank / ranks, end = cells * (rank + 1) / ranks;
  reference limit = {.curve = -1};
  mms_status status = MMS_OK;
  for (int64_t i = 0; i < columns * cells; i++) raw[i] = -INFINITY; /* a maximum over the ranks puts them together */
  for (int64_t c = first; status == MMS_OK && c < end; c++) {
    double *mine[MMS_RAW_FIRST_OBSERVABLE + 4 * MMS_STUDY_OBSERVABLES] = {NULL};
    for (int k = 0; k < columns; k++) {
      mine[k] = raw + k * cells + c;
      *mine[k] = NAN;
    }
    if (request->samples[c] == NULL) continue;
    status = measure_cell(request, truth, c, &limit, mine, error);
    if (status != MMS_OK) mms_fail_within(error, "the cell %s", request->names[c]);
  }
  double size = (double)limit.points.rows;
  drop_reference(&limit);
  status = mms_team_agree(request->team, status, error);
  if (status != MMS_OK) return status;
  mms_team_max_double(request->team, raw, (int)(columns * cells));
  mms_team_max_double(request->team, &size, 1);
  truth->reference_points = (int64_t)size;
  settle_truth(request, raw, truth);
  return MMS_OK;
}
