/* V in the plane as a sum over a lattice: rows of U are made once and passed over all points near them. */
#include "mmsold/study/limit.h"

#include "mmsold/base/memory.h"
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
  BATCH = 4096,   /* lattice points the field takes at once */
  LANES = 8,      /* partial sums of a product */
  PROBES = 32,    /* at most */
  HALVINGS = 6,   /* σ/4 … σ/128 */
  FIRST_SHARE = 4 /* σ/h at first: the weights themselves are summed to 1e-136 */
};

static const double REACH = 8.0;                      /* σ: exp(−32) = 1e-14 */
static const int64_t WEIGHTS_HELD = (int64_t)1 << 23; /* doubles: 64 MiB */

struct mms_quadrature {
  const mms_training *training;
  mms_field *field;
  double bandwidth, smoothing, step, change;
};

/* A range of lattice numbers. */
typedef struct range {
  int64_t first, count;
} range;

/* The lattice numbers within reach of low … high. */
static range reach_of(const mms_quadrature *self, double low, double high) {
  double reach = REACH * self->smoothing;
  int64_t first = (int64_t)ceil((low - reach) / self->step), last = (int64_t)floor((high + reach) / self->step);
  return (range){first, last - first + 1};
}

static mms_queries exact_queries(const mms_quadrature *self, int64_t count, const double *points) {
  return (mms_queries){.count = count, .points = points, .bandwidth = self->bandwidth};
}

/* U along lattice row j: out [columns.count]; points is scratch [BATCH][2], pull [BATCH][2]. */
static mms_status potential_row(mms_quadrature *self, int64_t j, range columns, double *points, double *pull,
                                double *out, mms_error *error) {
  mms_status status = MMS_OK;
  for (int64_t first = 0; first < columns.count && status == MMS_OK; first += BATCH) {
    int64_t now = columns.count - first < BATCH ? columns.count - first : BATCH;
    for (int64_t i = 0; i < now; i++) {
      points[2 * i] = self->step * (double)(columns.first + first + i);
      points[2 * i + 1] = self->step * (double)j;
    }
    mms_queries queries = exact_queries(self, now, points);
    status = mms_field_gradient(self->field, &queries, pull, out + first, error);
  }
  return status;
}

static double dot(int64_t count, const double *a, const double *b) {
  double lanes[LANES] = {0.0}, sum = 0.0;
  int64_t i = 0;
  for (; i + LANES <= count; i += LANES)
    for (int l = 0; l < LANES; l++) lanes[l] += a[i + l] * b[i + l];
  for (; i < count; i++) sum += a[i] * b[i];
  for (int l = 0; l < LANES; l++) sum += lanes[l];
  return sum;
}

/* Weights exp(−(step·i − at)²/(2σ²)) of the lattice numbers within reach of `at`, that sum to one: out [taps]. Returns
 * the first lattice number. `taps` covers any `at`. */
static int64_t weights(const mms_quadrature *self, double at, int64_t taps, double *out) {
  range near = reach_of(self, at, at);
  double sum = 0.0;
  for (int64_t i = 0; i < taps; i++) {
    double away = (self->step * (double)(near.first + i) - at) / self->smoothing;
    out[i] = i < near.count ? exp(-0.5 * away * away) : 0.0;
    sum += out[i];
  }
  for (int64_t i = 0; i < taps; i++) out[i] /= sum;
  return near.first;
}

static int64_t most_taps(const mms_quadrature *self) {
  return (int64_t)floor(2.0 * REACH * self->smoothing / self->step) + 2;
}

/* Scratch of a pass over the lattice. */
typedef struct pass {
  range columns;
  int64_t taps;
  double *row, *points, *pull; /* [columns.count + taps], [BATCH][2], [BATCH][2] */
  double *weights, *moments;   /* [n][taps]: w, and for gradients w (x − x_p)/σ² */
  int64_t *first;              /* [n] */
} pass;

static void put_away(pass *work) {
  free(work->row);
  free(work->points);
  free(work->pull);
  free(work->weights);
  free(work->moments);
  free(work->first);
}

static mms_status set_up(pass *work, int64_t count, bool gradients, mms_error *error) {
  mms_status status = mms_allocate_doubles(&work->row, work->columns.count + work->taps, "a row of the lattice", error);
  if (status == MMS_OK)
    status = mms_allocate_doubles(&work->points, (int64_t)2 * BATCH, "points of the lattice", error);
  if (status == MMS_OK) status = mms_allocate_doubles(&work->pull, (int64_t)2 * BATCH, "points of the lattice", error);
  if (status == MMS_OK) status = mms_allocate_doubles(&work->weights, count * work->taps, "lattice weights", error);
  if (status == MMS_OK && gradients)
    status = mms_allocate_doubles(&work->moments, count * work->taps, "lattice weights", error);
  void *first = NULL;
  if (status == MMS_OK) status = mms_allocate(&first, count, sizeof *work->first, "lattice weights", error);
  work->first = first;
  return status;
}

static void span(int64_t count, const double *at, int64_t stride, double *low, double *high) {
  *low = DBL_MAX, *high = -DBL_MAX;
  for (int64_t i = 0; i < count; i++) {
    *low = fmin(*low, at[i * stride]); /* NOLINT(clang-analyzer-core.CallAndMessage): the points are set by then */
    *high = fmax(*high, at[i * stride]);
  }
}

/* V += Σ_j w_j Σ_i w_i U_ij over the lattice, row by row. */
static mms_status pass_over_points(mms_quadrature *self, pass *work, int64_t count, const double *points,
                                   double *values, double *gradients, mms_error *error) {
  double low, high, smoothing2 = self->smoothing * self->smoothing;
  mms_status status = MMS_OK;
  for (int64_t p = 0; p < count; p++) {
    work->first[p] = weights(self, points[2 * p], work->taps, work->weights + p * work->taps);
    for (int64_t i = 0; i < work->taps && gradients != NULL; i++)
      work->moments[p * work->taps + i] =
          work->weights[p * work->taps + i] / smoothing2 * (self->step * (double)(work->first[p] + i) - points[2 * p]);
    values[p] = 0.0;
    if (gradients != NULL) gradients[2 * p] = gradients[2 * p + 1] = 0.0;
  }
  span(count, points + 1, 2, &low, &high);
  range rows = reach_of(self, low, high);
  double norm = 1.0 / (self->smoothing / self->step * sqrt(2.0 * M_PI)); /* of weights in y, to 1e-136 (FIRST_SHARE) */
  for (int64_t j = rows.first; j < rows.first + rows.count && status == MMS_OK; j++) {
    status = potential_row(self, j, work->columns, work->points, work->pull, work->row, error);
    for (int64_t p = 0; p < count && status == MMS_OK; p++) {
      double away = self->step * (double)j - points[2 * p + 1];
      if (fabs(away) > REACH * self->smoothing) continue;
      double w = norm * exp(-0.5 * away * away / smoothing2);
      const double *row = work->row + (work->first[p] - work->columns.first);
      double along = dot(work->taps, row, work->weights + p * work->taps);
      values[p] += w * along;
      if (gradients == NULL) continue;
      gradients[2 * p] += w * dot(work->taps, row, work->moments + p * work->taps);
      gradients[2 * p + 1] += w * along * away / smoothing2;
    }
  }
  return status;
}

/* σ = 0: U itself. */
static mms_status exact_points(mms_quadrature *self, int64_t count, const double *points, double *values,
                               double *gradients, mms_error *error) {
  double *pull = NULL;
  mms_status status = mms_allocate_doubles(&pull, (int64_t)2 * BATCH, "gradients", error);
  for (int64_t first = 0; first < count && status == MMS_OK; first += BATCH) {
    int64_t now = count - first < BATCH ? count - first : BATCH;
    mms_queries queries = exact_queries(self, now, points + 2 * first);
    status = mms_field_gradient(self->field, &queries, pull, values + first, error);
    if (status == MMS_OK && gradients != NULL)
      memcpy(gradients + 2 * first, pull, (size_t)(2 * now) * sizeof *gradients);
  }
  free(pull);
  return status;
}

mms_status mms_quadrature_points(mms_quadrature *quadrature, int64_t rows, const double *points, double *values,
                                 double *gradients, mms_error *error) {
  if (quadrature->smoothing == 0.0) return exact_points(quadrature, rows, points, values, gradients, error);
  int64_t taps = most_taps(quadrature), batch = WEIGHTS_HELD / taps + 1;
  mms_status status = MMS_OK;
  for (int64_t first = 0; first < rows && status == MMS_OK; first += batch) {
    int64_t now = rows - first < batch ? rows - first : batch;
    double low, high;
    span(now, points + 2 * first, 2, &low, &high);
    pass work = {.columns = reach_of(quadrature, low, high), .taps = taps};
    status = set_up(&work, now, gradients != NULL, error);
    if (status == MMS_OK)
      status = pass_over_points(quadrature, &work, now, points + 2 * first, values + first,
                                gradients == NULL ? NULL : gradients + 2 * first, error);
    put_away(&work);
  }
  return status;
}

/* A row of the lattice is smoothed along x once for all columns, and then goes into all rows of cells near it. */
static mms_status pass_over_plane(mms_quadrature *self, pass *work, const mms_plane *plane, int64_t first,
                                  int64_t count, double *smoothed, double *values, mms_error *error) {
  double z[2], top[2], smoothing2 = self->smoothing * self->smoothing;
  mms_status status = MMS_OK;
  for (int64_t c = 0; c < plane->columns; c++) {
    mms_plane_point(plane, c, z);
    work->first[c] = weights(self, z[0], work->taps, work->weights + c * work->taps);
  }
  memset(values, 0, (size_t)(count * plane->columns) * sizeof *values);
  mms_plane_point(plane, first * plane->columns, z);
  mms_plane_point(plane, (first + count - 1) * plane->columns, top);
  range rows = reach_of(self, z[1], top[1]);
  double norm = 1.0 / (self->smoothing / self->step * sqrt(2.0 * M_PI));
  for (int64_t j = rows.first; j < rows.first + rows.count && status == MMS_OK; j++) {
    status = potential_row(self, j, work->columns, work->points, work->pull, work->row, error);
    for (int64_t c = 0; c < plane->columns && status == MMS_OK; c++)
      smoothed[c] = dot(work->taps, work->row + (work->first[c] - work->columns.first), work->weights + c * work->taps);
    for (int64_t r = 0; r < count && status == MMS_OK; r++) {
      mms_plane_point(plane, (first + r) * plane->columns, z);
      double away = self->step * (double)j - z[1];
      if (fabs(away) > REACH * self->smoothing) continue;
      double w = norm * exp(-0.5 * away * away / smoothing2);
      for (int64_t c = 0; c < plane->columns; c++) values[r * plane->columns + c] += w * smoothed[c];
    }
  }
  return status;
}

mms_status mms_quadrature_plane(mms_quadrature *quadrature, const mms_plane *plane, int64_t first, int64_t count,
                                double *values, mms_error *error) {
  if (count == 0) return MMS_OK;
  double *smoothed = NULL, left[2], right[2];
  int64_t cells = plane->columns * (quadrature->smoothing == 0.0 ? 2 * count : 1);
  mms_status status = mms_allocate_doubles(&smoothed, cells, "a row of cells", error);
  if (status == MMS_OK && quadrature->smoothing == 0.0) {
    for (int64_t i = 0; i < count * plane->columns; i++)
      mms_plane_point(plane, first * plane->columns + i, smoothed + 2 * i);
    status = exact_points(quadrature, count * plane->columns, smoothed, values, NULL, error);
  } else if (status == MMS_OK) {
    mms_plane_point(plane, 0, left);
    mms_plane_point(plane, plane->columns - 1, right);
    pass work = {.columns = reach_of(quadrature, left[0], right[0]), .taps = most_taps(quadrature)};
    status = set_up(&work, plane->columns, false, error);
    if (status == MMS_OK) status = pass_over_plane(quadrature, &work, plane, first, count, smoothed, values, error);
    put_away(&work);
  }
  free(smoothed);
  return status;
}

/* --- the step ------------------------------------------------------------------------------ */

/* Training points picked evenly, and points half way from each to the next. Returns how many. */
static int64_t choose_probes(const mms_training *training, double *probes) {
  int64_t picked = training->count < PROBES / 2 ? training->count : PROBES / 2;
  for (int64_t i = 0; i < picked; i++) {
    const double *x = training->points + 2 * (i * training->count / picked);
    const double *next = training->points + 2 * ((i + 1) % picked * training->count / picked);
    for (int k = 0; k < 2; k++) {
      probes[4 * i + k] = x[k];
      probes[4 * i + 2 + k] = 0.5 * (x[k] + next[k]);
    }
  }
  return 2 * picked;
}

static mms_status find_step(mms_quadrature *self, double tolerance, mms_error *error) {
  double probes[2 * PROBES], values[2][PROBES], gradients[2][2 * PROBES];
  int64_t count = choose_probes(self->training, probes);
  self->step = self->smoothing / FIRST_SHARE;
  mms_status status = mms_quadrature_points(self, count, probes, values[0], gradients[0], error);
  for (int h = 1; h < HALVINGS && status == MMS_OK; h++) {
    double before = self->change;
    self->step *= 0.5;
    status = mms_quadrature_points(self, count, probes, values[h % 2], gradients[h % 2], error);
    self->change = 0.0;
    for (int64_t p = 0; p < count && status == MMS_OK; p++) {
      double scale = 1.0 / (1.0 + fabs(values[h % 2][p]));
      self->change = fmax(self->change, scale * fabs(values[0][p] - values[1][p]));
      for (int64_t k = 2 * p; k < 2 * p + 2; k++)
        self->change = fmax(self->change, scale * self->bandwidth * fabs(gradients[0][k] - gradients[1][k]));
    }
    if (status == MMS_OK && self->change <= tolerance) return MMS_OK;
    if (h > 1 && self->change < 1e-9 && self->change > 0.5 * before) break; /* rounding is all that is left */
  }
  if (status != MMS_OK) return status;
  return mms_fail(
      error, MMS_ERR_NUMERIC,
      "quadrature of V: at a step of smoothing/%.0f it still changes by %.2g, more than %.2g: the bandwidth "
      "%g is too small against the smoothing %g for this rule; take Monte Carlo",
      self->smoothing / self->step, self->change, tolerance, self->bandwidth, self->smoothing);
}

mms_status mms_quadrature_create(mms_quadrature **quadrature, const mms_team *team, const mms_training *training,
                                 double bandwidth, double smoothing, double tolerance, mms_error *error) {
  *quadrature = NULL;
  mms_quadrature *self = NULL;
  mms_status status = MMS_OK;
  if (training->dim != 2)
    status = mms_fail(error, MMS_ERR_INPUT, "quadrature of V is for the plane; the training set has d = %lld",
                      (long long)training->dim);
  else if (!(smoothing >= 0.0) || isinf(smoothing) || !(tolerance > 0.0) || !(tolerance < 1.0))
    status = mms_fail(error, MMS_ERR_INPUT,
                      "quadrature of V with smoothing %g to a tolerance of %g: the smoothing must be finite and not "
                      "negative, the tolerance between 0 and 1",
                      smoothing, tolerance);
  if (status == MMS_OK) status = mms_allocate((void **)&self, 1, sizeof *self, "a quadrature", error);
  status = mms_team_agree(team, status, error);
  if (status == MMS_OK) {
    self->training = training;
    self->bandwidth = bandwidth;
    self->smoothing = smoothing;
    status = mms_field_create(&self->field, team, training, MMS_BACKEND_AUTO, BATCH, 0, error);
  }
  if (status == MMS_OK && smoothing > 0.0) status = mms_team_agree(team, find_step(self, tolerance, error), error);
  if (status != MMS_OK)
    mms_quadrature_free(&self);
  else
    *quadrature = self;
  return status;
}

void mms_quadrature_free(mms_quadrature **quadrature) {
  if (*quadrature == NULL) return;
  mms_field_free(&(*quadrature)->field);
  free(*quadrature);
  *quadrature = NULL;
}

double mms_quadrature_step(const mms_quadrature *quadrature) { return quadrature->step; }
double mms_quadrature_change(const mms_quadrature *quadrature) { return quadrature->change; }
