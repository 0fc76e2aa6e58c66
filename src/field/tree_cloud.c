#include "field/tree_cloud.h"

#include "mmsold/base/memory.h"
#include <float.h>
#include <math.h>
#include <stdlib.h>

/* The rule. A logit's cross term κ g·u, u within a leaf, is rounded by 2^-24 of itself in single precision: that stays
 * below a few 1e-7 where there is weight, |g| some δ, while a leaf's radius is at most SINGLE δ; beyond that logits are
 * made in double, up to LEAF δ, where the search has few points to look at and is faster. The factors of the draws lie
 * in [2^-D, 1], D found from the draws; those of the row in [0, 2^46], being relative to the nearest point, which is at
 * most FAR δ away (κ FAR²δ²/2 = 46), and 1 for that point: every draw's mass is at least 2^-D, and what is left out,
 * below 2^-(D + 36 + log2 n) for each point, adds up to 2^-36 of it. Floats go down to 2^-120 here: D <= 84 − log2 n.
 */
static const double SINGLE = 2.0, LEAF = 8.0, FAR = 8.0, RANGE = 120.0, REST = 36.0;
enum { LEAVES_LEAST = 4, LEAVES_MOST = 4096 };

struct mms_tree_cloud {
  const mms_tree_index *index;
  const mms_field_kernel_table *kernels;
  int64_t dim, padded; /* leaves, rounded up to vectors */
  double leaf;         /* the largest |x − middle of its leaf| */
  double bits;         /* log2 n */
  double *centres;     /* [dim][padded]; infinity beyond */
  float *u, *half, *noise;
  mms_cloud_points points;
  mms_cloud_row rows[MMS_CLOUD_ROWS];
  double *slots; /* leaf, level, gap of each row */
  float *weights;
  double *squares; /* [padded] */
  double *tops;    /* C_j: the largest κ s_j·(x_i − centre): [draws] */
  double *sums;    /* [ROWS][draws] */
  float *shares;   /* [ROWS][draws] */
  double cut;      /* of this batch: D + REST + log2 n */
  double away;     /* the largest |s_j| */
  bool ready;
  double bandwidth; /* that the factors were made for */
  int64_t bytes;
};

void mms_tree_cloud_free(mms_tree_cloud **cloud) {
  mms_tree_cloud *self = *cloud;
  if (self == NULL) return;
  void *arrays[] = {self->centres, self->u,       self->half, self->noise, self->slots,
                    self->weights, self->squares, self->tops, self->sums,  self->shares};
  for (size_t i = 0; i < sizeof arrays / sizeof arrays[0]; i++) free(arrays[i]);
  free(self);
  *cloud = NULL;
}

int64_t mms_tree_cloud_bytes(const mms_tree_cloud *cloud) { return cloud == NULL ? 0 : cloud->bytes; }

static mms_status allocate(mms_tree_cloud *self, int64_t draws, mms_error *error) {
  int64_t d = self->dim, slots = self->padded + MMS_KERNEL_PAD_F64, points = self->padded * MMS_TREE_LEAF;
  struct {
    void **array;
    int64_t count;
    size_t size;
  } arrays[] = {{(void **)&self->centres, d * self->padded, sizeof(double)},
                {(void **)&self->u, d * points, sizeof(float)},
                {(void **)&self->half, points, sizeof(float)},
                {(void **)&self->noise, draws * points, sizeof(float)},
                {(void **)&self->slots, MMS_CLOUD_ROWS * (d + 2) * slots, sizeof(double)},
                {(void **)&self->weights, MMS_CLOUD_ROWS * points, sizeof(float)},
                {(void **)&self->squares, self->padded, sizeof(double)},
                {(void **)&self->tops, draws, sizeof(double)},
                {(void **)&self->sums, MMS_CLOUD_ROWS * draws, sizeof(double)},
                {(void **)&self->shares, MMS_CLOUD_ROWS * draws, sizeof(float)}};
  mms_status status = MMS_OK;
  for (size_t i = 0; status == MMS_OK && i < sizeof arrays / sizeof arrays[0]; i++) {
    status = mms_allocate(arrays[i].array, arrays[i].count, arrays[i].size, "the field's shared draws", error);
    self->bytes += arrays[i].count * (int64_t)arrays[i].size;
  }
  for (int64_t r = 0; status == MMS_OK && r < MMS_CLOUD_ROWS; r++) {
    double *here = self->slots + r * (d + 2) * slots;
    self->rows[r] = (mms_cloud_row){.stride = slots, .leaf = here, .level = here + slots, .gap = here + 2 * slots};
    self->rows[r].weights = self->weights + r * points;
    self->rows[r].sums = self->sums + r * draws;
    self->rows[r].shares = self->shares + r * draws;
  }
  return status;
}

/* Points about the middle of their leaf's box; padding lies at the middle. */
static void fill(mms_tree_cloud *self) {
  int64_t d = self->dim, leaves = self->index->leaves;
  double most = 0.0;
  for (int64_t i = 0; i < d * self->padded; i++) self->centres[i] = INFINITY;
  for (int64_t leaf = 0; leaf < leaves; leaf++) {
    const double *x = mms_tree_leaf(self->index, leaf);
    double square[MMS_TREE_LEAF] = {0.0};
    for (int64_t k = 0; k < d; k++) {
      double low = INFINITY, high = -INFINITY;
      for (int i = 0; i < MMS_TREE_LEAF; i++) {
        double value = x[k * MMS_TREE_LEAF + i];
        if (isinf(value)) continue;
        low = value < low ? value : low;
        high = value > high ? value : high;
      }
      double middle = self->centres[k * self->padded + leaf] = 0.5 * low + 0.5 * high;
      for (int i = 0; i < MMS_TREE_LEAF; i++) {
        double u = isinf(x[k * MMS_TREE_LEAF + i]) ? 0.0 : x[k * MMS_TREE_LEAF + i] - middle;
        self->u[(leaf * d + k) * MMS_TREE_LEAF + i] = (float)u;
        square[i] += u * u;
      }
    }
    for (int i = 0; i < MMS_TREE_LEAF; i++) {
      self->half[leaf * MMS_TREE_LEAF + i] = (float)(0.5 * square[i]);
      most = square[i] > most ? square[i] : most;
    }
  }
  self->leaf = sqrt(most);
}

mms_status mms_tree_cloud_create(mms_tree_cloud **cloud, const mms_tree *tree, mms_error *error) {
  *cloud = NULL;
  int64_t leaves = tree->index.leaves;
  if (leaves < LEAVES_LEAST || leaves > LEAVES_MOST || tree->max_pairs < 1 || tree->index.scale > 1e15 ||
      tree->index.scale < 1e-15)
    return MMS_OK; /* what is squared in single precision stays a normal number */
  mms_status status = mms_allocate((void **)cloud, 1, sizeof(mms_tree_cloud), "the field's shared draws", error);
  if (status != MMS_OK) return status;
  mms_tree_cloud *self = *cloud;
  self->index = &tree->index;
  self->kernels = tree->kernels;
  self->dim = tree->index.dim;
  self->padded = (leaves + MMS_KERNEL_PAD_F64 - 1) / MMS_KERNEL_PAD_F64 * MMS_KERNEL_PAD_F64;
  self->bits = log2((double)tree->count);
  int64_t draws = 2 * (tree->max_pairs < MMS_TREE_PAIRS ? tree->max_pairs : MMS_TREE_PAIRS);
  status = allocate(self, draws, error);
  if (status != MMS_OK) {
    mms_tree_cloud_free(cloud);
    return status;
  }
  self->points = (mms_cloud_points){.u = self->u, .half = self->half, .noise = self->noise};
  fill(self);
  return MMS_OK;
}

/* κ s_j·(x_i − centre) */
static double factor(const mms_tree_cloud *self, const mms_tree_draws *draws, const double *shifts, int64_t j,
                     const double *leaf, int64_t i) {
  const double *s = shifts + j / MMS_TREE_LANES * (self->dim + 1) * MMS_TREE_LANES + j % MMS_TREE_LANES;
  double sum = 0.0;
  for (int64_t k = 0; k < self->dim; k++)
    sum += s[k * MMS_TREE_LANES] * (leaf[k * MMS_TREE_LEAF + i] - self->index->centre[k]);
  return draws->scale * sum;
}

/* The largest factor of each draw, and D: the largest range of any. */
static double ranges(mms_tree_cloud *self, const mms_tree_draws *draws, const double *shifts) {
  double most = 0.0;
  for (int64_t j = 0; j < draws->count; j++) {
    double low = INFINITY, high = -INFINITY;
    for (int64_t leaf = 0; leaf < self->index->leaves; leaf++) {
      const double *x = mms_tree_leaf(self->index, leaf);
      for (int64_t i = 0; i < MMS_TREE_LEAF && !isinf(x[i]); i++) {
        double t = factor(self, draws, shifts, j, x, i);
        low = t < low ? t : low;
        high = t > high ? t : high;
      }
    }
    self->tops[j] = high;
    most = !(high - low <= most) ? high - low : most;
  }
  return most;
}

static void make_factors(mms_tree_cloud *self, const mms_tree_draws *draws, const double *shifts) {
  for (int64_t leaf = 0; leaf < self->index->leaves; leaf++)
    for (int64_t j = 0; j < draws->count; j++) {
      const double *x = mms_tree_leaf(self->index, leaf);
      float *out = self->noise + (leaf * draws->count + j) * MMS_TREE_LEAF;
      for (int64_t i = 0; i < MMS_TREE_LEAF; i++)
        out[i] = isinf(x[i]) ? 0.0F : (float)exp2(factor(self, draws, shifts, j, x, i) - self->tops[j]);
    }
}

bool mms_tree_cloud_ready(mms_tree_cloud *self, const mms_queries *queries, const mms_tree_draws *draws,
                          const double *shifts, bool again) {
  if (!again) self->bandwidth = 0.0;
  if (queries->pairs < 1 || queries->pairs > MMS_TREE_PAIRS || queries->sharing == MMS_SHARING_PARTICLE ||
      !(self->leaf <= LEAF * queries->bandwidth) || !(draws->scale > 1e-30))
    return false;
  if (self->bandwidth == queries->bandwidth) return self->ready;
  double range = ranges(self, draws, shifts);
  self->bandwidth = queries->bandwidth;
  self->cut = range + REST + self->bits;
  self->away = 0.0;
  for (int64_t g = 0; g < draws->groups; g++)
    for (int64_t l = 0; l < MMS_TREE_LANES; l++) {
      double s = shifts[(g * (self->dim + 1) + self->dim) * MMS_TREE_LANES + l];
      self->away = s > self->away ? s : self->away;
    }
  self->ready = self->cut <= RANGE;
  self->points.draws = draws->count;
  if (self->ready) make_factors(self, draws, shifts);
  return self->ready;
}

/* |q − x|² of the leaf's nearest point. */
static double nearest(const double *leaf, int64_t dim, const double *z) {
  double squares[MMS_TREE_LEAF] = {0.0}, least = INFINITY;
  for (int64_t k = 0; k < dim; k++)
    for (int i = 0; i < MMS_TREE_LEAF; i++) {
      double y = leaf[k * MMS_TREE_LEAF + i] - z[k];
      squares[i] += y * y;
    }
  for (int i = 0; i < MMS_TREE_LEAF; i++) least = squares[i] < least ? squares[i] : least;
  return least;
}

/* The leaves that matter to a row, and its weights. False: too far away. */
static bool begin_row(mms_tree_cloud *self, const mms_tree_draws *draws, const double *z, double *out,
                      mms_cloud_row *row) {
  const mms_field_kernel_table *kernels = self->kernels;
  int64_t leaf = kernels->cloud_nearest(self->centres, self->dim, self->padded, z, self->squares);
  double u2 = nearest(mms_tree_leaf(self->index, leaf), self->dim, z), half = 0.5 * draws->scale;
  if (!(u2 <= FAR * FAR * draws->bandwidth2)) return false;
  /* No point is of weight to a draw of mass >= its weight of the nearest one, κ(|y|² − u²)/2 − κ|s|(|y| + u) below it,
   * where that is more than REST + log2 n; nor, for all draws, where κ(|y|² − u²)/2 is more than `cut`. */
  double near = sqrt(u2) + self->away, own = self->away + sqrt(near * near + (REST + self->bits) / half);
  double all = sqrt(u2 + self->cut / half), reach = self->leaf + (own < all ? own : all);
  row->z = z;
  row->mean = out;
  row->top = half * u2;
  row->count = kernels->cloud_select(self->centres, self->dim, self->padded, z, self->squares,
                                     reach * reach * (1.0 + 1e-9), row->top, draws->scale, row);
  bool fine = self->leaf > SINGLE * sqrt(draws->bandwidth2);
  kernels->cloud_weights(&self->points, fine ? self->index->points : NULL, self->dim, row, draws->scale);
  for (int64_t j = 0; j < draws->count; j++) row->sums[j] = 0.0;
  for (int64_t k = 0; k < self->dim; k++) out[k] = 0.0;
  return true;
}

/* Shares from masses; the average log-mass. Of each draw and its opposite the terms with z cancel. */
static double end_row(const mms_tree_cloud *self, const mms_tree_draws *draws, mms_cloud_row *row) {
  double total = 0.0, product = 1.0;
  for (int64_t j = 0; j < draws->count; j++) {
    row->shares[j] = (float)(draws->share / row->sums[j]);
    total += self->tops[j] - row->top;
    product *= row->sums[j];
    if (j % 8 == 7 || j + 1 == draws->count) total += log2(product), product = 1.0; /* each in 2^-84 .. 2^62 */
  }
  return draws->share * total * 0.69314718055994530942;
}

void mms_tree_cloud_rows(mms_tree_cloud *self, const mms_tree_draws *draws, int64_t count, const double *z, double *out,
                         double *log_mass, bool *done, int64_t *finished) {
  bool together = count == MMS_CLOUD_ROWS;
  for (int64_t r = 0; r < count; r++) {
    done[r] = begin_row(self, draws, z + r * self->dim, out + r * self->dim, &self->rows[r]);
    together = together && done[r] && self->rows[r].count == self->index->leaves;
  }
  for (int64_t r = 0; r < count; r++)
    if (!together && done[r]) self->kernels->cloud_masses(&self->points, &self->rows[r], 1);
  if (together) self->kernels->cloud_masses(&self->points, self->rows, MMS_CLOUD_ROWS);
  for (int64_t r = 0; r < count; r++) {
    if (!done[r]) continue;
    log_mass[r] = end_row(self, draws, &self->rows[r]);
    if (!together) self->kernels->cloud_moments(&self->points, self->dim, &self->rows[r], 1);
    *finished += draws->count * self->rows[r].count * MMS_TREE_LEAF;
  }
  if (together) self->kernels->cloud_moments(&self->points, self->dim, self->rows, MMS_CLOUD_ROWS);
}
