/* Kernels of the tree backend: which boxes and points are near a query, and the softmax over a short list of points. */
#ifndef FIELD_KERNELS_TREE_H
#define FIELD_KERNELS_TREE_H

#include "field/kernels.h"
#include "field/kernels/simd.h"
#include "field/kernels/softmax.h"
#include <math.h>

enum { TREE_VECTORS = MMS_TREE_LEAF / VD_LANES };

#if defined(__GNUC__)
#define TREE_INLINE                                                                                                    \
  static inline __attribute__((always_inline)) /* so that a constant dim unrolls the loops over it                     \
                                                */
#else
#define TREE_INLINE static inline
#endif

/* --- the search --- */

/* |q − box|² of the sixteen boxes of a node: the distance in each coordinate is max(low − q, q − high, 0). */
TREE_INLINE void box_distances(const float *node, int64_t dim, const double *q, vd *out) {
  for (int v = 0; v < TREE_VECTORS; v++) out[v] = vd_set(0.0);
  for (int64_t k = 0; k < dim; k++) {
    const float *low = node + 2 * k * MMS_TREE_LEAF, *high = low + MMS_TREE_LEAF;
    vd qk = vd_set(q[k]);
    for (int v = 0; v < TREE_VECTORS; v++) {
      vd gap = vd_max(vd_sub(vd_from_float(low + v * VD_LANES), qk), vd_sub(qk, vd_from_float(high + v * VD_LANES)));
      gap = vd_max(gap, vd_set(0.0));
      out[v] = vd_fma(gap, gap, out[v]);
    }
  }
}

static int64_t tree_nearest_box(const float *node, int64_t dim, const double *q) {
  vd square[TREE_VECTORS];
  box_distances(node, dim, q, square);
  vd best = vd_sub(vd_set(0.0), square[0]);
  for (int v = 1; v < TREE_VECTORS; v++) best = vd_max(best, vd_sub(vd_set(0.0), square[v]));
  vd least = vd_set(-vd_largest(best));
  uint32_t beyond = 0;
  for (int v = 0; v < TREE_VECTORS; v++) beyond |= vd_greater(square[v], least) << (v * VD_LANES);
  uint32_t mask = ~beyond & 0xffffU;
  return mask == 0 ? 0 : __builtin_ctz(mask);
}

static uint32_t tree_boxes_within(const float *node, int64_t dim, const double *q, double reach2) {
  vd square[TREE_VECTORS], limit = vd_set(reach2);
  box_distances(node, dim, q, square);
  uint32_t beyond = 0;
  for (int v = 0; v < TREE_VECTORS; v++) beyond |= vd_greater(square[v], limit) << (v * VD_LANES);
  return ~beyond & 0xffffU;
}

static int64_t tree_seed(const double *leaf, int64_t dim, const double *z, const double *shifts, int64_t count,
                         bool both, double *least) {
  double square[MMS_TREE_LEAF];
  for (int i = 0; i < MMS_TREE_LEAF; i++) square[i] = 0.0;
  for (int64_t k = 0; k < dim; k++)
    for (int i = 0; i < MMS_TREE_LEAF; i++) {
      double y = leaf[k * MMS_TREE_LEAF + i] - z[k];
      square[i] += y * y;
    }
  int64_t nearest = 0;
  for (int64_t i = 1; i < MMS_TREE_LEAF; i++) nearest = square[i] < square[nearest] ? i : nearest;
  for (int64_t j = 0; j < count; j++) {
    const double *shift = shifts + j * dim;
    vd plus[TREE_VECTORS], minus[TREE_VECTORS];
    for (int v = 0; v < TREE_VECTORS; v++) plus[v] = minus[v] = vd_set(0.0);
    for (int64_t k = 0; k < dim; k++)
      for (int v = 0; v < TREE_VECTORS; v++) {
        vd y = vd_sub(vd_load(leaf + k * MMS_TREE_LEAF + v * VD_LANES), vd_set(z[k])), s = vd_set(shift[k]);
        vd a = vd_sub(y, s), b = vd_sub(vd_sub(vd_set(0.0), y), s);
        plus[v] = vd_fnma(a, a, plus[v]); /* negative squares: the largest is the least */
        minus[v] = vd_fnma(b, b, minus[v]);
      }
    for (int v = 1; v < TREE_VECTORS; v++) {
      plus[0] = vd_max(plus[0], plus[v]);
      minus[0] = vd_max(minus[0], minus[v]);
    }
    least[both ? 2 * j : j] = -vd_largest(plus[0]);
    if (both) least[2 * j + 1] = -vd_largest(minus[0]);
  }
  return nearest;
}

/* --- the list --- */

TREE_INLINE int64_t collect(const double *leaf, int64_t dim, const double *z, const double *shift, double reach2,
                            const mms_tree_list *list, int64_t count) {
  vd limit = vd_set(reach2);
  for (int v = 0; v < TREE_VECTORS; v++) {
    vd square = vd_set(0.0), apart = square;
    for (int64_t k = 0; k < dim; k++) {
      vd y = vd_sub(vd_load(leaf + k * MMS_TREE_LEAF + v * VD_LANES), vd_set(z[k]));
      square = vd_fma(y, y, square);
      if (shift == NULL) continue;
      vd u = vd_sub(y, vd_set(shift[k]));
      apart = vd_fma(u, u, apart);
    }
    uint32_t mask = ~vd_greater(shift == NULL ? square : apart, limit) & ((1U << VD_LANES) - 1U);
    if (mask == 0) continue;
    for (int64_t k = 0; k < dim; k++)
      vd_compress(list->y + k * list->stride + count, mask,
                  vd_sub(vd_load(leaf + k * MMS_TREE_LEAF + v * VD_LANES), vd_set(z[k])));
    count += vd_compress(list->c + count, mask, vd_mul(square, vd_set(-0.5)));
  }
  return count;
}

static int64_t tree_collect(const double *leaf, int64_t dim, const double *z, const double *shift, double reach2,
                            const mms_tree_list *list, int64_t count) {
  if (shift != NULL) return collect(leaf, dim, z, shift, reach2, list, count);
  switch (dim) {
  case 1:
    return collect(leaf, 1, z, NULL, reach2, list, count);
  case 2:
    return collect(leaf, 2, z, NULL, reach2, list, count);
  case 3:
    return collect(leaf, 3, z, NULL, reach2, list, count);
  default:
    return collect(leaf, dim, z, NULL, reach2, list, count);
  }
}

static void tree_close(const mms_tree_list *list, int64_t dim, int64_t count, int64_t width) {
  for (int64_t i = count; i < width; i++) {
    list->c[i] = -DBL_MAX;
    for (int64_t k = 0; k < dim; k++) list->y[k * list->stride + i] = 0.0;
  }
}

/* --- the softmax --- */

/* t± = c ± s·y with s = σε, the logits times δ² (ALGORITHMS 1, useful identity, about the query); their largest. */
TREE_INLINE void logits(const mms_tree_list *list, int64_t dim, int64_t width, const double *shift, bool both,
                        double *top) {
  vd high = vd_set(-DBL_MAX), low = high;
  for (int64_t i = 0; i < width; i += VD_LANES) {
    vd b = vd_set(0.0), c = vd_load(list->c + i);
    for (int64_t k = 0; k < dim; k++) b = vd_fma(vd_set(shift[k]), vd_load(list->y + k * list->stride + i), b);
    vd plus = vd_add(c, b);
    vd_store(list->t + i, plus);
    high = vd_max(high, plus);
    if (!both) continue;
    vd minus = vd_sub(c, b);
    vd_store(list->t + list->stride + i, minus);
    low = vd_max(low, minus);
  }
  top[0] = vd_largest(high);
  if (both) top[1] = vd_largest(low);
}

#if defined(__AVX512F__)
/* e = exp((t − top)/δ²) of the points above the cut, close together in `e`, with one mask a vector; returns their sum.
 * With the cut some 50 below the top most points of a list have no weight for a given draw. */
static inline double exponentiate(double *e, int64_t width, double top, double inverse, double cut, uint8_t *masks) {
  vd above = vd_set(top), f = vd_set(inverse), limit = vd_set(cut), sum = vd_set(0.0);
  int64_t kept = 0;
  for (int64_t i = 0; i < width; i += VD_LANES) {
    vd t = vd_mul(vd_sub(vd_load(e + i), above), f);
    uint32_t mask = vd_greater(t, limit);
    masks[i / VD_LANES] = (uint8_t)mask;
    kept += vd_compress(e + kept, mask, t); /* never beyond what has been read */
  }
  vd_store(e + kept, vd_set(-DBL_MAX));
  for (int64_t i = 0; i < kept; i += VD_LANES) {
    vd w = exponential(vd_load(e + i));
    vd_store(e + i, w);
    sum = vd_add(sum, w);
  }
  return vd_sum(sum);
}

/* w += f e */
static inline void weigh(const double *e, int64_t width, double f, const uint8_t *masks, double *w) {
  vd factor = vd_set(f);
  int64_t kept = 0;
  for (int64_t i = 0; i < width; i += VD_LANES) {
    uint32_t mask = masks[i / VD_LANES];
    vd value = _mm512_maskz_expand_pd((__mmask8)mask, vd_load(e + kept));
    vd_store(w + i, vd_fma(factor, value, vd_load(w + i)));
    kept += __builtin_popcount(mask);
  }
}
#else
/* In place; `masks` only says whether a vector has weight at all. */
static inline double exponentiate(double *e, int64_t width, double top, double inverse, double cut, uint8_t *masks) {
  vd above = vd_set(top), f = vd_set(inverse), limit = vd_set(cut), sum = vd_set(0.0);
  for (int64_t i = 0; i < width; i += VD_LANES) {
    vd t = vd_mul(vd_sub(vd_load(e + i), above), f);
    uint32_t mask = vd_greater(t, limit);
    masks[i / VD_LANES] = (uint8_t)mask;
    if (mask == 0) continue;
    vd w = vd_where_greater(t, limit, exponential(t));
    vd_store(e + i, w);
    sum = vd_add(sum, w);
  }
  return vd_sum(sum);
}

static inline void weigh(const double *e, int64_t width, double f, const uint8_t *masks, double *w) {
  vd factor = vd_set(f);
  for (int64_t i = 0; i < width; i += VD_LANES)
    if (masks[i / VD_LANES] != 0) vd_store(w + i, vd_fma(factor, vd_load(e + i), vd_load(w + i)));
}
#endif

enum { TREE_MASKS = MMS_TREE_LIST / VD_LANES };

/* All at once, memory requests would stand in each other's way: a core has room for some sixteen. */
static inline void fetch_ahead(const mms_tree_draws *draws, int64_t dim, int64_t first, int64_t last) {
  for (int64_t i = first; i < last; i++) {
    const double *leaf = draws->points + (int64_t)draws->next[i] * dim * MMS_TREE_LEAF;
    for (int64_t line = 0; line < 2 * dim; line++) __builtin_prefetch(leaf + line * MMS_KERNEL_PAD_F64);
  }
}

/* Logits once, weights averaged over the draws before they meet the points. */
TREE_INLINE double softmax(const mms_tree_list *list, int64_t dim, int64_t width, const mms_tree_draws *draws) {
  double log_mass = 0.0, mass = 1.0;
  uint8_t masks[TREE_MASKS];
  for (int64_t j = 0; j < draws->count; j++) {
    double top[2];
    logits(list, dim, width, draws->shifts + j * dim, draws->both, top);
    int64_t signs = draws->both ? 2 : 1, all = signs * draws->count;
    for (int s = 0; s < signs; s++) {
      double *e = list->t + s * list->stride;
      int64_t turn = signs * j + s;
      fetch_ahead(draws, dim, turn * draws->ahead / all, (turn + 1) * draws->ahead / all);
      double sum = exponentiate(e, width, top[s], draws->inverse, draws->cut, masks);
      weigh(e, width, draws->share / sum, masks, list->w);
      log_mass += top[s] * draws->inverse;
      mass *= sum; /* one logarithm for many draws: each factor is between 1 and MMS_TREE_LIST */
    }
    if (mass > 1e200) log_mass += log(mass), mass = 1.0;
  }
  return log_mass + log(mass);
}

static double tree_softmax(const mms_tree_list *list, int64_t dim, int64_t width, const mms_tree_draws *draws) {
  switch (dim) {
  case 1:
    return softmax(list, 1, width, draws);
  case 2:
    return softmax(list, 2, width, draws);
  case 3:
    return softmax(list, 3, width, draws);
  default:
    return softmax(list, dim, width, draws);
  }
}

static void tree_masses(const mms_tree_list *list, int64_t dim, int64_t width, const mms_tree_draws *draws,
                        double *tops, double *sums) {
  uint8_t masks[TREE_MASKS];
  int signs = draws->both ? 2 : 1;
  for (int64_t j = 0; j < draws->count; j++) {
    double top[2];
    logits(list, dim, width, draws->shifts + j * dim, draws->both, top);
    for (int s = 0; s < signs; s++) {
      double *seen = tops + signs * j + s, *sum = sums + signs * j + s;
      double now = top[s] > *seen ? top[s] : *seen;
      *sum *= exp((*seen - now) * draws->inverse);
      *sum += exponentiate(list->t + s * list->stride, width, now, draws->inverse, draws->cut, masks);
      *seen = now;
    }
  }
}

static void tree_weights(const mms_tree_list *list, int64_t dim, int64_t width, const mms_tree_draws *draws,
                         const double *tops, const double *sums) {
  uint8_t masks[TREE_MASKS];
  int signs = draws->both ? 2 : 1;
  for (int64_t j = 0; j < draws->count; j++) {
    double top[2];
    logits(list, dim, width, draws->shifts + j * dim, draws->both, top);
    for (int s = 0; s < signs; s++) {
      double *e = list->t + s * list->stride;
      exponentiate(e, width, tops[signs * j + s], draws->inverse, draws->cut, masks);
      weigh(e, width, draws->share / sums[signs * j + s], masks, list->w);
    }
  }
}

#endif
