/* Precision, recall and coverage: balls to the k-th nearest neighbour inside a set (ALGORITHMS 9). */
#include "mmsold/base/memory.h"
#include "mmsold/study/distances.h"
#include "study/neighbours.h"
#include "study/points.h"

#include <stdlib.h>

static int64_t smaller(int64_t a, int64_t b) { return a < b ? a : b; }

/* Marks of one tile: queries inside a ball, balls that hold a query. Closed balls, as in Kynkäänniemi et al. 2019. */
static void look_into_balls(mms_screen *screen, int64_t q, int64_t rows, int64_t p, int64_t columns,
                            const double *radii, unsigned char *query_inside, unsigned char *ball_used) {
  int64_t dim = screen->points->cols;
  mms_screen_bound(screen, q, rows, p, columns);
  for (int64_t i = 0; i < rows; i++) {
    const double *bound = screen->tile + i * MMS_SCREEN_COLUMNS;
    int any = 0; /* most tiles hold no ball around the query, and this pass over them has no branches */
    for (int64_t j = 0; j < columns; j++) any |= bound[j] <= radii[p + j];
    if (!any) continue;
    for (int64_t j = 0; j < columns; j++) {
      if (bound[j] > radii[p + j] || (query_inside[q + i] && ball_used[p + j])) continue;
      if (mms_study_squared_distance(screen->queries->data + (q + i) * dim, screen->points->data + (p + j) * dim, dim) >
          radii[p + j])
        continue;
      query_inside[q + i] = 1;
      ball_used[p + j] = 1;
    }
  }
}

static double share_of(const unsigned char *flags, int64_t count) {
  int64_t set = 0;
  for (int64_t i = 0; i < count; i++) set += flags[i];
  return (double)set / (double)count;
}

/* *inside: share of queries inside some ball around a centre; *used: share of balls that hold a query. */
static mms_status fill_balls(const mms_matrix *queries, const mms_matrix *centres, int64_t k, double *inside,
                             double *used, mms_error *error) {
  double *radii = NULL;
  void *query_inside = NULL, *ball_used = NULL;
  mms_screen screen = {0};
  mms_status status = mms_allocate_doubles(&radii, centres->rows, "radii", error);
  if (status == MMS_OK) status = mms_allocate(&query_inside, queries->rows, 1, "marks", error);
  if (status == MMS_OK) status = mms_allocate(&ball_used, centres->rows, 1, "marks", error);
  if (status == MMS_OK) status = mms_study_neighbours(centres, centres, k, 1, NULL, radii, error);
  if (status == MMS_OK) status = mms_screen_create(&screen, queries, centres, error);
  if (status == MMS_OK) {
    for (int64_t q = 0; q < queries->rows; q += MMS_SCREEN_ROWS)
      for (int64_t p = 0; p < centres->rows; p += MMS_SCREEN_COLUMNS)
        look_into_balls(&screen, q, smaller(MMS_SCREEN_ROWS, queries->rows - q), p,
                        smaller(MMS_SCREEN_COLUMNS, centres->rows - p), radii, query_inside, ball_used);
    *inside = share_of(query_inside, queries->rows);
    *used = share_of(ball_used, centres->rows);
  }
  mms_screen_free(&screen);
  free(radii);
  free(query_inside);
  free(ball_used);
  return status;
}

mms_status mms_manifold_compare(const mms_matrix *generated, const mms_matrix *real, int64_t k,
                                mms_manifold_scores *scores, mms_error *error) {
  if (k < 1)
    return mms_fail(error, MMS_ERR_INPUT, "the k-th nearest neighbour with k = %lld does not exist", (long long)k);
  mms_status status = mms_study_check(generated, "the generated set", real, "the real set", k + 1, error);
  double unused = 0;
  if (status == MMS_OK) status = fill_balls(generated, real, k, &scores->precision, &scores->coverage, error);
  if (status == MMS_OK) status = fill_balls(real, generated, k, &scores->recall, &unused, error);
  return status;
}
