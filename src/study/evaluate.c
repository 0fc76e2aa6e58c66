/* The field at given points: U and its gradient exactly, V and its gradient by Monte Carlo with standard errors. */
#include "mmsold/study/evaluate.h"

#include "mmsold/base/clock.h"
#include "mmsold/base/memory.h"
#include "mmsold/base/version.h"
#include "mmsold/parallel/blocks.h"
#include "mmsold/store/h5.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum {
  BLOCK = 64,        /* points to a block: the unit of work, whatever the number of ranks */
  ARRAYS = 11,       /* of the table below */
  PART_BLOCKS = 32,  /* blocks evaluated together: a partitioned training set comes by once for all of them */
  PIECE_ROWS = 4096, /* points that travel at once */
  SPEAK_SECONDS = 30 /* between lines about the progress */
};

/* This rank's points and results, n_local rows each. One pass makes one column set: value [n] and gradient [n][d]. */
typedef struct results {
  mms_blocks blocks;
  int64_t dim;
  double *points;                   /* [n_local][d] */
  double *exact, *exact_gradient;   /* U, ∇U */
  double *mean, *mean_gradient;     /* V, ∇V */
  double *error, *error_gradient;   /* their standard errors */
  double *draw, *draw_gradient;     /* one antithetic pair of one part: [PART_BLOCKS BLOCK], [PART_BLOCKS BLOCK][d] */
  double *spread, *spread_gradient; /* of an estimator's U, which is not kept: the same shapes */
} results;

/* Where they are kept. */
static void list_arrays(results *table, double **arrays[ARRAYS]) {
  double **const all[ARRAYS] = {&table->points,        &table->exact,  &table->exact_gradient, &table->mean,
                                &table->mean_gradient, &table->error,  &table->error_gradient, &table->draw,
                                &table->draw_gradient, &table->spread, &table->spread_gradient};
  memcpy(arrays, all, sizeof all);
}

static void put_away(results *table) {
  double **arrays[ARRAYS];
  list_arrays(table, arrays);
  for (int i = 0; i < ARRAYS; i++) free(*arrays[i]);
  *table = (results){0};
}

static mms_status set_up(results *table, mms_error *error) {
  int64_t n = table->blocks.n_local, nd = n * table->dim, part = (int64_t)PART_BLOCKS * BLOCK;
  double **arrays[ARRAYS];
  list_arrays(table, arrays);
  const int64_t sizes[ARRAYS] = {nd, n, nd, n, nd, n, nd, part, part * table->dim, part, part * table->dim};
  mms_status status = MMS_OK;
  for (int i = 0; i < ARRAYS && status == MMS_OK; i++)
    status = mms_allocate_doubles(arrays[i], sizes[i], "points and their potentials", error);
  return status;
}

/* --- points ------------------------------------------------------------------------------- */

/* On rank 0: is the output free, are the points there and of the right dimension? */
static mms_status read_points(const mms_evaluate_request *request, const mms_training *training, mms_points *points,
                              mms_error *error) {
  mms_status status = mms_points_read(points, request->points, error);
  if (status != MMS_OK || points->values.cols == training->dim) return status;
  int64_t seen = points->values.cols,
          data_dim = training->transform.identity ? training->dim : training->transform.data_dim;
  if (data_dim == training->dim)
    return mms_fail(error, MMS_ERR_INPUT,
                    "%s has %lld columns; the field lives in d = %lld dimensions, those of the "
                    "training set",
                    request->points, (long long)seen, (long long)training->dim);
  return mms_fail(error, MMS_ERR_INPUT,
                  "%s has %lld columns; the field lives in the sampler's d = %lld coordinates, into which the data's "
                  "D = %lld columns are transformed (a samples.h5 has its points there in /latent)",
                  request->points, (long long)seen, (long long)training->dim, (long long)data_dim);
}

/* Every rank keeps its rows of what rank 0 read. Collective. */
static mms_status scatter_points(const mms_team *team, const mms_matrix *all, results *table, mms_error *error) {
  double *piece = NULL;
  mms_status status = mms_allocate_doubles(&piece, PIECE_ROWS * table->dim, "points that travel", error);
  status = mms_team_agree(team, status, error);
  const int64_t first_mine = table->blocks.first_row, end_mine = first_mine + table->blocks.n_local;
  for (int64_t first = 0; status == MMS_OK && first < table->blocks.total; first += PIECE_ROWS) {
    int64_t end = first + PIECE_ROWS < table->blocks.total ? first + PIECE_ROWS : table->blocks.total;
    size_t bytes = (size_t)((end - first) * table->dim) * sizeof *piece;
    if (mms_team_rank(team) == 0) memcpy(piece, all->data + first * table->dim, bytes);
    mms_team_broadcast(team, piece, bytes, 0);
    int64_t from = first > first_mine ? first : first_mine, to = end < end_mine ? end : end_mine;
    if (from < to)
      memcpy(table->points + (from - first_mine) * table->dim, piece + (from - first) * table->dim,
             (size_t)((to - from) * table->dim) * sizeof *piece);
  }
  free(piece);
  return status;
}

/* Read, check, split and hand out the points. Collective; agreed. */
static mms_status load_points(const mms_evaluate_request *request, const mms_training *training, results *table,
                              mms_error *error) {
  const mms_team *team = request->team;
  mms_points points = {0};
  mms_status status = MMS_OK;
  if (mms_team_rank(team) == 0) status = read_points(request, training, &points, error);
  status = mms_team_agree(team, status, error);
  if (status == MMS_OK) {
    int64_t count = points.values.rows;
    mms_team_broadcast(team, &count, sizeof count, 0);
    table->dim = training->dim;
    table->blocks = mms_blocks_make(count, BLOCK, mms_team_rank(team), mms_team_size(team));
    status = mms_team_agree(team, set_up(table, error), error);
  }
  if (status == MMS_OK) status = scatter_points(team, &points.values, table, error);
  mms_points_free(&points);
  return status;
}

/* --- the field ---------------------------------------------------------------------------- */

/* Running mean and sum of squared deviations (Welford), in the order of the pairs, so the same on any rank. */
static void take_in(int64_t count, const double *draw, int64_t number, double *mean, double *squares) {
  for (int64_t i = 0; i < count; i++) {
    double change = draw[i] - mean[i];
    mean[i] += change / (double)number;
    squares[i] += change * (draw[i] - mean[i]);
  }
}

/* Standard error of the mean over `pairs`; NaN for one, from which no spread can be told. */
static void finish_errors(int64_t count, int64_t pairs, double *squares) {
  for (int64_t i = 0; i < count; i++)
    squares[i] = pairs < 2 ? NAN : sqrt(squares[i] / (double)(pairs - 1) / (double)pairs);
}

/* What is averaged: `draws` values of `pairs` antithetic pairs each. Pair by pair, so that their spread is seen; but
 * one value of the neighbours backend has all its pairs over one set of others. */
typedef struct averages {
  int64_t draws, pairs;
  bool estimator; /* U is one of many values too */
} averages;

static averages plan_of(const mms_evaluate_request *request) {
  const mms_score_options *score = &request->score;
  int64_t pairs = score->smoothing > 0 ? score->smoothing_samples / 2 : 0;
  int64_t repeats = request->repeats > 1 ? request->repeats : 1;
  if (score->backend == MMS_BACKEND_NEIGHBOURS) return (averages){repeats, pairs, true};
  return (averages){repeats * pairs, pairs > 0 ? 1 : 0, false};
}

/* Blocks first .. first + count − 1, at row `at` of the table: the field is asked for all of them at once. */
typedef struct part {
  mms_queries *queries;
  int64_t count, at, rows;
} part;

/* The same question to every block. */
static void ask_for(const part *p, double smoothing, int64_t pairs, uint64_t step) {
  for (int64_t b = 0; b < p->count; b++) {
    p->queries[b].smoothing = smoothing;
    p->queries[b].pairs = pairs;
    p->queries[b].step = step;
  }
}

/* An estimator: all values of repeat r have the others of step r. */
static mms_status estimate_part(mms_field *field, const part *p, const averages *plan, double smoothing, results *table,
                                mms_error *error) {
  int64_t rows = p->rows, at = p->at, dim = table->dim;
  mms_status status = MMS_OK;
  for (int64_t repeat = 1; repeat <= plan->draws && status == MMS_OK; repeat++) {
    ask_for(p, 0.0, 0, (uint64_t)repeat);
    status = mms_field_gradient_batches(field, p->queries, p->count, table->draw_gradient, table->draw, error);
    if (status != MMS_OK) break;
    take_in(rows, table->draw, repeat, table->exact + at, table->spread);
    take_in(rows * dim, table->draw_gradient, repeat, table->exact_gradient + at * dim, table->spread_gradient);
    ask_for(p, smoothing, plan->pairs, (uint64_t)repeat);
    if (plan->pairs > 0)
      status = mms_field_gradient_batches(field, p->queries, p->count, table->draw_gradient, table->draw, error);
    if (status != MMS_OK) break;
    take_in(rows, table->draw, repeat, table->mean + at, table->error + at);
    take_in(rows * dim, table->draw_gradient, repeat, table->mean_gradient + at * dim,
            table->error_gradient + at * dim);
  }
  finish_errors(rows, plan->draws, table->error + at);
  finish_errors(rows * dim, plan->draws, table->error_gradient + at * dim);
  return status;
}

/* U and ∇U by the exact field; V and ∇V pair by pair, each pair's noise being that of step = its number. `noise: fixed`
 * would give every call one and the same pair, so the draws here are always fresh ones. */
static mms_status evaluate_part(mms_field *field, const part *p, const averages *plan, double smoothing, results *table,
                                mms_error *error) {
  int64_t rows = p->rows, at = p->at, dim = table->dim;
  ask_for(p, 0.0, 0, 0);
  mms_status status = mms_field_gradient_batches(field, p->queries, p->count, table->exact_gradient + at * dim,
                                                 table->exact + at, error);
  if (plan->pairs == 0) {
    memcpy(table->mean + at, table->exact + at, (size_t)rows * sizeof(double));
    memcpy(table->mean_gradient + at * dim, table->exact_gradient + at * dim, (size_t)(rows * dim) * sizeof(double));
    return status; /* the standard errors stay 0 */
  }
  for (int64_t pair = 1; pair <= plan->draws && status == MMS_OK; pair++) {
    ask_for(p, smoothing, 1, (uint64_t)pair);
    status = mms_field_gradient_batches(field, p->queries, p->count, table->draw_gradient, table->draw, error);
    if (status != MMS_OK) break;
    take_in(rows, table->draw, pair, table->mean + at, table->error + at);
    take_in(rows * dim, table->draw_gradient, pair, table->mean_gradient + at * dim, table->error_gradient + at * dim);
  }
  finish_errors(rows, plan->draws, table->error + at);
  finish_errors(rows * dim, plan->draws, table->error_gradient + at * dim);
  return status;
}

/* The next blocks of this rank, none where it has no more. */
static void next_part(const mms_evaluate_request *request, const results *table, int64_t first, part *p) {
  const mms_blocks *blocks = &table->blocks;
  p->count = p->rows = 0;
  p->at = mms_blocks_first_row(blocks, first) - blocks->first_row;
  for (int64_t b = first; b < blocks->end && p->count < PART_BLOCKS; b++) {
    int64_t row = mms_blocks_first_row(blocks, b), rows = mms_blocks_rows(blocks, b);
    p->queries[p->count++] = (mms_queries){.count = rows,
                                           .points = table->points + (row - blocks->first_row) * table->dim,
                                           .bandwidth = request->score.bandwidth,
                                           .noise = MMS_NOISE_FRESH,
                                           .sharing = request->score.sharing,
                                           .seed = request->seed,
                                           .first_particle = row,
                                           .block = b};
    p->rows += rows;
  }
}

/* All of this rank's blocks; every rank asks as often as the one that has most. Collective; agreed. */
static mms_status evaluate_points(const mms_evaluate_request *request, const mms_training *training, results *table,
                                  mms_error *error) {
  mms_field *field = NULL;
  mms_queries queries[PART_BLOCKS];
  part p = {.queries = queries};
  const averages plan = plan_of(request);
  const mms_blocks *blocks = &table->blocks;
  int64_t ranks = mms_team_size(request->team), most = (blocks->count + ranks - 1) / ranks;
  mms_status status = mms_field_create_for(&field, request->team, training, &request->score, BLOCK,
                                           plan.pairs > 1 ? plan.pairs : 1, error);
  if (status == MMS_OK) status = mms_field_reserve(field, (int64_t)PART_BLOCKS * BLOCK, error);
  if (status != MMS_OK) {
    mms_field_free(&field);
    return status;
  }
  mms_log_info(request->log, "field: %s", mms_field_reason(field));
  double spoken = mms_clock_seconds(), smoothing = request->score.smoothing;
  for (int64_t done = 0; done < most && status == MMS_OK; done += PART_BLOCKS) {
    int64_t first = blocks->first + done < blocks->end ? blocks->first + done : blocks->end;
    next_part(request, table, first, &p);
    status = plan.estimator ? estimate_part(field, &p, &plan, smoothing, table, error)
                            : evaluate_part(field, &p, &plan, smoothing, table, error);
    if (mms_clock_seconds() - spoken < SPEAK_SECONDS) continue;
    spoken = mms_clock_seconds();
    mms_log_progress(request->log, "evaluated %lld of this rank's %lld blocks of %d points",
                     (long long)(first + p.count - blocks->first), (long long)(blocks->end - blocks->first),
                     (int)BLOCK);
  }
  status = mms_team_agree(request->team, status, error);
  mms_field_free(&field);
  return status;
}

/* --- the file ----------------------------------------------------------------------------- */

typedef struct dataset {
  const char *name, *meaning;
  const double *values;
  int64_t columns;
} dataset;

static mms_status write_datasets(mms_h5 *file, const results *table, mms_error *error) {
  int64_t d = table->dim;
  const dataset sets[7] = {
      {"/points", "where the field was evaluated, in the sampler's coordinates", table->points, d},
      {"/U", "potential of the Gaussian mixture, constants dropped", table->exact, 1},
      {"/grad_U", "its gradient", table->exact_gradient, d},
      {"/V", "smoothed potential (mean over antithetic pairs; U without smoothing)", table->mean, 1},
      {"/grad_V", "its gradient", table->mean_gradient, d},
      {"/V_stderr", "standard error of V over antithetic pairs (neighbours: repeats); NaN with a single one",
       table->error, 1},
      {"/grad_V_stderr", "standard error of grad_V, entry by entry", table->error_gradient, d}};
  mms_status status = MMS_OK;
  for (int i = 0; i < 7 && status == MMS_OK; i++)
    status = mms_h5_write_rows(file, sets[i].name, MMS_H5_FLOAT64, table->blocks.total, sets[i].columns,
                               table->blocks.first_row, table->blocks.n_local, sets[i].values, sets[i].meaning, "point",
                               sets[i].columns == 1 ? NULL : "coordinate", error);
  return status;
}

static mms_status write_attributes(mms_h5 *file, const mms_evaluate_request *request, const mms_training *training,
                                   mms_error *error) {
  const mms_score_options *score = &request->score;
  const mms_h5_text texts[] = {
      {"version", mms_version()}, {"commit", mms_version_commit()}, {"configuration", request->configuration}};
  mms_status status = mms_h5_attribute_texts(file, "/", texts, (int)(sizeof texts / sizeof *texts), error);
  if (status == MMS_OK) status = mms_h5_attribute_uint(file, "/", "seed", request->seed, error);
  if (status == MMS_OK) status = mms_h5_attribute_uint(file, "/", "training_checksum", training->checksum, error);
  if (status == MMS_OK) status = mms_h5_attribute_int(file, "/", "training_count", training->count, error);
  if (status == MMS_OK) status = mms_h5_attribute_double(file, "/", "bandwidth", score->bandwidth, error);
  if (status == MMS_OK) status = mms_h5_attribute_double(file, "/", "smoothing", score->smoothing, error);
  if (status == MMS_OK) status = mms_h5_attribute_int(file, "/", "smoothing_samples", score->smoothing_samples, error);
  if (status == MMS_OK)
    status = mms_h5_attribute_int(file, "/", "repeats", request->repeats > 1 ? request->repeats : 1, error);
  return status;
}

/* Collective; agreed. */
static mms_status write_file(const mms_evaluate_request *request, const mms_training *training, const results *table,
                             mms_error *error) {
  mms_h5 *file = NULL;
  mms_status status = mms_h5_create(&file, request->team, request->output, error);
  if (status != MMS_OK) return status;
  status = write_attributes(file, request, training, error);
  if (status == MMS_OK) status = write_datasets(file, table, error);
  if (status == MMS_OK) return mms_h5_commit(&file, error);
  mms_h5_close(&file);
  return status;
}

/* --- the whole ---------------------------------------------------------------------------- */

/* What can be refused before anything is read. */
static mms_status check_request(const mms_evaluate_request *request, mms_error *error) {
  const mms_score_options *score = &request->score;
  if (!(score->bandwidth > 0) || !(score->smoothing >= 0) || score->smoothing_samples < 0 ||
      score->smoothing_samples % 2 != 0)
    return mms_fail(error, MMS_ERR_INPUT,
                    "bandwidth %g, smoothing %g, %lld draws: the bandwidth must be positive, the smoothing not "
                    "negative, and draws come in pairs",
                    score->bandwidth, score->smoothing, (long long)score->smoothing_samples);
  struct stat found;
  if (lstat(request->output, &found) == 0)
    return mms_fail(error, MMS_ERR_INPUT, "%s exists; evaluate writes a new file: choose another name or move it away",
                    request->output);
  if (errno != ENOENT) return mms_fail(error, MMS_ERR_INPUT, "cannot write %s: %s", request->output, strerror(errno));
  return MMS_OK;
}

mms_status mms_evaluate(const mms_evaluate_request *request, mms_error *error) {
  const mms_team *team = request->team;
  mms_status status = mms_team_rank(team) == 0 ? check_request(request, error) : MMS_OK;
  status = mms_team_agree(team, status, error);
  if (status != MMS_OK) return status;
  mms_training training = {0};
  mms_training_options options = request->training;
  options.may_partition = true;
  options.partition_from = mms_field_partition_from(&request->score);
  status = mms_training_create(&training, team, &options, error);
  if (status != MMS_OK) return status;
  results table = {0};
  status = load_points(request, &training, &table, error);
  if (status == MMS_OK) {
    mms_log_info(request->log, "training: %s", training.description);
    const averages p = plan_of(request);
    mms_log_info(request->log, "points: %lld from %s, %lld antithetic pairs each%s", (long long)table.blocks.total,
                 request->points, (long long)(p.draws * p.pairs),
                 p.estimator ? "; all values are averages of an estimator's" : "");
    status = evaluate_points(request, &training, &table, error);
  }
  if (status == MMS_OK) status = write_file(request, &training, &table, error);
  put_away(&table);
  mms_training_free(&training);
  return status;
}
