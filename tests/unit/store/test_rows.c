/* Files read a piece of their rows at a time: in any order of pieces what the whole file holds, each chunk once, and no
 * more than is there. */
#include "file_support.h"

#include "mmsold/store/arrays.h"
#include "mmsold/store/h5.h"
#include <hdf5.h>
#include <unistd.h>
#include <zlib.h>

enum { ROWS = 29, WIDE = 3, HIGH = 4, COLS = WIDE * HIGH };

static int set_up(void **state) {
  (void)state;
  return folder_make("a.npy");
}

static double item(int row, int wide, int high) { return 100.0 * row + 10.0 * wide + high - 3.0; }

/* What read the rows that are to be looked at. */
typedef mms_status reader(void *self, int64_t first, int64_t count, double *out, mms_error *error);

static mms_status read_npy(void *self, int64_t first, int64_t count, double *out, mms_error *error) {
  return mms_npy_rows(self, first, count, out, error);
}

static mms_status read_idx(void *self, int64_t first, int64_t count, double *out, mms_error *error) {
  return mms_idx_rows(self, first, count, out, error);
}

static mms_status read_h5(void *self, int64_t first, int64_t count, double *out, mms_error *error) {
  return mms_h5_rows_read(self, first, count, out, error);
}

/* Every piece there is, from the first to the last and then backwards, and some that there are not. */
static void expect_rows(reader *read, void *self, int rank, const int64_t *dims) {
  mms_error error = mms_error_none();
  double out[ROWS * COLS];
  assert_true(rank == 3 && dims[0] == ROWS && dims[1] == WIDE && dims[2] == HIGH && dims[3] == 0);
  for (int64_t count = 0; count <= ROWS; count++)
    for (int64_t turn = 0; turn <= 2 * (ROWS - count); turn++) {
      const int64_t first = turn <= ROWS - count ? turn : 2 * (ROWS - count) - turn;
      for (int i = 0; i < ROWS * COLS; i++) out[i] = -1e9;
      expect_ok(read(self, first, count, out, &error), &error);
      for (int i = 0; i < ROWS * COLS; i++)
        assert_true(out[i] == (i < count * COLS ? item((int)first + i / COLS, i % COLS / HIGH, i % HIGH) : -1e9));
    }
  const int64_t wrong[][2] = {{-1, 2}, {0, -1}, {0, ROWS + 1}, {ROWS, 1}, {INT64_MAX, 1}, {1, INT64_MAX}};
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
    expect_refused(read(self, wrong[i][0], wrong[i][1], out, &error), MMS_ERR_INTERNAL, &error, "were asked for");
}

static void npy_of_both_orders(void **state) {
  (void)state;
  for (int fortran = 0; fortran < 2; fortran++) {
    double data[ROWS * COLS];
    for (int i = 0; i < ROWS * COLS; i++)
      data[i] = fortran ? item(i % ROWS, i / ROWS % WIDE, i / ROWS / WIDE) : item(i / COLS, i % COLS / HIGH, i % HIGH);
    unsigned char file[10 + 118 + sizeof data] = "\x93NUMPY\x01\x00\x76";
    memset(file + 10, ' ', 118);
    const int used = snprintf((char *)file + 10, 118, "{'descr': '<f8', 'fortran_order': %s, 'shape': (%d, %d, %d)}",
                              fortran ? "True" : "False", ROWS, WIDE, HIGH);
    file[10 + used] = ' ';
    memcpy(file + 128, data, sizeof data);
    put(file, sizeof file);
    mms_error error = mms_error_none();
    mms_npy *npy = NULL;
    int rank = 0;
    int64_t dims[8];
    expect_ok(mms_npy_open(&npy, path, &rank, dims, &error), &error);
    expect_rows(read_npy, npy, rank, dims);
    mms_npy_close(&npy);
    assert_null(npy);
    mms_npy_close(&npy);
  }
}

/* Cut short after it was opened: what is missing is missed when it is asked for. */
static void npy_that_shrinks(void **state) {
  (void)state;
  enum { MANY = 3000 };
  static unsigned char file[128 + 8 * MANY];
  static double out[MANY];
  memset(file, ' ', 128);
  memcpy(file, "\x93NUMPY\x01\x00\x76", 10);
  const int used = snprintf((char *)file + 10, 118, "{'descr': '<f8', 'fortran_order': False, 'shape': (%d,)}", MANY);
  file[10 + used] = ' ';
  put(file, sizeof file);
  mms_error error = mms_error_none();
  mms_npy *npy = NULL;
  int rank = 0;
  int64_t dims[8];
  expect_ok(mms_npy_open(&npy, path, &rank, dims, &error), &error);
  assert_true(rank == 1 && dims[0] == MANY);
  assert_int_equal(truncate(path, (off_t)sizeof file - 8), 0);
  expect_ok(mms_npy_rows(npy, 0, MANY - 1, out, &error), &error);
  expect_refused(mms_npy_rows(npy, MANY - 1, 1, out, &error), MMS_ERR_INPUT, &error, "ends inside its data");
  mms_npy_close(&npy);
  expect_refused(mms_npy_open(&npy, path, &rank, dims, &error), MMS_ERR_INPUT, &error, "cut short");
  assert_null(npy);
}

/* An IDX file of float64; returns its size. */
static size_t make_idx(unsigned char *file) {
  const unsigned char header[] = {0, 0, 0x0E, 3, 0, 0, 0, ROWS, 0, 0, 0, WIDE, 0, 0, 0, HIGH};
  memcpy(file, header, sizeof header);
  for (int i = 0; i < ROWS * COLS; i++) {
    const double value = item(i / COLS, i % COLS / HIGH, i % HIGH);
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    for (int k = 0; k < 8; k++) file[sizeof header + (size_t)(8 * i + k)] = (unsigned char)(bits >> (56 - 8 * k));
  }
  return sizeof header + sizeof(double) * ROWS * COLS;
}

static void put_gzip(const void *bytes, size_t count) {
  gzFile stream = gzopen(path, "wb");
  assert_non_null(stream);
  assert_int_equal(gzwrite(stream, bytes, (unsigned)count), (int)count);
  gzclose(stream);
}

static void idx_plain_and_packed(void **state) {
  (void)state;
  unsigned char bytes[16 + 8 * ROWS * COLS + 1] = {0};
  const size_t size = make_idx(bytes);
  double out[ROWS * COLS];
  for (int packed = 0; packed < 2; packed++) {
    mms_error error = mms_error_none();
    mms_idx *idx = NULL;
    int rank = 0, is_bytes = 1;
    int64_t dims[8];
    packed ? put_gzip(bytes, size) : put(bytes, size);
    expect_ok(mms_idx_open(&idx, path, &rank, dims, &is_bytes, &error), &error);
    assert_false(is_bytes);
    expect_rows(read_idx, idx, rank, dims);
    mms_idx_close(&idx);
    assert_null(idx);
    mms_idx_close(&idx);
    /* a byte too many is noticed with the last row, not before */
    packed ? put_gzip(bytes, size + 1) : put(bytes, size + 1);
    expect_ok(mms_idx_open(&idx, path, &rank, dims, &is_bytes, &error), &error);
    expect_ok(mms_idx_rows(idx, 0, ROWS - 1, out, &error), &error);
    expect_refused(mms_idx_rows(idx, ROWS - 1, 1, out, &error), MMS_ERR_INPUT, &error, "longer than its header says");
    mms_idx_close(&idx);
  }
  mms_error error = mms_error_none();
  mms_idx *idx = NULL;
  int rank = 0, is_bytes = 0;
  int64_t dims[8];
  put_gzip(bytes, size - 9); /* a row too few, in a stream that is whole */
  expect_ok(mms_idx_open(&idx, path, &rank, dims, &is_bytes, &error), &error);
  expect_ok(mms_idx_rows(idx, 0, ROWS - 1, out, &error), &error);
  expect_refused(mms_idx_rows(idx, ROWS - 1, 1, out, &error), MMS_ERR_INPUT, &error, "2775 bytes of data (unpacked)");
  mms_idx_close(&idx);
  bytes[4] = 0x7f; /* 2^31 rows: no gzip stream of this size unpacks to them */
  put_gzip(bytes, size);
  expect_refused(mms_idx_open(&idx, path, &rank, dims, &is_bytes, &error), MMS_ERR_INPUT, &error, "cannot unpack");
  assert_null(idx);
}

/* --- HDF5 --------------------------------------------------------------------------------- */

static int unpacked; /* chunks that went through the filter on their way in */

static size_t count_chunks(unsigned flags, size_t parts, const unsigned values[], size_t bytes, size_t *room,
                           void **buffer) {
  (void)parts, (void)values, (void)room, (void)buffer;
  if (flags & H5Z_FLAG_REVERSE) unpacked++;
  return bytes;
}

enum { COUNTING = 300, CHUNK_ROWS = 5, LONG = 70000 };

/* A dataset of chunks that are counted, values item or 0 where NULL. */
static void write_counted(hid_t file, const char *name, int rank, const hsize_t *dims, const hsize_t *chunk,
                          const double *values) {
  hid_t creation = H5Pcreate(H5P_DATASET_CREATE), space = H5Screate_simple(rank, dims, NULL);
  assert_true(H5Pset_chunk(creation, rank, chunk) >= 0);
  assert_true(H5Pset_filter(creation, COUNTING, H5Z_FLAG_MANDATORY, 0, NULL) >= 0);
  hid_t set = H5Dcreate2(file, name, H5T_IEEE_F32BE, space, H5P_DEFAULT, creation, H5P_DEFAULT);
  assert_true(H5Dwrite(set, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, values) >= 0);
  H5Dclose(set);
  H5Sclose(space);
  H5Pclose(creation);
}

static void write_chunks(void) {
  const H5Z_class2_t filter = {H5Z_CLASS_T_VERS, COUNTING, 1, 1, "counts", NULL, NULL, count_chunks};
  assert_true(H5Zregister(&filter) >= 0);
  const hsize_t dims[3] = {ROWS, WIDE, HIGH}, chunk[3] = {CHUNK_ROWS, 2, HIGH};
  hid_t id = H5Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
  double data[ROWS * COLS];
  for (int i = 0; i < ROWS * COLS; i++) data[i] = item(i / COLS, i % COLS / HIGH, i % HIGH);
  write_counted(id, "/x", 3, dims, chunk, data);
  const hsize_t many[2] = {ROWS, LONG}, large[2] = {CHUNK_ROWS, LONG - 1}; /* beyond what HDF5 keeps unless told to */
  double *zeros = calloc((size_t)ROWS * LONG, sizeof *zeros);
  assert_non_null(zeros);
  write_counted(id, "/large", 2, many, large, zeros);
  free(zeros);
  hid_t space = H5Screate_simple(3, dims, NULL);
  hid_t set = H5Dcreate2(id, "/whole", H5T_IEEE_F64LE, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
  assert_true(H5Dwrite(set, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, data) >= 0);
  H5Dclose(set);
  H5Sclose(space);
  H5Fclose(id);
}

static void datasets_in_pieces(void **state) {
  (void)state;
  write_chunks();
  mms_error error = mms_error_none();
  mms_h5 *file = NULL;
  mms_h5_rows *rows = NULL;
  int rank = 0;
  int64_t dims[8];
  expect_ok(mms_h5_open(&file, NULL, path, &error), &error);
  const char *const names[] = {"/x", "/whole"};
  for (int i = 0; i < 2; i++) {
    expect_ok(mms_h5_rows_open(&rows, file, names[i], &rank, dims, &error), &error);
    expect_rows(read_h5, rows, rank, dims);
    mms_h5_rows_close(&rows);
    assert_null(rows);
    mms_h5_rows_close(&rows);
  }
  /* each chunk once, though pieces end within chunks; and by mms_h5_read_rows more often */
  const int chunks = (ROWS + CHUNK_ROWS - 1) / CHUNK_ROWS * 2;
  double *out = malloc(3 * LONG * sizeof *out);
  assert_non_null(out);
  expect_ok(mms_h5_rows_open(&rows, file, "/large", &rank, dims, &error), &error);
  unpacked = 0;
  for (int first = 0; first < ROWS; first += 3)
    expect_ok(mms_h5_rows_read(rows, first, first + 3 <= ROWS ? 3 : ROWS - first, out, &error), &error);
  assert_int_equal(unpacked, chunks);
  mms_h5_rows_close(&rows);
  unpacked = 0;
  for (int first = 0; first < ROWS; first++) expect_ok(mms_h5_read_rows(file, "/x", first, 1, out, &error), &error);
  assert_int_equal(unpacked, 2 * ROWS);
  free(out);
  expect_refused(mms_h5_rows_open(&rows, file, "/none", &rank, dims, &error), MMS_ERR_INPUT, &error, "no dataset");
  assert_null(rows);
  mms_h5_close(&file);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(npy_of_both_orders),
      cmocka_unit_test(npy_that_shrinks),
      cmocka_unit_test(idx_plain_and_packed),
      cmocka_unit_test(datasets_in_pieces),
  };
  return cmocka_run_group_tests(tests, set_up, folder_remove);
}
