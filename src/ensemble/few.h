/* The ensemble's products in few dimensions, where a call of BLAS costs more than what it does. Private to
 * src/ensemble. */
#ifndef ENSEMBLE_FEW_H
#define ENSEMBLE_FEW_H

#include <stdbool.h>
#include <stdint.h>

enum { MMS_FEW_DIMENSIONS = 8 }; /* the most these loops are used for */

/* 1ᵀY, then the packed upper triangle of YᵀY; with w: 1ᵀY, 1ᵀW, the triangles of YᵀY and WᵀW, and YᵀW. The order is
 * that of the constraint's sums. y, w [rows][d]. Local. */
void mms_few_moments(int64_t rows, int64_t d, const double *y, const double *w, double *out);

/* y ← (y a + w − 1mᵀ) inverse; without w: y ← (y − 1mᵀ) inverse. a, inverse [d][d], m [d]. Local. */
void mms_few_update(int64_t rows, int64_t d, const double *a, const double *m, const double *inverse, const double *w,
                    double *y);

/* out ← (in − 1 beforeᵀ) op(matrix) + 1 afterᵀ, where before and after may be NULL; in may be out. Local. */
void mms_few_map(int64_t rows, int64_t d, bool transpose, const double *matrix, const double *before,
                 const double *after, const double *in, double *out);

#endif
