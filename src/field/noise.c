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

void mms_noise_draw_rows(const mms_queries *queries, const int64_t *rows, int64_t count, int64_t dim, float *out) {
  const mms_random_key key = mms_noise_key(queries, 0, MMS_STREAM_SMOOTHING);
  uint64_t items[MMS_NOISE_ROWS];
  for (int64_t i = 0; i < count; i++) items[i] = (uint64_t)(queries->first_particle + rows[i]);
  mms_random_normals_list_float(key, items, count, queries->pairs * dim, out);
}
