/* Row-major arrays are handed to LAPACK as column-major ones of the transpose: the upper triangle
 * here is its lower one. No copy, no transposition, and the _work entries allocate nothing. */
#include "mmsold/linalg/dense.h"

#include "linalg/small.h"
#include "mmsold/base/memory.h"
#include <cblas.h>
#include <lapacke.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Rows handed to BLAS in one call: keeps a tall array within the 32-bit counts it takes. */
static const int64_t ROWS_AT_ONCE = (int64_t)1 << 30;

static int rows_now(int64_t left) { return (int)(left < ROWS_AT_ONCE ? left : ROWS_AT_ONCE); }

/* C = beta C, for products over nothing. */
static void scale(int64_t count, double beta, double *c) {
  for (int64_t i = 0; i < count; i++) c[i] = beta == 0.0 ? 0.0 : beta * c[i];
}

void mms_dense_multiply(bool transpose_a, bool transpose_b, int64_t m, int64_t n, int64_t k, double alpha,
                        const double *a, const double *b, double beta, double *c) {
  if (m <= 0 || n <= 0) return;
  if (k <= 0) {
    scale(m * n, beta, c);
    return;
  }
  CBLAS_TRANSPOSE op_a = transpose_a ? CblasTrans : CblasNoTrans, op_b = transpose_b ? CblasTrans : CblasNoTrans;
  int ldb = (int)(transpose_b ? k : n);
  if (!transpose_a) { /* rows of A are rows of C */
    for (int64_t row = 0; row < m; row += ROWS_AT_ONCE)
      cblas_dgemm(CblasRowMajor, op_a, op_b, rows_now(m - row), (int)n, (int)k, alpha, a + row * k, (int)k, b, ldb,
                  beta, c + row * n, (int)n);
    return;
  }
  for (int64_t row = 0; row < k; row += ROWS_AT_ONCE) /* rows of A are summed over */
    cblas_dgemm(CblasRowMajor, op_a, op_b, (int)m, (int)n, rows_now(k - row), alpha, a + row * m, (int)m,
                transpose_b ? b + row : b + row * n, ldb, row == 0 ? beta : 1.0, c, (int)n);
}

void mms_dense_gram_upper(int64_t m, int64_t n, double alpha, const double *a, double beta, double *c) {
  if (n <= 0) return;
  if (m <= 0) {
    for (int64_t i = 0; i < n; i++) scale(n - i, beta, c + i * n + i);
    return;
  }
  for (int64_t row = 0; row < m; row += ROWS_AT_ONCE)
    cblas_dsyrk(CblasRowMajor, CblasUpper, CblasTrans, (int)n, rows_now(m - row), alpha, a + row * n, (int)n,
                row == 0 ? beta : 1.0, c, (int)n);
}

void mms_dense_product_panel(int64_t m, int64_t n, int64_t first, int64_t count, const double *a, const double *b,
                             double *c) {
  if (m <= 0) scale(count * n, 0.0, c);
  for (int64_t row = 0; row < m && count > 0; row += ROWS_AT_ONCE)
    cblas_dgemm(CblasRowMajor, CblasTrans, CblasNoTrans, (int)count, (int)n, rows_now(m - row), 1.0,
                a + row * n + first, (int)n, b + row * n, (int)n, row == 0 ? 0.0 : 1.0, c, (int)n);
}

void mms_dense_gram_panel(int64_t m, int64_t n, int64_t first, int64_t count, const double *a, double *c) {
  int64_t width = n - first, beside = width - count;
  if (m <= 0) scale(count * width, 0.0, c);
  for (int64_t row = 0; row < m && count > 0; row += ROWS_AT_ONCE) {
    const double *from = a + row * n + first;
    double beta = row == 0 ? 0.0 : 1.0;
    cblas_dsyrk(CblasRowMajor, CblasUpper, CblasTrans, (int)count, rows_now(m - row), 1.0, from, (int)n, beta, c,
                (int)width);
    if (beside > 0)
      cblas_dgemm(CblasRowMajor, CblasTrans, CblasNoTrans, (int)count, (int)beside, rows_now(m - row), 1.0, from,
                  (int)n, from + count, (int)n, beta, c + count, (int)width);
  }
}

void mms_dense_triangle_right(bool upper, bool transpose, int64_t m, int64_t n, const double *t, double *b) {
  if (n <= 0) return;
  for (int64_t row = 0; row < m; row += ROWS_AT_ONCE)
    cblas_dtrmm(CblasRowMajor, CblasRight, upper ? CblasUpper : CblasLower, transpose ? CblasTrans : CblasNoTrans,
                CblasNonUnit, rows_now(m - row), (int)n, 1.0, t, (int)n, b + row * n, (int)n);
}

void mms_dense_mirror_upper(int64_t n, double *a) {
  enum { TILE = 32 }; /* so that a column's cache lines are read once */
  for (int64_t i0 = 0; i0 < n; i0 += TILE)
    for (int64_t j0 = 0; j0 <= i0; j0 += TILE)
      for (int64_t i = i0; i < n && i < i0 + TILE; i++)
        for (int64_t j = j0; j < i && j < j0 + TILE; j++) a[i * n + j] = a[j * n + i];
}

mms_status mms_dense_cholesky_upper(int64_t n, double *a, mms_error *error) {
  int size;
  mms_status status = mms_narrow(&size, n, "the order of a matrix", error);
  if (status != MMS_OK || size == 0) return status;
  int info =
      size <= MMS_SMALL ? mms_small_cholesky(size, size, a) : LAPACKE_dpotrf_work(LAPACK_COL_MAJOR, 'L', size, a, size);
  if (info < 0) return mms_fail(error, MMS_ERR_INTERNAL, "Cholesky factorisation: argument %d is wrong", -info);
  if (info > 0)
    return mms_fail(error, MMS_ERR_NUMERIC,
                    "a %d x %d matrix is not positive definite: its Cholesky factorisation breaks at pivot %d", size,
                    size, info);
  for (int64_t i = 0; i < n; i++) {
    memset(a + i * n, 0, (size_t)i * sizeof *a);
    /* NaN passes LAPACK's test of the pivot on some processors: ask again. */
    if (!(a[i * n + i] > 0.0) || !isfinite(a[i * n + i]))
      return mms_fail(error, MMS_ERR_NUMERIC, "a %d x %d matrix is not finite: its Cholesky pivot %lld is %g", size,
                      size, (long long)i + 1, a[i * n + i]);
  }
  return MMS_OK;
}

int64_t mms_dense_cholesky_semidefinite(int64_t n, double *a, int *pivots, double *work) {
  int rank = 0;
  LAPACKE_dpstrf_work(LAPACK_COL_MAJOR, 'L', (int)n, a, (int)n, pivots, &rank, -1.0, work); /* its own tolerance */
  for (int64_t i = 0; i < n; i++) {
    pivots[i]--; /* counted from 1 there */
    for (int64_t j = 0; j < n; j++)
      if (j < i || i >= rank) a[i * n + j] = 0.0;
  }
  return rank;
}

/* In place R⁻¹ of R [n][n], whose rows are `width` apart, in halves:  (A B; 0 C)⁻¹ = (A⁻¹  −A⁻¹ B C⁻¹; 0  C⁻¹). Nearly
 * all of it is products with triangles, which BLAS makes much faster than LAPACK inverts. */
static void invert_halves(int n, int width, double *r) {
  if (n <= MMS_SMALL) {
    mms_small_invert_upper(n, width, r);
    return;
  }
  const int half = n / 2, rest = n - half;
  double *beside = r + half, *below = r + (int64_t)half * width + half;
  invert_halves(half, width, r);
  invert_halves(rest, width, below);
  cblas_dtrmm(CblasRowMajor, CblasLeft, CblasUpper, CblasNoTrans, CblasNonUnit, half, rest, -1.0, r, width, beside,
              width);
  cblas_dtrmm(CblasRowMajor, CblasRight, CblasUpper, CblasNoTrans, CblasNonUnit, half, rest, 1.0, below, width, beside,
              width);
}

mms_status mms_dense_invert_upper(int64_t n, double *r, mms_error *error) {
  int size;
  mms_status status = mms_narrow(&size, n, "the order of a matrix", error);
  if (status != MMS_OK || size == 0) return status;
  for (int64_t i = 0; i < n; i++)
    if (r[i * n + i] == 0.0)
      return mms_fail(error, MMS_ERR_NUMERIC, "a triangular %d x %d matrix is singular: diagonal entry %d is zero",
                      size, size, (int)i + 1);
  invert_halves(size, size, r);
  return MMS_OK;
}

double mms_dense_condition_upper(int64_t n, const double *r, double *work, int *iwork) {
  if (n <= 0) return 1.0;
  /* The 1-norm of R is the infinity norm of the transpose that LAPACK sees. */
  double reciprocal = 0.0;
  LAPACKE_dtrcon_work(LAPACK_COL_MAJOR, 'I', 'L', 'N', (int)n, r, (int)n, &reciprocal, work, iwork);
  return reciprocal;
}

mms_status mms_dense_eigen_work_create(mms_dense_eigen_work *work, int64_t n, mms_error *error) {
  *work = (mms_dense_eigen_work){0};
  int size;
  mms_status status = mms_narrow(&size, n, "the order of a matrix", error);
  if (status != MMS_OK) return status;
  double length, unused = 0.0;
  int ilength;
  int info = LAPACKE_dsyevd_work(LAPACK_COL_MAJOR, 'V', 'L', size, &unused, size > 0 ? size : 1, &unused, &length, -1,
                                 &ilength, -1);
  if (info != 0) return mms_fail(error, MMS_ERR_INTERNAL, "eigenvalues: workspace query failed (%d)", info);
  status = mms_narrow(&work->length, (int64_t)length, "workspace for eigenvalues", error);
  work->integer_length = ilength;
  void *integers = NULL;
  if (status == MMS_OK) status = mms_allocate_doubles(&work->doubles, work->length, "eigenvalue workspace", error);
  if (status == MMS_OK) status = mms_allocate(&integers, ilength, sizeof(int), "eigenvalue workspace", error);
  work->integers = integers;
  if (status != MMS_OK) mms_dense_eigen_work_free(work);
  return status;
}

void mms_dense_eigen_work_free(mms_dense_eigen_work *work) {
  free(work->doubles);
  free(work->integers);
  *work = (mms_dense_eigen_work){0};
}

mms_status mms_dense_eigen_with(const mms_dense_eigen_work *work, int64_t n, double *a, double *eigenvalues, double *q,
                                mms_error *error) {
  int size;
  mms_status status = mms_narrow(&size, n, "the order of a matrix", error);
  if (status != MMS_OK || size == 0) return status;
  for (int64_t i = 0; i < n; i++) /* LAPACK may not come back from NaN */
    for (int64_t j = i; j < n; j++)
      if (!isfinite(a[i * n + j]))
        return mms_fail(error, MMS_ERR_NUMERIC, "eigenvalues of a %d x %d matrix: entry (%lld, %lld) is %g", size, size,
                        (long long)i + 1, (long long)j + 1, a[i * n + j]);
  int info = LAPACKE_dsyevd_work(LAPACK_COL_MAJOR, 'V', 'L', size, a, size, eigenvalues, work->doubles, work->length,
                                 work->integers, work->integer_length);
  if (info < 0) return mms_fail(error, MMS_ERR_INTERNAL, "eigenvalues: argument %d is wrong", -info);
  if (info > 0)
    return mms_fail(error, MMS_ERR_NUMERIC, "eigenvalues of a %d x %d matrix: the iteration did not converge", size,
                    size);
  for (int64_t j = 0; j < n / 2; j++) {
    double swapped = eigenvalues[j];
    eigenvalues[j] = eigenvalues[n - 1 - j];
    eigenvalues[n - 1 - j] = swapped;
  }
  for (int64_t j = 0; j < n; j++) { /* row n − 1 − j of a is the vector of the j-th largest eigenvalue */
    const double *vector = a + (n - 1 - j) * n;
    int64_t largest = 0;
    for (int64_t i = 1; i < n; i++)
      if (fabs(vector[i]) > fabs(vector[largest])) largest = i;
    double sign = vector[largest] < 0.0 ? -1.0 : 1.0;
    for (int64_t i = 0; i < n; i++) q[i * n + j] = sign * vector[i];
  }
  return MMS_OK;
}

mms_status mms_dense_eigen(int64_t n, double *a, double *eigenvalues, double *q, mms_error *error) {
  mms_dense_eigen_work work;
  mms_status status = mms_dense_eigen_work_create(&work, n, error);
  if (status == MMS_OK) status = mms_dense_eigen_with(&work, n, a, eigenvalues, q, error);
  mms_dense_eigen_work_free(&work);
  return status;
}
