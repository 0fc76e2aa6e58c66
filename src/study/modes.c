#include "mmsold/study/modes.h"

#include "mmsold/random/random.h"
#include <math.h>
#include <string.h>

enum {
  SIMULATIONS = 10000,
  AT_ONCE = 64,      /* random numbers made together */
  LEAST_EXPECTED = 5 /* W. Cochran's rule for the chi-square law, 1954 */
};

static const double FAR = 3; /* widths */

mms_status mms_modes_count(mms_mode_counts *counts, const mms_matrix *points, const mms_modes *modes,
                           mms_error *error) {
  *counts = (mms_mode_counts){.points = points->rows};
  if (points->cols != 2)
    return mms_fail(error, MMS_ERR_INPUT, "modes are counted in the plane, and the points have %lld columns",
                    (long long)points->cols);
  for (int64_t i = 0; i < points->rows; i++) {
    const double *x = points->data + 2 * i;
    int64_t nearest = 0;
    double largest = -INFINITY, distance = 0;
    for (int64_t k = 0; k < modes->count; k++) {
      double r = hypot(x[0] - modes->centre[k][0], x[1] - modes->centre[k][1]) / modes->width[k];
      double log_density = log(modes->weight[k]) - 2 * log(modes->width[k]) - 0.5 * r * r;
      if (!(log_density > largest)) continue;
      largest = log_density;
      distance = r;
      nearest = k;
    }
    counts->count[nearest]++;
    counts->outside += !(distance <= FAR);
  }
  for (int64_t k = 0; k < modes->count; k++) counts->occupied += counts->count[k] > 0;
  return MMS_OK;
}

/* The series for P(a, x) where x < a + 1, the continued fraction for Q(a, x) elsewhere (by Lentz's method): W. Press et
 * al., Numerical Recipes, 6.2; both converge in about √a terms there. */
double mms_gamma_above(double a, double x) {
  enum { MOST_TERMS = 100000 };
  const double tiny = 1e-300;
  if (x <= 0) return 1;
  if (isinf(x)) return 0;
  double front = exp(a * log(x) - x - lgamma(a));
  if (x < a + 1) {
    double term = 1 / a, sum = term;
    for (int n = 1; n < MOST_TERMS && term > 1e-17 * sum; n++) {
      term *= x / (a + n);
      sum += term;
    }
    return fmax(0, 1 - front * sum);
  }
  double b = x + 1 - a, c = 1 / tiny, d = 1 / b, h = d;
  for (int n = 1; n < MOST_TERMS; n++) {
    double an = -n * (n - a);
    b += 2;
    d = an * d + b;
    d = 1 / (fabs(d) < tiny ? tiny : d);
    c = b + an / c;
    c = fabs(c) < tiny ? tiny : c;
    h *= c * d;
    if (fabs(c * d - 1) < 1e-16) break;
  }
  return front * h;
}

static double statistic_of(int64_t cells, const int64_t *count, const double *share, double points) {
  double sum = 0;
  for (int64_t k = 0; k < cells; k++) {
    double expected = share[k] * points, away = (double)count[k] - expected;
    if (expected > 0)
      sum += away * away / expected;
    else if (count[k] > 0)
      return INFINITY;
  }
  return sum;
}

/* Share of simulated sets of independent points whose statistic is as large, the set itself counted among them. */
static double simulate(int64_t cells, const double *share, int64_t points, double statistic, uint64_t seed) {
  int64_t count[MMS_MODES_MOST], as_large = 1;
  double uniforms[AT_ONCE];
  for (int s = 0; s < SIMULATIONS; s++) {
    mms_random_key key = {.seed = seed, .stream = MMS_STREAM_SUBSET, .step = 5, .item = (uint64_t)s}; /* 0-4: compare */
    memset(count, 0, sizeof count);
    for (int64_t i = 0; i < points; i++) {
      if (i % AT_ONCE == 0) mms_random_uniforms(key, i, points - i < AT_ONCE ? points - i : AT_ONCE, uniforms);
      double u = uniforms[i % AT_ONCE];
      int64_t k = 0;
      for (; k + 1 < cells && (u >= share[k] || share[k] <= 0); k++) u -= share[k];
      count[k]++;
    }
    as_large += statistic_of(cells, count, share, (double)points) >= statistic * (1 - 1e-12);
  }
  return (double)as_large / (SIMULATIONS + 1);
}

mms_status mms_chi_square_test(mms_chi_square *test, int64_t cells, const int64_t *count, const double *share,
                               uint64_t seed, mms_error *error) {
  *test = (mms_chi_square){.freedom = -1};
  int64_t points = 0;
  double whole = 0, least = INFINITY;
  for (int64_t k = 0; k < cells; k++) {
    points += count[k];
    whole += share[k];
    test->freedom += share[k] > 0;
    if (share[k] > 0) least = fmin(least, share[k]);
  }
  if (points < 1 || cells > MMS_MODES_MOST || !(fabs(whole - 1) < 1e-9))
    return mms_fail(error, MMS_ERR_INPUT, "%lld points and shares that add up to %g: there is nothing to be tested",
                    (long long)points, whole);
  test->statistic = statistic_of(cells, count, share, (double)points);
  test->simulated = least * (double)points < LEAST_EXPECTED && isfinite(test->statistic);
  if (test->freedom < 1 && isfinite(test->statistic))
    test->p = 1;
  else if (test->simulated)
    test->p = simulate(cells, share, points, test->statistic, seed);
  else
    test->p = mms_gamma_above(0.5 * (double)test->freedom, 0.5 * test->statistic);
  return MMS_OK;
}
