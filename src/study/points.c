#include "study/points.h"

#include "mmsold/base/memory.h"
#include "mmsold/linalg/dense.h"
#include <float.h>
#include <math.h>
#include <stdlib.h>

/* Up to this many columns a plain loop over differences beats the products (OpenBLAS does 5 to 7 GFLOP/s at
 * k = 2 and needs the finish on top; the loop does about 1.5 G differences a second). */
enum { SMALL_DIM = 12 };

/* Squares of coordinate differences up to this, summed over 1e7 columns, stay below 1.8e308. */
static const double FARTHEST = 1e150;

static mms_status check_values(const mms_matrix *set, const char *name, mms_error *error) {
  for (int64_t i = 0; i < set->rows * set->cols; i++)
    if (!(fabs(set->data[i]) <= FARTHEST))
      return mms_fail(error, MMS_ERR_INPUT,
                      "%s: row %lld, column %lld is %g; distances need finite numbers no larger than 1e150: rescale "
                      "the points",
                      name, (long long)(i / set->cols), (long long)(i % set->cols), set->data[i]);
  return MMS_OK;
}

mms_status mms_study_check(const mms_matrix *a, const char *name_a, const mms_matrix *b, const char *name_b,
                           int64_t least, mms_error *error) {
  if (a->rows < least || b->rows < least)
    return mms_fail(error, MMS_ERR_INPUT, "%s has %lld points and %s has %lld; at least %lld are needed in each",
                    name_a, (long long)a->rows, name_b, (long long)b->rows, (long long)least);
  if (a->cols != b->cols || a->cols < 1)
    return mms_fail(error, MMS_ERR_INPUT, "%s has %lld columns and %s has %lld; they must be the same", name_a,
                    (long long)a->cols, name_b, (long long)b->cols);
  mms_status status = check_values(a, name_a, error);
  return status == MMS_OK ? check_values(b, name_b, error) : status;
}

double mms_study_squared_distance(const double *x, const double *y, int64_t dim) {
  double sum = 0;
  for (int64_t k = 0; k < dim; k++) {
    double difference = x[k] - y[k];
    sum += difference * difference;
  }
  return sum;
}

/* Rows minus `centre`, and their squared lengths. */
static void centre_rows(const mms_matrix *set, const double *centre, double *rows, double *squares) {
  for (int64_t i = 0; i < set->rows; i++) {
    double sum = 0;
    for (int64_t k = 0; k < set->cols; k++) {
      double value = set->data[i * set->cols + k] - centre[k];
      rows[i * set->cols + k] = value;
      sum += value * value;
    }
    squares[i] = sum;
  }
}

static mms_status prepare_products(mms_screen *screen, mms_error *error) {
  const mms_matrix *queries = screen->queries, *points = screen->points;
  int64_t dim = points->cols;
  double *centre = NULL;
  mms_status status = mms_allocate_doubles(&centre, dim, "the centre of a point set", error);
  if (status == MMS_OK)
    status = mms_allocate_doubles(&screen->centred_queries, queries->rows * dim, "centred points", error);
  if (status == MMS_OK)
    status = mms_allocate_doubles(&screen->centred_points, points->rows * dim, "centred points", error);
  if (status == MMS_OK) status = mms_allocate_doubles(&screen->query_squares, queries->rows, "lengths", error);
  if (status == MMS_OK) status = mms_allocate_doubles(&screen->point_squares, points->rows, "lengths", error);
  if (status == MMS_OK) {
    for (int64_t i = 0; i < points->rows; i++)
      for (int64_t k = 0; k < dim; k++) centre[k] += points->data[i * dim + k] / (double)points->rows;
    centre_rows(queries, centre, screen->centred_queries, screen->query_squares);
    centre_rows(points, centre, screen->centred_points, screen->point_squares);
  }
  free(centre);
  return status;
}

mms_status mms_screen_create(mms_screen *screen, const mms_matrix *queries, const mms_matrix *points,
                             mms_error *error) {
  *screen = (mms_screen){.queries = queries, .points = points, .by_products = points->cols > SMALL_DIM};
  mms_status status =
      mms_allocate_doubles(&screen->tile, (int64_t)MMS_SCREEN_ROWS * MMS_SCREEN_COLUMNS, "a tile of distances", error);
  if (status == MMS_OK && screen->by_products) status = prepare_products(screen, error);
  if (status == MMS_OK && !screen->by_products)
    status = mms_allocate_doubles(&screen->columns, points->cols * MMS_SCREEN_COLUMNS, "a tile of points", error);
  if (status != MMS_OK) mms_screen_free(screen);
  return status;
}

void mms_screen_free(mms_screen *screen) {
  free(screen->centred_queries);
  free(screen->centred_points);
  free(screen->query_squares);
  free(screen->point_squares);
  free(screen->tile);
  free(screen->columns);
  *screen = (mms_screen){0};
}

/* The distances themselves, with the arithmetic of mms_study_squared_distance, many points side by side. */
static void bound_by_differences(mms_screen *screen, int64_t first_query, int64_t rows, int64_t first_point,
                                 int64_t columns) {
  int64_t dim = screen->points->cols;
  for (int64_t j = 0; j < columns; j++)
    for (int64_t k = 0; k < dim; k++)
      screen->columns[k * MMS_SCREEN_COLUMNS + j] = screen->points->data[(first_point + j) * dim + k];
  for (int64_t i = 0; i < rows; i++) {
    const double *query = screen->queries->data + (first_query + i) * dim;
    double *restrict sum = screen->tile + i * MMS_SCREEN_COLUMNS;
    for (int64_t j = 0; j < columns; j++) sum[j] = 0;
    for (int64_t k = 0; k < dim; k++) {
      const double *restrict values = screen->columns + k * MMS_SCREEN_COLUMNS;
      const double at = query[k];
      for (int64_t j = 0; j < columns; j++) sum[j] += (at - values[j]) * (at - values[j]);
    }
  }
}

/* |q|² − 2 q·x + |x|² minus a bound on its error. With u = DBL_EPSILON/2 and s = |q|² + |x|² (centred): each square and
 * the product are off by at most γ_d of themselves (γ_d ≈ d u), |q·x| ≤ s/2, the three sums by 3u·2s, and centring
 * moves each coordinate by u of itself, so the distance by at most 4u s; the exact routine is off by γ_{d+2} of at most
 * 2s. Together below (4 d + 24) u s; doubled, it also covers that s itself is rounded. */
static void bound_by_products(mms_screen *screen, int64_t first_query, int64_t rows, int64_t first_point,
                              int64_t columns) {
  int64_t dim = screen->points->cols;
  const double share = (4.0 * (double)dim + 24.0) * DBL_EPSILON;
  /* the product fills the tile with rows of `columns`; they are spread from the last one on */
  mms_dense_multiply(false, true, rows, columns, dim, -2.0, screen->centred_queries + first_query * dim,
                     screen->centred_points + first_point * dim, 0.0, screen->tile);
  for (int64_t i = rows - 1; i >= 0; i--) {
    double query = screen->query_squares[first_query + i];
    for (int64_t j = columns - 1; j >= 0; j--) {
      double squares = query + screen->point_squares[first_point + j];
      screen->tile[i * MMS_SCREEN_COLUMNS + j] = (squares + screen->tile[i * columns + j]) - share * squares;
    }
  }
}

void mms_screen_bound(mms_screen *screen, int64_t first_query, int64_t rows, int64_t first_point, int64_t columns) {
  if (screen->by_products)
    bound_by_products(screen, first_query, rows, first_point, columns);
  else
    bound_by_differences(screen, first_query, rows, first_point, columns);
}
