/* Pictures of functions on a grid of the plane, through gnuplot. Local. */
#ifndef MMSOLD_PICTURE_MAPS_H
#define MMSOLD_PICTURE_MAPS_H

#include "mmsold/base/status.h"
#include <stdint.h>

/* One map: values [rows][columns], rows from low to high y; 0 and the largest are the ends of its own colour scale. */
typedef struct mms_map {
  const char *title;
  const double *values;
} mms_map;

/* All maps of a page have the same grid; x and y: low and high edge. `across` maps stand side by side. The colours are
 * ordered by lightness and told apart with every kind of colour vision. PATH ends in .png, .pdf or .svg. The numbers
 * are the caller's to keep. MMS_ERR_INPUT where nothing can be drawn (a value that is not finite: map and cell named);
 * MMS_ERR_SYSTEM where gnuplot is missing. */
mms_status mms_picture_maps(const char *path, const mms_map *maps, int64_t count, int64_t across, int64_t rows,
                            int64_t columns, const double x[2], const double y[2], mms_error *error);

#endif
