#include "training/thin.h"

#include "mmsold/base/memory.h"
#include "mmsold/random/random.h"
#include <math.h>
#include <stdlib.h>

/* nearest[i] <- min(nearest[i], |x_i − x_center|²), rows first … first + rows − 1, from columns [d][N]: the inner
 * loops run over points, whatever d, and vectorise. */
enum { TILE = 512 };
static void update_tile(const double *columns, int64_t total, int64_t dim, int64_t first, int64_t rows, int64_t center,
                        double *nearest) {
  double squared[TILE] = {0};
  for (int64_t k = 0; k < dim; k++) {
    const double *column = columns + k * total + first;
    double c = columns[k * total + center];
    for (int64_t i = 0; i < rows; i++) {
      double difference = column[i] - c;
      squared[i] += difference * difference;
    }
  }
  for (int64_t i = 0; i < rows; i++)
    nearest[first + i] = squared[i] < nearest[first + i] ? squared[i] : nearest[first + i];
}

mms_status mms_thin_farthest(const mms_matrix *points, int64_t count, uint64_t seed, int64_t *chosen,
                             mms_error *error) {
  int64_t total = points->rows, dim = points->cols;
  double *columns = NULL, *nearest = NULL;
  mms_status status = mms_allocate_doubles(&columns, total * dim, "points to thin, by columns", error);
  if (status == MMS_OK) status = mms_allocate_doubles(&nearest, total, "distances to the chosen points", error);
  if (status == MMS_OK && count > 0) {
    for (int64_t i = 0; i < total; i++)
      for (int64_t k = 0; k < dim; k++) columns[k * total + i] = points->data[i * dim + k];
    for (int64_t i = 0; i < total; i++) nearest[i] = INFINITY;
    mms_random_key key = {.seed = seed, .stream = MMS_STREAM_SELECT, .step = 0, .item = 0};
    int64_t center = (int64_t)mms_random_index(key, 0, (uint64_t)total);
    for (int64_t c = 0; c < count; c++) {
      chosen[c] = center;
      for (int64_t first = 0; first < total; first += TILE)
        update_tile(columns, total, dim, first, total - first < TILE ? total - first : TILE, center, nearest);
      nearest[center] = -1; /* never twice, even where rows are duplicates */
      for (int64_t i = 0, best = center; i < total; i++)
        if (nearest[i] > nearest[best]) center = best = i;
    }
  }
  free(columns);
  free(nearest);
  return status;
}
