/* Small triangles by the kernels of every instruction set that this processor has, against plain loops. */
#include "support.h"

#include "linalg/small.h"
#include "mmsold/random/random.h"
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { WIDTH = MMS_SMALL + 3 };

static const char *const sets[] = {"portable", "avx2", "avx512"};
enum { SETS = sizeof sets / sizeof *sets };

/* The upper triangle of GᵀG/n + I, NaN beyond it and below. */
static void definite(int n, double *a) {
  static double g[MMS_SMALL * MMS_SMALL];
  mms_random_normals((mms_random_key){.seed = 5, .stream = MMS_STREAM_TEST, .item = (uint64_t)n}, 0, (int64_t)n * n, g);
  for (int i = 0; i < n; i++)
    for (int j = 0; j < WIDTH; j++) {
      double sum = i == j;
      for (int k = 0; k < n && j < n; k++) sum += g[k * n + i] * g[k * n + j] / n;
      a[i * WIDTH + j] = j >= i && j < n ? sum : (double)NAN;
    }
}

/* Entry (i, j) of the product of two upper triangles, or of the transpose of the first with the second. */
static double entry(bool transpose, int n, const double *a, const double *b, int i, int j) {
  double sum = 0.0;
  for (int k = transpose ? 0 : i; k <= (transpose && i < j ? i : j) && k < n; k++)
    sum += (transpose ? a[k * WIDTH + i] : a[i * WIDTH + k]) * b[k * WIDTH + j];
  return sum;
}

static void check(const mms_small_kernels *kernels, int n) {
  static double a[MMS_SMALL * WIDTH], r[MMS_SMALL * WIDTH], inverse[MMS_SMALL * WIDTH];
  definite(n, a);
  memcpy(r, a, sizeof r);
  assert_int_equal(kernels->cholesky(n, WIDTH, r), 0);
  for (int i = 0; i < n; i++) memset(r + i * WIDTH, 0, (size_t)i * sizeof *r);
  memcpy(inverse, r, sizeof r);
  kernels->invert_upper(n, WIDTH, inverse);
  for (int i = 0; i < n; i++) {
    for (int j = 0; j < i; j++) assert_true(inverse[i * WIDTH + j] == 0.0);
    for (int j = i; j < n; j++) {
      expect_near(entry(true, n, r, r, i, j), a[i * WIDTH + j], 1e-13);
      expect_near(entry(false, n, r, inverse, i, j), i == j, 1e-13);
    }
    for (int j = n; j < WIDTH; j++) assert_true(isnan(r[i * WIDTH + j]) && isnan(inverse[i * WIDTH + j]));
  }
}

static void factor_and_inverse(void **state) {
  (void)state;
  const int wide[] = {48, 63, 64, 65, 100, MMS_SMALL - 1, MMS_SMALL};
  for (int s = 0; s < SETS; s++) {
    const mms_small_kernels *kernels = mms_small_kernels_named(sets[s]);
    if (s == 0) assert_non_null(kernels);
    for (int n = 1; n <= 40 && kernels != NULL; n++) check(kernels, n);
    for (size_t k = 0; k < sizeof wide / sizeof *wide && kernels != NULL; k++) check(kernels, wide[k]);
  }
  assert_null(mms_small_kernels_named("no such set"));
}

/* The pivot that is not positive, or not a number, is named. */
static void the_pivot_is_named(void **state) {
  (void)state;
  static double a[MMS_SMALL * WIDTH];
  for (int s = 0; s < SETS; s++)
    for (int n = 5; n <= 37; n += 16)
      for (int pivot = 1; pivot <= n; pivot += 4) {
        const mms_small_kernels *kernels = mms_small_kernels_named(sets[s]);
        if (kernels == NULL) continue;
        definite(n, a);
        a[(pivot - 1) * WIDTH + pivot - 1] = pivot % 8 == 1 ? -1.0 : (double)NAN;
        assert_int_equal(kernels->cholesky(n, WIDTH, a), pivot);
      }
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(factor_and_inverse), cmocka_unit_test(the_pivot_is_named)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
