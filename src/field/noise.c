#include "field/noise.h"

mms_random_key mms_noise_key(const mms_queries *queries, int64_t row, mms_stream stream) {
  mms_random_key key = {.seed = queries->seed, .stream = stream};
  key.step = queries->noise == MMS_NOISE_FIXED ? 0 : queries->step;
  if (queries->sharing == MMS_SHARING_PARTICLE) key.item = (uint64_t)(queries->first_particle + row);
  if (queries->sharing == MMS_SHARING_BLOCK) key.item = (uint64_t)queries->block;
  return key;
}

void mms_noise_draw(const mms_queries *queries, int64_t row, int64_t first, int64_t pairs, int64_t dim, float *out) {
  mms_random_key key = mms_noise_key(queries, row, MMS_STREAM_SMOOTHING);
  mms_random_normals_float(key, first * dim, pairs * dim, out);
}

void mms_noise_draw_rows(const mms_queries *queries, int64_t from, int64_t count, int64_t dim, float *out) {
  mms_random_key key = {.seed = queries->seed, .stream = MMS_STREAM_SMOOTHING};
  key.step = queries->noise == MMS_NOISE_FIXED ? 0 : queries->step;
  key.item = (uint64_t)(queries->first_particle + from);
  mms_random_normals_items_float(key, count, queries->pairs * dim, out);
}
