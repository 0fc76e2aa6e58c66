/* The screen of a list: logits of its K + L points in single precision, from rows that are a quarter (bfloat16) or half
 * (single) as long, with their proved error bound. Only points whose weight may be above the finish's cut are read in
 * double, which at small δ are a few of a hundred; the others' weights are zero either way, so the bits are the same.
 */
#include "field/neighbours.h"

#include "field/float_bounds.h"
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
  CHUNK = 1024,                           /* points of one call of the screen's kernel */
  FOUND = CHUNK * 2 + 2 * MMS_KERNEL_PAD, /* both signs of all of them */
  PAUSE = 15                              /* rows that go by unscreened after one of which most points were kept */
};

/* |z'| up to which double rounding of a logit, at most (d + 4) 2^-53 (|z'| + 1)², is far below the slack in `bound`. */
#define NEAR 1024.0

/* --- rows of the screen's copy -------------------------------------------------------------- */

/* x̂ of point i out of its chunk (mms_screen_pack_points). */
static void unpack_row(const mms_screen_points *points, int64_t i, uint16_t *row) {
  enum { TILE = MMS_BFLOAT_ROWS * MMS_BFLOAT_BLOCK, STRIP_POINTS = 2 * MMS_BFLOAT_ROWS };
  const int64_t in_chunk = i % MMS_KERNEL_PAD, in_strip = in_chunk % STRIP_POINTS;
  const uint16_t *strip = points->packed + i / MMS_KERNEL_PAD * mms_screen_chunk(points) +
                          in_chunk / STRIP_POINTS * points->blocks * 2 * TILE;
  const uint16_t *tile = strip + in_strip / MMS_BFLOAT_ROWS * TILE + 2 * (in_strip % MMS_BFLOAT_ROWS);
  for (int64_t k = 0; k < points->blocks; k++, tile += 2 * TILE, row += MMS_BFLOAT_BLOCK)
    for (int64_t p = 0; p < MMS_BFLOAT_BLOCK / 2; p++)
      memcpy(row + 2 * p, tile + 2 * p * MMS_BFLOAT_ROWS, 2 * sizeof *row);
}

static mms_status create_rows(mms_neighbours *self, const mms_team *team, mms_error *error) {
  mms_sift *sift = &self->sift;
  const int64_t n = self->training->count;
  mms_status status = mms_shared_create(&sift->memory, team, (size_t)(n * sift->stride) * sizeof(uint16_t),
                                        "the neighbours' rows of the training set", error);
  if (status != MMS_OK) return status;
  uint16_t *rows = mms_shared_data(sift->memory);
  if (mms_team_rank(team) == 0)
    for (int64_t i = 0; i < n; i++) unpack_row(&self->points, i, rows + i * sift->stride);
  mms_shared_publish(sift->memory);
  sift->half = rows;
  return MMS_OK;
}

mms_status mms_sift_create(mms_neighbours *self, const mms_team *team, mms_error *error) {
  mms_sift *sift = &self->sift;
  if (self->indexed || self->gram || self->columns) return MMS_OK; /* short rows; or every product is needed */
  const bool bfloat = self->points.blocks > 0;
  sift->stride = bfloat ? self->points.blocks * MMS_BFLOAT_BLOCK : self->points.stride;
  sift->width = (self->list + MMS_KERNEL_PAD - 1) / MMS_KERNEL_PAD * MMS_KERNEL_PAD;
  mms_status status = bfloat ? create_rows(self, team, error) : MMS_OK;
  sift->single = self->points.x;
  const int64_t lines = 1 + self->round;
  if (status == MMS_OK)
    status = mms_neighbours_allocate(self, &sift->queries, lines * sift->stride, sizeof(float), error);
  if (status == MMS_OK)
    status = mms_neighbours_allocate(self, &sift->products, lines * sift->width, sizeof(float), error);
  if (status == MMS_OK) status = mms_neighbours_allocate(self, &sift->found, FOUND, sizeof(mms_candidate), error);
  if (status == MMS_OK) status = mms_neighbours_allocate(self, &sift->marks, sift->width, sizeof(bool), error);
  if (status == MMS_OK) status = mms_neighbours_allocate(self, &sift->kept, self->stride, sizeof(int32_t), error);
  if (status == MMS_OK) status = mms_neighbours_allocate(self, &sift->names, self->stride, sizeof(int32_t), error);
  return mms_team_agree(team, status, error);
}

void mms_sift_free(mms_sift *sift) {
  mms_shared_free(&sift->memory);
  void *arrays[] = {sift->queries, sift->products, sift->found, sift->marks, sift->kept, sift->names};
  for (size_t i = 0; i < sizeof arrays / sizeof arrays[0]; i++) free(arrays[i]);
  *sift = (mms_sift){0};
}

/* --- one row -------------------------------------------------------------------------------- */

void mms_sift_noise(mms_neighbours *self, int64_t pairs) {
  mms_sift *sift = &self->sift;
  const int64_t d = self->training->dim;
  double most = 0.0;
  if (sift->stride == 0) return;
  for (int64_t j = 0; j < pairs; j++) {
    const float *noise = self->drawn_noise + j * d;
    memcpy(sift->queries + (1 + j) * sift->stride, noise, (size_t)d * sizeof *noise);
    most = fmax(most, self->kernels->square(noise, d));
  }
  sift->longest = sqrt(most) * (1.0 + 0x1p-40);
}

/* z', rounded, and its length. */
static double centre(const mms_neighbours *self, const double *z, float *out) {
  double square = 0.0;
  for (int64_t k = 0; k < self->training->dim; k++) {
    const double value = (z[k] - self->points.centre[k]) / self->points.scale;
    square += value * value;
    out[k] = fabs(value) < NEAR ? (float)value : 0.0F;
  }
  return sqrt(square);
}

void mms_sift_open(mms_neighbours *self, int64_t r) {
  const mms_sift *sift = &self->sift;
  const mms_screen_points *points = &self->points;
  const mms_scored_list *row = &self->lists[r];
  const mms_scored list = mms_neighbours_scored(self, r);
  const float size = mms_float_above(row->bound[0] + row->bound[1]), single = row->bound[2]; /* |q| <= |q − q̂| + |q̂| */
  memcpy(sift->queries, self->queries + r * self->training->dim, (size_t)self->training->dim * sizeof(float));
  for (int64_t first = 0; first < row->count; first += sift->width) {
    const int64_t rest = row->count - first, count = rest < sift->width ? rest : sift->width;
    self->kernels->listed_products(NULL, sift->half, sift->stride, list.point + first, count, sift->queries, 1,
                                   sift->products, sift->width);
    for (int64_t i = 0; i < count; i++) {
      const int32_t point = list.point[first + i];
      const float score = sift->products[i] - points->half[point];
      const float error = (size * points->off[point] + single) * (1.0F + 0x1p-20F);
      list.low[first + i] = fmaxf(list.low[first + i], mms_float_below(score - error));
      list.high[first + i] = fminf(list.high[first + i], mms_float_above(score + error));
    }
  }
}

/* Twice what a score of the list may be off by. The queries are not rounded to bfloat16, the points are; γ with its
 * terms as for the other products (screen_points.c); adding `lift` is two more roundings. */
static double bound(const mms_neighbours *self, double norm, double e, double beta, double lift) {
  const mms_screen_points *points = &self->points;
  const mms_screen_line line = {0.0, norm + e};
  double error = mms_screen_points_error(points, self->training->dim, norm, e, beta);
  if (points->blocks > 0) error += mms_screen_line_bound(points, &line);
  return 2.0 * error + 0x1p-21 * ((norm + e + 1.0) * points->radius + lift);
}

/* The list's a = z'·x' − |x'|²/2, with δ² log((n − K)/L)/S² added to those of the others. */
static void make_scores(mms_neighbours *self, double lift) {
  mms_sift *sift = &self->sift;
  float *a = sift->products;
  for (int64_t i = 0; i < self->list; i++)
    a[i] += (self->lifted[i] ? (float)lift : 0.0F) - self->points.half[self->points_of[i]];
  for (int64_t i = self->list; i < sift->width; i++) a[i] = -1e30F;
}

/* Marks what may have weight in one pair of draws. */
static void mark(mms_neighbours *self, const float *b, float beta, float margin) {
  mms_sift *sift = &self->sift;
  float top[2] = {-FLT_MAX, -FLT_MAX};
  for (int64_t first = 0; first < sift->width; first += CHUNK) {
    const int64_t rest = sift->width - first, width = rest < CHUNK ? rest : CHUNK;
    const int64_t found = self->kernels->screen(sift->products + first, b + first, beta, width, margin, top,
                                                (int32_t)first, 0, sift->found, FOUND);
    for (int64_t i = 0; i < found; i++) sift->marks[sift->found[i].point] = true;
  }
}

int64_t mms_sift_list(mms_neighbours *self, const mms_queries *q, int64_t row, int64_t pairs) {
  mms_sift *sift = &self->sift;
  if (sift->stride == 0) return self->list;
  if (sift->pause > 0) {
    sift->pause--;
    return self->list;
  }
  const double scale = self->points.scale, ratio = q->bandwidth / scale, beta = q->smoothing / scale;
  const double norm = centre(self, q->points + row * self->training->dim, sift->queries);
  const double e = beta * sift->longest, lift = self->l > 0 ? ratio * ratio * mms_neighbours_lift(self) : 0.0;
  const double margin = -MMS_KERNEL_CUT * ratio * ratio + bound(self, norm, e, beta, lift);
  if (!(norm < NEAR && e < NEAR && beta < NEAR && lift < NEAR && margin < NEAR)) return self->list;
  self->kernels->listed_products(sift->single, sift->half, sift->stride, self->points_of, self->list, sift->queries,
                                 1 + pairs, sift->products, sift->width);
  make_scores(self, lift);
  memset(sift->marks, 0, (size_t)sift->width * sizeof *sift->marks);
  for (int64_t j = 0; j < pairs; j++)
    mark(self, sift->products + (1 + j) * sift->width, (float)beta, mms_float_above((float)margin));
  int64_t kept = 0;
  for (int64_t i = 0; i < self->list; i++) {
    if (!sift->marks[i]) continue;
    sift->kept[kept] = (int32_t)i;
    sift->names[kept++] = self->points_of[i];
  }
  if (4 * kept > 3 * self->list) sift->pause = PAUSE;
  return kept;
}
