/* From the list of a row to its K nearest: what the bounds of the scores leave open is decided by distances in double.
 */
#include "field/neighbours.h"

#include "mmsold/base/memory.h"
#include <math.h>
#include <string.h>

/* The k-th largest of `count` values, k >= 1, which are put into another order (Hoare's selection; it stops on equal
 * ones and so halves a run of them). */
static float select_largest(float *values, int64_t count, int64_t k) {
  int64_t lo = 0, hi = count;
  while (hi - lo > 1) {
    float a = values[lo], b = values[lo + (hi - lo) / 2], c = values[hi - 1];
    float pivot = fmaxf(fminf(a, b), fminf(fmaxf(a, b), c));
    int64_t i = lo, j = hi - 1;
    while (i <= j) {
      while (values[i] > pivot) i++;
      while (values[j] < pivot) j--;
      if (i > j) break;
      const float kept = values[i];
      values[i++] = values[j];
      values[j--] = kept;
    }
    if (k - 1 <= j)
      hi = j + 1;
    else if (k - 1 >= i)
      lo = i;
    else
      break;
  }
  return values[k - 1];
}

static float ranked(mms_neighbours *self, const float *values, int64_t count, int64_t k) {
  memcpy(self->ranked, values, (size_t)count * sizeof *values);
  return select_largest(self->ranked, count, k);
}

/* k points have scores of at least the k-th largest low: none that is at most below it is one of the k nearest. And one
 * that is certainly above the k + 1-st largest high is one of them whatever the rounding: only points that may be above
 * that, no more than k with itself, can be nearer. */
void mms_neighbours_cut(mms_neighbours *self, int64_t r, int64_t k, mms_nearest *nearest) {
  mms_scored_list *row = &self->lists[r];
  const mms_scored list = mms_neighbours_scored(self, r);
  if (k == 0) row->count = 0;
  if (row->count > k) {
    const float t = ranked(self, list.low, row->count, k);
    row->count = self->kernels->keep(list.low, list.high, list.point, row->count, t);
  }
  const float sure = row->count > k ? ranked(self, list.high, row->count, k + 1) : -INFINITY;
  int64_t open = 0;
  for (int64_t i = 0; i < row->count; i++) {
    if (list.low[i] > sure) {
      mms_nearest_offer(nearest, -INFINITY, list.point[i]);
      continue;
    }
    list.low[open] = list.low[i];
    list.high[open] = list.high[i];
    list.point[open++] = list.point[i];
  }
  row->count = open;
}

/* In double, one point after the other: for a row far away, or among too many points at one distance. */
static void search_all(mms_neighbours *self, const double *z) {
  const mms_training *training = self->training;
  for (int64_t i = 0; i < training->count; i++)
    mms_nearest_offer(&self->nearest, mms_square_distance(training->points + i * training->dim, z, training->dim), i);
}

/* Points that are open lie anywhere in memory: they are asked for some rows before they are read. */
enum { AHEAD = 2 };

static void fetch(const mms_training *training, int64_t point) {
  const double *x = training->points + point * training->dim;
  for (int64_t k = 0; k < training->dim; k += MMS_ALIGNMENT / (int64_t)sizeof *x) __builtin_prefetch(x + k);
}

void mms_neighbours_settle(mms_neighbours *self, int64_t r, const double *z) {
  const mms_training *training = self->training;
  const mms_scored_list *row = &self->lists[r];
  const int32_t *open = mms_neighbours_scored(self, r).point;
  const int64_t d = training->dim;
  self->nearest.count = 0;
  if (row->count < 0) {
    search_all(self, z);
    return;
  }
  mms_neighbours_cut(self, r, self->k, &self->nearest);
  if (self->sift.half != NULL && row->count > 0) {
    mms_sift_open(self, r);
    mms_neighbours_cut(self, r, self->k - self->nearest.count, &self->nearest);
  }
  for (int64_t i = 0; i < row->count; i++) {
    if (i + AHEAD < row->count) fetch(training, open[i + AHEAD]);
    const int64_t point = open[i];
    mms_nearest_offer(&self->nearest, mms_square_distance(training->points + point * d, z, d), point);
  }
}
