/* Kernels of the tree backend: which boxes and points are near a query. */
#ifndef FIELD_KERNELS_TREE_H
#define FIELD_KERNELS_TREE_H

#include "field/kernels.h"
#include "field/kernels/lanes.h"
#include "field/kernels/simd.h"

enum { TREE_VECTORS = MMS_TREE_LEAF / VD_LANES };

/* The squared distances of the sixteen boxes of a node from the box from .. to: in each coordinate the distance is
 * max(low − to, from − high, 0). */
LANES_INLINE void box_distances(const float *node, int64_t dim, const double *from, const double *to, vd *out) {
  for (int v = 0; v < TREE_VECTORS; v++) out[v] = vd_set(0.0);
  for (int64_t k = 0; k < dim; k++) {
    const float *low = node + 2 * k * MMS_TREE_LEAF, *high = low + MMS_TREE_LEAF;
    vd f = vd_set(from[k]), t = vd_set(to[k]);
    for (int v = 0; v < TREE_VECTORS; v++) {
      vd gap = vd_max(vd_sub(vd_from_float(low + v * VD_LANES), t), vd_sub(f, vd_from_float(high + v * VD_LANES)));
      gap = vd_max(gap, vd_set(0.0));
      out[v] = vd_fma(gap, gap, out[v]);
    }
  }
}

/* The first of sixteen that is least. */
LANES_INLINE int64_t first_least(const vd *square) {
  vd best = vd_sub(vd_set(0.0), square[0]);
  for (int v = 1; v < TREE_VECTORS; v++) best = vd_max(best, vd_sub(vd_set(0.0), square[v]));
  vd least = vd_set(-vd_largest(best));
  uint32_t beyond = 0;
  for (int v = 0; v < TREE_VECTORS; v++) beyond |= vd_greater(square[v], least) << (v * VD_LANES);
  uint32_t mask = ~beyond & 0xffffU;
  return mask == 0 ? 0 : __builtin_ctz(mask);
}

/* Kernels of one, two and three dimensions are compiled for them. */
#define TREE_BY_DIM(call)                                                                                              \
  switch (LANES_UNROLLED ? dim : 0) {                                                                                  \
  case 1:                                                                                                              \
    return call(1);                                                                                                    \
  case 2:                                                                                                              \
    return call(2);                                                                                                    \
  case 3:                                                                                                              \
    return call(3);                                                                                                    \
  default:                                                                                                             \
    return call(dim);                                                                                                  \
  }

LANES_INLINE int64_t nearest_box(const float *node, int64_t dim, const double *q) {
  vd square[TREE_VECTORS];
  box_distances(node, dim, q, q, square);
  return first_least(square);
}

static int64_t tree_nearest_box(const float *node, int64_t dim, const double *q){
#define CALL(k) nearest_box(node, k, q)
    TREE_BY_DIM(CALL)
#undef CALL
}

LANES_INLINE int64_t boxes_within(const float *node, int64_t nodes, int64_t dim, const double *low, const double *high,
                                  double reach2, int32_t first, int32_t *ids, double *squares) {
  vd square[TREE_VECTORS], limit = vd_set(reach2);
  int64_t count = 0;
  for (int64_t i = 0; i < nodes; i++, node += 2 * dim * MMS_TREE_LEAF, first += MMS_TREE_LEAF) {
    uint32_t within = 0;
    box_distances(node, dim, low, high, square);
    for (int v = 0; v < TREE_VECTORS; v++)
      within |= (~vd_greater(square[v], limit) & ((1U << VD_LANES) - 1U)) << (v * VD_LANES);
    if (within == 0) continue;
    int64_t found = count;
    for (int v = 0; v < TREE_VECTORS; v++)
      found += vd_compress(squares + found, within >> (v * VD_LANES) & ((1U << VD_LANES) - 1U), square[v]);
    int32_t *to = ids + count;
    for (int v = 0; v < MMS_TREE_LEAF / VF_LANES; v++)
      to += vf_compress(to, within >> (v * VF_LANES) & ((1U << VF_LANES) - 1U), first + v * VF_LANES);
    count = found;
  }
  return count;
}

static int64_t tree_boxes_within(const float *node, int64_t nodes, int64_t dim, const double *low, const double *high,
                                 double reach2, int32_t first, int32_t *ids, double *squares){
#define CALL(k) boxes_within(node, nodes, k, low, high, reach2, first, ids, squares)
    TREE_BY_DIM(CALL)
#undef CALL
}

/* u_j² = min_i |x_i − z − s_j|² over the leaf. */
LANES_INLINE int64_t
    seed(const double *leaf, int64_t dim, const double *z, const double *shifts, int64_t groups, double *least) {
  double y[MMS_TREE_LEAF * MMS_TREE_DIM_MOST];
  vd square[TREE_VECTORS];
  for (int v = 0; v < TREE_VECTORS; v++) square[v] = vd_set(0.0);
  for (int64_t k = 0; k < dim; k++)
    for (int v = 0; v < TREE_VECTORS; v++) {
      vd near = vd_sub(vd_load(leaf + k * MMS_TREE_LEAF + v * VD_LANES), vd_set(z[k]));
      square[v] = vd_fma(near, near, square[v]);
      vd_store(y + k * MMS_TREE_LEAF + v * VD_LANES, near);
    }
  for (int64_t g = 0; g < groups; g++) {
    const double *shift = shifts + g * (dim + 1) * MMS_TREE_LANES;
    v8 low = v8_set(INFINITY);
    for (int i = 0; i < MMS_TREE_LEAF; i++) {
      v8 sum = v8_set(0.0);
      for (int64_t k = 0; k < dim; k++) {
        v8 a = v8_sub(v8_set(y[k * MMS_TREE_LEAF + i]), v8_load(shift + k * MMS_TREE_LANES));
        sum = v8_fma(a, a, sum);
      }
      low = v8_min(sum, low);
    }
    v8_store(least + g * MMS_TREE_LANES, low);
  }
  return first_least(square);
}

static int64_t tree_seed(const double *leaf, int64_t dim, const double *z, const double *shifts, int64_t groups,
                         double *least) {
#define CALL(k) seed(leaf, k, z, shifts, groups, least)
  TREE_BY_DIM(CALL)
#undef CALL
}

/* r_j = f (u_j² + b)^{1/2}: the largest of r_j and of |s_j| + r_j. */
static void tree_reach(int64_t dim, const double *shifts, int64_t groups, const double *least, double b, double f,
                       double *out) {
  v8 own = v8_set(0.0), all = own, shift = own;
  for (int64_t g = 0; g < groups; g++) {
    v8 away = v8_load(shifts + (g * (dim + 1) + dim) * MMS_TREE_LANES);
    v8 r = v8_mul(v8_sqrt(v8_add(v8_load(least + g * MMS_TREE_LANES), v8_set(b))), v8_set(f));
    own = v8_max(own, r);
    all = v8_max(all, v8_add(r, away));
    shift = v8_max(shift, away);
  }
  out[0] = v8_largest(own);
  out[1] = v8_largest(all);
  out[2] = v8_largest(shift);
}

/* --- the list --- */

LANES_INLINE int64_t collect(const double *points, int64_t dim, const int32_t *leaves, int64_t leaf_count,
                             int64_t *next, const double *z, const double *base, const double *shift, double reach2,
                             double scale, const mms_tree_list *list) {
  vd limit = vd_set(reach2), half = vd_set(-0.5 * scale), from[MMS_TREE_DIM_MOST], about[MMS_TREE_DIM_MOST];
  double *u = list->u, *c = list->c;
  int64_t count = 0, stride = list->stride, at = *next;
  for (int64_t k = 0; k < dim; k++) from[k] = vd_set(z[k]), about[k] = vd_set(base[k]);
  for (; at < leaf_count && count <= MMS_TREE_LIST - MMS_TREE_LEAF; at++) {
    const double *leaf = points + leaves[at] * dim * MMS_TREE_LEAF;
    for (int v = 0; v < TREE_VECTORS; v++) {
      vd square = vd_set(0.0), apart = square;
      for (int64_t k = 0; k < dim; k++) {
        vd y = vd_sub(vd_load(leaf + k * MMS_TREE_LEAF + v * VD_LANES), from[k]);
        square = vd_fma(y, y, square);
        if (shift == NULL) continue;
        vd a = vd_sub(y, vd_set(shift[k * MMS_TREE_LANES]));
        apart = vd_fma(a, a, apart);
      }
      uint32_t mask = ~vd_greater(shift == NULL ? square : apart, limit) & ((1U << VD_LANES) - 1U);
      if (mask == 0) continue;
      for (int64_t k = 0; k < dim; k++)
        vd_compress(u + k * stride + count, mask, vd_sub(vd_load(leaf + k * MMS_TREE_LEAF + v * VD_LANES), about[k]));
      count += vd_compress(c + count, mask, vd_mul(square, half));
    }
  }
  *next = at;
  return count;
}

static int64_t tree_collect(const double *points, int64_t dim, const int32_t *leaves, int64_t leaf_count, int64_t *next,
                            const double *z, const double *base, const double *shift, double reach2, double scale,
                            const mms_tree_list *list) {
  if (shift != NULL) return collect(points, dim, leaves, leaf_count, next, z, base, shift, reach2, scale, list);
#define CALL(k) collect(points, k, leaves, leaf_count, next, z, base, NULL, reach2, scale, list)
  TREE_BY_DIM(CALL)
#undef CALL
}

static void tree_close(const mms_tree_list *list, int64_t dim, int64_t count, int64_t width) {
  for (int64_t i = count; i < width; i++) {
    list->c[i] = -1e300;
    for (int64_t k = 0; k < dim; k++) list->u[k * list->stride + i] = 0.0;
  }
}

#endif
