#include "ensemble/norms.h"

#include "base/clones.h"
#include <math.h>
#include <string.h>

static inline double largest_of(int64_t n, const double *a) {
  double largest = 0.0;
  for (int64_t i = 0; i < n; i++) largest = fmax(largest, a[i]);
  return largest;
}

MMS_CLONES
double mms_square_norm(int64_t n, const double *restrict a, double *restrict work) {
  memset(work, 0, (size_t)n * sizeof *work);
  for (int64_t i = 0; i < n; i++)
    for (int64_t j = 0; j < n; j++) work[j] += fabs(a[i * n + j]);
  return largest_of(n, work);
}

MMS_CLONES
double mms_square_longest(int64_t n, const double *restrict a, double *restrict work) {
  memset(work, 0, (size_t)n * sizeof *work);
  for (int64_t i = 0; i < n; i++)
    for (int64_t j = 0; j < n; j++) work[j] += a[i * n + j] * a[i * n + j];
  return largest_of(n, work);
}

/* Σ |a_k| and Σ a_k², in eight parts so that additions need not wait for each other. */
enum { LANES = 8 };

static inline double sum_of(int64_t count, const double *a, int squares) {
  double part[LANES] = {0.0}, sum = 0.0;
  int64_t k = 0;
  for (; k + LANES <= count; k += LANES)
    for (int l = 0; l < LANES; l++) part[l] += squares ? a[k + l] * a[k + l] : fabs(a[k + l]);
  for (; k < count; k++) sum += squares ? a[k] * a[k] : fabs(a[k]);
  for (int l = 0; l < LANES; l++) sum += part[l];
  return sum;
}

MMS_CLONES
double mms_packed_norm(int64_t n, const double *restrict packed, double *restrict work) {
  memset(work, 0, (size_t)n * sizeof *work);
  for (int64_t i = 0; i < n; packed += n - i, i++) {
    work[i] += sum_of(n - i, packed, 0); /* what row i holds stands in column i too */
    for (int64_t j = 1; j < n - i; j++) work[i + j] += fabs(packed[j]);
  }
  return largest_of(n, work);
}

MMS_CLONES
double mms_packed_length(int64_t n, const double *packed) {
  double diagonal = 0.0;
  for (int64_t i = 0, at = 0; i < n; at += n - i, i++) diagonal += packed[at] * packed[at];
  return sqrt(2.0 * sum_of(n * (n + 1) / 2, packed, 1) - diagonal);
}

MMS_CLONES
double mms_packed_longest_beside(int64_t n, const double *restrict packed, double *restrict work) {
  memset(work, 0, (size_t)n * sizeof *work);
  for (int64_t i = 0; i < n; packed += n - i, i++) {
    work[i] += sum_of(n - i - 1, packed + 1, 1);
    for (int64_t j = 1; j < n - i; j++) work[i + j] += packed[j] * packed[j];
  }
  return largest_of(n, work);
}

MMS_CLONES
double mms_packed_beside(int64_t n, const double *packed) {
  double largest[LANES] = {0.0}, most = 0.0;
  for (int64_t i = 0; i < n; packed += n - i, i++) {
    int64_t j = 1;
    for (; j + LANES <= n - i; j += LANES)
      for (int l = 0; l < LANES; l++) {
        double size = fabs(packed[j + l]);
        largest[l] = size > largest[l] ? size : largest[l];
      }
    for (; j < n - i; j++) most = fabs(packed[j]) > most ? fabs(packed[j]) : most;
  }
  for (int l = 0; l < LANES; l++) most = largest[l] > most ? largest[l] : most;
  return most;
}
