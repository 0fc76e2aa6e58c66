/* A dataset read a piece of its rows at a time. */
#include "mmsold/base/memory.h"
#include "store/h5_internal.h"
#include <math.h>
#include <stdlib.h>

struct mms_h5_rows {
  const mms_h5 *file;
  char *name;
  mms_h5_dataset dataset;
};

/* One row of chunks is kept, up to this: where it is larger, its chunks are read once for every piece. */
static const double most_kept = 1024.0 * 1024.0 * 1024.0;
static const double most_slots = 65521; /* a prime, and half a megabyte of pointers */

/* How much HDF5 is to keep, and in how many slots: it advises a hundred times as many as there are chunks. */
static bool room_for_chunks(const mms_h5_dataset *dataset, hid_t creation, hid_t type, size_t *bytes, size_t *slots) {
  hsize_t dims[H5S_MAX_RANK];
  if (H5Pget_chunk(creation, dataset->rank, dims) != dataset->rank) return false;
  double all = (double)H5Tget_size(type), chunks = 1.0;
  for (int i = 0; i < dataset->rank; i++) all *= (double)dims[i];
  for (int i = 1; i < dataset->rank; i++) chunks *= ceil((double)dataset->dims[i] / (double)dims[i]);
  *bytes = (size_t)fmin(all * chunks, most_kept);
  *slots = (size_t)fmin(100.0 * chunks + 1.0, most_slots);
  return true;
}

/* Open a dataset of chunks again so that a chunk in which one piece ends is not read, and unpacked, once more for the
 * next. */
static bool keep_chunks(mms_h5_dataset *dataset, const mms_h5 *file, const char *name) {
  const hid_t creation = H5Dget_create_plist(dataset->id), type = H5Dget_type(dataset->id);
  bool good = creation >= 0 && type >= 0;
  if (good && dataset->rank > 0 && H5Pget_layout(creation) == H5D_CHUNKED) {
    const hid_t access = H5Pcreate(H5P_DATASET_ACCESS);
    size_t bytes = 0, slots = 0;
    good = access >= 0 && room_for_chunks(dataset, creation, type, &bytes, &slots) &&
           H5Pset_chunk_cache(access, slots, bytes, 1.0) >= 0;
    if (good) {
      H5Dclose(dataset->id);
      dataset->id = H5Dopen2(file->id, name, access);
      good = dataset->id >= 0;
    }
    if (access >= 0) H5Pclose(access);
  }
  if (creation >= 0) H5Pclose(creation);
  if (type >= 0) H5Tclose(type);
  return good;
}

mms_status mms_h5_rows_open(mms_h5_rows **rows, mms_h5 *file, const char *name, int *rank, int64_t dims[8],
                            mms_error *error) {
  void *memory = NULL;
  *rows = NULL;
  mms_status status = mms_allocate(&memory, 1, sizeof(mms_h5_rows), "an open dataset", error);
  if (status != MMS_OK) return status;
  mms_h5_rows *self = *rows = memory;
  self->file = file;
  status = mms_copy_text(&self->name, name, error);
  if (status == MMS_OK) status = mms_h5_dataset_open(&self->dataset, file, name, true, error);
  if (status == MMS_OK) status = mms_h5_check_claim(file, name, &self->dataset, error);
  if (status == MMS_OK && !keep_chunks(&self->dataset, file, name))
    status = mms_h5_fail(file, name, "the dataset cannot be opened", error);
  *rank = self->dataset.rank;
  for (int i = 0; i < 8; i++) dims[i] = i < self->dataset.rank ? self->dataset.dims[i] : 0;
  if (status != MMS_OK) mms_h5_rows_close(rows);
  return status;
}

mms_status mms_h5_rows_read(mms_h5_rows *rows, int64_t first, int64_t count, double *values, mms_error *error) {
  return mms_h5_dataset_read(rows->file, rows->name, &rows->dataset, first, count, values, error);
}

void mms_h5_rows_close(mms_h5_rows **rows) {
  if (*rows == NULL) return;
  mms_h5_dataset_close(&(*rows)->dataset);
  free((*rows)->name);
  free(*rows);
  *rows = NULL;
}
