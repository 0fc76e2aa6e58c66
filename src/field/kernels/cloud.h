/* Kernels of the tree backend where rows share their draws: single precision about the leaves' middles (tree_cloud.c).
 */
#ifndef FIELD_KERNELS_CLOUD_H
#define FIELD_KERNELS_CLOUD_H

#include "field/kernels.h"
#include "field/kernels/lanes.h"
#include "field/kernels/simd.h"
#include "field/kernels/tree.h"

/* Sums in single precision are over 8 leaves, then over 8 such sums, then in double: rounding adds up to 16 u = 1e-6 at
 * the very worst, where all terms are alike and each step rounds the same way by half that. */
enum { CLOUD_VECTORS = MMS_TREE_LEAF / VF_LANES, CLOUD_INNER = 8, CLOUD_CHUNK = 64 };

/* 2^t for -120 < t <= 100, and 0 below, before there are denormal numbers. As vd_power: a table of sixteen roots and
 * |x| <= ln 2/32 with Taylor's polynomial of degree 3, off by x^4/24 < 1e-8, or |x| <= ln 2/2 and degree 7, by x^8/8! <
 * 6e-9. */
LANES_INLINE vf vf_power(vf t) {
  const double l = 0.69314718055994530942;
  const vf least = vf_set(-120.0F);
#if defined(__AVX512F__)
  const __m512 roots = _mm512_setr_ps(1.0F, 1.04427378F, 1.09050773F, 1.13878863F, 1.18920712F, 1.24185781F,
                                      1.29683955F, 1.35425555F, 1.41421356F, 1.47682615F, 1.54221083F, 1.61049033F,
                                      1.68179283F, 1.75625216F, 1.83400809F, 1.91520656F);
  const vf magic = vf_set(0x1.8p19F);
  __m512 m = vf_add(t, magic), n = vf_sub(m, magic), r = vf_sub(t, n);
  __m512 root = _mm512_permutexvar_ps(_mm512_castps_si512(m), roots);
  __m512 p = vf_fma(r, vf_fma(r, vf_set((float)(l * l * l / 6.0)), vf_set((float)(l * l / 2.0))), vf_set((float)l));
  return _mm512_maskz_scalef_ps(_mm512_cmp_ps_mask(t, least, _CMP_GT_OQ), vf_fma(vf_mul(root, r), p, root), n);
#else
  const vf magic = vf_set(12582912.0F); /* 1.5·2^23 */
  vf clamped = vf_max(t, least), n = vf_sub(vf_add(clamped, magic), magic),
     x = vf_mul(vf_sub(clamped, n), vf_set((float)l));
  vf p = vf_fma(x, vf_set((float)(1.0 / 5040.0)), vf_set((float)(1.0 / 720.0)));
  p = vf_fma(x, vf_fma(x, p, vf_set((float)(1.0 / 120.0))), vf_set((float)(1.0 / 24.0)));
  p = vf_fma(x, vf_fma(x, p, vf_set((float)(1.0 / 6.0))), vf_set(0.5F));
  p = vf_fma(x, vf_fma(x, p, vf_set(1.0F)), vf_set(1.0F));
  float values[VF_LANES], powers[VF_LANES], from[VF_LANES];
  vf_store(values, p);
  vf_store(powers, n);
  vf_store(from, t);
  for (int i = 0; i < VF_LANES; i++) {
    uint32_t bits = (uint32_t)((int32_t)powers[i] + 127) << 23;
    float scale;
    memcpy(&scale, &bits, sizeof scale);
    values[i] = from[i] > -120.0F ? values[i] * scale : 0.0F;
  }
  return vf_load(values);
#endif
}

LANES_INLINE double vf_sum(vf a) {
  float lanes[VF_LANES];
  double sum = 0.0;
  vf_store(lanes, a);
  for (int i = 0; i < VF_LANES; i++) sum += (double)lanes[i];
  return sum;
}

static int64_t cloud_nearest(const double *centres, int64_t dim, int64_t padded, const double *q, double *squares) {
  vd best = vd_set(INFINITY);
  for (int64_t i = 0; i < padded; i += VD_LANES) {
    vd sum = vd_set(0.0);
    for (int64_t k = 0; k < dim; k++) {
      vd g = vd_sub(vd_set(q[k]), vd_load(centres + k * padded + i));
      sum = vd_fma(g, g, sum);
    }
    vd_store(squares + i, sum);
    best = vd_min(sum, best);
  }
  vd least = vd_set(-vd_largest(vd_sub(vd_set(0.0), best)));
  for (int64_t i = 0; i < padded; i += VD_LANES) {
    uint32_t mask = ~vd_greater(vd_load(squares + i), least) & ((1U << VD_LANES) - 1U);
    if (mask != 0) return i + __builtin_ctz(mask);
  }
  return 0;
}

static int64_t cloud_select(const double *centres, int64_t dim, int64_t padded, const double *q, const double *squares,
                            double limit, double top, double scale, const mms_cloud_row *row) {
  double numbers[VD_LANES];
  int64_t count = 0;
  for (int l = 0; l < VD_LANES; l++) numbers[l] = (double)l;
  vd number = vd_load(numbers);
  for (int64_t i = 0; i < padded; i += VD_LANES, number = vd_add(number, vd_set((double)VD_LANES))) {
    vd square = vd_load(squares + i);
    uint32_t mask = ~vd_greater(square, vd_set(limit)) & ((1U << VD_LANES) - 1U);
    if (mask == 0) continue;
    for (int64_t k = 0; k < dim; k++)
      vd_compress(row->gap + k * row->stride + count, mask, vd_sub(vd_set(q[k]), vd_load(centres + k * padded + i)));
    vd_compress(row->level + count, mask, vd_fma(vd_set(-0.5 * scale), square, vd_set(top)));
    count += vd_compress(row->leaf + count, mask, number);
  }
  return count;
}

/* e_i = 2^t, t = A + κ g·u_i − κ|u_i|²/2 (the logit relative to the top, with |q − x|² = |g − u|²). */
LANES_INLINE void weights_of(const mms_cloud_points *points, int64_t dim, const mms_cloud_row *row, float scale) {
  for (int64_t a = 0; a < row->count; a++) {
    int64_t leaf = (int64_t)row->leaf[a];
    const float *u = points->u + leaf * dim * MMS_TREE_LEAF, *half = points->half + leaf * MMS_TREE_LEAF;
    float *e = row->weights + a * MMS_TREE_LEAF;
    vf t[CLOUD_VECTORS], level = vf_set((float)row->level[a]), factor = vf_set(scale);
    for (int v = 0; v < CLOUD_VECTORS; v++) t[v] = vf_fnma(factor, vf_load(half + v * VF_LANES), level);
    for (int64_t k = 0; k < dim; k++) {
      vf slope = vf_set(scale * (float)row->gap[k * row->stride + a]);
      for (int v = 0; v < CLOUD_VECTORS; v++) t[v] = vf_fma(slope, vf_load(u + k * MMS_TREE_LEAF + v * VF_LANES), t[v]);
    }
    for (int v = 0; v < CLOUD_VECTORS; v++) vf_store(e + v * VF_LANES, vf_power(t[v]));
  }
}

/* The same with logits in double: t = top − κ|q − x_i|²/2. Padding is at infinity. */
LANES_INLINE void fine_weights_of(const double *leaves, int64_t dim, const mms_cloud_row *row, double scale) {
  vd half = vd_set(0.5 * scale), top = vd_set(row->top);
  for (int64_t a = 0; a < row->count; a++) {
    const double *x = leaves + (int64_t)row->leaf[a] * dim * MMS_TREE_LEAF;
    for (int v = 0; v < TREE_VECTORS; v++) {
      vd square = vd_set(0.0);
      for (int64_t k = 0; k < dim; k++) {
        vd y = vd_sub(vd_load(x + k * MMS_TREE_LEAF + v * VD_LANES), vd_set(row->z[k]));
        square = vd_fma(y, y, square);
      }
      vd_to_float(row->weights + a * MMS_TREE_LEAF + v * VD_LANES, vd_fnma(half, square, top));
    }
  }
  for (int64_t i = 0; i < row->count * MMS_TREE_LEAF; i += VF_LANES)
    vf_store(row->weights + i, vf_power(vf_load(row->weights + i)));
}

static void cloud_weights(const mms_cloud_points *points, const double *leaves, int64_t dim, const mms_cloud_row *row,
                          double scale) {
  if (LANES_UNROLLED && leaves != NULL && dim == 2)
    fine_weights_of(leaves, 2, row, scale);
  else if (leaves != NULL)
    fine_weights_of(leaves, dim, row, scale);
  else if (LANES_UNROLLED && dim == 2)
    weights_of(points, 2, row, (float)scale);
  else if (LANES_UNROLLED && dim == 3)
    weights_of(points, 3, row, (float)scale);
  else
    weights_of(points, dim, row, (float)scale);
}

/* `rows` rows with the same leaves: each factor of the draws is loaded once for all. */
LANES_INLINE void masses(const mms_cloud_points *points, const mms_cloud_row *row, int rows, int64_t first, int draws) {
  for (int64_t from = 0; from < row->count; from += CLOUD_CHUNK) {
    int64_t to = from + CLOUD_CHUNK < row->count ? from + CLOUD_CHUNK : row->count;
    vf all[MMS_CLOUD_ROWS * 4];
    for (int i = 0; i < rows * draws; i++) all[i] = vf_set(0.0F);
    for (int64_t inner = from; inner < to; inner += CLOUD_INNER) {
      int64_t last = inner + CLOUD_INNER < to ? inner + CLOUD_INNER : to;
      vf sum[MMS_CLOUD_ROWS * 4];
      for (int i = 0; i < rows * draws; i++) sum[i] = vf_set(0.0F);
      for (int64_t a = inner; a < last; a++) {
        const float *noise = points->noise + ((int64_t)row->leaf[a] * points->draws + first) * MMS_TREE_LEAF;
        for (int v = 0; v < MMS_TREE_LEAF; v += VF_LANES)
          for (int j = 0; j < draws; j++) {
            vf factor = vf_load(noise + j * MMS_TREE_LEAF + v);
            for (int r = 0; r < rows; r++)
              sum[r * draws + j] = vf_fma(vf_load(row[r].weights + a * MMS_TREE_LEAF + v), factor, sum[r * draws + j]);
          }
      }
      for (int i = 0; i < rows * draws; i++) all[i] = vf_add(all[i], sum[i]);
    }
    for (int r = 0; r < rows; r++)
      for (int j = 0; j < draws; j++) row[r].sums[first + j] += vf_sum(all[r * draws + j]);
  }
}

static void cloud_masses(const mms_cloud_points *points, const mms_cloud_row *row, int rows) {
  int64_t first = 0;
  for (; points->draws - first >= 4; first += 4)
    if (rows == MMS_CLOUD_ROWS)
      masses(points, row, MMS_CLOUD_ROWS, first, 4);
    else
      for (int r = 0; r < rows; r++) masses(points, row + r, 1, first, 4);
  for (int r = 0; r < rows && first < points->draws; r++) masses(points, row + r, 1, first, 2);
}

LANES_INLINE void moments(const mms_cloud_points *points, int64_t dim, const mms_cloud_row *row, int rows,
                          int64_t draws) {
  for (int64_t from = 0; from < row->count; from += CLOUD_CHUNK) {
    int64_t to = from + CLOUD_CHUNK < row->count ? from + CLOUD_CHUNK : row->count;
    vf all[MMS_CLOUD_ROWS * MMS_TREE_DIM_MOST], moment[MMS_CLOUD_ROWS * MMS_TREE_DIM_MOST];
    for (int64_t i = 0; i < rows * dim; i++) all[i] = moment[i] = vf_set(0.0F);
    for (int64_t a = from; a < to; a++) {
      int64_t leaf = (int64_t)row->leaf[a];
      for (int v = 0; v < MMS_TREE_LEAF; v += VF_LANES) {
        const float *u = points->u + leaf * dim * MMS_TREE_LEAF + v;
        const float *noise = points->noise + leaf * draws * MMS_TREE_LEAF + v;
        vf w[MMS_CLOUD_ROWS];
        for (int r = 0; r < rows; r++) w[r] = vf_set(0.0F);
        for (int64_t j = 0; j < draws; j++) {
          vf factor = vf_load(noise + j * MMS_TREE_LEAF);
          for (int r = 0; r < rows; r++) w[r] = vf_fma(vf_set(row[r].shares[j]), factor, w[r]);
        }
        for (int r = 0; r < rows; r++) {
          w[r] = vf_mul(w[r], vf_load(row[r].weights + a * MMS_TREE_LEAF + v));
          for (int64_t k = 0; k < dim; k++) {
            vf y = vf_sub(vf_load(u + k * MMS_TREE_LEAF), vf_set((float)row[r].gap[k * row[r].stride + a]));
            moment[r * dim + k] = vf_fma(w[r], y, moment[r * dim + k]);
          }
        }
      }
      if ((a + 1 - from) % CLOUD_INNER != 0) continue;
      for (int64_t i = 0; i < rows * dim; i++) all[i] = vf_add(all[i], moment[i]), moment[i] = vf_set(0.0F);
    }
    for (int r = 0; r < rows; r++)
      for (int64_t k = 0; k < dim; k++) row[r].mean[k] += vf_sum(vf_add(all[r * dim + k], moment[r * dim + k]));
  }
}

static void cloud_moments(const mms_cloud_points *points, int64_t dim, const mms_cloud_row *row, int rows) {
  if (LANES_UNROLLED && dim == 2 && rows == MMS_CLOUD_ROWS && points->draws == 8)
    moments(points, 2, row, MMS_CLOUD_ROWS, 8);
  else if (LANES_UNROLLED && dim == 2 && rows == MMS_CLOUD_ROWS)
    moments(points, 2, row, MMS_CLOUD_ROWS, points->draws);
  else
    for (int r = 0; r < rows; r++)
      if (LANES_UNROLLED && dim == 2)
        moments(points, 2, row + r, 1, points->draws);
      else
        moments(points, dim, row + r, 1, points->draws);
}

#endif
