#include "mmsold/base/memory.h"
#include "store/h5_internal.h"
#include <stdlib.h>
#include <string.h>

/* Bytes per H5Dread: far below MPI-IO's 2 GiB. */
enum { PIECE_BYTES = 64 << 20 };

void mms_h5_type_name(hid_t type, char *out, size_t size) {
  H5T_class_t kind = type < 0 ? H5T_NO_CLASS : H5Tget_class(type);
  int bits = kind == H5T_NO_CLASS ? 0 : (int)(8 * H5Tget_size(type));
  if (kind == H5T_INTEGER)
    snprintf(out, size, "%s%d", H5Tget_sign(type) == H5T_SGN_NONE ? "uint" : "int", bits);
  else if (kind == H5T_FLOAT)
    snprintf(out, size, "float%d", bits);
  else
    snprintf(out, size, "%s",
             kind == H5T_STRING      ? "text"
             : kind == H5T_COMPOUND  ? "compound (complex numbers or records)"
             : kind == H5T_ENUM      ? "enumeration (booleans of h5py)"
             : kind == H5T_VLEN      ? "lists of varying length"
             : kind == H5T_REFERENCE ? "references"
             : kind == H5T_OPAQUE    ? "opaque bytes"
                                     : "not numbers");
}

/* Is the object `path` something other than a group? Then nothing lies in it, and HDF5 fails where it is asked. */
static bool holds_nothing(const mms_h5 *file, const char *path) {
  H5O_info_t about;
  return H5Oget_info_by_name2(file->id, path, &about, H5O_INFO_BASIC, H5P_DEFAULT) >= 0 && about.type != H5O_TYPE_GROUP;
}

/* Is there an object `name`? 1, 0, or negative where that cannot be found out. Local. */
static int look_for(const mms_h5 *file, const char *name) {
  char path[1024], parent[1024] = "/";
  size_t length = strlen(name);
  if (length == 0 || length >= sizeof path) return 0;
  if (strcmp(name, "/") == 0) return 1;
  for (size_t i = 1; i <= length; i++) { /* H5Lexists looks at the last link only: ask for each on the way */
    if (name[i] != '/' && name[i] != '\0') continue;
    memcpy(path, name, i);
    path[i] = '\0';
    const htri_t there = H5Lexists(file->id, path, H5P_DEFAULT);
    if (there <= 0) return there < 0 && !holds_nothing(file, parent) ? -1 : 0;
    memcpy(parent, path, i + 1);
  }
  return H5Oexists_by_name(file->id, name, H5P_DEFAULT);
}

bool mms_h5_has(mms_h5 *file, const char *name) { return look_for(file, name) > 0; }

mms_status mms_h5_find(mms_h5 *file, const char *name, bool *there, mms_error *error) {
  const int found = look_for(file, name);
  *there = found > 0;
  mms_status status = MMS_OK;
  if (found < 0) status = mms_h5_fail(file, name, "cannot be looked for; the file is damaged", error);
  return mms_h5_agree(file, status, error);
}

void mms_h5_dataset_close(mms_h5_dataset *dataset) {
  if (dataset->id > 0) H5Dclose(dataset->id);
  dataset->id = -1;
}

/* Rank and sizes of an open dataset, and the size of its flattened form. */
static mms_status read_shape(mms_h5_dataset *dataset, const mms_h5 *file, const char *name, mms_error *error) {
  hid_t space = H5Dget_space(dataset->id);
  hsize_t dims[H5S_MAX_RANK];
  dataset->rank = space < 0 ? -1 : H5Sget_simple_extent_dims(space, dims, NULL);
  H5S_class_t kind = space < 0 ? H5S_NO_CLASS : H5Sget_simple_extent_type(space);
  if (space >= 0) H5Sclose(space);
  if (dataset->rank < 0) return mms_h5_fail(file, name, "its shape cannot be read", error);
  if (kind == H5S_NULL)
    return mms_fail(error, MMS_ERR_INPUT, "%s: %s: is a dataset without a shape (null)", file->path, name);
  if (dataset->rank > 8)
    return mms_fail(error, MMS_ERR_INPUT, "%s: %s: has %d dimensions; at most 8 are read", file->path, name,
                    dataset->rank);
  int64_t most = INT64_MAX / 8;
  dataset->rows = dataset->rank > 0 ? (int64_t)dims[0] : 1;
  dataset->cols = 1;
  for (int i = 0; i < dataset->rank; i++) {
    if (dims[i] > (hsize_t)most)
      return mms_fail(error, MMS_ERR_INPUT, "%s: %s: its shape is too large", file->path, name);
    dataset->dims[i] = (int64_t)dims[i];
    if (dims[i] > 0) most /= (int64_t)dims[i];
    if (i > 0) dataset->cols *= (int64_t)dims[i];
  }
  return MMS_OK;
}

mms_status mms_h5_dataset_open(mms_h5_dataset *dataset, const mms_h5 *file, const char *name, bool numeric,
                               mms_error *error) {
  *dataset = (mms_h5_dataset){.id = -1};
  if (!mms_h5_has((mms_h5 *)file, name))
    return mms_fail(error, MMS_ERR_INPUT, "%s: has no dataset %s", file->path, name);
  dataset->id = H5Dopen2(file->id, name, H5P_DEFAULT);
  if (dataset->id < 0) {
    H5O_info_t about;
    if (H5Oget_info_by_name2(file->id, name, &about, H5O_INFO_BASIC, H5P_DEFAULT) >= 0 && about.type == H5O_TYPE_GROUP)
      return mms_fail(error, MMS_ERR_INPUT, "%s: %s: is a group, not a dataset", file->path, name);
    return mms_h5_fail(file, name, "the dataset cannot be opened", error);
  }
  mms_status status = read_shape(dataset, file, name, error);
  if (status == MMS_OK && numeric) {
    hid_t type = H5Dget_type(dataset->id);
    H5T_class_t kind = type < 0 ? H5T_NO_CLASS : H5Tget_class(type);
    char found[64];
    mms_h5_type_name(type, found, sizeof found);
    if (type >= 0) H5Tclose(type);
    if (kind != H5T_INTEGER && kind != H5T_FLOAT)
      status = mms_fail(error, MMS_ERR_INPUT, "%s: %s: holds %s; integers or floating-point numbers were expected",
                        file->path, name, found);
  }
  if (status != MMS_OK) mms_h5_dataset_close(dataset);
  return status;
}

bool mms_h5_select_rows(const mms_h5_dataset *dataset, hid_t space, int64_t first, int64_t count) {
  if (count == 0) return H5Sselect_none(space) >= 0;
  hsize_t start[8] = {(hsize_t)first}, size[8] = {(hsize_t)count};
  for (int i = 1; i < dataset->rank; i++) size[i] = (hsize_t)dataset->dims[i];
  return H5Sselect_hyperslab(space, H5S_SELECT_SET, start, NULL, size, NULL) >= 0;
}

/* Deflate packs at most 1,032 to 1; twice that leaves room for other filters. */
static const double most_packed = 2064;

/* Bytes of the dataset that the file can hold: what HDF5 says is stored, which a damaged file may exaggerate. */
static double bytes_held(const mms_h5 *file, hid_t creation, const mms_h5_dataset *dataset) {
  double stored = (double)H5Dget_storage_size(dataset->id);
  bool elsewhere = H5Pget_layout(creation) == H5D_VIRTUAL || H5Pget_external_count(creation) > 0;
  return elsewhere || stored < (double)file->bytes ? stored : (double)file->bytes;
}

/* Bytes of one chunk, which HDF5 makes room for as a whole; 0 for other layouts. */
static double chunk_bytes(hid_t creation, const mms_h5_dataset *dataset, double item) {
  if (H5Pget_layout(creation) != H5D_CHUNKED) return 0;
  hsize_t dims[H5S_MAX_RANK];
  int rank = H5Pget_chunk(creation, dataset->rank, dims);
  for (int i = 0; i < rank && i < dataset->rank; i++) item *= (double)dims[i];
  return item;
}

mms_status mms_h5_check_claim(const mms_h5 *file, const char *name, const mms_h5_dataset *dataset, mms_error *error) {
  hid_t type = H5Dget_type(dataset->id), creation = H5Dget_create_plist(dataset->id);
  mms_status status = MMS_OK;
  if (type < 0 || creation < 0 || H5Tget_size(type) == 0) { /* numbers of no size would make any claim a small one */
    status = mms_h5_fail(file, name, "its type and layout cannot be read; the file is damaged", error);
  } else {
    double item = (double)H5Tget_size(type), held = bytes_held(file, creation, dataset);
    double claimed = (double)dataset->rows * (double)dataset->cols, chunk = chunk_bytes(creation, dataset, item);
    if (claimed * item > most_packed * held)
      status = mms_fail(error, MMS_ERR_INPUT,
                        "%s: %s: claims %lld x %lld items of %.0f bytes, but %.0f bytes of them are in the file",
                        file->path, name, (long long)dataset->rows, (long long)dataset->cols, item, held);
    else if (claimed > 0 && chunk > most_packed * held)
      status =
          mms_fail(error, MMS_ERR_INPUT, "%s: %s: claims chunks of %.0f bytes, but %.0f bytes of it are in the file",
                   file->path, name, chunk, held);
  }
  if (creation >= 0) H5Pclose(creation);
  if (type >= 0) H5Tclose(type);
  return status;
}

mms_status mms_h5_dataset_read(const mms_h5 *file, const char *name, const mms_h5_dataset *dataset, int64_t first_row,
                               int64_t n_local, double *values, mms_error *error) {
  if (n_local < 0 || (n_local > 0 && (first_row < 0 || first_row > dataset->rows - n_local)))
    return mms_fail(error, MMS_ERR_INTERNAL, "%s: %s: rows %lld + %lld were asked for, there are %lld", file->path,
                    name, (long long)first_row, (long long)n_local, (long long)dataset->rows);
  if (n_local == 0 || dataset->cols == 0) return MMS_OK;
  int64_t at_once = PIECE_BYTES / (int64_t)sizeof(double) / dataset->cols;
  if (at_once < 1) at_once = 1;
  mms_status status = MMS_OK;
  for (int64_t done = 0; done < n_local && status == MMS_OK; done += at_once) {
    int64_t now = n_local - done < at_once ? n_local - done : at_once;
    hsize_t size[8] = {(hsize_t)now}; /* of the same shape as in the file, which HDF5 maps sooner than a flat one */
    for (int i = 1; i < dataset->rank; i++) size[i] = (hsize_t)dataset->dims[i];
    hid_t space = H5Dget_space(dataset->id);
    hid_t memory = H5Screate_simple(dataset->rank > 0 ? dataset->rank : 1, size, NULL);
    bool good = space >= 0 && memory >= 0;
    if (good && dataset->rank > 0) good = mms_h5_select_rows(dataset, space, first_row + done, now);
    if (good)
      good = H5Dread(dataset->id, H5T_NATIVE_DOUBLE, memory, space, H5P_DEFAULT, values + done * dataset->cols) >= 0;
    if (!good) status = mms_h5_fail(file, name, "cannot be read; the file is damaged", error);
    if (memory >= 0) H5Sclose(memory);
    if (space >= 0) H5Sclose(space);
  }
  return status;
}

mms_status mms_h5_shape(mms_h5 *file, const char *name, int *rank, int64_t dims[8], mms_error *error) {
  mms_h5_dataset dataset;
  mms_status status = mms_h5_dataset_open(&dataset, file, name, true, error);
  if (status != MMS_OK) return status;
  *rank = dataset.rank;
  for (int i = 0; i < 8; i++) dims[i] = i < dataset.rank ? dataset.dims[i] : 0;
  mms_h5_dataset_close(&dataset);
  return MMS_OK;
}

/* Each rank reads by itself and the ranks agree afterwards: a chunk whose checksum fails on one rank then cannot
 * leave the others waiting inside a collective read. */
mms_status mms_h5_read_rows(mms_h5 *file, const char *name, int64_t first_row, int64_t n_local, double *values,
                            mms_error *error) {
  mms_h5_dataset dataset;
  mms_status status = mms_h5_dataset_open(&dataset, file, name, true, error);
  if (status == MMS_OK && n_local > 0) status = mms_h5_check_claim(file, name, &dataset, error);
  if (status == MMS_OK) status = mms_h5_dataset_read(file, name, &dataset, first_row, n_local, values, error);
  mms_h5_dataset_close(&dataset);
  return mms_h5_agree(file, status, error);
}

mms_status mms_h5_read_matrix(mms_h5 *file, const char *name, mms_matrix *out, mms_error *error) {
  *out = (mms_matrix){0};
  mms_h5_dataset dataset;
  mms_status status = mms_h5_dataset_open(&dataset, file, name, true, error);
  if (status == MMS_OK) status = mms_h5_check_claim(file, name, &dataset, error);
  if (status == MMS_OK) status = mms_matrix_create(out, dataset.rows, dataset.cols, name, error);
  if (status == MMS_OK) status = mms_h5_dataset_read(file, name, &dataset, 0, dataset.rows, out->data, error);
  mms_h5_dataset_close(&dataset);
  status = mms_h5_agree(file, status, error);
  if (status != MMS_OK) mms_matrix_free(out);
  return status;
}
