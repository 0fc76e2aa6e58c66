/* Sorting that allocates nothing (qsort may). */
#ifndef MMSOLD_BASE_SORT_H
#define MMSOLD_BASE_SORT_H

#include <stdint.h>

/* Put values [count] into ascending order, in place. Local. */
void mms_sort_int64(int64_t *values, int64_t count);

#endif
