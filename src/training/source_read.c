#include "mmsold/base/memory.h"
#include "mmsold/store/arrays.h"
#include "mmsold/store/h5.h"
#include "training/generators.h"
#include "training/mesh.h"
#include "training/source.h"
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

typedef enum file_kind { KIND_NPY, KIND_H5, KIND_IDX } file_kind;

/* A source's name taken apart: "FILE.h5:/dataset" into its two halves. */
typedef struct named_file {
  file_kind kind;
  char *file;
  char *dataset; /* NULL: none was named */
} named_file;

static void named_free(named_file *named) {
  free(named->file);
  free(named->dataset);
}

static bool ends_with(const char *text, const char *end) {
  size_t n = strlen(text), m = strlen(end);
  return n > m && strcmp(text + n - m, end) == 0;
}

static bool by_suffix(const char *name, file_kind *kind) {
  static const struct {
    const char *end;
    file_kind kind;
  } known[] = {{".npy", KIND_NPY},      {".h5", KIND_H5},   {".hdf5", KIND_H5},   {"-ubyte", KIND_IDX},
               {"-ubyte.gz", KIND_IDX}, {".idx", KIND_IDX}, {".idx.gz", KIND_IDX}};
  for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
    if (!ends_with(name, known[i].end)) continue;
    *kind = known[i].kind;
    return true;
  }
  return false;
}

/* *there: can the file be opened at all? Only a regular one is: opening a pipe would wait for a writer. */
static bool by_content(const char *name, file_kind *kind, bool *there) {
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
  *kind = npy ? KIND_NPY : h5 ? KIND_H5 : KIND_IDX;
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
static mms_status take_apart(named_file *named, const char *name, mms_error *error) {
  *named = (named_file){.kind = KIND_NPY};
  if (mms_mesh_named(name))
    return mms_fail(error, MMS_ERR_INPUT,
                    "%s: is a mesh, and points on it are drawn where it is training.source; mmsold prepare stores "
                    "such points in a file",
                    name);
  mms_status status = mms_copy_text(&named->file, name, error);
  if (status != MMS_OK) return status;
  char *colon = NULL;
  for (char *at = strstr(named->file, ":/"); at != NULL; at = strstr(at + 1, ":/")) colon = at;
  if (colon != NULL) {
    *colon = '\0';
    file_kind kind = KIND_NPY;
    bool there = false;
    if ((by_suffix(named->file, &kind) || by_content(named->file, &kind, &there)) && kind == KIND_H5) {
      named->kind = KIND_H5;
      return mms_copy_text(&named->dataset, colon + 1, error);
    }
    *colon = ':';
  }
  bool there = false;
  if (by_suffix(name, &named->kind) || by_content(name, &named->kind, &there)) return MMS_OK;
  return refuse_unknown(name, there, error);
}

static void list_dataset(void *context, const char *line) {
  char *list = context;
  size_t used = strlen(list), length = strcspn(line, " ");
  if (line[0] != '/' || line[length] == '\0' || used + length + 3 > 512) return; /* attributes and groups */
  snprintf(list + used, 512 - used, "%s%.*s", used > 0 ? ", " : "", (int)length, line);
}

static mms_status choose_dataset(named_file *named, mms_h5 *file, const char *const *usual, mms_error *error) {
  if (named->dataset != NULL) return MMS_OK;
  for (; *usual != NULL; usual++) {
    bool there = false;
    mms_status status = mms_h5_find(file, *usual, &there, error);
    if (status != MMS_OK) return status;
    if (there) return mms_copy_text(&named->dataset, *usual, error);
  }
  char list[512] = "";
  mms_h5_describe(file, list_dataset, list, NULL);
  return mms_fail(error, MMS_ERR_INPUT, "%s: name the dataset, as in %s:/dataset; it holds %s", named->file,
                  named->file, list[0] != '\0' ? list : "none");
}

/* An array of any of the kinds. The HDF5 file stays open in *h5 (NULL for the others) for its attributes. */
static mms_status read_array(named_file *named, const char *const *usual, mms_array *array, int *is_bytes, mms_h5 **h5,
                             mms_error *error) {
  *array = (mms_array){0};
  *is_bytes = 0;
  *h5 = NULL;
  if (named->kind == KIND_NPY) return mms_npy_read(array, named->file, error);
  if (named->kind == KIND_IDX) return mms_idx_read(array, named->file, is_bytes, error);
  mms_status status = mms_h5_open(h5, NULL, named->file, error);
  if (status == MMS_OK) status = choose_dataset(named, *h5, usual, error);
  if (status == MMS_OK) status = mms_h5_shape(*h5, named->dataset, &array->rank, array->dims, error);
  if (status == MMS_OK && array->rank == 0)
    status = mms_fail(error, MMS_ERR_INPUT, "%s: %s: holds a single number, not rows", named->file, named->dataset);
  if (status == MMS_OK) status = mms_h5_read_matrix(*h5, named->dataset, &array->values, error);
  return status;
}

/* Attributes image_rows and image_columns of the file, where they are there and fit `columns`. */
static mms_status read_image_shape(mms_points *points, mms_h5 *h5, int64_t columns, mms_error *error) {
  static const char *const names[2] = {"image_rows", "image_columns"};
  int64_t sides[2] = {0, 0};
  for (int i = 0; i < 2; i++) {
    bool there = false;
    mms_status status = mms_h5_find_attribute(h5, "/", names[i], &there, error);
    if (status == MMS_OK && there) status = mms_h5_read_int(h5, "/", names[i], &sides[i], error);
    if (status != MMS_OK || !there) return status;
  }
  const int64_t rows = sides[0], width = sides[1];
  if (rows < 1 || width < 1 || rows > columns || columns % rows != 0 || columns / rows != width) return MMS_OK;
  points->image_rows = rows;
  points->image_columns = width;
  return MMS_OK;
}

static mms_status read_part(mms_h5 *h5, const char *file, const char *name, int64_t rows, int64_t cols, mms_matrix *out,
                            mms_error *error) {
  mms_status status = mms_h5_read_matrix(h5, name, out, error);
  if (status != MMS_OK) return status;
  if (out->rows * out->cols != rows * cols || (rows > 1 && out->rows != rows))
    return mms_fail(error, MMS_ERR_INPUT, "%s: %s: is %lld x %lld where %lld x %lld was expected", file, name,
                    (long long)out->rows, (long long)out->cols, (long long)rows, (long long)cols);
  out->rows = rows;
  out->cols = cols;
  return MMS_OK;
}

/* The transform and the checksum of a file that mms_training_store wrote. */
static mms_status read_prepared(mms_source *source, mms_h5 *h5, const char *file, mms_error *error) {
  mms_transform *t = &source->transform;
  int64_t dim = source->points.values.cols, rank = 0, dims[8];
  uint64_t stored = 0;
  source->prepared = true;
  *t = (mms_transform){.identity = true, .data_dim = dim, .dim = dim};
  mms_status status = mms_h5_read_uint(h5, "/", "checksum", &stored, error);
  if (status != MMS_OK) return status;
  if (stored != mms_training_checksum(source->points.values.rows, dim, source->points.values.data))
    return mms_fail(error, MMS_ERR_INPUT,
                    "%s: /training does not have the checksum the file says; it was changed or "
                    "damaged",
                    file);
  bool transformed = false;
  status = mms_h5_find(h5, "/transform/encode", &transformed, error);
  if (status != MMS_OK || !transformed) return status;
  t->identity = false;
  int found = 0;
  status = mms_h5_shape(h5, "/transform/encode", &found, dims, error);
  rank = found;
  if (status != MMS_OK) return status;
  if (rank != 2 || dims[0] < 1) return mms_fail(error, MMS_ERR_INPUT, "%s: /transform/encode is not a matrix", file);
  t->data_dim = dims[0];
  status = read_part(h5, file, "/transform/offset", 1, t->data_dim, &t->offset, error);
  if (status == MMS_OK) status = read_part(h5, file, "/transform/encode", t->data_dim, dim, &t->encode, error);
  if (status == MMS_OK) status = read_part(h5, file, "/transform/decode", dim, t->data_dim, &t->decode, error);
  return status;
}

static mms_status check_values(const mms_matrix *values, const char *name, mms_error *error) {
  if (values->rows < 1 || values->cols < 1)
    return mms_fail(error, MMS_ERR_INPUT, "%s: holds %lld rows of %lld columns; at least one of each is needed", name,
                    (long long)values->rows, (long long)values->cols);
  for (int64_t i = 0; i < values->rows * values->cols; i++)
    if (!isfinite(values->data[i]))
      return mms_fail(
          error, MMS_ERR_INPUT, "%s: row %lld, column %lld (counting from 0) is %s; all values must be finite", name,
          (long long)(i / values->cols), (long long)(i % values->cols), isnan(values->data[i]) ? "NaN" : "infinite");
  return MMS_OK;
}

/* Is this the /training of a file that `prepare` wrote? What cannot be read is not taken for a no: the rows would then
 * pass for data that were never whitened. */
static mms_status is_prepared(mms_h5 *h5, const char *dataset, bool *prepared, mms_error *error) {
  *prepared = false;
  if (h5 == NULL || strcmp(dataset, "/training") != 0) return MMS_OK;
  char *kind = NULL;
  bool there = false;
  mms_status status = mms_h5_find_attribute(h5, "/", "kind", &there, error);
  if (status == MMS_OK && there) status = mms_h5_read_text(h5, "/", "kind", &kind, error);
  *prepared = kind != NULL && strcmp(kind, "training") == 0;
  free(kind);
  return status;
}

mms_status mms_source_read(mms_source *source, const char *name, mms_error *error) {
  static const char *const usual[] = {"/samples", "/training", NULL};
  *source = (mms_source){0};
  named_file named = {.kind = KIND_NPY};
  mms_array array = {0};
  mms_h5 *h5 = NULL;
  int is_bytes = 0;
  mms_status status = take_apart(&named, name, error);
  if (status == MMS_OK) status = read_array(&named, usual, &array, &is_bytes, &h5, error);
  if (status == MMS_OK) status = check_values(&array.values, name, error);
  if (status == MMS_OK) {
    mms_matrix *values = &source->points.values;
    *values = array.values;
    array.values = (mms_matrix){0};
    for (int64_t i = 0; is_bytes && i < values->rows * values->cols; i++) values->data[i] /= 255.0;
    bool prepared = false;
    status = is_prepared(h5, named.dataset, &prepared, error);
    if (status == MMS_OK && prepared) status = read_prepared(source, h5, named.file, error);
    if (status == MMS_OK && array.rank == 3) {
      source->points.image_rows = array.dims[1];
      source->points.image_columns = array.dims[2];
    } else if (status == MMS_OK && h5 != NULL) {
      status =
          read_image_shape(&source->points, h5, source->prepared ? source->transform.data_dim : values->cols, error);
    }
  }
  mms_h5_close(&h5);
  mms_array_free(&array);
  named_free(&named);
  if (status != MMS_OK) mms_source_free(source);
  return status;
}

void mms_source_free(mms_source *source) {
  mms_points_free(&source->points);
  mms_transform_free(&source->transform);
  *source = (mms_source){0};
}

mms_status mms_source_decode(mms_source *source, mms_error *error) {
  if (!source->prepared || source->transform.identity) return MMS_OK;
  mms_matrix decoded;
  int64_t rows = source->points.values.rows;
  mms_status status = mms_matrix_create(&decoded, rows, source->transform.data_dim, "decoded points", error);
  if (status != MMS_OK) return status;
  mms_transform_decode(&source->transform, rows, source->points.values.data, decoded.data);
  mms_matrix_free(&source->points.values);
  source->points.values = decoded;
  return MMS_OK;
}

mms_status mms_labels_read(mms_matrix *labels, const char *name, mms_error *error) {
  static const char *const usual[] = {"/labels", NULL};
  named_file named = {.kind = KIND_NPY};
  mms_array array = {0};
  mms_h5 *h5 = NULL;
  int is_bytes = 0;
  mms_status status = take_apart(&named, name, error);
  if (status == MMS_OK) status = read_array(&named, usual, &array, &is_bytes, &h5, error);
  if (status == MMS_OK && array.values.cols != 1)
    status = mms_fail(error, MMS_ERR_INPUT, "labels: %s: holds %lld numbers per row; one is needed", name,
                      (long long)array.values.cols);
  for (int64_t i = 0; status == MMS_OK && i < array.values.rows; i++)
    if (array.values.data[i] != floor(array.values.data[i]) || !isfinite(array.values.data[i]))
      status = mms_fail(error, MMS_ERR_INPUT, "labels: %s: row %lld is %g; labels are integers", name, (long long)i,
                        array.values.data[i]);
  *labels = array.values;
  if (status != MMS_OK) mms_matrix_free(labels);
  mms_h5_close(&h5);
  named_free(&named);
  return status;
}

mms_status mms_points_read(mms_points *points, const char *name, mms_error *error) {
  mms_source source;
  *points = (mms_points){0};
  mms_status status = mms_source_read(&source, name, error);
  if (status == MMS_OK) status = mms_source_decode(&source, error);
  if (status == MMS_OK) {
    *points = source.points;
    source.points = (mms_points){0};
  }
  mms_source_free(&source);
  return status;
}

void mms_points_free(mms_points *points) {
  mms_matrix_free(&points->values);
  *points = (mms_points){0};
}
