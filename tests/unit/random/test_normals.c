/* Normals: the transform is Box-Muller to rounding, and the law is N(0, 1). */
#include "support.h"

#include "mmsold/base/sort.h"
#include "mmsold/random/random.h"
#include "random/kernels.h"
#include <stdlib.h>

static const double pi = 3.14159265358979323846;

static long double angle_of(uint32_t high, uint32_t low) {
  return 2.0L * 3.14159265358979323846264338327950288L * ((long double)high * 0x1p-32L + (long double)low * 0x1p-64L);
}

/* Words that visit the corners: the ends of u, both sides of the switch at sqrt(1/2), and the octants. */
static uint32_t corner(uint32_t i, uint32_t raw) {
  static const uint32_t corners[] = {0,          1,          2,          0x1fffffff, 0x20000000, 0x3fffffff, 0x40000000,
                                     0x60000000, 0x7fffffff, 0x80000000, 0x9fffffff, 0xa0000000, 0xb504f333, 0xb504f334,
                                     0xb504f335, 0xc0000000, 0xdfffffff, 0xe0000000, 0xfffffffe, 0xffffffff};
  const uint32_t n = sizeof corners / sizeof *corners;
  return i % (n + 4) < n ? corners[i % (n + 4)] : raw;
}

/* Against libm in long double: a few last places of r in double, 3e-7 r in single precision. */
static void transform_is_box_muller(void **state) {
  (void)state;
  mms_random_key key = {.seed = 1, .stream = MMS_STREAM_TEST};
  double worst = 0.0, worst_float = 0.0;
  for (uint32_t turn = 0; turn < 3000; turn++) {
    mms_random_words words;
    double made[2 * MMS_RANDOM_BATCH];
    float made_float[4 * MMS_RANDOM_BATCH];
    mms_random_fill_words(key, turn * MMS_RANDOM_BATCH, MMS_RANDOM_BATCH, &words);
    if (turn % 2 == 0)
      for (uint32_t g = 0; g < MMS_RANDOM_BATCH; g++)
        for (uint32_t w = 0; w < 4; w++) {
          uint32_t raw = words.word[w][g];
          words.word[w][g] = corner(turn * (w + 1) + g + raw % 3, raw);
        }
    mms_random_box_muller(MMS_RANDOM_BATCH, &words, made);
    mms_random_box_muller_float(MMS_RANDOM_BATCH, &words, made_float);
    for (int g = 0; g < MMS_RANDOM_BATCH; g++) {
      uint32_t w[4] = {words.word[0][g], words.word[1][g], words.word[2][g], words.word[3][g]};
      long double n = (long double)w[0] * 0x1p32L + (long double)w[1], whole = 0x1p64L;
      long double r = n < 0x1p63L ? -logl((n + 0.5L) / whole) : -log1pl(-((whole - 1.0L - n) + 0.5L) / whole);
      r = sqrtl(2.0L * r);
      long double a = angle_of(w[2], w[3]);
      double error = (double)fmaxl(fabsl(made[2 * g] - r * cosl(a)), fabsl(made[2 * g + 1] - r * sinl(a)));
      worst = fmax(worst, error / (double)r);
      for (int p = 0; p < 2; p++) {
        double u = ((double)(w[2 * p] >> 1) + 0.5) * 0x1p-31, rf = sqrt(-2.0 * (u < 0.5 ? log(u) : log1p(u - 1.0)));
        double af = 2.0 * pi * (double)w[2 * p + 1] * 0x1p-32;
        double error_float = fmax(fabs((double)made_float[4 * g + 2 * p] - rf * cos(af)),
                                  fabs((double)made_float[4 * g + 2 * p + 1] - rf * sin(af)));
        worst_float = fmax(worst_float, error_float / rf);
      }
    }
  }
  print_message("largest error / r: %.3g in double, %.3g in float\n", worst, worst_float);
  assert_true(worst < 4.5e-16);
  assert_true(worst_float < 2.5e-7);
}

enum { DRAWS = 1 << 21 };

/* Mean, variance, third and fourth moments, tails and the Kolmogorov-Smirnov distance, each within 4.5 standard errors
 * (KS: the 1e-5 point, sqrt(-ln(5e-6) / 2n)). */
static void check_law(double *x, int64_t n) {
  double m[5] = {0};
  int64_t beyond[6] = {0};
  for (int64_t i = 0; i < n; i++) {
    double p = 1.0;
    for (int k = 1; k <= 4; k++) m[k] += p *= x[i];
    for (int t = 1; t <= 5; t++) beyond[t] += fabs(x[i]) > t;
  }
  const double moment[5] = {1, 0, 1, 0, 3}, variance[5] = {0, 1, 2, 15, 96}; /* var(x^k) = E x^2k - (E x^k)² */
  for (int k = 1; k <= 4; k++) expect_near(m[k] / (double)n, moment[k], 4.5 * sqrt(variance[k] / (double)n));
  for (int t = 1; t <= 5; t++) {
    double expected = (double)n * erfc(t / sqrt(2.0));
    expect_near((double)beyond[t], expected, 4.5 * sqrt(expected) + 3.0); /* + 3: few are expected beyond 5 */
  }
  mms_sort_doubles(x, n);
  double distance = 0.0;
  for (int64_t i = 0; i < n; i++) {
    double cdf = 0.5 * erfc(-x[i] / sqrt(2.0));
    distance = fmax(distance, fmax(cdf - (double)i / (double)n, (double)(i + 1) / (double)n - cdf));
  }
  assert_true(distance < sqrt(-0.5 * log(5e-6) / (double)n));
}

static void doubles_are_normal(void **state) {
  (void)state;
  static double x[DRAWS];
  mms_random_normals((mms_random_key){.seed = 20, .stream = MMS_STREAM_TEST}, 0, DRAWS, x);
  check_law(x, DRAWS);
}

static void floats_are_normal(void **state) {
  (void)state;
  static float made[DRAWS];
  static double x[DRAWS];
  mms_random_normals_float((mms_random_key){.seed = 21, .stream = MMS_STREAM_TEST}, 0, DRAWS, made);
  double largest = 0.0;
  for (int64_t i = 0; i < DRAWS; i++) largest = fmax(largest, fabs(x[i] = (double)made[i]));
  assert_true(largest < 6.7);
  check_law(x, DRAWS);
}

/* Neighbours in every direction of the key are uncorrelated, and so are their squares. */
static void neighbours_are_independent(void **state) {
  (void)state;
  enum { ITEMS = 2000, D = 50 };
  static double x[ITEMS][D], y[ITEMS][D];
  for (uint64_t i = 0; i < ITEMS; i++) {
    mms_random_key key = {.seed = 5, .stream = MMS_STREAM_TEST, .step = 9, .item = i};
    mms_random_normals(key, 0, D, x[i]);
    key.step = 10;
    mms_random_normals(key, 0, D, y[i]);
  }
  double n = ITEMS * D, sums[6] = {0};
  for (int i = 0; i < ITEMS; i++)
    for (int j = 0; j < D; j++) {
      double a = x[i][j], next = x[i][(j + 1) % D], item = x[(i + 1) % ITEMS][j], step = y[i][j];
      sums[0] += a * next, sums[1] += a * item, sums[2] += a * step;
      sums[3] += (a * a - 1) * (next * next - 1) / 2;
      sums[4] += (a * a - 1) * (item * item - 1) / 2;
      sums[5] += (a * a - 1) * (step * step - 1) / 2;
    }
  for (int s = 0; s < 6; s++) expect_near(sums[s] / sqrt(n), 0.0, 4.5); /* each a sum of n terms of variance 1 */
}

static void items_together_are_the_items_alone(void **state) {
  (void)state;
  const int64_t counts[] = {1, 2, 3, 4, 5, 7, 8, 31, 64, 65, 127, 128, 129, 300};
  const int64_t items = 37;
  for (size_t c = 0; c < sizeof counts / sizeof *counts; c++) {
    const int64_t count = counts[c];
    double together[37 * 300], alone[300];
    float together_float[37 * 300], alone_float[300];
    /* items that cross 2^32, where the counter's word changes */
    mms_random_key key = {.seed = 5, .stream = MMS_STREAM_TEST, .step = 3, .item = UINT64_C(0xfffffff0)};
    mms_random_normals_items(key, items, count, together);
    mms_random_normals_items_float(key, items, count, together_float);
    for (int64_t i = 0; i < items; i++, key.item++) {
      mms_random_normals(key, 0, count, alone);
      mms_random_normals_float(key, 0, count, alone_float);
      assert_memory_equal(together + i * count, alone, (size_t)count * sizeof *alone);
      assert_memory_equal(together_float + i * count, alone_float, (size_t)count * sizeof *alone_float);
    }
  }
}

/* In any order, repeated or far apart. */
static void listed_items_are_the_items_alone(void **state) {
  (void)state;
  const int64_t counts[] = {1, 4, 12, 24, 300};
  const uint64_t list[] = {7, 3, UINT64_C(0x100000002), 3, 0, UINT64_C(0xffffffff), 12, 11, 10, 9, 8, 1};
  enum { LISTED = sizeof list / sizeof *list };
  for (size_t c = 0; c < sizeof counts / sizeof *counts; c++)
    for (int64_t items = 1; items <= LISTED; items++) {
      const int64_t count = counts[c];
      float together[LISTED * 300], alone[300];
      mms_random_key key = {.seed = 5, .stream = MMS_STREAM_TEST, .step = 3};
      mms_random_normals_list_float(key, list, items, count, together);
      for (int64_t i = 0; i < items; i++) {
        key.item = list[i];
        mms_random_normals_float(key, 0, count, alone);
        assert_memory_equal(together + i * count, alone, (size_t)count * sizeof *alone);
      }
    }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(transform_is_box_muller),
      cmocka_unit_test(doubles_are_normal),
      cmocka_unit_test(floats_are_normal),
      cmocka_unit_test(neighbours_are_independent),
      cmocka_unit_test(items_together_are_the_items_alone),
      cmocka_unit_test(listed_items_are_the_items_alone),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
