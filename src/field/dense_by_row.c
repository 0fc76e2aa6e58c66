/* The dense backend in many dimensions: one product for the scores a of the rows and the b of all their antithetic
 * pairs against a tile of points (ALGORITHMS 1, useful identity), an online maximum over tiles, and a list of
 * candidates. */
#include "field/dense.h"

#include "field/float_bounds.h"
#include "field/noise.h"
#include "mmsold/base/clock.h"
#include <float.h>
#include <math.h>
#include <string.h>

static int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }

/* Rows that share the product's QUERIES rows and the DRAWS thresholds. */
static int64_t group_rows(bool shared, int64_t pairs) {
  int64_t rows = shared ? least(MMS_DENSE_QUERIES - pairs, MMS_DENSE_DRAWS / pairs) : MMS_DENSE_QUERIES / (1 + pairs);
  return rows < 1 ? 1 : rows;
}

const float *mms_dense_noise_of(const mms_dense *self, const mms_dense_group *g, int64_t row) {
  return self->queries + (g->rows + (g->shared ? 0 : row * g->pairs)) * self->training->dim;
}

/* Where the lines of the draws of row r begin. */
static int64_t noise_line(const mms_dense_group *g, int64_t r) { return g->rows + (g->shared ? 0 : r * g->pairs); }

/* The draws of row r, or of all rows where r is the first of them. */
static void take_noise(mms_dense *self, const mms_dense_group *g, int64_t r) {
  int64_t d = self->training->dim, line = g->rows + r * g->pairs;
  const mms_queries *q = g->q;
  float *noise = self->queries + line * d;
  if (q->pairs > 0)
    mms_noise_draw(q, g->first + r, g->first_pair, g->pairs, d, noise);
  else
    memset(noise, 0, (size_t)(g->pairs * d) * sizeof(float));
  for (int64_t j = 0; j < g->pairs; j++)
    self->lines[line + j] =
        mms_screen_pack_query(&self->points, self->kernels, noise + j * d, d, line + j, self->packed);
}

static double norm_of(const mms_screen_line *line) { return line->off + line->size; }

/* A bound of the error of the scores of row r and pair j, but for what bfloat16 adds. */
static double single_error(const mms_dense *self, const mms_dense_group *g, int64_t r, int64_t j) {
  double beta = g->q->smoothing / self->points.scale;
  double noise = beta * norm_of(&self->lines[noise_line(g, r) + j]);
  return mms_screen_points_error(&self->points, self->training->dim, norm_of(&self->lines[r]), noise, beta);
}

/* What the screen knows of pair j of row r; `single` and `bound`, of all points, are bounds of the error of a score. */
static mms_dense_margin margin_of(const mms_dense *self, const mms_dense_group *g, int64_t r, int64_t j, double single,
                                  double bound) {
  const mms_screen_line *row = &self->lines[r], *noise = &self->lines[noise_line(g, r) + j];
  const double beta = g->q->smoothing / self->points.scale;
  return (mms_dense_margin){.margin = mms_float_above((float)(g->depth + 2.0 * bound)),
                            .single = mms_float_above((float)single),
                            .off = mms_float_above((float)(row->off + beta * noise->off)),
                            .size = mms_float_above((float)(row->size + beta * noise->size))};
}

/* Where all points are finished sooner than they are screened: with few points in few dimensions looking at a draw
 * costs three times what finishing it does, and the rest of a finish as much as eight pairs' screens (measured at n =
 * 100, d = 9 to 16: tests/bench/README.md, auto). */
enum { UNSCREENED_POINTS = 128, UNSCREENED_DIM = 16, UNSCREENED_PAIRS = 8 };

static bool is_unscreened(const mms_training *training, int64_t pairs) {
  return training->count <= UNSCREENED_POINTS && training->dim <= UNSCREENED_DIM && pairs >= UNSCREENED_PAIRS;
}

/* Fill the queries of the product and every draw's margin. A row that single
 * precision can't judge, or to which all points matter, is taken out of the screen. */
void mms_dense_begin_group(mms_dense *self, mms_dense_group *g) {
  int64_t d = self->training->dim;
  const mms_screen_points *points = &self->points;
  const mms_queries *q = g->q;
  double ratio = q->bandwidth / points->scale, beta = q->smoothing / points->scale;
  g->depth = mms_dense_depth(self) * ratio * ratio;
  g->beta = beta < MMS_DENSE_FAR ? (float)beta : 0.0F;
  g->screened = 0;
  for (int64_t r = 0; r < g->rows; r++) {
    double norm = mms_dense_centre(self, q->points + (g->first + r) * d, self->queries + r * d);
    self->lines[r] = mms_screen_pack_query(points, self->kernels, self->queries + r * d, d, r, self->packed);
    if (!g->shared || r == 0) take_noise(self, g, r);
    bool out = is_unscreened(self->training, g->pairs) || !(norm < MMS_DENSE_FAR) || !(beta < MMS_DENSE_FAR);
    for (int64_t j = 0; j < g->pairs; j++) {
      const mms_screen_line *noise = &self->lines[noise_line(g, r) + j];
      const double e = beta * norm_of(noise), single = single_error(self, g, r, j);
      const double bound =
          single + mms_screen_line_bound(points, &self->lines[r]) + beta * mms_screen_line_bound(points, noise);
      if (!(e < MMS_DENSE_FAR) || !(g->depth + 2.0 * bound < 2.0 * (norm + e) * points->radius + 1.0)) out = true;
      if (!out) self->margins[r * g->pairs + j] = margin_of(self, g, r, j, single, bound);
      float *tops = self->tops + 4 * (r * g->pairs + j);
      tops[0] = tops[1] = tops[2] = tops[3] = -FLT_MAX;
    }
    self->counts[r] = out ? -1 : 0;
    if (!out) g->screened++;
  }
}

/* Whether others leave a candidate behind for certain: the largest score of a draw is at least `tops[2 + sign]`. */
static bool stays(const mms_candidate *candidate, const float *tops, double depth) {
  double low = (double)tops[4 * (candidate->draw / 2) + 2 + candidate->draw % 2];
  return (double)candidate->score + (double)candidate->error > low - depth;
}

static int64_t sift(const mms_dense *self, const mms_dense_group *g, int64_t r, mms_candidate *list, int64_t count) {
  int64_t kept = 0;
  for (int64_t i = 0; i < count; i++)
    if (stays(&list[i], self->tops + 4 * r * g->pairs, g->depth)) list[kept++] = list[i];
  return kept;
}

/* The margin of the screen has room for the largest error of any point; those of the few that clear it are bounded each
 * by its own. `lows`: what the largest scores are at least. */
static void bound_errors(const mms_dense_margin *m, const mms_screen_tile *tile, mms_candidate *list, int64_t count,
                         float *lows) {
  for (int64_t i = 0; i < count; i++) {
    float error =
        (mms_screen_point_bound(tile, list[i].point - tile->first, m->off, m->size) + m->single) * (1.0F + 0x1p-20F);
    float low = mms_float_below(list[i].score - error);
    list[i].error = error;
    float *least = &lows[list[i].draw % 2];
    *least = low > *least ? low : *least;
  }
}

/* One row against one tile. */
static void screen_row(mms_dense *self, mms_dense_group *g, int64_t r, const mms_screen_tile *tile) {
  const float *a = self->scores + r * MMS_DENSE_STRIDE, *b = self->scores + noise_line(g, r) * MMS_DENSE_STRIDE;
  mms_candidate *list = self->candidates + r * g->room;
  int64_t count = self->counts[r];
  for (int64_t j = 0; j < g->pairs; j++) {
    const mms_dense_margin *m = &self->margins[r * g->pairs + j];
    float *top = self->tops + 4 * (r * g->pairs + j);
    const float *bj = b + j * MMS_DENSE_STRIDE;
    int64_t found = -1;
    for (int attempt = 0; attempt < 2 && found < 0; attempt++) {
      if (attempt > 0) count = sift(self, g, r, list, count);
      found = self->kernels->screen(a, bj, g->beta, tile->width, m->margin, top, (int32_t)tile->first, (int32_t)(2 * j),
                                    list + count, g->room - count);
    }
    if (found > 0) bound_errors(m, tile, list + count, found, top + 2);
    if (found > 0) count += found;
    /* as soon as it is known that a list of most points would cost more than it saves; at once where one tile is all */
    const int64_t n = self->training->count, most = n <= tile->width ? least(g->enough, (j + 1) * n) : g->enough;
    if (count > most) count = sift(self, g, r, list, count);
    if (found < 0 || count > most) {
      self->counts[r] = -1;
      g->screened--;
      return;
    }
  }
  self->counts[r] = count;
}

void mms_dense_screen_tile(mms_dense *self, mms_dense_group *g, const mms_screen_tile *tile,
                           mms_field_counters *counters) {
  int64_t d = self->training->dim, lines = g->rows + (g->shared ? g->pairs : g->rows * g->pairs);
  if (g->q->pairs == 0) lines = g->rows; /* the exact field: b is whatever is there, times β = 0 */
  double start = mms_clock_seconds();
  mms_screen_multiply(&self->points, self->kernels, self->queries, self->packed, lines, d, tile, self->scores,
                      MMS_DENSE_STRIDE);
  counters->seconds_product += mms_clock_seconds() - start;
  counters->product_flops += 2.0 * (double)(lines * tile->width * d);
  for (int64_t r = 0; r < g->rows; r++) {
    if (self->counts[r] < 0) continue;
    self->kernels->subtract(self->scores + r * MMS_DENSE_STRIDE, tile->half, tile->width);
    screen_row(self, g, r, tile);
  }
}

/* The candidates of a row as an ascending list of points. */
int64_t mms_dense_list_points(mms_dense *self, const mms_dense_group *g, int64_t r) {
  const mms_candidate *candidates = self->candidates + r * g->room;
  int64_t count = 0, words = self->training->count / 64 + 1;
  for (int64_t i = 0; i < self->counts[r]; i++) { /* without a branch: which stay can't be foretold */
    const uint64_t mark = stays(&candidates[i], self->tops + 4 * r * g->pairs, g->depth) ? 1 : 0;
    self->marks[candidates[i].point / 64] |= mark << (candidates[i].point % 64);
  }
  for (int64_t w = 0; w < words; w++) {
    for (uint64_t bits = self->marks[w]; bits != 0; bits &= bits - 1)
      self->list[count++] = (int32_t)(64 * w + __builtin_ctzll(bits));
    self->marks[w] = 0;
  }
  return count;
}

static void finish_group(mms_dense *self, const mms_dense_group *g, const mms_finish_scale *scale,
                         mms_field_counters *counters) {
  double start = mms_clock_seconds();
  for (int64_t r = 0; r < g->rows; r++) {
    int64_t count = self->counts[r] < 0 ? self->training->count : mms_dense_list_points(self, g, r);
    mms_finish_add(self->finish, &self->rows[g->first + r], scale, mms_dense_noise_of(self, g, r), g->pairs,
                   self->counts[r] < 0 ? NULL : self->list, count);
    counters->finished += 2 * g->pairs * count;
  }
  counters->seconds_finish += mms_clock_seconds() - start;
}

bool mms_dense_next_group(const mms_dense *self, mms_dense_group *g) {
  const mms_queries *q = g->q;
  int64_t pairs = q->pairs > 0 ? q->pairs : 1;
  g->shared = q->pairs == 0 || q->sharing != MMS_SHARING_PARTICLE;
  if (g->rows > 0) g->first_pair += MMS_DENSE_PAIRS;
  if (g->rows > 0 && g->first_pair >= pairs) {
    g->first += g->rows;
    g->first_pair = 0;
  }
  if (g->first >= q->count) return false;
  int64_t most = group_rows(g->shared, least(pairs, MMS_DENSE_PAIRS));
  g->rows = least(most, q->count - g->first);
  g->pairs = least(pairs - g->first_pair, MMS_DENSE_PAIRS);
  g->room = MMS_DENSE_CANDIDATES / most; /* no list is longer, whatever the batch */
  g->enough = least(g->room - 2 * MMS_KERNEL_PAD, 64 + self->training->count * g->pairs / 4);
  return true;
}

void mms_dense_by_row(mms_dense *self, const mms_queries *q, mms_pull pull, double *out, double *log_mass,
                      mms_field_counters *counters) {
  int64_t d = self->training->dim, n = self->training->count, pairs = q->pairs > 0 ? q->pairs : 1;
  const mms_screen_points *points = &self->points;
  mms_finish_scale scale = {q->bandwidth, q->smoothing, 0.5 / (double)pairs};
  for (int64_t row = 0; row < q->count; row++)
    self->rows[row] = mms_finish_begin(q->points + row * d, out + row * d, d);
  mms_dense_group g = {.q = q};
  while (mms_dense_next_group(self, &g)) {
    mms_dense_begin_group(self, &g);
    for (int64_t first = 0; first < n && g.screened > 0; first += MMS_DENSE_WIDTH) {
      mms_screen_tile tile = mms_screen_points_tile(points, first, least(MMS_DENSE_WIDTH, points->padded - first));
      mms_dense_screen_tile(self, &g, &tile, counters);
    }
    finish_group(self, &g, &scale, counters);
  }
  for (int64_t row = 0; row < q->count; row++)
    mms_dense_end(self, &self->rows[row], pull, out + row * d, log_mass + row);
  counters->rows += 2 * pairs * q->count;
}
