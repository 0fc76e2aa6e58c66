/* k nearest neighbours, exactly. Private. */
#ifndef STUDY_NEIGHBOURS_H
#define STUDY_NEIGHBOURS_H

#include "mmsold/base/matrix.h"
#include "mmsold/base/status.h"
#include <stdint.h>

/* For each query its k-th nearest row of `points`: index [queries rows] and squared distance [queries rows], either may
 * be NULL. Ties go to the lowest index. `within`: both are the same set, and a row is not its own neighbour (a
 * copy of it is). Needs checked inputs and k ≤ points rows − (within ? 1 : 0). Local. */
mms_status mms_study_neighbours(const mms_matrix *queries, const mms_matrix *points, int64_t k, int within,
                                int64_t *index, double *squared, mms_error *error);

#endif
