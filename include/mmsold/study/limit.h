/* Laws on the plane by quadrature: the naive exp(−V), the tilted limit law ρ* (ALGORITHMS 6), and the tilt that gives
 * it the target's moments exactly. What a sampler's output is measured against where d = 2.
 *
 * Values on a grid belong to the middles of its cells and integrals are sums over cells times their area. For what is
 * smooth and falls off at the edges that rule converges faster than any power of the cell's side h: its error is about
 * exp(−2π²(s/h)²) for features of width s, and no law here has narrower ones than δ, up to the tilt. */
#ifndef MMSOLD_STUDY_LIMIT_H
#define MMSOLD_STUDY_LIMIT_H

#include "mmsold/base/matrix.h"
#include "mmsold/base/status.h"
#include "mmsold/ensemble/target.h"
#include "mmsold/ensemble/tilt.h"
#include "mmsold/field/field.h"
#include "mmsold/parallel/blocks.h"
#include "mmsold/parallel/team.h"
#include "mmsold/training/training.h"
#include <stdint.h>

/* A grid of cells. Cell number row·columns + column, rows from low to high. */
typedef struct mms_plane {
  int64_t columns, rows;
  double low[2], high[2]; /* outer edges, x then y */
} mms_plane;

int64_t mms_plane_cells(const mms_plane *plane);
double mms_plane_side(const mms_plane *plane, int axis); /* of a cell, along x or y */
double mms_plane_cell_area(const mms_plane *plane);
/* The middle of a cell. Local. */
void mms_plane_point(const mms_plane *plane, int64_t cell, double z[2]);

/* --- V by quadrature ----------------------------------------------------------------------- */

/* V(z) = E U(z + σε) in the plane by the trapezoidal rule on a lattice of step h, the same for all z: weights beyond 8σ
 * are left out (less than 1e-14), and h = σ/4, σ/8, … is halved until V and ∇V δ at up to 32 probes (training points
 * and points between them) change by less than the tolerance, relative to 1 + |V|; the error left is about the square
 * of that change. */
typedef struct mms_quadrature mms_quadrature;

/* Collective; agreed. `training` is borrowed. MMS_ERR_INPUT where d is not 2 or the tolerance is not within (0, 1);
 * MMS_ERR_NUMERIC where σ/128 is still too coarse a step. */
mms_status mms_quadrature_create(mms_quadrature **quadrature, const mms_team *team, const mms_training *training,
                                 double bandwidth, double smoothing, double tolerance, mms_error *error);
/* Collective; sets *quadrature to NULL; fine on NULL. */
void mms_quadrature_free(mms_quadrature **quadrature);
double mms_quadrature_step(const mms_quadrature *quadrature);   /* h; 0 without smoothing */
double mms_quadrature_change(const mms_quadrature *quadrature); /* the last change seen */

/* V [rows] and, unless NULL, ∇V [rows][2] at points [rows][2]. Local; rows may be 0. */
mms_status mms_quadrature_points(mms_quadrature *quadrature, int64_t rows, const double *points, double *values,
                                 double *gradients, mms_error *error);
/* V at the cells of rows first … first + count − 1 of a plane: values [count][columns]. Local. */
mms_status mms_quadrature_plane(mms_quadrature *quadrature, const mms_plane *plane, int64_t first, int64_t count,
                                double *values, mms_error *error);

/* --- laws ---------------------------------------------------------------------------------- */

/* exp(−V), or exp(−E*) with a tilt, normalised over the plane. Owns its array. */
typedef struct mms_law {
  mms_plane plane;
  mms_matrix density; /* [rows][columns]; sums to 1/area */
  double log_z;       /* log ∫ exp(−energy); with the constants of V as ALGORITHMS 1 has it */
  double mean[2], covariance[4];
  double edge;   /* share of the mass in the outermost cells: what is cut off, in order of magnitude */
  double change; /* of log_z where only every other cell (as on a chessboard) is taken: a bound on the cells' error */
} mms_law;

/* From V at the plane's cells [rows·columns] and a tilt (NULL: none). Local. MMS_ERR_NUMERIC where a value is not
 * finite, or the tilt cannot be normalised (mms_tilt_check). */
mms_status mms_law_create(mms_law *law, const mms_plane *plane, const double *potential, const mms_tilt *tilt,
                          mms_error *error);
void mms_law_free(mms_law *law);

/* E f(z). Local. */
typedef double mms_observable(void *context, const double z[2]);
double mms_law_expectation(const mms_law *law, mms_observable *observable, void *context);
/* The density of one coordinate (0: x, 1: y) at the middles of its cells: out [columns] or [rows]. Local. */
void mms_law_marginal(const mms_law *law, int axis, double *out);

/* The λ and Λ with which ρ* on the plane has the target's mean and covariance exactly (to 1e-12 of Σ*): Newton's method
 * for the convex function log Z(λ, Λ) + λ·μ* + ½ tr ΛΣ*, whose gradient is the defect of the moments. Local.
 * MMS_ERR_NUMERIC where it does not get there (the plane too small for Σ*) or what it finds cannot be normalised. */
mms_status mms_tilt_match(mms_tilt *tilt, const mms_target *target, const mms_plane *plane, const double *potential,
                          mms_error *error);

/* --- the whole ------------------------------------------------------------------------------ */

/* The limit law of a sampler with this training set, δ and σ, by quadrature on cells × cells over μ* ± 7 standard
 * deviations, with the tilt matched. Owns its parts. */
typedef struct mms_limit {
  mms_target target;
  mms_tilt tilt;
  mms_law law;
} mms_limit;

/* Collective; agreed; the cells' rows are spread over the team and the same bits come to every rank. Errors of the
 * functions above. */
mms_status mms_limit_create(mms_limit *limit, const mms_team *team, const mms_training *training, double bandwidth,
                            double smoothing, int64_t cells, mms_error *error);
void mms_limit_free(mms_limit *limit);

/* Every rank's rows of a table [blocks->total][columns], gathered on all: all [total][columns] from mine
 * [n_local][columns]. Collective. */
void mms_study_gather(const mms_team *team, const mms_blocks *blocks, int64_t columns, const double *mine, double *all);

#endif
