#include "field/nearest.h"

#include "mmsold/base/memory.h"
#include <stdbool.h>
#include <stdlib.h>

mms_status mms_nearest_create(mms_nearest *nearest, int64_t most, mms_error *error) {
  *nearest = (mms_nearest){.most = most};
  void *index = NULL;
  mms_status status = mms_allocate_doubles(&nearest->square, most, "the nearest points", error);
  if (status == MMS_OK) status = mms_allocate(&index, most, sizeof(int64_t), "the nearest points", error);
  nearest->index = index;
  return status;
}

void mms_nearest_free(mms_nearest *nearest) {
  free(nearest->square);
  free(nearest->index);
  *nearest = (mms_nearest){0};
}

static bool farther(double square, int64_t index, double than, int64_t than_index) {
  return square > than || (square == than && index > than_index);
}

static void put(mms_nearest *nearest, int64_t at, double square, int64_t index) {
  nearest->square[at] = square;
  nearest->index[at] = index;
}

static void rise(mms_nearest *nearest, double square, int64_t index) {
  int64_t at = nearest->count++;
  while (at > 0) {
    int64_t parent = (at - 1) / 2;
    if (!farther(square, index, nearest->square[parent], nearest->index[parent])) break;
    put(nearest, at, nearest->square[parent], nearest->index[parent]);
    at = parent;
  }
  put(nearest, at, square, index);
}

static void replace_top(mms_nearest *nearest, double square, int64_t index) {
  int64_t at = 0;
  for (int64_t child = 1; child < nearest->count; child = 2 * at + 1) {
    if (child + 1 < nearest->count &&
        farther(nearest->square[child + 1], nearest->index[child + 1], nearest->square[child], nearest->index[child]))
      child++;
    if (!farther(nearest->square[child], nearest->index[child], square, index)) break;
    put(nearest, at, nearest->square[child], nearest->index[child]);
    at = child;
  }
  put(nearest, at, square, index);
}

void mms_nearest_offer(mms_nearest *nearest, double square, int64_t index) {
  if (nearest->count < nearest->most)
    rise(nearest, square, index);
  else if (farther(nearest->square[0], nearest->index[0], square, index))
    replace_top(nearest, square, index);
}
