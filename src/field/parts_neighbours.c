/* The neighbours backend over a partitioned training set: single precision comes by for the scores, double for the
 * distances that are close, and then the points of the lists. */
#include "field/neighbours.h"
#include "field/parts.h"
#include "mmsold/base/clock.h"
#include "mmsold/base/memory.h"
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

_Static_assert((int)MMS_NEIGHBOURS_WIDTH == (int)MMS_TRAINING_TILE, "a tile of the stream is one of the search's");

/* A row of a round. */
typedef struct parts_row {
  const mms_queries *q;
  int64_t row, out; /* in its batch, and of all rows */
  int64_t found;    /* nearest so far */
} parts_row;

typedef struct parts_neighbours {
  mms_neighbours *base; /* its queries, scored and lists are for the rows of a round */
  mms_training view;    /* what the finish sees: fetched points in place of the set */
  const mms_training *training;
  const mms_team *team;
  mms_screen_parts screen;
  mms_fetch fetch;
  parts_row *rows;
  int64_t *index; /* [rows][K]: the nearest */
  double *square; /* [rows][K] */
  int32_t *lists; /* [rows][K + L] */
  bool *lifted;   /* [rows][K + L] */
  int64_t round;  /* rows at a time */
} parts_neighbours;

static void parts_free(void *state) {
  parts_neighbours *self = state;
  if (self == NULL) return;
  mms_neighbours_free(self->base);
  mms_screen_parts_free(&self->screen);
  mms_fetch_free(&self->fetch);
  void *arrays[] = {self->rows, self->index, self->square, self->lists, self->lifted};
  for (size_t i = 0; i < sizeof arrays / sizeof arrays[0]; i++) free(arrays[i]);
  free(self);
}

static mms_status create_local(parts_neighbours *self, int64_t max_pairs, mms_error *error) {
  mms_neighbours *base = self->base;
  int64_t k = base->k, m = base->list, d = self->view.dim;
  base->room = mms_neighbours_room(k);
  double row_bytes = (double)(base->room * (int64_t)(2 * sizeof(float) + sizeof(int32_t)) + d * (int64_t)sizeof(float) +
                              16 * k + 5 * m) +
                     (double)(self->screen.points.blocks * MMS_BFLOAT_BLOCK) * sizeof(uint16_t) +
                     sizeof(mms_scored_list) + sizeof(parts_row);
  self->round = (int64_t)(MMS_PARTS_ROUND_BYTES / row_bytes);
  if (self->round < 1) self->round = 1;
  struct {
    void *array;
    int64_t count;
    size_t size;
  } arrays[] = {{&base->queries, self->round * d, sizeof(float)},
                {&base->packed, mms_screen_packed(&self->screen.points, self->round), sizeof(uint16_t)},
                {&base->scores, MMS_NEIGHBOURS_ROWS * MMS_NEIGHBOURS_STRIDE, sizeof(float)},
                {&base->norms, MMS_NEIGHBOURS_WIDTH, sizeof(float)},
                {&base->ranked, base->room, sizeof(float)},
                {&base->scored, 2 * self->round * base->room, sizeof(float)},
                {&base->named, self->round * base->room, sizeof(int32_t)},
                {&base->lists, self->round, sizeof(mms_scored_list)},
                {&self->rows, self->round, sizeof(parts_row)},
                {&self->index, self->round * k, sizeof(int64_t)},
                {&self->square, self->round * k, sizeof(double)},
                {&self->lists, self->round * m, sizeof(int32_t)},
                {&self->lifted, self->round * m, sizeof(bool)}};
  mms_status status = MMS_OK;
  for (size_t i = 0; status == MMS_OK && i < sizeof arrays / sizeof arrays[0]; i++)
    status = mms_neighbours_allocate(base, arrays[i].array, arrays[i].count, arrays[i].size, error);
  if (status == MMS_OK) status = mms_nearest_create(&base->nearest, k, error);
  if (status == MMS_OK) status = mms_neighbours_finish_create(base, max_pairs, error);
  if (status != MMS_OK) return status;
  int64_t part = self->training->parts.n_local;
  return mms_fetch_create(&self->fetch, self->training, m > part ? m : part, error);
}

static mms_status parts_create(void **state, const mms_team *team, const mms_training *training,
                               const mms_score_options *score, mms_screen screen, int64_t max_pairs, mms_error *error) {
  *state = NULL;
  void *memory = NULL;
  mms_status status = mms_allocate(&memory, 1, sizeof(parts_neighbours), "the neighbours backend", error);
  parts_neighbours *self = memory;
  if (status == MMS_OK) {
    self->training = training;
    self->team = team;
    self->view = (mms_training){.count = training->count, .dim = training->dim};
    status = mms_neighbours_begin(&self->base, &self->view, score, max_pairs, error);
  }
  status = mms_team_agree(team, status, error);
  if (status == MMS_OK) status = mms_screen_parts_create(&self->screen, team, training, screen, error);
  if (status == MMS_OK) {
    self->base->points = self->screen.points;
    status = mms_team_agree(team, create_local(self, max_pairs, error), error);
  }
  if (status != MMS_OK)
    parts_free(self);
  else
    *state = self;
  return status;
}

static mms_status parts_reserve(void *state, int64_t rows, mms_error *error) {
  (void)state, (void)rows, (void)error; /* rows beyond a round wait for the next one */
  return MMS_OK;
}

/* --- the search --------------------------------------------------------------------------- */

static const double *query_of(const parts_neighbours *self, const parts_row *row) {
  return row->q->points + row->row * self->view.dim;
}

static void scan(parts_neighbours *self, int64_t count, mms_field_counters *counters) {
  mms_neighbours *base = self->base;
  int64_t d = self->view.dim;
  for (int64_t r = 0; r < count; r++) mms_neighbours_begin_row(base, query_of(self, &self->rows[r]), r);
  mms_screen_tile tile;
  mms_screen_parts_begin(&self->screen);
  while (mms_screen_parts_next(&self->screen, &tile)) {
    mms_neighbours_begin_tile(base, &tile);
    for (int64_t first = 0; first < count; first += MMS_NEIGHBOURS_ROWS) {
      int64_t rows = count - first < MMS_NEIGHBOURS_ROWS ? count - first : MMS_NEIGHBOURS_ROWS;
      double start = mms_clock_seconds();
      mms_screen_multiply(&base->points, base->kernels, base->queries + first * d,
                          base->packed + mms_screen_packed(&base->points, first), rows, d, &tile, base->scores,
                          MMS_NEIGHBOURS_STRIDE);
      counters->seconds_product += mms_clock_seconds() - start;
      counters->product_flops += 2.0 * (double)(rows * tile.width * d);
      for (int64_t r = 0; r < rows; r++)
        mms_neighbours_take(base, first + r, base->scores + r * MMS_NEIGHBOURS_STRIDE, &tile);
    }
  }
}

static mms_nearest nearest_of(const parts_neighbours *self, int64_t r) {
  int64_t k = self->base->k;
  return (mms_nearest){k, self->rows[r].found, self->square + r * k, self->index + r * k};
}

static void offer(parts_neighbours *self, int64_t r, double square, int64_t point) {
  mms_nearest nearest = nearest_of(self, r);
  mms_nearest_offer(&nearest, square, point);
  self->rows[r].found = nearest.count;
}

/* The points that are among the nearest whatever the rounding; what is left of the list competes. Returns whether
 * anything is open. */
static bool settle_sure(parts_neighbours *self, int64_t r) {
  const mms_scored_list *row = &self->base->lists[r];
  self->rows[r].found = 0;
  if (row->count < 0) return true;
  mms_nearest nearest = nearest_of(self, r);
  mms_neighbours_cut(self->base, r, self->base->k, &nearest);
  self->rows[r].found = nearest.count;
  return row->count > 0;
}

/* Distances of what is open, as the points come by. */
static void settle_open(parts_neighbours *self, int64_t count) {
  int64_t d = self->view.dim;
  mms_tile tile;
  mms_tiles_begin(self->training->tiles);
  while (mms_tiles_next(self->training->tiles, &tile)) {
    const double *points = tile.data;
    for (int64_t r = 0; r < count; r++) {
      const mms_scored_list *row = &self->base->lists[r];
      const int32_t *open = mms_neighbours_scored(self->base, r).point;
      const double *z = query_of(self, &self->rows[r]);
      int64_t all = row->count < 0 ? tile.rows : row->count;
      for (int64_t i = 0; i < all; i++) {
        int64_t at = row->count < 0 ? i : open[i] - tile.first;
        if (at >= 0 && at < tile.rows) offer(self, r, mms_square_distance(points + at * d, z, d), tile.first + at);
      }
    }
    mms_tiles_progress(self->training->tiles);
  }
}

/* --- one call ----------------------------------------------------------------------------- */

static void make_lists(parts_neighbours *self, int64_t count) {
  mms_neighbours *base = self->base;
  int64_t m = base->list;
  for (int64_t r = 0; r < count; r++) {
    if (base->k == self->view.count)
      for (int64_t i = 0; i < base->k; i++) base->nearest.index[i] = i;
    else
      memcpy(base->nearest.index, self->index + r * base->k, (size_t)base->k * sizeof(int64_t));
    base->drawn = false; /* rows of one batch may be of two rounds */
    mms_neighbours_list(base, self->rows[r].q, self->rows[r].row);
    memcpy(self->lists + r * m, base->points_of, (size_t)m * sizeof(int32_t));
    memcpy(self->lifted + r * m, base->lifted, (size_t)m * sizeof(bool));
  }
}

static void finish(parts_neighbours *self, int64_t count, mms_pull pull, double *out, double *log_mass,
                   mms_field_counters *counters) {
  mms_neighbours *base = self->base;
  int64_t m = base->list, d = self->view.dim;
  for (int64_t first = 0, r = 0;; first = r) {
    mms_fetch_clear(&self->fetch);
    while (r < count && mms_fetch_want(&self->fetch, self->lists + r * m, m)) r++;
    if (!mms_parts_any(self->team, r > first)) return;
    mms_fetch_go(&self->fetch);
    self->view.points = self->fetch.rows;
    double start = mms_clock_seconds();
    for (int64_t i = first; i < r; i++) {
      const parts_row *row = &self->rows[i];
      mms_fetch_rename(&self->fetch, self->lists + i * m, m);
      memcpy(base->points_of, self->lists + i * m, (size_t)m * sizeof(int32_t));
      memcpy(base->lifted, self->lifted + i * m, (size_t)m * sizeof(bool));
      base->drawn = false;
      mms_neighbours_average(base, row->q, row->row, pull, out + row->out * d, log_mass + row->out);
    }
    counters->seconds_finish += mms_clock_seconds() - start;
  }
}

static void parts_evaluate(void *state, const mms_queries *batches, int64_t count, mms_pull pull, double *out,
                           double *log_mass, mms_field_counters *counters) {
  parts_neighbours *self = state;
  bool all = self->base->k == self->view.count;
  int64_t batch = 0, row = 0, done = 0;
  for (;;) {
    int64_t taken = 0;
    for (; taken < self->round && batch < count; done++) {
      if (row == batches[batch].count) {
        batch++, row = 0, done--;
        continue;
      }
      self->rows[taken++] = (parts_row){.q = &batches[batch], .row = row, .out = done};
      row++;
    }
    if (!mms_parts_any(self->team, taken > 0)) break;
    if (!all) {
      bool open = false;
      scan(self, taken, counters);
      for (int64_t r = 0; r < taken; r++) open = settle_sure(self, r) || open;
      if (mms_parts_any(self->team, open)) settle_open(self, taken);
    }
    make_lists(self, taken);
    finish(self, taken, pull, out, log_mass, counters);
  }
  for (int64_t b = 0; b < count; b++) {
    int64_t pairs = batches[b].pairs > 0 ? batches[b].pairs : 1;
    counters->rows += 2 * pairs * batches[b].count;
    counters->finished += 2 * pairs * batches[b].count * self->base->list;
  }
}

static int64_t parts_bytes(const void *state) {
  const parts_neighbours *self = state;
  return self->base->bytes + 16 * self->base->k + mms_screen_parts_bytes(&self->screen) + mms_fetch_bytes(&self->fetch);
}

const mms_parts_table mms_parts_neighbours = {parts_create, parts_reserve, parts_evaluate, parts_free, parts_bytes};
