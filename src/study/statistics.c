#include "mmsold/study/statistics.h"

#include <math.h>

/* The regularised incomplete beta function I_x(a, b) by Lentz's continued fraction (Abramowitz and Stegun 26.5.8). */
static double incomplete_beta(double a, double b, double x) {
  if (x <= 0.0) return 0.0;
  if (x >= 1.0) return 1.0;
  if (x > (a + 1.0) / (a + b + 2.0)) return 1.0 - incomplete_beta(b, a, 1.0 - x); /* where the fraction converges */
  const double front = exp(lgamma(a + b) - lgamma(a) - lgamma(b) + a * log(x) + b * log1p(-x)) / a;
  const double tiny = 1e-300;
  double f = 1.0, c = 1.0, d = 0.0;
  for (int i = 0; i <= 400; i++) {
    const int m = i / 2;
    double term = 1.0;
    if (i > 0 && i % 2 == 0)
      term = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
    else if (i % 2 == 1)
      term = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
    d = 1.0 + term * d;
    if (fabs(d) < tiny) d = tiny;
    d = 1.0 / d;
    c = 1.0 + term / c;
    if (fabs(c) < tiny) c = tiny;
    f *= c * d;
    if (fabs(1.0 - c * d) < 1e-15) break;
  }
  return front * (f - 1.0);
}

/* P(T <= t), t >= 0. */
static double student_below(double t, double freedom) {
  return 1.0 - 0.5 * incomplete_beta(0.5 * freedom, 0.5, freedom / (freedom + t * t));
}

double mms_student_quantile(double p, double freedom) {
  if (p < 0.5) return -mms_student_quantile(1.0 - p, freedom);
  double low = 0.0, high = 1.0;
  while (student_below(high, freedom) < p && high < 1e150) high *= 2.0;
  for (int i = 0; i < 200 && high - low > 1e-13 * high; i++) {
    const double middle = 0.5 * (low + high);
    if (student_below(middle, freedom) < p)
      low = middle;
    else
      high = middle;
  }
  return 0.5 * (low + high);
}

mms_mean mms_mean_of(const double *values, int64_t count) {
  mms_mean out = {.mean = NAN, .stderr_mean = NAN, .deviation = NAN, .half_width = NAN};
  if (count < 1) return out;
  double sum = 0.0, squares = 0.0;
  for (int64_t i = 0; i < count; i++) sum += values[i];
  out.mean = sum / (double)count;
  if (count < 2) return out;
  for (int64_t i = 0; i < count; i++) squares += (values[i] - out.mean) * (values[i] - out.mean);
  out.deviation = sqrt(squares / ((double)count - 1.0));
  out.stderr_mean = out.deviation / sqrt((double)count);
  out.half_width = mms_student_quantile(0.975, (double)count - 1.0) * out.stderr_mean;
  return out;
}

static const double NORMAL_QUANTILE = 1.959963984540054; /* Φ⁻¹(0.975) */

/* How much wider than its standard error a 95 % half width is, after χ² of `freedom` degrees. */
static double widening(double chi_square, double freedom) {
  if (freedom < 1.0 || chi_square <= freedom) return NORMAL_QUANTILE;
  return mms_student_quantile(0.975, freedom) * sqrt(chi_square / freedom);
}

static bool counts(double x, double y, double error) {
  return isfinite(x) && isfinite(y) && isfinite(error) && error > 0.0;
}

bool mms_polynomial_fit(const double *x, const double *y, const double *error, int64_t count, int degree,
                        double coefficients[MMS_MOST_DEGREE + 1], double half_widths[MMS_MOST_DEGREE + 1]) {
  enum { MOST = MMS_MOST_DEGREE + 1 };
  const int terms = degree + 1;
  double normal[MOST][2 * MOST] = {{0}}, right[MOST] = {0}, scale = 0.0;
  int64_t used = 0;
  for (int64_t i = 0; i < count; i++)
    if (counts(x[i], y[i], error[i])) scale = fmax(scale, fabs(x[i])); /* powers of x/scale stay near 1 */
  if (!(scale > 0.0)) scale = 1.0;
  for (int64_t i = 0; i < count; i++) {
    if (!counts(x[i], y[i], error[i])) continue;
    double power[MOST] = {1.0};
    for (int k = 1; k < terms; k++) power[k] = power[k - 1] * (x[i] / scale);
    for (int k = 0; k < terms; k++) {
      for (int l = 0; l < terms; l++) normal[k][l] += power[k] * power[l] / (error[i] * error[i]);
      right[k] += power[k] * y[i] / (error[i] * error[i]);
    }
    used++;
  }
  if (used < terms) return false;
  /* Invert the normal matrix by Gauss-Jordan; it is positive definite where the places suffice. */
  for (int k = 0; k < terms; k++) normal[k][terms + k] = 1.0;
  for (int k = 0; k < terms; k++) {
    const double pivot = normal[k][k];
    double size = 0.0;
    for (int l = 0; l < terms; l++) size = fmax(size, fabs(normal[l][l]));
    if (!(pivot > 1e-12 * size)) return false;
    for (int l = 0; l < 2 * terms; l++) normal[k][l] /= pivot;
    for (int i = 0; i < terms; i++) {
      const double factor = normal[i][k];
      if (i == k || factor == 0.0) continue;
      for (int l = 0; l < 2 * terms; l++) normal[i][l] -= factor * normal[k][l];
    }
  }
  for (int k = 0; k < terms; k++) {
    coefficients[k] = 0.0;
    for (int l = 0; l < terms; l++) coefficients[k] += normal[k][terms + l] * right[l];
  }
  double chi_square = 0.0;
  for (int64_t i = 0; i < count; i++) {
    if (!counts(x[i], y[i], error[i])) continue;
    double value = 0.0;
    for (int k = terms - 1; k >= 0; k--) value = value * (x[i] / scale) + coefficients[k];
    chi_square += (y[i] - value) * (y[i] - value) / (error[i] * error[i]);
  }
  const double wide = widening(chi_square, (double)(used - terms));
  double unit = 1.0;
  for (int k = 0; k < terms; k++) {
    half_widths[k] = wide * sqrt(normal[k][terms + k]) * unit;
    coefficients[k] *= unit;
    unit /= scale;
  }
  return true;
}

mms_line mms_line_fit(const double *x, const double *y, const double *error, int64_t count) {
  mms_line line = {.slope = NAN, .half_width = NAN, .constant = NAN, .chi_square = NAN};
  double weight = 0.0, centre_x = 0.0, centre_y = 0.0;
  for (int64_t i = 0; i < count; i++) {
    if (!counts(x[i], y[i], error[i])) continue;
    const double w = 1.0 / (error[i] * error[i]);
    weight += w;
    centre_x += w * x[i];
    centre_y += w * y[i];
    line.used++;
  }
  if (line.used < 2) return line;
  centre_x /= weight;
  centre_y /= weight;
  double xx = 0.0, xy = 0.0;
  for (int64_t i = 0; i < count; i++) {
    if (!counts(x[i], y[i], error[i])) continue;
    const double w = 1.0 / (error[i] * error[i]);
    xx += w * (x[i] - centre_x) * (x[i] - centre_x);
    xy += w * (x[i] - centre_x) * (y[i] - centre_y);
  }
  if (!(xx > 1e-20 * weight * (1.0 + centre_x * centre_x))) return line; /* one place */
  line.has = true;
  line.slope = xy / xx;
  line.constant = centre_y - line.slope * centre_x;
  line.chi_square = 0.0;
  for (int64_t i = 0; i < count; i++) {
    if (!counts(x[i], y[i], error[i])) continue;
    const double rest = (y[i] - line.constant - line.slope * x[i]) / error[i];
    line.chi_square += rest * rest;
  }
  line.half_width = widening(line.chi_square, (double)line.used - 2.0) / sqrt(xx);
  return line;
}

mms_line mms_power_fit(const double *x, const double *y, const double *error, int64_t count, double resolved) {
  enum { MOST = 1000 }; /* as many values as a list of the configuration has */
  double log_x[MOST], log_y[MOST], relative[MOST];
  int64_t used = 0;
  for (int64_t i = 0; i < count && used < MOST; i++) {
    if (!counts(x[i], y[i], error[i]) || x[i] <= 0.0 || y[i] <= 0.0 || y[i] < resolved * error[i]) continue;
    log_x[used] = log(x[i]);
    log_y[used] = log(y[i]);
    relative[used++] = error[i] / y[i];
  }
  return mms_line_fit(log_x, log_y, relative, used);
}
