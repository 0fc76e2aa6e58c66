#include "field/neighbours.h"

#include "mmsold/base/clock.h"
#include "mmsold/base/memory.h"
#include <limits.h>
#include <stdlib.h>
#include <string.h>

mms_status mms_neighbours_check(const mms_training *training, const mms_score_options *score, mms_error *error) {
  if (score->nearest < 1)
    return mms_fail(error, MMS_ERR_INPUT,
                    "score.nearest = %lld: the backend neighbours needs at least 1 nearest training point",
                    (long long)score->nearest);
  if (score->remainder < 0)
    return mms_fail(error, MMS_ERR_INPUT, "score.remainder = %lld: it must be 0 or more", (long long)score->remainder);
  if (score->nearest > training->count || score->remainder > training->count - score->nearest)
    return mms_fail(error, MMS_ERR_INPUT,
                    "score.nearest = %lld and score.remainder = %lld are more than the %lld training points there are",
                    (long long)score->nearest, (long long)score->remainder, (long long)training->count);
  return MMS_OK;
}

mms_status mms_neighbours_allocate(mms_neighbours *self, void *array, int64_t count, size_t size, mms_error *error) {
  void *memory = NULL;
  mms_status status = mms_allocate(&memory, count, size, "the field's neighbours", error);
  memcpy(array, &memory, sizeof memory); /* whatever type of pointer it is */
  if (status == MMS_OK) self->bytes += count * (int64_t)size;
  return status;
}

void mms_neighbours_free(void *state) {
  mms_neighbours *self = state;
  if (self == NULL) return;
  mms_screen_points_free(&self->points);
  mms_tree_index_free(&self->index);
  mms_sift_free(&self->sift);
  mms_shared_free(&self->names);
  mms_nearest_free(&self->nearest);
  void *arrays[] = {self->norms,   self->packed, self->queries,    self->scores, self->ranked,      self->scored,
                    self->named,   self->lists,  self->chosen,     self->others, self->subset_room, self->points_of,
                    self->lifted,  self->x,      self->y,          self->tile_c, self->drawn_noise, self->noise,
                    self->product, self->c,      self->b,          self->plus,   self->minus,       self->w,
                    self->factor,  self->pivots, self->factor_work};
  for (size_t i = 0; i < sizeof arrays / sizeof arrays[0]; i++) free(arrays[i]);
  free(self);
}

mms_status mms_neighbours_begin(mms_neighbours **state, const mms_training *training, const mms_score_options *score,
                                int64_t max_pairs, mms_error *error) {
  mms_status status = mms_neighbours_check(training, score, error);
  if (status == MMS_OK && (training->count > INT_MAX - 1024 || training->dim > INT_MAX / (2 * MMS_NEIGHBOURS_ROWS)))
    status = mms_fail(error, MMS_ERR_INPUT, "a training set of %lld x %lld is beyond the 32-bit counts of BLAS",
                      (long long)training->count, (long long)training->dim);
  void *memory = NULL;
  if (status == MMS_OK) status = mms_allocate(&memory, 1, sizeof(mms_neighbours), "the neighbours backend", error);
  *state = memory;
  if (status != MMS_OK) return status;
  mms_neighbours *self = memory;
  self->training = training;
  self->kernels = mms_field_kernels_best();
  self->k = score->nearest;
  self->l = score->remainder;
  self->list = self->k + self->l;
  self->gram = mms_neighbours_gram(score, training->dim, max_pairs);
  return MMS_OK;
}

mms_status mms_neighbours_create(void **state, const mms_team *team, const mms_training *training,
                                 const mms_score_options *score, mms_screen screen, int64_t max_rows, int64_t max_pairs,
                                 mms_error *error) {
  *state = NULL;
  mms_neighbours *self = NULL;
  mms_status status = mms_team_agree(team, mms_neighbours_begin(&self, training, score, max_pairs, error), error);
  if (status == MMS_OK) {
    self->max_rows = max_rows;
    self->indexed = training->dim <= MMS_NEIGHBOURS_TREE_DIM;
    status = self->indexed ? mms_neighbours_index_create(self, team, error)
                           : mms_neighbours_scan_create(self, team, screen, error);
  }
  if (status == MMS_OK) {
    status = mms_nearest_create(&self->nearest, self->k, error);
    self->bytes += self->k * (int64_t)(sizeof(double) + sizeof(int64_t));
    if (status == MMS_OK) status = mms_neighbours_finish_create(self, max_pairs, error);
    status = mms_team_agree(team, status, error);
    if (status == MMS_OK) status = mms_sift_create(self, team, error);
  }
  if (status != MMS_OK)
    mms_neighbours_free(self);
  else
    *state = self;
  return status;
}

/* Every training point is among the nearest: nothing to search. */
static void take_all(mms_neighbours *self) {
  for (int64_t i = 0; i < self->k; i++) self->nearest.index[i] = i;
  self->nearest.count = self->k;
}

static void neighbours_evaluate(void *state, const mms_queries *q, mms_pull pull, double *out, double *log_mass,
                                mms_field_counters *counters) {
  mms_neighbours *self = state;
  int64_t d = self->training->dim, pairs = q->pairs > 0 ? q->pairs : 1;
  int64_t group = self->indexed ? q->count : self->rows;
  bool all = self->k == self->training->count;
  self->drawn = false;
  for (int64_t first = 0; first < q->count; first += group) {
    int64_t rows = q->count - first < group ? q->count - first : group;
    if (!all && !self->indexed) mms_neighbours_scan(self, q, first, rows, counters);
    double searched = 0.0;
    for (int64_t r = first; r < first + rows; r++) {
      double before = mms_clock_seconds();
      if (all)
        take_all(self);
      else if (self->indexed)
        mms_neighbours_search(self, q->points + r * d);
      else
        mms_neighbours_settle(self, r - first, q->points + r * d);
      double found = mms_clock_seconds();
      mms_neighbours_finish(self, q, r, pull, out + r * d, log_mass + r);
      counters->seconds_finish += mms_clock_seconds() - found;
      searched += found - before;
    }
    if (self->indexed) counters->seconds_product += searched;
  }
  counters->rows += 2 * pairs * q->count;
  counters->finished += 2 * pairs * q->count * self->list;
}

static int64_t neighbours_bytes(const void *state) { return ((const mms_neighbours *)state)->bytes; }

static int64_t neighbours_shared_bytes(const void *state) {
  const mms_neighbours *self = state;
  const int64_t rows = self->sift.memory != NULL ? (int64_t)mms_shared_bytes(self->sift.memory) : 0;
  if (!self->indexed) return (int64_t)mms_shared_bytes(self->points.memory) + rows;
  return (int64_t)(mms_shared_bytes(self->index.memory) + mms_shared_bytes(self->names));
}

const mms_backend_table mms_backend_neighbours = {
    .name = "neighbours",
    .evaluate = neighbours_evaluate,
    .free = mms_neighbours_free,
    .bytes = neighbours_bytes,
    .shared_bytes = neighbours_shared_bytes,
};
