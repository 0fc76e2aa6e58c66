#include "mmsold/base/memory.h"
#include "parallel/team_mpi.h"
#include "store/h5_internal.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
  CHUNK_BYTES = 1 << 19, /* large enough that a chunk's B-tree entry costs nothing, small enough to share */
  LONGEST_NAME = 1024
};

static hid_t file_type(mms_h5_type type) {
  if (type == MMS_H5_FLOAT32) return H5T_NATIVE_FLOAT;
  return type == MMS_H5_INT64 ? H5T_NATIVE_INT64 : H5T_NATIVE_DOUBLE;
}

static int64_t type_bytes(mms_h5_type type) { return type == MMS_H5_FLOAT32 ? 4 : 8; }

static mms_status make_group(mms_h5 *file, const char *path, mms_error *error) {
  htri_t there = H5Lexists(file->id, path, H5P_DEFAULT);
  if (!mms_h5_all(file, there >= 0)) return mms_h5_fail(file, path, "the group cannot be looked for", error);
  if (there > 0) return MMS_OK;
  hid_t creation = H5Pcreate(H5P_GROUP_CREATE);
  hid_t group = -1;
  if (mms_h5_all(file, creation >= 0 && H5Pset_obj_track_times(creation, 0) >= 0))
    group = H5Gcreate2(file->id, path, H5P_DEFAULT, creation, H5P_DEFAULT);
  mms_status status = group < 0 ? mms_h5_fail(file, path, "the group cannot be made", error) : MMS_OK;
  if (group >= 0) H5Gclose(group);
  if (creation >= 0) H5Pclose(creation);
  return mms_h5_agree(file, status, error);
}

mms_status mms_h5_make_groups(mms_h5 *file, const char *name, bool whole, mms_error *error) {
  char path[LONGEST_NAME];
  size_t length = strlen(name);
  if (length == 0 || length >= sizeof path)
    return mms_fail(error, MMS_ERR_INTERNAL, "%s: a name of %zu letters in an HDF5 file", file->path, length);
  for (size_t i = 1; i <= length; i++) {
    if (name[i] != '/' && !(name[i] == '\0' && whole)) continue;
    memcpy(path, name, i);
    path[i] = '\0';
    mms_status status = make_group(file, path, error);
    if (status != MMS_OK) return status;
  }
  return MMS_OK;
}

mms_status mms_h5_group(mms_h5 *file, const char *name, mms_error *error) {
  mms_status status = mms_h5_reserve(file, 0, 0, error);
  if (status != MMS_OK) return status;
  return mms_h5_agree(file, mms_h5_make_groups(file, name, true, error), error);
}

/* Chunks of whole rows, or of part of a row where a row alone is larger; never larger than the dataset. */
static void chunk_shape(hsize_t chunk[2], int64_t rows, int64_t cols, int64_t size) {
  int64_t wide = cols < CHUNK_BYTES / size ? cols : CHUNK_BYTES / size;
  int64_t high = CHUNK_BYTES / (wide * size);
  if (high > rows) high = rows;
  chunk[0] = (hsize_t)high;
  chunk[1] = (hsize_t)wide;
}

static bool set_chunks(hid_t creation, int rank, int64_t rows, int64_t cols, int64_t size) {
  hsize_t chunk[2];
  chunk_shape(chunk, rows, cols, size);
  return H5Pset_chunk(creation, rank, chunk) >= 0 && H5Pset_fletcher32(creation) >= 0;
}

/* A text attribute. Collective; the same on all ranks. */
static bool set_text(const mms_h5 *file, hid_t object, const char *name, const char *value) {
  hid_t type = H5Tcopy(H5T_C_S1);
  hid_t space = H5Screate(H5S_SCALAR);
  hid_t attribute = -1;
  if (mms_h5_all(file, type >= 0 && H5Tset_size(type, strlen(value) + 1) >= 0 &&
                           H5Tset_cset(type, H5T_CSET_UTF8) >= 0 && space >= 0))
    attribute = H5Acreate2(object, name, type, space, H5P_DEFAULT, H5P_DEFAULT);
  bool good = attribute >= 0 && H5Awrite(attribute, type, value) >= 0;
  if (attribute >= 0) H5Aclose(attribute);
  if (space >= 0) H5Sclose(space);
  if (type >= 0) H5Tclose(type);
  return mms_h5_all(file, good);
}

/* Dimension labels as an attribute `dimensions` of one short text per dimension. (HDF5's own DIMENSION_LABELS are
 * strings of variable length, which parallel HDF5 does not write.) Collective; the same on all ranks. */
static bool set_labels(const mms_h5 *file, hid_t dataset, int rank, const char *row_label, const char *col_label) {
  if (row_label == NULL && col_label == NULL) return true;
  char labels[2][32];
  memset(labels, 0, sizeof labels);
  snprintf(labels[0], sizeof labels[0], "%s", row_label != NULL ? row_label : "");
  snprintf(labels[1], sizeof labels[1], "%s", col_label != NULL ? col_label : "");
  hsize_t count = (hsize_t)rank;
  hid_t type = H5Tcopy(H5T_C_S1);
  hid_t space = H5Screate_simple(1, &count, NULL);
  hid_t attribute = -1;
  if (mms_h5_all(file, type >= 0 && H5Tset_size(type, sizeof labels[0]) >= 0 && space >= 0))
    attribute = H5Acreate2(dataset, "dimensions", type, space, H5P_DEFAULT, H5P_DEFAULT);
  bool good = attribute >= 0 && H5Awrite(attribute, type, labels) >= 0;
  if (attribute >= 0) H5Aclose(attribute);
  if (space >= 0) H5Sclose(space);
  if (type >= 0) H5Tclose(type);
  return mms_h5_all(file, good);
}

/* Room for a dataset's chunks, all of them whole, before it is made. Collective; agreed. */
static mms_status reserve(mms_h5 *file, mms_h5_type type, int64_t rows, int64_t cols, mms_error *error) {
  const int64_t bytes = rows * cols * type_bytes(type);
  if (bytes == 0) return mms_h5_reserve(file, 0, 0, error);
  hsize_t chunk[2];
  chunk_shape(chunk, rows, cols, type_bytes(type));
  const int64_t high = (int64_t)chunk[0], wide = (int64_t)chunk[1];
  const int64_t chunks = (rows + high - 1) / high * ((cols + wide - 1) / wide);
  return mms_h5_reserve(file, chunks * high * wide * type_bytes(type), chunks, error);
}

/* Make the dataset, parents first. Every rank does the same; negative after a failure. */
static hid_t make_dataset(mms_h5 *file, const char *name, mms_h5_type type, int rank, int64_t rows, int64_t cols,
                          mms_error *error) {
  if (mms_h5_make_groups(file, name, false, error) != MMS_OK) return -1;
  hsize_t dims[2] = {(hsize_t)rows, (hsize_t)cols};
  hid_t space = rank == 0 ? H5Screate(H5S_SCALAR) : H5Screate_simple(rank, dims, NULL);
  hid_t creation = H5Pcreate(H5P_DATASET_CREATE);
  hid_t dataset = -1;
  bool good = space >= 0 && creation >= 0 && H5Pset_obj_track_times(creation, 0) >= 0;
  if (good && rank == 0) /* a scalar cannot be chunked; in the object header it has that one's checksum */
    good = H5Pset_layout(creation, H5D_COMPACT) >= 0;
  else if (good && rows > 0 && cols > 0) /* an empty dataset has no chunks */
    good = set_chunks(creation, rank, rows, rank == 1 ? 1 : cols, type_bytes(type));
  if (mms_h5_all(file, good))
    dataset = H5Dcreate2(file->id, name, file_type(type), space, H5P_DEFAULT, creation, H5P_DEFAULT);
  if (dataset < 0) mms_h5_fail(file, name, "the dataset cannot be made", error);
  if (creation >= 0) H5Pclose(creation);
  if (space >= 0) H5Sclose(space);
  return dataset;
}

/* Doubles to the stored type, in place order. Refuses what would silently become another number. */
static mms_status convert(mms_h5_type type, int64_t count, const double *from, void *to, mms_error *error) {
  if (type == MMS_H5_FLOAT64) {
    memcpy(to, from, (size_t)count * sizeof(double));
    return MMS_OK;
  }
  float *floats = to;
  int64_t *integers = to;
  const double most = type == MMS_H5_FLOAT32 ? 3.4028235677973366e38 /* rounds to infinity from here on */
                                             : 9223372036854775808.0 /* 2^63 */;
  for (int64_t i = 0; i < count; i++) {
    bool fits = type == MMS_H5_FLOAT32 ? !isfinite(from[i]) || fabs(from[i]) < most
                                       : fabs(from[i]) < most && from[i] == floor(from[i]);
    if (!fits)
      return mms_fail(error, MMS_ERR_NUMERIC, "the value %.17g cannot be stored as %s", from[i],
                      type == MMS_H5_FLOAT32 ? "float32 (too large; double precision would hold it)"
                                             : "a 64-bit integer");
    if (type == MMS_H5_FLOAT32)
      floats[i] = (float)from[i];
    else
      integers[i] = (int64_t)from[i];
  }
  return MMS_OK;
}

/* One collective transfer of `count` rows (0: an empty selection) from global row `first` on. */
static bool transfer(const mms_h5 *file, const mms_h5_dataset *dataset, hid_t type, int64_t first, int64_t count,
                     const void *values) {
  hsize_t items = (hsize_t)(count * dataset->cols);
  hid_t space = H5Dget_space(dataset->id);
  hid_t memory = H5Screate_simple(1, &items, NULL);
  hid_t list = H5Pcreate(H5P_DATASET_XFER);
  bool good = space >= 0 && memory >= 0 && list >= 0;
  if (good && file->team != NULL) good = H5Pset_dxpl_mpio(list, H5FD_MPIO_COLLECTIVE) >= 0;
  if (good && dataset->rank > 0) good = mms_h5_select_rows(dataset, space, first, count);
  if (good && count == 0) good = H5Sselect_none(memory) >= 0;
  good = mms_h5_all(file, good);
  if (good) good = H5Dwrite(dataset->id, type, memory, space, list, values) >= 0;
  if (list >= 0) H5Pclose(list);
  if (memory >= 0) H5Sclose(memory);
  if (space >= 0) H5Sclose(space);
  return good;
}

static int64_t most_of(const mms_h5 *file, int64_t mine) {
  if (file->team == NULL) return mine;
  double most = (double)mine; /* counts of pieces: far below 2^53 */
  mms_team_max_double(file->team, &most, 1);
  return (int64_t)most;
}

/* Shape and shares agree over the ranks: each share lies inside, and together they are all rows. */
static mms_status check_shares(const mms_h5 *file, const char *name, int64_t cols, const mms_blocks *blocks,
                               mms_error *error) {
  const int64_t rows = blocks->total, first_row = blocks->first_row, n_local = blocks->n_local;
  mms_status status = MMS_OK;
  if (rows < 0 || cols < 0 || n_local < 0 || (n_local > 0 && (first_row < 0 || first_row > rows - n_local)))
    status = mms_fail(error, MMS_ERR_INTERNAL, "%s: %s: rows %lld + %lld do not lie inside %lld x %lld", file->path,
                      name, (long long)first_row, (long long)n_local, (long long)rows, (long long)cols);
  int64_t sum = n_local;
  if (file->team != NULL) mms_team_sum_int64(file->team, &sum, 1);
  if (status == MMS_OK && sum != rows)
    status = mms_fail(error, MMS_ERR_INTERNAL, "%s: %s: the ranks hold %lld rows of %lld", file->path, name,
                      (long long)sum, (long long)rows);
  return mms_h5_agree(file, status, error);
}

/* Whole blocks that go to the file together: this rank's where they fit, else what surely fits, and one at least. */
static int64_t blocks_of_a_piece(const mms_blocks *blocks, int64_t chunk_rows) {
  if (blocks->n_local <= chunk_rows) return blocks->end - blocks->first;
  return chunk_rows > blocks->size ? chunk_rows / blocks->size : 1;
}

/* Write this rank's rows, `at_once` blocks at a time; all ranks make the same number of calls. */
static mms_status write_pieces(mms_h5 *file, const char *name, const mms_h5_dataset *dataset, mms_h5_type type,
                               const mms_blocks *blocks, int64_t at_once, mms_h5_fill *fill, void *context,
                               mms_error *error) {
  double *values = NULL;
  void *stored = NULL;
  const int64_t local = blocks->end - blocks->first, largest = at_once * blocks->size;
  const int64_t room = (blocks->n_local < largest ? blocks->n_local : largest) * dataset->cols;
  mms_status status = mms_allocate_doubles(&values, room, "a piece of a dataset", error);
  if (status == MMS_OK) status = mms_allocate(&stored, room, (size_t)type_bytes(type), "a piece of a dataset", error);
  status = mms_h5_agree(file, status, error);
  const int64_t pieces = most_of(file, local > 0 ? (local + at_once - 1) / at_once : 0);
  uint32_t crc = 0;
  for (int64_t p = 0; p < pieces && status == MMS_OK; p++) {
    const int64_t from = p * at_once < local ? blocks->first + p * at_once : blocks->end;
    const int64_t end = blocks->end - from < at_once ? blocks->end : from + at_once;
    const int64_t row = mms_blocks_first_row(blocks, from), count = mms_blocks_first_row(blocks, end) - row;
    if (count > 0) fill(context, blocks, from, end, values);
    status = convert(type, count * dataset->cols, values, stored, error);
    if (status != MMS_OK) mms_fail_within(error, "%s: %s", file->path, name);
    status = mms_h5_agree(file, status, error);
    if (status != MMS_OK) break;
    if (!transfer(file, dataset, file_type(type), row, count, stored))
      status = mms_h5_fail(file, name, "writing failed; is the disk full?", error);
    status = mms_h5_agree(file, status, error);
    crc = mms_h5_crc(crc, stored, count * dataset->cols * type_bytes(type));
  }
  if (status == MMS_OK) {
    status = mms_h5_note_written(file, name, file_type(type), blocks->first_row, blocks->n_local, crc, error);
    status = mms_h5_agree(file, status, error);
  }
  free(values);
  free(stored);
  return status;
}

/* How making the dataset went. */
static mms_status made(const mms_h5_dataset *dataset, const mms_error *error) {
  if (dataset->id >= 0) return MMS_OK;
  return error != NULL ? error->status : MMS_ERR_SYSTEM;
}

mms_status mms_h5_write_rows_by(mms_h5 *file, const char *name, mms_h5_type type, int64_t cols,
                                const mms_blocks *blocks, int64_t chunk_rows, mms_h5_fill *fill, void *context,
                                const char *description, const char *row_label, const char *col_label,
                                mms_error *error) {
  const int64_t rows = blocks->total;
  mms_status status = check_shares(file, name, cols, blocks, error);
  if (status == MMS_OK) status = reserve(file, type, rows, cols, error);
  if (status != MMS_OK) return status;
  mms_h5_dataset dataset = {.id = -1, .rank = 2, .dims = {rows, cols}, .rows = rows, .cols = cols};
  dataset.id = make_dataset(file, name, type, 2, rows, cols, error);
  status = mms_h5_agree(file, made(&dataset, error), error);
  if (status == MMS_OK && ((description != NULL && !set_text(file, dataset.id, "description", description)) ||
                           !set_labels(file, dataset.id, 2, row_label, col_label)))
    status = mms_h5_fail(file, name, "its description cannot be written", error);
  status = mms_h5_agree(file, status, error);
  if (status == MMS_OK && rows > 0 && cols > 0)
    status =
        write_pieces(file, name, &dataset, type, blocks, blocks_of_a_piece(blocks, chunk_rows), fill, context, error);
  mms_h5_dataset_close(&dataset);
  return status;
}

typedef struct rows_in_memory {
  const double *values;
  int64_t cols;
} rows_in_memory;

static void copy_rows(void *context, const mms_blocks *blocks, int64_t first, int64_t end, double *out) {
  const rows_in_memory *from = context;
  memcpy(out, from->values + (first - blocks->first_row) * from->cols,
         (size_t)((end - first) * from->cols) * sizeof(double));
}

mms_status mms_h5_write_rows(mms_h5 *file, const char *name, mms_h5_type type, int64_t rows, int64_t cols,
                             int64_t first_row, int64_t n_local, const double *values, const char *description,
                             const char *row_label, const char *col_label, mms_error *error) {
  rows_in_memory from = {.values = values, .cols = cols};
  const mms_blocks each = {.total = rows, /* a row is a block */
                           .size = 1,
                           .count = rows,
                           .first = first_row,
                           .end = first_row + n_local,
                           .first_row = first_row,
                           .n_local = n_local};
  const int64_t at_once = cols > 0 ? MMS_H5_PIECE_BYTES / (int64_t)sizeof(double) / cols : 1;
  return mms_h5_write_rows_by(file, name, type, cols, &each, at_once, copy_rows, &from, description, row_label,
                              col_label, error);
}

/* What every rank needs alike where HDF5 keeps it in its metadata: rank 0's bytes on all ranks. */
static mms_status same_bytes(const mms_h5 *file, const void *mine, int64_t bytes, void **same, mms_error *error) {
  mms_status status = mms_h5_agree(file, mms_allocate(same, bytes, 1, "a small dataset", error), error);
  if (status != MMS_OK) {
    free(*same);
    return status;
  }
  if (bytes > 0 && mine != NULL) memcpy(*same, mine, (size_t)bytes);
  if (file->team != NULL) mms_team_broadcast(file->team, *same, (size_t)bytes, 0);
  return MMS_OK;
}

mms_status mms_h5_write_array(mms_h5 *file, const char *name, mms_h5_type type, int rank, int64_t rows, int64_t cols,
                              const void *values, const char *description, mms_error *error) {
  if (rank < 0 || rank > 2)
    return mms_fail(error, MMS_ERR_INTERNAL, "%s: %s: an array of rank %d", file->path, name, rank);
  if (rank == 0) rows = 1;
  if (rank < 2) cols = 1;
  int64_t items = rows * cols;
  void *same = NULL, *stored = NULL;
  mms_status status = same_bytes(file, values, items * 8, &same, error);
  if (status != MMS_OK) return status;
  status = mms_allocate(&stored, items, 8, "a small dataset", error);
  if (status == MMS_OK && type == MMS_H5_FLOAT32)
    status = convert(type, items, same, stored, error);
  else if (status == MMS_OK)
    memcpy(stored, same, (size_t)items * 8);
  status = mms_h5_agree(file, status, error);
  if (status == MMS_OK) status = reserve(file, type, rows, cols, error);
  mms_h5_dataset dataset = {.id = -1, .rank = rank, .dims = {rows, cols}, .rows = rows, .cols = cols};
  if (status == MMS_OK) {
    dataset.id = make_dataset(file, name, type, rank, rows, cols, error);
    status = mms_h5_agree(file, made(&dataset, error), error);
    if (status == MMS_OK && description != NULL && !set_text(file, dataset.id, "description", description))
      status = mms_h5_fail(file, name, "its description cannot be written", error);
    status = mms_h5_agree(file, status, error);
  }
  if (status == MMS_OK && items > 0) {
    /* A scalar is metadata and written by all ranks alike; the rest by rank 0, the others with an empty selection. */
    int64_t mine = rank == 0 || mms_h5_leads(file) ? rows : 0;
    if (!transfer(file, &dataset, file_type(type), 0, mine, stored))
      status = mms_h5_fail(file, name, "writing failed; is the disk full?", error);
    else
      status = mms_h5_note_written(file, name, file_type(type), 0, mine,
                                   mms_h5_crc(0, stored, mine * cols * type_bytes(type)), error);
    status = mms_h5_agree(file, status, error);
  }
  mms_h5_dataset_close(&dataset);
  free(same);
  free(stored);
  return status;
}
