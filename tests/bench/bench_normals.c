/* Nanoseconds of processor time a random number: long runs and short ones of many items; and, once, moments and tails
 * over many draws (bench_normals DRAWS). Not a test. */
#include "bench.h"

#include "mmsold/random/random.h"
#include <stdbool.h>

enum { COUNT = 1 << 16, REPEATS = 41 };

static void timings(void) {
  static double doubles[COUNT];
  static float floats[COUNT];
  const char *names[] = {"float", "double", "float, 8 an item", "float, 100 an item", "uniforms"};
  for (int kind = 0; kind < 5; kind++) {
    double best = INFINITY;
    for (int repeat = 0; repeat < REPEATS; repeat++) {
      mms_random_key key = {.seed = 1, .stream = MMS_STREAM_TEST, .step = (uint64_t)repeat};
      double start = bench_cpu_seconds();
      if (kind == 0) mms_random_normals_float(key, 0, COUNT, floats);
      if (kind == 1) mms_random_normals(key, 0, COUNT, doubles);
      if (kind == 2) mms_random_normals_items_float(key, COUNT / 8, 8, floats);
      if (kind == 3) mms_random_normals_items_float(key, COUNT / 100, 100, floats);
      if (kind == 4) mms_random_uniforms(key, 0, COUNT, doubles);
      double spent = bench_cpu_seconds() - start;
      best = spent < best ? spent : best;
    }
    printf("%-20s %.2f ns each\n", names[kind], best / COUNT * 1e9);
  }
}

/* Sums of powers in blocks; counts beyond the cuts of both tails. */
enum { CUTS = 6 };

typedef struct sums {
  double power[8];
  int64_t beyond[2 * CUTS];
} sums;

static void count_one(double x, const double *cut, sums *s) {
  double p = 1.0;
  for (int k = 0; k < 8; k++) s->power[k] += p *= x;
  for (int c = 0; c < CUTS; c++) s->beyond[c] += x > cut[c], s->beyond[CUTS + c] += x < -cut[c];
}

/* How many standard errors each moment and each tail is from what it must be. */
static void examine(double draws, bool single) {
  const double cut[CUTS] = {1.0, 2.0, 3.0, 4.0, 5.0, 6.0};
  const double moment[17] = {1, 0, 1, 0, 3, 0, 15, 0, 105, 0, 945, 0, 10395, 0, 135135, 0, 2027025};
  static float floats[COUNT];
  static double doubles[COUNT];
  sums all = {{0.0}, {0}};
  int64_t blocks = (int64_t)(draws / COUNT);
  for (int64_t b = 0; b < blocks; b++) {
    mms_random_key key = {.seed = 2026, .stream = MMS_STREAM_TEST, .item = (uint64_t)b};
    sums s = {{0.0}, {0}};
    if (single)
      mms_random_normals_float(key, 0, COUNT, floats);
    else
      mms_random_normals(key, 0, COUNT, doubles);
    for (int64_t i = 0; i < COUNT; i++) count_one(single ? (double)floats[i] : doubles[i], cut, &s);
    for (int k = 0; k < 8; k++) all.power[k] += s.power[k];
    for (int c = 0; c < 2 * CUTS; c++) all.beyond[c] += s.beyond[c];
  }
  double n = (double)blocks * COUNT;
  printf("%s, %.3g draws, in standard errors:\n  moments 1 to 8:", single ? "float" : "double", n);
  for (int k = 1; k <= 8; k++)
    printf(" %.2f", (all.power[k - 1] / n - moment[k]) / sqrt((moment[2 * k] - moment[k] * moment[k]) / n));
  for (int side = 0; side < 2; side++) {
    printf("\n  %s 1 to 6:", side == 0 ? "above" : "below minus");
    for (int c = 0; c < CUTS; c++) {
      double p = 0.5 * erfc(cut[c] / sqrt(2.0));
      printf(" %.2f (%lld)", ((double)all.beyond[side * CUTS + c] - n * p) / sqrt(n * p * (1.0 - p)),
             (long long)all.beyond[side * CUTS + c]);
    }
  }
  printf("\n");
}

int main(int argc, char **argv) {
  timings();
  double draws = argc > 1 ? atof(argv[1]) : 0.0;
  if (draws >= COUNT) examine(draws, true), examine(draws, false);
  return 0;
}
