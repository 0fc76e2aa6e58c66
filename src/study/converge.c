/* What the cells of a study say together. */
#include "mmsold/study/converge.h"

#include "mmsold/base/memory.h"
#include "study/converge_cells.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const double RESOLVED = 2.0; /* standard errors a bias must be away from 0 to say something about a power */

static mms_status make_quantity(mms_quantity *q, const mms_converge_request *request, bool power, const char *name,
                                const char *meaning, mms_error *error) {
  const int64_t points = request->curves * request->rungs;
  snprintf(q->name, sizeof q->name, "%s", name);
  snprintf(q->meaning, sizeof q->meaning, "%s", meaning);
  q->power = power;
  void *lines = NULL;
  mms_status status = mms_allocate_doubles(&q->value, points, "results", error);
  if (status == MMS_OK) status = mms_allocate_doubles(&q->stderr_value, points, "results", error);
  if (status == MMS_OK) status = mms_allocate_doubles(&q->half_width, points, "results", error);
  if (status == MMS_OK) status = mms_allocate(&lines, request->curves, sizeof(mms_line), "results", error);
  q->line = lines;
  return status;
}

/* The finite values of a raw column at a point. values: [seeds]. */
static int64_t values_at(const mms_converge_request *request, const double *column, int64_t point, double *values) {
  int64_t used = 0;
  for (int64_t s = 0; s < request->seeds; s++)
    if (isfinite(column[point * request->seeds + s])) values[used++] = column[point * request->seeds + s];
  return used;
}

static void fill_mean(const mms_converge_request *request, const double *column, double *values, mms_quantity *q) {
  for (int64_t p = 0; p < request->curves * request->rungs; p++) {
    const mms_mean all = mms_mean_of(values, values_at(request, column, p, values));
    q->value[p] = all.mean;
    q->stderr_value[p] = all.stderr_mean;
    q->half_width[p] = all.half_width;
  }
}

/* The spread from seed to seed; the relative error of a standard deviation from S normal values is (2(S − 1))^{-1/2}.
 */
static void fill_spread(const mms_converge_request *request, const double *column, double *values, mms_quantity *q) {
  for (int64_t p = 0; p < request->curves * request->rungs; p++) {
    const int64_t used = values_at(request, column, p, values);
    q->value[p] = mms_mean_of(values, used).deviation;
    q->stderr_value[p] = used > 1 ? q->value[p] / sqrt(2.0 * ((double)used - 1.0)) : NAN;
    q->half_width[p] = used > 1 ? mms_student_quantile(0.975, (double)used - 1.0) * q->stderr_value[p] : NAN;
  }
}

/* |average − truth|; both errors count. */
static void fill_bias(const mms_converge_request *request, const double *column, int64_t k, const mms_truth *truth,
                      double *values, mms_quantity *q) {
  for (int64_t p = 0; p < request->curves * request->rungs; p++) {
    const int64_t used = values_at(request, column, p, values), at = p * request->observable_count + k;
    const bool itself = request->reference == MMS_REFERENCE_FINEST && p % request->rungs == request->rungs - 1;
    const mms_mean all = mms_mean_of(values, used);
    q->value[p] = itself ? NAN : fabs(all.mean - truth->value[at]);
    q->stderr_value[p] = itself ? NAN : hypot(all.stderr_mean, truth->stderr_value[at]);
    q->half_width[p] = used > 1 ? mms_student_quantile(0.975, (double)used - 1.0) * q->stderr_value[p] : NAN;
  }
}

static void fit(const mms_converge_request *request, mms_quantity *q) {
  for (int64_t curve = 0; q->power && curve < request->curves; curve++) {
    const int64_t at = curve * request->rungs;
    q->line[curve] = mms_power_fit(request->x, q->value + at, q->stderr_value + at, request->rungs, RESOLVED);
  }
}

static mms_status expand(const mms_converge_request *request, const mms_quantity *averages, const char *name,
                         mms_expansion *e, mms_error *error) {
  void *has = NULL;
  snprintf(e->name, sizeof e->name, "%s", name);
  mms_status status = mms_allocate(&has, request->curves, sizeof(bool), "results", error);
  e->has = has;
  if (status == MMS_OK) status = mms_allocate_doubles(&e->coefficient, 3 * request->curves, "results", error);
  if (status == MMS_OK) status = mms_allocate_doubles(&e->half_width, 3 * request->curves, "results", error);
  for (int64_t curve = 0; status == MMS_OK && curve < request->curves; curve++) {
    double coefficient[MMS_MOST_DEGREE + 1] = {0}, half[MMS_MOST_DEGREE + 1] = {0};
    const int64_t at = curve * request->rungs;
    e->has[curve] = mms_polynomial_fit(request->x, averages->value + at, averages->stderr_value + at, request->rungs, 2,
                                       coefficient, half);
    for (int k = 0; k < 3; k++) {
      e->coefficient[3 * curve + k] = e->has[curve] ? coefficient[k] : NAN;
      e->half_width[3 * curve + k] = e->has[curve] ? half[k] : NAN;
    }
  }
  return status;
}

/* All quantities out of the raw columns: the two distances, then average, bias and spread of each observable. */
static mms_status summarise(const mms_converge_request *request, const mms_truth *truth, mms_convergence *result,
                            double *values, mms_error *error) {
  const int64_t cells = request->curves * request->rungs * request->seeds;
  mms_quantity *q = result->quantities;
  mms_status status = make_quantity(&q[0], request, true, "sliced_distance",
                                    "sliced Wasserstein-2 distance of a snapshot to the limit", error);
  if (status == MMS_OK)
    status =
        make_quantity(&q[1], request, true, "energy_distance", "energy distance of a snapshot to the limit", error);
  if (status != MMS_OK) return status;
  fill_mean(request, result->raw + MMS_RAW_SLICED * cells, values, &q[0]);
  fill_mean(request, result->raw + MMS_RAW_ENERGY * cells, values, &q[1]);
  for (int64_t k = 0; k < request->observable_count; k++) {
    const char *name = mms_study_observable_name(request->observables[k]);
    const double *snapshot = result->raw + (MMS_RAW_FIRST_OBSERVABLE + 2 * k) * cells, *average = snapshot + cells;
    mms_quantity *own = q + 2 + 3 * k;
    char title[48], meaning[160];
    snprintf(title, sizeof title, "%s_average", name);
    snprintf(meaning, sizeof meaning, "%s in the long run, averaged over steps and seeds", name);
    status = make_quantity(&own[0], request, false, title, meaning, error);
    snprintf(title, sizeof title, "%s_bias", name);
    snprintf(meaning, sizeof meaning, "size of the difference of %s in the long run to its value in the limit", name);
    if (status == MMS_OK) status = make_quantity(&own[1], request, true, title, meaning, error);
    snprintf(title, sizeof title, "%s_spread", name);
    snprintf(meaning, sizeof meaning, "standard deviation of a snapshot's %s from seed to seed", name);
    if (status == MMS_OK) status = make_quantity(&own[2], request, true, title, meaning, error);
    if (status != MMS_OK) return status;
    fill_mean(request, average, values, &own[0]);
    fill_bias(request, average, k, truth, values, &own[1]);
    fill_spread(request, snapshot, values, &own[2]);
    if (result->expansion_count > 0) status = expand(request, &own[0], name, &result->expansions[k], error);
    if (status != MMS_OK) return status;
  }
  for (int64_t i = 0; i < result->quantity_count; i++) fit(request, &q[i]);
  return MMS_OK;
}

/* Names of the columns that are kept: what a cell measured itself. */
static void name_columns(const mms_converge_request *request, mms_convergence *result) {
  snprintf(result->raw_names[MMS_RAW_SLICED], 48, "sliced_distance");
  snprintf(result->raw_names[MMS_RAW_ENERGY], 48, "energy_distance");
  for (int64_t k = 0; k < request->observable_count; k++) {
    const char *name = mms_study_observable_name(request->observables[k]);
    snprintf(result->raw_names[MMS_RAW_FIRST_OBSERVABLE + 2 * k], 48, "%s_snapshot", name);
    snprintf(result->raw_names[MMS_RAW_FIRST_OBSERVABLE + 2 * k + 1], 48, "%s_average", name);
  }
}

static mms_status make_room(const mms_converge_request *request, mms_convergence *result, mms_truth *truth,
                            double **values, mms_error *error) {
  const int64_t cells = request->curves * request->rungs * request->seeds, kinds = request->observable_count;
  void *quantities = NULL, *expansions = NULL, *names = NULL;
  result->quantity_count = 2 + 3 * kinds;
  result->expansion_count = strcmp(request->abscissa, "step_size") == 0 && request->rungs >= 4 ? kinds : 0;
  result->raw_count = MMS_RAW_FIRST_OBSERVABLE + 2 * kinds;
  mms_status status = mms_allocate(&quantities, result->quantity_count, sizeof(mms_quantity), "results", error);
  result->quantities = quantities;
  if (status == MMS_OK)
    status = mms_allocate(&expansions, result->expansion_count, sizeof(mms_expansion), "results", error);
  result->expansions = expansions;
  if (status == MMS_OK) status = mms_allocate(&names, result->raw_count, 48, "results", error);
  result->raw_names = names;
  if (status == MMS_OK)
    status = mms_allocate_doubles(&result->raw, (result->raw_count + 2 * kinds) * cells, "results", error);
  const int64_t points = request->curves * request->rungs;
  if (status == MMS_OK) status = mms_allocate_doubles(&truth->value, points * kinds, "results", error);
  if (status == MMS_OK) status = mms_allocate_doubles(&truth->stderr_value, points * kinds, "results", error);
  if (status == MMS_OK) status = mms_allocate_doubles(values, request->seeds, "results", error);
  return mms_team_agree(request->team, status, error);
}

mms_status mms_converge(const mms_converge_request *request, mms_convergence *result, mms_error *error) {
  *result = (mms_convergence){0};
  mms_truth truth = {0};
  double *values = NULL;
  mms_status status = make_room(request, result, &truth, &values, error);
  if (status == MMS_OK && request->reference == MMS_REFERENCE_LIMIT)
    status = mms_converge_limit(request, &truth, error);
  if (status == MMS_OK) status = mms_converge_measure(request, result->raw, &truth, error);
  if (status == MMS_OK) {
    for (int64_t c = 0; c < request->curves * request->rungs * request->seeds; c++)
      result->missing += request->samples[c] == NULL;
    result->reference_points = truth.reference_points;
    name_columns(request, result);
    status = summarise(request, &truth, result, values, error);
    if (status == MMS_OK && mms_team_rank(request->team) == 0) status = mms_converge_write(request, result, error);
    status = mms_team_agree(request->team, status, error);
  }
  free(values);
  mms_matrix_free(&truth.limit);
  free(truth.value);
  free(truth.stderr_value);
  if (status != MMS_OK) mms_convergence_free(result);
  return status;
}

void mms_convergence_free(mms_convergence *result) {
  for (int64_t i = 0; result->quantities != NULL && i < result->quantity_count; i++) {
    free(result->quantities[i].value);
    free(result->quantities[i].stderr_value);
    free(result->quantities[i].half_width);
    free(result->quantities[i].line);
  }
  for (int64_t i = 0; result->expansions != NULL && i < result->expansion_count; i++) {
    free(result->expansions[i].has);
    free(result->expansions[i].coefficient);
    free(result->expansions[i].half_width);
  }
  free(result->quantities);
  free(result->expansions);
  free(result->raw_names);
  free(result->raw);
  *result = (mms_convergence){0};
}
