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

/* A file being read, with where its data begin. */
typedef struct npy_source {
  FILE *stream;
  const char *path;
  int64_t bytes; /* of the whole file */
  int64_t data;  /* offset of the first element */
  mms_npy_header header;
} npy_source;

static mms_status read_exactly(npy_source *source, void *out, size_t bytes, mms_error *error) {
  if (fread(out, 1, bytes, source->stream) == bytes) return MMS_OK;
  if (ferror(source->stream))
    return mms_fail(error, MMS_ERR_SYSTEM, "%s: reading failed: %s", source->path, strerror(errno));
  return mms_fail(error, MMS_ERR_INPUT, "%s: is cut short: it ends inside its header (%lld bytes in all)", source->path,
                  (long long)source->bytes);
}

static mms_status read_header(npy_source *source, mms_error *error) {
  unsigned char start[12];
  mms_status status = read_exactly(source, start, 8, error);
  if (status != MMS_OK) return status;
  if (memcmp(start, "\x93NUMPY", 6) != 0)
    return mms_fail(error, MMS_ERR_INPUT, "%s: is not a .npy file (it does not begin with \\x93NUMPY)", source->path);
  if (start[6] < 1 || start[6] > 3 || start[7] != 0)
    return mms_fail(error, MMS_ERR_INPUT, "%s: .npy format %d.%d is unknown; 1.0, 2.0 and 3.0 are read", source->path,
                    start[6], start[7]);
  size_t width = start[6] == 1 ? 2 : 4;
  status = read_exactly(source, start + 8, width, error);
  if (status != MMS_OK) return status;
  mms_element counter = {.kind = MMS_ELEMENT_UNSIGNED, .size = (int)width, .big_endian = false};
  int64_t length = (int64_t)mms_element_value(counter, start + 8);
  source->data = 8 + (int64_t)width + length;
  if (length > LONGEST_HEADER)
    return mms_fail(error, MMS_ERR_INPUT, "%s: claims a header of %lld bytes; at most %d are believed", source->path,
                    (long long)length, LONGEST_HEADER);
  void *text = NULL;
  status = mms_allocate(&text, length, 1, "the header of a .npy file", error);
  if (status == MMS_OK) status = read_exactly(source, text, (size_t)length, error);
  if (status == MMS_OK) {
    status = mms_npy_parse(&source->header, text, (size_t)length, error);
    if (status != MMS_OK) mms_fail_within(error, "%s", source->path);
  }
  free(text);
  return status;
}

static mms_status check_size(const npy_source *source, int64_t *items, mms_error *error) {
  const mms_npy_header *header = &source->header;
  int64_t bytes = 0;
  if (header->rank == 0)
    return mms_fail(error, MMS_ERR_INPUT, "%s: holds a single number (shape ()), not rows", source->path);
  if (!mms_shape_count(header->rank, header->dims, (int64_t)sizeof(double), items, &bytes) ||
      bytes > INT64_MAX - source->data)
    return mms_fail(error, MMS_ERR_INPUT, "%s: the shape in its header is not a possible size", source->path);
  int64_t expected = source->data + *items * header->element.size;
  if (source->bytes != expected)
    return mms_fail(error, MMS_ERR_INPUT, "%s: is %s: %lld bytes where its header says %lld", source->path,
                    source->bytes < expected ? "cut short" : "longer than its header says", (long long)source->bytes,
                    (long long)expected);
  return MMS_OK;
}

/* Where the items of a Fortran-order file go in C order: the first index runs fastest. */
typedef struct fortran_walk {
  int rank;
  const int64_t *dims;
  int64_t index[8], stride[8], place;
} fortran_walk;

static fortran_walk walk_start(int rank, const int64_t *dims) {
  fortran_walk walk = {.rank = rank, .dims = dims};
  int64_t stride = 1;
  for (int i = rank - 1; i >= 0; i--) {
    walk.stride[i] = stride;
    stride *= dims[i];
  }
  return walk;
}

static void walk_next(fortran_walk *walk) {
  for (int i = 0; i < walk->rank; i++) {
    walk->place += walk->stride[i];
    if (++walk->index[i] < walk->dims[i]) return;
    walk->place -= walk->index[i] * walk->stride[i];
    walk->index[i] = 0;
  }
}

static mms_status read_values(npy_source *source, int64_t items, double *out, mms_error *error) {
  const mms_npy_header *header = &source->header;
  fortran_walk walk = walk_start(header->rank, header->dims);
  void *memory = NULL;
  mms_status status = mms_allocate(&memory, PIECE, 1, "a piece of a .npy file", error);
  const unsigned char *piece = memory;
  int64_t at_once = PIECE / header->element.size;
  for (int64_t done = 0; done < items && status == MMS_OK; done += at_once) {
    int64_t now = items - done < at_once ? items - done : at_once;
    status = read_exactly(source, memory, (size_t)(now * header->element.size), error);
    if (status != MMS_OK) break;
    if (!header->fortran_order) {
      mms_element_values(header->element, now, piece, out + done);
      continue;
    }
    for (int64_t i = 0; i < now; i++, walk_next(&walk))
      out[walk.place] = mms_element_value(header->element, piece + i * header->element.size);
  }
  free(memory);
  return status;
}

mms_status mms_npy_read(mms_array *array, const char *path, mms_error *error) {
  *array = (mms_array){0};
  npy_source source = {.path = path};
  mms_status status = mms_file_size(path, &source.bytes, error);
  if (status != MMS_OK) return status;
  source.stream = fopen(path, "rb");
  if (source.stream == NULL) return mms_fail(error, MMS_ERR_INPUT, "%s: cannot be opened: %s", path, strerror(errno));
  int64_t items = 0;
  status = read_header(&source, error);
  if (status == MMS_OK) status = check_size(&source, &items, error);
  if (status == MMS_OK) status = mms_array_create(array, source.header.rank, source.header.dims, path, error);
  if (status == MMS_OK) status = read_values(&source, items, array->values.data, error);
  fclose(source.stream);
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
