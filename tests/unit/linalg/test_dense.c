/* The wrappers of BLAS and LAPACK against plain loops. */
#include "support.h"

#include "mmsold/linalg/dense.h"
#include <stdlib.h>

enum { LARGEST = 64, WIDEST = 140 };

/* A fixed, irregular filling in (−1, 1). */
static void fill(int64_t count, double *values, unsigned salt) {
  uint64_t state = 88172645463325252ull + salt;
  for (int64_t i = 0; i < count; i++) {
    state = state * 6364136223846793005ull + 1442695040888963407ull;
    values[i] = (double)(int64_t)(state >> 11) / (double)(1ll << 52) - 1.0;
  }
}

static double largest_difference(int64_t count, const double *a, const double *b) {
  double largest = 0.0;
  for (int64_t i = 0; i < count; i++)
    if (!(fabs(a[i] - b[i]) <= largest)) largest = fabs(a[i] - b[i]);
  return largest;
}

static void naive_multiply(bool ta, bool tb, int64_t m, int64_t n, int64_t k, double alpha, const double *a,
                           const double *b, double beta, double *c) {
  for (int64_t i = 0; i < m; i++)
    for (int64_t j = 0; j < n; j++) {
      double sum = 0.0;
      for (int64_t l = 0; l < k; l++) sum += (ta ? a[l * m + i] : a[i * k + l]) * (tb ? b[j * k + l] : b[l * n + j]);
      c[i * n + j] = alpha * sum + beta * c[i * n + j];
    }
}

static void multiply_is_the_triple_loop(void **state) {
  (void)state;
  const int64_t shapes[][3] = {{1, 1, 1}, {3, 5, 7}, {64, 2, 2}, {2, 2, 64}, {17, 33, 9}, {5, 4, 0}, {0, 4, 3}};
  static double a[LARGEST * LARGEST], b[LARGEST * LARGEST], c[LARGEST * LARGEST], wanted[LARGEST * LARGEST];
  for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++)
    for (int flags = 0; flags < 4; flags++) {
      int64_t m = shapes[s][0], n = shapes[s][1], k = shapes[s][2];
      fill(m * k, a, 1);
      fill(k * n, b, 2);
      fill(m * n, c, 3);
      memcpy(wanted, c, sizeof c);
      naive_multiply(flags & 1, flags & 2, m, n, k, 0.7, a, b, -0.3, wanted);
      mms_dense_multiply(flags & 1, flags & 2, m, n, k, 0.7, a, b, -0.3, c);
      expect_near(largest_difference(m * n, c, wanted), 0.0, 1e-13);
    }
  c[0] = NAN; /* beta = 0 overwrites whatever was there */
  mms_dense_multiply(false, false, 1, 1, 0, 1.0, a, b, 0.0, c);
  expect_near(c[0], 0.0, 0.0);
}

static void gram_fills_the_upper_triangle_only(void **state) {
  (void)state;
  const int64_t shapes[][2] = {{1, 1}, {256, 2}, {16, 20}, {100, 7}, {0, 3}};
  static double a[2000], full[400], c[400], before[400];
  for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++) {
    int64_t m = shapes[s][0], n = shapes[s][1];
    fill(m * n, a, 5);
    fill(n * n, c, 6);
    memcpy(before, c, sizeof c);
    memcpy(full, c, sizeof c);
    naive_multiply(true, false, n, n, m, 2.0, a, a, 0.5, full);
    mms_dense_gram_upper(m, n, 2.0, a, 0.5, c);
    for (int64_t i = 0; i < n; i++)
      for (int64_t j = 0; j < n; j++)
        expect_near(c[i * n + j], j >= i ? full[i * n + j] : before[i * n + j], j >= i ? 1e-12 : 0.0);
    mms_dense_mirror_upper(n, c);
    for (int64_t i = 0; i < n; i++)
      for (int64_t j = 0; j < i; j++) expect_near(c[i * n + j], c[j * n + i], 0.0);
  }
}

static void panels_are_rows_of_the_products(void **state) {
  (void)state;
  const int64_t shapes[][4] = {{16, 20, 0, 7}, {16, 20, 7, 13}, {5, 3, 2, 1}, {0, 6, 1, 3}};
  static double a[2000], b[2000], full[400], c[400];
  for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++) {
    int64_t m = shapes[s][0], n = shapes[s][1], first = shapes[s][2], count = shapes[s][3], width = n - first;
    fill(m * n, a, 5);
    fill(m * n, b, 6);
    fill(n * n, c, 7);
    naive_multiply(true, false, n, n, m, 1.0, a, b, 0.0, full);
    mms_dense_product_panel(m, n, first, count, a, b, c);
    for (int64_t i = 0; i < count * n; i++) expect_near(c[i], full[first * n + i], 1e-12);
    naive_multiply(true, false, n, n, m, 1.0, a, a, 0.0, full);
    mms_dense_gram_panel(m, n, first, count, a, c);
    for (int64_t i = 0; i < count; i++)
      for (int64_t j = i; j < width; j++) expect_near(c[i * width + j], full[(first + i) * n + first + j], 1e-12);
  }
}

static void triangle_ignores_the_other_triangle(void **state) {
  (void)state;
  enum { ROWS = 9, N = 5 };
  double t[N * N], cut[N * N], b[ROWS * N], wanted[ROWS * N], c[ROWS * N];
  for (int flags = 0; flags < 4; flags++) {
    bool upper = flags & 1, transpose = flags & 2;
    fill(N * N, t, 7);
    fill(ROWS * N, b, 8);
    for (int i = 0; i < N; i++)
      for (int j = 0; j < N; j++) cut[i * N + j] = (upper ? j >= i : j <= i) ? t[i * N + j] : 0.0;
    naive_multiply(false, transpose, ROWS, N, N, 1.0, b, cut, 0.0, memset(wanted, 0, sizeof wanted));
    memcpy(c, b, sizeof b);
    mms_dense_triangle_right(upper, transpose, ROWS, N, t, c);
    expect_near(largest_difference((int64_t)ROWS * N, c, wanted), 0.0, 1e-14);
  }
}

/* A well-conditioned symmetric positive definite matrix: GᵀG + I. */
static void definite(int64_t n, double *a) {
  static double g[WIDEST * WIDEST];
  fill(n * n, g, 9);
  memset(a, 0, (size_t)(n * n) * sizeof *a);
  naive_multiply(true, false, n, n, n, 1.0, g, g, 0.0, a);
  for (int64_t i = 0; i < n; i++) a[i * n + i] += 1.0;
}

static void cholesky_inverse_and_condition(void **state) {
  (void)state;
  static double a[WIDEST * WIDEST], r[WIDEST * WIDEST], product[WIDEST * WIDEST];
  static double work[3 * WIDEST];
  static int iwork[WIDEST];
  mms_error error = mms_error_none();
  const int64_t wide[] = {48, 63, 64, 65, 100, 127, 128, 129, WIDEST}; /* and all the small ones */
  enum { SMALL = 40, WIDE = sizeof wide / sizeof *wide };
  for (int64_t k = 1; k <= SMALL + WIDE; k++) {
    const int64_t n = k <= SMALL ? k : wide[k - SMALL - 1];
    definite(n, a);
    memcpy(r, a, sizeof a);
    for (int64_t i = 0; i < n; i++)
      for (int64_t j = 0; j < i; j++) r[i * n + j] = NAN; /* never read */
    expect_ok(mms_dense_cholesky_upper(n, r, &error), &error);
    for (int64_t i = 0; i < n; i++) {
      assert_true(r[i * n + i] > 0.0);
      for (int64_t j = 0; j < i; j++) assert_true(r[i * n + j] == 0.0);
    }
    memset(product, 0, sizeof product);
    naive_multiply(true, false, n, n, n, 1.0, r, r, 0.0, product);
    expect_near(largest_difference(n * n, product, a), 0.0, 1e-12);

    static double inverse[WIDEST * WIDEST];
    memcpy(inverse, r, sizeof r);
    expect_ok(mms_dense_invert_upper(n, inverse, &error), &error);
    memset(product, 0, sizeof product);
    naive_multiply(false, false, n, n, n, 1.0, r, inverse, 0.0, product);
    for (int64_t i = 0; i < n; i++)
      for (int64_t j = 0; j < n; j++) expect_near(product[i * n + j], i == j, 1e-13);

    double norm = 0.0, inverse_norm = 0.0; /* 1-norms: largest column sums */
    for (int64_t j = 0; j < n; j++) {
      double column = 0.0, inverse_column = 0.0;
      for (int64_t i = 0; i <= j; i++) {
        column += fabs(r[i * n + j]);
        inverse_column += fabs(inverse[i * n + j]);
      }
      norm = fmax(norm, column);
      inverse_norm = fmax(inverse_norm, inverse_column);
    }
    double estimate = 1.0 / mms_dense_condition_upper(n, r, work, iwork);
    double condition = norm * inverse_norm; /* the estimate is a lower bound, seldom off by more than 3 */
    assert_true(estimate <= condition * (1.0 + 1e-12) && estimate >= condition / 3.0);
  }
}

static void condition_is_of_the_1_norm(void **state) {
  (void)state;
  double r[] = {1.0, 8.0, 8.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0}; /* 1-norm 9, its inverse's 9; infinity norms 17 */
  double work[9];
  int iwork[3];
  expect_near(1.0 / mms_dense_condition_upper(3, r, work, iwork), 81.0, 1e-10);
}

static void breakdowns_are_refused(void **state) {
  (void)state;
  mms_error error = mms_error_none();
  double indefinite[] = {1.0, 2.0, 2.0, 1.0};
  expect_refused(mms_dense_cholesky_upper(2, indefinite, &error), MMS_ERR_NUMERIC, &error, "pivot 2");
  double broken[] = {1.0, 0.0, 0.0, NAN};
  expect_refused(mms_dense_cholesky_upper(2, broken, &error), MMS_ERR_NUMERIC, &error, "pivot 2");
  double infinite[] = {INFINITY, 0.0, 0.0, 1.0};
  expect_refused(mms_dense_cholesky_upper(2, infinite, &error), MMS_ERR_NUMERIC, &error, "pivot 1");
  double singular[] = {1.0, 2.0, 0.0, 0.0};
  expect_refused(mms_dense_invert_upper(2, singular, &error), MMS_ERR_NUMERIC, &error, "entry 2");
  double w[2], q[4], nan[] = {1.0, NAN, 0.0, 1.0};
  expect_refused(mms_dense_eigen(2, nan, w, q, &error), MMS_ERR_NUMERIC, &error, "(1, 2)");
  double one = 1.0;
  expect_refused(mms_dense_cholesky_upper(1ll << 40, &one, &error), MMS_ERR_INTERNAL, &error, "1099511627776");
  expect_refused(mms_dense_invert_upper(-1, &one, &error), MMS_ERR_INTERNAL, &error, "-1");
}

static void eigen_descends_and_rebuilds(void **state) {
  (void)state;
  static double a[LARGEST * LARGEST], kept[LARGEST * LARGEST], q[LARGEST * LARGEST], w[LARGEST];
  static double scaled[LARGEST * LARGEST], product[LARGEST * LARGEST];
  mms_error error = mms_error_none();
  const int64_t sizes[] = {1, 2, 3, 20, LARGEST};
  for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
    int64_t n = sizes[s];
    definite(n, a);
    memcpy(kept, a, sizeof a);
    for (int64_t i = 0; i < n; i++)
      for (int64_t j = 0; j < i; j++) a[i * n + j] = NAN; /* the upper triangle says it all */
    expect_ok(mms_dense_eigen(n, a, w, q, &error), &error);
    for (int64_t j = 0; j < n; j++) {
      if (j > 0) assert_true(w[j] <= w[j - 1]);
      double largest = 0.0;
      for (int64_t i = 0; i < n; i++) {
        if (fabs(q[i * n + j]) > fabs(largest)) largest = q[i * n + j];
        scaled[i * n + j] = q[i * n + j] * w[j];
      }
      assert_true(largest > 0.0);
    }
    memset(product, 0, sizeof product);
    naive_multiply(false, true, n, n, n, 1.0, scaled, q, 0.0, product);
    expect_near(largest_difference(n * n, product, kept), 0.0, 1e-12);
    memset(product, 0, sizeof product);
    naive_multiply(true, false, n, n, n, 1.0, q, q, 0.0, product);
    for (int64_t i = 0; i < n; i++)
      for (int64_t j = 0; j < n; j++) expect_near(product[i * n + j], i == j, 1e-13);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(multiply_is_the_triple_loop),     cmocka_unit_test(gram_fills_the_upper_triangle_only),
      cmocka_unit_test(panels_are_rows_of_the_products), cmocka_unit_test(triangle_ignores_the_other_triangle),
      cmocka_unit_test(cholesky_inverse_and_condition),  cmocka_unit_test(condition_is_of_the_1_norm),
      cmocka_unit_test(breakdowns_are_refused),          cmocka_unit_test(eigen_descends_and_rebuilds),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
