/* HDF5 files: whatever the bytes, our reader refuses or answers, asks for no more memory than the file can fill, and
 * leaves nothing of HDF5's open. */
#include "fuzz.h"

#include "mmsold/store/h5.h"
#include <hdf5.h>

enum { MOST_NAMES = 16 };

/* Names of datasets, taken from the description. */
typedef struct names {
  char name[MOST_NAMES][128];
  int count;
} names;

static void take_line(void *context, const char *line) {
  names *seen = context;
  fuzz_demand(strlen(line) < 4096, "a line is a line");
  if (line[0] != '/' || seen->count == MOST_NAMES) return;
  size_t length = strcspn(line, " ");
  if (length >= sizeof seen->name[0]) return;
  memcpy(seen->name[seen->count], line, length);
  seen->name[seen->count++][length] = '\0';
}

static void expect(mms_status status, const mms_error *error, const char *path) {
  if (status != MMS_OK) fuzz_demand_refusal(status, error, path);
}

/* Row by row what was read whole. */
static void read_rows(mms_h5 *file, const char *path, const char *name, const mms_matrix *whole) {
  mms_error error = mms_error_none();
  mms_h5_rows *rows = NULL;
  int rank;
  int64_t dims[8];
  double row[1024];
  mms_status status = mms_h5_rows_open(&rows, file, name, &rank, dims, &error);
  expect(status, &error, path);
  for (int64_t i = 0; status == MMS_OK && i < whole->rows && i < 64; i++) {
    status = mms_h5_rows_read(rows, i, 1, row, &error);
    fuzz_demand(status == MMS_OK, "a row of what was read whole can be read");
    fuzz_demand(memcmp(row, whole->data + i * whole->cols, (size_t)whole->cols * sizeof(double)) == 0,
                "and is the same by rows");
  }
  mms_h5_rows_close(&rows);
}

static void read_dataset(mms_h5 *file, const char *path, const char *name) {
  mms_error error = mms_error_none();
  int rank = 0;
  int64_t dims[8] = {0};
  mms_status shape = mms_h5_shape(file, name, &rank, dims, &error);
  expect(shape, &error, path);
  mms_matrix matrix;
  mms_status status = mms_h5_read_matrix(file, name, &matrix, &error);
  expect(status, &error, path);
  if (status == MMS_OK) {
    fuzz_demand(shape == MMS_OK, "what can be read has a shape");
    fuzz_demand(matrix.rows == (rank > 0 ? dims[0] : 1), "rows are the first dimension");
    if (matrix.rows > 1 && matrix.cols > 0 && matrix.cols < 1024) {
      double row[1024];
      status = mms_h5_read_rows(file, name, matrix.rows - 1, 1, row, &error);
      fuzz_demand(status == MMS_OK, "a row of what was read whole can be read");
      fuzz_demand(memcmp(row, matrix.data + (matrix.rows - 1) * matrix.cols, (size_t)matrix.cols * sizeof(double)) == 0,
                  "and is the same");
    }
    if (matrix.cols < 1024) read_rows(file, path, name, &matrix);
    mms_matrix_free(&matrix);
  }
}

static void read_attributes(mms_h5 *file, const char *path, const char *object) {
  static const char *const attributes[] = {"kind", "description", "step", "seed"};
  for (size_t i = 0; i < sizeof attributes / sizeof attributes[0]; i++) {
    mms_error error = mms_error_none();
    char *text = NULL;
    int64_t integer;
    uint64_t seed;
    double real;
    expect(mms_h5_read_text(file, object, attributes[i], &text, &error), &error, path);
    free(text);
    expect(mms_h5_read_int(file, object, attributes[i], &integer, &error), &error, path);
    expect(mms_h5_read_uint(file, object, attributes[i], &seed, &error), &error, path);
    expect(mms_h5_read_double(file, object, attributes[i], &real, &error), &error, path);
  }
}

/* Nothing of HDF5's is open once ours is closed. */
static void demand_all_closed(void) {
  fuzz_demand(H5Fget_obj_count(H5F_OBJ_ALL, H5F_OBJ_ALL) <= 0, "files, datasets, types and attributes are closed");
  hsize_t spaces = 0;
  fuzz_demand(H5Inmembers(H5I_DATASPACE, &spaces) < 0 || spaces == 0, "dataspaces are closed");
}

static uint64_t little_endian(const uint8_t *at, int bytes) {
  uint64_t value = 0;
  for (int i = 0; i < bytes; i++) value |= (uint64_t)at[i] << (8 * i);
  return value;
}

/* HDF5 1.10.8 never ends on a global heap (texts of varying length) whose free space says it has no bytes: it steps
 * over it by nothing. That is not ours to mend, and no file of ours has such a heap, so the search goes round it. */
static bool hangs_hdf5(const uint8_t *data, size_t size) {
  for (size_t heap = 0; heap + 32 <= size; heap++) {
    if (memcmp(data + heap, "GCOL", 4) != 0) continue;
    for (size_t at = heap + 16; at + 16 <= size;) { /* index 2, references 2, reserved 4, size 8; then the bytes */
      uint64_t index = little_endian(data + at, 2), bytes = little_endian(data + at + 8, 8);
      if (index == 0 && bytes == 0) return true;
      if (bytes > size) break;
      at += index == 0 ? (size_t)bytes : 16 + (((size_t)bytes + 7) & ~(size_t)7);
    }
  }
  return false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static fuzz_file memory;
  /* HDF5 keeps what its fixed structures took, which makes this twice as fast; the rest are its own limits. */
  if (memory.path[0] == '\0') H5set_free_list_limits(-1, -1, 4 << 20, 1 << 18, 16 << 20, 1 << 20);
  if (hangs_hdf5(data, size)) return 0;
  fuzz_file_fill(&memory, data, size);
  mms_h5 *file = NULL;
  mms_error error = mms_error_none();
  mms_status status = mms_h5_open(&file, NULL, memory.path, &error);
  expect(status, &error, memory.path);
  if (status == MMS_OK) {
    names seen = {.count = 0};
    expect(mms_h5_describe(file, take_line, &seen, &error), &error, memory.path);
    read_attributes(file, memory.path, "/");
    for (int i = 0; i < seen.count; i++) {
      read_dataset(file, memory.path, seen.name[i]);
      read_attributes(file, memory.path, seen.name[i]);
    }
    int64_t datasets, bytes;
    expect(mms_h5_verify(file, &datasets, &bytes, &error), &error, memory.path);
    mms_h5_close(&file);
  }
  fuzz_demand(file == NULL, "a file that is refused or closed leaves nothing");
  demand_all_closed();
  return 0;
}
