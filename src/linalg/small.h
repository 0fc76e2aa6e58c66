/* Triangles of some dozens of rows, as the constraint meets them in every step: one and a half to three times as
 * fast as LAPACK's there, whose products are made for large ones. Kernels for each instruction set, of which the best
 * is chosen at run time. Products are fused where the processor can, so that like those of BLAS their bits are the same
 * on processors of one type. Rows are `width` >= n apart. Local. Private to src/linalg. */
#ifndef LINALG_SMALL_H
#define LINALG_SMALL_H

/* Up to this order the factor is faster than LAPACK's, and the inverse than that by halves (measured with AVX-512). */
enum { MMS_SMALL = 128 };

/* In place: the upper Cholesky factor of a symmetric matrix given by its upper triangle; what is below is of no meaning
 * before and after. 0, or the number (from 1) of the first pivot that is not positive. */
int mms_small_cholesky(int n, int width, double *a);

/* In place: the inverse of an upper triangular matrix without zeros on its diagonal; zeros stay below. */
void mms_small_invert_upper(int n, int width, double *r);

/* The same of one instruction set. */
typedef struct mms_small_kernels {
  int (*cholesky)(int n, int width, double *a);
  void (*invert_upper)(int n, int width, double *r);
} mms_small_kernels;

/* "portable", "avx2" (with FMA) or "avx512"; NULL where the processor has not got it. */
const mms_small_kernels *mms_small_kernels_named(const char *name);

#endif
