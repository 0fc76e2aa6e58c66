#include "mmsold/store/arrays.h"

#include "mmsold/base/memory.h"
#include "store/array.h"
#include "store/elements.h"
#include "store/files.h"
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

enum {
  FIRST_PIECE = 1 << 16, /* bytes made room for before any are seen */
  MOST_AT_ONCE = 1 << 30 /* gzread takes an unsigned int and answers with an int */
};

/* An IDX file seen through zlib, which passes plain files through. */
typedef struct idx_source {
  gzFile stream;
  const char *path;
  bool gzip;
  mms_element element;
  int rank;
  int64_t dims[8];
} idx_source;

/* Up to `wanted` bytes; *got less than that at the end. A damaged stream is an error, a cut one an end. */
static mms_status read_some(idx_source *source, void *out, int64_t wanted, int64_t *got, mms_error *error) {
  *got = 0;
  while (*got < wanted) {
    int64_t now = wanted - *got < MOST_AT_ONCE ? wanted - *got : MOST_AT_ONCE;
    int count = gzread(source->stream, (char *)out + *got, (unsigned)now);
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

static mms_status read_header(idx_source *source, mms_error *error) {
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

/* The raw bytes after the header. Memory grows only as bytes arrive, whatever the header claims. */
static mms_status read_raw(idx_source *source, int64_t expected, unsigned char **raw, mms_error *error) {
  int64_t room = 0, have = 0, got = 0;
  mms_status status = MMS_OK;
  while (have < expected && status == MMS_OK) {
    room = room == 0 ? FIRST_PIECE : 2 * room;
    if (room > expected) room = expected;
    unsigned char *larger = realloc(*raw, (size_t)room);
    if (larger == NULL)
      return mms_fail(error, MMS_ERR_MEMORY, "%s: not enough memory for %lld bytes of it", source->path,
                      (long long)room);
    *raw = larger;
    status = read_some(source, *raw + have, room - have, &got, error);
    have += got;
    if (status == MMS_OK && have < room)
      return mms_fail(error, MMS_ERR_INPUT, "%s: is cut short: %lld bytes of data%s where its header says %lld",
                      source->path, (long long)have, source->gzip ? " (unpacked)" : "", (long long)expected);
  }
  if (status != MMS_OK) return status;
  char beyond[4096];
  status = read_some(source, beyond, (int64_t)sizeof beyond, &got, error);
  if (status == MMS_OK && got > 0)
    return mms_fail(error, MMS_ERR_INPUT, "%s: is longer than its header says: %s%lld bytes of data%s instead of %lld",
                    source->path, got == (int64_t)sizeof beyond ? "at least " : "", (long long)(expected + got),
                    source->gzip ? " (unpacked)" : "", (long long)expected);
  if (status == MMS_OK && source->gzip) {
    int code = Z_OK;
    (void)gzerror(source->stream, &code);
    if (code == Z_BUF_ERROR)
      return mms_fail(error, MMS_ERR_INPUT,
                      "%s: is cut short: its gzip stream ends before its checksum, after %lld of %lld bytes of data",
                      source->path, (long long)have, (long long)expected);
  }
  return status;
}

static mms_status open_source(idx_source *source, const char *path, mms_error *error) {
  *source = (idx_source){.path = path};
  int64_t bytes = 0;
  mms_status status = mms_file_size(path, &bytes, error);
  if (status != MMS_OK) return status;
  source->stream = gzopen(path, "rb");
  if (source->stream == NULL) return mms_fail(error, MMS_ERR_INPUT, "%s: cannot be opened", path);
  (void)gzbuffer(source->stream, 1 << 17);
  source->gzip = gzdirect(source->stream) == 0;
  return MMS_OK;
}

mms_status mms_idx_read(mms_array *array, const char *path, int *is_bytes, mms_error *error) {
  *array = (mms_array){0};
  idx_source source;
  mms_status status = open_source(&source, path, error);
  if (status != MMS_OK) return status;
  unsigned char *raw = NULL;
  int64_t items = 0, as_doubles = 0;
  status = read_header(&source, error);
  if (status == MMS_OK && !mms_shape_count(source.rank, source.dims, (int64_t)sizeof(double), &items, &as_doubles))
    status = mms_fail(error, MMS_ERR_INPUT, "%s: the shape in its header is not a possible size", path);
  if (status == MMS_OK) status = read_raw(&source, items * source.element.size, &raw, error);
  if (status == MMS_OK) status = mms_array_create(array, source.rank, source.dims, path, error);
  if (status == MMS_OK) {
    mms_element_values(source.element, items, raw, array->values.data);
    if (is_bytes != NULL) *is_bytes = source.element.kind == MMS_ELEMENT_UNSIGNED;
  }
  free(raw);
  gzclose(source.stream);
  return status;
}

int mms_idx_recognise(const char *path) {
  idx_source source;
  if (open_source(&source, path, NULL) != MMS_OK) return 0;
  int recognised = read_header(&source, NULL) == MMS_OK;
  gzclose(source.stream);
  return recognised;
}

const char *mms_idx_zlib(void) { return zlibVersion(); }
