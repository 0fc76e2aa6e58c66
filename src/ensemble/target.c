#include "mmsold/ensemble/target.h"

#include "ensemble/few.h"
#include "ensemble/target_parts.h"
#include "mmsold/base/memory.h"
#include "mmsold/linalg/dense.h"
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Eigenvalues are known to about d·eps·λmax; a thousand times that keeps three digits of λmin. */
static const double SINGULAR_SHARE = 1e-13;

/* An eigensolver's Q diag(w) Qᵀ is off Σ by some eps·λmax; so off-diagonal entries within this share of λmax say no
 * more than rounding. Covariances of PCA's coordinates leave 1 to 3 eps (d = 100 and 700, n = 1,000 and 27,000). */
static const double ALIGNED_SHARE = 8.0 * DBL_EPSILON;

/* Variances this near to each other, as whitening leaves them, keep the order of their axes, which must not hang on
 * last bits: another processor would give Y's coordinates other names, and a resumed run would not know its particles.
 */
static const double ALIKE = 1e-10;

void mms_target_free(mms_target *target) {
  mms_target_spread_free(&target->spread);
  mms_matrix_free(&target->mean);
  mms_matrix_free(&target->variances);
  mms_matrix_free(&target->covariance);
  mms_matrix_free(&target->factor);
  mms_matrix_free(&target->inverse);
  mms_matrix_free(&target->eigenvalues);
  mms_matrix_free(&target->scratch);
  mms_matrix_free(&target->scales);
  free(target->axes);
  *target = (mms_target){0};
}

static mms_status allocate(mms_target *target, int64_t dim, mms_error *error) {
  mms_status status = mms_matrix_create(&target->mean, 1, dim, "the target mean", error);
  if (status == MMS_OK) status = mms_matrix_create(&target->variances, 1, dim, "the target's variances", error);
  if (status == MMS_OK) status = mms_matrix_create(&target->covariance, dim, dim, "the target covariance", error);
  if (status == MMS_OK) status = mms_matrix_create(&target->factor, dim, dim, "the target's factor", error);
  if (status == MMS_OK) status = mms_matrix_create(&target->inverse, dim, dim, "the target's inverse factor", error);
  if (status == MMS_OK) status = mms_matrix_create(&target->eigenvalues, 1, dim, "the target's eigenvalues", error);
  if (status == MMS_OK)
    status = mms_matrix_create(&target->scratch, MMS_TARGET_TILE, dim, "a tile of the coordinate map", error);
  if (status == MMS_OK) status = mms_matrix_create(&target->scales, 2, dim, "the target's axes", error);
  void *axes = NULL;
  if (status == MMS_OK) status = mms_allocate(&axes, dim, sizeof(int64_t), "the target's axes", error);
  target->axes = axes;
  return status;
}

/* Sums over the training set, as its rows come by: in their order, so that parts make no difference. */
typedef struct sums {
  int64_t dim, count;
  const double *mean;
  double *left, *tile, *covariance;
} sums;

static void add_rows(void *context, int64_t first, int64_t rows, const double *points) {
  const sums *s = context;
  (void)first;
  for (int64_t i = 0; i < rows; i++)
    for (int64_t k = 0; k < s->dim; k++) s->left[k] += points[i * s->dim + k] - s->mean[k];
}

static void nothing(void *context, int64_t first, int64_t rows, const double *points) {
  (void)context, (void)first, (void)rows, (void)points;
}

/* μ*: the average, then the average of what is left, which removes the first one's rounding. A rank without `left`
 * only passes its part on. */
void mms_target_find_mean(const mms_training *training, double *mean, double *left) {
  int64_t n = training->count, d = training->dim;
  for (int pass = 0; pass < 2; pass++) {
    sums s = {.dim = d, .mean = mean, .left = left};
    if (left != NULL) memset(left, 0, (size_t)d * sizeof *left);
    mms_training_walk(training, left != NULL ? add_rows : nothing, &s);
    for (int64_t k = 0; left != NULL && k < d; k++) mean[k] += left[k] / (double)n;
  }
}

/* Pieces begin on whole tiles of the training set, and so on whole tiles here. */
_Static_assert(MMS_TRAINING_TILE % MMS_TARGET_TILE == 0, "tiles of the moments fit those of a partitioned set");

static void add_products(void *context, int64_t from, int64_t count, const double *points) {
  const sums *s = context;
  int64_t d = s->dim;
  (void)from;
  for (int64_t first = 0; first < count; first += MMS_TARGET_TILE) {
    int64_t rows = count - first < MMS_TARGET_TILE ? count - first : MMS_TARGET_TILE;
    for (int64_t i = 0; i < rows; i++)
      for (int64_t k = 0; k < d; k++) s->tile[i * d + k] = points[(first + i) * d + k] - s->mean[k];
    mms_dense_gram_upper(rows, d, 1.0 / (double)s->count, s->tile, 1.0, s->covariance);
  }
}

/* cov(X, 1/n) from centred rows, tile by tile in a fixed order. */
static void find_covariance(const mms_training *training, const double *mean, double *tile, double *covariance) {
  int64_t d = training->dim;
  sums s = {.dim = d, .count = training->count, .mean = mean, .tile = tile, .covariance = covariance};
  if (covariance != NULL) memset(covariance, 0, (size_t)(d * d) * sizeof *covariance);
  mms_training_walk(training, covariance != NULL ? add_products : nothing, &s);
  if (covariance != NULL) mms_dense_mirror_upper(d, covariance);
}

mms_status mms_target_refuse_overflow(const mms_target *target, mms_error *error) {
  bool finite = true;
  for (int64_t k = 0; k < target->dim; k++)
    finite = finite && isfinite(target->variances.data[k]) && isfinite(target->mean.data[k]);
  if (finite) return MMS_OK;
  return mms_fail(error, MMS_ERR_INPUT,
                  "the training points are not finite or so large that their covariance overflows: rescale them");
}

mms_status mms_target_refuse_singular(const mms_target *target, mms_error *error) {
  int64_t d = target->dim;
  double largest = target->eigenvalues.data[0], smallest = target->eigenvalues.data[d - 1];
  double share = (double)d * SINGULAR_SHARE;
  if (share < 1.0 && smallest >= share * largest) return MMS_OK;
  double variance = largest - target->bandwidth * target->bandwidth; /* of the data alone */
  double cure = 1.1 * sqrt(share * variance / (1.0 - share));
  return mms_fail(error, MMS_ERR_INPUT,
                  "bandwidth = %.4g: the target covariance cov + bandwidth^2 I is singular in floating point: its "
                  "eigenvalues reach from %.4g down to %.4g (constant or dependent columns?); a bandwidth of %.2g or "
                  "more would do, or leave those columns out (components)",
                  target->bandwidth, largest, smallest, cure);
}

/* L and L⁻¹ with one entry a column: √Σ*_aa of axis a = a_j in column j. */
static void find_axes_factor(mms_target *target) {
  int64_t d = target->dim;
  memset(target->inverse.data, 0, (size_t)(d * d) * sizeof(double)); /* the mean was found in it */
  for (int64_t j = 0; j < d; j++) {
    if (target->kind == MMS_FACTOR_CHOLESKY) target->axes[j] = j;
    const int64_t axis = target->axes[j];
    const double root = sqrt(target->variances.data[axis]);
    target->factor.data[axis * d + j] = target->scales.data[j] = root;
    target->inverse.data[j * d + axis] = target->scales.data[d + j] = 1.0 / root;
  }
}

/* L and L⁻¹ from Σ*, whose eigenvectors are the columns of q. */
static mms_status find_factor(mms_target *target, const double *q, mms_error *error) {
  int64_t d = target->dim;
  double *factor = target->factor.data, *inverse = target->inverse.data;
  if (target->kind == MMS_FACTOR_SCALAR) {
    int exponent = 0;
    frexp(sqrt(target->eigenvalues.data[0]), &exponent); /* √λmax < 2^exponent */
    for (int64_t k = 0; k < d; k++) {
      factor[k * d + k] = ldexp(1.0, exponent);
      inverse[k * d + k] = ldexp(1.0, -exponent);
    }
    return MMS_OK;
  }
  if (target->aligned) {
    find_axes_factor(target);
    return MMS_OK;
  }
  if (target->kind == MMS_FACTOR_EIGEN) {
    for (int64_t i = 0; i < d; i++)
      for (int64_t j = 0; j < d; j++) {
        double root = sqrt(target->eigenvalues.data[j]);
        factor[i * d + j] = q[i * d + j] * root;
        inverse[j * d + i] = q[i * d + j] / root;
      }
    return MMS_OK;
  }
  memcpy(inverse, target->covariance.data, (size_t)(d * d) * sizeof *inverse);
  mms_status status = mms_dense_cholesky_upper(d, inverse, error);
  if (status != MMS_OK) return status;
  for (int64_t i = 0; i < d; i++) /* L = Rᵀ */
    for (int64_t j = 0; j < d; j++) factor[i * d + j] = inverse[j * d + i];
  status = mms_dense_invert_upper(d, inverse, error);
  for (int64_t i = 0; i < d && status == MMS_OK; i++) /* L⁻¹ = (R⁻¹)ᵀ */
    for (int64_t j = 0; j < i; j++) {
      inverse[i * d + j] = inverse[j * d + i];
      inverse[j * d + i] = 0.0;
    }
  return status;
}

/* Whether Σ* is diagonal but for rounding: the data are in their principal axes, as PCA leaves them. */
static bool is_aligned(const mms_target *target) {
  int64_t d = target->dim;
  double largest = 0.0, beside = 0.0;
  for (int64_t i = 0; i < d; i++) {
    largest = fmax(largest, target->variances.data[i]);
    for (int64_t j = 0; j < i; j++) beside = fmax(beside, fabs(target->covariance.data[i * d + j]));
  }
  return beside <= ALIGNED_SHARE * largest;
}

/* Eigenvalues, descending, where Σ* is aligned, and whose axes they are; of variances that are alike the first axis
 * first. */
static void sort_axes(mms_target *target) {
  double *values = target->eigenvalues.data;
  for (int64_t i = 0; i < target->dim; i++) {
    double value = target->variances.data[i];
    int64_t at = i;
    for (; at > 0 && values[at - 1] * (1.0 + ALIKE) < value; at--) {
      values[at] = values[at - 1];
      target->axes[at] = target->axes[at - 1];
    }
    values[at] = value;
    target->axes[at] = i;
  }
}

static mms_status find_eigenvectors(mms_target *target, double *copy, double *q, mms_error *error) {
  int64_t d = target->dim;
  target->aligned = is_aligned(target);
  if (target->aligned) {
    sort_axes(target);
    return MMS_OK;
  }
  memcpy(copy, target->covariance.data, (size_t)(d * d) * sizeof *copy);
  return mms_dense_eigen(d, copy, target->eigenvalues.data, q, error);
}

static mms_status check_bandwidth(const mms_target *target, mms_error *error) {
  double square = target->bandwidth * target->bandwidth;
  if (target->bandwidth > 0.0 && isfinite(square) && square != 0.0) return MMS_OK;
  return mms_fail(error, MMS_ERR_INPUT, "bandwidth = %g: it must be a positive number whose square is one too",
                  target->bandwidth);
}

/* Mean and covariance of the data, on rank 0; the others of a partitioned set pass their parts on. */
static void find_moments(mms_target *target, const mms_team *team, const mms_training *training) {
  bool adds = mms_team_rank(team) == 0;
  if (!adds && !training->partitioned) return;
  mms_target_find_mean(training, target->mean.data,
                       adds ? target->inverse.data : NULL); /* the inverse is not there yet */
  find_covariance(training, target->mean.data, target->scratch.data, adds ? target->covariance.data : NULL);
}

/* Everything but the moments and the sending, on one rank. */
static mms_status compute(mms_target *target, mms_error *error) {
  int64_t d = target->dim;
  double square = target->bandwidth * target->bandwidth;
  mms_matrix q = {0}, copy = {0};
  mms_status status = mms_matrix_create(&q, d, d, "the target's eigenvectors", error);
  if (status == MMS_OK) status = mms_matrix_create(&copy, d, d, "the target's eigenvectors", error);
  if (status == MMS_OK) {
    for (int64_t i = 0; i < d; i++) target->variances.data[i] = target->covariance.data[i * d + i] += square;
    status = mms_target_refuse_overflow(target, error);
  }
  if (status == MMS_OK) status = find_eigenvectors(target, copy.data, q.data, error);
  if (status == MMS_OK) status = mms_target_refuse_singular(target, error);
  if (status == MMS_OK) status = find_factor(target, q.data, error);
  if (status == MMS_OK) target->step_bound = 2.0 * square / target->eigenvalues.data[0];
  mms_matrix_free(&q);
  mms_matrix_free(&copy);
  return status;
}

static void broadcast(const mms_team *team, mms_matrix *matrix) {
  mms_team_broadcast(team, matrix->data, (size_t)(matrix->rows * matrix->cols) * sizeof *matrix->data, 0);
}

mms_status mms_target_begin(mms_target *target, const mms_training *training, double bandwidth, mms_factor kind,
                            mms_error *error) {
  *target = (mms_target){.dim = training->dim, .bandwidth = bandwidth, .kind = kind};
  if (training->count < 1 || training->dim < 1)
    return mms_fail(error, MMS_ERR_INPUT, "the training set is empty: %lld rows of %lld columns",
                    (long long)training->count, (long long)training->dim);
  return check_bandwidth(target, error);
}

mms_status mms_target_create(mms_target *target, const mms_team *team, const mms_training *training, double bandwidth,
                             mms_factor kind, mms_error *error) {
  mms_status status = mms_target_begin(target, training, bandwidth, kind, error);
  if (status == MMS_OK) status = allocate(target, training->dim, error);
  status = mms_team_agree(team, status, error);
  if (status == MMS_OK) {
    find_moments(target, team, training);
    if (mms_team_rank(team) == 0) status = compute(target, error);
    status = mms_team_agree(team, status, error);
  }
  if (status != MMS_OK) {
    mms_target_free(target);
    return status;
  }
  broadcast(team, &target->mean);
  broadcast(team, &target->covariance);
  broadcast(team, &target->factor);
  broadcast(team, &target->inverse);
  broadcast(team, &target->eigenvalues);
  broadcast(team, &target->variances);
  mms_team_broadcast(team, &target->step_bound, sizeof target->step_bound, 0);
  mms_team_broadcast(team, &target->aligned, sizeof target->aligned, 0);
  broadcast(team, &target->scales);
  mms_team_broadcast(team, target->axes, (size_t)target->dim * sizeof *target->axes, 0);
  return MMS_OK;
}

int64_t mms_target_bytes(const mms_target *target) {
  int64_t d = target->dim;
  if (target->spread != NULL)
    return 3 * d * (int64_t)sizeof(double) + mms_rank_grid_bytes(target->spread->grid) +
           3 * mms_rank_grid_matrix_bytes(target->spread->grid);
  return (3 * d * d + (MMS_TARGET_TILE + 5) * d) * (int64_t)sizeof(double) + d * (int64_t)sizeof(int64_t);
}

/* From Y to Z along the axes, or a gradient back: with L_aj = s_j for a = a_j and 0 elsewhere,
 *     Y Lᵀ: out_a = in_j s_j + after_a;    in L: out_j = in_a s_j;    in L⁻ᵀ: out_j = (in_a − before_a)/s_j. */
static void spread_axes(const mms_target *target, int64_t rows, const double *in, double *out) {
  int64_t d = target->dim;
  const double *scale = target->scales.data, *after = target->mean.data;
  double *row = target->scratch.data;
  for (int64_t i = 0; i < rows; i++) {
    for (int64_t j = 0; j < d; j++) row[target->axes[j]] = in[i * d + j] * scale[j] + after[target->axes[j]];
    memcpy(out + i * d, row, (size_t)d * sizeof *row);
  }
}

static void gather_axes(const mms_target *target, int64_t rows, const double *scale, const double *in,
                        const double *before, double *out) {
  int64_t d = target->dim;
  double *row = target->scratch.data;
  for (int64_t i = 0; i < rows; i++) {
    for (int64_t k = 0; k < d; k++) row[k] = in[i * d + k] - (before == NULL ? 0.0 : before[k]);
    for (int64_t j = 0; j < d; j++) out[i * d + j] = row[target->axes[j]] * scale[j];
  }
}

/* out [rows][d] = in op(M), M the factor or its inverse; tile by tile through the scratch. */
static void map(const mms_target *target, int64_t rows, bool transpose, const double *matrix, const double *in,
                const double *before, const double *after, double *out) {
  int64_t d = target->dim;
  if (target->kind == MMS_FACTOR_SCALAR) {
    for (int64_t i = 0; i < rows; i++)
      for (int64_t k = 0; k < d; k++)
        out[i * d + k] =
            (in[i * d + k] - (before == NULL ? 0.0 : before[k])) * matrix[0] + (after == NULL ? 0.0 : after[k]);
    return;
  }
  if (d <= MMS_FEW_DIMENSIONS) {
    mms_few_map(rows, d, transpose, matrix, before, after, in, out);
    return;
  }
  for (int64_t first = 0; first < rows; first += MMS_TARGET_TILE) {
    int64_t now = rows - first < MMS_TARGET_TILE ? rows - first : MMS_TARGET_TILE;
    double *tile = target->scratch.data, *here = out + first * d;
    for (int64_t i = 0; i < now; i++)
      for (int64_t k = 0; k < d; k++) tile[i * d + k] = in[(first + i) * d + k] - (before == NULL ? 0.0 : before[k]);
    if (target->kind == MMS_FACTOR_CHOLESKY) {
      mms_dense_triangle_right(false, transpose, now, d, matrix, tile);
      memcpy(here, tile, (size_t)(now * d) * sizeof *here);
    } else {
      mms_dense_multiply(false, transpose, now, d, d, 1.0, tile, matrix, 0.0, here);
    }
    if (after == NULL) continue;
    for (int64_t i = 0; i < now; i++)
      for (int64_t k = 0; k < d; k++) here[i * d + k] += after[k];
  }
}

/* In a few dimensions the plain map is the faster one. */
static bool is_along_axes(const mms_target *target) {
  return target->aligned && target->kind != MMS_FACTOR_SCALAR && target->dim > MMS_FEW_DIMENSIONS;
}

void mms_target_positions(const mms_target *target, int64_t rows, const double *y, double *z) {
  if (is_along_axes(target))
    spread_axes(target, rows, y, z);
  else
    map(target, rows, true, target->factor.data, y, NULL, target->mean.data, z);
}

void mms_target_coordinates(const mms_target *target, int64_t rows, const double *z, double *y) {
  if (is_along_axes(target))
    gather_axes(target, rows, target->scales.data + target->dim, z, target->mean.data, y);
  else
    map(target, rows, true, target->inverse.data, z, target->mean.data, NULL, y);
}

void mms_target_pull_back(const mms_target *target, int64_t rows, const double *gradient_z, double *gradient_y) {
  if (is_along_axes(target))
    gather_axes(target, rows, target->scales.data, gradient_z, NULL, gradient_y);
  else
    map(target, rows, false, target->factor.data, gradient_z, NULL, NULL, gradient_y);
}
