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
  const __m512d low = _mm512_setr_pd(1.0, 1.0442737824274138, 1.0905077326652577, 1.1387886347566916, 1.189207115002721,
                                     1.241857812073484, 1.2968395546510096, 1.3542555469368927);
  const __m512d high = _mm512_setr_pd(1.4142135623730951, 1.4768261459394993, 1.5422108254079407, 1.6104903319492543,
                                      1.681792830507429, 1.7562521603732995, 1.8340080864093424, 1.9152065613971474);
  const double l = 0.69314718055994530942, a2 = l * l / 1024.0, f = 1.0 / (64.0 * 5040.0);
  const __m512d magic = _mm512_set1_pd(0x1.8p48);
  __m512d up = _mm512_add_pd(t, magic), n = _mm512_sub_pd(up, magic), down = _mm512_sub_pd(magic, n);
  __m512d r = _mm512_sub_pd(t, n), r2 = _mm512_mul_pd(r, r);
  __m512d o35 = vd_fma(r2, vd_set(l * l * l * l * l * (1.0 / 120.0 + 112.0 * a2 * f)),
                       vd_set(l * l * l * (1.0 / 6.0 - 56.0 * a2 * a2 * f)));
  __m512d e46 = vd_fma(r2, vd_set(l * l * l * l * l * l / 720.0), vd_set(l * l * l * l / 24.0));
  __m512d odd = vd_mul(r, vd_fma(r2, o35, vd_set(l * (1.0 + 7.0 * a2 * a2 * a2 * f))));
  __m512d even = vd_mul(r2, vd_fma(r2, e46, vd_set(l * l / 2.0)));
  __m512d root = _mm512_permutex2var_pd(low, _mm512_castpd_si512(up), high);
  __m512d other = _mm512_permutex2var_pd(low, _mm512_castpd_si512(down), high);
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
