/* Single-precision kernels: which points can matter. */
#ifndef FIELD_KERNELS_SCREEN_H
#define FIELD_KERNELS_SCREEN_H

#include "field/kernels.h"
#include "field/kernels/simd.h"
#include <float.h>
#include <stddef.h>

/* a_i = z·x_i − |x_i|²/2 (ALGORITHMS 1, useful identity), by coordinate, two vectors at a time. Inlined below with
 * constant dimensions, so that the coordinates of z stay in registers. */
static inline float scores_in(const float *x, const float *half, int64_t width, int64_t dim, const float *z, float *a) {
  vf top0 = vf_set(-FLT_MAX), top1 = top0, zero = vf_set(0.0F);
  for (int64_t i = 0; i < width; i += 2 * VF_LANES) {
    vf s0 = vf_sub(zero, vf_load(half + i)), s1 = vf_sub(zero, vf_load(half + i + VF_LANES));
    for (int64_t k = 0; k < dim; k++) {
      s0 = vf_fma(vf_set(z[k]), vf_load(x + k * width + i), s0);
      s1 = vf_fma(vf_set(z[k]), vf_load(x + k * width + i + VF_LANES), s1);
    }
    vf_store(a + i, s0);
    vf_store(a + i + VF_LANES, s1);
    top0 = vf_max(top0, s0);
    top1 = vf_max(top1, s1);
  }
  return vf_largest(vf_max(top0, top1));
}

static float scores(const float *x, const float *half, int64_t width, int64_t dim, const float *z, float *a) {
  float near[3] = {z[0], dim > 1 ? z[1] : 0.0F, dim > 2 ? z[2] : 0.0F}; /* a copy: stores to `a` can't change it */
  if (dim == 1) return scores_in(x, half, width, 1, near, a);
  if (dim == 2) return scores_in(x, half, width, 2, near, a);
  if (dim == 3) return scores_in(x, half, width, 3, near, a);
  return scores_in(x, half, width, dim, z, a);
}

static int64_t select_points(const float *a, int64_t width, float threshold, int32_t *index) {
  vf limit = vf_set(threshold);
  int64_t count = 0;
  for (int64_t i = 0; i < width; i += VF_LANES) {
    uint32_t mask = vf_at_least(vf_load(a + i), limit);
    if (mask != 0) count += vf_compress(index + count, mask, (int32_t)i);
  }
  return count;
}

static inline int64_t count_reaching(const float *a, int64_t width, float score) {
  vf limit = vf_set(score);
  int64_t count = 0;
  for (int64_t i = 0; i < width; i += VF_LANES) count += __builtin_popcount(vf_at_least(vf_load(a + i), limit));
  return count;
}

/* Between the least of the first k, which k reach, and the largest: an eighth too many is near enough. */
static float reached(const float *a, int64_t width, int64_t k) {
  float low = a[0], high;
  for (int64_t i = 1; i < k; i++) low = a[i] < low ? a[i] : low;
  vf top = vf_load(a);
  for (int64_t i = VF_LANES; i < width; i += VF_LANES) top = vf_max(top, vf_load(a + i));
  high = vf_largest(top);
  for (int halving = 0; halving < 24; halving++) {
    float middle = low + 0.5F * (high - low);
    int64_t count = count_reaching(a, width, middle);
    if (count < k)
      high = middle;
    else
      low = middle;
    if (count >= k && count <= k + k / 8) break;
  }
  return low;
}

/* Down and up by a step or two, as in float_bounds.h. */
static inline vf vf_away(vf a, float sign) {
  const vf size = vf_max(a, vf_sub(vf_set(0.0F), a));
  return vf_fma(vf_set(sign), vf_fma(size, vf_set(0x1p-23F), vf_set(FLT_MIN)), a);
}

static int64_t list_points(const float *a, const float *half, const float *norm, const float *off, int64_t width,
                           float threshold, const float *bound, int32_t first, float *low, float *high,
                           int32_t *points) {
  const vf limit = vf_set(threshold), size = vf_set(bound[0]), length = vf_set(bound[1]), single = vf_set(bound[2]);
  int64_t count = 0;
  for (int64_t i = 0; i < width; i += VF_LANES) {
    const vf score = vf_sub(vf_load(a + i), vf_load(half + i));
    vf error = single;
    if (off != NULL) error = vf_fma(size, vf_load(norm + i), vf_fma(length, vf_load(off + i), error));
    const uint32_t mask = vf_at_least(vf_add(score, error), limit);
    if (mask == 0) continue;
    vf_pack(low + count, mask, vf_away(vf_sub(score, error), -1.0F));
    vf_pack(high + count, mask, vf_away(vf_add(score, error), 1.0F));
    count += vf_compress(points + count, mask, first + (int32_t)i);
  }
  return count;
}

static int64_t keep_points(float *low, float *high, int32_t *points, int64_t count, float least) {
  int64_t kept = 0;
  for (int64_t i = 0; i < count; i += VF_LANES) {
    const vf l = vf_load(low + i), h = vf_load(high + i);
    uint32_t mask = vf_at_least(h, vf_set(least));
    if (count - i < VF_LANES) mask &= (1U << (count - i)) - 1U;
    if (mask == 0) continue;
    vf_pack(low + kept, mask, l); /* never beyond what was read */
    vf_pack(high + kept, mask, h);
    vi_pack(points + kept, mask, points + i);
    kept += __builtin_popcount(mask);
  }
  return kept;
}

static void subtract(float *a, const float *half, int64_t width) {
  for (int64_t i = 0; i < width; i += VF_LANES) vf_store(a + i, vf_sub(vf_load(a + i), vf_load(half + i)));
}

/* Append the points of one chunk that clear the limits, of one sign and then of the other: mostly it is one. Returns
 * the new count. */
static inline int64_t append(const float *a, const float *b, float beta, const float *limit, int32_t first,
                             int32_t draw, mms_candidate *out, int64_t count) {
  const vf scale = vf_set(beta), limit_plus = vf_set(limit[0]), limit_minus = vf_set(limit[1]);
  uint64_t plus = 0, minus = 0;
  for (int i = 0; i < MMS_KERNEL_PAD; i += VF_LANES) {
    vf av = vf_load(a + i), bv = vf_load(b + i);
    plus |= (uint64_t)vf_greater(vf_fma(scale, bv, av), limit_plus) << i;
    minus |= (uint64_t)vf_greater(vf_fnma(scale, bv, av), limit_minus) << i;
  }
  while ((plus | minus) != 0) {
    const int sign = plus != 0 ? 0 : 1;
    const uint64_t mask = plus != 0 ? plus : minus;
    const int i = __builtin_ctzll(mask);
    plus &= plus - (plus != 0);
    minus = sign == 0 ? minus : minus & (minus - 1);
    out[count++] = (mms_candidate){first + i, draw + sign, vf_fma_one(sign == 0 ? beta : -beta, b[i], a[i]), 0.0F};
  }
  return count;
}

/* s± = a ± β b. First the largest of every chunk, kept as vectors; where none clears the limit as it was, which is most
 * tiles, that is all; else the limit rises, and only chunks that clear it are read again. */
static int64_t screen(const float *a, const float *b, float beta, int64_t width, float margin, float *top,
                      int32_t first, int32_t draw, mms_candidate *out, int64_t room) {
  enum { CHUNKS = 1024 / MMS_KERNEL_PAD };
  vf plus[CHUNKS], minus[CHUNKS], scale = vf_set(beta);
  vf top_plus = vf_set(-FLT_MAX), top_minus = top_plus;
  int64_t chunks = width / MMS_KERNEL_PAD;
  for (int64_t c = 0; c < chunks; c++) {
    const float *ac = a + c * MMS_KERNEL_PAD, *bc = b + c * MMS_KERNEL_PAD;
    vf av = vf_load(ac), bv = vf_load(bc), high = vf_fma(scale, bv, av), low = vf_fnma(scale, bv, av);
    for (int64_t i = VF_LANES; i < MMS_KERNEL_PAD; i += VF_LANES) {
      av = vf_load(ac + i);
      bv = vf_load(bc + i);
      high = vf_max(high, vf_fma(scale, bv, av));
      low = vf_max(low, vf_fnma(scale, bv, av));
    }
    plus[c] = high;
    minus[c] = low;
    top_plus = vf_max(top_plus, high);
    top_minus = vf_max(top_minus, low);
  }
  if ((vf_greater(top_plus, vf_set(top[0] - margin)) | vf_greater(top_minus, vf_set(top[1] - margin))) == 0) return 0;
  top[0] = vf_largest(vf_max(top_plus, vf_set(top[0])));
  top[1] = vf_largest(vf_max(top_minus, vf_set(top[1])));
  const float limit[2] = {top[0] - margin, top[1] - margin};
  const vf limit_plus = vf_set(limit[0]), limit_minus = vf_set(limit[1]);
  uint32_t clear = 0; /* which chunks: found without a branch */
  for (int64_t c = 0; c < chunks; c++)
    clear |= (uint32_t)((vf_greater(plus[c], limit_plus) | vf_greater(minus[c], limit_minus)) != 0) << c;
  int64_t count = 0;
  for (; clear != 0; clear &= clear - 1) {
    const int32_t at = __builtin_ctz(clear) * MMS_KERNEL_PAD;
    if (count + 2 * MMS_KERNEL_PAD > room) return -1;
    count = append(a + at, b + at, beta, limit, first + at, draw, out, count);
  }
  return count;
}

static double square(const float *v, int64_t count) {
  vd sum = vd_set(0.0);
  int64_t i = 0;
  for (; i + VD_LANES <= count; i += VD_LANES) {
    vd a = vd_from_float(v + i);
    sum = vd_fma(a, a, sum);
  }
  double total = vd_sum(sum);
  for (; i < count; i++) total += (double)v[i] * (double)v[i];
  return total;
}

#endif
