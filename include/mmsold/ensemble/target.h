/* The target moments and the coordinates they define (ALGORITHMS 2):
 *     μ* = mean(X),  Σ* = cov(X, 1/n) + δ²I,   Z = 1 μ*ᵀ + Y Lᵀ,   L Lᵀ = Σ* (or L = s I).   */
#ifndef MMSOLD_ENSEMBLE_TARGET_H
#define MMSOLD_ENSEMBLE_TARGET_H

#include "mmsold/base/matrix.h"
#include "mmsold/base/status.h"
#include "mmsold/linalg/distributed.h"
#include "mmsold/parallel/team.h"
#include "mmsold/training/training.h"
#include <stdbool.h>

/* Which L: a factor of Σ*, the lower Cholesky factor L* of the paper or Q Λ^{1/2} from the eigenvectors (columns in
 * descending order of eigenvalue), which the exponential scheme needs; or, for ways of moving without the constraint
 * that work in Z, s I with s the power of two next above √λmax(Σ*): no digit is lost, and Y stays of order one, as
 * exact sums want it. Where Σ* is diagonal but for rounding, as PCA leaves the data, both factors are made of the
 * square roots of its diagonal: no product with L is left, and eigenvalues that are equal leave nothing to an
 * eigensolver's rounding. */
typedef enum mms_factor { MMS_FACTOR_CHOLESKY, MMS_FACTOR_EIGEN, MMS_FACTOR_SCALAR } mms_factor;

/* The matrices of a target spread over a grid of ranks, where none holds a whole one. */
typedef struct mms_target_spread {
  mms_rank_grid *grid;
  mms_distributed covariance; /* Σ*, both triangles */
  mms_distributed factor;     /* Lᵀ: upper triangular, or Λ^{1/2} Qᵀ */
  mms_distributed inverse;    /* L⁻ᵀ, upper triangular; but of the eigenvectors L⁻¹ = Λ^{-1/2} Qᵀ */
} mms_target_spread;

/* Owns its arrays. The same bits on every rank (computed on rank 0 and broadcast), but for `spread`. */
typedef struct mms_target {
  int64_t dim;      /* d */
  double bandwidth; /* δ */
  mms_factor kind;
  mms_matrix mean;           /* [1][d]  μ* */
  mms_matrix variances;      /* [1][d]  the diagonal of Σ* */
  mms_matrix covariance;     /* [d][d]  Σ*; this and the next two are empty where they are spread */
  mms_matrix factor;         /* [d][d]  L */
  mms_matrix inverse;        /* [d][d]  L⁻¹ */
  mms_matrix eigenvalues;    /* [1][d] of Σ*, descending; where aligned, neighbours to 1e-10 */
  bool aligned;              /* Σ* is diagonal: no entry beside it above 8 eps·λmax */
  int64_t *axes;             /* [d] where aligned: column j of L has its one entry in row axes[j] */
  mms_matrix scales;         /* [2][d] where aligned: that entry, and 1 over it */
  double step_bound;         /* 2 δ²/λmax(Σ*): LM and EM are linearly stable below it (ALGORITHMS 3) */
  mms_matrix scratch;        /* [MMS_TARGET_TILE][d], for the maps below; empty where spread */
  mms_target_spread *spread; /* NULL where every rank has the whole matrices */
} mms_target;

enum { MMS_TARGET_TILE = 256 }; /* the largest block of an ensemble */

/* Collective; agreed. MMS_ERR_INPUT where Σ* is singular in floating point (λmin(Σ*) below
 * d·1e-13·λmax: constant columns with a bandwidth too small for the data's scale), with both
 * eigenvalues and what bandwidth would do; where the bandwidth is not a positive number; where the
 * data are so large that their covariance overflows. */
mms_status mms_target_create(mms_target *target, const mms_team *team, const mms_training *training, double bandwidth,
                             mms_factor kind, mms_error *error);
/* The same with its matrices spread over the ranks, each of which forms the covariance of its share of the points; not
 * for MMS_FACTOR_SCALAR. Collective; agreed. */
mms_status mms_target_create_distributed(mms_target *target, const mms_team *team, const mms_training *training,
                                         double bandwidth, mms_factor kind, mms_error *error);
void mms_target_free(mms_target *target);           /* Local; Collective where spread. */
int64_t mms_target_bytes(const mms_target *target); /* of this rank's memory. Local. */

/* Z [rows][d] = 1 μ*ᵀ + Y Lᵀ, and Y = (Z − 1 μ*ᵀ) L⁻ᵀ. Local; in and out may be the same array.
 * BLAS gives a row other last bits when other rows stand beside it, so law 1 wants a call for each block of an
 * ensemble; more rows than MMS_TARGET_TILE are taken in tiles of as many, counted from the first. */
void mms_target_positions(const mms_target *target, int64_t rows, const double *y, double *z);
void mms_target_coordinates(const mms_target *target, int64_t rows, const double *z, double *y);
/* Gradient in Y from the gradient in Z: G_Y = G_Z L (not Lᵀ: dZ = dY Lᵀ). Local. */
void mms_target_pull_back(const mms_target *target, int64_t rows, const double *gradient_z, double *gradient_y);

/* The three maps where the matrices are spread: of all rows that a rank has (there may be none), by all ranks together.
 * `in` and `out` may be the same for a Cholesky factor only; coordinates destroy `in`. Collective. */
void mms_target_positions_together(const mms_target *target, int64_t rows, const double *in, double *out);
void mms_target_coordinates_together(const mms_target *target, int64_t rows, double *in, double *out);
void mms_target_pull_back_together(const mms_target *target, int64_t rows, const double *in, double *out);

/* Rows first .. first + rows − 1 of Σ* into out [rows][d], as many as each rank likes. Collective. */
void mms_target_covariance_rows(const mms_target *target, int64_t first, int64_t rows, double *out);

#endif
