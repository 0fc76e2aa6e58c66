#include "mmsold/ensemble/constraint.h"

#include "ensemble/constraint_state.h"
#include "mmsold/base/clock.h"
#include "mmsold/base/memory.h"
#include <float.h>
#include <math.h>
#include <stdlib.h>

/* Defect that rounding may leave after a step before a second retraction is made. */
static const double REPAIR_ABOVE = 1e-13;

/* A pass of the plain retraction that began this near the manifold ends on it to rounding. */
static const double NEAR_ENOUGH = 0.1;
enum { LEAST_PASSES = 2, MOST_PASSES = 5 };

/* Measured from d = 1 to 400, P = d + 1 to 1,000, steps up to 1,000 times too large, QR and polar:
 * where rounding is magnified at all, the defect one retraction leaves is below
 * ROUNDING · eps · growth · max_j |R⁻¹ e_j|²: with Gram/P = RᵀR + E the new YᵀY/P is I + R⁻ᵀER⁻¹, and an entry of
 * that is at most ‖E‖ times that square. Four for rounding, one for what `assemble` may leave out. */
static const double ROUNDING = 5.0;

/* Above it a second retraction could start too far from the manifold to end on it. */
static const double HOPELESS = 1e-2;

/* Below it, growth times what Y is off the manifold moves no eigenvalue of Gram/P by a half. */
static const double NEAR_THE_IDENTITY = 0.0625;

mms_status mms_constraint_refuse_indefinite(double largest, double smallest, mms_error *error) {
  if (smallest > 0.0) return MMS_OK; /* not so for NaN */
  return mms_fail(error, MMS_ERR_NUMERIC,
                  "the second moment of the particles is not positive definite: eigenvalues from %g to %g", largest,
                  smallest);
}

static mms_status allocate(mms_constraint *constraint, mms_error *error) {
  const mms_constraint_algebra *algebra = constraint->algebra;
  int64_t d = constraint->dim;
  const mms_exact_sum_shape step = {.coarse = algebra->step_length(d),
                                    .fine = MMS_FINE_SUMS,
                                    .extras = MMS_COUNTERS,
                                    .addends = constraint->blocks.count};
  const mms_exact_sum_shape plain = {
      .coarse = algebra->plain_length(d), .extras = MMS_COUNTERS, .addends = constraint->blocks.count};
  mms_status status = mms_allocate_doubles(&constraint->sum_y, d, "the sums of a step", error);
  if (status == MMS_OK) status = mms_allocate_doubles(&constraint->sum_w, d, "the sums of a step", error);
  if (status == MMS_OK) status = mms_allocate_doubles(&constraint->center, d, "the sums of a step", error);
  if (status == MMS_OK) status = algebra->create(constraint, error);
  if (status == MMS_OK) status = mms_exact_sum_create(&constraint->step_sum, &step, error);
  if (status == MMS_OK) status = mms_exact_sum_create(&constraint->plain_sum, &plain, error);
  return status;
}

mms_status mms_constraint_create_on(mms_constraint **constraint, const mms_blocks *blocks, int64_t dim,
                                    mms_retraction retraction, mms_rank_grid *grid, mms_error *error) {
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
  made->grid = grid;
  made->algebra = grid != NULL ? &mms_constraint_distributed : &mms_constraint_replicated;
  status = allocate(made, error);
  if (status != MMS_OK) {
    mms_constraint_free(&made);
    return status;
  }
  *constraint = made;
  return MMS_OK;
}

mms_status mms_constraint_create(mms_constraint **constraint, const mms_blocks *blocks, int64_t dim,
                                 mms_retraction retraction, mms_error *error) {
  return mms_constraint_create_on(constraint, blocks, dim, retraction, NULL, error);
}

void mms_constraint_free(mms_constraint **constraint) {
  if (*constraint == NULL) return;
  mms_exact_sum_free(&(*constraint)->step_sum);
  mms_exact_sum_free(&(*constraint)->plain_sum);
  (*constraint)->algebra->free(*constraint);
  free((*constraint)->sum_y);
  free((*constraint)->sum_w);
  free((*constraint)->center);
  free(*constraint);
  *constraint = NULL;
}

void mms_constraint_share(mms_constraint *constraint, const mms_team *team) {
  if (mms_exact_sum_share(constraint->step_sum, team) && constraint->algebra->share != NULL)
    constraint->algebra->share(constraint, team);
}

const mms_exact_sum *mms_constraint_sums(const mms_constraint *constraint) { return constraint->step_sum; }

void mms_constraint_begin(mms_constraint *constraint) {
  mms_exact_sum_clear(constraint->step_sum);
  constraint->report = (mms_moments_report){0};
  constraint->calm = false;
}

int64_t mms_constraint_add(mms_constraint *constraint, const double *y, const double *w) {
  double start = mms_clock_seconds();
  int64_t count, bad = constraint->algebra->add(constraint, constraint->step_sum, y, w, &count);
  mms_exact_sum_count(constraint->step_sum, MMS_COUNT_NONFINITE, count);
  constraint->report.seconds_algebra += mms_clock_seconds() - start;
  return bad;
}

void mms_constraint_add_potential(mms_constraint *constraint, double potential) {
  if (!mms_panels_add_potential(constraint->step_sum, MMS_FINE_POTENTIAL, potential))
    mms_exact_sum_count(constraint->step_sum, MMS_COUNT_POTENTIAL, 1);
}

void mms_constraint_add_riders(mms_constraint *constraint, int64_t first, int64_t count, const double *values) {
  mms_constraint_count(constraint, MMS_COUNT_RIDER,
                       mms_panels_add_riders(constraint->step_sum, MMS_FINE_RIDERS + first, count, values));
}

void mms_constraint_read_riders(const mms_constraint *constraint, double *riders) {
  mms_exact_sum_read_fine(constraint->step_sum, MMS_FINE_RIDERS, MMS_RIDERS, riders);
}

void mms_constraint_count(mms_constraint *constraint, int counter, int64_t amount) {
  mms_exact_sum_count(constraint->step_sum, counter, amount);
}

int64_t mms_constraint_counter(const mms_constraint *constraint, int counter) {
  return mms_exact_sum_extra(constraint->step_sum, counter);
}

/* Defects from 1ᵀY and D. */
static void defects(const mms_constraint *constraint, double *mean_defect, double *covariance_defect) {
  *mean_defect = 0.0;
  for (int64_t i = 0; i < constraint->dim; i++)
    *mean_defect = fmax(*mean_defect, fabs(constraint->sum_y[i]) / (double)constraint->blocks.total);
  *covariance_defect = constraint->algebra->defect(constraint);
}

/* What the report says of a step's totals. */
static void fill_report(mms_constraint *constraint) {
  mms_moments_report *report = &constraint->report;
  double fine[MMS_FINE_RIDERS];
  defects(constraint, &report->mean_defect, &report->covariance_defect);
  mms_exact_sum_read_fine(constraint->step_sum, 0, MMS_FINE_RIDERS, fine);
  bool known = mms_exact_sum_extra(constraint->step_sum, MMS_COUNT_POTENTIAL) == 0;
  report->potential = known ? fine[MMS_FINE_POTENTIAL] * MMS_POTENTIAL_UNIT : (double)NAN;
  report->drift = sqrt(2.0 * fine[MMS_FINE_DRIFT] / (double)constraint->blocks.total);
}

/* From root = Gram/P, no term of which is larger than `growth`, its inverse root. MMS_ERR_NUMERIC where Gram is not
 * safely positive definite. */
static mms_status factor(mms_constraint *constraint, double growth, mms_error *error) {
  mms_moments_report *report = &constraint->report;
  mms_root_size size = {.longest = 2.0}; /* where calm, and then nobody asks for more */
  mms_status status = constraint->algebra->factor(constraint, constraint->calm ? NULL : &size, error);
  if (status != MMS_OK) return status;
  report->error_bound = ROUNDING * DBL_EPSILON * growth * size.longest;
  if (!(report->error_bound < HOPELESS))
    return mms_fail(error, MMS_ERR_NUMERIC,
                    "the second moment of the particles is singular to working precision (condition %.2g, rounding "
                    "magnified %.2g times)",
                    size.condition, report->error_bound / DBL_EPSILON);
  return MMS_OK;
}

/* On the manifold Gram/P = I + the second moment of the projected and centred W, whose eigenvalues are 1 or more: then
 * max_j |R⁻¹ e_j|² <= 1 (2 beside it) and growth alone bounds the rounding. Off it by E = YᵀY/P − I and e = Yᵀ1/P the
 * eigenvalues are lower by 4 growth (|E| + |e|) at most, the norms at most d times the defects. With a factor of two
 * for these, and one for last bits, no rank can find a bound above REPAIR_ABOVE, nor a matrix that is singular.
 * Decided from sums that are exact by arithmetic that is the same on every processor. */
static bool is_calm(const mms_constraint *constraint, double growth) {
  const mms_moments_report *report = &constraint->report;
  double off = (double)constraint->dim * (report->mean_defect + report->covariance_defect);
  return 4.0 * ROUNDING * DBL_EPSILON * growth <= REPAIR_ABOVE && growth * off <= NEAR_THE_IDENTITY;
}

/* How `factor` went, on all ranks: the largest bound and the same status; or on this rank alone, to be told later. */
static mms_status settle(mms_constraint *constraint, const mms_team *team, mms_status status, mms_error *error) {
  if (mms_team_size(team) == 1) return status;
  if (constraint->calm) {
    if (status == MMS_OK) return MMS_OK;
    constraint->kept = error != NULL ? *error : mms_error_none();
    constraint->kept.status = status;
    return MMS_OK;
  }
  double worst = status == MMS_OK ? constraint->report.error_bound : INFINITY;
  mms_team_max_double(team, &worst, 1);
  constraint->report.error_bound = worst;
  return isinf(worst) ? mms_team_agree(team, status, error) : MMS_OK;
}

mms_status mms_constraint_take_failure(mms_constraint *constraint, mms_error *error) {
  mms_status status = constraint->kept.status;
  if (status != MMS_OK && error != NULL) *error = constraint->kept;
  constraint->kept = mms_error_none();
  return status;
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
  constraint->algebra->total(constraint, constraint->step_sum, true);
  fill_report(constraint);
  double growth = constraint->algebra->assemble(constraint);
  constraint->calm = constraint->grid == NULL && is_calm(constraint, growth);
  mms_status status = factor(constraint, growth, error);
  constraint->report.seconds_algebra += mms_clock_seconds() - reduced;
  return settle(constraint, team, status, error);
}

/* 1ᵀY and D of y as it stands, summed over the team. */
static mms_status plain_moments(mms_constraint *constraint, const mms_team *team, const double *y, mms_error *error) {
  int64_t bad;
  double start = mms_clock_seconds();
  mms_exact_sum_clear(constraint->plain_sum);
  constraint->algebra->add(constraint, constraint->plain_sum, y, NULL, &bad);
  mms_exact_sum_count(constraint->plain_sum, MMS_COUNT_NONFINITE, bad);
  double summed = mms_clock_seconds();
  mms_exact_sum_reduce(constraint->plain_sum, team);
  constraint->report.seconds_algebra += summed - start;
  constraint->report.seconds_reduce += mms_clock_seconds() - summed;
  int64_t refused = mms_exact_sum_extra(constraint->plain_sum, MMS_COUNT_NONFINITE);
  if (refused > 0)
    return mms_fail(error, MMS_ERR_NUMERIC, "%lld block(s) of particles hold values that are not finite or too large",
                    (long long)refused);
  constraint->algebra->total(constraint, constraint->plain_sum, false);
  constraint->calm = false;
  return MMS_OK;
}

/* One plain retraction: subtract the mean, then Y ← Y R⁻¹. `start_defect`: of the Y that went in. */
static mms_status retract_once(mms_constraint *constraint, const mms_team *team, double *y, double *start_defect,
                               mms_error *error) {
  mms_status status = plain_moments(constraint, team, y, error);
  if (status != MMS_OK) return status;
  double start = mms_clock_seconds(), mean_defect;
  defects(constraint, &mean_defect, start_defect);
  for (int64_t k = 0; k < constraint->dim; k++)
    constraint->center[k] = constraint->sum_y[k] / (double)constraint->blocks.total;
  status = factor(constraint, constraint->algebra->assemble_plain(constraint), error);
  status = mms_team_agree(team, status, error); /* on this rank alone it may fail too */
  if (status == MMS_OK) constraint->algebra->update(constraint, y, NULL);
  constraint->report.seconds_algebra += mms_clock_seconds() - start;
  return status;
}

mms_status mms_constraint_apply(mms_constraint *constraint, const mms_team *team, double *y, double *w,
                                mms_error *error) {
  double start = mms_clock_seconds(), unused;
  if (constraint->kept.status == MMS_OK) constraint->algebra->update(constraint, y, w);
  constraint->report.seconds_algebra += mms_clock_seconds() - start;
  if (constraint->calm || constraint->report.error_bound <= REPAIR_ABOVE) return MMS_OK;
  const double error_bound = constraint->report.error_bound;
  constraint->report.repaired = true;
  mms_status status = retract_once(constraint, team, y, &unused, error);
  constraint->report.error_bound = error_bound;
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
  int64_t sums = (int64_t)(mms_exact_sum_bytes(constraint->step_sum) + mms_exact_sum_bytes(constraint->plain_sum));
  return constraint->algebra->bytes(constraint) + 3 * constraint->dim * (int64_t)sizeof(double) + sums;
}

int64_t mms_constraint_shared_bytes(const mms_constraint *constraint) {
  const mms_shared *board = constraint->whole.board;
  return board != NULL ? (int64_t)mms_shared_bytes(board) : 0;
}
