/* Compiled once per instruction set; MMS_SMALL_TABLE is the symbol.
 *
 * By bands of four rows: what the rows above (below, for the inverse) contribute to a band is summed in registers, two
 * vectors of columns at a time from the right. The band's own triangle is then done row by row. */
#include "linalg/small.h"

#include "base/clones.h"
#include <math.h>
#include <stddef.h>
#include <string.h>

#if defined(__AVX512F__)
enum { LANES = 8 };
#elif defined(__AVX__)
enum { LANES = 4 };
#else
enum { LANES = 2 };
#endif
enum { BAND = 4, COLUMNS = 2 * LANES };

/* A register's, anywhere in memory: GCC keeps longer ones in memory. */
typedef double lanes __attribute__((vector_size(8 * LANES), aligned(8), may_alias));

/* sum[r] = Σ_k a[k·next + r·beside] b[k·width ...], b as wide as two vectors. */
MMS_INLINE void sum_products(int count, const double *a, ptrdiff_t next, ptrdiff_t beside, const double *b,
                             ptrdiff_t width, lanes sum[BAND][2]) {
  lanes s[BAND][2] = {{{0.0}}};
  for (int k = 0; k < count; k++, a += next, b += width) {
    const lanes low = *(const lanes *)b, high = *(const lanes *)(b + LANES);
    for (int r = 0; r < BAND; r++) {
      const double factor = a[r * beside];
      s[r][0] += factor * low;
      s[r][1] += factor * high;
    }
  }
  memcpy(sum, s, sizeof s);
}

/* to[first ... n − 1] −= factor · from[first ... n − 1] */
MMS_INLINE void subtract(int first, int n, double factor, const double *restrict from, double *restrict to) {
  for (int j = first; j < n; j++) to[j] -= factor * from[j];
}

/* The rows above go off a band that begins at the diagonal of row i. Whole vectors may reach below the diagonal, where
 * nothing is looked at. */
MMS_INLINE void take_off(int i, int rows, int n, ptrdiff_t width, double *a) {
  int end = n;
  for (; rows == BAND && end > i && end >= COLUMNS; end -= COLUMNS) {
    lanes sum[BAND][2];
    sum_products(i, a + i, width, 1, a + end - COLUMNS, width, sum);
    for (int r = 0; r < BAND; r++) {
      double *to = a + (i + r) * width + end - COLUMNS;
      *(lanes *)to -= sum[r][0];
      *(lanes *)(to + LANES) -= sum[r][1];
    }
  }
  for (int k = 0; k < i; k++)
    for (int r = 0; r < rows; r++) subtract(i, end, a[k * width + i + r], a + k * width, a + (i + r) * width);
}

static int cholesky(int n, int width, double *a) {
  for (int i = 0; i < n; i += BAND) {
    const int rows = n - i < BAND ? n - i : BAND;
    take_off(i, rows, n, width, a);
    for (int p = i; p < i + rows; p++) {
      double *row = a + (ptrdiff_t)p * width;
      if (!(row[p] > 0.0)) return p + 1;
      const double root = sqrt(row[p]), inverse = 1.0 / root;
      row[p] = root;
      for (int j = p + 1; j < n; j++) row[j] *= inverse;
      for (int q = p + 1; q < i + rows; q++) subtract(q, n, row[q], row, a + (ptrdiff_t)q * width);
    }
  }
  return 0;
}

/* A band, from column `right` on, becomes −(band · what is inverted below it). */
MMS_INLINE void multiply_below(int i, int rows, int n, ptrdiff_t width, double *r) {
  const int right = i + rows;
  double *band = r + i * width;
  const double *below = r + right * width;
  int end = n;
  for (; rows == BAND && end - COLUMNS >= right; end -= COLUMNS) {
    lanes sum[BAND][2];
    sum_products(end - right, band + right, 1, width, below + end - COLUMNS, width, sum);
    for (int k = 0; k < BAND; k++) {
      double *to = band + k * width + end - COLUMNS;
      *(lanes *)to = -sum[k][0];
      *(lanes *)(to + LANES) = -sum[k][1];
    }
  }
  for (int k = 0; k < rows; k++) {
    double rest[COLUMNS] = {0.0}; /* fewer are left */
    for (int l = right; l < end; l++)
      subtract(l - right, end - right, band[k * width + l], below + (l - right) * width + right, rest);
    memcpy(band + k * width + right, rest, (size_t)(end - right) * sizeof *rest);
  }
}

static void invert_upper(int n, int width, double *r) {
  for (int i = (n - 1) / BAND * BAND; i >= 0; i -= BAND) {
    const int rows = n - i < BAND ? n - i : BAND;
    double own[BAND][BAND] = {{0.0}};
    for (int p = 0; p < rows; p++)
      for (int q = p; q < rows; q++) own[p][q] = r[(ptrdiff_t)(i + p) * width + i + q];
    multiply_below(i, rows, n, width, r);
    for (int p = rows - 1; p >= 0; p--) {
      double *row = r + (ptrdiff_t)(i + p) * width;
      const double inverse = 1.0 / own[p][p];
      for (int q = p + 1; q < rows; q++) row[i + q] = 0.0;
      for (int q = p + 1; q < rows; q++) subtract(i + q, n, own[p][q], r + (ptrdiff_t)(i + q) * width, row);
      row[i + p] = inverse;
      for (int j = i + p + 1; j < n; j++) row[j] *= inverse;
    }
  }
}

extern const mms_small_kernels MMS_SMALL_TABLE;
const mms_small_kernels MMS_SMALL_TABLE = {.cholesky = cholesky, .invert_upper = invert_upper};
