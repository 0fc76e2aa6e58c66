/* The dense backend over a partitioned training set: the groups of the screen by row, many at a time. */
#include "field/dense.h"
#include "field/parts.h"
#include "mmsold/base/clock.h"
#include "mmsold/base/memory.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

_Static_assert((int)MMS_DENSE_WIDTH == (int)MMS_TRAINING_TILE, "a tile of the stream is one of the screen's");

/* A group with what the screen holds for it. */
typedef struct unit {
  mms_dense_group group;
  int64_t row; /* of all rows, that the group's batch begins with */
  float *queries, *tops;
  mms_dense_margin *margins;
  uint16_t *packed;
  mms_screen_line *lines;
  mms_candidate *candidates; /* in the end the list of each row stands where its candidates did */
  int64_t *counts;
  mms_finish_wide *wide;
} unit;

typedef struct parts_dense {
  mms_dense dense;   /* of which queries, packed, lines, margins, tops, candidates and counts are a unit's at a time */
  mms_training view; /* what the finish sees: fetched points in place of the set */
  const mms_training *training;
  const mms_team *team;
  mms_screen_parts screen;
  mms_fetch fetch;
  unit *units;
  int64_t unit_count; /* at most */
  double *origins;    /* the points that rows' sums are taken about: [max_rows][d] */
  double *tile;       /* of the finish, of all points: [width][d] */
  int64_t bytes;
} parts_dense;

static void parts_free(void *state) {
  parts_dense *self = state;
  if (self == NULL) return;
  mms_dense *dense = &self->dense;
  for (int64_t u = 0; self->units != NULL && u < self->unit_count; u++) {
    const unit *it = &self->units[u];
    void *arrays[] = {it->queries, it->packed, it->lines, it->margins, it->tops, it->candidates, it->counts, it->wide};
    for (size_t i = 0; i < sizeof arrays / sizeof arrays[0]; i++) free(arrays[i]);
  }
  void *arrays[] = {self->units, dense->list,  dense->centred, dense->scores,
                    dense->rows, dense->marks, self->origins,  self->tile};
  for (size_t i = 0; i < sizeof arrays / sizeof arrays[0]; i++) free(arrays[i]);
  mms_finish_free(&dense->finish);
  mms_screen_parts_free(&self->screen);
  mms_fetch_free(&self->fetch);
  free(self);
}

static mms_status allocate(parts_dense *self, void *array, int64_t count, size_t size, mms_error *error) {
  void *memory = NULL;
  mms_status status = mms_allocate(&memory, count, size, "the field's screen", error);
  memcpy(array, &memory, sizeof memory);
  if (status == MMS_OK) self->bytes += count * (int64_t)size;
  return status;
}

static mms_status allocate_unit(parts_dense *self, unit *u, mms_error *error) {
  int64_t d = self->view.dim;
  mms_status status = allocate(self, &u->queries, MMS_DENSE_QUERIES * d, sizeof(float), error);
  if (status == MMS_OK)
    status =
        allocate(self, &u->packed, mms_screen_packed(&self->dense.points, MMS_DENSE_QUERIES), sizeof(uint16_t), error);
  if (status == MMS_OK) status = allocate(self, &u->lines, MMS_DENSE_QUERIES, sizeof(mms_screen_line), error);
  if (status == MMS_OK) status = allocate(self, &u->margins, MMS_DENSE_DRAWS, sizeof(mms_dense_margin), error);
  if (status == MMS_OK) status = allocate(self, &u->tops, 4 * MMS_DENSE_DRAWS, sizeof(float), error);
  if (status == MMS_OK) status = allocate(self, &u->candidates, MMS_DENSE_CANDIDATES, sizeof(mms_candidate), error);
  if (status == MMS_OK) status = allocate(self, &u->counts, MMS_DENSE_QUERIES, sizeof(int64_t), error);
  if (status == MMS_OK) status = allocate(self, &u->wide, MMS_DENSE_QUERIES, sizeof(mms_finish_wide), error);
  return status;
}

/* The most points that one row's list holds, and what else must fit: everything where a finish takes it in one tile. */
static int64_t least_capacity(const parts_dense *self, const mms_score_options *score, int64_t pairs) {
  mms_queries q = {.count = MMS_DENSE_QUERIES, .pairs = pairs, .sharing = score->sharing};
  mms_dense_group g = {.q = &q};
  int64_t most = 0;
  while (mms_dense_next_group(&self->dense, &g)) most = g.room > most ? g.room : most;
  int64_t n = self->view.count;
  return n <= mms_finish_width(self->dense.finish) ? n : most;
}

static mms_status create_local(parts_dense *self, const mms_score_options *score, int64_t max_pairs, mms_error *error) {
  mms_dense *dense = &self->dense;
  int64_t n = self->view.count, d = self->view.dim, words = n / 64 + 1;
  int64_t listed = n < MMS_DENSE_CANDIDATES ? n : MMS_DENSE_CANDIDATES;
  double unit_bytes = (double)(MMS_DENSE_QUERIES * d) * sizeof(float) + MMS_DENSE_CANDIDATES * sizeof(mms_candidate);
  unit_bytes += (double)mms_screen_packed(&dense->points, MMS_DENSE_QUERIES) * sizeof(uint16_t);
  self->unit_count = (int64_t)(MMS_PARTS_ROUND_BYTES / unit_bytes);
  if (self->unit_count < 1) self->unit_count = 1;
  mms_status status = mms_finish_create(&dense->finish, &self->view, dense->kernels, error);
  if (status == MMS_OK) status = allocate(self, &dense->list, listed + 16, sizeof(int32_t), error);
  if (status == MMS_OK) status = allocate(self, &dense->centred, d, sizeof(double), error);
  if (status == MMS_OK)
    status = allocate(self, &dense->scores, MMS_DENSE_QUERIES * MMS_DENSE_STRIDE, sizeof(float), error);
  if (status == MMS_OK) status = allocate(self, &dense->marks, words, sizeof(uint64_t), error);
  if (status == MMS_OK) status = allocate(self, &self->units, self->unit_count, sizeof(unit), error);
  for (int64_t u = 0; status == MMS_OK && u < self->unit_count; u++)
    status = allocate_unit(self, &self->units[u], error);
  if (status == MMS_OK)
    status = allocate(self, &self->tile, mms_finish_width(dense->finish) * d, sizeof(double), error);
  if (status != MMS_OK) return status;
  int64_t capacity = least_capacity(self, score, max_pairs > 0 ? max_pairs : 1), part = self->training->parts.n_local;
  status = mms_fetch_create(&self->fetch, self->training, capacity > part ? capacity : part, error);
  return status;
}

static mms_status parts_create(void **state, const mms_team *team, const mms_training *training,
                               const mms_score_options *score, mms_screen screen, int64_t max_pairs, mms_error *error) {
  *state = NULL;
  void *memory = NULL;
  mms_status status = mms_allocate(&memory, 1, sizeof(parts_dense), "the dense backend", error);
  status = mms_team_agree(team, status, error);
  if (status != MMS_OK) {
    free(memory);
    return status;
  }
  parts_dense *self = memory;
  self->training = training;
  self->team = team;
  self->view = (mms_training){.count = training->count, .dim = training->dim};
  self->dense.training = &self->view;
  self->dense.kernels = mms_field_kernels_best();
  status = mms_screen_parts_create(&self->screen, team, training, screen, error);
  self->dense.points = self->screen.points;
  if (status == MMS_OK) status = mms_team_agree(team, create_local(self, score, max_pairs, error), error);
  if (status != MMS_OK)
    parts_free(self);
  else
    *state = self;
  return status;
}

static mms_status parts_reserve(void *state, int64_t rows, mms_error *error) {
  parts_dense *self = state;
  if (rows <= self->dense.max_rows) return MMS_OK;
  free(self->dense.rows);
  free(self->origins);
  self->dense.rows = NULL;
  self->origins = NULL;
  mms_status status = allocate(self, &self->dense.rows, rows, sizeof(mms_finish_row), error);
  if (status == MMS_OK) status = allocate(self, &self->origins, rows * self->view.dim, sizeof(double), error);
  if (status == MMS_OK) self->dense.max_rows = rows;
  return status;
}

/* --- one call ----------------------------------------------------------------------------- */

/* Where a call stands: batches, and the group that comes next. */
typedef struct walk {
  const mms_queries *batches;
  int64_t count, batch, row;
  mms_dense_group group;
  bool held; /* the group has been looked at and not been taken */
  int64_t taken;
} walk;

static void bind(parts_dense *self, const unit *u) {
  mms_dense *dense = &self->dense;
  dense->queries = u->queries;
  dense->packed = u->packed;
  dense->lines = u->lines;
  dense->margins = u->margins;
  dense->tops = u->tops;
  dense->candidates = u->candidates;
  dense->counts = u->counts;
}

/* The groups of one round. A row's draws beyond one group's wait for the next round: its sums have an order. */
static void take_units(parts_dense *self, walk *w) {
  w->taken = 0;
  while (w->taken < self->unit_count) {
    while (!w->held && w->batch < w->count) {
      w->group.q = &w->batches[w->batch];
      w->held = mms_dense_next_group(&self->dense, &w->group);
      if (w->held) break;
      w->row += w->batches[w->batch++].count;
      w->group = (mms_dense_group){0};
    }
    if (!w->held || (w->group.first_pair > 0 && w->taken > 0)) return;
    unit *u = &self->units[w->taken++];
    u->group = w->group;
    u->row = w->row;
    w->held = false;
    bind(self, u);
    mms_dense_begin_group(&self->dense, &u->group);
  }
}

static void screen(parts_dense *self, int64_t count, mms_field_counters *counters) {
  mms_screen_tile tile;
  mms_screen_parts_begin(&self->screen);
  while (mms_screen_parts_next(&self->screen, &tile))
    for (int64_t u = 0; u < count; u++) {
      unit *it = &self->units[u];
      bind(self, it);
      if (it->group.screened > 0) mms_dense_screen_tile(&self->dense, &it->group, &tile, counters);
    }
}

static int32_t *list_of(const unit *u, int64_t r) { return (int32_t *)(void *)(u->candidates + r * u->group.room); }

static void make_lists(parts_dense *self, int64_t count) {
  for (int64_t u = 0; u < count; u++) {
    unit *it = &self->units[u];
    bind(self, it);
    for (int64_t r = 0; r < it->group.rows; r++) {
      if (it->counts[r] < 0) continue;
      it->counts[r] = mms_dense_list_points(&self->dense, &it->group, r);
      memcpy(list_of(it, r), self->dense.list, (size_t)it->counts[r] * sizeof(int32_t));
    }
  }
}

static mms_finish_scale scale_of(const unit *u) {
  const mms_queries *q = u->group.q;
  return (mms_finish_scale){q->bandwidth, q->smoothing, 0.5 / (double)(q->pairs > 0 ? q->pairs : 1)};
}

/* The point that the sums of a row are taken about stays when the fetched ones go. */
static void keep_origin(parts_dense *self, int64_t row) {
  double *kept = self->origins + row * self->view.dim;
  if (self->dense.rows[row].origin == kept || self->dense.rows[row].base < 0) return;
  memcpy(kept, self->dense.rows[row].origin, (size_t)self->view.dim * sizeof(double));
  self->dense.rows[row].origin = kept;
}

static void finish_row(parts_dense *self, unit *u, int64_t r, bool all, mms_field_counters *counters) {
  mms_finish_scale scale = scale_of(u);
  int64_t row = u->row + u->group.first + r, count = all ? self->view.count : u->counts[r];
  bind(self, u);
  if (!all) mms_fetch_rename(&self->fetch, list_of(u, r), count);
  mms_finish_add(self->dense.finish, &self->dense.rows[row], &scale, mms_dense_noise_of(&self->dense, &u->group, r),
                 u->group.pairs, all ? NULL : list_of(u, r), count);
  keep_origin(self, row);
  counters->finished += 2 * u->group.pairs * count;
}

/* Rows whose points are listed: as many at a time as their points can be held together. */
static void finish_listed(parts_dense *self, int64_t count, bool small, mms_field_counters *counters) {
  int64_t at_unit = 0, at_row = 0;
  for (;;) {
    int64_t u = at_unit, r = at_row;
    mms_fetch_clear(&self->fetch);
    for (bool fits = true; u < count && fits;) {
      const unit *it = &self->units[u];
      if (r == it->group.rows) {
        u++, r = 0;
        continue;
      }
      bool all = it->counts[r] < 0;
      if (!all || small) fits = mms_fetch_want(&self->fetch, all ? NULL : list_of(it, r), all ? 0 : it->counts[r]);
      if (fits) r++;
    }
    if (!mms_parts_any(self->team, self->fetch.count > 0)) return;
    mms_fetch_go(&self->fetch);
    self->view.points = self->fetch.rows;
    double start = mms_clock_seconds();
    for (; at_unit < u || at_row < r; at_row++) {
      unit *it = &self->units[at_unit];
      if (at_row == it->group.rows) {
        at_unit++, at_row = -1;
        continue;
      }
      if (it->counts[at_row] >= 0 || small) finish_row(self, it, at_row, it->counts[at_row] < 0, counters);
    }
    counters->seconds_finish += mms_clock_seconds() - start;
  }
}

/* --- rows to which all points matter -------------------------------------------------------- */

/* What a pass over all points does with a row. */
typedef enum pass { MASS, WEIGH } pass;

static void tile_of_unit(parts_dense *self, unit *u, pass what, int64_t from, int64_t first, int64_t count) {
  mms_finish_scale scale = scale_of(u);
  int64_t pairs = u->group.pairs - from < MMS_FINISH_PAIRS ? u->group.pairs - from : MMS_FINISH_PAIRS;
  bind(self, u);
  for (int64_t r = 0; r < u->group.rows && pairs > 0; r++) {
    if (u->counts[r] >= 0) continue;
    mms_finish_row *row = &self->dense.rows[u->row + u->group.first + r];
    const float *noise = mms_dense_noise_of(&self->dense, &u->group, r) + from * self->view.dim;
    if (what == MASS)
      mms_finish_wide_mass(self->dense.finish, row, &scale, noise, pairs, self->tile, first, count, &u->wide[r]);
    else
      mms_finish_wide_weigh(self->dense.finish, row, &scale, noise, pairs, self->tile, first, count, &u->wide[r]);
    if (what == MASS) keep_origin(self, u->row + u->group.first + r);
  }
}

/* One pass: tiles of the finish's own width, made of what comes by. */
static void pass_all(parts_dense *self, int64_t units, pass what, int64_t from) {
  int64_t d = self->view.dim, width = mms_finish_width(self->dense.finish), held = 0, first = 0;
  mms_tile piece;
  mms_tiles_begin(self->training->tiles);
  while (mms_tiles_next(self->training->tiles, &piece))
    for (int64_t at = 0; at < piece.rows;) {
      int64_t now = piece.rows - at < width - held ? piece.rows - at : width - held;
      memcpy(self->tile + held * d, (const double *)piece.data + at * d, (size_t)(now * d) * sizeof(double));
      held += now;
      at += now;
      if (held < width && first + held < self->view.count) continue;
      for (int64_t u = 0; u < units; u++) tile_of_unit(self, &self->units[u], what, from, first, held);
      mms_tiles_progress(self->training->tiles);
      first += held;
      held = 0;
    }
}

static void finish_all(parts_dense *self, int64_t count, mms_field_counters *counters) {
  int64_t pairs = 0;
  double start = mms_clock_seconds();
  for (int64_t u = 0; u < count; u++)
    for (int64_t r = 0; r < self->units[u].group.rows; r++)
      if (self->units[u].counts[r] < 0 && self->units[u].group.pairs > pairs) pairs = self->units[u].group.pairs;
  for (int64_t from = 0; mms_parts_any(self->team, from < pairs); from += MMS_FINISH_PAIRS) {
    for (int64_t u = 0; u < count; u++)
      for (int64_t r = 0; r < self->units[u].group.rows; r++)
        mms_finish_wide_begin(&self->units[u].wide[r],
                              &self->dense.rows[self->units[u].row + self->units[u].group.first + r]);
    pass_all(self, count, MASS, from);
    pass_all(self, count, WEIGH, from);
    for (int64_t u = 0; u < count; u++) {
      const unit *it = &self->units[u];
      mms_finish_scale scale = scale_of(it);
      int64_t now = it->group.pairs - from < MMS_FINISH_PAIRS ? it->group.pairs - from : MMS_FINISH_PAIRS;
      for (int64_t r = 0; r < it->group.rows && now > 0; r++) {
        if (it->counts[r] >= 0) continue;
        mms_finish_wide_end(&self->dense.rows[it->row + it->group.first + r], &scale, now, &it->wide[r]);
        counters->finished += 2 * now * self->view.count;
      }
    }
  }
  counters->seconds_finish += mms_clock_seconds() - start;
}

static void parts_evaluate(void *state, const mms_queries *batches, int64_t count, mms_pull pull, double *out,
                           double *log_mass, mms_field_counters *counters) {
  parts_dense *self = state;
  int64_t d = self->view.dim, row = 0;
  bool small = self->view.count <= mms_finish_width(self->dense.finish); /* all points are one tile of the finish */
  for (int64_t b = 0; b < count; b++) {
    for (int64_t r = 0; r < batches[b].count; r++, row++)
      self->dense.rows[row] = mms_finish_begin(batches[b].points + r * d, out + row * d, d);
    counters->rows += 2 * (batches[b].pairs > 0 ? batches[b].pairs : 1) * batches[b].count;
  }
  walk w = {.batches = batches, .count = count};
  for (;;) {
    take_units(self, &w);
    if (!mms_parts_any(self->team, w.taken > 0)) break;
    screen(self, w.taken, counters);
    make_lists(self, w.taken);
    finish_listed(self, w.taken, small, counters);
    if (!small) finish_all(self, w.taken, counters);
  }
  for (int64_t r = 0; r < row; r++) mms_dense_end(&self->dense, &self->dense.rows[r], pull, out + r * d, log_mass + r);
}

static int64_t parts_bytes(const void *state) {
  const parts_dense *self = state;
  return self->bytes + mms_screen_parts_bytes(&self->screen) + mms_fetch_bytes(&self->fetch) +
         mms_finish_bytes(self->dense.finish);
}

const mms_parts_table mms_parts_dense = {parts_create, parts_reserve, parts_evaluate, parts_free, parts_bytes};
