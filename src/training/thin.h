/* Farthest-point sampling. Private. */
#ifndef TRAINING_THIN_H
#define TRAINING_THIN_H

#include "mmsold/base/matrix.h"
#include <stdint.h>

/* Choose `count` rows of points [N][d]: the first drawn with `seed`, each next the one farthest from those chosen
 * (the first among equals). chosen: [count], in the order of choice. O(N count d) work. Local. Needs count <= N. */
mms_status mms_thin_farthest(const mms_matrix *points, int64_t count, uint64_t seed, int64_t *chosen, mms_error *error);

#endif
