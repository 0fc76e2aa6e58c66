/* Densities on a grid of the plane, their moments, and the tilt that sets these. Sums over cells are careful ones:
 * there may be millions, and moments are wanted to 1e-13. */
#include "mmsold/study/limit.h"

#include "mmsold/linalg/dense.h"
#include "study/careful.h"
#include <float.h>
#include <math.h>
#include <string.h>

int64_t mms_plane_cells(const mms_plane *plane) { return plane->columns * plane->rows; }

double mms_plane_side(const mms_plane *plane, int axis) {
  return (plane->high[axis] - plane->low[axis]) / (double)(axis == 0 ? plane->columns : plane->rows);
}

double mms_plane_cell_area(const mms_plane *plane) { return mms_plane_side(plane, 0) * mms_plane_side(plane, 1); }

void mms_plane_point(const mms_plane *plane, int64_t cell, double z[2]) {
  int64_t column = cell % plane->columns, row = cell / plane->columns;
  z[0] = plane->low[0] + mms_plane_side(plane, 0) * ((double)column + 0.5);
  z[1] = plane->low[1] + mms_plane_side(plane, 1) * ((double)row + 0.5);
}

void mms_law_free(mms_law *law) {
  mms_matrix_free(&law->density);
  *law = (mms_law){.log_z = 0.0};
}

static bool outermost(const mms_plane *plane, int64_t cell) {
  int64_t row = cell / plane->columns, column = cell % plane->columns;
  return row == 0 || column == 0 || row == plane->rows - 1 || column == plane->columns - 1;
}

/* density ← energies, in place: exp(least − energy), and log Z. Each of the sums in the order of the cells. */
static void normalise(mms_law *law) {
  const mms_plane *plane = &law->plane;
  int64_t cells = mms_plane_cells(plane);
  double *value = law->density.data, least = DBL_MAX, area = mms_plane_cell_area(plane);
  mms_careful all = {0}, black = {0}, edge = {0};
  for (int64_t i = 0; i < cells; i++) least = fmin(least, value[i]);
  for (int64_t i = 0; i < cells; i++) {
    value[i] = exp(least - value[i]);
    mms_careful_add(&all, value[i]);
    if ((i / plane->columns + i % plane->columns) % 2 == 0) mms_careful_add(&black, value[i]);
    if (outermost(plane, i)) mms_careful_add(&edge, value[i]);
  }
  law->log_z = log(mms_careful_total(&all) * area) - least;
  law->change = fabs(log(2.0 * mms_careful_total(&black) / mms_careful_total(&all)));
  law->edge = mms_careful_total(&edge) / mms_careful_total(&all);
  for (int64_t i = 0; i < cells; i++) value[i] /= mms_careful_total(&all) * area;
}

static void find_moments(mms_law *law) {
  const mms_plane *plane = &law->plane;
  double area = mms_plane_cell_area(plane), z[2];
  mms_careful first[2] = {{0}}, second[3] = {{0}};
  for (int64_t i = 0; i < mms_plane_cells(plane); i++) {
    mms_plane_point(plane, i, z);
    for (int k = 0; k < 2; k++) mms_careful_add(&first[k], area * law->density.data[i] * z[k]);
  }
  for (int k = 0; k < 2; k++) law->mean[k] = mms_careful_total(&first[k]);
  for (int64_t i = 0; i < mms_plane_cells(plane); i++) {
    mms_plane_point(plane, i, z);
    double mass = area * law->density.data[i], x = z[0] - law->mean[0], y = z[1] - law->mean[1];
    mms_careful_add(&second[0], mass * x * x);
    mms_careful_add(&second[1], mass * x * y);
    mms_careful_add(&second[2], mass * y * y);
  }
  law->covariance[0] = mms_careful_total(&second[0]);
  law->covariance[1] = law->covariance[2] = mms_careful_total(&second[1]);
  law->covariance[3] = mms_careful_total(&second[2]);
}

/* Everything but whether the integral over the whole plane is finite. */
static mms_status make_law(mms_law *law, const mms_plane *plane, const double *potential, const mms_tilt *tilt,
                           mms_error *error) {
  *law = (mms_law){.plane = *plane};
  mms_status status = mms_matrix_create(&law->density, plane->rows, plane->columns, "a density", error);
  if (status != MMS_OK) return status;
  int64_t cells = mms_plane_cells(plane);
  double *energy = law->density.data, z[2];
  memcpy(energy, potential, (size_t)cells * sizeof *energy);
  for (int64_t i = 0; i < cells && status == MMS_OK; i++) {
    mms_plane_point(plane, i, z);
    if (tilt != NULL) mms_tilt_add(tilt, 1, z, &energy[i], NULL);
    if (!isfinite(energy[i]))
      status = mms_fail(error, MMS_ERR_NUMERIC, "the energy at (%g, %g) is %g: no density can be made of it", z[0],
                        z[1], energy[i]);
  }
  if (status == MMS_OK) {
    normalise(law);
    find_moments(law);
  } else {
    mms_law_free(law);
  }
  return status;
}

mms_status mms_law_create(mms_law *law, const mms_plane *plane, const double *potential, const mms_tilt *tilt,
                          mms_error *error) {
  *law = (mms_law){.log_z = 0.0};
  if (tilt != NULL) {
    mms_status status = mms_tilt_check(tilt, NULL, error);
    if (status != MMS_OK) return status;
  }
  return make_law(law, plane, potential, tilt, error);
}

double mms_law_expectation(const mms_law *law, mms_observable *observable, void *context) {
  double area = mms_plane_cell_area(&law->plane), z[2];
  mms_careful sum = {0};
  for (int64_t i = 0; i < mms_plane_cells(&law->plane); i++) {
    mms_plane_point(&law->plane, i, z);
    mms_careful_add(&sum, area * law->density.data[i] * observable(context, z));
  }
  return mms_careful_total(&sum);
}

void mms_law_marginal(const mms_law *law, int axis, double *out) {
  const mms_plane *plane = &law->plane;
  int64_t length = axis == 0 ? plane->columns : plane->rows;
  memset(out, 0, (size_t)length * sizeof *out);
  for (int64_t i = 0; i < mms_plane_cells(plane); i++)
    out[axis == 0 ? i % plane->columns : i / plane->columns] += mms_plane_side(plane, 1 - axis) * law->density.data[i];
}

/* --- Newton -------------------------------------------------------------------------------- */

/* What λ_1, λ_2, Λ_11, Λ_22 and Λ_12 are multiplied with in E*. */
enum { PARAMETERS = 5 };
static void statistics(const double *mean, const double z[2], double t[PARAMETERS]) {
  double x = z[0] - mean[0], y = z[1] - mean[1];
  t[0] = x;
  t[1] = y;
  t[2] = 0.5 * x * x;
  t[3] = 0.5 * y * y;
  t[4] = x * y;
}

/* λ·z instead of λ·(z−μ*) only shifts log Z, so parameters are those of statistics(). */
static mms_status tilt_of(mms_tilt *tilt, const mms_target *target, const double *at, mms_error *error) {
  const double quadratic[4] = {at[2], at[4], at[4], at[3]};
  return mms_tilt_create(tilt, target, at, quadratic, error);
}

/* F(θ) = log Z + θ·E_target t. */
typedef struct newton {
  double value;
  double gradient[PARAMETERS]; /* E_target t − E t */
  double hessian[PARAMETERS * PARAMETERS];
} newton;

/* Moments of t − E_target t under the law; the upper triangle of the second ones. */
static void take_moments(const mms_law *law, const double *mean, const double *wanted, newton *out) {
  mms_careful first[PARAMETERS] = {{0}}, second[PARAMETERS * PARAMETERS] = {{0}};
  double area = mms_plane_cell_area(&law->plane), z[2], t[PARAMETERS];
  for (int64_t i = 0; i < mms_plane_cells(&law->plane); i++) {
    double mass = area * law->density.data[i];
    if (mass == 0.0) continue;
    mms_plane_point(&law->plane, i, z);
    statistics(mean, z, t);
    for (int k = 0; k < PARAMETERS; k++) t[k] -= wanted[k];
    for (int k = 0; k < PARAMETERS; k++) {
      mms_careful_add(&first[k], mass * t[k]);
      for (int l = k; l < PARAMETERS; l++) mms_careful_add(&second[k * PARAMETERS + l], mass * t[k] * t[l]);
    }
  }
  for (int k = 0; k < PARAMETERS; k++) out->gradient[k] = -mms_careful_total(&first[k]);
  for (int k = 0; k < PARAMETERS; k++)
    for (int l = k; l < PARAMETERS; l++)
      out->hessian[k * PARAMETERS + l] =
          mms_careful_total(&second[k * PARAMETERS + l]) - out->gradient[k] * out->gradient[l];
}

static mms_status evaluate(const mms_target *target, const mms_plane *plane, const double *potential, const double *at,
                           newton *out, mms_error *error) {
  const double *sigma = target->covariance.data, *mean = target->mean.data;
  const double wanted[PARAMETERS] = {0.0, 0.0, 0.5 * sigma[0], 0.5 * sigma[3], sigma[1]};
  mms_tilt tilt = {.dim = 0};
  mms_law law = {.log_z = 0.0};
  mms_status status = tilt_of(&tilt, target, at, error);
  if (status == MMS_OK) status = make_law(&law, plane, potential, &tilt, error);
  if (status == MMS_OK) {
    out->value = law.log_z + at[0] * mean[0] + at[1] * mean[1]; /* E* has λ·z, t has z−μ* */
    for (int k = 0; k < PARAMETERS; k++) out->value += at[k] * wanted[k];
    take_moments(&law, mean, wanted, out);
  }
  mms_law_free(&law);
  mms_tilt_free(&tilt);
  return status;
}

/* step = −H⁻¹ g with H = RᵀR; the slope g·step. */
static mms_status newton_step(const newton *at, double step[PARAMETERS], double *slope, mms_error *error) {
  double r[PARAMETERS * PARAMETERS];
  memcpy(r, at->hessian, sizeof r);
  mms_status status = mms_dense_cholesky_upper(PARAMETERS, r, error);
  if (status != MMS_OK) return status;
  for (int i = 0; i < PARAMETERS; i++) { /* Rᵀ y = −g */
    step[i] = -at->gradient[i];
    for (int j = 0; j < i; j++) step[i] -= r[j * PARAMETERS + i] * step[j];
    step[i] /= r[i * PARAMETERS + i];
  }
  for (int i = PARAMETERS - 1; i >= 0; i--) { /* R x = y */
    for (int j = i + 1; j < PARAMETERS; j++) step[i] -= r[i * PARAMETERS + j] * step[j];
    step[i] /= r[i * PARAMETERS + i];
  }
  *slope = 0.0;
  for (int i = 0; i < PARAMETERS; i++) *slope += at->gradient[i] * step[i];
  return MMS_OK;
}

/* The greatest defect of the moments, in units of Σ*. */
static double defect_of(const newton *at, const mms_target *target) {
  double largest = target->eigenvalues.data[0], defect = 0.0;
  for (int k = 0; k < PARAMETERS; k++)
    defect = fmax(defect, fabs(at->gradient[k]) / (k < 2 ? sqrt(largest) : k < 4 ? 0.5 * largest : largest));
  return defect;
}

enum { ITERATIONS = 60, HALVINGS = 40 };
static const double CLOSE = 1e-13; /* of Σ*: sums over cells are good to a few eps */

/* From θ to a θ with a lower F along the Newton step, the whole of it if possible. */
static mms_status go_down(const mms_target *target, const mms_plane *plane, const double *potential,
                          double theta[PARAMETERS], newton *here, mms_error *error) {
  double step[PARAMETERS], trial[PARAMETERS], slope;
  newton there;
  mms_status status = newton_step(here, step, &slope, error);
  double share = 1.0, rounding = 1e-13 * (1.0 + fabs(here->value));
  for (int h = 0; h < HALVINGS && status == MMS_OK; h++) {
    if (h > 0) share *= 0.5;
    for (int k = 0; k < PARAMETERS; k++) trial[k] = theta[k] + share * step[k];
    status = evaluate(target, plane, potential, trial, &there, error);
    if (status != MMS_OK || !(there.value <= here->value + 1e-4 * share * slope + rounding)) continue;
    memcpy(theta, trial, sizeof trial);
    *here = there;
    return MMS_OK;
  }
  return status;
}

mms_status mms_tilt_match(mms_tilt *tilt, const mms_target *target, const mms_plane *plane, const double *potential,
                          mms_error *error) {
  *tilt = (mms_tilt){.dim = 0};
  if (target->dim != 2)
    return mms_fail(error, MMS_ERR_INPUT, "a tilt is matched in the plane; the target has d = %lld",
                    (long long)target->dim);
  double theta[PARAMETERS] = {0.0}, best = INFINITY;
  newton here;
  mms_status status = evaluate(target, plane, potential, theta, &here, error);
  for (int i = 0; i < ITERATIONS && status == MMS_OK; i++) {
    double defect = defect_of(&here, target);
    if (defect <= CLOSE || (defect <= 1e-12 && defect >= best)) break; /* as far as rounding lets it */
    best = defect;
    status = go_down(target, plane, potential, theta, &here, error);
  }
  if (status == MMS_OK && !(defect_of(&here, target) <= 1e-12))
    status = mms_fail(error, MMS_ERR_NUMERIC,
                      "no tilt was found that gives the moments of the target on this grid (a defect of %.2g is left): "
                      "does it reach far enough beyond the data, and is it fine enough?",
                      defect_of(&here, target));
  if (status == MMS_OK) status = tilt_of(tilt, target, theta, error);
  if (status == MMS_OK) status = mms_tilt_check(tilt, NULL, error);
  if (status != MMS_OK) mms_tilt_free(tilt);
  return status;
}
