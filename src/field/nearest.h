/* The K nearest of the points offered so far. */
#ifndef FIELD_NEAREST_H
#define FIELD_NEAREST_H

#include "mmsold/base/status.h"
#include <math.h>
#include <stdint.h>

/* |x − z|², summed in one order whoever asks, so that every search judges by the same double: in eight parts, so that
 * additions need not wait for each other. */
static inline double mms_square_distance(const double *x, const double *z, int64_t dim) {
  double part[8] = {0.0}, square = 0.0;
  int64_t k = 0;
  for (; k + 8 <= dim; k += 8)
    for (int64_t l = 0; l < 8; l++) part[l] += (x[k + l] - z[k + l]) * (x[k + l] - z[k + l]);
  for (int64_t l = 0; l < 8 && dim >= 8; l++) square += part[l];
  for (; k < dim; k++) square += (x[k] - z[k]) * (x[k] - z[k]);
  return square;
}

/* A heap with the farthest on top; of equally far points that with the larger index is the farther. */
typedef struct mms_nearest {
  int64_t most, count; /* K, and how many are kept */
  double *square;      /* [K] */
  int64_t *index;      /* [K] */
} mms_nearest;

/* Room for `most` points. Local; MMS_ERR_MEMORY. */
mms_status mms_nearest_create(mms_nearest *nearest, int64_t most, mms_error *error);
void mms_nearest_free(mms_nearest *nearest);

/* Keep a point if it belongs to the nearest `most`. Local. */
void mms_nearest_offer(mms_nearest *nearest, double square, int64_t index);

/* The square that no point beyond can beat: infinite while there is room. */
static inline double mms_nearest_reach(const mms_nearest *nearest) {
  return nearest->count < nearest->most ? (double)INFINITY : nearest->square[0];
}

#endif
