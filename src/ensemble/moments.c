#include "mmsold/ensemble/moments.h"

#include "ensemble/panels.h"
#include "mmsold/base/clock.h"
#include "mmsold/base/memory.h"
#include "mmsold/parallel/exact_sum.h"
#include <math.h>
#include <stdlib.h>

/* The fine sums: V/2^40, |W|² and |v|², then the riders. */
enum { POTENTIAL, DRIFT, SPEED, RIDERS, FINE_SUMS = RIDERS + MMS_RIDERS };

struct mms_moments {
  mms_blocks blocks;
  const mms_target *target;
  mms_exact_sum *sum; /* coarse: 1ᵀY and the triangle of YᵀY */
  mms_moments_report report;
  double *panel;   /* see panels.h */
  double *refused; /* [local blocks] */
};

mms_status mms_moments_create(mms_moments **moments, const mms_blocks *blocks, const mms_target *target,
                              mms_error *error) {
  *moments = NULL;
  void *memory = NULL;
  mms_status status = mms_allocate(&memory, 1, sizeof(mms_moments), "the moments of a step", error);
  if (status != MMS_OK) return status;
  mms_moments *made = memory;
  int64_t d = target->dim, length = mms_panels_plain_length(d);
  const mms_exact_sum_shape shape = {
      .coarse = length, .fine = FINE_SUMS, .extras = MMS_COUNTERS, .addends = blocks->count};
  made->blocks = *blocks;
  made->target = target;
  status = mms_exact_sum_create(&made->sum, &shape, error);
  if (status == MMS_OK) status = mms_allocate_doubles(&made->panel, mms_panels_room(d), "the moments of a step", error);
  if (status == MMS_OK)
    status = mms_allocate_doubles(&made->refused, blocks->end - blocks->first, "the moments of a step", error);
  if (status != MMS_OK)
    mms_moments_free(&made);
  else
    *moments = made;
  return status;
}

void mms_moments_free(mms_moments **moments) {
  if (*moments == NULL) return;
  mms_exact_sum_free(&(*moments)->sum);
  free((*moments)->panel);
  free((*moments)->refused);
  free(*moments);
  *moments = NULL;
}

void mms_moments_share(mms_moments *moments, const mms_team *team) { (void)mms_exact_sum_share(moments->sum, team); }

const mms_exact_sum *mms_moments_sums(const mms_moments *moments) { return moments->sum; }

void mms_moments_begin(mms_moments *moments) {
  mms_exact_sum_clear(moments->sum);
  moments->report = (mms_moments_report){0};
}

static int64_t add_plain(mms_moments *moments, const double *y) {
  mms_panels panels = {
      .blocks = &moments->blocks, .dim = moments->target->dim, .panel = moments->panel, .refused = moments->refused};
  int64_t count, bad = mms_panels_add(&panels, moments->sum, y, NULL, &count);
  mms_moments_count(moments, MMS_COUNT_NONFINITE, count);
  return bad;
}

/* One value into a fine sum; false where it is refused. */
static bool add_single(mms_moments *moments, int single, double value) {
  int64_t before = mms_exact_sum_refused(moments->sum);
  mms_exact_sum_add_fine(moments->sum, single, 1, &value);
  return mms_exact_sum_refused(moments->sum) == before;
}

int64_t mms_moments_add(mms_moments *moments, const double *y, const double *w) {
  double start = mms_clock_seconds();
  const mms_blocks *blocks = &moments->blocks;
  int64_t bad = add_plain(moments, y);
  for (int64_t b = blocks->first; b < blocks->end; b++) {
    int64_t count = mms_blocks_rows(blocks, b) * moments->target->dim;
    const double *here = w + (mms_blocks_first_row(blocks, b) - blocks->first_row) * moments->target->dim;
    double squares = 0.0;
    for (int64_t i = 0; i < count; i++) squares += here[i] * here[i];
    if (add_single(moments, DRIFT, squares)) continue;
    mms_moments_count(moments, MMS_COUNT_NONFINITE, 1);
    if (bad < 0 || b < bad) bad = b;
  }
  moments->report.seconds_algebra += mms_clock_seconds() - start;
  return bad;
}

void mms_moments_add_potential(mms_moments *moments, double potential) {
  if (!mms_panels_add_potential(moments->sum, POTENTIAL, potential)) mms_moments_count(moments, MMS_COUNT_POTENTIAL, 1);
}

void mms_moments_add_speed(mms_moments *moments, double squares) {
  if (!add_single(moments, SPEED, squares)) mms_moments_count(moments, MMS_COUNT_NONFINITE, 1);
}

void mms_moments_add_riders(mms_moments *moments, int64_t first, int64_t count, const double *values) {
  mms_moments_count(moments, MMS_COUNT_RIDER, mms_panels_add_riders(moments->sum, RIDERS + first, count, values));
}

void mms_moments_read_riders(const mms_moments *moments, double *riders) {
  mms_exact_sum_read_fine(moments->sum, RIDERS, MMS_RIDERS, riders);
}

void mms_moments_count(mms_moments *moments, int counter, int64_t amount) {
  mms_exact_sum_count(moments->sum, counter, amount);
}

int64_t mms_moments_counter(const mms_moments *moments, int counter) {
  return mms_exact_sum_extra(moments->sum, counter);
}

/* After a reduction: defects from its totals, against I, or against Σ* in units of itself where Y is Z − μ* over a
 * number. */
static void find_defects(mms_moments *moments, double *mean_defect, double *covariance_defect) {
  const mms_target *target = moments->target;
  const double *totals = mms_exact_sum_totals(moments->sum);
  int64_t d = target->dim;
  double particles = (double)moments->blocks.total, scale = 1.0, spread = 1.0;
  bool scalar = target->kind == MMS_FACTOR_SCALAR;
  if (scalar) {
    scale = target->factor.data[0];
    spread = 0.0;
    for (int64_t k = 0; k < d; k++) spread = fmax(spread, target->covariance.data[k * d + k]);
  }
  *mean_defect = *covariance_defect = 0.0;
  for (int64_t i = 0; i < d; i++) {
    *mean_defect = fmax(*mean_defect, scale * fabs(totals[i]) / particles / sqrt(spread));
    const double *packed = totals + d + mms_panels_triangle_row(d, i) - i;
    for (int64_t j = i; j < d; j++) {
      double wanted = scalar ? target->covariance.data[i * d + j] : (i == j ? 1.0 : 0.0);
      double found = scale * scale * packed[j] / particles;
      *covariance_defect = fmax(*covariance_defect, fabs(found - wanted) / spread);
    }
  }
}

/* The all-reduce, and what of it must be refused. */
static mms_status reduce(mms_moments *moments, const mms_team *team, mms_error *error) {
  double start = mms_clock_seconds();
  mms_exact_sum_reduce(moments->sum, team);
  moments->report.seconds_reduce += mms_clock_seconds() - start;
  if (mms_moments_counter(moments, MMS_COUNT_FAILED) > 0)
    return mms_fail(error, MMS_ERR_NUMERIC, "%lld rank(s) could not do their part of the step",
                    (long long)mms_moments_counter(moments, MMS_COUNT_FAILED));
  if (mms_moments_counter(moments, MMS_COUNT_NONFINITE) > 0)
    return mms_fail(error, MMS_ERR_NUMERIC, "the moments of %lld block(s) of particles are not finite or too large",
                    (long long)mms_moments_counter(moments, MMS_COUNT_NONFINITE));
  return MMS_OK;
}

mms_status mms_moments_reduce(mms_moments *moments, const mms_team *team, mms_error *error) {
  mms_status status = reduce(moments, team, error);
  if (status != MMS_OK) return status;
  double start = mms_clock_seconds(), entries = (double)moments->blocks.total * (double)moments->target->dim;
  mms_moments_report *report = &moments->report;
  double fine[RIDERS];
  mms_exact_sum_read_fine(moments->sum, 0, RIDERS, fine);
  find_defects(moments, &report->mean_defect, &report->covariance_defect);
  bool known = mms_moments_counter(moments, MMS_COUNT_POTENTIAL) == 0;
  report->potential = known ? fine[POTENTIAL] * MMS_POTENTIAL_UNIT : (double)NAN;
  report->drift = sqrt(fine[DRIFT] / entries);
  report->speed = fine[SPEED] / entries;
  report->seconds_algebra += mms_clock_seconds() - start;
  return MMS_OK;
}

mms_moments_report mms_moments_read_report(const mms_moments *moments) { return moments->report; }

mms_status mms_moments_measure(mms_moments *moments, const mms_team *team, const double *y, double *mean_defect,
                               double *covariance_defect, mms_error *error) {
  mms_moments_begin(moments);
  add_plain(moments, y);
  mms_status status = reduce(moments, team, error);
  if (status == MMS_OK) find_defects(moments, mean_defect, covariance_defect);
  return status;
}

int64_t mms_moments_bytes(const mms_moments *moments) {
  int64_t d = moments->target->dim, blocks = moments->blocks.end - moments->blocks.first;
  int64_t doubles = mms_panels_room(d) + blocks;
  return doubles * (int64_t)sizeof(double) + (int64_t)mms_exact_sum_bytes(moments->sum);
}
