/* Rows that come by in pieces: a file's, or held ones. */
#include "mmsold/base/memory.h"
#include "mmsold/store/h5.h"
#include "training/source.h"
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* Attributes image_rows and image_columns of the file, where they are there and fit `columns`. */
static mms_status read_image_shape(mms_source *source, mms_h5 *h5, int64_t columns, mms_error *error) {
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
  source->image_rows = rows;
  source->image_columns = width;
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
  int64_t dim = source->dim, rank = 0, dims[8];
  source->prepared = true;
  *t = (mms_transform){.identity = true, .data_dim = dim, .dim = dim};
  mms_status status = mms_h5_read_uint(h5, "/", "checksum", &source->checksum, error);
  if (status != MMS_OK) return status;
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

mms_status mms_source_open(mms_source *source, const char *name, mms_error *error) {
  static const char *const usual[] = {"/samples", "/training", NULL};
  *source = (mms_source){.name = name};
  mms_row_file *file = &source->file;
  mms_status status = mms_row_file_open(file, name, usual, error);
  source->count = file->rows;
  source->dim = file->columns;
  if (status == MMS_OK && (source->count < 1 || source->dim < 1))
    status = mms_fail(error, MMS_ERR_INPUT, "%s: holds %lld rows of %lld columns; at least one of each is needed", name,
                      (long long)source->count, (long long)source->dim);
  bool prepared = false;
  if (status == MMS_OK) status = is_prepared(file->h5, file->dataset, &prepared, error);
  if (status == MMS_OK && prepared) status = read_prepared(source, file->h5, file->file, error);
  if (status == MMS_OK && file->rank == 3) {
    source->image_rows = file->dims[1];
    source->image_columns = file->dims[2];
  } else if (status == MMS_OK && file->h5 != NULL) {
    status = read_image_shape(source, file->h5, source->prepared ? source->transform.data_dim : source->dim, error);
  }
  if (status != MMS_OK) mms_source_free(source);
  return status;
}

void mms_source_free(mms_source *source) {
  mms_row_file_close(&source->file);
  mms_transform_free(&source->transform);
  mms_matrix_free(&source->held);
  free(source->chosen);
  *source = (mms_source){0};
}

/* --- rows that come by -------------------------------------------------------------------- */

/* A walk through a file: `read` [piece][dim] is what was read last, and `kept` [piece][dim] the rows of it and of those
 * before that are waiting to be shown; the same where all rows are kept. */
typedef struct file_walk {
  const mms_source *source;
  int64_t piece;
  double *read, *kept;
  int64_t waiting, shown;
  mms_training_visitor *visit;
  void *context;
} file_walk;

static void show(file_walk *walk) {
  if (walk->waiting > 0) walk->visit(walk->context, walk->shown, walk->waiting, walk->kept);
  walk->shown += walk->waiting;
  walk->waiting = 0;
}

/* Of the rows first … first + rows − 1, which were read, those that are chosen. */
static void keep(file_walk *walk, int64_t first, int64_t rows) {
  const mms_source *source = walk->source;
  const int64_t dim = source->dim;
  if (source->chosen == NULL) {
    walk->waiting = rows;
    show(walk);
    return;
  }
  for (int64_t at = walk->shown + walk->waiting; at < source->count && source->chosen[at] < first + rows; at++) {
    memcpy(walk->kept + walk->waiting * dim, walk->read + (source->chosen[at] - first) * dim,
           (size_t)dim * sizeof(double));
    if (++walk->waiting == walk->piece) show(walk);
  }
}

static mms_status read_piece(const mms_source *source, int64_t first, int64_t rows, double *values, mms_error *error) {
  const int64_t dim = source->dim;
  mms_status status = mms_row_file_read(&source->file, first, rows, values, error);
  if (status != MMS_OK) return status;
  for (int64_t i = 0; i < rows * dim; i++)
    if (!isfinite(values[i]))
      return mms_fail(error, MMS_ERR_INPUT,
                      "%s: row %lld, column %lld (counting from 0) is %s; all values must be finite", source->name,
                      (long long)(first + i / dim), (long long)(i % dim), isnan(values[i]) ? "NaN" : "infinite");
  for (int64_t i = 0; source->file.is_bytes && i < rows * dim; i++) values[i] /= 255.0;
  return MMS_OK;
}

static mms_status walk_pieces(file_walk *walk, mms_error *error) {
  const mms_source *source = walk->source;
  const int64_t all = source->file.rows;
  uint64_t sum = mms_training_checksum_begin(all, source->dim);
  for (int64_t first = 0; first < all; first += walk->piece) {
    const int64_t rows = all - first < walk->piece ? all - first : walk->piece;
    mms_status status = read_piece(source, first, rows, walk->read, error);
    if (status != MMS_OK) return status;
    if (source->prepared) sum = mms_training_checksum_add(sum, rows, source->dim, walk->read);
    keep(walk, first, rows);
  }
  if (source->prepared && sum != source->checksum)
    return mms_fail(error, MMS_ERR_INPUT,
                    "%s: /training does not have the checksum the file says; it was changed or "
                    "damaged",
                    source->file.file);
  show(walk);
  return MMS_OK;
}

static mms_status walk_file(const mms_rows *rows, mms_training_visitor *visit, void *context, mms_error *error) {
  const mms_source *source = rows->self;
  file_walk walk = {.source = source, .piece = mms_rows_piece(source->dim), .visit = visit, .context = context};
  if (walk.piece > source->file.rows) walk.piece = source->file.rows;
  double *chosen = NULL;
  mms_status status = mms_allocate_doubles(&walk.read, walk.piece * source->dim, "a piece of the training set", error);
  if (status == MMS_OK && source->chosen != NULL)
    status = mms_allocate_doubles(&chosen, walk.piece * source->dim, "the chosen rows", error);
  walk.kept = chosen != NULL ? chosen : walk.read;
  if (status == MMS_OK) status = walk_pieces(&walk, error);
  free(walk.read);
  free(chosen);
  return status;
}

mms_rows mms_source_rows(const mms_source *source) {
  if (source->held.data != NULL) return mms_rows_of_matrix(&source->held);
  return (mms_rows){.count = source->count, .dim = source->dim, .self = source, .walk = walk_file};
}

/* --- rows that are held ------------------------------------------------------------------- */

static void put_rows(void *context, int64_t first, int64_t rows, const double *points) {
  const mms_matrix *held = context;
  memcpy(held->data + first * held->cols, points, (size_t)(rows * held->cols) * sizeof(double));
}

mms_status mms_source_hold(mms_source *source, mms_error *error) {
  if (source->held.data != NULL) return MMS_OK;
  mms_matrix held;
  const mms_rows rows = mms_source_rows(source);
  mms_status status = mms_matrix_create(&held, rows.count, rows.dim, source->name, error);
  if (status == MMS_OK) status = mms_rows_walk(&rows, put_rows, &held, error);
  source->held = held;
  mms_row_file_close(&source->file);
  free(source->chosen);
  source->chosen = NULL;
  return status;
}

mms_status mms_source_take(mms_source *source, mms_points *points, mms_error *error) {
  const mms_transform *transform = &source->transform;
  *points = (mms_points){.image_rows = source->image_rows, .image_columns = source->image_columns};
  mms_status status = mms_source_hold(source, error);
  if (status == MMS_OK && source->prepared && !transform->identity) {
    status = mms_matrix_create(&points->values, source->count, transform->data_dim, "decoded points", error);
    if (status == MMS_OK) mms_transform_decode(transform, source->count, source->held.data, points->values.data);
  } else if (status == MMS_OK) {
    points->values = source->held;
    source->held = (mms_matrix){0};
  }
  mms_source_free(source);
  if (status != MMS_OK) mms_points_free(points);
  return status;
}

mms_status mms_labels_read(mms_matrix *labels, const char *name, mms_error *error) {
  static const char *const usual[] = {"/labels", NULL};
  mms_row_file file;
  *labels = (mms_matrix){0};
  mms_status status = mms_row_file_open(&file, name, usual, error);
  if (status == MMS_OK && file.columns != 1)
    status = mms_fail(error, MMS_ERR_INPUT, "labels: %s: holds %lld numbers per row; one is needed", name,
                      (long long)file.columns);
  if (status == MMS_OK) status = mms_matrix_create(labels, file.rows, 1, name, error);
  if (status == MMS_OK) status = mms_row_file_read(&file, 0, file.rows, labels->data, error);
  for (int64_t i = 0; status == MMS_OK && i < labels->rows; i++)
    if (labels->data[i] != floor(labels->data[i]) || !isfinite(labels->data[i]))
      status = mms_fail(error, MMS_ERR_INPUT, "labels: %s: row %lld is %g; labels are integers", name, (long long)i,
                        labels->data[i]);
  if (status != MMS_OK) mms_matrix_free(labels);
  mms_row_file_close(&file);
  return status;
}

mms_status mms_points_read(mms_points *points, const char *name, mms_error *error) {
  mms_source source;
  *points = (mms_points){0};
  mms_status status = mms_source_open(&source, name, error);
  return status == MMS_OK ? mms_source_take(&source, points, error) : status;
}

void mms_points_free(mms_points *points) {
  mms_matrix_free(&points->values);
  *points = (mms_points){0};
}
