#include "store/array.h"

int mms_shape_count(int rank, const int64_t *dims, int64_t size, int64_t *items, int64_t *bytes) {
  int64_t nonzero = size;
  int empty = 0;
  for (int i = 0; i < rank; i++) {
    if (dims[i] < 0) return 0;
    if (dims[i] == 0) {
      empty = 1;
      continue;
    }
    if (nonzero > INT64_MAX / dims[i]) return 0;
    nonzero *= dims[i];
  }
  *items = empty ? 0 : nonzero / size;
  *bytes = empty ? 0 : nonzero;
  return 1;
}

mms_status mms_array_create(mms_array *array, int rank, const int64_t *dims, const char *what, mms_error *error) {
  *array = (mms_array){0};
  int64_t columns = 1;
  for (int i = 1; i < rank; i++) columns *= dims[i];
  mms_status status = mms_matrix_create(&array->values, dims[0], columns, what, error);
  if (status != MMS_OK) return status;
  array->rank = rank;
  for (int i = 0; i < rank; i++) array->dims[i] = dims[i];
  return MMS_OK;
}

void mms_array_free(mms_array *array) {
  mms_matrix_free(&array->values);
  *array = (mms_array){0};
}
