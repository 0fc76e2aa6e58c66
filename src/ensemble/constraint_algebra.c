/* The d × d work of a step, the same on every rank. */
#include "ensemble/constraint_state.h"

#include <float.h>
#include <math.h>
#include <string.h>

/* Measured from d = 1 to 400, P = d + 1 to 1,000, steps up to 1,000 times too large, QR and polar:
 * where rounding is magnified at all, the defect one retraction leaves is below
 * ROUNDING · eps · growth · max_j |R⁻¹ e_j|². */
static const double ROUNDING = 4.0;

/* Above it a second retraction could start too far from the manifold to end on it. */
static const double HOPELESS = 1e-2;

/* A = I − sym(C)/P,  m = (1ᵀY A + 1ᵀW)/P,  P root = AᵀDA + AᵀC + CᵀA + S − P m mᵀ. */
void mms_constraint_assemble(mms_constraint *constraint) {
  int64_t n = constraint->dim;
  double particles = (double)constraint->blocks.total;
  double *a = constraint->a, *c = constraint->c, *root = constraint->root, *product = constraint->turn;
  for (int64_t i = 0; i < n; i++)
    for (int64_t j = 0; j < n; j++)
      a[i * n + j] = (i == j ? 1.0 : 0.0) - 0.5 * (c[i * n + j] + c[j * n + i]) / particles;
  memcpy(constraint->center, constraint->sum_w, (size_t)n * sizeof *constraint->center);
  mms_dense_multiply(false, false, 1, n, n, 1.0, constraint->sum_y, a, 1.0, constraint->center);
  for (int64_t k = 0; k < n; k++) constraint->center[k] /= particles;
  /* AᵀDA + AᵀC + CᵀA = sym(Aᵀ(DA + 2C)) */
  memcpy(product, c, (size_t)(n * n) * sizeof *product);
  mms_dense_multiply(false, false, n, n, n, 1.0, constraint->d, a, 2.0, product);
  mms_dense_multiply(true, false, n, n, n, 1.0, a, product, 0.0, root);
  for (int64_t i = 0; i < n; i++)
    for (int64_t j = i; j < n; j++) {
      double symmetric = 0.5 * (root[i * n + j] + root[j * n + i]) + constraint->s[i * n + j];
      root[i * n + j] = symmetric / particles - constraint->center[i] * constraint->center[j];
    }
}

/* The 1-norm (largest column sum) and the infinity norm (largest row sum) of an n × n matrix. */
static void norms(int64_t n, const double *a, double *column_work, double *one, double *infinity) {
  *one = *infinity = 0.0;
  memset(column_work, 0, (size_t)n * sizeof *column_work);
  for (int64_t i = 0; i < n; i++) {
    double row = 0.0;
    for (int64_t j = 0; j < n; j++) {
      row += fabs(a[i * n + j]);
      column_work[j] += fabs(a[i * n + j]);
    }
    *infinity = fmax(*infinity, row);
  }
  for (int64_t j = 0; j < n; j++) *one = fmax(*one, column_work[j]);
}

/* Y' = YA + W with ‖Y‖² = P: AᵀDA, AᵀC and S are at most a²P, a√s P and sP for a = ‖A‖ and
 * s = ‖S‖/P, so the terms of Gram/P add up to (a + √s)² at most, much more than Gram/P itself
 * where a large step runs along Y and the projection takes it back. */
double mms_constraint_growth(const mms_constraint *constraint) {
  double a, s, same;
  norms(constraint->dim, constraint->a, constraint->eigenvalues, &a, &same);
  norms(constraint->dim, constraint->s, constraint->eigenvalues, &s, &same);
  double sum = a + sqrt(s / (double)constraint->blocks.total);
  return sum * sum;
}

/* inverse = (Gram/P)^{-1/2} = Q w^{-1/2} Qᵀ; κ of the root. */
static mms_status polar_root(mms_constraint *constraint, double *condition, mms_error *error) {
  int64_t n = constraint->dim;
  double *q = constraint->turn, *w = constraint->eigenvalues;
  mms_status status = mms_dense_eigen_with(&constraint->eigen, n, constraint->root, w, q, error);
  if (status != MMS_OK) return status;
  if (!(w[n - 1] > 0.0))
    return mms_fail(error, MMS_ERR_NUMERIC,
                    "the second moment of the particles is not positive definite: eigenvalues from %g to %g", w[0],
                    w[n - 1]);
  for (int64_t i = 0; i < n; i++)
    for (int64_t j = 0; j < n; j++) constraint->root[i * n + j] = q[i * n + j] / sqrt(w[j]);
  mms_dense_multiply(false, true, n, n, n, 1.0, constraint->root, q, 0.0, constraint->inverse);
  *condition = sqrt(w[0] / w[n - 1]);
  return MMS_OK;
}

/* inverse = R⁻¹ with RᵀR = Gram/P; κ₁(R). */
static mms_status triangular_root(mms_constraint *constraint, double *condition, mms_error *error) {
  int64_t n = constraint->dim;
  double one, inverse_one, same;
  mms_status status = mms_dense_cholesky_upper(n, constraint->root, error);
  if (status != MMS_OK) return error == NULL ? status : mms_fail_within(error, "the second moment of the particles");
  memcpy(constraint->inverse, constraint->root, (size_t)(n * n) * sizeof *constraint->inverse);
  status = mms_dense_invert_upper(n, constraint->inverse, error);
  if (status != MMS_OK) return status;
  norms(n, constraint->root, constraint->eigenvalues, &one, &same);
  norms(n, constraint->inverse, constraint->eigenvalues, &inverse_one, &same);
  *condition = one * inverse_one;
  return MMS_OK;
}

/* The largest square sum of a column. With Gram/P = RᵀR + E the new YᵀY/P is I + R⁻ᵀER⁻¹, and an entry of
 * that is at most ‖E‖ times this of R⁻¹. */
static double longest_column(int64_t n, const double *a) {
  double longest = 0.0;
  for (int64_t j = 0; j < n; j++) {
    double square = 0.0;
    for (int64_t i = 0; i < n; i++) square += a[i * n + j] * a[i * n + j];
    longest = fmax(longest, square);
  }
  return longest;
}

mms_status mms_constraint_factor(mms_constraint *constraint, double growth, mms_error *error) {
  mms_moments_report *report = &constraint->report;
  mms_status status = constraint->retraction == MMS_RETRACTION_POLAR
                          ? polar_root(constraint, &report->condition, error)
                          : triangular_root(constraint, &report->condition, error);
  if (status != MMS_OK) return status;
  report->error_bound = ROUNDING * DBL_EPSILON * growth * longest_column(constraint->dim, constraint->inverse);
  if (!(report->error_bound < HOPELESS))
    return mms_fail(error, MMS_ERR_NUMERIC,
                    "the second moment of the particles is singular to working precision (condition %.2g, rounding "
                    "magnified %.2g times)",
                    report->condition, report->error_bound / DBL_EPSILON);
  return MMS_OK;
}
