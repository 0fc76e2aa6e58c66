/* Kernels of the tree backend: the softmax of four antithetic pairs over a list of points, one point a lane. */
#ifndef FIELD_KERNELS_TREE_PAIRS_H
#define FIELD_KERNELS_TREE_PAIRS_H

#include "field/kernels.h"
#include "field/kernels/lanes.h"
#include "field/kernels/tree.h"

enum { PAIRS_OF_LANES = MMS_TREE_LANES / 2 };

/* 2^t and 2^−t, |t| < 200. AVX-512: as vd_power has it, 2^t = 2^m (1 + E + O) root with E the even and O the odd part
 * of its polynomial in r, and −t has −r, so that both take one polynomial. */
LANES_INLINE void vd_powers(vd t, vd *plus, vd *minus) {
#if defined(__AVX512F__)
  const power_series p = power_series_of_two();
  const __m512d magic = _mm512_set1_pd(SIXTEENTHS);
  __m512d up = _mm512_add_pd(t, magic), n = _mm512_sub_pd(up, magic), down = _mm512_sub_pd(magic, n);
  __m512d r = _mm512_sub_pd(t, n), r2 = _mm512_mul_pd(r, r);
  __m512d o35 = vd_fma(r2, vd_set(p.c5), vd_set(p.c3)), e46 = vd_fma(r2, vd_set(p.c6), vd_set(p.c4));
  __m512d odd = vd_mul(r, vd_fma(r2, o35, vd_set(p.c1)));
  __m512d even = vd_mul(r2, vd_fma(r2, e46, vd_set(p.c2)));
  __m512d root = vd_root(up), other = vd_root(down);
  *plus = _mm512_scalef_pd(vd_fma(root, vd_add(even, odd), root), n);
  *minus = _mm512_scalef_pd(vd_fma(other, vd_sub(even, odd), other), _mm512_sub_pd(down, magic));
#else
  *plus = vd_power(t);
  *minus = vd_power(vd_sub(vd_set(0.0), t));
#endif
}

/* In units of 1/log2(e) the logit of x = base + u at z ± s is c ± κ s·u up to a constant of the draw, which the softmax
 * removes and which cancels in a pair's log-mass (ALGORITHMS 1, useful identity). So the weights are
 * a 2^{±κ s·u}, a = 2^{c − the largest c}: the caller sees to it that none of these is out of range. Weights of all
 * draws are averaged before they meet u. */
LANES_INLINE double pairs(const mms_tree_list *list, int64_t dim, int64_t width, const double *shift, double scale,
                          double share, double *sum) {
  double slopes[PAIRS_OF_LANES * MMS_TREE_DIM_MOST], *w = list->w;
  vd most = vd_load(list->c), sums[MMS_TREE_LANES], moment[MMS_TREE_DIM_MOST];
  for (int64_t i = VD_LANES; i < width; i += VD_LANES) most = vd_max(most, vd_load(list->c + i));
  const double top = vd_largest(most);
  for (int j = 0; j < PAIRS_OF_LANES; j++)
    for (int64_t k = 0; k < dim; k++) slopes[j * dim + k] = scale * shift[k * MMS_TREE_LANES + 2 * j];
  for (int j = 0; j < MMS_TREE_LANES; j++) sums[j] = vd_set(0.0);
  for (int64_t i = 0; i < width; i += VD_LANES) {
    const vd a = vd_power(vd_sub(vd_load(list->c + i), vd_set(top)));
    for (int j = 0; j < PAIRS_OF_LANES; j++) {
      vd t = vd_mul(vd_set(slopes[j * dim]), vd_load(list->u + i)), plus, minus;
      for (int64_t k = 1; k < dim; k++)
        t = vd_fma(vd_set(slopes[j * dim + k]), vd_load(list->u + k * list->stride + i), t);
      vd_powers(t, &plus, &minus);
      plus = vd_mul(a, plus);
      minus = vd_mul(a, minus);
      sums[2 * j] = vd_add(sums[2 * j], plus);
      sums[2 * j + 1] = vd_add(sums[2 * j + 1], minus);
      vd_store(w + (2 * j) * list->stride + i, plus);
      vd_store(w + (2 * j + 1) * list->stride + i, minus);
    }
  }
  double product = 1.0, factors[MMS_TREE_LANES];
  for (int j = 0; j < MMS_TREE_LANES; j++) {
    const double mass = vd_sum(sums[j]);
    product *= mass;
    factors[j] = share / mass;
  }
  for (int64_t k = 0; k < dim; k++) moment[k] = vd_set(0.0);
  for (int64_t i = 0; i < width; i += VD_LANES) {
    vd all = vd_mul(vd_set(factors[0]), vd_load(w + i));
    for (int j = 1; j < MMS_TREE_LANES; j++) all = vd_fma(vd_set(factors[j]), vd_load(w + j * list->stride + i), all);
    for (int64_t k = 0; k < dim; k++) moment[k] = vd_fma(all, vd_load(list->u + k * list->stride + i), moment[k]);
  }
  for (int64_t k = 0; k < dim; k++) sum[k] += vd_sum(moment[k]);
  return share * (MMS_TREE_LANES * top * 0.69314718055994530942 + log(product));
}

static double tree_pairs(const mms_tree_list *list, int64_t dim, int64_t width, const double *shift, double scale,
                         double share, double *sum) {
#define CALL(k) pairs(list, k, width, shift, scale, share, sum)
  TREE_BY_DIM(CALL)
#undef CALL
}

#endif
