#include "mmsold/store/arrays.h"

#include "mmsold/base/memory.h"
#include "store/array.h"
#include "store/elements.h"
#include "store/files.h"
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

enum { PIECE = 1 << 20 }; /* bytes read at a time */

/* Deflate packs at most 1,032 to 1; twice that is believed, as for HDF5's datasets. */
static const int64_t most_packed = 2064;

/* An IDX file seen through zlib, which passes plain files through. */
struct mms_idx {
  gzFile stream;
  const char *path;
  int64_t bytes; /* of the file as it is */
  bool gzip;
  mms_element element;
  int rank;
  int64_t dims[8], columns; /* columns: of the flattened array */
  int64_t expected;         /* bytes of data, unpacked */
  int64_t at;               /* those that have come by */
  void *piece;              /* [room] bytes */
  int64_t room;             /* PIECE, or all of the data */
};

/* Up to `wanted` bytes, at most PIECE; *got less than that at the end. A damaged stream is an error, a cut one an end.
 */
static mms_status read_some(mms_idx *source, void *out, int64_t wanted, int64_t *got, mms_error *error) {
  *got = 0;
  while (*got < wanted) {
    int count = gzread(source->stream, (char *)out + *got, (unsigned)(wanted - *got));
    int code = Z_OK;
    const char *reason = gzerror(source->stream, &code);
    if (count > 0) *got += count;
    if (code == Z_BUF_ERROR || (code == Z_OK && count == 0)) return MMS_OK;
    if (code == Z_ERRNO) return mms_fail(error, MMS_ERR_SYSTEM, "%s: reading failed", source->path);
    if (count < 0 || code != Z_OK)
      return mms_fail(error, MMS_ERR_INPUT, "%s: its gzip stream is damaged (%s)", source->path,
                      reason != NULL && reason[0] != '\0' ? reason : "no reason given");
  }
  return MMS_OK;
}

/* IDX type byte to element; false for the unknown. Y. LeCun's description of the MNIST files is the standard. */
static bool element_of(unsigned char type, mms_element *element) {
  static const struct {
    unsigned char type;
    mms_element element;
  } known[] = {{0x08, {MMS_ELEMENT_UNSIGNED, 1, true}}, {0x09, {MMS_ELEMENT_SIGNED, 1, true}},
               {0x0B, {MMS_ELEMENT_SIGNED, 2, true}},   {0x0C, {MMS_ELEMENT_SIGNED, 4, true}},
               {0x0D, {MMS_ELEMENT_FLOAT, 4, true}},    {0x0E, {MMS_ELEMENT_FLOAT, 8, true}}};
  for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
    if (known[i].type != type) continue;
    *element = known[i].element;
    return true;
  }
  return false;
}

static mms_status read_header(mms_idx *source, mms_error *error) {
  unsigned char start[4], sizes[4 * 8];
  int64_t got = 0;
  mms_status status = read_some(source, start, 4, &got, error);
  if (status != MMS_OK) return status;
  if (got < 4) return mms_fail(error, MMS_ERR_INPUT, "%s: is cut short: it ends inside its header", source->path);
  if (start[0] != 0 || start[1] != 0 || !element_of(start[2], &source->element))
    return mms_fail(error, MMS_ERR_INPUT,
                    "%s: is not an IDX file of a known type (it begins with %02x %02x %02x %02x, where 00 00, a type "
                    "08 09 0b 0c 0d 0e and a rank were expected)",
                    source->path, start[0], start[1], start[2], start[3]);
  if (start[3] < 1 || start[3] > 8)
    return mms_fail(error, MMS_ERR_INPUT, "%s: says it has %d dimensions; 1 to 8 are read", source->path, start[3]);
  source->rank = start[3];
  status = read_some(source, sizes, 4 * source->rank, &got, error);
  if (status != MMS_OK) return status;
  if (got < 4 * source->rank)
    return mms_fail(error, MMS_ERR_INPUT, "%s: is cut short: it ends inside its header", source->path);
  mms_element counter = {.kind = MMS_ELEMENT_UNSIGNED, .size = 4, .big_endian = true};
  for (int i = 0; i < source->rank; i++) source->dims[i] = (int64_t)mms_element_value(counter, sizes + 4 * i);
  return MMS_OK;
}

static mms_status refuse_short(const mms_idx *source, int64_t have, mms_error *error) {
  return mms_fail(error, MMS_ERR_INPUT, "%s: is cut short: %lld bytes of data%s where its header says %lld",
                  source->path, (long long)have, source->gzip ? " (unpacked)" : "", (long long)source->expected);
}

/* What the header claims, against the size of the file: no memory is asked for what cannot be there. */
static mms_status check_claim(mms_idx *source, mms_error *error) {
  const int64_t header = 4 + 4 * (int64_t)source->rank;
  int64_t items = 0, as_doubles = 0;
  if (!mms_shape_count(source->rank, source->dims, (int64_t)sizeof(double), &items, &as_doubles))
    return mms_fail(error, MMS_ERR_INPUT, "%s: the shape in its header is not a possible size", source->path);
  source->expected = items * source->element.size;
  source->columns = source->dims[0] > 0 ? items / source->dims[0] : 0;
  if (!source->gzip && source->expected > source->bytes - header)
    return refuse_short(source, source->bytes - header, error);
  if (source->gzip && source->expected / most_packed > source->bytes)
    return mms_fail(error, MMS_ERR_INPUT,
                    "%s: is cut short: its %lld bytes cannot unpack to the %lld bytes of data that its header says",
                    source->path, (long long)source->bytes, (long long)source->expected);
  return MMS_OK;
}

/* Nothing may come after the last of the data, and a gzip stream has its checksum there. */
static mms_status check_end(mms_idx *source, mms_error *error) {
  char beyond[4096];
  int64_t got = 0;
  mms_status status = read_some(source, beyond, (int64_t)sizeof beyond, &got, error);
  source->at += got;
  if (status == MMS_OK && got > 0)
    return mms_fail(error, MMS_ERR_INPUT, "%s: is longer than its header says: %s%lld bytes of data%s instead of %lld",
                    source->path, got == (int64_t)sizeof beyond ? "at least " : "", (long long)(source->expected + got),
                    source->gzip ? " (unpacked)" : "", (long long)source->expected);
  if (status == MMS_OK && source->gzip) {
    int code = Z_OK;
    (void)gzerror(source->stream, &code);
    if (code == Z_BUF_ERROR)
      return mms_fail(error, MMS_ERR_INPUT,
                      "%s: is cut short: its gzip stream ends before its checksum, after %lld of %lld bytes of data",
                      source->path, (long long)source->expected, (long long)source->expected);
  }
  return status;
}

static mms_status open_source(mms_idx *source, const char *path, mms_error *error) {
  *source = (mms_idx){.path = path};
  mms_status status = mms_file_size(path, &source->bytes, error);
  if (status != MMS_OK) return status;
  source->stream = gzopen(path, "rb");
  if (source->stream == NULL) return mms_fail(error, MMS_ERR_INPUT, "%s: cannot be opened", path);
  (void)gzbuffer(source->stream, 1 << 17);
  source->gzip = gzdirect(source->stream) == 0;
  return MMS_OK;
}

mms_status mms_idx_open(mms_idx **idx, const char *path, int *rank, int64_t dims[8], int *is_bytes, mms_error *error) {
  void *memory = NULL;
  *idx = NULL;
  mms_status status = mms_allocate(&memory, 1, sizeof(mms_idx), "an IDX file", error);
  if (status != MMS_OK) return status;
  mms_idx *self = *idx = memory;
  status = open_source(self, path, error);
  if (status == MMS_OK) status = read_header(self, error);
  if (status == MMS_OK) status = check_claim(self, error);
  self->room = self->expected < PIECE ? self->expected : PIECE;
  if (status == MMS_OK) status = mms_allocate(&self->piece, self->room, 1, "a piece of an IDX file", error);
  *rank = self->rank;
  for (int i = 0; i < 8; i++) dims[i] = i < *rank ? self->dims[i] : 0;
  *is_bytes = self->element.kind == MMS_ELEMENT_UNSIGNED;
  if (status != MMS_OK) mms_idx_close(idx);
  return status;
}

/* The place in the stream of byte `at` of the data. */
static mms_status go_to(mms_idx *source, int64_t at, mms_error *error) {
  if (at == source->at) return MMS_OK;
  if (gzseek(source->stream, (z_off_t)(4 + 4 * source->rank + at), SEEK_SET) < 0) {
    int code = Z_OK;
    const char *reason = gzerror(source->stream, &code);
    return mms_fail(error, MMS_ERR_SYSTEM, "%s: reading failed: %s", source->path, reason != NULL ? reason : "");
  }
  source->at = at;
  return MMS_OK;
}

mms_status mms_idx_rows(mms_idx *source, int64_t first, int64_t count, double *out, mms_error *error) {
  if (first < 0 || count < 0 || first > source->dims[0] - count)
    return mms_fail(error, MMS_ERR_INTERNAL, "%s: rows %lld + %lld were asked for, there are %lld", source->path,
                    (long long)first, (long long)count, (long long)source->dims[0]);
  const int64_t size = source->element.size, items = count * source->columns, at_once = source->room / size;
  mms_status status = go_to(source, first * source->columns * size, error);
  for (int64_t done = 0; done < items && status == MMS_OK; done += at_once) {
    const int64_t now = items - done < at_once ? items - done : at_once;
    int64_t got = 0;
    status = read_some(source, source->piece, now * size, &got, error);
    source->at += got;
    if (status == MMS_OK && got < now * size) status = refuse_short(source, source->at, error);
    if (status == MMS_OK) mms_element_values(source->element, now, source->piece, out + done);
  }
  if (status == MMS_OK && first + count == source->dims[0]) status = check_end(source, error);
  return status;
}

void mms_idx_close(mms_idx **idx) {
  if (*idx == NULL) return;
  if ((*idx)->stream != NULL) gzclose((*idx)->stream);
  free((*idx)->piece);
  free(*idx);
  *idx = NULL;
}

mms_status mms_idx_read(mms_array *array, const char *path, int *is_bytes, mms_error *error) {
  *array = (mms_array){0};
  mms_idx *idx = NULL;
  int rank = 0, bytes = 0;
  int64_t dims[8];
  mms_status status = mms_idx_open(&idx, path, &rank, dims, &bytes, error);
  if (status == MMS_OK) status = mms_array_create(array, rank, dims, path, error);
  if (status == MMS_OK) status = mms_idx_rows(idx, 0, dims[0], array->values.data, error);
  if (status == MMS_OK && is_bytes != NULL) *is_bytes = bytes;
  mms_idx_close(&idx);
  if (status != MMS_OK) mms_array_free(array);
  return status;
}

int mms_idx_recognise(const char *path) {
  mms_idx source;
  if (open_source(&source, path, NULL) != MMS_OK) return 0;
  int recognised = read_header(&source, NULL) == MMS_OK;
  gzclose(source.stream);
  return recognised;
}

const char *mms_idx_zlib(void) { return zlibVersion(); }
