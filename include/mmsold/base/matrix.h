/* A dense matrix of doubles, row-major and contiguous. */
#ifndef MMSOLD_BASE_MATRIX_H
#define MMSOLD_BASE_MATRIX_H

#include "mmsold/base/status.h"
#include <stdint.h>

/* [rows][cols], row-major, leading dimension cols. Owns `data` (aligned, freed by
 * mms_matrix_free). A zeroed struct is a valid empty matrix. */
typedef struct mms_matrix {
  int64_t rows, cols;
  double *data;
} mms_matrix;

/* Zeroed rows × cols. Local. MMS_ERR_MEMORY leaves `matrix` empty. */
mms_status mms_matrix_create(mms_matrix *matrix, int64_t rows, int64_t cols, const char *what, mms_error *error);

/* Release and empty. Local; fine on an empty matrix. */
void mms_matrix_free(mms_matrix *matrix);

#endif
