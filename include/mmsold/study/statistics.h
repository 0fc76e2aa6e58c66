/* Means, intervals and straight lines through points with error bars. All Local. */
#ifndef MMSOLD_STUDY_STATISTICS_H
#define MMSOLD_STUDY_STATISTICS_H

#include "mmsold/base/status.h"
#include <stdbool.h>
#include <stdint.h>

/* The quantile of Student's t with `freedom` > 0 degrees of freedom: P(T <= t) = p, 0 < p < 1. To about 1e-10. */
double mms_student_quantile(double p, double freedom);

/* Mean of values [count], its standard error (NaN for one value), the standard deviation (1/(n − 1)), and the half
 * width of the 95 % interval of the mean by Student's t. */
typedef struct mms_mean {
  double mean, stderr_mean, deviation, half_width;
} mms_mean;
mms_mean mms_mean_of(const double *values, int64_t count);

/* y = constant + slope x through points with independent errors of known size: weighted least squares, weights
 * 1/error². Where the points scatter more than their errors say (χ² above its n − 2 degrees of freedom) the errors are
 * enlarged by √(χ²/(n − 2)) (R. Birge, Phys. Rev. 40 (1932) 207). The interval is slope ± half_width, at 95 %, by the
 * normal quantile for errors as given, and Student's t with n − 2 degrees of freedom where they had to be enlarged. */
typedef struct mms_line {
  bool has; /* two points or more, at two places at least, with positive, finite errors */
  int64_t used;
  double slope, half_width, constant, chi_square;
} mms_line;
mms_line mms_line_fit(const double *x, const double *y, const double *error, int64_t count);

/* The same for a power law y = e^constant x^slope, in log-log. Points that are not positive, or not at least
 * `resolved` (2, say) errors away from 0, say nothing about a power and are left out. */
mms_line mms_power_fit(const double *x, const double *y, const double *error, int64_t count, double resolved);

/* y = c_0 + c_1 x + … + c_degree x^degree, weighted, 0 <= degree <= 3; half widths at 95 % as above. False where there
 * are fewer than degree + 1 places, or degree + 2 for half widths that Birge's ratio could check. */
enum { MMS_MOST_DEGREE = 3 };
bool mms_polynomial_fit(const double *x, const double *y, const double *error, int64_t count, int degree,
                        double coefficients[MMS_MOST_DEGREE + 1], double half_widths[MMS_MOST_DEGREE + 1]);

#endif
