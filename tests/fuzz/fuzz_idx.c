/* IDX files: refused with a reason, or read; and gzip changes nothing of what is said of a file. */
#include "fuzz.h"

#include "mmsold/store/arrays.h"
#include <zlib.h>

/* What a reading came to: the sum stands for the values. */
typedef struct outcome {
  mms_status status;
  int is_bytes, rank;
  int64_t items;
  double sum;
} outcome;

static outcome read_it(fuzz_file *file, const void *data, size_t size) {
  fuzz_file_fill(file, data, size);
  mms_array array;
  mms_error error = mms_error_none();
  outcome out = {.is_bytes = 0};
  int recognised = mms_idx_recognise(file->path);
  out.status = mms_idx_read(&array, file->path, &out.is_bytes, &error);
  if (out.status != MMS_OK) {
    fuzz_demand_refusal(out.status, &error, file->path);
    fuzz_demand(array.values.data == NULL, "nothing is left of a refused file");
    return out;
  }
  fuzz_demand(recognised, "a file that is read is recognised");
  out.rank = array.rank;
  out.items = array.values.rows * array.values.cols;
  for (int64_t i = 0; i < out.items; i++)
    if (isfinite(array.values.data[i])) out.sum += array.values.data[i];
  mms_array_free(&array);
  return out;
}

/* `data` as a gzip file; the stream is made once, since that costs more than all the rest. */
static size_t pack(const uint8_t *data, size_t size, uint8_t *out, size_t room) {
  static z_stream stream;
  static bool ready;
  if (!ready)
    ready = deflateInit2(&stream, 1, Z_DEFLATED, 15 + 16, 1, Z_DEFAULT_STRATEGY) == Z_OK; /* 16: gzip's frame */
  fuzz_demand(ready && deflateReset(&stream) == Z_OK, "zlib packs");
  stream.next_in = (Bytef *)(uintptr_t)data;
  stream.avail_in = (uInt)size;
  stream.next_out = out;
  stream.avail_out = (uInt)room;
  fuzz_demand(deflate(&stream, Z_FINISH) == Z_STREAM_END, "zlib packs all of it");
  return room - stream.avail_out;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static fuzz_file file;
  static uint8_t packed[1 << 17];
  outcome plain = read_it(&file, data, size);
  bool gzip_already = size >= 1 && data[0] == 0x1f; /* read as a stream, and packed again it would be a file of bytes */
  if (gzip_already || size > sizeof packed / 2) return 0;
  outcome unpacked = read_it(&file, packed, pack(data, size, packed, sizeof packed));
  fuzz_demand(plain.status == unpacked.status && plain.rank == unpacked.rank && plain.is_bytes == unpacked.is_bytes &&
                  plain.items == unpacked.items && plain.sum == unpacked.sum,
              "a file and the same file packed read alike");
  return 0;
}
