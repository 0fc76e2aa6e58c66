#include "mmsold/base/memory.h"
#include "store/digest.h"
#include "store/h5_internal.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* Levels of groups. A group of a damaged file may hold itself, and the walk would go down until the stack ends. */
enum { MOST_LEVELS = 100 };

/* A walk over the file: where lines go, and what went wrong. */
typedef struct walk {
  mms_h5 *file;
  mms_h5_line *line;
  void *context;
  int64_t datasets, bytes;
  bool verify;
  mms_status status;
  mms_error *error;
} walk;

/* An attribute whole: numbers widened to int64, uint64 or double, text as one string per item. */
typedef struct attribute_value {
  hid_t id, type, space;
  H5T_class_t kind;
  int64_t count;
  void *data;
} attribute_value;

static void attribute_release(attribute_value *value) {
  free(value->data);
  if (value->space >= 0) H5Sclose(value->space);
  if (value->type >= 0) H5Tclose(value->type);
  if (value->id >= 0) H5Aclose(value->id);
}

/* Read attribute `name` of `object` as it is stored; data stays NULL for kinds that are only named. */
static bool attribute_open(attribute_value *value, hid_t object, const char *name) {
  *value = (attribute_value){.id = H5Aopen(object, name, H5P_DEFAULT), .type = -1, .space = -1};
  if (value->id < 0) return false;
  value->type = H5Aget_type(value->id);
  value->space = H5Aget_space(value->id);
  if (value->type < 0 || value->space < 0) return false;
  value->kind = H5Tget_class(value->type);
  value->count = (int64_t)H5Sget_simple_extent_npoints(value->space);
  const size_t stored = H5Tget_size(value->type);
  const htri_t varies = H5Tis_variable_str(value->type);
  if (value->kind == H5T_NO_CLASS || value->count < 0 || stored == 0 || varies < 0) return false;
  bool fixed_text = value->kind == H5T_STRING && varies == 0;
  if (value->kind != H5T_INTEGER && value->kind != H5T_FLOAT && !fixed_text) return true;
  size_t size = fixed_text ? stored : 8;
  if (mms_allocate(&value->data, value->count + 1, size, "an attribute", NULL) != MMS_OK) return false;
  hid_t memory = value->type;
  if (value->kind == H5T_FLOAT) memory = H5T_NATIVE_DOUBLE;
  if (value->kind == H5T_INTEGER)
    memory = H5Tget_sign(value->type) == H5T_SGN_NONE ? H5T_NATIVE_UINT64 : H5T_NATIVE_INT64;
  return H5Aread(value->id, memory, value->data) >= 0;
}

/* Text of several lines (a configuration) goes out line by line, indented under its name. */
static void say_text(walk *w, const char *name, const char *text, size_t length) {
  length = strnlen(text, length);
  char line[512];
  if (memchr(text, '\n', length) == NULL) {
    snprintf(line, sizeof line, "    %s = %.*s", name, (int)(length < 400 ? length : 400), text);
    w->line(w->context, line);
    return;
  }
  snprintf(line, sizeof line, "    %s =", name);
  w->line(w->context, line);
  for (size_t at = 0; at < length;) {
    const char *end = memchr(text + at, '\n', length - at);
    size_t part = end != NULL ? (size_t)(end - (text + at)) : length - at;
    snprintf(line, sizeof line, "      | %.*s", (int)(part < 400 ? part : 400), text + at);
    w->line(w->context, line);
    at += part + 1;
  }
}

static void say_attribute(walk *w, const char *name, const attribute_value *value) {
  char line[512], kind[64];
  mms_h5_type_name(value->type, kind, sizeof kind);
  if (value->kind == H5T_STRING && value->data != NULL && value->count == 1) {
    say_text(w, name, value->data, H5Tget_size(value->type));
    return;
  }
  if (value->data == NULL || value->count != 1 || value->kind == H5T_STRING)
    snprintf(line, sizeof line, "    %s : %lld x %s", name, (long long)value->count, kind);
  else if (value->kind == H5T_FLOAT)
    snprintf(line, sizeof line, "    %s = %.17g", name, *(const double *)value->data);
  else if (H5Tget_sign(value->type) == H5T_SGN_NONE)
    snprintf(line, sizeof line, "    %s = %" PRIu64, name, *(const uint64_t *)value->data);
  else
    snprintf(line, sizeof line, "    %s = %" PRId64, name, *(const int64_t *)value->data);
  w->line(w->context, line);
}

static herr_t visit_attribute(hid_t object, const char *name, const H5A_info_t *about, void *context) {
  (void)about;
  walk *w = context;
  attribute_value value;
  bool good = attribute_open(&value, object, name);
  /* A dataset's description and dimension labels stand on its own line already. */
  bool said =
      H5Iget_type(object) == H5I_DATASET && (strcmp(name, "description") == 0 || strcmp(name, "dimensions") == 0);
  if (good && !said && w->line != NULL) say_attribute(w, name, &value);
  attribute_release(&value);
  if (good) return 0;
  w->status = mms_h5_fail(w->file, name, "the attribute cannot be read; the file is damaged", w->error);
  return -1;
}

/* "/samples  20000 x 2  float32  in the data's coordinates" */
static void say_dataset(walk *w, const char *path, const mms_h5_dataset *dataset) {
  char line[2048], shape[256] = "scalar", kind[64];
  size_t used = 0;
  for (int i = 0; i < dataset->rank && used < sizeof shape; i++)
    used +=
        (size_t)snprintf(shape + used, sizeof shape - used, "%s%lld", i > 0 ? " x " : "", (long long)dataset->dims[i]);
  hid_t type = H5Dget_type(dataset->id);
  mms_h5_type_name(type, kind, sizeof kind);
  if (type >= 0) H5Tclose(type);
  char *description = NULL;
  if (mms_h5_read_text(w->file, path, "description", &description, NULL) != MMS_OK) description = NULL;
  snprintf(line, sizeof line, "%s  %s  %s%s%.500s", path, shape, kind, description != NULL ? "  " : "",
           description != NULL ? description : "");
  free(description);
  w->line(w->context, line);
}

/* Read a dataset of any type in pieces as it is stored; checksums are checked on the way. */
static mms_status read_through(walk *w, const char *path, const mms_h5_dataset *dataset) {
  hid_t type = H5Dget_type(dataset->id);
  const int64_t size = type < 0 ? 0 : (int64_t)H5Tget_size(type), row = dataset->cols * size;
  int64_t at_once = row > 0 ? (16 << 20) / row : 1;
  if (at_once < 1) at_once = 1;
  if (at_once > dataset->rows) at_once = dataset->rows;
  void *piece = NULL;
  mms_status status = size > 0 ? mms_allocate(&piece, at_once, (size_t)row, path, w->error)
                               : mms_h5_fail(w->file, path, "its type cannot be read; the file is damaged", w->error);
  for (int64_t done = 0; done < dataset->rows && row > 0 && status == MMS_OK; done += at_once) {
    int64_t now = dataset->rows - done < at_once ? dataset->rows - done : at_once;
    hsize_t items = (hsize_t)(now * dataset->cols);
    hid_t space = H5Dget_space(dataset->id);
    hid_t memory = H5Screate_simple(1, &items, NULL);
    bool good = space >= 0 && memory >= 0 && (dataset->rank == 0 || mms_h5_select_rows(dataset, space, done, now)) &&
                H5Dread(dataset->id, type, memory, space, H5P_DEFAULT, piece) >= 0;
    if (!good) status = mms_h5_fail(w->file, path, "cannot be read; the file is damaged", w->error);
    if (good && H5Tdetect_class(type, H5T_VLEN) > 0) H5Dvlen_reclaim(type, memory, H5P_DEFAULT, piece);
    if (memory >= 0) H5Sclose(memory);
    if (space >= 0) H5Sclose(space);
    if (good) w->bytes += now * row;
  }
  if (type >= 0) H5Tclose(type);
  free(piece);
  return status;
}

static mms_status visit_dataset(walk *w, const char *path) {
  mms_h5_dataset dataset;
  mms_status status = mms_h5_dataset_open(&dataset, w->file, path, false, w->error);
  if (status != MMS_OK) return status;
  w->datasets++;
  if (w->line != NULL) say_dataset(w, path, &dataset);
  if (w->verify) status = mms_h5_check_claim(w->file, path, &dataset, w->error);
  if (w->verify && status == MMS_OK) status = read_through(w, path, &dataset);
  mms_h5_dataset_close(&dataset);
  return status;
}

static int levels_of(const char *name) {
  int levels = 1;
  for (const char *slash = strchr(name, '/'); slash != NULL; slash = strchr(slash + 1, '/')) levels++;
  return levels;
}

static herr_t visit_object(hid_t root, const char *name, const H5O_info_t *about, void *context) {
  walk *w = context;
  char path[1200];
  bool top = strcmp(name, ".") == 0;
  if (levels_of(name) > MOST_LEVELS) {
    w->status = mms_fail(w->error, MMS_ERR_INPUT, "%s: has groups within groups beyond %d levels, or one within itself",
                         w->file->path, MOST_LEVELS);
    return -1;
  }
  snprintf(path, sizeof path, "/%s%s", top ? "" : name, about->type == H5O_TYPE_GROUP && !top ? "/" : "");
  if (about->type == H5O_TYPE_DATASET) w->status = visit_dataset(w, path);
  if (about->type == H5O_TYPE_GROUP && about->num_attrs > 0 && w->line != NULL) w->line(w->context, path);
  if (w->status != MMS_OK) return -1;
  hid_t object = H5Oopen(root, name, H5P_DEFAULT);
  if (object < 0) {
    w->status = mms_h5_fail(w->file, path, "cannot be opened; the file is damaged", w->error);
    return -1;
  }
  hsize_t place = 0;
  herr_t done = H5Aiterate2(object, H5_INDEX_NAME, H5_ITER_INC, &place, visit_attribute, w);
  if (done < 0 && w->status == MMS_OK)
    w->status = mms_h5_fail(w->file, path, "its attributes cannot be read; the file is damaged", w->error);
  H5Oclose(object);
  return w->status == MMS_OK ? 0 : -1;
}

static mms_status walk_all(walk *w) {
  herr_t done =
      H5Ovisit2(w->file->id, H5_INDEX_NAME, H5_ITER_INC, visit_object, w, H5O_INFO_BASIC | H5O_INFO_NUM_ATTRS);
  if (done < 0 && w->status == MMS_OK)
    w->status = mms_h5_fail(w->file, NULL, "its contents cannot be listed; the file is damaged", w->error);
  return w->status;
}

mms_status mms_h5_describe(mms_h5 *file, mms_h5_line *line, void *context, mms_error *error) {
  walk w = {.file = file, .line = line, .context = context, .error = error};
  return walk_all(&w);
}

mms_status mms_h5_verify(mms_h5 *file, int64_t *datasets, int64_t *bytes, mms_error *error) {
  walk w = {.file = file, .verify = true, .error = error};
  mms_status status = walk_all(&w);
  /* Files of ours say their kind, and end in a digest. */
  if (status == MMS_OK && H5Aexists_by_name(file->id, "/", "kind", H5P_DEFAULT) > 0)
    status = mms_digest_check(file->team, file->path, error);
  if (datasets != NULL) *datasets = w.datasets;
  if (bytes != NULL) *bytes = w.bytes;
  return status;
}
