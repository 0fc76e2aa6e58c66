#include "mmsold/field/field.h"

#include "field/backend.h"
#include "field/choose.h"
#include "field/dense.h"
#include "field/finish.h"
#include "field/kernels.h"
#include "field/neighbours.h"
#include "field/parts.h"
#include "mmsold/base/clock.h"
#include "mmsold/base/memory.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct mms_field {
  const mms_training *training;
  const mms_team *team;
  const mms_backend_table *backend;
  const mms_parts_table *parts; /* over a partitioned set: this and not the backend's own functions */
  void *state;
  int64_t max_rows, max_pairs, reserved_rows;
  bool apart;           /* draws that several particles share: batches stay what they are */
  mms_queries *batches; /* [reserved_rows] */
  double *log_mass;     /* [max_rows]: where the caller does not want it, it still tells whether all went well */
  mms_field_counters counters;
  char reason[512];
};

/* The rule of `auto` where the widths are not known: tree up to ten dimensions, dense beyond. Where they are known it
 * is that of choose.h. */
enum { TREE_DIM_MOST = 10 };

/* Is the tree what `auto` takes over a replicated set, and why? Rank 0 counts, so that all ranks say the same.
 * Collective; agreed. */
static mms_status choose_auto(const mms_field *self, const mms_score_options *score, bool *tree, char *why, size_t size,
                              mms_error *error) {
  const mms_training *training = self->training;
  const int64_t d = training->dim, draws = self->max_pairs > 0 && score->smoothing > 0.0 ? 2 * self->max_pairs : 1;
  mms_choice_counts counts = {0};
  *tree = d <= TREE_DIM_MOST;
  snprintf(why, size, "%lld dimensions, %s", (long long)d, *tree ? "few enough for an index" : "too many for an index");
  if (d <= MMS_CHOICE_TREE || d > MMS_CHOICE_DENSE || !(score->bandwidth > 0.0)) return MMS_OK;
  mms_status status = MMS_OK;
  if (mms_team_rank(self->team) == 0)
    status = mms_choice_count(&counts, training, score->bandwidth, score->smoothing, draws / 2, error);
  status = mms_team_agree(self->team, status, error);
  if (status != MMS_OK) return status;
  mms_team_broadcast(self->team, &counts, sizeof counts, 0);
  *tree = mms_choice_tree(training->count, d, draws, &counts);
  snprintf(why, size, "%lld dimensions, M = %lld, points of weight: %.3g a draw, %.3g a particle, %.3g near it",
           (long long)d, (long long)(draws > 1 ? draws : 0), counts.one, counts.together, counts.ball);
  return MMS_OK;
}

enum { SCREEN_TEXT = 160 };

/* The screen of a product, which is made beyond so many dimensions, and its name. Collective; agreed. */
static mms_status choose_screen(const mms_field *self, const mms_score_options *score, int64_t beyond,
                                mms_screen *screen, char *name, size_t size, mms_error *error) {
  *screen = MMS_SCREEN_SINGLE;
  *name = '\0';
  if (self->training->dim <= beyond) return MMS_OK;
  return mms_choice_screen(screen, self->team, self->training, score, self->max_pairs, name, size, error);
}

static const mms_backend_table *choose_neighbours(const mms_training *training, const mms_score_options *score,
                                                  int64_t max_pairs, const char *screen, char *reason, size_t size) {
  bool few = training->dim <= MMS_NEIGHBOURS_TREE_DIM, gram = mms_neighbours_gram(score, training->dim, max_pairs);
  snprintf(reason, size,
           "neighbours (as configured): K = %lld nearest by %s, L = %lld of the other %lld at random, noise drawn %s "
           "(%lld pairs, K + L = %lld, d = %lld), %s kernels",
           (long long)score->nearest, few ? "an index" : screen, (long long)score->remainder,
           (long long)(training->count - score->nearest), gram ? "through the Gram matrix" : "in d dimensions",
           (long long)max_pairs, (long long)(score->nearest + score->remainder), (long long)training->dim,
           mms_field_kernels());
  return &mms_backend_neighbours;
}

static const mms_backend_table *choose(mms_backend wanted, const mms_training *training, const char *why,
                                       const char *screen, char *reason, size_t size) {
  const mms_backend_table *table = &mms_backend_dense;
  if (wanted == MMS_BACKEND_REFERENCE) table = &mms_backend_reference;
  if (wanted == MMS_BACKEND_TREE) table = &mms_backend_tree;
  if (table == &mms_backend_dense)
    snprintf(reason, size, "dense (%s): screen in %s, finish in double, %s kernels", why,
             training->dim <= MMS_FINISH_COLUMNS ? "single precision by distance" : screen, mms_field_kernels());
  else if (table == &mms_backend_tree)
    snprintf(reason, size, "tree (%s): points of weight by an index, finish in double, %s kernels", why,
             mms_field_kernels());
  else
    snprintf(reason, size, "reference (%s): plain double loops", why);
  return table;
}

int64_t mms_field_partition_from(const mms_score_options *score) {
  if (score->backend == MMS_BACKEND_NEIGHBOURS) return 1;
  if (score->backend == MMS_BACKEND_DENSE) return MMS_FINISH_COLUMNS + 1;
  return score->backend == MMS_BACKEND_AUTO ? MMS_CHOICE_DENSE + 1 : INT64_MAX; /* below it may take the tree */
}

/* Over a partitioned set: `auto` is dense here. Collective; agreed. */
static mms_status create_parts(mms_field *self, const mms_score_options *score, mms_error *error) {
  const mms_training *training = self->training;
  bool neighbours = score->backend == MMS_BACKEND_NEIGHBOURS;
  if (score->backend == MMS_BACKEND_TREE || score->backend == MMS_BACKEND_REFERENCE)
    return mms_fail(error, MMS_ERR_INPUT,
                    "backend %s holds the whole training set: give placement: replicated, or backend dense or "
                    "neighbours with placement: partitioned",
                    score->backend == MMS_BACKEND_TREE ? "tree" : "reference");
  if (!neighbours && training->dim <= MMS_FINISH_COLUMNS)
    return mms_fail(error, MMS_ERR_INPUT,
                    "placement: partitioned with backend %s needs more than %d dimensions, and this training set has "
                    "%lld: give placement: replicated",
                    score->backend == MMS_BACKEND_AUTO ? "auto" : "dense", (int)MMS_FINISH_COLUMNS,
                    (long long)training->dim);
  mms_screen screen;
  char how[SCREEN_TEXT];
  mms_status status = neighbours ? mms_neighbours_check(training, score, error) : MMS_OK;
  status = mms_team_agree(self->team, status, error);
  if (status == MMS_OK)
    status = choose_screen(self, score, neighbours ? 0 : MMS_FINISH_COLUMNS, &screen, how, sizeof how, error);
  if (status != MMS_OK) return status;
  if (neighbours) {
    self->backend = choose_neighbours(training, score, self->max_pairs, how, self->reason, sizeof self->reason);
  } else {
    self->backend = choose(MMS_BACKEND_DENSE, training, "as configured", how, self->reason, sizeof self->reason);
  }
  size_t used = strlen(self->reason);
  snprintf(self->reason + used, sizeof self->reason - used, "; training set partitioned, %lld rows a tile",
           (long long)MMS_TRAINING_TILE);
  const mms_parts_table *parts = neighbours ? &mms_parts_neighbours : &mms_parts_dense;
  status = parts->create(&self->state, self->team, training, score, screen, self->max_pairs, error);
  if (status == MMS_OK)
    self->parts = parts;
  else
    self->backend = NULL; /* nothing to free */
  return status;
}

static mms_status check_sizes(const mms_training *training, int64_t max_rows, int64_t max_pairs, mms_error *error) {
  if (training->count < 1 || training->dim < 1)
    return mms_fail(error, MMS_ERR_INPUT,
                    "the field needs at least one training point in one dimension, not %lld x %lld",
                    (long long)training->count, (long long)training->dim);
  if (max_rows < 0 || max_pairs < 0)
    return mms_fail(error, MMS_ERR_INPUT, "a field for %lld rows and %lld pairs is not possible", (long long)max_rows,
                    (long long)max_pairs);
  return MMS_OK;
}

/* One of the backends that give the exact field, over a replicated set. Collective; agreed where auto has to choose. */
static mms_status create_exact(mms_field *self, const mms_score_options *score, mms_error *error) {
  char why[160] = "as configured";
  mms_backend wanted = score->backend;
  if (wanted == MMS_BACKEND_AUTO) {
    bool tree = false;
    mms_status status = choose_auto(self, score, &tree, why, sizeof why, error);
    if (status != MMS_OK) return status;
    wanted = tree ? MMS_BACKEND_TREE : MMS_BACKEND_DENSE;
  }
  const int64_t beyond = wanted == MMS_BACKEND_DENSE ? MMS_FINISH_COLUMNS : INT64_MAX;
  mms_screen screen;
  char how[SCREEN_TEXT];
  mms_status status = choose_screen(self, score, beyond, &screen, how, sizeof how, error);
  if (status != MMS_OK) return status;
  const mms_backend_table *table = choose(wanted, self->training, why, how, self->reason, sizeof self->reason);
  self->backend = table;
  if (table == &mms_backend_dense)
    return mms_dense_create(&self->state, self->team, self->training, self->max_rows, screen, error);
  return table->create(&self->state, self->team, self->training, self->max_rows, self->max_pairs, error);
}

/* Collective; agreed. */
static mms_status create_neighbours(mms_field *self, const mms_score_options *score, mms_error *error) {
  mms_screen screen;
  char how[SCREEN_TEXT];
  mms_status status = mms_team_agree(self->team, mms_neighbours_check(self->training, score, error), error);
  if (status == MMS_OK) status = choose_screen(self, score, MMS_NEIGHBOURS_TREE_DIM, &screen, how, sizeof how, error);
  if (status != MMS_OK) return status;
  self->backend = choose_neighbours(self->training, score, self->max_pairs, how, self->reason, sizeof self->reason);
  return mms_neighbours_create(&self->state, self->team, self->training, score, screen, self->max_rows, self->max_pairs,
                               error);
}

mms_status mms_field_create(mms_field **field, const mms_team *team, const mms_training *training, mms_backend backend,
                            int64_t max_rows, int64_t max_pairs, mms_error *error) {
  const mms_score_options score = {.backend = backend};
  return mms_field_create_for(field, team, training, &score, max_rows, max_pairs, error);
}

mms_status mms_field_create_for(mms_field **field, const mms_team *team, const mms_training *training,
                                const mms_score_options *score, int64_t max_rows, int64_t max_pairs, mms_error *error) {
  *field = NULL;
  const bool neighbours = score->backend == MMS_BACKEND_NEIGHBOURS;
  mms_field *self = NULL;
  mms_status status = check_sizes(training, max_rows, max_pairs, error);
  if (status == MMS_OK) status = mms_allocate((void **)&self, 1, sizeof(mms_field), "the field", error);
  if (status == MMS_OK) status = mms_allocate_doubles(&self->log_mass, max_rows, "the log-masses of a batch", error);
  status = mms_team_agree(team, status, error);
  if (status == MMS_OK) {
    self->training = training;
    self->team = team;
    self->apart = max_pairs > 0 && score->sharing != MMS_SHARING_PARTICLE;
    self->max_rows = max_rows;
    self->max_pairs = max_pairs;
    if (training->partitioned) {
      status = create_parts(self, score, error);
    } else if (neighbours) {
      status = create_neighbours(self, score, error);
    } else {
      status = create_exact(self, score, error);
    }
    status = mms_team_agree(team, status, error);
    if (status == MMS_OK) status = mms_field_reserve(self, max_rows, error);
  }
  if (status != MMS_OK)
    mms_field_free(&self);
  else
    *field = self;
  return status;
}

void mms_field_free(mms_field **field) {
  mms_field *self = *field;
  if (self == NULL) return;
  if (self->parts != NULL)
    self->parts->free(self->state);
  else if (self->backend != NULL)
    self->backend->free(self->state);
  free(self->batches);
  free(self->log_mass);
  free(self);
  *field = NULL;
}

/* Over a partitioned set. Collective; agreed. */
static mms_status evaluate_parts(mms_field *self, const mms_queries *batches, int64_t count, mms_pull pull, double *out,
                                 double *log_mass, mms_error *error) {
  mms_status status = MMS_OK;
  int64_t rows = 0;
  for (int64_t b = 0; b < count && status == MMS_OK; b++) {
    status = mms_queries_check(&batches[b], self->max_rows, self->max_pairs, self->training->dim, error);
    rows += batches[b].count;
  }
  if (status == MMS_OK && (rows > self->reserved_rows || count > self->reserved_rows))
    status = mms_fail(error, MMS_ERR_INTERNAL, "%lld rows were given to a field with room for %lld", (long long)rows,
                      (long long)self->reserved_rows);
  status = mms_team_agree(self->team, status, error);
  if (status != MMS_OK) return status;
  double start = mms_clock_seconds(), *masses = log_mass != NULL ? log_mass : self->log_mass;
  for (int64_t b = 0; b < count; b++) self->batches[b] = mms_queries_normal(&batches[b]);
  self->parts->evaluate(self->state, self->batches, count, pull, out, masses, &self->counters);
  self->counters.seconds += mms_clock_seconds() - start;
  for (int64_t b = 0; b < count && status == MMS_OK; b++) {
    status = mms_queries_check_masses(&batches[b], masses, error);
    masses += batches[b].count;
  }
  return mms_team_agree(self->team, status, error);
}

static mms_status evaluate(mms_field *self, const mms_queries *queries, mms_pull pull, double *out, double *log_mass,
                           mms_error *error) {
  if (self->parts != NULL) return evaluate_parts(self, queries, 1, pull, out, log_mass, error);
  mms_status status = mms_queries_check(queries, self->max_rows, self->max_pairs, self->training->dim, error);
  if (status != MMS_OK) return status;
  double start = mms_clock_seconds();
  mms_queries q = mms_queries_normal(queries);
  double *masses = log_mass != NULL ? log_mass : self->log_mass;
  self->backend->evaluate(self->state, &q, pull, out, masses, &self->counters);
  self->counters.seconds += mms_clock_seconds() - start;
  return mms_queries_check_masses(&q, masses, error);
}

mms_status mms_field_softmax_mean(mms_field *field, const mms_queries *queries, double *mean, double *log_mass,
                                  mms_error *error) {
  return evaluate(field, queries, MMS_PULL_MEAN, mean, log_mass, error);
}

/* All batches as one, if they are and the backend takes them so: false where they are still to be answered. */
static bool evaluate_together(mms_field *self, const mms_queries *batches, int64_t count, mms_pull pull, double *out,
                              double *log_mass, mms_status *status, mms_error *error) {
  mms_queries all;
  if (self->backend->evaluate_all == NULL || !mms_queries_join(batches, count, self->training->dim, &all)) return false;
  if (all.count > self->reserved_rows) return false;
  *status = MMS_OK;
  for (int64_t b = 0; b < count && *status == MMS_OK; b++)
    *status = mms_queries_check(&batches[b], self->max_rows, self->max_pairs, self->training->dim, error);
  if (*status != MMS_OK) return true;
  double start = mms_clock_seconds(), *masses = log_mass != NULL ? log_mass : self->log_mass;
  all = mms_queries_normal(&all);
  if (!self->backend->evaluate_all(self->state, &all, pull, out, masses, &self->counters)) return false;
  self->counters.seconds += mms_clock_seconds() - start;
  for (int64_t b = 0; b < count && *status == MMS_OK; masses += batches[b++].count)
    *status = mms_queries_check_masses(&batches[b], masses, error);
  return true;
}

static mms_status evaluate_batches(mms_field *self, const mms_queries *batches, int64_t count, mms_pull pull,
                                   double *out, double *log_mass, mms_error *error) {
  if (self->parts != NULL) return evaluate_parts(self, batches, count, pull, out, log_mass, error);
  mms_status status = MMS_OK;
  if (evaluate_together(self, batches, count, pull, out, log_mass, &status, error)) return status;
  for (int64_t b = 0, row = 0; b < count && status == MMS_OK; row += batches[b++].count)
    status = evaluate(self, &batches[b], pull, out + row * self->training->dim,
                      log_mass != NULL ? log_mass + row : NULL, error);
  return status;
}

mms_status mms_field_softmax_mean_batches(mms_field *field, const mms_queries *batches, int64_t count, double *mean,
                                          double *log_mass, mms_error *error) {
  return evaluate_batches(field, batches, count, MMS_PULL_MEAN, mean, log_mass, error);
}

mms_status mms_field_prepare(mms_field *field, double bandwidth, double smoothing, mms_error *error) {
  mms_status status = MMS_OK;
  if (!(bandwidth > 0.0 && smoothing >= 0.0))
    status = mms_fail(error, MMS_ERR_INPUT, "a field cannot be prepared for bandwidth %g and smoothing %g", bandwidth,
                      smoothing);
  else if (field->backend->prepare != NULL && field->parts == NULL)
    status = field->backend->prepare(field->state, bandwidth, smoothing, error);
  return mms_team_agree(field->team, status, error);
}

bool mms_field_collective(const mms_field *field) { return field->parts != NULL; }

bool mms_field_together(const mms_field *field) {
  if (field->parts != NULL) return true;
  return field->backend->together != NULL && !field->apart && field->backend->together(field->state);
}

mms_status mms_field_reserve(mms_field *field, int64_t rows, mms_error *error) {
  if (!mms_field_together(field)) return MMS_OK;
  mms_status status = MMS_OK;
  if (rows < field->max_rows) rows = field->max_rows;
  if (rows > field->reserved_rows) {
    free(field->log_mass);
    free(field->batches);
    field->batches = NULL;
    void *memory = NULL;
    status = mms_allocate_doubles(&field->log_mass, rows, "the log-masses of all batches", error);
    if (status == MMS_OK && field->parts != NULL)
      status = mms_allocate(&memory, rows, sizeof(mms_queries), "batches of queries", error);
    field->batches = memory;
    if (status == MMS_OK)
      status = (field->parts != NULL ? field->parts->reserve : field->backend->reserve)(field->state, rows, error);
    field->reserved_rows = status == MMS_OK ? rows : 0;
  }
  return mms_team_agree(field->team, status, error);
}

/* k̄ − z and log masses become ∇V and V. */
static void make_gradient(const mms_field *field, const mms_queries *q, double *gradient, double *potential) {
  double delta2 = q->bandwidth * q->bandwidth, sigma = q->pairs > 0 ? q->smoothing : 0.0;
  int64_t d = field->training->dim;
  for (int64_t i = 0; i < q->count * d; i++) gradient[i] = -gradient[i] / delta2; /* (z − k̄)/δ² */
  double constant = log((double)field->training->count) + (double)d * sigma * sigma / (2.0 * delta2);
  for (int64_t row = 0; potential != NULL && row < q->count; row++) potential[row] = constant - potential[row];
}

mms_status mms_field_gradient(mms_field *field, const mms_queries *queries, double *gradient, double *potential,
                              mms_error *error) {
  mms_status status = evaluate(field, queries, MMS_PULL_DISPLACEMENT, gradient, potential, error);
  if (status == MMS_OK) make_gradient(field, queries, gradient, potential);
  return status;
}

mms_status mms_field_gradient_batches(mms_field *field, const mms_queries *batches, int64_t count, double *gradient,
                                      double *potential, mms_error *error) {
  mms_status status = evaluate_batches(field, batches, count, MMS_PULL_DISPLACEMENT, gradient, potential, error);
  for (int64_t b = 0, row = 0; b < count && status == MMS_OK; row += batches[b++].count)
    make_gradient(field, &batches[b], gradient + row * field->training->dim,
                  potential != NULL ? potential + row : NULL);
  return status;
}

mms_field_counters mms_field_read_counters(const mms_field *field) { return field->counters; }
const char *mms_field_backend_name(const mms_field *field) { return field->backend->name; }
const char *mms_field_reason(const mms_field *field) { return field->reason; }

int64_t mms_field_bytes(const mms_field *field) {
  if (field->parts != NULL)
    return field->parts->bytes(field->state) + field->reserved_rows * (int64_t)(sizeof(double) + sizeof(mms_queries));
  const int64_t rows = field->reserved_rows > field->max_rows ? field->reserved_rows : field->max_rows;
  return field->backend->bytes(field->state) + rows * (int64_t)sizeof(double);
}

int64_t mms_field_shared_bytes(const mms_field *field) {
  return field->parts != NULL ? 0 : field->backend->shared_bytes(field->state);
}
