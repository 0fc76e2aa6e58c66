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

/* .npy of format 1, 2 and 3: bool, (u)int8…64, float16, float32, float64, either byte order, C and Fortran
 * order; 64-bit integers round to the nearest double. MMS_ERR_INPUT with file and reason: missing, a folder, bad magic,
 * header not understood, dtype not numeric (named), shorter or longer than the header says (both sizes). */
mms_status mms_npy_read(mms_array *array, const char *path, mms_error *error);
/* float64, C order, format 1, through a temporary file and rename; parent folder must exist. */
mms_status mms_npy_write(const mms_matrix *matrix, const char *path, mms_error *error);

/* IDX, plain or gzip (told by content, not by name): types 0x08 0x09 0x0B 0x0C 0x0D 0x0E,
 * big-endian. Values as stored (no scaling here); *is_bytes (may be NULL) says type 0x08, which the caller scales to
 * [0,1]. Truncated or with trailing bytes: both sizes named; a damaged gzip stream is said to be one. */
mms_status mms_idx_read(mms_array *array, const char *path, int *is_bytes, mms_error *error);
/* zlib's version. Local. */
const char *mms_idx_zlib(void);
/* Does the file begin like an IDX file (after gunzip)? False where it cannot be read. */
int mms_idx_recognise(const char *path);

void mms_array_free(mms_array *array);

#endif
