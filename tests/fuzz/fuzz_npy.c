/* .npy files: refused with a reason, or read to exactly the array that the header names. */
#include "fuzz.h"

#include "mmsold/store/arrays.h"

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
  static volatile double last; /* touches all of it */
  for (int64_t i = 0; i < array.values.rows * array.values.cols; i++) last = array.values.data[i];
  (void)last;
  mms_array_free(&array);
  return 0;
}
