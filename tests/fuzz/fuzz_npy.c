/* .npy files: refused with a reason, or read to exactly the array that the header names. */
#include "fuzz.h"

#include "mmsold/store/arrays.h"

/* Row by row, backwards, what was read whole. */
static void read_rows(const char *path, const mms_array *whole) {
  mms_error error = mms_error_none();
  mms_npy *npy = NULL;
  int rank;
  int64_t dims[8];
  const int64_t cols = whole->values.cols;
  if (whole->values.rows == 0) return; /* then there may be any number of columns */
  fuzz_demand(mms_npy_open(&npy, path, &rank, dims, &error) == MMS_OK && rank == whole->rank,
              "what can be read can be opened");
  double *row = malloc((size_t)cols * sizeof *row + 1);
  fuzz_demand(row != NULL, "there is room for a row");
  for (int64_t i = whole->values.rows - 1; i >= 0 && i + 64 >= whole->values.rows; i--) {
    fuzz_demand(mms_npy_rows(npy, i, 1, row, &error) == MMS_OK, "a row of what was read whole can be read");
    fuzz_demand(memcmp(row, whole->values.data + i * cols, (size_t)cols * sizeof *row) == 0, "and is the same");
  }
  free(row);
  mms_npy_close(&npy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static fuzz_file file;
  fuzz_file_fill(&file, data, size);
  mms_array array;
  mms_error error = mms_error_none();
  mms_status status = mms_npy_read(&array, file.path, &error);
  if (status != MMS_OK) {
    fuzz_demand_refusal(status, &error, file.path);
    fuzz_demand(array.values.data == NULL, "nothing is left of a refused file");
    return 0;
  }
  fuzz_demand(array.rank >= 1 && array.rank <= 8, "an array has 1 to 8 dimensions");
  int64_t columns = 1;
  for (int i = 1; i < array.rank; i++) columns *= array.dims[i];
  fuzz_demand(array.values.rows == array.dims[0] && array.values.cols == columns, "an array is flattened to rows");
  fuzz_demand((uint64_t)(array.values.rows * array.values.cols) <= size, "every number has its bytes in the file");
  read_rows(file.path, &array);
  mms_array_free(&array);
  return 0;
}
