/* The tilt a way of moving asks for: the field's gradients at the points it is averaged over. Private to src/dynamics.
 */
#ifndef DYNAMICS_TILT_POINTS_H
#define DYNAMICS_TILT_POINTS_H

#include "dynamics/method.h"

/* Rows that BLAS and the field have enough to do with, however few particles there are. */
enum { MMS_TILT_LEAST_ROWS = 16 };

/* λ and Λ from the context's tilt points, or the training points where it has none; refused where exp(−E*) has no
 * integral. Collective; agreed. On failure *tilt is empty. */
mms_status mms_tilt_points_solve(mms_tilt *tilt, const mms_dynamics *dynamics, mms_error *error);

#endif
