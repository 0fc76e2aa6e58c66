/* What the distances share: checked inputs, and squared distances between many points at once. Private. */
#ifndef STUDY_POINTS_H
#define STUDY_POINTS_H

#include "mmsold/base/matrix.h"
#include "mmsold/base/status.h"
#include <stdint.h>

/* Both sets have at least `least` rows, the same number of columns, and only finite values. */
mms_status mms_study_check(const mms_matrix *a, const char *name_a, const mms_matrix *b, const char *name_b,
                           int64_t least, mms_error *error);

/* |x − y|² from the differences, in the order of the columns. Local. */
double mms_study_squared_distance(const double *x, const double *y, int64_t dim);

enum { MMS_SCREEN_ROWS = 64, MMS_SCREEN_COLUMNS = 512 };

/* Lower bounds on squared distances, a tile of MMS_SCREEN_ROWS queries by MMS_SCREEN_COLUMNS points at a time: a
 * screen, from which the few pairs that matter are finished with mms_study_squared_distance. O(n d) memory. */
typedef struct mms_screen {
  const mms_matrix *queries, *points;
  int by_products;         /* |q|² − 2 q·x + |x|² through BLAS; else the distances themselves */
  double *centred_queries; /* by products: both sets minus a common centre, where less cancels */
  double *centred_points;
  double *query_squares, *point_squares; /* |q|², |x|² of the centred ones */
  double *tile;                          /* [MMS_SCREEN_ROWS][MMS_SCREEN_COLUMNS] */
  double *columns;                       /* a tile's points, transposed: [d][MMS_SCREEN_COLUMNS] */
} mms_screen;

/* Both sets borrowed until mms_screen_free; the same matrix may be given twice. Local. */
mms_status mms_screen_create(mms_screen *screen, const mms_matrix *queries, const mms_matrix *points, mms_error *error);
void mms_screen_free(mms_screen *screen);

/* Bounds for queries first_query … + rows − 1 and points first_point … + columns − 1 into screen->tile, row q of the
 * tile at tile + q MMS_SCREEN_COLUMNS. Each is at most the value of mms_study_squared_distance for the pair. Local. */
void mms_screen_bound(mms_screen *screen, int64_t first_query, int64_t rows, int64_t first_point, int64_t columns);

#endif
