#include "training/row_file.h"

#include "mmsold/base/memory.h"
#include "mmsold/store/arrays.h"
#include "mmsold/store/h5.h"
#include "training/generators.h"
#include "training/mesh.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static bool ends_with(const char *text, const char *end) {
  size_t n = strlen(text), m = strlen(end);
  return n > m && strcmp(text + n - m, end) == 0;
}

static bool by_suffix(const char *name, mms_row_kind *kind) {
  static const struct {
    const char *end;
    mms_row_kind kind;
  } known[] = {{".npy", MMS_ROWS_NPY},      {".h5", MMS_ROWS_H5},   {".hdf5", MMS_ROWS_H5},   {"-ubyte", MMS_ROWS_IDX},
               {"-ubyte.gz", MMS_ROWS_IDX}, {".idx", MMS_ROWS_IDX}, {".idx.gz", MMS_ROWS_IDX}};
  for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
    if (!ends_with(name, known[i].end)) continue;
    *kind = known[i].kind;
    return true;
  }
  return false;
}

/* *there: can the file be opened at all? Only a regular one is: opening a pipe would wait for a writer. */
static bool by_content(const char *name, mms_row_kind *kind, bool *there) {
  char start[8] = {0};
  struct stat about;
  *there = stat(name, &about) == 0;
  if (!*there || !S_ISREG(about.st_mode)) return false;
  FILE *stream = fopen(name, "rb");
  *there = stream != NULL;
  if (stream == NULL) return false;
  size_t count = fread(start, 1, sizeof start, stream);
  fclose(stream);
  bool npy = count >= 6 && memcmp(start, "\x93NUMPY", 6) == 0;
  bool h5 = count == 8 && memcmp(start, "\x89HDF\r\n\x1a\n", 8) == 0;
  *kind = npy ? MMS_ROWS_NPY : h5 ? MMS_ROWS_H5 : MMS_ROWS_IDX;
  return npy || h5 || mms_idx_recognise(name);
}

static mms_status refuse_unknown(const char *name, bool there, mms_error *error) {
  struct stat about;
  if (there && stat(name, &about) == 0 && !S_ISREG(about.st_mode))
    return mms_fail(error, MMS_ERR_INPUT, "%s: is %s", name,
                    S_ISDIR(about.st_mode) ? "a folder; name a file in it" : "not a regular file");
  const char *accepted = "accepted are FILE.npy, FILE.h5 or FILE.h5:/dataset, IDX files (plain or .gz), meshes "
                         "(.off, .ply), and the generators";
  if (there)
    return mms_fail(error, MMS_ERR_INPUT, "%s: is not a file of a known kind; %s %s", name, accepted,
                    mms_generator_names());
  if (mms_generator_known(name))
    return mms_fail(error, MMS_ERR_INPUT,
                    "%s: is a generator, whose points are drawn where it is training.source; here a file of points is "
                    "needed (mmsold prepare stores them)",
                    name);
  const char *nearest = mms_generator_nearest(name);
  return mms_fail(error, MMS_ERR_INPUT, "%s: there is no such file or generator%s%s%s; %s %s", name,
                  nearest != NULL ? "; did you mean " : "", nearest != NULL ? nearest : "", nearest != NULL ? "?" : "",
                  accepted, mms_generator_names());
}

/* Suffix first, then content. */
static mms_status take_apart(mms_row_file *self, const char *name, mms_error *error) {
  if (mms_mesh_named(name))
    return mms_fail(error, MMS_ERR_INPUT,
                    "%s: is a mesh, and points on it are drawn where it is training.source; mmsold prepare stores "
                    "such points in a file",
                    name);
  mms_status status = mms_copy_text(&self->file, name, error);
  if (status != MMS_OK) return status;
  char *colon = NULL;
  for (char *at = strstr(self->file, ":/"); at != NULL; at = strstr(at + 1, ":/")) colon = at;
  if (colon != NULL) {
    *colon = '\0';
    mms_row_kind kind = MMS_ROWS_NPY;
    bool there = false;
    if ((by_suffix(self->file, &kind) || by_content(self->file, &kind, &there)) && kind == MMS_ROWS_H5) {
      self->kind = MMS_ROWS_H5;
      return mms_copy_text(&self->dataset, colon + 1, error);
    }
    *colon = ':';
  }
  bool there = false;
  if (by_suffix(name, &self->kind) || by_content(name, &self->kind, &there)) return MMS_OK;
  return refuse_unknown(name, there, error);
}

static void list_dataset(void *context, const char *line) {
  char *list = context;
  size_t used = strlen(list), length = strcspn(line, " ");
  if (line[0] != '/' || line[length] == '\0' || used + length + 3 > 512) return; /* attributes and groups */
  snprintf(list + used, 512 - used, "%s%.*s", used > 0 ? ", " : "", (int)length, line);
}

static mms_status choose_dataset(mms_row_file *self, const char *const *usual, mms_error *error) {
  if (self->dataset != NULL) return MMS_OK;
  for (; *usual != NULL; usual++) {
    bool there = false;
    mms_status status = mms_h5_find(self->h5, *usual, &there, error);
    if (status != MMS_OK) return status;
    if (there) return mms_copy_text(&self->dataset, *usual, error);
  }
  char list[512] = "";
  mms_h5_describe(self->h5, list_dataset, list, NULL);
  return mms_fail(error, MMS_ERR_INPUT, "%s: name the dataset, as in %s:/dataset; it holds %s", self->file, self->file,
                  list[0] != '\0' ? list : "none");
}

static mms_status open_h5(mms_row_file *self, const char *const *usual, mms_error *error) {
  mms_status status = mms_h5_open(&self->h5, NULL, self->file, error);
  if (status == MMS_OK) status = choose_dataset(self, usual, error);
  if (status == MMS_OK)
    status = mms_h5_rows_open(&self->dataset_rows, self->h5, self->dataset, &self->rank, self->dims, error);
  if (status == MMS_OK && self->rank == 0)
    status = mms_fail(error, MMS_ERR_INPUT, "%s: %s: holds a single number, not rows", self->file, self->dataset);
  return status;
}

mms_status mms_row_file_open(mms_row_file *self, const char *name, const char *const *usual, mms_error *error) {
  int is_bytes = 0;
  *self = (mms_row_file){.kind = MMS_ROWS_NPY};
  mms_status status = take_apart(self, name, error);
  if (status == MMS_OK && self->kind == MMS_ROWS_NPY)
    status = mms_npy_open(&self->npy, self->file, &self->rank, self->dims, error);
  if (status == MMS_OK && self->kind == MMS_ROWS_IDX)
    status = mms_idx_open(&self->idx, self->file, &self->rank, self->dims, &is_bytes, error);
  if (status == MMS_OK && self->kind == MMS_ROWS_H5) status = open_h5(self, usual, error);
  self->is_bytes = is_bytes != 0;
  self->rows = self->dims[0];
  self->columns = 1;
  for (int i = 1; i < self->rank; i++) self->columns *= self->dims[i];
  if (status != MMS_OK) mms_row_file_close(self);
  return status;
}

mms_status mms_row_file_read(const mms_row_file *self, int64_t first, int64_t count, double *out, mms_error *error) {
  if (self->npy != NULL) return mms_npy_rows(self->npy, first, count, out, error);
  if (self->idx != NULL) return mms_idx_rows(self->idx, first, count, out, error);
  return mms_h5_rows_read(self->dataset_rows, first, count, out, error);
}

void mms_row_file_close(mms_row_file *self) {
  mms_npy_close(&self->npy);
  mms_idx_close(&self->idx);
  mms_h5_rows_close(&self->dataset_rows);
  mms_h5_close(&self->h5);
  free(self->file);
  free(self->dataset);
  *self = (mms_row_file){0};
}
