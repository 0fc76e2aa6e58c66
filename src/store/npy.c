#include "mmsold/store/arrays.h"

#include "mmsold/base/memory.h"
#include "store/array.h"
#include "store/files.h"
#include "store/npy_header.h"
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
  PIECE = 1 << 20,         /* bytes read at a time */
  LONGEST_HEADER = 1 << 16 /* NumPy itself refuses headers beyond 10,000 bytes unless told to trust them */
};

struct mms_npy {
  FILE *stream;
  const char *path;
  int64_t bytes; /* of the whole file */
  int64_t data;  /* offset of the first element */
  int64_t at;    /* offset of what is read next */
  mms_npy_header header;
  int64_t columns; /* of the flattened array */
  void *piece;     /* [PIECE] bytes */
};

static mms_status read_exactly(mms_npy *source, void *out, size_t bytes, const char *where, mms_error *error) {
  const size_t got = fread(out, 1, bytes, source->stream);
  source->at += (int64_t)got;
  if (got == bytes) return MMS_OK;
  if (ferror(source->stream))
    return mms_fail(error, MMS_ERR_SYSTEM, "%s: reading failed: %s", source->path, strerror(errno));
  return mms_fail(error, MMS_ERR_INPUT, "%s: is cut short: it ends inside its %s (%lld bytes in all)", source->path,
                  where, (long long)source->bytes);
}

static mms_status read_header(mms_npy *source, mms_error *error) {
  unsigned char start[12];
  mms_status status = read_exactly(source, start, 8, "header", error);
  if (status != MMS_OK) return status;
  if (memcmp(start, "\x93NUMPY", 6) != 0)
    return mms_fail(error, MMS_ERR_INPUT, "%s: is not a .npy file (it does not begin with \\x93NUMPY)", source->path);
  if (start[6] < 1 || start[6] > 3 || start[7] != 0)
    return mms_fail(error, MMS_ERR_INPUT, "%s: .npy format %d.%d is unknown; 1.0, 2.0 and 3.0 are read", source->path,
                    start[6], start[7]);
  size_t width = start[6] == 1 ? 2 : 4;
  status = read_exactly(source, start + 8, width, "header", error);
  if (status != MMS_OK) return status;
  mms_element counter = {.kind = MMS_ELEMENT_UNSIGNED, .size = (int)width, .big_endian = false};
  int64_t length = (int64_t)mms_element_value(counter, start + 8);
  source->data = 8 + (int64_t)width + length;
  if (length > LONGEST_HEADER)
    return mms_fail(error, MMS_ERR_INPUT, "%s: claims a header of %lld bytes; at most %d are believed", source->path,
                    (long long)length, LONGEST_HEADER);
  void *text = NULL;
  status = mms_allocate(&text, length, 1, "the header of a .npy file", error);
  if (status == MMS_OK) status = read_exactly(source, text, (size_t)length, "header", error);
  if (status == MMS_OK) {
    status = mms_npy_parse(&source->header, text, (size_t)length, error);
    if (status != MMS_OK) mms_fail_within(error, "%s", source->path);
  }
  free(text);
  return status;
}

static mms_status check_size(mms_npy *source, mms_error *error) {
  const mms_npy_header *header = &source->header;
  int64_t items = 0, bytes = 0;
  if (header->rank == 0)
    return mms_fail(error, MMS_ERR_INPUT, "%s: holds a single number (shape ()), not rows", source->path);
  if (!mms_shape_count(header->rank, header->dims, (int64_t)sizeof(double), &items, &bytes) ||
      bytes > INT64_MAX - source->data)
    return mms_fail(error, MMS_ERR_INPUT, "%s: the shape in its header is not a possible size", source->path);
  int64_t expected = source->data + items * header->element.size;
  if (source->bytes != expected)
    return mms_fail(error, MMS_ERR_INPUT, "%s: is %s: %lld bytes where its header says %lld", source->path,
                    source->bytes < expected ? "cut short" : "longer than its header says", (long long)source->bytes,
                    (long long)expected);
  source->columns = header->dims[0] > 0 ? items / header->dims[0] : 0;
  return MMS_OK;
}

/* Where the columns of a Fortran-order file go in C order: of the indices after the first the foremost runs fastest. */
typedef struct fortran_walk {
  int rank;
  const int64_t *dims;
  int64_t index[8], stride[8], place;
} fortran_walk;

static fortran_walk walk_start(int rank, const int64_t *dims) {
  fortran_walk walk = {.rank = rank, .dims = dims};
  int64_t stride = 1;
  for (int i = rank - 1; i > 0; i--) {
    walk.stride[i] = stride;
    stride *= dims[i];
  }
  return walk;
}

static void walk_next(fortran_walk *walk) {
  for (int i = 1; i < walk->rank; i++) {
    walk->place += walk->stride[i];
    if (++walk->index[i] < walk->dims[i]) return;
    walk->place -= walk->index[i] * walk->stride[i];
    walk->index[i] = 0;
  }
}

/* Items from number `first` of the file on, to out[0], out[stride], … */
static mms_status read_items(mms_npy *source, int64_t first, int64_t items, int64_t stride, double *out,
                             mms_error *error) {
  const unsigned char *piece = source->piece;
  const mms_element element = source->header.element;
  const int64_t at_once = PIECE / element.size, at = source->data + first * element.size;
  if (at != source->at && fseeko(source->stream, (off_t)at, SEEK_SET) != 0)
    return mms_fail(error, MMS_ERR_SYSTEM, "%s: reading failed: %s", source->path, strerror(errno));
  source->at = at;
  for (int64_t done = 0; done < items; done += at_once) {
    const int64_t now = items - done < at_once ? items - done : at_once;
    mms_status status = read_exactly(source, source->piece, (size_t)(now * element.size), "data", error);
    if (status != MMS_OK) return status;
    if (stride == 1) {
      mms_element_values(element, now, piece, out + done);
      continue;
    }
    for (int64_t i = 0; i < now; i++) out[(done + i) * stride] = mms_element_value(element, piece + i * element.size);
  }
  return MMS_OK;
}

mms_status mms_npy_rows(mms_npy *source, int64_t first, int64_t count, double *out, mms_error *error) {
  const mms_npy_header *header = &source->header;
  const int64_t rows = header->dims[0], columns = source->columns;
  if (first < 0 || count < 0 || first > rows - count)
    return mms_fail(error, MMS_ERR_INTERNAL, "%s: rows %lld + %lld were asked for, there are %lld", source->path,
                    (long long)first, (long long)count, (long long)rows);
  if (count == 0 || columns == 0) return MMS_OK;
  if (!header->fortran_order) return read_items(source, first * columns, count * columns, 1, out, error);
  fortran_walk walk = walk_start(header->rank, header->dims);
  mms_status status = MMS_OK;
  for (int64_t k = 0; k < columns && status == MMS_OK; k++, walk_next(&walk))
    status = read_items(source, k * rows + first, count, columns, out + walk.place, error);
  return status;
}

mms_status mms_npy_open(mms_npy **npy, const char *path, int *rank, int64_t dims[8], mms_error *error) {
  void *memory = NULL;
  int64_t bytes = 0;
  *npy = NULL;
  mms_status status = mms_file_size(path, &bytes, error);
  if (status == MMS_OK) status = mms_allocate(&memory, 1, sizeof(mms_npy), "a .npy file", error);
  if (status != MMS_OK) return status;
  mms_npy *self = *npy = memory;
  *self = (mms_npy){.path = path, .bytes = bytes, .stream = fopen(path, "rb")};
  if (self->stream == NULL) status = mms_fail(error, MMS_ERR_INPUT, "%s: cannot be opened: %s", path, strerror(errno));
  if (status == MMS_OK) status = read_header(self, error);
  if (status == MMS_OK) status = check_size(self, error);
  if (status == MMS_OK) status = mms_allocate(&self->piece, PIECE, 1, "a piece of a .npy file", error);
  *rank = self->header.rank;
  for (int i = 0; i < 8; i++) dims[i] = i < *rank ? self->header.dims[i] : 0;
  if (status != MMS_OK) mms_npy_close(npy);
  return status;
}

void mms_npy_close(mms_npy **npy) {
  if (*npy == NULL) return;
  if ((*npy)->stream != NULL) fclose((*npy)->stream);
  free((*npy)->piece);
  free(*npy);
  *npy = NULL;
}

mms_status mms_npy_read(mms_array *array, const char *path, mms_error *error) {
  *array = (mms_array){0};
  mms_npy *npy = NULL;
  int rank = 0;
  int64_t dims[8];
  mms_status status = mms_npy_open(&npy, path, &rank, dims, error);
  if (status == MMS_OK) status = mms_array_create(array, rank, dims, path, error);
  if (status == MMS_OK) status = mms_npy_rows(npy, 0, dims[0], array->values.data, error);
  mms_npy_close(&npy);
  if (status != MMS_OK) mms_array_free(array);
  return status;
}

static mms_status write_stream(FILE *stream, const mms_matrix *matrix, const char *partial, mms_error *error) {
  const uint16_t one = 1;
  unsigned char first;
  memcpy(&first, &one, 1);
  char header[128];
  memset(header, ' ', sizeof header);
  memcpy(header, "\x93NUMPY\x01\x00\x76\x00", 10); /* 128 bytes in all: 10 + 118, a multiple of 64 as NumPy has it */
  int used =
      snprintf(header + 10, sizeof header - 10, "{'descr': '%cf8', 'fortran_order': False, 'shape': (%lld, %lld), }",
               first == 1 ? '<' : '>', (long long)matrix->rows, (long long)matrix->cols);
  header[10 + used] = ' ';
  header[127] = '\n';
  size_t items = (size_t)(matrix->rows * matrix->cols);
  bool written = fwrite(header, 1, sizeof header, stream) == sizeof header &&
                 fwrite(matrix->data, sizeof(double), items, stream) == items && fflush(stream) == 0;
  if (written) return MMS_OK;
  return mms_fail(error, MMS_ERR_SYSTEM, "%s: writing failed: %s", partial, strerror(errno));
}

mms_status mms_npy_write(const mms_matrix *matrix, const char *path, mms_error *error) {
  mms_status status = mms_file_check_target(path, error);
  if (status != MMS_OK) return status;
  char *partial = NULL;
  status = mms_format_text(&partial, error, "%s.partial", path);
  if (status != MMS_OK) return status;
  FILE *stream = fopen(partial, "wb");
  if (stream == NULL) {
    status = mms_fail(error, MMS_ERR_SYSTEM, "%s: cannot be made: %s", partial, strerror(errno));
  } else {
    status = write_stream(stream, matrix, partial, error);
    if (fclose(stream) != 0 && status == MMS_OK)
      status = mms_fail(error, MMS_ERR_SYSTEM, "%s: closing failed: %s", partial, strerror(errno));
    if (status == MMS_OK) status = mms_file_publish(partial, path, error);
    if (status != MMS_OK) unlink(partial);
  }
  free(partial);
  return status;
}
