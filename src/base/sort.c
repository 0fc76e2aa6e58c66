#include "mmsold/base/sort.h"

#include <stdlib.h>

enum { FEW = 16 };

static void insertion(int64_t *values, int64_t count) {
  for (int64_t i = 1; i < count; i++) {
    int64_t value = values[i], at = i;
    for (; at > 0 && values[at - 1] > value; at--) values[at] = values[at - 1];
    values[at] = value;
  }
}

static void sift_down(int64_t *heap, int64_t count, int64_t at) {
  int64_t value = heap[at];
  for (int64_t child = 2 * at + 1; child < count; child = 2 * at + 1) {
    if (child + 1 < count && heap[child + 1] > heap[child]) child++;
    if (heap[child] <= value) break;
    heap[at] = heap[child];
    at = child;
  }
  heap[at] = value;
}

/* Heapsort: never worse than count log count. */
void mms_sort_int64(int64_t *values, int64_t count) {
  if (count <= FEW) {
    insertion(values, count);
    return;
  }
  for (int64_t at = count / 2; at-- > 0;) sift_down(values, count, at);
  for (int64_t end = count - 1; end > 0; end--) {
    int64_t largest = values[0];
    values[0] = values[end];
    values[end] = largest;
    sift_down(values, end, 0);
  }
}

static int compare(const void *a, const void *b) {
  const double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

void mms_sort_doubles(double *values, int64_t count) { qsort(values, (size_t)count, sizeof *values, compare); }
