/* Shapes of arrays from files nobody vouches for. Private. */
#ifndef STORE_ARRAY_H
#define STORE_ARRAY_H

#include "mmsold/store/arrays.h"

/* The number of items of dims[rank], and the bytes they need at `size` each; false where either does not fit
 * an int64 (zeros do not hide an overflow). Local. */
int mms_shape_count(int rank, const int64_t *dims, int64_t size, int64_t *items, int64_t *bytes);

/* Allocate values [dims[0]][product of the rest] and record the shape. Local. */
mms_status mms_array_create(mms_array *array, int rank, const int64_t *dims, const char *what, mms_error *error);

#endif
