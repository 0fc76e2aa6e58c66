/* One σ of `density`: the tilt, both laws, likelihoods, and what each group of draws would change. */
#include "study/density_source.h"

#include "mmsold/base/memory.h"
#include "mmsold/parallel/exact_sum.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

void mms_density_result_free(mms_density_result *result) {
  mms_matrix_free(&result->energies);
  mms_matrix_free(&result->potential);
  mms_matrix_free(&result->potential_error);
  for (int law = 0; law < MMS_LAWS; law++) mms_matrix_free(&result->density[law]);
  *result = (mms_density_result){.groups = 0};
}

/* --- the tilt ------------------------------------------------------------------------------- */

/* What the tilt would be from each group's draws alone, λ and Λ: [G][6]. */
typedef struct tilts {
  mms_tilt tilt;
  double *group;
} tilts;

static void take(const mms_tilt *tilt, double out[6]) {
  memcpy(out, tilt->linear.data, 2 * sizeof(double));
  memcpy(out + 2, tilt->quadratic.data, 4 * sizeof(double));
}

/* The tilt is linear in the gradients: the average of the groups' tilts is that of the average gradient, and their
 * spread its error. Where the points are a sample, their own spread comes on top. Collective; agreed. */
static mms_status find_tilt(const mms_density_setting *setting, mms_density_source *from, tilts *out,
                            mms_density_row *row, mms_error *error) {
  const mms_team *team = setting->request->team;
  const mms_blocks *blocks = &setting->tilt_blocks;
  int64_t n = blocks->n_local, groups = from->groups;
  double *values = NULL, *gradients = NULL, *one = NULL, *mean = NULL, sum[6] = {0.0}, squares[6] = {0.0};
  mms_status status = mms_allocate_doubles(&values, n * groups, "potentials", error);
  if (status == MMS_OK) status = mms_allocate_doubles(&gradients, 2 * n * groups, "gradients", error);
  if (status == MMS_OK) status = mms_allocate_doubles(&one, 2 * n, "gradients", error);
  if (status == MMS_OK) status = mms_allocate_doubles(&mean, 2 * n, "gradients", error);
  if (status == MMS_OK && from->draws != NULL)
    status = mms_potential_evaluate(from->draws, n, setting->tilt_points, values, gradients, error);
  else if (status == MMS_OK)
    status = mms_quadrature_points(from->exact, n, setting->tilt_points, values, gradients, error);
  status = mms_team_agree(team, status, error);
  for (int64_t g = 0; g < groups && status == MMS_OK; g++) {
    for (int64_t i = 0; i < 2 * n; i++) {
      one[i] = gradients[(i / 2 * groups + g) * 2 + i % 2];
      mean[i] += mms_density_share(from, g) * one[i];
    }
    mms_tilt tilt;
    status = mms_tilt_solve(&tilt, team, &setting->target, blocks, setting->tilt_points, one, false, error);
    if (status == MMS_OK) take(&tilt, out->group + 6 * g);
    if (status == MMS_OK) mms_tilt_free(&tilt);
    for (int k = 0; k < 6; k++) sum[k] += mms_density_share(from, g) * out->group[6 * g + k];
  }
  mms_tilt sampled = {.dim = 0};
  if (status == MMS_OK) status = mms_tilt_create(&out->tilt, &setting->target, sum, sum + 2, error);
  status = mms_team_agree(team, status, error);
  if (status == MMS_OK && setting->tilt_sampled)
    status = mms_tilt_solve(&sampled, team, &setting->target, blocks, setting->tilt_points, mean, true, error);
  for (int k = 0; k < 6 && status == MMS_OK; k++) {
    for (int64_t g = 0; g < groups; g++) {
      double away = out->group[6 * g + k] - sum[k];
      squares[k] += mms_density_share(from, g) * away * away;
    }
    bool exact = from->draws == NULL || row->smoothing == 0.0;
    double spread = exact ? 0.0 : groups > 1 ? sqrt(squares[k] / (double)(groups - 1)) : NAN;
    double own = !setting->tilt_sampled ? 0.0
                 : k < 2                ? sampled.linear_error.data[k]
                                        : sampled.quadratic_error.data[k - 2];
    *(k < 2 ? &row->lambda_error[k] : &row->quadratic_error[k - 2]) = hypot(spread, own);
  }
  mms_tilt_free(&sampled);
  free(values);
  free(gradients);
  free(one);
  free(mean);
  return mms_team_agree(team, status, error);
}

/* --- likelihoods ------------------------------------------------------------------------------ */

/* Everything of one σ while it is worked on. */
typedef struct work {
  const mms_density_setting *setting;
  mms_density_source from;
  double smoothing;
  tilts tilt;
  mms_density_batch test, cells;
  mms_plane plane; /* of the integrals */
  mms_law law[MMS_LAWS];
} work;

/* Averages over each law's mass, and over the test points, of what each group's V is away from V: out [3][G]. Exact
 * sums, so the order of the ranks does not matter. Collective; agreed. */
static mms_status find_departures(work *self, double *out, mms_error *error) {
  int64_t groups = self->from.groups, columns = self->plane.columns;
  const mms_team *team = self->setting->request->team;
  double area = mms_plane_cell_area(&self->plane), count = (double)self->setting->test_count;
  double *block = NULL;
  mms_exact_sum *sum = NULL;
  const mms_exact_sum_shape shape = {.fine = 3 * groups, .addends = self->cells.blocks.count + self->test.blocks.count};
  mms_status status = mms_allocate_doubles(&block, 3 * groups, "errors of a law", error);
  if (status == MMS_OK) status = mms_exact_sum_create(&sum, &shape, error);
  status = mms_team_agree(team, status, error);
  if (status == MMS_OK) {
    for (int64_t first = 0; first < self->cells.blocks.n_local; first += columns) {
      memset(block, 0, (size_t)(3 * groups) * sizeof *block);
      for (int64_t i = first; i < first + columns; i++)
        for (int law = 0; law < MMS_LAWS; law++) {
          double mass = area * self->law[law].density.data[self->cells.blocks.first_row + i];
          for (int64_t g = 0; g < groups && mass > 0.0; g++)
            block[law * groups + g] += mass * (self->cells.values[i * groups + g] - self->cells.mean[i]);
        }
      mms_exact_sum_add_fine(sum, 0, 3 * groups, block);
    }
    for (int64_t first = 0; first < self->test.blocks.n_local; first += MMS_POTENTIAL_BLOCK) {
      memset(block, 0, (size_t)(3 * groups) * sizeof *block);
      for (int64_t p = first; p < first + MMS_POTENTIAL_BLOCK && p < self->test.blocks.n_local; p++)
        for (int64_t g = 0; g < groups; g++)
          block[2 * groups + g] += (self->test.values[p * groups + g] - self->test.mean[p]) / count;
      mms_exact_sum_add_fine(sum, 0, 3 * groups, block);
    }
    mms_exact_sum_reduce(sum, team);
    mms_exact_sum_read_fine(sum, 0, 3 * groups, out);
  }
  mms_exact_sum_free(&sum);
  free(block);
  return status;
}

/* δλ·E z + ½ tr δΛ E(z−μ*)(z−μ*)ᵀ under a law, or over the test points: how a group's tilt changes the average energy.
 */
static double tilt_change(const double *group, const double *mean_tilt, const double *target_mean, const double *mean,
                          const double *covariance) {
  double change = 0.0;
  for (int k = 0; k < 2; k++) change += (group[k] - mean_tilt[k]) * mean[k];
  for (int k = 0; k < 2; k++)
    for (int l = 0; l < 2; l++) {
      double second = covariance[2 * k + l] + (mean[k] - target_mean[k]) * (mean[l] - target_mean[l]);
      change += 0.5 * (group[2 + 2 * k + l] - mean_tilt[2 + 2 * k + l]) * second;
    }
  return change;
}

static void moments_of(const mms_matrix *points, double mean[2], double covariance[4]) {
  double count = (double)points->rows;
  memset(mean, 0, 2 * sizeof *mean);
  memset(covariance, 0, 4 * sizeof *covariance);
  for (int64_t i = 0; i < points->rows; i++)
    for (int k = 0; k < 2; k++) mean[k] += points->data[2 * i + k] / count;
  for (int64_t i = 0; i < points->rows; i++)
    for (int k = 0; k < 4; k++)
      covariance[k] +=
          (points->data[2 * i + k / 2] - mean[k / 2]) * (points->data[2 * i + k % 2] - mean[k % 2]) / count;
}

/* A value's error from what each group's draws would make of it: slope [G]. */
static double spread_of(const work *self, const double *slope) {
  double squares = 0.0;
  if (self->from.draws == NULL || self->smoothing == 0.0) return 0.0;
  if (self->from.groups < 2) return NAN;
  for (int64_t g = 0; g < self->from.groups; g++) squares += mms_density_share(&self->from, g) * slope[g] * slope[g];
  return sqrt(squares / (double)(self->from.groups - 1));
}

/* log Z, the likelihoods and their errors. Collective; agreed. */
static mms_status find_likelihoods(work *self, mms_density_result *result, mms_error *error) {
  const mms_density_setting *setting = self->setting;
  int64_t groups = self->from.groups, count = setting->test_count;
  double departures[3 * MMS_POTENTIAL_GROUPS] = {0}, log_z_slope[MMS_POTENTIAL_GROUPS] = {0}, mean_tilt[6],
                        test_mean[2], test_covariance[4];
  bool matched = strcmp(setting->request->density.expectation, "matched") == 0;
  mms_status status = find_departures(self, departures, error);
  if (status == MMS_OK)
    status = mms_matrix_create(&result->energies, MMS_LAWS, count, "energies of test points", error);
  status = mms_team_agree(setting->request->team, status, error);
  if (status != MMS_OK) return status;
  take(&self->tilt.tilt, mean_tilt);
  moments_of(&setting->test, test_mean, test_covariance);
  for (int law = 0; law < MMS_LAWS; law++) {
    mms_density_law *out = &result->row.law[law];
    const mms_law *shape = &self->law[law];
    double *energy = result->energies.data + law * count, sum = 0.0, squares = 0.0;
    memcpy(energy, self->test.all, (size_t)count * sizeof *energy);
    if (law == MMS_TILTED) mms_tilt_add(&self->tilt.tilt, count, setting->test.data, energy, NULL);
    for (int64_t i = 0; i < count; i++) sum += energy[i] / (double)count;
    for (int64_t i = 0; i < count; i++) squares += (energy[i] - sum) * (energy[i] - sum);
    for (int64_t g = 0; g < groups; g++) {
      log_z_slope[g] = -departures[law * groups + g];
      result->slope[law][g] = log_z_slope[g] + departures[2 * groups + g];
      if (law == MMS_NAIVE || matched) continue;
      const double *group = self->tilt.group + 6 * g, *mean = setting->target.mean.data;
      double inside = tilt_change(group, mean_tilt, mean, shape->mean, shape->covariance);
      log_z_slope[g] -= inside;
      result->slope[law][g] += tilt_change(group, mean_tilt, mean, test_mean, test_covariance) - inside;
    }
    out->log_z = shape->log_z;
    out->log_z_error = spread_of(self, log_z_slope);
    out->nll = sum + shape->log_z;
    out->nll_error = hypot(spread_of(self, result->slope[law]), sqrt(squares / ((double)count - 1.0) / (double)count));
    memcpy(out->mean, shape->mean, sizeof out->mean);
    memcpy(out->covariance, shape->covariance, sizeof out->covariance);
    out->edge = shape->edge;
    out->change = shape->change;
  }
  return MMS_OK;
}

/* The picture's cells out of those of the wider grid. Collective; agreed. */
static mms_status crop(work *self, mms_density_result *result, mms_error *error) {
  const mms_density_setting *setting = self->setting;
  int64_t columns = setting->picture.columns, rows = setting->picture.rows, wide = self->plane.columns;
  int64_t by = (wide - columns) / 2, cells = columns * rows;
  double *errors = NULL;
  mms_status status = mms_allocate_doubles(&errors, mms_plane_cells(&self->plane), "errors of cells", error);
  if (status == MMS_OK) status = mms_matrix_create(&result->potential, 1, cells, "a picture", error);
  if (status == MMS_OK) status = mms_matrix_create(&result->potential_error, 1, cells, "a picture", error);
  for (int law = 0; law < MMS_LAWS && status == MMS_OK; law++)
    status = mms_matrix_create(&result->density[law], 1, cells, "a picture", error);
  status = mms_team_agree(setting->request->team, status, error);
  if (status == MMS_OK) {
    mms_study_gather(setting->request->team, &self->cells.blocks, 1, self->cells.error, errors);
    for (int64_t r = 0; r < rows; r++) {
      int64_t from = (r + by) * wide + by;
      size_t bytes = (size_t)columns * sizeof(double);
      memcpy(result->potential.data + r * columns, self->cells.all + from, bytes);
      memcpy(result->potential_error.data + r * columns, errors + from, bytes);
      for (int law = 0; law < MMS_LAWS; law++)
        memcpy(result->density[law].data + r * columns, self->law[law].density.data + from, bytes);
    }
  }
  free(errors);
  return status;
}

/* The grid, V on it, the tilt where it is matched, both laws. Collective; agreed. */
static mms_status find_laws(work *self, double smoothing, mms_error *error) {
  const mms_density_setting *setting = self->setting;
  const mms_team *team = setting->request->team;
  bool matched = strcmp(setting->request->density.expectation, "matched") == 0;
  int64_t by = 0;
  mms_status status = mms_density_width(setting, smoothing, matched ? NULL : &self->tilt.tilt, &by, error);
  for (int k = 0; k < 2 && matched; k++) { /* a law of the target's moments: 6 of its standard deviations */
    double reach = 6.0 * sqrt(setting->target.covariance.data[3 * k]), mean = setting->target.mean.data[k];
    double missing = fmax(mean + reach - setting->picture.high[k], setting->picture.low[k] - (mean - reach));
    double wanted = missing / mms_plane_side(&setting->picture, k);
    if (wanted > (double)by) by = (int64_t)ceil(wanted);
  }
  self->plane = mms_density_widened(&setting->picture, by);
  if (status == MMS_OK) status = mms_density_evaluate_plane(team, &self->from, &self->plane, &self->cells, error);
  if (status == MMS_OK && matched) {
    status = mms_tilt_match(&self->tilt.tilt, &setting->target, &self->plane, self->cells.all, error);
    status = mms_team_agree(team, status, error);
  }
  for (int law = 0; law < MMS_LAWS && status == MMS_OK; law++)
    status = mms_law_create(&self->law[law], &self->plane, self->cells.all, law == MMS_NAIVE ? NULL : &self->tilt.tilt,
                            error);
  return mms_team_agree(team, status, error);
}

mms_status mms_density_smoothing(const mms_density_setting *setting, double smoothing, mms_density_result *result,
                                 mms_error *error) {
  const mms_team *team = setting->request->team;
  *result = (mms_density_result){.row = {.smoothing = smoothing}};
  work self = {.setting = setting, .smoothing = smoothing};
  bool matched = strcmp(setting->request->density.expectation, "matched") == 0;
  mms_status status = mms_density_source_open(setting, smoothing, &self.from, error);
  if (status == MMS_OK)
    status = mms_team_agree(
        team, mms_allocate_doubles(&self.tilt.group, 6 * self.from.groups, "tilts of groups", error), error);
  if (status == MMS_OK && !matched) status = find_tilt(setting, &self.from, &self.tilt, &result->row, error);
  if (status == MMS_OK && !matched) status = mms_team_agree(team, mms_tilt_check(&self.tilt.tilt, NULL, error), error);
  if (status == MMS_OK)
    status = mms_density_evaluate_points(team, &self.from, setting->test_count, setting->test.data, &self.test, error);
  if (status == MMS_OK) status = find_laws(&self, smoothing, error);
  if (status == MMS_OK) status = find_likelihoods(&self, result, error);
  if (status == MMS_OK) status = crop(&self, result, error);
  if (status == MMS_OK) {
    double all[6];
    take(&self.tilt.tilt, all);
    memcpy(result->row.lambda, all, sizeof result->row.lambda);
    memcpy(result->row.quadratic, all + 2, sizeof result->row.quadratic);
    if (matched)
      for (int k = 0; k < 6; k++) *(k < 2 ? &result->row.lambda_error[k] : &result->row.quadratic_error[k - 2]) = NAN;
    result->groups = self.from.groups;
    for (int64_t g = 0; g < self.from.groups; g++) result->share[g] = mms_density_share(&self.from, g);
    mms_log_detail(setting->request->log, "smoothing %g: %s; integrals over %lld x %lld cells", smoothing,
                   self.from.draws != NULL ? mms_potential_reason(self.from.draws) : "quadrature",
                   (long long)self.plane.columns, (long long)self.plane.rows);
  } else {
    if (error != NULL) mms_fail_within(error, "smoothing = %g", smoothing);
    mms_density_result_free(result);
  }
  mms_density_source_close(&self.from);
  mms_tilt_free(&self.tilt.tilt);
  free(self.tilt.group);
  mms_density_batch_free(&self.test);
  mms_density_batch_free(&self.cells);
  for (int law = 0; law < MMS_LAWS; law++) mms_law_free(&self.law[law]);
  return status;
}
