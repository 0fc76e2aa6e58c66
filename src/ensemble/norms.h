/* Sizes of d × d matrices of a step, in vector code whose bits are the same on every processor. Square ones are [n][n];
 * packed ones are symmetric and given by the rows of their upper triangle. work: [n]. Private to src/ensemble. */
#ifndef ENSEMBLE_NORMS_H
#define ENSEMBLE_NORMS_H

#include <stdint.h>

/* The 1-norm, largest column sum of |a_ij|. */
double mms_square_norm(int64_t n, const double *a, double *work);
double mms_packed_norm(int64_t n, const double *packed, double *work);

/* The largest sum of squares of a column; of a packed matrix without its diagonal. */
double mms_square_longest(int64_t n, const double *a, double *work);
double mms_packed_longest_beside(int64_t n, const double *packed, double *work);

/* The Frobenius norm. */
double mms_packed_length(int64_t n, const double *packed);

/* The largest |a_ij|, j > i. */
double mms_packed_beside(int64_t n, const double *packed);

#endif
