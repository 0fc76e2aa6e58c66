#include "ensemble/few.h"

#include "base/clones.h"
#include <stddef.h>

enum { SQUARE = MMS_FEW_DIMENSIONS * MMS_FEW_DIMENSIONS };

/* The loops are compiled for d = 1, 2 and 3, where their sums stay in registers, and once for all others. */

/* sum [d] += 1ᵀA; square [d][d] += the upper triangle of AᵀA, A [rows][d]. */
MMS_INLINE void own_moments(int64_t rows, int64_t d, const double *a, double *out_sum, double *out_triangle) {
  double sum[MMS_FEW_DIMENSIONS] = {0}, square[SQUARE] = {0};
  for (int64_t i = 0; i < rows; i++)
    for (int64_t j = 0; j < d; j++) {
      double value = a[i * d + j];
      sum[j] += value;
      for (int64_t k = j; k < d; k++) square[j * d + k] += value * a[i * d + k];
    }
  for (int64_t j = 0; j < d; j++) {
    out_sum[j] = sum[j];
    for (int64_t k = j; k < d; k++) *out_triangle++ = square[j * d + k];
  }
}

/* YᵀW */
MMS_INLINE void cross_moments(int64_t rows, int64_t d, const double *y, const double *w, double *out) {
  double square[SQUARE] = {0};
  for (int64_t i = 0; i < rows; i++)
    for (int64_t j = 0; j < d; j++)
      for (int64_t k = 0; k < d; k++) square[j * d + k] += y[i * d + j] * w[i * d + k];
  for (int64_t j = 0; j < d * d; j++) out[j] = square[j];
}

MMS_INLINE void moments(int64_t rows, int64_t d, const double *y, const double *w, double *out) {
  int64_t sums = w == NULL ? d : 2 * d, triangle = d * (d + 1) / 2;
  own_moments(rows, d, y, out, out + sums);
  if (w == NULL) return;
  own_moments(rows, d, w, out + d, out + sums + triangle);
  cross_moments(rows, d, y, w, out + sums + 2 * triangle);
}

void mms_few_moments(int64_t rows, int64_t d, const double *y, const double *w, double *out) {
  switch (d) {
  case 1:
    moments(rows, 1, y, w, out);
    break;
  case 2:
    moments(rows, 2, y, w, out);
    break;
  case 3:
    moments(rows, 3, y, w, out);
    break;
  default:
    moments(rows, d, y, w, out);
  }
}

MMS_INLINE void update(int64_t rows, int64_t d, const double *a, const double *m, const double *inverse,
                       const double *w, double *y) {
  for (int64_t i = 0; i < rows; i++) {
    double moved[MMS_FEW_DIMENSIONS], *row = y + i * d;
    for (int64_t k = 0; k < d; k++) {
      moved[k] = (w == NULL ? row[k] : w[i * d + k]) - m[k];
      for (int64_t j = 0; w != NULL && j < d; j++) moved[k] += row[j] * a[j * d + k];
    }
    for (int64_t k = 0; k < d; k++) {
      double value = 0.0;
      for (int64_t j = 0; j < d; j++) value += moved[j] * inverse[j * d + k];
      row[k] = value;
    }
  }
}

void mms_few_update(int64_t rows, int64_t d, const double *a, const double *m, const double *inverse, const double *w,
                    double *y) {
  switch (d) {
  case 1:
    update(rows, 1, a, m, inverse, w, y);
    break;
  case 2:
    update(rows, 2, a, m, inverse, w, y);
    break;
  case 3:
    update(rows, 3, a, m, inverse, w, y);
    break;
  default:
    update(rows, d, a, m, inverse, w, y);
  }
}

MMS_INLINE void map(int64_t rows, int64_t d, bool transpose, const double *matrix, const double *before,
                    const double *after, const double *in, double *out) {
  for (int64_t i = 0; i < rows; i++) {
    double row[MMS_FEW_DIMENSIONS];
    for (int64_t k = 0; k < d; k++) row[k] = in[i * d + k] - (before == NULL ? 0.0 : before[k]);
    for (int64_t j = 0; j < d; j++) {
      double value = 0.0;
      for (int64_t k = 0; k < d; k++) value += row[k] * matrix[transpose ? j * d + k : k * d + j];
      out[i * d + j] = value + (after == NULL ? 0.0 : after[j]);
    }
  }
}

void mms_few_map(int64_t rows, int64_t d, bool transpose, const double *matrix, const double *before,
                 const double *after, const double *in, double *out) {
  switch (d) {
  case 1:
    map(rows, 1, transpose, matrix, before, after, in, out);
    break;
  case 2:
    map(rows, 2, transpose, matrix, before, after, in, out);
    break;
  case 3:
    map(rows, 3, transpose, matrix, before, after, in, out);
    break;
  default:
    map(rows, d, transpose, matrix, before, after, in, out);
  }
}
