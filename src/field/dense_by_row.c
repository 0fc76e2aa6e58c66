/* The dense backend in many dimensions: one product for the scores a of the rows and the b of all their antithetic
 * pairs against a tile of points (ALGORITHMS 1, useful identity), an online maximum over tiles, and a list of
 * candidates. */
#include "field/dense.h"

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

/* The draws of row r, or of all rows where r is the first of them: in single precision and packed, with their norms. */
static void take_noise(mms_dense *self, const mms_dense_group *g, int64_t r, double beta) {
  int64_t d = self->training->dim, line = g->rows + r * g->pairs;
  const mms_queries *q = g->q;
  float *noise = self->queries + line * d;
  if (q->pairs > 0)
    mms_noise_draw(q, g->first + r, g->first_pair, g->pairs, d, noise);
  else
    memset(noise, 0, (size_t)(g->pairs * d) * sizeof(float));
  for (int64_t j = 0; j < g->pairs; j++) {
    double norm;
    self->errors[j] =
        beta * mms_screen_pack_query(&self->points, self->kernels, noise + j * d, d, line + j, self->packed, &norm);
    self->norms[j] = beta * norm;
  }
}

/* Where all points are finished sooner than they are screened: with few points in few dimensions looking at a draw
 * costs three times what finishing it does, and the rest of a finish as much as eight pairs' screens (measured at n =
 * 100, d = 9 to 16: tests/bench/README.md, auto). */
enum { UNSCREENED_POINTS = 128, UNSCREENED_DIM = 16, UNSCREENED_PAIRS = 8 };

static bool is_unscreened(const mms_training *training, int64_t pairs) {
  return training->count <= UNSCREENED_POINTS && training->dim <= UNSCREENED_DIM && pairs >= UNSCREENED_PAIRS;
}

/* Fill the queries of the product and every draw's margin (bδ² + 2 error, in the screen's units). A row that single
 * precision can't judge, or to which all points matter, is taken out of the screen. */
void mms_dense_begin_group(mms_dense *self, mms_dense_group *g) {
  int64_t d = self->training->dim;
  const mms_screen_points *points = &self->points;
  const mms_queries *q = g->q;
  double ratio = q->bandwidth / points->scale, depth = mms_dense_depth(self) * ratio * ratio;
  double beta = q->smoothing / points->scale;
  g->beta = beta < MMS_DENSE_FAR ? (float)beta : 0.0F;
  g->screened = 0;
  for (int64_t r = 0; r < g->rows; r++) {
    double norm = mms_dense_centre(self, q->points + (g->first + r) * d, self->queries + r * d);
    double size,
        rounded = mms_screen_pack_query(points, self->kernels, self->queries + r * d, d, r, self->packed, &size);
    if (!g->shared || r == 0) take_noise(self, g, r, beta);
    bool out = is_unscreened(self->training, g->pairs) || !(norm < MMS_DENSE_FAR) || !(beta < MMS_DENSE_FAR);
    for (int64_t j = 0; j < g->pairs; j++) {
      double e = self->norms[j];
      double margin = depth + 2.0 * (mms_screen_points_error(points, d, norm, e, beta) + rounded + self->errors[j]);
      if (!(e < MMS_DENSE_FAR) || !(margin < 2.0 * (norm + e) * points->radius + 1.0)) out = true;
      self->margins[r * g->pairs + j] = out ? 0.0F : nextafterf((float)margin, INFINITY);
      self->tops[2 * (r * g->pairs + j)] = self->tops[2 * (r * g->pairs + j) + 1] = -FLT_MAX;
    }
    self->counts[r] = out ? -1 : 0;
    if (!out) g->screened++;
  }
}

/* Drop candidates that later tiles have left behind. */
static int64_t sift(const mms_dense *self, const mms_dense_group *g, int64_t r, mms_candidate *list, int64_t count) {
  const float *tops = self->tops + 2 * r * g->pairs, *margins = self->margins + r * g->pairs;
  int64_t kept = 0;
  for (int64_t i = 0; i < count; i++)
    if (list[i].score > tops[list[i].draw] - margins[list[i].draw / 2]) list[kept++] = list[i];
  return kept;
}

/* One row against one tile. */
static void screen_row(mms_dense *self, mms_dense_group *g, int64_t r, int64_t first, int64_t width) {
  const float *a = self->scores + r * MMS_DENSE_STRIDE;
  const float *b = self->scores + (g->rows + (g->shared ? 0 : r * g->pairs)) * MMS_DENSE_STRIDE;
  mms_candidate *list = self->candidates + r * g->room;
  int64_t count = self->counts[r];
  for (int64_t j = 0; j < g->pairs; j++) {
    float margin = self->margins[r * g->pairs + j], *top = self->tops + 2 * (r * g->pairs + j);
    const float *bj = b + j * MMS_DENSE_STRIDE;
    int64_t found = -1;
    for (int attempt = 0; attempt < 2 && found < 0; attempt++) {
      if (attempt > 0) count = sift(self, g, r, list, count);
      found = self->kernels->screen(a, bj, g->beta, width, margin, top, (int32_t)first, (int32_t)(2 * j), list + count,
                                    g->room - count);
    }
    if (found >= 0) count += found;
    if (count > g->enough) count = sift(self, g, r, list, count);
    /* as soon as it is known that a list of most points would cost more than it saves; at once where one tile is all */
    const int64_t n = self->training->count;
    if (found < 0 || count > g->enough || (n <= width && count > (j + 1) * n)) {
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
    screen_row(self, g, r, tile->first, tile->width);
  }
}

/* The candidates of a row as an ascending list of points. */
int64_t mms_dense_list_points(mms_dense *self, const mms_dense_group *g, int64_t r) {
  mms_candidate *candidates = self->candidates + r * g->room;
  int64_t kept = sift(self, g, r, candidates, self->counts[r]), count = 0, words = self->training->count / 64 + 1;
  for (int64_t i = 0; i < kept; i++) self->marks[candidates[i].point / 64] |= UINT64_C(1) << (candidates[i].point % 64);
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
