#include "mmsold/ensemble/tilt.h"

#include "ensemble/few.h"
#include "mmsold/linalg/dense.h"
#include "mmsold/parallel/exact_sum.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

void mms_tilt_free(mms_tilt *tilt) {
  mms_matrix_free(&tilt->mean);
  mms_matrix_free(&tilt->linear);
  mms_matrix_free(&tilt->quadratic);
  mms_matrix_free(&tilt->linear_error);
  mms_matrix_free(&tilt->quadratic_error);
  mms_matrix_free(&tilt->scratch);
  *tilt = (mms_tilt){0};
}

/* Everything but the values: sizes, δ, μ*. */
static mms_status allocate(mms_tilt *tilt, const mms_target *target, bool errors, mms_error *error) {
  int64_t d = target->dim;
  *tilt = (mms_tilt){.dim = d, .bandwidth = target->bandwidth};
  mms_status status = mms_matrix_create(&tilt->mean, 1, d, "the tilt's mean", error);
  if (status == MMS_OK) status = mms_matrix_create(&tilt->linear, 1, d, "the linear tilt", error);
  if (status == MMS_OK) status = mms_matrix_create(&tilt->quadratic, d, d, "the quadratic tilt", error);
  if (status == MMS_OK)
    status = mms_matrix_create(&tilt->scratch, (int64_t)2 * MMS_TILT_TILE, d, "rows of the tilt", error);
  if (status == MMS_OK && errors) {
    status = mms_matrix_create(&tilt->linear_error, 1, d, "the errors of the tilt", error);
    if (status == MMS_OK) status = mms_matrix_create(&tilt->quadratic_error, d, d, "the errors of the tilt", error);
  }
  if (status == MMS_OK) memcpy(tilt->mean.data, target->mean.data, (size_t)d * sizeof(double));
  return status;
}

/* A ← (A + Aᵀ)/2, symmetric to the bit. */
static void symmetrise(int64_t d, double *a) {
  for (int64_t i = 0; i < d; i++)
    for (int64_t j = 0; j < i; j++) a[i * d + j] = a[j * d + i] = 0.5 * (a[i * d + j] + a[j * d + i]);
}

mms_status mms_tilt_create(mms_tilt *tilt, const mms_target *target, const double *linear, const double *quadratic,
                           mms_error *error) {
  mms_status status = allocate(tilt, target, false, error);
  if (status != MMS_OK) {
    mms_tilt_free(tilt);
    return status;
  }
  size_t d = (size_t)target->dim;
  memcpy(tilt->linear.data, linear, d * sizeof(double));
  memcpy(tilt->quadratic.data, quadratic, d * d * sizeof(double));
  symmetrise(target->dim, tilt->quadratic.data);
  return MMS_OK;
}

/* --- the sums ------------------------------------------------------------------------------ */

/* Σ* = Q diag(w) Qᵀ, and what the sums need. Lengths are measured in s = √w_max, gradients in s/δ² (the pull at that
 * distance), so that what is summed is of order one. */
typedef struct solver {
  const mms_target *target;
  int64_t dim;
  double length, pull; /* s, s/δ² */
  mms_matrix q, w;     /* [d][d], [1][d] */
  mms_matrix rows;     /* [block][d] a = (z−μ*)/s, then [block][d] b = ∇V δ²/s */
  mms_matrix values;   /* [1][d + d²]: one block's sums; Σ b, then Σ a bᵀ */
  mms_matrix work;     /* [2 d][d] */
  mms_exact_sum *sum;
} solver;

static void put_away(solver *self) {
  mms_matrix_free(&self->q);
  mms_matrix_free(&self->w);
  mms_matrix_free(&self->rows);
  mms_matrix_free(&self->values);
  mms_matrix_free(&self->work);
  mms_exact_sum_free(&self->sum);
}

static mms_status set_up(solver *self, const mms_target *target, const mms_blocks *blocks, mms_error *error) {
  int64_t d = target->dim;
  const mms_exact_sum_shape shape = {.fine = d + d * d, .addends = blocks->count};
  *self = (solver){.target = target, .dim = d, .length = sqrt(target->eigenvalues.data[0])};
  self->pull = self->length / (target->bandwidth * target->bandwidth);
  mms_status status = mms_matrix_create(&self->q, d, d, "the tilt's eigenvectors", error);
  if (status == MMS_OK) status = mms_matrix_create(&self->w, 1, d, "the tilt's eigenvalues", error);
  if (status == MMS_OK) status = mms_matrix_create(&self->rows, 2 * blocks->size, d, "rows of the tilt", error);
  if (status == MMS_OK) status = mms_matrix_create(&self->values, 1, d + d * d, "sums of the tilt", error);
  if (status == MMS_OK) status = mms_matrix_create(&self->work, 2 * d, d, "sums of the tilt", error);
  if (status == MMS_OK) status = mms_exact_sum_create(&self->sum, &shape, error);
  return status;
}

/* One block's rows in units of order one. Returns its number of rows. */
static int64_t load_block(solver *self, const mms_blocks *blocks, int64_t block, const double *points,
                          const double *gradients) {
  int64_t d = self->dim, rows = mms_blocks_rows(blocks, block);
  int64_t first = mms_blocks_first_row(blocks, block) - blocks->first_row;
  double *a = self->rows.data, *b = a + blocks->size * d;
  for (int64_t i = 0; i < rows; i++)
    for (int64_t k = 0; k < d; k++) {
      a[i * d + k] = (points[(first + i) * d + k] - self->target->mean.data[k]) / self->length;
      b[i * d + k] = gradients[(first + i) * d + k] / self->pull;
    }
  return rows;
}

static mms_status reduce(solver *self, const mms_team *team, mms_error *error) {
  mms_exact_sum_reduce(self->sum, team);
  if (mms_exact_sum_refused(self->sum) > 0)
    return mms_fail(error, MMS_ERR_NUMERIC,
                    "the tilt: the gradient of V is not finite, or immense, at some of the points it is averaged over");
  mms_exact_sum_read_fine(self->sum, 0, self->values.cols, self->values.data);
  return MMS_OK;
}

/* Σ b and Σ a bᵀ over all points. */
static mms_status add_up(solver *self, const mms_team *team, const mms_blocks *blocks, const double *points,
                         const double *gradients, mms_error *error) {
  int64_t d = self->dim;
  double *values = self->values.data;
  const double *a = self->rows.data, *b = a + blocks->size * d;
  mms_exact_sum_clear(self->sum);
  for (int64_t block = blocks->first; block < blocks->end; block++) {
    int64_t rows = load_block(self, blocks, block, points, gradients);
    memset(values, 0, (size_t)d * sizeof *values);
    for (int64_t i = 0; i < rows; i++)
      for (int64_t k = 0; k < d; k++) values[k] += b[i * d + k];
    mms_dense_multiply(true, false, d, d, rows, 1.0, a, b, 0.0, values + d);
    mms_exact_sum_add_fine(self->sum, 0, d + d * d, values);
  }
  return reduce(self, team, error);
}

/* --- the Lyapunov equation ------------------------------------------------------------------ */

/* Λ of ΣΛ + ΛΣ = 2 S for symmetric S, both [d][d] and in place: in the eigenbasis Λ̂_ij = 2 Ŝ_ij/(w_i + w_j). */
static void solve_lyapunov(const solver *self, double *s, double *work) {
  int64_t d = self->dim;
  const double *q = self->q.data, *w = self->w.data;
  mms_dense_multiply(true, false, d, d, d, 1.0, q, s, 0.0, work);
  mms_dense_multiply(false, false, d, d, d, 1.0, work, q, 0.0, s);
  for (int64_t i = 0; i < d; i++)
    for (int64_t j = 0; j < d; j++) s[i * d + j] *= 2.0 / (w[i] + w[j]);
  mms_dense_multiply(false, false, d, d, d, 1.0, q, s, 0.0, work);
  mms_dense_multiply(false, true, d, d, d, 1.0, work, q, 0.0, s);
  symmetrise(d, s);
}

static mms_status find_eigenvectors(solver *self, mms_error *error) {
  size_t square = (size_t)(self->dim * self->dim);
  memcpy(self->work.data, self->target->covariance.data, square * sizeof(double));
  return mms_dense_eigen(self->dim, self->work.data, self->w.data, self->q.data, error);
}

/* λ = −E∇V and Λ from the totals, on rank 0, for all. */
static mms_status solve(solver *self, const mms_team *team, double count, mms_tilt *tilt, mms_error *error) {
  int64_t d = self->dim;
  mms_status status = MMS_OK;
  if (mms_team_rank(team) == 0) {
    const double *sum_b = self->values.data, *sum_ab = sum_b + d;
    double *lambda = tilt->quadratic.data;
    status = find_eigenvectors(self, error);
    for (int64_t k = 0; k < d; k++) tilt->linear.data[k] = -self->pull * (sum_b[k] / count);
    for (int64_t i = 0; i < d; i++)
      for (int64_t j = 0; j < d; j++) /* I − sym C */
        lambda[i * d + j] =
            (i == j ? 1.0 : 0.0) - self->length * self->pull * 0.5 * ((sum_ab[i * d + j] + sum_ab[j * d + i]) / count);
    if (status == MMS_OK) solve_lyapunov(self, lambda, self->work.data);
  }
  status = mms_team_agree(team, status, error);
  if (status != MMS_OK) return status;
  size_t length = (size_t)d * sizeof(double);
  mms_team_broadcast(team, tilt->linear.data, length, 0);
  mms_team_broadcast(team, tilt->quadratic.data, (size_t)d * length, 0);
  mms_team_broadcast(team, self->w.data, length, 0);
  mms_team_broadcast(team, self->q.data, (size_t)d * length, 0);
  return MMS_OK;
}

/* --- standard errors ------------------------------------------------------------------------ */

/* λ and Λ are averages over the points of −∇V and of Λ_p, the solution for the one point's (z−μ*)∇Vᵀ: their standard
 * errors are those of averages, from the squares of what each point is away from them. */
static mms_status find_errors(solver *self, const mms_team *team, const mms_blocks *blocks, const double *points,
                              const double *gradients, mms_tilt *tilt, mms_error *error) {
  int64_t d = self->dim;
  double *values = self->values.data, *one = self->work.data, count = (double)blocks->total;
  const double *a = self->rows.data, *b = a + blocks->size * d;
  /* Λ of order one: w_i Λ̂ is of the order of C, that is of s²/δ² and less. */
  double unit = 1.0 / (self->target->bandwidth * self->target->bandwidth);
  mms_exact_sum_clear(self->sum);
  for (int64_t block = blocks->first; block < blocks->end; block++) {
    int64_t rows = load_block(self, blocks, block, points, gradients);
    memset(values, 0, (size_t)(d + d * d) * sizeof *values);
    for (int64_t p = 0; p < rows; p++) {
      const double *ap = a + p * d, *bp = b + p * d;
      for (int64_t k = 0; k < d; k++) {
        double away = bp[k] + tilt->linear.data[k] / self->pull;
        values[k] += away * away;
      }
      for (int64_t i = 0; i < d; i++)
        for (int64_t j = 0; j < d; j++)
          one[i * d + j] = (i == j ? 1.0 : 0.0) - self->length * self->pull * 0.5 * (ap[i] * bp[j] + ap[j] * bp[i]);
      solve_lyapunov(self, one, one + d * d);
      for (int64_t k = 0; k < d * d; k++) {
        double away = (one[k] - tilt->quadratic.data[k]) / unit;
        values[d + k] += away * away;
      }
    }
    mms_exact_sum_add_fine(self->sum, 0, d + d * d, values);
  }
  mms_status status = reduce(self, team, error);
  if (status != MMS_OK) return status;
  for (int64_t k = 0; k < d; k++) tilt->linear_error.data[k] = self->pull * sqrt(values[k] / (count - 1.0) / count);
  for (int64_t k = 0; k < d * d; k++)
    tilt->quadratic_error.data[k] = unit * sqrt(values[d + k] / (count - 1.0) / count);
  return MMS_OK;
}

mms_status mms_tilt_solve(mms_tilt *tilt, const mms_team *team, const mms_target *target, const mms_blocks *blocks,
                          const double *points, const double *gradients, bool errors, mms_error *error) {
  solver self = {.target = NULL};
  mms_status status = allocate(tilt, target, errors, error);
  if (status == MMS_OK && blocks->total < (errors ? 2 : 1))
    status = mms_fail(error, MMS_ERR_INPUT, "the tilt is an average over points%s, and %lld are given",
                      errors ? ", and its errors need at least two" : "", (long long)blocks->total);
  if (status == MMS_OK) status = set_up(&self, target, blocks, error);
  status = mms_team_agree(team, status, error);
  if (status == MMS_OK) status = add_up(&self, team, blocks, points, gradients, error);
  if (status == MMS_OK) status = solve(&self, team, (double)blocks->total, tilt, error);
  if (status == MMS_OK && errors) status = find_errors(&self, team, blocks, points, gradients, tilt, error);
  put_away(&self);
  if (status != MMS_OK) mms_tilt_free(tilt);
  return status;
}

/* --- use ------------------------------------------------------------------------------------ */

mms_status mms_tilt_check(const mms_tilt *tilt, double *least, mms_error *error) {
  int64_t d = tilt->dim;
  double square = tilt->bandwidth * tilt->bandwidth, largest = 0.0;
  mms_matrix a = {0}, q = {0}, w = {0};
  mms_status status = mms_matrix_create(&a, d, d, "the tilt's curvature", error);
  if (status == MMS_OK) status = mms_matrix_create(&q, d, d, "the tilt's curvature", error);
  if (status == MMS_OK) status = mms_matrix_create(&w, 1, d, "the tilt's curvature", error);
  for (int64_t i = 0; status == MMS_OK && i < d * d; i++) {
    a.data[i] = (i % (d + 1) == 0 ? 1.0 : 0.0) + square * tilt->quadratic.data[i];
    largest = fmax(largest, fabs(square * tilt->quadratic.data[i]));
  }
  if (status == MMS_OK) status = mms_dense_eigen(d, a.data, w.data, q.data, error);
  if (status == MMS_OK) {
    double smallest = w.data[d - 1];
    if (least != NULL) *least = smallest;
    /* 1 + δ²Λ is known to about eps times its terms, and its eigenvalues to d times that. */
    if (!(smallest > 1e-14 * (double)d * (1.0 + largest)))
      status = mms_fail(error, MMS_ERR_NUMERIC,
                        "exp(-E*) cannot be normalised: V grows like |z|^2/(2 bandwidth^2) far out, and the tilt takes "
                        "more than that away (the least eigenvalue of I + bandwidth^2 Lambda is %.4g, and must be "
                        "positive): the points it is averaged over are spread too wide for the target's covariance; "
                        "average over the training points or over particles of a run with these settings",
                        smallest);
  }
  mms_matrix_free(&a);
  mms_matrix_free(&q);
  mms_matrix_free(&w);
  return status;
}

void mms_tilt_add(const mms_tilt *tilt, int64_t rows, const double *z, double *energy, double *gradient) {
  int64_t d = tilt->dim;
  const double *mean = tilt->mean.data, *linear = tilt->linear.data;
  double *away = tilt->scratch.data, *pull = away + (int64_t)MMS_TILT_TILE * d;
  for (int64_t first = 0; first < rows; first += MMS_TILT_TILE) {
    int64_t now = rows - first < MMS_TILT_TILE ? rows - first : MMS_TILT_TILE;
    const double *here = z + first * d;
    for (int64_t i = 0; i < now; i++)
      for (int64_t k = 0; k < d; k++) away[i * d + k] = here[i * d + k] - mean[k];
    if (d <= MMS_FEW_DIMENSIONS) /* Λ is symmetric */
      mms_few_map(now, d, false, tilt->quadratic.data, NULL, NULL, away, pull);
    else
      mms_dense_multiply(false, false, now, d, d, 1.0, away, tilt->quadratic.data, 0.0, pull);
    for (int64_t i = 0; i < now && energy != NULL; i++) {
      double sum = 0.0;
      for (int64_t k = 0; k < d; k++) sum += linear[k] * here[i * d + k] + 0.5 * away[i * d + k] * pull[i * d + k];
      energy[first + i] += sum;
    }
    for (int64_t i = 0; i < now * d && gradient != NULL; i++) gradient[first * d + i] += linear[i % d] + pull[i];
  }
}
