/* Replicated dense algebra on row-major arrays: thin, checked wrappers of CBLAS and LAPACKE.
 * All Local. Dimensions are int64_t and narrowed here: row counts of tall arrays may exceed 2^31,
 * columns may not. Same bits for the same shapes on the same processor type (one BLAS thread); a
 * row's bits may depend on how many rows are multiplied with it. */
#ifndef MMSOLD_LINALG_DENSE_H
#define MMSOLD_LINALG_DENSE_H

#include "mmsold/base/status.h"
#include <stdbool.h>
#include <stdint.h>

/* C [m][n] = alpha op(A) op(B) + beta C with op(A) m x k and op(B) k x n, all contiguous. */
void mms_dense_multiply(bool transpose_a, bool transpose_b, int64_t m, int64_t n, int64_t k, double alpha,
                        const double *a, const double *b, double beta, double *c);

/* Upper triangle of C [n][n] = alpha AᵀA + beta C, A [m][n]; the strict lower is untouched. */
void mms_dense_gram_upper(int64_t m, int64_t n, double alpha, const double *a, double beta, double *c);

/* The same by panels, for sums that are gathered piece by piece. With A, B [m][n]:
 * C [count][n] = rows first .. first + count − 1 of AᵀB;
 * C [count][n − first] = those of the upper triangle of AᵀA, from column `first` on; what lies below
 * the diagonal is untouched. */
void mms_dense_product_panel(int64_t m, int64_t n, int64_t first, int64_t count, const double *a, const double *b,
                             double *c);
void mms_dense_gram_panel(int64_t m, int64_t n, int64_t first, int64_t count, const double *a, double *c);

/* B [m][n] <- B op(T) with T [n][n] triangular (upper or lower). */
void mms_dense_triangle_right(bool upper, bool transpose, int64_t m, int64_t n, const double *t, double *b);

/* Copy the upper triangle of A [n][n] onto the lower. */
void mms_dense_mirror_upper(int64_t n, double *a);

/* In place: the upper Cholesky factor R (A = RᵀR, positive diagonal) of the symmetric A [n][n],
 * read from its upper triangle; strict lower set to zero. MMS_ERR_NUMERIC names the pivot. */
mms_status mms_dense_cholesky_upper(int64_t n, double *a, mms_error *error);

/* The same for a semidefinite A, with pivots: A[p_i][p_j] = (RᵀR)_ij, p = pivots [n]; rows of R from the rank on, where
 * what is left is within n·eps of the largest diagonal entry, are zero. A is read from its upper triangle; strict lower
 * set to zero. work: [2n]. Returns the rank. Allocates nothing. */
int64_t mms_dense_cholesky_semidefinite(int64_t n, double *a, int *pivots, double *work);

/* In place: inverse of the upper triangular R [n][n], below whose diagonal there have to be zeros. MMS_ERR_NUMERIC
 * where singular. */
mms_status mms_dense_invert_upper(int64_t n, double *r, mms_error *error);

/* Estimate of the reciprocal condition number (1-norm) of upper triangular R [n][n];
 * work: [3n] doubles, iwork: [n] ints. */
double mms_dense_condition_upper(int64_t n, const double *r, double *work, int *iwork);

/* Eigenvalues in DESCENDING order and eigenvectors of symmetric A [n][n] (destroyed): A = Q diag(w) Qᵀ,
 * column j of Q [n][n] belongs to w[j]. Each column's sign is fixed (its largest entry in size,
 * the first among equals, is positive) so that results do not depend on the library's whim. */
mms_status mms_dense_eigen(int64_t n, double *a, double *eigenvalues, double *q, mms_error *error);

/* The same with memory set aside beforehand, for callers that may not allocate. Owns its arrays. */
typedef struct mms_dense_eigen_work {
  double *doubles;
  int *integers;
  int length, integer_length;
} mms_dense_eigen_work;

mms_status mms_dense_eigen_work_create(mms_dense_eigen_work *work, int64_t n, mms_error *error);
void mms_dense_eigen_work_free(mms_dense_eigen_work *work);
mms_status mms_dense_eigen_with(const mms_dense_eigen_work *work, int64_t n, double *a, double *eigenvalues, double *q,
                                mms_error *error);

/* "OpenBLAS 0.3.21 ...": the library in use and how it was built, for --version and files. Local. */
const char *mms_dense_library(void);

#endif
