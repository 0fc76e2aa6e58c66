/* The softmax over K nearest and L others: the list, its logits in double, the draws. */
#include "field/neighbours.h"

#include "field/finish.h"
#include "field/noise.h"
#include "mmsold/base/memory.h"
#include "mmsold/base/sort.h"
#include "mmsold/linalg/dense.h"
#include <float.h>
#include <math.h>
#include <string.h>

enum {
  TILE_DOUBLES = 128 * 1024, /* a tile of y by row: 1 MiB */
  WIDTH_MOST = 2048,
  ROUND_DOUBLES = 1 << 18, /* of b */
  ROUND_LEAST = 16
};

static int64_t round_up(int64_t value, int64_t unit) { return (value + unit - 1) / unit * unit; }

/* Two ways to the same law of η_j = ε_j·(x_i − z), j = 1 … pairs, over m = K + L points (ALGORITHMS 4). In d
 * dimensions: pairs·d normals, and 2 pairs·d·m flops. Through a factor of the Gram matrix: 2 m² d flops for the matrix,
 * m³/3 for its factor, pairs·m normals and pairs·m² flops. A normal costs NORMAL flops of a product, a flop of the
 * factor FACTOR of them (measured: see tests/bench/README.md). Shared draws are shared in d dimensions, or they would
 * not be the same draws; with m > d there is nothing to gain. */
bool mms_neighbours_gram(const mms_score_options *score, int64_t dim, int64_t pairs) {
  const double NORMAL = 40.0, FACTOR = 6.0;
  double m = (double)(score->nearest + score->remainder), d = (double)dim, p = (double)pairs;
  if (score->sharing != MMS_SHARING_PARTICLE || m > d) return false;
  double plain = p * d * (2.0 * m + NORMAL);
  double factored = 2.0 * m * m * d + FACTOR * m * m * m / 3.0 + p * m * (m + NORMAL);
  return factored < plain;
}

mms_status mms_neighbours_finish_create(mms_neighbours *self, int64_t max_pairs, mms_error *error) {
  int64_t d = self->training->dim, m = self->list, vector = MMS_KERNEL_PAD_F64;
  self->columns = d <= MMS_FINISH_COLUMNS && !self->gram;
  self->stride = round_up(m, vector);
  int64_t most = self->columns ? WIDTH_MOST : TILE_DOUBLES / round_up(d, vector) / vector * vector;
  if (most < vector) most = vector;
  self->width = self->gram || self->stride < most ? self->stride : most;
  self->y_stride = self->columns ? self->width : round_up(d, vector);
  int64_t pairs = round_up(max_pairs > 0 ? max_pairs : 1, 4);
  self->round = ROUND_DOUBLES / self->stride / 4 * 4;
  if (self->round < ROUND_LEAST) self->round = ROUND_LEAST;
  if (self->round > pairs) self->round = pairs;
  int64_t tile = self->columns ? d * self->width : self->width * self->y_stride;
  struct {
    void *array;
    int64_t count;
    size_t size;
  } arrays[] = {{&self->chosen, m, sizeof(int64_t)},
                {&self->others, self->l, sizeof(int64_t)},
                {&self->subset_room, mms_random_subset_room(self->l), sizeof(int64_t)},
                {&self->points_of, self->stride, sizeof(int32_t)},
                {&self->lifted, self->stride, sizeof(bool)},
                {&self->x, self->columns ? tile : 0, sizeof(double)},
                {&self->y, tile, sizeof(double)},
                {&self->tile_c, self->width, sizeof(double)},
                {&self->drawn_noise, self->gram ? 0 : self->round * d, sizeof(float)},
                {&self->noise, self->columns || self->gram ? 0 : self->round * self->y_stride, sizeof(double)},
                {&self->product, self->round * (self->gram ? m : self->width), sizeof(double)},
                {&self->c, self->stride, sizeof(double)},
                {&self->b, self->round * self->stride, sizeof(double)},
                {&self->plus, self->stride, sizeof(double)},
                {&self->minus, self->stride, sizeof(double)},
                {&self->w, self->stride, sizeof(double)},
                {&self->factor, self->gram ? m * m : 0, sizeof(double)},
                {&self->factor_work, self->gram ? 2 * m : 0, sizeof(double)},
                {&self->pivots, self->gram ? m : 0, sizeof(int)}};
  mms_status status = MMS_OK;
  for (size_t i = 0; status == MMS_OK && i < sizeof arrays / sizeof arrays[0]; i++)
    status = mms_neighbours_allocate(self, arrays[i].array, arrays[i].count, arrays[i].size, error);
  return status;
}

/* --- the list ----------------------------------------------------------------------------- */

/* L of the n − K points that are not among the nearest, uniformly without replacement: a subset of their ranks, of
 * which rank r is training point r + (number of nearest points before it). Both lists ascend, so that one walk merges
 * them. */
void mms_neighbours_list(mms_neighbours *self, const mms_queries *q, int64_t row) {
  int64_t *nearest = self->chosen, k = self->k, n = self->training->count, passed = 0, count = 0;
  memcpy(nearest, self->nearest.index, (size_t)k * sizeof *nearest);
  mms_sort_int64(nearest, k);
  if (!self->drawn && self->l > 0)
    mms_random_subset_in(mms_noise_key(q, row, MMS_STREAM_REMAINDER), n - k, self->l, self->others, self->subset_room);
  for (int64_t i = 0; i < self->l; i++) {
    for (; passed < k && nearest[passed] - passed <= self->others[i]; passed++) {
      self->lifted[count] = false;
      self->points_of[count++] = (int32_t)nearest[passed];
    }
    self->lifted[count] = true;
    self->points_of[count++] = (int32_t)(self->others[i] + passed);
  }
  for (; passed < k; passed++) {
    self->lifted[count] = false;
    self->points_of[count++] = (int32_t)nearest[passed];
  }
}

/* --- logits ------------------------------------------------------------------------------- */

/* One tile of the list, or of what is kept of it: y = x − z, c = −|y|²/2. */
static void load(mms_neighbours *self, const double *z, const int32_t *index, int64_t count, int64_t width) {
  const mms_training *training = self->training;
  if (self->columns)
    self->kernels->load_columns(training->points, training->dim, index, 0, count, width, self->y_stride, z, self->x,
                                self->y, self->tile_c);
  else
    self->kernels->load_rows(training->points, training->dim, index, 0, count, width, self->y_stride, z, self->y,
                             self->tile_c);
}

/* ε of this round; by row also as doubles (filled up with zeros, which nobody writes over). */
static void take_noise(mms_neighbours *self, const mms_queries *q, int64_t row, int64_t first, int64_t pairs) {
  int64_t d = self->training->dim;
  if (q->pairs > 0)
    mms_noise_draw(q, row, first, pairs, d, self->drawn_noise);
  else
    memset(self->drawn_noise, 0, (size_t)(pairs * d) * sizeof(float));
  mms_sift_noise(self, pairs);
  if (self->columns) return;
  for (int64_t j = 0; j < pairs; j++)
    for (int64_t k = 0; k < d; k++) self->noise[j * self->y_stride + k] = (double)self->drawn_noise[j * d + k];
}

/* b_ji = ε_j·(x_i − z) of one tile, each by itself: the same double wherever the point stands in a list. */
static void multiply(mms_neighbours *self, int64_t first, int64_t width, int64_t pairs) {
  int64_t d = self->training->dim;
  if (self->columns) {
    for (int64_t j = 0; j < pairs; j++)
      self->kernels->product_columns(self->y, d, self->y_stride, width, self->drawn_noise + j * d,
                                     self->b + j * self->stride + first);
    return;
  }
  self->kernels->product_rows(self->y, self->y_stride, width, self->noise, pairs, self->product);
  for (int64_t j = 0; j < pairs; j++)
    memcpy(self->b + j * self->stride + first, self->product + j * width, (size_t)width * sizeof(double));
}

/* c of the whole list where `loads`, and b of one round of draws. */
static void make_logits(mms_neighbours *self, const mms_queries *q, int64_t row, int64_t pairs, bool loads) {
  for (int64_t first = 0; first < self->stride; first += self->width) {
    int64_t rest = self->list - first, count = rest < self->width ? rest : self->width;
    int64_t width = round_up(count, MMS_KERNEL_PAD_F64);
    if (loads || self->width < self->stride)
      load(self, q->points + row * self->training->dim, self->points_of + first, count, width);
    if (loads) memcpy(self->c + first, self->tile_c, (size_t)width * sizeof(double));
    multiply(self, first, width, pairs);
  }
}

/* The same where all draws are of one round and all weight is with `kept` points of the list: they stay in their
 * places, so that sums over the list are in the same order; the others are as far away as padding. */
static void make_few_logits(mms_neighbours *self, const mms_queries *q, int64_t row, int64_t pairs, int64_t kept) {
  const int64_t width = round_up(kept, MMS_KERNEL_PAD_F64);
  const int32_t *at = self->sift.kept;
  load(self, q->points + row * self->training->dim, self->sift.names, kept, width);
  self->kernels->product_rows(self->y, self->y_stride, width, self->noise, pairs, self->product);
  memset(self->b, 0, (size_t)(pairs * self->stride) * sizeof(double));
  for (int64_t i = 0; i < self->stride; i++) self->c[i] = -DBL_MAX;
  for (int64_t i = 0; i < kept; i++) self->c[at[i]] = self->tile_c[i];
  for (int64_t j = 0; j < pairs; j++)
    for (int64_t i = 0; i < kept; i++) self->b[j * self->stride + at[i]] = self->product[j * width + i];
}

/* The same with η_j = L ζ_j, L Lᵀ = Y Yᵀ: the factor is taken with pivots, and what is left below rounding is zero. */
static void make_factor(mms_neighbours *self) {
  int64_t m = self->list;
  mms_dense_multiply(false, true, m, m, self->y_stride, 1.0, self->y, self->y, 0.0, self->factor);
  mms_dense_cholesky_semidefinite(m, self->factor, self->pivots, self->factor_work);
}

static void draw_factored(mms_neighbours *self, const mms_queries *q, int64_t row, int64_t first, int64_t pairs) {
  int64_t m = self->list;
  mms_random_normals(mms_noise_key(q, row, MMS_STREAM_SMOOTHING), first * m, pairs * m, self->product);
  mms_dense_triangle_right(true, false, pairs, m, self->factor, self->product);
  for (int64_t j = 0; j < pairs; j++) {
    double *b = self->b + j * self->stride;
    for (int64_t i = 0; i < m; i++) b[self->pivots[i]] = self->product[j * m + i];
    for (int64_t i = m; i < self->stride; i++) b[i] = 0.0;
  }
}

/* --- the softmax -------------------------------------------------------------------------- */

double mms_neighbours_lift(const mms_neighbours *self) {
  return log((double)(self->training->count - self->k) / (double)self->l);
}

/* δ² log((n − K)/L) onto c of the others. */
static void lift(mms_neighbours *self, double bandwidth) {
  const double by = self->l > 0 ? bandwidth * bandwidth * mms_neighbours_lift(self) : 0.0;
  for (int64_t i = 0; i < self->list; i++)
    if (self->lifted[i]) self->c[i] += by;
}

/* The point of the largest weight, about which sums are taken. */
static int64_t heaviest(const mms_neighbours *self) {
  int64_t best = 0;
  for (int64_t i = 1; i < self->list; i++)
    if (self->w[i] > self->w[best]) best = i;
  return self->points_of[best];
}

void mms_neighbours_finish(mms_neighbours *self, const mms_queries *q, int64_t row, mms_pull pull, double *out,
                           double *log_mass) {
  mms_neighbours_list(self, q, row);
  mms_neighbours_average(self, q, row, pull, out, log_mass);
}

void mms_neighbours_average(mms_neighbours *self, const mms_queries *q, int64_t row, mms_pull pull, double *out,
                            double *log_mass) {
  const mms_training *training = self->training;
  int64_t d = training->dim, all = q->pairs > 0 ? q->pairs : 1;
  const double *z = q->points + row * d;
  double inverse = 1.0 / (q->bandwidth * q->bandwidth), share = 0.5 / (double)all, mass = 1.0, tops = 0.0, total = 0.0;
  bool factored = self->gram && q->pairs > 0, shared = q->sharing != MMS_SHARING_PARTICLE;
  memset(self->w, 0, (size_t)self->stride * sizeof(double));
  for (int64_t first = 0; first < all; first += self->round) {
    int64_t pairs = all - first < self->round ? all - first : self->round;
    if (self->gram) {
      if (first == 0) load(self, z, self->points_of, self->list, self->stride);
      if (first == 0) memcpy(self->c, self->tile_c, (size_t)self->stride * sizeof(double));
      if (factored && first == 0) make_factor(self);
      if (factored) draw_factored(self, q, row, first, pairs);
      if (!factored) memset(self->b, 0, (size_t)self->stride * sizeof(double));
    } else {
      if (!self->drawn || all > self->round) take_noise(self, q, row, first, pairs);
      const int64_t kept = pairs == all ? mms_sift_list(self, q, row, pairs) : self->list;
      if (kept < self->list && kept <= self->width)
        make_few_logits(self, q, row, pairs, kept);
      else
        make_logits(self, q, row, pairs, first == 0);
    }
    if (first == 0) lift(self, q->bandwidth);
    for (int64_t j = 0; j < pairs; j++) { /* one logarithm for many draws: each factor is between 1 and (K + L)² */
      mass *= self->kernels->softmax_pair(self->c, self->b + j * self->stride, q->smoothing, inverse, share,
                                          self->stride, self->plus, self->minus, self->w, &tops);
      if (mass > 1e200) total += share * log(mass), mass = 1.0;
    }
  }
  self->drawn = shared;
  *log_mass = total + share * (inverse * tops + log(mass));
  memset(out, 0, (size_t)d * sizeof(double));
  const double *x = training->points + heaviest(self) * d;
  self->kernels->gather_rows(training->points, d, self->points_of, 0, self->list, self->w, x, out);
  for (int64_t k = 0; k < d; k++) out[k] += pull == MMS_PULL_MEAN ? x[k] : x[k] - z[k];
}
