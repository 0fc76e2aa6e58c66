/* What the benchmarks share: clocks, medians with their spread, and the rate of BLAS beside which times are put. */
#ifndef BENCH_H
#define BENCH_H

#include "mmsold/base/clock.h"
#include <cblas.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

/* Processor time of this process: what a loaded machine does not stretch. Waiting for other ranks counts, as MPI
 * spins. */
static inline double bench_cpu_seconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static inline int bench_ascending(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

/* Of the values of several repeats: the middle one, and half the range between the quartiles as a share of it. */
typedef struct bench_spread {
  double median, spread;
} bench_spread;

/* Sorts values. */
static inline bench_spread bench_summary(int count, double *values) {
  qsort(values, (size_t)count, sizeof *values, bench_ascending);
  double median = count % 2 == 1 ? values[count / 2] : 0.5 * (values[count / 2 - 1] + values[count / 2]);
  double quartiles = values[(3 * (count - 1)) / 4] - values[(count - 1) / 4];
  return (bench_spread){median, median > 0.0 ? 0.5 * quartiles / median : 0.0};
}

static inline double *bench_array(int64_t count) {
  double *array = aligned_alloc(64, ((size_t)count * sizeof *array + 63) / 64 * 64);
  if (array == NULL) abort();
  for (int64_t i = 0; i < count; i++) array[i] = (double)(i % 7) - 3.0;
  return array;
}

/* Processor seconds of one DGEMM C [m][n] = A [m][k] B [k][n]: the median of `repeats`. */
static inline double bench_dgemm_seconds(int m, int n, int k, int repeats) {
  double *a = bench_array((int64_t)m * k), *b = bench_array((int64_t)k * n), *c = bench_array((int64_t)m * n);
  double *seconds = bench_array(repeats);
  for (int i = 0; i < repeats; i++) {
    double start = bench_cpu_seconds();
    cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, m, n, k, 1.0, a, k, b, n, 0.0, c, n);
    seconds[i] = bench_cpu_seconds() - start;
  }
  double median = bench_summary(repeats, seconds).median;
  free(a), free(b), free(c), free(seconds);
  return median;
}

/* Processor seconds of one SGEMM of `lines` queries against `width` points, C [lines][width] = A Bᵀ. */
static inline double bench_sgemm_seconds(int lines, int width, int d, int repeats) {
  float *a = (float *)bench_array((int64_t)lines * d), *b = (float *)bench_array((int64_t)width * d);
  float *c = (float *)bench_array((int64_t)lines * width);
  double *seconds = bench_array(repeats);
  for (int64_t i = 0; i < (int64_t)lines * d; i++) a[i] = (float)(i % 7) - 3.0F;
  for (int64_t i = 0; i < (int64_t)width * d; i++) b[i] = (float)(i % 5) - 2.0F;
  for (int i = 0; i < repeats; i++) {
    double start = bench_cpu_seconds();
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, lines, width, d, 1.0F, a, d, b, d, 0.0F, c, width);
    seconds[i] = bench_cpu_seconds() - start;
  }
  double median = bench_summary(repeats, seconds).median;
  free(a), free(b), free(c), free(seconds);
  return median;
}

#endif
