/* Nearest neighbours and what follows from them: duplicates. */
#include "mmsold/base/memory.h"
#include "mmsold/base/sort.h"
#include "mmsold/study/distances.h"
#include "study/neighbours.h"
#include "study/points.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static int64_t smaller(int64_t a, int64_t b) { return a < b ? a : b; }

/* The k smallest squared distances of one query, ascending, and whose they are. Points come in ascending order and only
 * a strictly smaller distance displaces one, so that of equals the lowest index stays. */
static void keep(double *best, int64_t *who, int64_t k, double distance, int64_t index) {
  if (!(distance < best[k - 1])) return;
  int64_t place = k - 1;
  for (; place > 0 && distance < best[place - 1]; place--) {
    best[place] = best[place - 1];
    who[place] = who[place - 1];
  }
  best[place] = distance;
  who[place] = index;
}

static void search_tile(const mms_screen *screen, int64_t first_query, int64_t rows, int64_t first_point,
                        int64_t columns, int64_t k, int within, double *best, int64_t *who) {
  int64_t dim = screen->points->cols;
  for (int64_t i = 0; i < rows; i++) {
    const double *bound = screen->tile + i * MMS_SCREEN_COLUMNS;
    const double *query = screen->queries->data + (first_query + i) * dim;
    double *mine = best + i * k;
    int any = 0; /* most tiles hold nothing nearer, and this pass over them has no branches */
    for (int64_t j = 0; j < columns; j++) any |= bound[j] < mine[k - 1];
    if (!any) continue;
    for (int64_t j = 0; j < columns; j++) {
      if (!(bound[j] < mine[k - 1]) || (within && first_query + i == first_point + j)) continue;
      keep(mine, who + i * k, k, mms_study_squared_distance(query, screen->points->data + (first_point + j) * dim, dim),
           first_point + j);
    }
  }
}

mms_status mms_study_neighbours(const mms_matrix *queries, const mms_matrix *points, int64_t k, int within,
                                int64_t *index, double *squared, mms_error *error) {
  mms_screen screen;
  double *best = NULL;
  void *who = NULL;
  mms_status status = mms_screen_create(&screen, queries, points, error);
  if (status != MMS_OK) return status;
  status = mms_allocate_doubles(&best, MMS_SCREEN_ROWS * k, "nearest distances", error);
  if (status == MMS_OK) status = mms_allocate(&who, MMS_SCREEN_ROWS * k, sizeof(int64_t), "nearest indices", error);
  for (int64_t q = 0; q < queries->rows && status == MMS_OK; q += MMS_SCREEN_ROWS) {
    int64_t rows = smaller(MMS_SCREEN_ROWS, queries->rows - q);
    for (int64_t i = 0; i < rows * k; i++) best[i] = INFINITY;
    memset(who, 0, (size_t)(rows * k) * sizeof(int64_t));
    for (int64_t p = 0; p < points->rows; p += MMS_SCREEN_COLUMNS) {
      int64_t columns = smaller(MMS_SCREEN_COLUMNS, points->rows - p);
      mms_screen_bound(&screen, q, rows, p, columns);
      search_tile(&screen, q, rows, p, columns, k, within, best, who);
    }
    for (int64_t i = 0; i < rows; i++) {
      if (squared != NULL) squared[q + i] = best[i * k + k - 1];
      if (index != NULL) index[q + i] = ((int64_t *)who)[i * k + k - 1];
    }
  }
  free(best);
  free(who);
  mms_screen_free(&screen);
  return status;
}

mms_status mms_nearest(const mms_matrix *queries, const mms_matrix *points, int64_t *index, double *distance,
                       mms_error *error) {
  if (queries->rows == 0) return MMS_OK;
  mms_status status = mms_study_check(queries, "the set of queries", points, "the set searched", 1, error);
  if (status == MMS_OK) status = mms_study_neighbours(queries, points, 1, 0, index, distance, error);
  for (int64_t i = 0; status == MMS_OK && distance != NULL && i < queries->rows; i++) distance[i] = sqrt(distance[i]);
  return status;
}

/* Linear interpolation between the order statistics at rank (n − 1) p/100; sorts the values. */
static double percentile_of(double *values, int64_t count, double percentile) {
  mms_sort_doubles(values, count);
  double rank = (double)(count - 1) * percentile / 100.0;
  int64_t below = smaller((int64_t)rank, count - 1), above = smaller(below + 1, count - 1);
  return values[below] + (rank - (double)below) * (values[above] - values[below]);
}

mms_status mms_duplicate_rate(const mms_matrix *generated, const mms_matrix *training, double percentile, double *rate,
                              double *threshold, mms_error *error) {
  if (training->rows < 2)
    return mms_fail(error, MMS_ERR_INPUT, "the training set has %lld points; distances inside it need at least 2",
                    (long long)training->rows);
  if (!(percentile >= 0 && percentile <= 100))
    return mms_fail(error, MMS_ERR_INPUT, "a percentile of %g is not between 0 and 100", percentile);
  mms_status status = mms_study_check(generated, "the generated set", training, "the training set", 1, error);
  if (status != MMS_OK) return status;
  double *inside = NULL, *near = NULL;
  status = mms_allocate_doubles(&inside, training->rows, "distances inside the training set", error);
  if (status == MMS_OK) status = mms_allocate_doubles(&near, generated->rows, "distances to the training set", error);
  if (status == MMS_OK) status = mms_study_neighbours(training, training, 1, 1, NULL, inside, error);
  if (status == MMS_OK) status = mms_study_neighbours(generated, training, 1, 0, NULL, near, error);
  if (status == MMS_OK) {
    int64_t duplicates = 0;
    for (int64_t i = 0; i < training->rows; i++) inside[i] = sqrt(inside[i]);
    double tau = percentile_of(inside, training->rows, percentile);
    for (int64_t i = 0; i < generated->rows; i++) duplicates += sqrt(near[i]) < tau || near[i] == 0;
    *threshold = tau;
    *rate = (double)duplicates / (double)generated->rows;
  }
  free(inside);
  free(near);
  return status;
}
