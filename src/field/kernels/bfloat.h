/* bfloat16 kernels: floats rounded to eight bits, and the products of such numbers, through AMX tiles where this file
 * is compiled for them, and otherwise written out in the same order, which gives the same bits. */
#ifndef FIELD_KERNELS_BFLOAT_H
#define FIELD_KERNELS_BFLOAT_H

#include "field/kernels.h"
#include <math.h>
#include <stdint.h>
#include <string.h>
#if defined(__AVX512F__)
#include <immintrin.h>
#endif

enum {
  BFLOAT_LANES = 16,
  BFLOAT_TILE = MMS_BFLOAT_ROWS * MMS_BFLOAT_BLOCK, /* numbers of a tile, of queries or points */
  BFLOAT_STRIP = 2 * BFLOAT_TILE,                   /* of two tiles of points */
  BFLOAT_LINE = 32                                  /* of a cache's line */
};

/* What is left of the strip of points to come, and how much of it to ask for at a time; all NULL after the last. */
typedef struct bfloat_ahead {
  const uint16_t *next, *end;
  int64_t share; /* lines of the cache */
} bfloat_ahead;

/* Sixteen floats to the nearest bfloat16, ties to even; what would be subnormal is zero, as AMX takes it. q − q̂ is
 * exact in single precision: it has at most 16 bits. Sums of the squares of q − q̂ and q̂ go on. */
#if defined(__AVX512F__)
typedef struct bfloat_sums {
  __m512 away, size;
} bfloat_sums;

static inline bfloat_sums bfloat_none(void) { return (bfloat_sums){_mm512_setzero_ps(), _mm512_setzero_ps()}; }

/* Of the first `count` of them; the others are taken for 0. */
static inline bfloat_sums bfloat_round(const float *q, int64_t count, uint16_t *out, bfloat_sums s) {
  const __mmask16 held = (__mmask16)(count >= BFLOAT_LANES ? 0xffffU : count <= 0 ? 0U : (1U << count) - 1U);
  __m512 from = _mm512_maskz_loadu_ps(held, q);
  __m512i bits = _mm512_castps_si512(from), odd = _mm512_and_si512(_mm512_srli_epi32(bits, 16), _mm512_set1_epi32(1));
  bits = _mm512_add_epi32(bits, _mm512_add_epi32(odd, _mm512_set1_epi32(0x7fff)));
  bits = _mm512_maskz_and_epi32(_mm512_test_epi32_mask(bits, _mm512_set1_epi32(0x7f800000)), bits,
                                _mm512_set1_epi32((int)0xffff0000U));
  _mm256_storeu_si256((void *)out, _mm512_cvtepi32_epi16(_mm512_srli_epi32(bits, 16)));
  __m512 rounded = _mm512_castsi512_ps(bits), off = _mm512_sub_ps(from, rounded);
  s.away = _mm512_add_ps(s.away, _mm512_mul_ps(off, off));
  s.size = _mm512_add_ps(s.size, _mm512_mul_ps(rounded, rounded));
  return s;
}

static inline void bfloat_lanes(const bfloat_sums *s, float *away, float *size) {
  _mm512_storeu_ps(away, s->away);
  _mm512_storeu_ps(size, s->size);
}
#else
typedef struct bfloat_sums {
  float away[BFLOAT_LANES], size[BFLOAT_LANES];
} bfloat_sums;

static inline bfloat_sums bfloat_none(void) { return (bfloat_sums){{0}, {0}}; }

static inline bfloat_sums bfloat_round(const float *q, int64_t count, uint16_t *out, bfloat_sums s) {
  for (int l = 0; l < BFLOAT_LANES; l++) {
    const float from = l < count ? q[l] : 0.0F;
    uint32_t bits;
    float rounded;
    memcpy(&bits, &from, sizeof bits);
    bits = (bits + 0x7fffU + (bits >> 16 & 1U)) & 0xffff0000U;
    bits = (bits & 0x7f800000U) == 0 ? 0 : bits;
    memcpy(&rounded, &bits, sizeof rounded);
    out[l] = (uint16_t)(bits >> 16);
    s.away[l] += (from - rounded) * (from - rounded);
    s.size[l] += rounded * rounded;
  }
  return s;
}

static inline void bfloat_lanes(const bfloat_sums *s, float *away, float *size) {
  memcpy(away, s->away, sizeof s->away);
  memcpy(size, s->size, sizeof s->size);
}
#endif

/* A sum of squares over d numbers in sixteen lanes is off by less than (d/16 + 8) u of itself, u = 2^-24, and its root
 * by half of that; what underflowed is less than d 2^-126. */
static inline double bfloat_norm(float *lanes, int64_t dim) {
  for (int l = 0; l < 8; l++) lanes[l] += lanes[l + 8];
  for (int l = 0; l < 4; l++) lanes[l] += lanes[l + 4];
  double sum = ((double)lanes[0] + (double)lanes[2]) + ((double)lanes[1] + (double)lanes[3]);
  return (sqrt(sum) + (double)dim * 0x1p-63) * (1.0 + (double)(dim + 32) * 0x1p-24);
}

static void bfloat_row(const float *q, int64_t dim, uint16_t *out, double *norms) {
  float away[BFLOAT_LANES], size[BFLOAT_LANES];
  bfloat_sums sums = bfloat_none();
  for (int64_t k = 0; k < dim; k += MMS_BFLOAT_BLOCK, out += BFLOAT_TILE) {
    sums = bfloat_round(q + k, dim - k, out, sums);
    const int64_t rest = dim - k - BFLOAT_LANES;
    sums = bfloat_round(q + k + (rest > 0 ? BFLOAT_LANES : 0), rest, out + BFLOAT_LANES, sums);
  }
  bfloat_lanes(&sums, away, size);
  norms[0] = bfloat_norm(away, dim);
  norms[1] = bfloat_norm(size, dim);
}

#if defined(__AMX_BF16__)

enum { BFLOAT_FAST = 1 };

/* What LDTILECFG reads: eight tiles of sixteen rows of 64 bytes. */
typedef struct bfloat_tiles {
  uint8_t palette, start, reserved[14];
  uint16_t bytes[16];
  uint8_t rows[16];
} bfloat_tiles;

static const bfloat_tiles BFLOAT_TILES = {
    .palette = 1, .bytes = {64, 64, 64, 64, 64, 64, 64, 64}, .rows = {16, 16, 16, 16, 16, 16, 16, 16}};

/* The next strip of points comes from L3 or memory where the set is large: it is asked for, into L2, a share at every
 * block of the strip before it. */
static inline bfloat_ahead bfloat_ask(bfloat_ahead ahead) {
  for (int64_t i = 0; i < ahead.share && ahead.next < ahead.end; i++, ahead.next += BFLOAT_LINE)
    _mm_prefetch((const char *)ahead.next, _MM_HINT_T1);
  return ahead;
}

/* The lines that sums go to, as many at every block as make all of them: a tile stored beyond the first cache takes as
 * long as four products. With few blocks asking would cost more than it saves. */
static inline void bfloat_claim(float *out, int64_t stride, int64_t block, int64_t blocks) {
  enum { LINES = 2 * MMS_BFLOAT_ROWS, PAYS = 8 };
  if (blocks < PAYS) return;
  const int64_t share = (LINES + blocks - 1) / blocks;
  for (int64_t r = block * share; r < (block + 1) * share && r < LINES; r++) {
    __builtin_prefetch(out + r * stride, 1);
    __builtin_prefetch(out + r * stride + BFLOAT_LANES, 1);
  }
}

/* 32 queries against 32 points: tiles 0 to 3 are sums, 4 and 5 queries, 6 and 7 points. Points are met again by the
 * next queries, which pass by without a place in the first cache: the two together would not fit it from 24 blocks on.
 */
static inline bfloat_ahead bfloat_two(const uint16_t *a, int64_t blocks, const uint16_t *b, float *out, int64_t stride,
                                      bfloat_ahead ahead) {
  const uint16_t *below = a + blocks * BFLOAT_TILE;
  const int64_t line = stride * (int64_t)sizeof(float);
  _tile_zero(0);
  _tile_zero(1);
  _tile_zero(2);
  _tile_zero(3);
  for (int64_t k = 0; k < blocks; k++) {
    bfloat_claim(out, stride, k, blocks);
    ahead = bfloat_ask(ahead);
    _tile_stream_loadd(4, a + k * BFLOAT_TILE, 64);
    _tile_loadd(6, b + k * BFLOAT_STRIP, 64);
    _tile_loadd(7, b + k * BFLOAT_STRIP + BFLOAT_TILE, 64);
    _tile_stream_loadd(5, below + k * BFLOAT_TILE, 64);
    _tile_dpbf16ps(0, 4, 6);
    _tile_dpbf16ps(1, 4, 7);
    _tile_dpbf16ps(2, 5, 6);
    _tile_dpbf16ps(3, 5, 7);
  }
  _tile_stored(0, out, line);
  _tile_stored(1, out + 16, line);
  _tile_stored(2, out + 16 * stride, line);
  _tile_stored(3, out + 16 * stride + 16, line);
  return ahead;
}

/* 16 queries. */
static inline void bfloat_one(const uint16_t *a, int64_t blocks, const uint16_t *b, float *out, int64_t stride) {
  const int64_t line = stride * (int64_t)sizeof(float);
  _tile_zero(0);
  _tile_zero(1);
  for (int64_t k = 0; k < blocks; k++) {
    _tile_stream_loadd(4, a + k * BFLOAT_TILE, 64);
    _tile_loadd(6, b + k * BFLOAT_STRIP, 64);
    _tile_loadd(7, b + k * BFLOAT_STRIP + BFLOAT_TILE, 64);
    _tile_dpbf16ps(0, 4, 6);
    _tile_dpbf16ps(1, 4, 7);
  }
  _tile_stored(0, out, line);
  _tile_stored(1, out + 16, line);
}

static void bfloat_begin(void) { _tile_loadconfig(&BFLOAT_TILES); }
static void bfloat_end(void) { _tile_release(); } /* so that a change of context need not save them */

#else

enum { BFLOAT_FAST = 0 };

static inline float bfloat_value(uint16_t half) {
  uint32_t bits = (uint32_t)half << 16;
  float value;
  memcpy(&value, &bits, sizeof value);
  return value;
}

/* As TDPBF16PS (Intel's instruction set reference): in each block of 32 the even and the odd products are summed apart,
 * then together, then onto the sum so far. A product of two eight-bit numbers is exact in single precision, so that a
 * fused product is a plain one. */
static inline void bfloat_line(const uint16_t *a, int64_t blocks, const uint16_t *b, float *out) {
  float sum[BFLOAT_LANES] = {0};
  for (int64_t k = 0; k < blocks; k++) {
    const uint16_t *ak = a + k * BFLOAT_TILE, *bk = b + k * BFLOAT_STRIP;
    float even[BFLOAT_LANES] = {0}, odd[BFLOAT_LANES] = {0};
    for (int p = 0; p < MMS_BFLOAT_BLOCK / 2; p++) {
      const float first = bfloat_value(ak[2 * p]), second = bfloat_value(ak[2 * p + 1]);
      for (int l = 0; l < BFLOAT_LANES; l++) {
        even[l] += first * bfloat_value(bk[(p * BFLOAT_LANES + l) * 2]);
        odd[l] += second * bfloat_value(bk[(p * BFLOAT_LANES + l) * 2 + 1]);
      }
    }
    for (int l = 0; l < BFLOAT_LANES; l++) sum[l] += even[l] + odd[l];
  }
  memcpy(out, sum, sizeof sum);
}

static inline void bfloat_one(const uint16_t *a, int64_t blocks, const uint16_t *b, float *out, int64_t stride) {
  for (int64_t r = 0; r < MMS_BFLOAT_ROWS; r++)
    for (int64_t t = 0; t < 2; t++)
      bfloat_line(a + r * MMS_BFLOAT_BLOCK, blocks, b + t * BFLOAT_TILE, out + r * stride + t * BFLOAT_LANES);
}

static inline bfloat_ahead bfloat_two(const uint16_t *a, int64_t blocks, const uint16_t *b, float *out, int64_t stride,
                                      bfloat_ahead ahead) {
  bfloat_one(a, blocks, b, out, stride);
  bfloat_one(a + blocks * BFLOAT_TILE, blocks, b, out + MMS_BFLOAT_ROWS * stride, stride);
  return ahead;
}

static void bfloat_begin(void) {}
static void bfloat_end(void) {}

#endif

static inline const uint16_t *bfloat_strip(const uint16_t *b, int64_t chunk, int64_t blocks, int64_t first) {
  return b + first / MMS_KERNEL_PAD * chunk + first % MMS_KERNEL_PAD / 32 * blocks * BFLOAT_STRIP;
}

/* 32 points at a time, for all queries. */
static void bfloat_product(const uint16_t *a, int64_t lines, int64_t blocks, const uint16_t *b, int64_t chunk,
                           int64_t width, float *scores, int64_t stride) {
  const int64_t turns = (lines + 2 * MMS_BFLOAT_ROWS - 1) / (2 * MMS_BFLOAT_ROWS),
                lines_a_block = BFLOAT_STRIP / BFLOAT_LINE;
  bfloat_begin();
  for (int64_t first = 0; first < width; first += 32) {
    const uint16_t *strip = bfloat_strip(b, chunk, blocks, first);
    bfloat_ahead ahead = {.share = (lines_a_block + turns - 1) / turns};
    if (first + 32 < width) ahead.next = bfloat_strip(b, chunk, blocks, first + 32);
    if (first + 32 < width) ahead.end = ahead.next + blocks * BFLOAT_STRIP;
    int64_t r = 0;
    for (; r + MMS_BFLOAT_ROWS < lines; r += 2 * MMS_BFLOAT_ROWS)
      ahead = bfloat_two(a + r * blocks * MMS_BFLOAT_BLOCK, blocks, strip, scores + r * stride + first, stride, ahead);
    if (r < lines) bfloat_one(a + r * blocks * MMS_BFLOAT_BLOCK, blocks, strip, scores + r * stride + first, stride);
  }
  bfloat_end();
}

#endif
