#include "mmsold/base/matrix.h"

#include "mmsold/base/memory.h"
#include <stdlib.h>

mms_status mms_matrix_create(mms_matrix *matrix, int64_t rows, int64_t cols, const char *what, mms_error *error) {
  *matrix = (mms_matrix){0};
  if (rows < 0 || cols < 0 || (cols > 0 && rows > INT64_MAX / cols))
    return mms_fail(error, MMS_ERR_MEMORY, "cannot allocate %s: %lld x %lld is not a possible size", what,
                    (long long)rows, (long long)cols);
  mms_status status = mms_allocate_doubles(&matrix->data, rows * cols, what, error);
  if (status != MMS_OK) return status;
  matrix->rows = rows;
  matrix->cols = cols;
  return MMS_OK;
}

void mms_matrix_free(mms_matrix *matrix) {
  free(matrix->data);
  *matrix = (mms_matrix){0};
}
