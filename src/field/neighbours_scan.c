/* The K nearest by product: scores in bfloat16 or through SGEMM with their proved error bound, a threshold that rises
 * with what has been seen, and double distances where the bound leaves it open (screen, then finish). */
#include "field/neighbours.h"

#include "field/dense.h"
#include "field/float_bounds.h"
#include "mmsold/base/clock.h"
#include <math.h>

/* Below every score that is looked at, above the padding's −1e30. */
#define LOWEST (-1e29F)

/* A list is cut down when it has grown by half and this: what is listed until then costs as much as the cutting. */
enum { MORE = 48 };

/* A tile beyond what starts a selection, another that the next product may add, and what vectors write beyond. */
int64_t mms_neighbours_room(int64_t k) {
  return (k + MMS_KERNEL_PAD - 1) / MMS_KERNEL_PAD * MMS_KERNEL_PAD + 2 * MMS_NEIGHBOURS_WIDTH + MMS_KERNEL_PAD;
}

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
    status = mms_neighbours_allocate(self, &self->norms, MMS_NEIGHBOURS_WIDTH, sizeof(float), error);
  if (status == MMS_OK) status = mms_neighbours_allocate(self, &self->ranked, self->room, sizeof(float), error);
  if (status == MMS_OK)
    status = mms_neighbours_allocate(self, &self->scored, 2 * self->rows * self->room, sizeof(float), error);
  if (status == MMS_OK)
    status = mms_neighbours_allocate(self, &self->named, self->rows * self->room, sizeof(int32_t), error);
  if (status == MMS_OK)
    status = mms_neighbours_allocate(self, &self->lists, self->rows, sizeof(mms_scored_list), error);
  return mms_team_agree(team, status, error);
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
  bool possible = norm < MMS_DENSE_FAR && isfinite(single + mms_screen_line_bound(&self->points, &line));
  self->lists[r] = (mms_scored_list){.count = possible ? 0 : -1, .level = self->k + MORE, .threshold = LOWEST};
  const double parts[3] = {line.off, line.size, single};
  for (int i = 0; i < 3; i++) self->lists[r].bound[i] = mms_float_above((float)parts[i]) * (1.0F + 0x1p-20F);
}

void mms_neighbours_begin_tile(mms_neighbours *self, const mms_screen_tile *tile) {
  for (int64_t i = 0; i < tile->width && tile->off != NULL; i++)
    self->norms[i] = mms_float_above(sqrtf(2.0F * tile->half[i]) + 1e-18F);
}

/* With t a score that K points are at least above: none that is at most below t is among the nearest. Over part of the
 * points t is only smaller. */
static void raise(mms_neighbours *self, int64_t r) {
  mms_scored_list *row = &self->lists[r];
  const mms_scored list = mms_neighbours_scored(self, r);
  const int64_t padded = (row->count + MMS_KERNEL_PAD - 1) / MMS_KERNEL_PAD * MMS_KERNEL_PAD;
  for (int64_t i = row->count; i < padded; i++) list.low[i] = LOWEST;
  const float t = self->kernels->reached(list.low, padded, self->k);
  row->threshold = fmaxf(row->threshold, mms_float_below(mms_float_below(t)));
  row->count = self->kernels->keep(list.low, list.high, list.point, row->count, t);
}

void mms_neighbours_take(mms_neighbours *self, int64_t r, const float *a, const mms_screen_tile *tile) {
  mms_scored_list *row = &self->lists[r];
  const mms_scored list = mms_neighbours_scored(self, r);
  if (row->count < 0) return;
  row->count +=
      self->kernels->list(a, tile->half, self->norms, tile->off, tile->width, row->threshold, row->bound,
                          (int32_t)tile->first, list.low + row->count, list.high + row->count, list.point + row->count);
  if (row->count <= row->level) return;
  raise(self, r);
  const int64_t most = self->room - MMS_NEIGHBOURS_WIDTH - MMS_KERNEL_PAD;
  const int64_t level = row->count + row->count / 2 + MORE;
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
    mms_neighbours_begin_tile(self, &tile);
    for (int64_t r = 0; r < rows; r++) mms_neighbours_take(self, r, self->scores + r * MMS_NEIGHBOURS_STRIDE, &tile);
  }
}
