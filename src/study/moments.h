/* First and second moments in compensated arithmetic. Private. */
#ifndef STUDY_MOMENTS_H
#define STUDY_MOMENTS_H

#include "mmsold/base/matrix.h"
#include "mmsold/base/status.h"

/* mean [d] of the points minus `origin` [d], and covariance [d][d] (1/P) about the points' own mean; good to about
 * 1e-14 of the largest variance whatever P is. Needs points that were checked. Local. */
mms_status mms_study_measure(const mms_matrix *points, const double *origin, double *mean, double *covariance,
                             mms_error *error);

#endif
