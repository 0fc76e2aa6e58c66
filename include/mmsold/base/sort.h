/* Sorting. */
#ifndef MMSOLD_BASE_SORT_H
#define MMSOLD_BASE_SORT_H

#include <stdint.h>

/* Put values [count] into ascending order, in place, allocating nothing. Local. */
void mms_sort_int64(int64_t *values, int64_t count);

/* The same by qsort, which may allocate: not within a step. None may be NaN. Local. */
void mms_sort_doubles(double *values, int64_t count);

#endif
