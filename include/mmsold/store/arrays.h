/* Array files that are not HDF5: NumPy's .npy and the IDX format of MNIST and its kin. Local. */
#ifndef MMSOLD_STORE_ARRAYS_H
#define MMSOLD_STORE_ARRAYS_H

#include "mmsold/base/matrix.h"
#include "mmsold/base/status.h"
#include <stdint.h>

/* An array of any rank flattened to [dims[0]][product of the rest] in C order (rank 1: [n][1]). Owns values. */
typedef struct mms_array {
  mms_matrix values;
  int rank;
  int64_t dims[8];
} mms_array;

/* A file of rows that is read a piece at a time: its shape as in mms_array. `path` is borrowed until it is closed. */
typedef struct mms_npy mms_npy;
typedef struct mms_idx mms_idx;

/* .npy of format 1, 2 and 3: bool, (u)int8…64, float16, float32, float64, either byte order, C and Fortran
 * order; 64-bit integers round to the nearest double. MMS_ERR_INPUT with file and reason: missing, a folder, bad magic,
 * header not understood, dtype not numeric (named), shorter or longer than the header says (both sizes). */
mms_status mms_npy_read(mms_array *array, const char *path, mms_error *error);
/* The same by rows: out [count][columns] are rows first … first + count − 1. What the header and the size say wrong is
 * refused at opening. In Fortran order a piece is read column by column. close sets *npy to NULL, fine on NULL. */
mms_status mms_npy_open(mms_npy **npy, const char *path, int *rank, int64_t dims[8], mms_error *error);
mms_status mms_npy_rows(mms_npy *npy, int64_t first, int64_t count, double *out, mms_error *error);
void mms_npy_close(mms_npy **npy);
/* float64, C order, format 1, through a temporary file and rename; parent folder must exist. */
mms_status mms_npy_write(const mms_matrix *matrix, const char *path, mms_error *error);

/* IDX, plain or gzip (told by content, not by name): types 0x08 0x09 0x0B 0x0C 0x0D 0x0E,
 * big-endian. Values as stored (no scaling here); *is_bytes (may be NULL) says type 0x08, which the caller scales to
 * [0,1]. Truncated or with trailing bytes: both sizes named; a damaged gzip stream is said to be one. */
mms_status mms_idx_read(mms_array *array, const char *path, int *is_bytes, mms_error *error);
/* The same by rows, as above. A gzip stream is read from its start where rows before the last ones are wanted, and its
 * end is looked at with the last row. A header that claims more than the file can hold is refused at opening. */
mms_status mms_idx_open(mms_idx **idx, const char *path, int *rank, int64_t dims[8], int *is_bytes, mms_error *error);
mms_status mms_idx_rows(mms_idx *idx, int64_t first, int64_t count, double *out, mms_error *error);
void mms_idx_close(mms_idx **idx);
/* zlib's version. Local. */
const char *mms_idx_zlib(void);
/* Does the file begin like an IDX file (after gunzip)? False where it cannot be read. */
int mms_idx_recognise(const char *path);

void mms_array_free(mms_array *array);

#endif
