/* Kernels of the tree backend: the softmax of up to eight draws over a list of points, one draw a lane. */
#ifndef FIELD_KERNELS_TREE_SOFTMAX_H
#define FIELD_KERNELS_TREE_SOFTMAX_H

#include "field/kernels.h"
#include "field/kernels/lanes.h"
#include "field/kernels/tree.h"

/* A group's state: [3 + dim][lanes]. */
enum { STATE_TOP, STATE_OFFSET, STATE_SUM, STATE_MOMENT };

LANES_INLINE double *state_row(double *state, int64_t row) { return state + row * MMS_TREE_LANES; }

/* In units of 1/log2(e) the logit of x = base + u at z + s is t = −κ|x − z|²/2 + κ s·(x − z) = c + κ s·u + offset, κ =
 * log2(e)/δ² (ALGORITHMS 1, useful identity, about the query). It is at most κ|s|²/2, and one point has κ(|s|² −
 * u_j²)/2, so that weights taken relative to that are at most 2^(κ u_j²/2), and one is 1: no largest logit has to be
 * looked for where that is a number. Where it may not be, or where these terms are so large that their rounding counts,
 * the answer is false and the tops are the least number, for tree_tops to raise. */
static bool tree_begin(int64_t dim, const double *shift, const double *least, const double *to_base, double scale,
                       double *state) {
  v8 k = v8_set(scale), half = v8_set(0.5 * scale), away = v8_load(shift + dim * MMS_TREE_LANES), near = v8_load(least);
  v8 offset = v8_set(0.0), zero = offset;
  double distance2 = 0.0;
  for (int64_t i = 0; i < dim; i++) {
    offset = v8_fma(v8_load(shift + i * MMS_TREE_LANES), v8_set(to_base[i]), offset);
    distance2 += to_base[i] * to_base[i];
    v8_store(state_row(state, STATE_MOMENT + i), zero);
  }
  offset = v8_mul(k, offset);
  v8 top = v8_sub(v8_mul(half, v8_sub(v8_mul(away, away), near)), offset);
  double rise = v8_largest(v8_mul(half, near));
  double most = v8_largest(v8_mul(k, v8_add(v8_mul(away, away), near))) + scale * distance2;
  bool good = rise < MMS_TREE_RISE && most < 0x1p40;
  v8_store(state_row(state, STATE_TOP), good ? top : v8_set(-DBL_MAX));
  v8_store(state_row(state, STATE_OFFSET), offset);
  v8_store(state_row(state, STATE_SUM), zero);
  return good;
}

LANES_INLINE v8 logits(const mms_tree_list *list, int64_t dim, int64_t i, const v8 *slope, v8 top, int per) {
  v8 t = v8_sub(v8_spread(list->c + i, per), top);
  for (int64_t k = 0; k < dim; k++) t = v8_fma(v8_spread(list->u + k * list->stride + i, per), slope[k], t);
  return t;
}

static void tree_tops(const mms_tree_list *list, int64_t dim, int64_t width, const double *shift, double scale, int per,
                      double *state) {
  v8 slope[MMS_TREE_DIM_MOST], top = v8_load(state_row(state, STATE_TOP));
  for (int64_t k = 0; k < dim; k++) slope[k] = v8_mul(v8_load(shift + k * MMS_TREE_LANES), v8_set(scale));
  for (int64_t i = 0; i < width; i += per) top = v8_max(logits(list, dim, i, slope, v8_set(0.0), per), top);
  v8_store(state_row(state, STATE_TOP), v8_fold(top, per, true));
}

/* Σ_i e^t and Σ_i e^t u_i of each lane. */
LANES_INLINE void add(const mms_tree_list *list, int64_t dim, int64_t width, const double *shift, double scale, int per,
                      double *state) {
  v8 slope[MMS_TREE_DIM_MOST], moment[MMS_TREE_DIM_MOST], top = v8_load(state_row(state, STATE_TOP));
  v8 sum = v8_load(state_row(state, STATE_SUM));
  for (int64_t k = 0; k < dim; k++) {
    slope[k] = v8_mul(v8_load(shift + k * MMS_TREE_LANES), v8_set(scale));
    moment[k] = v8_load(state_row(state, STATE_MOMENT + k));
  }
  for (int64_t i = 0; i < width; i += per) {
    v8 e = v8_power(logits(list, dim, i, slope, top, per));
    sum = v8_add(sum, e);
    for (int64_t k = 0; k < dim; k++) moment[k] = v8_fma(e, v8_spread(list->u + k * list->stride + i, per), moment[k]);
  }
  v8_store(state_row(state, STATE_SUM), sum);
  for (int64_t k = 0; k < dim; k++) v8_store(state_row(state, STATE_MOMENT + k), moment[k]);
}

LANES_INLINE void add_by_dim(const mms_tree_list *list, int64_t dim, int64_t width, const double *shift, double scale,
                             int per, double *state) {
  if (LANES_UNROLLED && dim == 1)
    add(list, 1, width, shift, scale, per, state);
  else if (LANES_UNROLLED && dim == 2)
    add(list, 2, width, shift, scale, per, state);
  else if (LANES_UNROLLED && dim == 3)
    add(list, 3, width, shift, scale, per, state);
  else
    add(list, dim, width, shift, scale, per, state);
}

static void tree_add(const mms_tree_list *list, int64_t dim, int64_t width, const double *shift, double scale, int per,
                     double *state) {
  switch (LANES_UNROLLED ? per : 0) {
  case 1:
    add_by_dim(list, dim, width, shift, scale, 1, state);
    return;
  case 2:
    add_by_dim(list, dim, width, shift, scale, 2, state);
    return;
  case 4:
    add_by_dim(list, dim, width, shift, scale, 4, state);
    return;
  case MMS_TREE_LANES:
    add_by_dim(list, dim, width, shift, scale, MMS_TREE_LANES, state);
    return;
  default:
    add(list, dim, width, shift, scale, per, state);
  }
}

static double tree_end(int64_t dim, int64_t draws, int per, double share, double *state, double *sum) {
  double shares[MMS_TREE_LANES], masses[MMS_TREE_LANES], product = 1.0;
  v8 mass = v8_fold(v8_load(state_row(state, STATE_SUM)), per, false);
  for (int l = 0; l < MMS_TREE_LANES; l++) shares[l] = l % (MMS_TREE_LANES / per) < draws ? share : 0.0;
  v8 factor = v8_div(v8_load(shares), mass);
  for (int64_t k = 0; k < dim; k++) sum[k] += v8_sum(v8_mul(factor, v8_load(state_row(state, STATE_MOMENT + k))));
  v8_store(masses, mass);
  v8 top = v8_add(v8_load(state_row(state, STATE_TOP)), v8_load(state_row(state, STATE_OFFSET)));
  double tops[MMS_TREE_LANES], total = 0.0;
  v8_store(tops, top);
  for (int l = 0; l < draws; l++) {
    product *= masses[l]; /* one logarithm for eight: each is at most 2^MMS_TREE_RISE times the number of points */
    total += tops[l];
  }
  return share * (total * 0.69314718055994530942 + log(product));
}

#endif
