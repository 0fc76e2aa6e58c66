/* The kernel of the tree backend's cells (tree_cells.h): all draws of a row, each with the list of its own cell. */
#ifndef FIELD_KERNELS_CELLS_H
#define FIELD_KERNELS_CELLS_H

#include "field/kernels.h"
#include "field/kernels/lanes.h"
#include "field/kernels/simd.h"

/* The list of a cell, and how many units it has. */
LANES_INLINE const double *list_of(const mms_cells *cells, int64_t dim, int32_t entry) {
  return cells->lists + (int64_t)((uint32_t)entry / MMS_CELLS_UNITS) * dim * MMS_CELLS_UNIT;
}
LANES_INLINE int64_t units_of(int32_t entry) { return (uint32_t)entry % MMS_CELLS_UNITS + 1; }

/* The entry of the cell of z + s, or no list: −1. */
LANES_INLINE int32_t cell_of(const mms_cells *cells, int64_t dim, const double *z, const double *shift) {
  int64_t cell = 0;
  for (int64_t k = 0; k < dim; k++) {
    double place = (z[k] + shift[k] - cells->low[k]) * cells->inverse[k];
    if (!(place >= 0.0 && place < cells->size)) return -1;
    cell += (int64_t)place << (k * cells->bits);
  }
  return cells->table[cell];
}

/* Σ e and Σ e (x − base) over a list, e = 2^(κ(|q − y|² − |q − x|²)/2), y its first point: at least 1 in all, and at
 * most 2^MMS_TREE_RISE each (tree_cells.c). Returns κ|q − y|²/2. */
LANES_INLINE double add_list(int64_t dim, const double *list, int64_t units, const double *z, const double *shift,
                             const double *base, double half, double *sum, double *moment) {
  vd total = vd_set(0.0), moments[MMS_CELLS_DIM_MOST], scale = vd_set(half), top = total;
  for (int64_t k = 0; k < dim; k++) moments[k] = vd_set(0.0);
  for (int64_t v = 0; v < units * MMS_CELLS_UNIT; v += VD_LANES) {
    const double *part = list + v / MMS_CELLS_UNIT * dim * MMS_CELLS_UNIT + v % MMS_CELLS_UNIT;
    vd square = vd_set(0.0), u[MMS_CELLS_DIM_MOST];
    for (int64_t k = 0; k < dim; k++) {
      vd x = vd_load(part + k * MMS_CELLS_UNIT);
      vd y = vd_sub(vd_sub(x, vd_set(z[k])), vd_set(shift[k]));
      u[k] = vd_sub(x, vd_set(base[k]));
      square = vd_fma(y, y, square);
    }
    if (v == 0) top = vd_mul(scale, vd_first(square));
    vd e = vd_power(vd_fnma(scale, square, top));
    total = vd_add(total, e);
    for (int64_t k = 0; k < dim; k++) moments[k] = vd_fma(e, u[k], moments[k]);
  }
  *sum = vd_sum(total);
  for (int64_t k = 0; k < dim; k++) moment[k * MMS_CELLS_DRAWS] = vd_sum(moments[k]);
  return vd_lane(top);
}

LANES_INLINE int64_t cells_add(const mms_cells *cells, int64_t dim, const double *z, const float *noise, int64_t draws,
                               double smoothing, double scale, double *base, double *out, double *mass) {
  double shift[MMS_CELLS_DRAWS][MMS_CELLS_DIM_MOST], sums[MMS_CELLS_DRAWS];
  double moment[MMS_CELLS_DIM_MOST * MMS_CELLS_DRAWS];
  int32_t entry[MMS_CELLS_DRAWS];
  int64_t work = 0;
  entry[0] = -1; /* for the compiler: there is a draw */
  for (int64_t j = 0; j < draws; j++) {
    double sign = j % 2 == 0 ? smoothing : -smoothing;
    for (int64_t k = 0; k < dim; k++) shift[j][k] = noise == NULL ? 0.0 : sign * (double)noise[j / 2 * dim + k];
    entry[j] = cell_of(cells, dim, z, shift[j]);
    if (entry[j] < 0) return -1;
    for (int64_t k = 0; k < dim; k++) __builtin_prefetch(list_of(cells, dim, entry[j]) + k * MMS_CELLS_UNIT);
  }
  const double *first = list_of(cells, dim, entry[0]);
  for (int64_t k = 0; k < dim; k++) base[k] = first[k * MMS_CELLS_UNIT];
  double total = 0.0, product = 1.0, half = 0.5 * scale;
  for (int64_t j = 0; j < draws; j++) {
    int64_t units = units_of(entry[j]);
    double top = add_list(dim, list_of(cells, dim, entry[j]), units, z, shift[j], base, half, &sums[j], moment + j),
           away = 0.0;
    for (int64_t k = 0; k < dim; k++) away += shift[j][k] * shift[j][k];
    total += half * away - top;
    work += units * MMS_CELLS_UNIT;
  }
  for (int64_t j = draws; j % VD_LANES != 0; j++) {
    sums[j] = 1.0;
    for (int64_t k = 0; k < dim; k++) moment[k * MMS_CELLS_DRAWS + j] = 0.0;
  }
  double share = 1.0 / (double)draws;
  vd all[MMS_CELLS_DIM_MOST], part = vd_set(share);
  for (int64_t k = 0; k < dim; k++) all[k] = vd_set(0.0);
  for (int64_t j = 0; j < draws; j += VD_LANES) {
    vd factor = vd_div(part, vd_load(sums + j));
    for (int64_t k = 0; k < dim; k++) all[k] = vd_fma(factor, vd_load(moment + k * MMS_CELLS_DRAWS + j), all[k]);
  }
  for (int64_t k = 0; k < dim; k++) out[k] = vd_sum(all[k]);
  total *= 0.69314718055994530942;
  for (int64_t j = 0; j < draws; j++) {
    product *= sums[j]; /* one logarithm for eight: each is at most 2^MMS_TREE_RISE times the number of points */
    if (j % 8 == 7 || j + 1 == draws) total += log(product), product = 1.0;
  }
  *mass = share * total;
  return work;
}

static int64_t cells_row(const mms_cells *cells, const double *z, const float *noise, int64_t draws, double smoothing,
                         double scale, double *base, double *out, double *mass) {
  if (cells->dim == 1) return cells_add(cells, 1, z, noise, draws, smoothing, scale, base, out, mass);
  return cells_add(cells, 2, z, noise, draws, smoothing, scale, base, out, mass);
}

#endif
