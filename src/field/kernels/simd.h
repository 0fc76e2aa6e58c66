/* Vectors of floats (vf) and doubles (vd) and the few operations the kernels need, for the instruction set this file
 * is compiled for. Loads and stores are unaligned ones: they cost nothing on aligned memory. */
#ifndef FIELD_KERNELS_SIMD_H
#define FIELD_KERNELS_SIMD_H

#include <math.h>
#include <stdint.h>
#include <string.h>

#if defined(__AVX512F__)
#include <immintrin.h>
enum { VF_LANES = 16, VD_LANES = 8 };
typedef __m512 vf;
typedef __m512d vd;
static inline vf vf_load(const float *p) { return _mm512_loadu_ps(p); }
static inline void vf_store(float *p, vf a) { _mm512_storeu_ps(p, a); }
static inline vf vf_set(float a) { return _mm512_set1_ps(a); }
static inline vf vf_add(vf a, vf b) { return _mm512_add_ps(a, b); }
static inline vf vf_sub(vf a, vf b) { return _mm512_sub_ps(a, b); }
static inline vf vf_mul(vf a, vf b) { return _mm512_mul_ps(a, b); }
static inline vf vf_fma(vf a, vf b, vf c) { return _mm512_fmadd_ps(a, b, c); }
static inline vf vf_fnma(vf a, vf b, vf c) { return _mm512_fnmadd_ps(a, b, c); }
static inline float vf_fma_one(float a, float b, float c) { return __builtin_fmaf(a, b, c); } /* as a lane of vf_fma */
static inline vf vf_max(vf a, vf b) { return _mm512_max_ps(a, b); }
static inline float vf_largest(vf a) { return _mm512_reduce_max_ps(a); }
static inline float vf_total(vf a) { return _mm512_reduce_add_ps(a); }
static inline vf vf_from_bfloat(const uint16_t *p) {
  __m512i wide = _mm512_cvtepu16_epi32(_mm256_loadu_si256((const void *)p));
  return _mm512_castsi512_ps(_mm512_slli_epi32(wide, 16));
}
static inline uint32_t vf_greater(vf a, vf b) { return _mm512_cmp_ps_mask(a, b, _CMP_GT_OQ); }
static inline uint32_t vf_at_least(vf a, vf b) { return _mm512_cmp_ps_mask(a, b, _CMP_GE_OQ); }
static inline vd vd_load(const double *p) { return _mm512_loadu_pd(p); }
static inline void vd_store(double *p, vd a) { _mm512_storeu_pd(p, a); }
static inline vd vd_from_float(const float *p) { return _mm512_cvtps_pd(_mm256_loadu_ps(p)); }
static inline void vd_to_float(float *p, vd a) { _mm256_storeu_ps(p, _mm512_cvtpd_ps(a)); }
static inline vd vd_set(double a) { return _mm512_set1_pd(a); }
static inline vd vd_add(vd a, vd b) { return _mm512_add_pd(a, b); }
static inline vd vd_sub(vd a, vd b) { return _mm512_sub_pd(a, b); }
static inline vd vd_mul(vd a, vd b) { return _mm512_mul_pd(a, b); }
static inline vd vd_fma(vd a, vd b, vd c) { return _mm512_fmadd_pd(a, b, c); }
static inline vd vd_fnma(vd a, vd b, vd c) { return _mm512_fnmadd_pd(a, b, c); }
static inline vd vd_max(vd a, vd b) { return _mm512_max_pd(a, b); }
static inline vd vd_min(vd a, vd b) { return _mm512_min_pd(a, b); }
static inline vd vd_div(vd a, vd b) { return _mm512_div_pd(a, b); }
static inline vd vd_sqrt(vd a) { return _mm512_sqrt_pd(a); }
static inline double vd_largest(vd a) { return _mm512_reduce_max_pd(a); }
static inline double vd_sum(vd a) { return _mm512_reduce_add_pd(a); }
static inline uint32_t vd_greater(vd a, vd b) { return _mm512_cmp_pd_mask(a, b, _CMP_GT_OQ); }
/* Lane 0 as a number, and in every lane. */
static inline double vd_lane(vd a) { return _mm512_cvtsd_f64(a); }
static inline vd vd_first(vd a) { return _mm512_broadcastsd_pd(_mm512_castpd512_pd128(a)); }
/* a where t > cut, else 0 */
static inline vd vd_where_greater(vd t, vd cut, vd a) {
  return _mm512_maskz_mov_pd(_mm512_cmp_pd_mask(t, cut, _CMP_GT_OQ), a);
}
/* Write base + lane of the lanes set in `mask` to p (which has room for VF_LANES); returns how many. */
static inline int64_t vf_compress(int32_t *p, uint32_t mask, int32_t base) {
  const __m512i lanes = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
  __m512i index = _mm512_add_epi32(lanes, _mm512_set1_epi32(base));
  _mm512_storeu_si512(p, _mm512_maskz_compress_epi32((__mmask16)mask, index));
  return __builtin_popcount(mask);
}
/* Write the lanes set in `mask` to p (which has room for VF_LANES), in order: of a, or of integers in memory. */
static inline void vf_pack(float *p, uint32_t mask, vf a) {
  _mm512_storeu_ps(p, _mm512_maskz_compress_ps((__mmask16)mask, a));
}
static inline void vi_pack(int32_t *p, uint32_t mask, const int32_t *from) {
  _mm512_storeu_si512(p, _mm512_maskz_compress_epi32((__mmask16)mask, _mm512_loadu_si512(from)));
}
/* Write the lanes set in `mask` to p (which has room for VD_LANES), in order; returns how many. */
static inline int64_t vd_compress(double *p, uint32_t mask, vd a) {
  _mm512_storeu_pd(p, _mm512_maskz_compress_pd((__mmask8)mask, a));
  return __builtin_popcount(mask);
}

#elif defined(__AVX2__)
#include <immintrin.h>
enum { VF_LANES = 8, VD_LANES = 4 };
typedef __m256 vf;
typedef __m256d vd;
static inline vf vf_load(const float *p) { return _mm256_loadu_ps(p); }
static inline void vf_store(float *p, vf a) { _mm256_storeu_ps(p, a); }
static inline vf vf_set(float a) { return _mm256_set1_ps(a); }
static inline vf vf_add(vf a, vf b) { return _mm256_add_ps(a, b); }
static inline vf vf_sub(vf a, vf b) { return _mm256_sub_ps(a, b); }
static inline vf vf_mul(vf a, vf b) { return _mm256_mul_ps(a, b); }
static inline vf vf_fma(vf a, vf b, vf c) { return _mm256_fmadd_ps(a, b, c); }
static inline vf vf_fnma(vf a, vf b, vf c) { return _mm256_fnmadd_ps(a, b, c); }
static inline float vf_fma_one(float a, float b, float c) { return __builtin_fmaf(a, b, c); } /* as a lane of vf_fma */
static inline vf vf_max(vf a, vf b) { return _mm256_max_ps(a, b); }
static inline float vf_largest(vf a) {
  __m128 m = _mm_max_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
  m = _mm_max_ps(m, _mm_movehl_ps(m, m));
  return _mm_cvtss_f32(_mm_max_ss(m, _mm_movehdup_ps(m)));
}
static inline float vf_total(vf a) {
  __m128 s = _mm_add_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
  s = _mm_add_ps(s, _mm_movehl_ps(s, s));
  return _mm_cvtss_f32(_mm_add_ss(s, _mm_movehdup_ps(s)));
}
static inline vf vf_from_bfloat(const uint16_t *p) {
  __m256i wide = _mm256_cvtepu16_epi32(_mm_loadu_si128((const void *)p));
  return _mm256_castsi256_ps(_mm256_slli_epi32(wide, 16));
}
static inline uint32_t vf_greater(vf a, vf b) { return (uint32_t)_mm256_movemask_ps(_mm256_cmp_ps(a, b, _CMP_GT_OQ)); }
static inline uint32_t vf_at_least(vf a, vf b) { return (uint32_t)_mm256_movemask_ps(_mm256_cmp_ps(a, b, _CMP_GE_OQ)); }
static inline vd vd_load(const double *p) { return _mm256_loadu_pd(p); }
static inline void vd_store(double *p, vd a) { _mm256_storeu_pd(p, a); }
static inline vd vd_from_float(const float *p) { return _mm256_cvtps_pd(_mm_loadu_ps(p)); }
static inline void vd_to_float(float *p, vd a) { _mm_storeu_ps(p, _mm256_cvtpd_ps(a)); }
static inline vd vd_set(double a) { return _mm256_set1_pd(a); }
static inline vd vd_add(vd a, vd b) { return _mm256_add_pd(a, b); }
static inline vd vd_sub(vd a, vd b) { return _mm256_sub_pd(a, b); }
static inline vd vd_mul(vd a, vd b) { return _mm256_mul_pd(a, b); }
static inline vd vd_fma(vd a, vd b, vd c) { return _mm256_fmadd_pd(a, b, c); }
static inline vd vd_fnma(vd a, vd b, vd c) { return _mm256_fnmadd_pd(a, b, c); }
static inline vd vd_max(vd a, vd b) { return _mm256_max_pd(a, b); }
static inline vd vd_min(vd a, vd b) { return _mm256_min_pd(a, b); }
static inline vd vd_div(vd a, vd b) { return _mm256_div_pd(a, b); }
static inline vd vd_sqrt(vd a) { return _mm256_sqrt_pd(a); }
static inline double vd_largest(vd a) {
  __m128d m = _mm_max_pd(_mm256_castpd256_pd128(a), _mm256_extractf128_pd(a, 1));
  return _mm_cvtsd_f64(_mm_max_sd(m, _mm_unpackhi_pd(m, m)));
}
static inline double vd_sum(vd a) {
  __m128d s = _mm_add_pd(_mm256_castpd256_pd128(a), _mm256_extractf128_pd(a, 1));
  return _mm_cvtsd_f64(_mm_add_sd(s, _mm_unpackhi_pd(s, s)));
}
static inline uint32_t vd_greater(vd a, vd b) { return (uint32_t)_mm256_movemask_pd(_mm256_cmp_pd(a, b, _CMP_GT_OQ)); }
static inline vd vd_where_greater(vd t, vd cut, vd a) { return _mm256_and_pd(_mm256_cmp_pd(t, cut, _CMP_GT_OQ), a); }
static inline double vd_lane(vd a) { return _mm256_cvtsd_f64(a); }
static inline vd vd_first(vd a) { return _mm256_broadcastsd_pd(_mm256_castpd256_pd128(a)); }

#else /* any processor: four lanes written out, for the compiler to map on what it has */
enum { VF_LANES = 4, VD_LANES = 4 };
typedef struct vf {
  float v[4];
} vf;
typedef struct vd {
  double v[4];
} vd;
#define LANES(type, expression)                                                                                        \
  type r;                                                                                                              \
  for (int l = 0; l < 4; l++) r.v[l] = (expression);                                                                   \
  return r
static inline vf vf_load(const float *p) { LANES(vf, p[l]); }
static inline void vf_store(float *p, vf a) { memcpy(p, a.v, sizeof a.v); }
static inline vf vf_set(float a) { LANES(vf, a); }
static inline vf vf_add(vf a, vf b) { LANES(vf, a.v[l] + b.v[l]); }
static inline vf vf_sub(vf a, vf b) { LANES(vf, a.v[l] - b.v[l]); }
static inline vf vf_mul(vf a, vf b) { LANES(vf, a.v[l] * b.v[l]); }
static inline vf vf_fma(vf a, vf b, vf c) { LANES(vf, a.v[l] * b.v[l] + c.v[l]); }
static inline vf vf_fnma(vf a, vf b, vf c) { LANES(vf, c.v[l] - a.v[l] * b.v[l]); }
static inline float vf_fma_one(float a, float b, float c) { return a * b + c; }
static inline vf vf_max(vf a, vf b) { LANES(vf, a.v[l] > b.v[l] ? a.v[l] : b.v[l]); }
static inline float vf_largest(vf a) {
  float low = a.v[0] > a.v[1] ? a.v[0] : a.v[1], high = a.v[2] > a.v[3] ? a.v[2] : a.v[3];
  return low > high ? low : high;
}
static inline float vf_total(vf a) { return (a.v[0] + a.v[2]) + (a.v[1] + a.v[3]); }
static inline vf vf_from_bfloat(const uint16_t *p) {
  vf r;
  for (int l = 0; l < 4; l++) {
    uint32_t bits = (uint32_t)p[l] << 16;
    memcpy(&r.v[l], &bits, sizeof bits);
  }
  return r;
}
static inline uint32_t vf_greater(vf a, vf b) {
  uint32_t mask = 0;
  for (int l = 0; l < 4; l++) mask |= (uint32_t)(a.v[l] > b.v[l]) << l;
  return mask;
}
static inline uint32_t vf_at_least(vf a, vf b) {
  uint32_t mask = 0;
  for (int l = 0; l < 4; l++) mask |= (uint32_t)(a.v[l] >= b.v[l]) << l;
  return mask;
}
static inline vd vd_load(const double *p) { LANES(vd, p[l]); }
static inline void vd_store(double *p, vd a) { memcpy(p, a.v, sizeof a.v); }
static inline vd vd_from_float(const float *p) { LANES(vd, (double)p[l]); }
static inline void vd_to_float(float *p, vd a) {
  for (int l = 0; l < 4; l++) p[l] = (float)a.v[l];
}
static inline vd vd_set(double a) { LANES(vd, a); }
static inline vd vd_add(vd a, vd b) { LANES(vd, a.v[l] + b.v[l]); }
static inline vd vd_sub(vd a, vd b) { LANES(vd, a.v[l] - b.v[l]); }
static inline vd vd_mul(vd a, vd b) { LANES(vd, a.v[l] * b.v[l]); }
static inline vd vd_fma(vd a, vd b, vd c) { LANES(vd, a.v[l] * b.v[l] + c.v[l]); }
static inline vd vd_fnma(vd a, vd b, vd c) { LANES(vd, c.v[l] - a.v[l] * b.v[l]); }
static inline vd vd_max(vd a, vd b) { LANES(vd, a.v[l] > b.v[l] ? a.v[l] : b.v[l]); }
static inline vd vd_min(vd a, vd b) { LANES(vd, a.v[l] < b.v[l] ? a.v[l] : b.v[l]); }
static inline vd vd_div(vd a, vd b) { LANES(vd, a.v[l] / b.v[l]); }
static inline vd vd_sqrt(vd a) { LANES(vd, sqrt(a.v[l])); }
static inline double vd_largest(vd a) {
  double low = a.v[0] > a.v[1] ? a.v[0] : a.v[1], high = a.v[2] > a.v[3] ? a.v[2] : a.v[3];
  return low > high ? low : high;
}
static inline double vd_sum(vd a) { return (a.v[0] + a.v[2]) + (a.v[1] + a.v[3]); }
static inline uint32_t vd_greater(vd a, vd b) {
  uint32_t mask = 0;
  for (int l = 0; l < 4; l++) mask |= (uint32_t)(a.v[l] > b.v[l]) << l;
  return mask;
}
static inline vd vd_where_greater(vd t, vd cut, vd a) { LANES(vd, t.v[l] > cut.v[l] ? a.v[l] : 0.0); }
static inline double vd_lane(vd a) { return a.v[0]; }
static inline vd vd_first(vd a) { LANES(vd, a.v[0]); }
#undef LANES
#endif

#if !defined(__AVX512F__)
static inline int64_t vf_compress(int32_t *p, uint32_t mask, int32_t base) {
  int64_t count = 0;
  for (; mask != 0; mask &= mask - 1) p[count++] = base + __builtin_ctz(mask);
  return count;
}
static inline void vf_pack(float *p, uint32_t mask, vf a) {
  float lanes[VF_LANES];
  vf_store(lanes, a);
  for (; mask != 0; mask &= mask - 1) *p++ = lanes[__builtin_ctz(mask)];
}
static inline void vi_pack(int32_t *p, uint32_t mask, const int32_t *from) {
  for (; mask != 0; mask &= mask - 1) *p++ = from[__builtin_ctz(mask)];
}
static inline int64_t vd_compress(double *p, uint32_t mask, vd a) {
  double lanes[VD_LANES];
  int64_t count = 0;
  vd_store(lanes, a);
  for (; mask != 0; mask &= mask - 1) p[count++] = lanes[__builtin_ctz(mask)];
  return count;
}
#endif

/* 2^n p for integers n held in doubles, |n| < 1000, 0.5 < p < 2: n goes into the exponent bits. Adding
 * `1.5·2^52 + 1023` puts n + 1023 into the low bits of the mantissa, a shift by 52 makes them an exponent. */
static inline vd vd_power_of_two(vd n) {
#if defined(__AVX512F__)
  __m512i bits = _mm512_castpd_si512(_mm512_add_pd(n, _mm512_set1_pd(6755399441055744.0 + 1023.0)));
  return _mm512_castsi512_pd(_mm512_slli_epi64(bits, 52));
#elif defined(__AVX2__)
  __m256i bits = _mm256_castpd_si256(_mm256_add_pd(n, _mm256_set1_pd(6755399441055744.0 + 1023.0)));
  return _mm256_castsi256_pd(_mm256_slli_epi64(bits, 52));
#else
  for (int l = 0; l < 4; l++) {
    double shifted = n.v[l] + (6755399441055744.0 + 1023.0);
    uint64_t bits;
    memcpy(&bits, &shifted, sizeof bits);
    bits <<= 52;
    memcpy(&n.v[l], &bits, sizeof bits);
  }
  return n;
#endif
}

#endif
