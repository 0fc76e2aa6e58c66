/* How far apart two point sets are (ALGORITHMS 9). All Local, row-major [n][d], the same d;
 * MMS_ERR_INPUT where sizes make a quantity undefined, with the size needed, where the column counts
 * differ (both named), and where a value is not finite (row and column named). */
#ifndef MMSOLD_STUDY_DISTANCES_H
#define MMSOLD_STUDY_DISTANCES_H

#include "mmsold/base/matrix.h"
#include "mmsold/base/status.h"
#include <stdint.h>

/* Sliced Wasserstein-2: `directions` random unit vectors (512 is usual), exact 1-D distance of the
 * two empirical quantile functions, root of the mean square. For unequal sizes too the integral of the two step
 * functions is exact: nothing is interpolated. Permuted sets are at distance 0 exactly up to 64 columns, to rounding
 * beyond. */
mms_status mms_sliced_wasserstein2(const mms_matrix *a, const mms_matrix *b, int64_t directions, uint64_t seed,
                                   double *distance, mms_error *error);

/* Mean of |x − y| over all pairs of a row of `a` and a row of `b`; for a set with itself (the same data) pairs of a row
 * with itself, at distance 0, count too. O(n m d). */
mms_status mms_mean_distance(const mms_matrix *a, const mms_matrix *b, double *mean, mms_error *error);

/* Energy distance of the two empirical laws, (2 E|X − Y| − E|X − X'| − E|Y − Y'|)^{1/2}: 0 for equal sets only, and of
 * order P^{-1/2} for P draws against the law they come from. `within_b`: E|Y − Y'| (mms_mean_distance of b with itself)
 * where it is known, else NaN. */
mms_status mms_energy_distance(const mms_matrix *a, const mms_matrix *b, double within_b, double *distance,
                               mms_error *error);

/* Kernel distance: unbiased MMD² with k(x, y) = (x·y/d + 1)³, mean over `subsets` subsets of
 * `subset_size` points of each (100 and 50 are usual; subset_size 0: all points at once), and its standard error over
 * subsets (0 for one). */
mms_status mms_kernel_distance(const mms_matrix *a, const mms_matrix *b, int64_t subset_size, int64_t subsets,
                               uint64_t seed, double *mmd2, double *standard_error, mms_error *error);

/* `generated` against `real`, balls to the k-th nearest neighbour inside a set (k = 3):
 * precision: share of generated inside some real ball; recall: share of real inside some generated ball
 * (Kynkäänniemi et al. 2019); coverage: share of real whose own ball holds a generated point (Naeem et al. 2020).
 * Balls are closed, and a point is not its own neighbour (a copy of it is). Needs more than k points in each set. */
typedef struct mms_manifold_scores {
  double precision, recall, coverage;
} mms_manifold_scores;
mms_status mms_manifold_compare(const mms_matrix *generated, const mms_matrix *real, int64_t k,
                                mms_manifold_scores *scores, mms_error *error);

/* Share of generated points nearer to a training point than τ = the `percentile` (5; 1 for large sets)
 * of nearest-neighbour distances inside the training set (linear interpolation between order statistics). A point
 * exactly on a training point counts also where τ is 0, because the training set holds copies. */
mms_status mms_duplicate_rate(const mms_matrix *generated, const mms_matrix *training, double percentile, double *rate,
                              double *threshold, mms_error *error);

/* Moment defect of points against a mean [d] and covariance [d][d]: ‖mean − μ‖∞ / √max diag Σ
 * and ‖cov(1/P) − Σ‖max / max |Σ|; sums in compensated arithmetic, good to about 1e-15 of the
 * spread and 1e-14 of max |Σ| whatever P is. MMS_ERR_INPUT where Σ is zero. */
mms_status mms_moment_defect(const mms_matrix *points, const double *mean, const double *covariance,
                             double *mean_defect, double *covariance_defect, mms_error *error);

/* For each of `queries` the index of, and distance to, its nearest row of `points` (ties: lowest index).
 * index, distance: [queries rows], either may be NULL. O(n) memory, blocked products, exact in the finish. */
mms_status mms_nearest(const mms_matrix *queries, const mms_matrix *points, int64_t *index, double *distance,
                       mms_error *error);

#endif
