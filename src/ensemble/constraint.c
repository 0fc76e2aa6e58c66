#include "mmsold/ensemble/constraint.h"

#include "ensemble/constraint_state.h"
#include "ensemble/few.h"
#include "ensemble/panels.h"
#include "mmsold/base/clock.h"
#include "mmsold/base/memory.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Defect that rounding may leave after a step before a second retraction is made. */
static const double REPAIR_ABOVE = 1e-13;

/* A pass of the plain retraction that began this near the manifold ends on it to rounding. */
static const double NEAR_ENOUGH = 0.1;
enum { LEAST_PASSES = 2, MOST_PASSES = 5 };

static int64_t step_length(int64_t d) { return mms_panels_step_length(d) + 1; }

/* Hand out `count` doubles of the constraint's memory on fresh cache lines; with memory still
 * NULL only the need is counted. */
static double *carve(mms_constraint *constraint, int64_t count) {
  int64_t line = MMS_ALIGNMENT / (int64_t)sizeof(double);
  double *piece = constraint->memory == NULL ? NULL : constraint->memory + constraint->memory_count;
  constraint->memory_count += (count + line - 1) / line * line;
  return piece;
}

static void carve_all(mms_constraint *constraint) {
  int64_t d = constraint->dim, square = d * d;
  constraint->memory_count = 0;
  constraint->packed = carve(constraint, step_length(d));
  constraint->panel = carve(constraint, mms_panels_room(d));
  constraint->sum_y = carve(constraint, d);
  constraint->sum_w = carve(constraint, d);
  constraint->center = carve(constraint, d);
  constraint->d = carve(constraint, square);
  constraint->s = carve(constraint, square);
  constraint->c = carve(constraint, square);
  constraint->a = carve(constraint, square);
  constraint->root = carve(constraint, square);
  constraint->inverse = carve(constraint, square);
  constraint->turn = carve(constraint, square);
  constraint->eigenvalues = carve(constraint, d);
  constraint->tile = carve(constraint, constraint->blocks.size * d);
  constraint->refused = carve(constraint, constraint->blocks.end - constraint->blocks.first);
}

mms_status mms_constraint_create(mms_constraint **constraint, const mms_blocks *blocks, int64_t dim,
                                 mms_retraction retraction, mms_error *error) {
  *constraint = NULL;
  if (dim < 1) return mms_fail(error, MMS_ERR_INPUT, "dimension = %lld: it must be at least 1", (long long)dim);
  if (blocks->total <= dim)
    return mms_fail(
        error, MMS_ERR_INPUT,
        "particles = %lld is too few for dimension %lld: the covariance of P points has rank P - 1 at most, "
        "so the target's can only be met with %lld particles or more (twice the dimension mixes well)",
        (long long)blocks->total, (long long)dim, (long long)dim + 1);
  void *memory = NULL;
  mms_status status = mms_allocate(&memory, 1, sizeof(mms_constraint), "the constraint", error);
  if (status != MMS_OK) return status;
  mms_constraint *made = memory;
  made->blocks = *blocks;
  made->dim = dim;
  made->retraction = retraction;
  carve_all(made);
  status = mms_allocate_doubles(&made->memory, made->memory_count, "the moments of a step", error);
  if (status == MMS_OK) {
    carve_all(made);
    status = mms_exact_sum_create(&made->step_sum, step_length(dim) + MMS_RIDERS, MMS_COUNTERS, blocks->count, error);
  }
  if (status == MMS_OK)
    status = mms_exact_sum_create(&made->plain_sum, mms_panels_plain_length(dim), MMS_COUNTERS, blocks->count, error);
  if (status == MMS_OK && retraction == MMS_RETRACTION_POLAR)
    status = mms_dense_eigen_work_create(&made->eigen, dim, error);
  if (status != MMS_OK) {
    mms_constraint_free(&made);
    return status;
  }
  *constraint = made;
  return MMS_OK;
}

void mms_constraint_free(mms_constraint **constraint) {
  if (*constraint == NULL) return;
  mms_exact_sum_free(&(*constraint)->step_sum);
  mms_exact_sum_free(&(*constraint)->plain_sum);
  mms_dense_eigen_work_free(&(*constraint)->eigen);
  free((*constraint)->memory);
  free(*constraint);
  *constraint = NULL;
}

void mms_constraint_begin(mms_constraint *constraint) {
  mms_exact_sum_clear(constraint->step_sum);
  constraint->report = (mms_moments_report){0};
}

static mms_panels panels_of(const mms_constraint *constraint) {
  return (mms_panels){.blocks = &constraint->blocks,
                      .dim = constraint->dim,
                      .panel = constraint->panel,
                      .refused = constraint->refused};
}

int64_t mms_constraint_add(mms_constraint *constraint, const double *y, const double *w) {
  double start = mms_clock_seconds();
  int64_t count;
  mms_panels panels = panels_of(constraint);
  int64_t bad = mms_panels_add(&panels, constraint->step_sum, y, w, &count);
  mms_exact_sum_count(constraint->step_sum, MMS_COUNT_NONFINITE, count);
  constraint->report.seconds_algebra += mms_clock_seconds() - start;
  return bad;
}

void mms_constraint_add_potential(mms_constraint *constraint, double potential) {
  if (!mms_panels_add_potential(constraint->step_sum, step_length(constraint->dim) - 1, potential))
    mms_exact_sum_count(constraint->step_sum, MMS_COUNT_POTENTIAL, 1);
}

void mms_constraint_add_riders(mms_constraint *constraint, int64_t first, int64_t count, const double *values) {
  mms_constraint_count(
      constraint, MMS_COUNT_RIDER,
      mms_panels_add_riders(constraint->step_sum, step_length(constraint->dim) + first, count, values));
}

void mms_constraint_read_riders(const mms_constraint *constraint, double *riders) {
  mms_exact_sum_read(constraint->step_sum, step_length(constraint->dim), MMS_RIDERS, riders);
}

void mms_constraint_count(mms_constraint *constraint, int counter, int64_t amount) {
  mms_exact_sum_count(constraint->step_sum, counter, amount);
}

int64_t mms_constraint_counter(const mms_constraint *constraint, int counter) {
  return mms_exact_sum_extra(constraint->step_sum, counter);
}

/* Defects from 1ᵀY and the upper triangle of YᵀY. */
static void defects(const mms_constraint *constraint, double *mean_defect, double *covariance_defect) {
  int64_t d = constraint->dim;
  double particles = (double)constraint->blocks.total;
  *mean_defect = *covariance_defect = 0.0;
  for (int64_t i = 0; i < d; i++) {
    *mean_defect = fmax(*mean_defect, fabs(constraint->sum_y[i]) / particles);
    for (int64_t j = i; j < d; j++)
      *covariance_defect = fmax(*covariance_defect, fabs(constraint->d[i * d + j] / particles - (i == j ? 1.0 : 0.0)));
  }
}

/* All totals of a step, and what the report says of them. */
static void read_totals(mms_constraint *constraint) {
  int64_t d = constraint->dim, triangle = mms_panels_triangle(d);
  double *packed = constraint->packed;
  mms_exact_sum_read(constraint->step_sum, 0, step_length(d), packed);
  memcpy(constraint->sum_y, packed, (size_t)d * sizeof *packed);
  memcpy(constraint->sum_w, packed + d, (size_t)d * sizeof *packed);
  mms_panels_unpack(d, packed + 2 * d, constraint->d);
  mms_panels_unpack(d, packed + 2 * d + triangle, constraint->s);
  memcpy(constraint->c, packed + 2 * d + 2 * triangle, (size_t)(d * d) * sizeof *packed);

  mms_moments_report *report = &constraint->report;
  defects(constraint, &report->mean_defect, &report->covariance_defect);
  bool known = mms_exact_sum_extra(constraint->step_sum, MMS_COUNT_POTENTIAL) == 0;
  report->potential = known ? packed[step_length(d) - 1] * MMS_POTENTIAL_UNIT : (double)NAN;
  double trace = 0.0;
  for (int64_t k = 0; k < d; k++) trace += constraint->s[k * d + k];
  report->drift = sqrt(trace / ((double)constraint->blocks.total * (double)d));
}

mms_status mms_constraint_reduce(mms_constraint *constraint, const mms_team *team, mms_error *error) {
  double start = mms_clock_seconds();
  mms_exact_sum_reduce(constraint->step_sum, team);
  double reduced = mms_clock_seconds();
  constraint->report.seconds_reduce += reduced - start;
  if (mms_constraint_counter(constraint, MMS_COUNT_FAILED) > 0)
    return mms_fail(error, MMS_ERR_NUMERIC, "%lld rank(s) could not do their part of the step",
                    (long long)mms_constraint_counter(constraint, MMS_COUNT_FAILED));
  int64_t refused = mms_constraint_counter(constraint, MMS_COUNT_NONFINITE);
  if (refused > 0)
    return mms_fail(error, MMS_ERR_NUMERIC, "the moments of %lld block(s) of particles are not finite or too large",
                    (long long)refused);
  read_totals(constraint);
  mms_constraint_assemble(constraint);
  mms_status status = mms_constraint_factor(constraint, mms_constraint_growth(constraint), error);
  constraint->report.seconds_algebra += mms_clock_seconds() - reduced;
  return status;
}

/* y ← (y A + w − 1mᵀ) inverse, or y ← (y − 1mᵀ) inverse without w, block by block: the bits of a
 * row may depend on the rows beside it (law 1). */
static void update(mms_constraint *constraint, double *y, double *w) {
  const mms_blocks *blocks = &constraint->blocks;
  int64_t d = constraint->dim;
  for (int64_t b = blocks->first; b < blocks->end; b++) {
    int64_t offset = (mms_blocks_first_row(blocks, b) - blocks->first_row) * d, rows = mms_blocks_rows(blocks, b);
    double *here = (w == NULL ? y : w) + offset;
    if (d <= MMS_FEW_DIMENSIONS) {
      mms_few_update(rows, d, constraint->a, constraint->center, constraint->inverse, w == NULL ? NULL : here,
                     y + offset);
      continue;
    }
    for (int64_t i = 0; i < rows; i++)
      for (int64_t k = 0; k < d; k++) here[i * d + k] -= constraint->center[k];
    if (w != NULL) mms_dense_multiply(false, false, rows, d, d, 1.0, y + offset, constraint->a, 1.0, here);
    if (constraint->retraction == MMS_RETRACTION_QR) {
      mms_dense_triangle_right(true, false, rows, d, constraint->inverse, here);
      if (w != NULL) memcpy(y + offset, here, (size_t)(rows * d) * sizeof *y);
    } else {
      mms_dense_multiply(false, false, rows, d, d, 1.0, here, constraint->inverse, 0.0, constraint->tile);
      memcpy(y + offset, constraint->tile, (size_t)(rows * d) * sizeof *y);
    }
  }
}

/* 1ᵀY and D of y as it stands, summed over the team. */
static mms_status plain_moments(mms_constraint *constraint, const mms_team *team, const double *y, mms_error *error) {
  int64_t d = constraint->dim, length = mms_panels_plain_length(d), bad;
  double *packed = constraint->packed, start = mms_clock_seconds();
  mms_exact_sum_clear(constraint->plain_sum);
  mms_panels panels = panels_of(constraint);
  mms_panels_add(&panels, constraint->plain_sum, y, NULL, &bad);
  mms_exact_sum_count(constraint->plain_sum, MMS_COUNT_NONFINITE, bad);
  double summed = mms_clock_seconds();
  mms_exact_sum_reduce(constraint->plain_sum, team);
  constraint->report.seconds_algebra += summed - start;
  constraint->report.seconds_reduce += mms_clock_seconds() - summed;
  int64_t refused = mms_exact_sum_extra(constraint->plain_sum, MMS_COUNT_NONFINITE);
  if (refused > 0)
    return mms_fail(error, MMS_ERR_NUMERIC, "%lld block(s) of particles hold values that are not finite or too large",
                    (long long)refused);
  mms_exact_sum_read(constraint->plain_sum, 0, length, packed);
  memcpy(constraint->sum_y, packed, (size_t)d * sizeof *packed);
  mms_panels_unpack(d, packed + d, constraint->d);
  return MMS_OK;
}

/* One plain retraction: subtract the mean, then Y ← Y R⁻¹. `start_defect`: of the Y that went in. */
static mms_status retract_once(mms_constraint *constraint, const mms_team *team, double *y, double *start_defect,
                               mms_error *error) {
  mms_status status = plain_moments(constraint, team, y, error);
  if (status != MMS_OK) return status;
  double start = mms_clock_seconds(), mean_defect, largest = 0.0, particles = (double)constraint->blocks.total;
  int64_t d = constraint->dim;
  defects(constraint, &mean_defect, start_defect);
  for (int64_t k = 0; k < d; k++) constraint->center[k] = constraint->sum_y[k] / particles;
  for (int64_t i = 0; i < d; i++) {
    double row = 0.0; /* of D/P, whose terms bound what rounding can do to the Gram matrix */
    for (int64_t j = 0; j < d; j++) {
      double entry = constraint->d[i * d + j] / particles;
      row += fabs(entry);
      constraint->root[i * d + j] = entry - constraint->center[i] * constraint->center[j];
    }
    largest = fmax(largest, row);
  }
  status = mms_constraint_factor(constraint, largest, error);
  if (status == MMS_OK) update(constraint, y, NULL);
  constraint->report.seconds_algebra += mms_clock_seconds() - start;
  return status;
}

mms_status mms_constraint_apply(mms_constraint *constraint, const mms_team *team, double *y, double *w,
                                mms_error *error) {
  double start = mms_clock_seconds(), unused;
  update(constraint, y, w);
  constraint->report.seconds_algebra += mms_clock_seconds() - start;
  if (constraint->report.error_bound <= REPAIR_ABOVE) return MMS_OK;
  mms_moments_report kept = constraint->report;
  constraint->report.repaired = true;
  mms_status status = retract_once(constraint, team, y, &unused, error);
  constraint->report.condition = kept.condition;
  constraint->report.error_bound = kept.error_bound;
  return status;
}

mms_status mms_constraint_retract(mms_constraint *constraint, const mms_team *team, double *y, mms_error *error) {
  for (int pass = 1; pass <= MOST_PASSES; pass++) {
    double start_defect = 0.0;
    mms_status status = retract_once(constraint, team, y, &start_defect, error);
    if (status == MMS_ERR_NUMERIC)
      return mms_fail_within(error, "%lld particles cannot be put on the moment manifold of dimension %lld",
                             (long long)constraint->blocks.total, (long long)constraint->dim);
    if (status != MMS_OK) return status;
    if (pass >= LEAST_PASSES && start_defect < NEAR_ENOUGH) return MMS_OK;
  }
  return mms_fail(error, MMS_ERR_NUMERIC,
                  "%lld particles cannot be put on the moment manifold of dimension %lld: still off it after %d passes",
                  (long long)constraint->blocks.total, (long long)constraint->dim, MOST_PASSES);
}

mms_status mms_constraint_measure(mms_constraint *constraint, const mms_team *team, const double *y,
                                  double *mean_defect, double *covariance_defect, mms_error *error) {
  mms_status status = plain_moments(constraint, team, y, error);
  if (status == MMS_OK) defects(constraint, mean_defect, covariance_defect);
  return status;
}

mms_moments_report mms_constraint_report(const mms_constraint *constraint) { return constraint->report; }

int64_t mms_constraint_bytes(const mms_constraint *constraint) {
  int64_t doubles = constraint->memory_count + constraint->eigen.length;
  int64_t sums = (int64_t)(mms_exact_sum_bytes(constraint->step_sum) + mms_exact_sum_bytes(constraint->plain_sum));
  return doubles * (int64_t)sizeof(double) + constraint->eigen.integer_length * (int64_t)sizeof(int) + sums;
}
