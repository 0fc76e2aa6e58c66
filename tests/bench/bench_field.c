/* How fast the field is, and against what: per (particle, draw, training point), with the rate of its products and
 * SGEMM's own rate at the same shapes, measured in the same run. Not a test. */
#include "mmsold/field/field.h"

#include "mmsold/random/random.h"
#include <cblas.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { REPEATS = 12 };

/* Processor time: others may work on this machine too. */
static double cpu_seconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

typedef struct shape {
  const char *name;
  int64_t n, d, rows, batch, draws;
  double bandwidth, smoothing;
} shape;

/* Points on [0, 4]² in two dimensions; else a Gaussian whose scales fall off like whitened image components. */
static void fill(const shape *s, double *points, int64_t count, uint64_t seed) {
  for (int64_t i = 0; i < count; i++) {
    mms_random_key key = {.seed = seed, .stream = MMS_STREAM_TEST, .item = (uint64_t)i};
    if (s->d == 2) {
      mms_random_uniforms(key, 0, 2, points + 2 * i);
      for (int64_t k = 0; k < 2; k++) points[2 * i + k] = 4.0 * points[2 * i + k];
      continue;
    }
    mms_random_normals(key, 0, s->d, points + i * s->d);
    for (int64_t k = 20; k < s->d; k++) points[i * s->d + k] *= sqrt(20.0 / (double)k);
  }
}

/* Seconds of the SGEMM that the screen can't do without: (1 + M/2) rows a particle against all points. */
static double sgemm_seconds(const shape *s) {
  int64_t pairs = s->draws / 2, lines = 512, width = s->n < 512 ? s->n : 512;
  float *a = malloc((size_t)(lines * s->d) * sizeof(float)), *b = malloc((size_t)(width * s->d) * sizeof(float));
  float *c = malloc((size_t)(lines * width) * sizeof(float));
  if (a == NULL || b == NULL || c == NULL) abort();
  for (int64_t i = 0; i < lines * s->d; i++) a[i] = (float)(i % 7) - 3.0F;
  for (int64_t i = 0; i < width * s->d; i++) b[i] = (float)(i % 5) - 2.0F;
  double best = INFINITY;
  for (int repeat = 0; repeat < 40; repeat++) {
    double start = cpu_seconds();
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (int)lines, (int)width, (int)s->d, 1.0F, a, (int)s->d, b,
                (int)s->d, 0.0F, c, (int)width);
    double seconds = cpu_seconds() - start;
    best = seconds < best ? seconds : best;
  }
  free(a);
  free(b);
  free(c);
  return best / (double)(lines * width) * (double)(s->rows * (1 + pairs) * s->n);
}

static void run(const shape *s, const mms_team *team, mms_backend backend) {
  mms_error error = mms_error_none();
  double *x = malloc((size_t)(s->n * s->d) * sizeof(double)), *z = malloc((size_t)(s->rows * s->d) * sizeof(double));
  double *gradient = malloc((size_t)(s->batch * s->d) * sizeof(double));
  if (x == NULL || z == NULL || gradient == NULL) abort();
  fill(s, x, s->n, 1);
  for (int64_t row = 0; row < s->rows; row++) {
    mms_random_key key = {.seed = 3, .stream = MMS_STREAM_TEST, .item = (uint64_t)row};
    mms_random_normals(key, 0, s->d, z + row * s->d);
    for (int64_t k = 0; k < s->d; k++)
      z[row * s->d + k] = x[(row % s->n) * s->d + k] + s->bandwidth * z[row * s->d + k];
  }
  float *e = malloc((size_t)(s->draws * s->d + 1) * sizeof(float));
  if (e == NULL) abort();
  mms_training training = {.count = s->n, .dim = s->d, .points = x};
  mms_field *field = NULL;
  if (mms_field_create(&field, team, &training, backend, s->batch, s->draws / 2, &error) != MMS_OK) abort();
  double best = 0.0, product = 0.0, finish = 0.0, flops = 0.0, kept = 0.0, noise = 0.0;
  for (int64_t first = 0; first < s->rows;
       first += s->batch) { /* each batch at its best of many: others work here too */
    mms_field_counters least = {.seconds = INFINITY, .seconds_product = INFINITY, .seconds_finish = INFINITY};
    double least_noise = INFINITY;
    mms_queries q = {.count = s->rows - first < s->batch ? s->rows - first : s->batch,
                     .points = z + first * s->d,
                     .bandwidth = s->bandwidth,
                     .smoothing = s->smoothing,
                     .pairs = s->draws / 2,
                     .first_particle = first};
    for (int repeat = 0; repeat < REPEATS; repeat++) {
      mms_field_counters before = mms_field_read_counters(field);
      double begin = cpu_seconds();
      if (mms_field_gradient(field, &q, gradient, NULL, &error) != MMS_OK) abort();
      double spent = cpu_seconds() - begin;
      mms_field_counters after = mms_field_read_counters(field);
      least.seconds = fmin(least.seconds, spent);
      least.seconds_product = fmin(least.seconds_product, after.seconds_product - before.seconds_product);
      least.seconds_finish = fmin(least.seconds_finish, after.seconds_finish - before.seconds_finish);
      least.product_flops = after.product_flops - before.product_flops;
      kept = (double)(after.finished - before.finished) / (double)(after.rows - before.rows);
      double start = cpu_seconds();
      for (int64_t row = 0; row < q.count; row++)
        mms_random_normals_float((mms_random_key){.stream = MMS_STREAM_TEST, .item = (uint64_t)row}, 0,
                                 s->draws / 2 * s->d, e);
      least_noise = fmin(least_noise, cpu_seconds() - start);
    }
    best += least.seconds;
    product += least.seconds_product;
    finish += least.seconds_finish;
    flops += least.product_flops;
    noise += least_noise;
  }
  free(e);
  double sgemm = sgemm_seconds(s), work = (double)(s->rows * (s->draws > 0 ? s->draws : 1) * s->n);
  printf("%s: n = %lld, d = %lld, %lld rows, M = %lld, delta = %g, sigma = %g, %s\n", s->name, (long long)s->n,
         (long long)s->d, (long long)s->rows, (long long)s->draws, s->bandwidth, s->smoothing, mms_field_reason(field));
  printf("  %.2f ms, %.4f ns per (particle, draw, point) = %.2f G/s; points kept per row %.1f\n", 1e3 * best,
         1e9 * best / work, work / best * 1e-9, kept);
  printf("  product %.0f %%, finish %.0f %%, noise %.0f %%, screen and rest %.0f %%; product %.1f GFLOP/s\n",
         100.0 * product / best, 100.0 * finish / best, 100.0 * noise / best,
         100.0 * (best - product - finish - noise) / best, flops / product * 1e-9);
  printf("  SGEMM alone %.2f ms (%.1f GFLOP/s): the field takes %.2f times as long\n", 1e3 * sgemm,
         2.0 * (double)(s->rows * (1 + s->draws / 2) * s->n * s->d) / sgemm * 1e-9, best / sgemm);
  mms_field_free(&field);
  free(x);
  free(z);
  free(gradient);
}

int main(int argc, char **argv) {
  static const shape shapes[] = {
      {"checkerboard", 1000, 2, 2048, 256, 8, 0.02, 0.05},
      {"checkerboard, exact", 1000, 2, 2048, 256, 0, 0.02, 0.0},
      {"checkerboard, wide smoothing", 1000, 2, 2048, 256, 8, 0.02, 0.2},
      {"checkerboard, wide kernel", 1000, 2, 512, 256, 8, 1.0, 0.2},
      {"fashion", 1000, 100, 304, 16, 32, 0.03, 0.5},
      {"fashion, few draws", 1000, 100, 304, 16, 2, 0.03, 0.5},
      {"fashion, wide kernel", 1000, 100, 64, 16, 32, 3.0, 0.5},
      {"faces", 4000, 700, 32, 16, 16, 0.05, 3.0},
  };
  static const shape tiny[] = {{"circle of 12", 12, 2, 2048, 256, 8, 0.1, 0.1}, /* the rule of `auto` */
                               {"12 points, d = 20", 12, 20, 2048, 256, 8, 0.1, 0.1},
                               {"one point", 1, 2, 2048, 256, 8, 0.1, 0.1}};
  mms_error error = mms_error_none();
  mms_team *team = NULL;
  if (mms_world_begin(&argc, &argv, &error) != MMS_OK || mms_team_create(&team, &error) != MMS_OK) return 1;
  for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) run(&shapes[i], team, MMS_BACKEND_DENSE);
  for (size_t i = 0; i < sizeof tiny / sizeof tiny[0]; i++)
    for (int b = 0; b < 2; b++) run(&tiny[i], team, b == 0 ? MMS_BACKEND_REFERENCE : MMS_BACKEND_DENSE);
  mms_team_free(&team);
  mms_world_end();
  return 0;
}
