#include "field/finish.h"

#include "mmsold/base/memory.h"
#include <cblas.h>
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
  PAIRS = MMS_FINISH_PAIRS,  /* pairs worked on together */
  WIDTH_MOST = 2048,         /* points of a tile: 16 rows of b are 256 KiB, half of a small L2 */
  TILE_DOUBLES = 128 * 1024, /* a tile of y by row: 1 MiB */
  WIDTH_LEAST = 64,          /* so that a tile in high dimension still fills a product */
  PRODUCT_FROM = 8,          /* points from which DGEMM beats the plain product (d = 104: 0.6 against 1.0 us) */
  PRODUCT_DIM = 16,          /* up to here it never does (d = 9 to 16, 100 points: 6 us of 34 a row) */
  PRODUCT_POINTS =
      64 /* points of one DGEMM: OpenBLAS takes twice as long a point from 96 on, where it begins to pack */
};

struct mms_finish {
  const mms_training *training;
  const mms_field_kernel_table *kernels;
  bool columns;
  int64_t width, stride; /* points of a tile; doubles from one coordinate (by column) or point (by row) to the next */
  double *x, *y, *c;     /* x only by column */
  double *b, *plus, *minus, *w; /* b: [PAIRS][width] */
  double *noise;                /* [PAIRS][stride], by row only */
};

/* One tile of the list. */
typedef struct tile {
  const double *points; /* of which these are listed, from `first` on where there is no index; the first is `start` */
  const int32_t *index;
  int64_t first, count, width, start;
} tile;

static int64_t round_up(int64_t value, int64_t unit) { return (value + unit - 1) / unit * unit; }

mms_status mms_finish_create(mms_finish **finish, const mms_training *training, const mms_field_kernel_table *kernels,
                             mms_error *error) {
  mms_status status = mms_allocate((void **)finish, 1, sizeof(mms_finish), "the field's finish", error);
  if (status != MMS_OK) return status;
  mms_finish *self = *finish;
  int64_t d = training->dim, n = round_up(training->count, MMS_KERNEL_PAD_F64);
  self->training = training;
  self->kernels = kernels;
  self->columns = d <= MMS_FINISH_COLUMNS;
  int64_t most = self->columns ? WIDTH_MOST : TILE_DOUBLES / round_up(d, MMS_KERNEL_PAD_F64);
  most = most > WIDTH_MOST ? WIDTH_MOST : most < WIDTH_LEAST ? WIDTH_LEAST : most / 8 * 8;
  self->width = n < most ? n : most;
  self->stride = self->columns ? self->width : round_up(d, MMS_KERNEL_PAD_F64);
  struct {
    double **array;
    int64_t count;
  } arrays[] = {{&self->x, self->columns ? d * self->stride : 0},
                {&self->y, self->columns ? d * self->stride : self->width * self->stride},
                {&self->c, self->width},
                {&self->b, PAIRS * self->width},
                {&self->plus, self->width},
                {&self->minus, self->width},
                {&self->w, self->width},
                {&self->noise, self->columns ? 0 : PAIRS * self->stride}};
  for (size_t i = 0; status == MMS_OK && i < sizeof arrays / sizeof arrays[0]; i++)
    status = mms_allocate_doubles(arrays[i].array, arrays[i].count, "a tile of the field's finish", error);
  if (status != MMS_OK) mms_finish_free(finish);
  return status;
}

void mms_finish_free(mms_finish **finish) {
  mms_finish *self = *finish;
  if (self == NULL) return;
  double *arrays[] = {self->x, self->y, self->c, self->b, self->plus, self->minus, self->w, self->noise};
  for (size_t i = 0; i < sizeof arrays / sizeof arrays[0]; i++) free(arrays[i]);
  free(self);
  *finish = NULL;
}

int64_t mms_finish_bytes(const mms_finish *self) {
  int64_t tiles = self->columns ? 2 * self->training->dim * self->stride : (self->width + PAIRS) * self->stride;
  return (tiles + (PAIRS + 4) * self->width) * (int64_t)sizeof(double);
}

mms_finish_row mms_finish_begin(const double *z, double *sum, int64_t dim) {
  memset(sum, 0, (size_t)dim * sizeof(double));
  return (mms_finish_row){.z = z, .sum = sum, .base = -1};
}

static tile make_tile(const mms_finish *self, const int32_t *index, int64_t first, int64_t count) {
  int64_t rest = count - first;
  tile t = {.points = self->training->points, .index = index == NULL ? NULL : index + first, .first = first};
  t.count = rest < self->width ? rest : self->width;
  t.width = round_up(t.count, MMS_KERNEL_PAD_F64);
  return t;
}

static void load(mms_finish *self, const mms_finish_row *row, const tile *t) {
  int64_t d = self->training->dim;
  if (self->columns)
    self->kernels->load_columns(t->points, d, t->index, t->first, t->count, t->width, self->stride, row->z, self->x,
                                self->y, self->c);
  else
    self->kernels->load_rows(t->points, d, t->index, t->first, t->count, t->width, self->stride, row->z, self->y,
                             self->c);
}

/* Pairs of this round into doubles, by row only. */
static void take_noise(mms_finish *self, const float *noise, int64_t pairs) {
  int64_t d = self->training->dim;
  if (self->columns) return;
  for (int64_t j = 0; j < pairs; j++)
    for (int64_t k = 0; k < d; k++) self->noise[j * self->stride + k] = (double)noise[j * d + k];
}

/* b [pairs][t->width] = ε_j·(x_i − z). */
static void product(mms_finish *self, const float *noise, int64_t pairs, const tile *t) {
  int64_t d = self->training->dim;
  if (self->columns)
    for (int64_t j = 0; j < pairs; j++)
      self->kernels->product_columns(self->y, d, self->stride, t->width, noise + j * d, self->b + j * t->width);
  else if (t->count < PRODUCT_FROM || self->stride <= PRODUCT_DIM)
    self->kernels->product_rows(self->y, self->stride, t->width, self->noise, pairs, self->b);
  else
    for (int64_t i = 0; i < t->width; i += PRODUCT_POINTS)
      cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (int)pairs,
                  (int)(t->width - i < PRODUCT_POINTS ? t->width - i : PRODUCT_POINTS), (int)self->stride, 1.0,
                  self->noise, (int)self->stride, self->y + i * self->stride, (int)self->stride, 0.0, self->b + i,
                  (int)t->width);
}

static void set_base(const mms_finish *self, mms_finish_row *row, const tile *t, int64_t i) {
  int64_t at = t->index == NULL ? t->first + i : t->index[i];
  row->base = t->start + at;
  row->origin = t->points + at * self->training->dim;
}

/* The point of the tile that is nearest to the query: sums are taken about it, so that a mean that is one point is
 * that point to the bit, and one near a point keeps all its digits. */
static void choose_base(const mms_finish *self, mms_finish_row *row, const tile *t, double *nearest) {
  int64_t best = -1;
  for (int64_t i = 0; i < t->count; i++)
    if (best < 0 ? self->c[i] > *nearest : self->c[i] > self->c[best]) best = i;
  if (best < 0) {
    if (row->base < 0) set_base(self, row, t, 0); /* not finite: reported by the caller */
    return;
  }
  *nearest = self->c[best];
  set_base(self, row, t, best);
}

static void gather(mms_finish *self, mms_finish_row *row, const tile *t) {
  int64_t d = self->training->dim;
  if (self->columns)
    self->kernels->gather_columns(self->x, d, self->stride, t->width, self->w, row->origin, row->sum);
  else
    self->kernels->gather_rows(t->points, d, t->index, t->first, t->count, self->w, row->origin, row->sum);
}

/* One point alone, which is most rows where the bandwidth is small: its weight is 1 in every draw and its logit is the
 * largest. The same bits as below, which would work on a vector of points. */
static void add_one_point(mms_finish *self, mms_finish_row *row, const mms_finish_scale *scale, const float *noise,
                          int64_t pairs, tile t) {
  const int64_t d = self->training->dim;
  double inverse = 1.0 / (scale->bandwidth * scale->bandwidth), nearest = -INFINITY, tops = 0.0;
  t.width = 1;
  load(self, row, &t);
  if (row->base < 0) choose_base(self, row, &t, &nearest);
  self->w[0] = 0.0;
  for (int64_t first = 0; first < pairs; first += PAIRS) {
    int64_t now = pairs - first < PAIRS ? pairs - first : PAIRS;
    self->kernels->product_of_one_point(self->y, d, noise + first * d, now, self->b);
    tops = self->kernels->tops_of_one(self->c[0], self->b, scale->smoothing, now, tops);
    for (int64_t j = 0; j < 2 * now; j++) self->w[0] += scale->share;
  }
  row->log_mass += scale->share * (inverse * tops);
  gather(self, row, &t);
}

/* The whole list fits one tile: logits are made once. W_i is averaged over the draws before it meets x_i. */
static void add_one_tile(mms_finish *self, mms_finish_row *row, const mms_finish_scale *scale, const float *noise,
                         int64_t pairs, const tile *t) {
  const mms_field_kernel_table *kernels = self->kernels;
  double inverse = 1.0 / (scale->bandwidth * scale->bandwidth), mass = 1.0, nearest = -INFINITY, tops = 0.0;
  load(self, row, t);
  if (row->base < 0) choose_base(self, row, t, &nearest);
  memset(self->w, 0, (size_t)t->width * sizeof(double));
  for (int64_t first = 0; first < pairs; first += PAIRS) {
    int64_t now = pairs - first < PAIRS ? pairs - first : PAIRS;
    const float *here = noise + first * self->training->dim;
    take_noise(self, here, now);
    product(self, here, now, t);
    for (int64_t j = 0; j < now; j++) {
      /* one logarithm for many draws: each factor is between 1 and n² */
      mass *= kernels->softmax_pair(self->c, self->b + j * t->width, scale->smoothing, inverse, scale->share, t->width,
                                    self->plus, self->minus, self->w, &tops);
      if (mass > 1e200) row->log_mass += scale->share * log(mass), mass = 1.0;
    }
  }
  row->log_mass += scale->share * (inverse * tops + log(mass));
  gather(self, row, t);
}

/* More points than a tile holds: a first pass finds every draw's largest logit and its mass (online softmax), a second
 * makes the logits again and adds the weighted points. */

void mms_finish_wide_begin(mms_finish_wide *wide, const mms_finish_row *row) {
  *wide = (mms_finish_wide){.nearest = -INFINITY, .settled = row->base >= 0};
  for (int64_t j = 0; j < 2 * PAIRS; j++) wide->tops[j] = -DBL_MAX;
}

static void mass_of_tile(mms_finish *self, mms_finish_row *row, const mms_finish_scale *scale, const float *noise,
                         int64_t pairs, const tile *t, mms_finish_wide *wide) {
  const mms_field_kernel_table *kernels = self->kernels;
  double inverse = 1.0 / (scale->bandwidth * scale->bandwidth);
  load(self, row, t);
  if (!wide->settled) choose_base(self, row, t, &wide->nearest);
  product(self, noise, pairs, t);
  for (int64_t j = 0; j < pairs; j++) {
    const double *b = self->b + j * t->width;
    double top[2], sum[2], *seen = wide->tops + 2 * j;
    kernels->largest(self->c, b, scale->smoothing, t->width, top);
    for (int s = 0; s < 2; s++) top[s] = top[s] > seen[s] ? top[s] : seen[s];
    kernels->exponentials(self->c, b, scale->smoothing, inverse, t->width, top, self->plus, self->minus, sum);
    for (int s = 0; s < 2; s++) {
      wide->sums[2 * j + s] = wide->sums[2 * j + s] * exp((seen[s] - top[s]) * inverse) + sum[s];
      seen[s] = top[s];
    }
  }
}

static void weigh_tile(mms_finish *self, mms_finish_row *row, const mms_finish_scale *scale, const float *noise,
                       int64_t pairs, const tile *t, const mms_finish_wide *wide) {
  double inverse = 1.0 / (scale->bandwidth * scale->bandwidth);
  load(self, row, t);
  product(self, noise, pairs, t);
  memset(self->w, 0, (size_t)t->width * sizeof(double));
  for (int64_t j = 0; j < pairs; j++) {
    double sum[2], f[2] = {scale->share / wide->sums[2 * j], scale->share / wide->sums[2 * j + 1]};
    self->kernels->exponentials(self->c, self->b + j * t->width, scale->smoothing, inverse, t->width,
                                wide->tops + 2 * j, self->plus, self->minus, sum);
    self->kernels->weights(self->plus, self->minus, f, t->width, self->w);
  }
  gather(self, row, t);
}

void mms_finish_wide_end(mms_finish_row *row, const mms_finish_scale *scale, int64_t pairs,
                         const mms_finish_wide *wide) {
  double inverse = 1.0 / (scale->bandwidth * scale->bandwidth);
  for (int64_t j = 0; j < 2 * pairs; j++)
    row->log_mass += scale->share * (inverse * wide->tops[j] + log(wide->sums[j]));
}

static void add_tiles(mms_finish *self, mms_finish_row *row, const mms_finish_scale *scale, const float *noise,
                      int64_t pairs, const int32_t *index, int64_t count) {
  mms_finish_wide wide;
  mms_finish_wide_begin(&wide, row);
  take_noise(self, noise, pairs);
  for (int pass = 0; pass < 2; pass++)
    for (int64_t first = 0; first < count; first += self->width) {
      tile t = make_tile(self, index, first, count);
      if (pass == 0)
        mass_of_tile(self, row, scale, noise, pairs, &t, &wide);
      else
        weigh_tile(self, row, scale, noise, pairs, &t, &wide);
    }
  mms_finish_wide_end(row, scale, pairs, &wide);
}

int64_t mms_finish_width(const mms_finish *self) { return self->width; }

/* A tile that came by itself: `points` begins with point `first` of all. */
static tile tile_of(const double *points, int64_t first, int64_t count) {
  return (tile){.points = points, .count = count, .width = round_up(count, MMS_KERNEL_PAD_F64), .start = first};
}

void mms_finish_wide_mass(mms_finish *self, mms_finish_row *row, const mms_finish_scale *scale, const float *noise,
                          int64_t pairs, const double *points, int64_t first, int64_t count, mms_finish_wide *wide) {
  tile t = tile_of(points, first, count);
  take_noise(self, noise, pairs);
  mass_of_tile(self, row, scale, noise, pairs, &t, wide);
}

void mms_finish_wide_weigh(mms_finish *self, mms_finish_row *row, const mms_finish_scale *scale, const float *noise,
                           int64_t pairs, const double *points, int64_t first, int64_t count,
                           const mms_finish_wide *wide) {
  tile t = tile_of(points, first, count);
  take_noise(self, noise, pairs);
  weigh_tile(self, row, scale, noise, pairs, &t, wide);
}

void mms_finish_add(mms_finish *self, mms_finish_row *row, const mms_finish_scale *scale, const float *noise,
                    int64_t pairs, const int32_t *index, int64_t count) {
  if (count <= self->width) {
    tile t = make_tile(self, index, 0, count);
    if (count == 1 && !self->columns)
      add_one_point(self, row, scale, noise, pairs, t);
    else
      add_one_tile(self, row, scale, noise, pairs, &t);
    return;
  }
  for (int64_t first = 0; first < pairs; first += PAIRS)
    add_tiles(self, row, scale, noise + first * self->training->dim, pairs - first < PAIRS ? pairs - first : PAIRS,
              index, count);
}
