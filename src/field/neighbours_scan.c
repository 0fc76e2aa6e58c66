/* The K nearest by product: scores in bfloat16 or through SGEMM with their proved error bound, a threshold that rises
 * with what has been seen, and double distances where the bound leaves it open (screen, then finish). */
#include "field/neighbours.h"

#include "field/dense.h"
#include "field/float_bounds.h"
#include "mmsold/base/clock.h"
#include "mmsold/base/memory.h"
#include <math.h>

/* Below every score that is looked at, above the padding's −1e30. */
#define LOWEST (-1e29F)

/* A list is cut down when it has grown by half and this: what is listed until then costs as much as the cutting. */
enum { MORE = 48 };

/* A tile beyond what starts a selection, and another that the next product may add. */
int64_t mms_neighbours_room(int64_t k) { return k + 2 * MMS_NEIGHBOURS_WIDTH; }

mms_status mms_neighbours_scan_create(mms_neighbours *self, const mms_team *team, mms_screen screen, mms_error *error) {
  int64_t d = self->training->dim;
  mms_status status = mms_screen_points_create(&self->points, team, self->training, false, screen, error);
  if (status != MMS_OK) return status;
  self->room = mms_neighbours_room(self->k);
  self->rows = MMS_NEIGHBOURS_LISTED / self->room;
  if (self->rows > MMS_NEIGHBOURS_ROWS) self->rows = MMS_NEIGHBOURS_ROWS;
  if (self->rows > self->max_rows) self->rows = self->max_rows;
  if (self->rows < 1) self->rows = 1;
  status = mms_neighbours_allocate(self, &self->queries, self->rows * d, sizeof(float), error);
  if (status == MMS_OK)
    status = mms_neighbours_allocate(self, &self->packed, mms_screen_packed(&self->points, self->rows),
                                     sizeof(uint16_t), error);
  int64_t lines = (self->rows + MMS_BFLOAT_ROWS - 1) / MMS_BFLOAT_ROWS * MMS_BFLOAT_ROWS;
  if (status == MMS_OK)
    status = mms_neighbours_allocate(self, &self->scores, lines * MMS_NEIGHBOURS_STRIDE, sizeof(float), error);
  if (status == MMS_OK)
    status = mms_neighbours_allocate(self, &self->found, MMS_NEIGHBOURS_WIDTH + 16, sizeof(int32_t), error);
  if (status == MMS_OK)
    status = mms_neighbours_allocate(self, &self->scored, self->rows * self->room, sizeof(mms_scored), error);
  if (status == MMS_OK)
    status = mms_neighbours_allocate(self, &self->lists, self->rows, sizeof(mms_scored_list), error);
  return mms_team_agree(team, status, error);
}

static float key_of(const mms_scored *entry, bool high) { return high ? entry->high : entry->low; }

/* The k-th largest low or high, k >= 1, of the list, which is put into another order (Hoare's selection; it stops on
 * equal ones and so halves a run of them). */
static float select_score(mms_scored *list, int64_t count, int64_t k, bool high) {
  int64_t lo = 0, hi = count;
  while (hi - lo > 1) {
    float a = key_of(&list[lo], high), b = key_of(&list[lo + (hi - lo) / 2], high), c = key_of(&list[hi - 1], high);
    float pivot = fmaxf(fminf(a, b), fminf(fmaxf(a, b), c));
    int64_t i = lo, j = hi - 1;
    while (i <= j) {
      while (key_of(&list[i], high) > pivot) i++;
      while (key_of(&list[j], high) < pivot) j--;
      if (i > j) break;
      mms_scored kept = list[i];
      list[i++] = list[j];
      list[j--] = kept;
    }
    if (k - 1 <= j)
      hi = j + 1;
    else if (k - 1 >= i)
      lo = i;
    else
      break;
  }
  return key_of(&list[k - 1], high);
}

/* With t the K-th largest of what scores are at least: K points have true scores >= t, so none that is at most below t
 * is among the nearest, nor one with a computed score below t − E. Over part of the points t is only smaller. */
void mms_neighbours_raise(const mms_neighbours *self, int64_t r) {
  mms_scored_list *row = &self->lists[r];
  mms_scored *list = self->scored + r * self->room;
  if (row->count < self->k) return;
  float t = select_score(list, row->count, self->k, false);
  float threshold = mms_float_below((float)((double)t - row->error));
  if (threshold > row->threshold) row->threshold = threshold;
  int64_t kept = 0;
  for (int64_t i = 0; i < row->count; i++)
    if (list[i].high >= t) list[kept++] = list[i];
  row->count = kept;
}

void mms_neighbours_begin_row(mms_neighbours *self, const double *z, int64_t r) {
  int64_t d = self->training->dim;
  double square = 0.0;
  for (int64_t k = 0; k < d; k++) {
    double value = (z[k] - self->points.centre[k]) / self->points.scale;
    square += value * value;
    self->queries[r * d + k] = fabs(value) < MMS_DENSE_FAR ? (float)value : 0.0F;
  }
  double norm = sqrt(square), single = mms_screen_points_error(&self->points, d, norm, 0.0, 0.0);
  mms_screen_line line = mms_screen_pack_query(&self->points, self->kernels, self->queries + r * d, d, r, self->packed);
  double error = (single + mms_screen_line_bound(&self->points, &line)) * (1.0 + 0x1p-18); /* as floats below */
  bool possible = norm < MMS_DENSE_FAR && isfinite(error);
  self->lists[r] =
      (mms_scored_list){.count = possible ? 0 : -1, .level = self->k + MORE, .threshold = LOWEST, .error = error};
  self->lists[r].off = mms_float_above((float)line.off);
  self->lists[r].size = mms_float_above((float)line.size);
  self->lists[r].single = mms_float_above((float)single);
}

/* One row against one tile of scores. */
void mms_neighbours_take(mms_neighbours *self, int64_t r, float *a, const mms_screen_tile *tile) {
  mms_scored_list *row = &self->lists[r];
  mms_scored *list = self->scored + r * self->room;
  if (row->count < 0) return;
  self->kernels->subtract(a, tile->half, tile->width);
  if (row->threshold == LOWEST) {
    /* The first tile: K points have true scores of at least t − E, so a computed one below t − 2E is none of the
     * nearest. Without it all of the tile would be listed, nearly all to be thrown away. */
    float t = self->kernels->reached(a, tile->width, self->k, LOWEST);
    if (t > LOWEST) row->threshold = fmaxf(LOWEST, mms_float_below((float)((double)t - 2.0 * row->error)));
  }
  int64_t found = self->kernels->select(a, tile->width, row->threshold, self->found);
  for (int64_t i = 0; i < found; i++) {
    int32_t at = self->found[i];
    float error = (mms_screen_point_bound(tile, at, row->off, row->size) + row->single) * (1.0F + 0x1p-20F);
    list[row->count++] =
        (mms_scored){mms_float_below(a[at] - error), mms_float_above(a[at] + error), (int32_t)tile->first + at};
  }
  if (row->count <= row->level) return;
  mms_neighbours_raise(self, r);
  const int64_t most = self->room - MMS_NEIGHBOURS_WIDTH, level = row->count + row->count / 2 + MORE;
  row->level = level < most ? level : most;
  if (row->count > most) row->count = -1; /* too many within rounding of each other */
}

void mms_neighbours_scan(mms_neighbours *self, const mms_queries *q, int64_t first, int64_t rows,
                         mms_field_counters *counters) {
  int64_t d = self->training->dim;
  for (int64_t r = 0; r < rows; r++) mms_neighbours_begin_row(self, q->points + (first + r) * d, r);
  for (int64_t at = 0; at < self->points.padded; at += MMS_NEIGHBOURS_WIDTH) {
    int64_t rest = self->points.padded - at, width = rest < MMS_NEIGHBOURS_WIDTH ? rest : MMS_NEIGHBOURS_WIDTH;
    mms_screen_tile tile = mms_screen_points_tile(&self->points, at, width);
    double start = mms_clock_seconds();
    mms_screen_multiply(&self->points, self->kernels, self->queries, self->packed, rows, d, &tile, self->scores,
                        MMS_NEIGHBOURS_STRIDE);
    counters->seconds_product += mms_clock_seconds() - start;
    counters->product_flops += 2.0 * (double)(rows * width * d);
    for (int64_t r = 0; r < rows; r++) mms_neighbours_take(self, r, self->scores + r * MMS_NEIGHBOURS_STRIDE, &tile);
  }
}

/* In double, one point after the other: for a row far away, or among too many points at one distance. */
static void search_all(mms_neighbours *self, const double *z) {
  const mms_training *training = self->training;
  for (int64_t i = 0; i < training->count; i++)
    mms_nearest_offer(&self->nearest, mms_square_distance(training->points + i * training->dim, z, training->dim), i);
}

double mms_neighbours_sure(const mms_neighbours *self, int64_t r) {
  const mms_scored_list *row = &self->lists[r];
  if (row->count <= self->k) return -INFINITY;
  return (double)select_score(self->scored + r * self->room, row->count, self->k + 1, true);
}

/* Points that are open lie anywhere in memory: they are asked for some rows before they are read. */
enum { AHEAD = 2 };

static void fetch(const mms_training *training, int64_t point) {
  const double *x = training->points + point * training->dim;
  for (int64_t k = 0; k < training->dim; k += MMS_ALIGNMENT / (int64_t)sizeof *x) __builtin_prefetch(x + k);
}

void mms_neighbours_settle(mms_neighbours *self, int64_t r, const double *z) {
  const mms_training *training = self->training;
  mms_scored_list *row = &self->lists[r];
  mms_scored *list = self->scored + r * self->room;
  const int64_t d = training->dim;
  self->nearest.count = 0;
  if (row->count < 0) {
    search_all(self, z);
    return;
  }
  mms_neighbours_raise(self, r);
  const double sure = mms_neighbours_sure(self, r);
  int64_t open = 0;
  for (int64_t i = 0; i < row->count; i++) {
    if ((double)list[i].low > sure)
      mms_nearest_offer(&self->nearest, -INFINITY, list[i].point);
    else
      list[open++] = list[i];
  }
  row->count = open;
  for (int64_t i = 0; i < open; i++) {
    if (i + AHEAD < open) fetch(training, list[i + AHEAD].point);
    const int64_t point = list[i].point;
    mms_nearest_offer(&self->nearest, mms_square_distance(training->points + point * d, z, d), point);
  }
}
