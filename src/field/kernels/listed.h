/* Single-precision products of a few queries with listed points, from rows of floats or of bfloat16. */
#ifndef FIELD_KERNELS_LISTED_H
#define FIELD_KERNELS_LISTED_H

#include "base/clones.h"
#include "field/kernels.h"
#include "field/kernels/simd.h"
#include "mmsold/base/memory.h"
#include <stddef.h>

enum {
  LISTED_MOST = 4, /* queries at a time: a row's numbers are made floats once for each of these */
  LISTED_AHEAD = 2 /* rows */
};

MMS_INLINE vf listed_load(const float *single, const uint16_t *half, int64_t at) {
  return half != NULL ? vf_from_bfloat(half + at) : vf_load(single + at);
}

/* The row that begins at `at`, and comes later, is asked for: rows are too short for the processor to see it coming. */
MMS_INLINE void listed_fetch(const float *single, const uint16_t *half, int64_t at, int64_t stride) {
  const char *row = half != NULL ? (const char *)(half + at) : (const char *)(single + at);
  const int64_t bytes = stride * (int64_t)(half != NULL ? sizeof *half : sizeof *single);
  for (int64_t k = 0; k < bytes; k += MMS_ALIGNMENT) __builtin_prefetch(row + k);
}

/* `lines` <= LISTED_MOST queries q with the row that begins at `at`; two sums of each, so that additions need not wait
 * for each other. */
MMS_INLINE void listed_row(const float *single, const uint16_t *half, int64_t at, int64_t stride, const float *q,
                           int lines, float *out, int64_t width) {
  vf even[LISTED_MOST], odd[LISTED_MOST];
  for (int l = 0; l < lines; l++) even[l] = odd[l] = vf_set(0.0F);
  int64_t k = 0;
  for (; k + 2 * VF_LANES <= stride; k += 2 * VF_LANES) {
    vf first = listed_load(single, half, at + k), second = listed_load(single, half, at + k + VF_LANES);
    for (int l = 0; l < lines; l++) {
      even[l] = vf_fma(first, vf_load(q + l * stride + k), even[l]);
      odd[l] = vf_fma(second, vf_load(q + l * stride + k + VF_LANES), odd[l]);
    }
  }
  for (; k < stride; k += VF_LANES) {
    vf rest = listed_load(single, half, at + k);
    for (int l = 0; l < lines; l++) even[l] = vf_fma(rest, vf_load(q + l * stride + k), even[l]);
  }
  for (int l = 0; l < lines; l++) out[l * width] = vf_total(vf_add(even[l], odd[l]));
}

MMS_INLINE void listed_in(const float *single, const uint16_t *half, int64_t stride, const int32_t *index,
                          int64_t count, const float *queries, int64_t lines, float *out, int64_t width) {
  for (int64_t i = 0; i < count; i++) {
    int64_t at = (int64_t)index[i] * stride, l = 0;
    if (i + LISTED_AHEAD < count) listed_fetch(single, half, (int64_t)index[i + LISTED_AHEAD] * stride, stride);
    for (; l + LISTED_MOST <= lines; l += LISTED_MOST)
      listed_row(single, half, at, stride, queries + l * stride, LISTED_MOST, out + l * width + i, width);
    for (; l + 2 <= lines; l += 2)
      listed_row(single, half, at, stride, queries + l * stride, 2, out + l * width + i, width);
    if (l < lines) listed_row(single, half, at, stride, queries + l * stride, 1, out + l * width + i, width);
  }
}

static void listed_products(const float *single, const uint16_t *half, int64_t stride, const int32_t *index,
                            int64_t count, const float *queries, int64_t lines, float *out, int64_t width) {
  if (half != NULL)
    listed_in(NULL, half, stride, index, count, queries, lines, out, width);
  else
    listed_in(single, NULL, stride, index, count, queries, lines, out, width);
}

#endif
