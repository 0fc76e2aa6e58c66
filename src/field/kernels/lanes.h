/* Eight doubles, whatever the width of a vector: one lane for each of up to eight draws. With fewer draws, 1, 2 or 4,
 * the lanes hold 8, 4 or 2 points side by side: lane l is draw l % (8/per) of point l / (8/per), `per` points at once.
 */
#ifndef FIELD_KERNELS_LANES_H
#define FIELD_KERNELS_LANES_H

#include "field/kernels.h"
#include "field/kernels/simd.h"
#include "field/kernels/softmax.h"

/* Under sanitizers a function for each dimension would take minutes to compile. */
#if defined(__GNUC__) && !defined(__SANITIZE_ADDRESS__)
#define LANES_UNROLLED 1
#define LANES_INLINE static inline __attribute__((always_inline)) /* so that constant arguments unroll the loops */
#else
#define LANES_UNROLLED 0
#define LANES_INLINE static inline
#endif

enum { LANES_VECTORS = MMS_TREE_LANES / VD_LANES };

typedef struct v8 {
  vd v[LANES_VECTORS];
} v8;

#define LANES_EACH(expression)                                                                                         \
  v8 r;                                                                                                                \
  for (int i = 0; i < LANES_VECTORS; i++) r.v[i] = (expression);                                                       \
  return r
LANES_INLINE v8 v8_load(const double *p) { LANES_EACH(vd_load(p + i * VD_LANES)); }
LANES_INLINE void v8_store(double *p, v8 a) {
  for (int i = 0; i < LANES_VECTORS; i++) vd_store(p + i * VD_LANES, a.v[i]);
}
LANES_INLINE v8 v8_set(double a) { LANES_EACH(vd_set(a)); }
LANES_INLINE v8 v8_add(v8 a, v8 b) { LANES_EACH(vd_add(a.v[i], b.v[i])); }
LANES_INLINE v8 v8_sub(v8 a, v8 b) { LANES_EACH(vd_sub(a.v[i], b.v[i])); }
LANES_INLINE v8 v8_mul(v8 a, v8 b) { LANES_EACH(vd_mul(a.v[i], b.v[i])); }
LANES_INLINE v8 v8_div(v8 a, v8 b) { LANES_EACH(vd_div(a.v[i], b.v[i])); }
LANES_INLINE v8 v8_sqrt(v8 a) { LANES_EACH(vd_sqrt(a.v[i])); }
LANES_INLINE v8 v8_min(v8 a, v8 b) { LANES_EACH(vd_min(a.v[i], b.v[i])); }
LANES_INLINE v8 v8_max(v8 a, v8 b) { LANES_EACH(vd_max(a.v[i], b.v[i])); }
LANES_INLINE v8 v8_fma(v8 a, v8 b, v8 c) { LANES_EACH(vd_fma(a.v[i], b.v[i], c.v[i])); }
LANES_INLINE double v8_largest(v8 a) {
  vd most = a.v[0];
  for (int i = 1; i < LANES_VECTORS; i++) most = vd_max(most, a.v[i]);
  return vd_largest(most);
}
LANES_INLINE double v8_sum(v8 a) {
  vd sum = a.v[0];
  for (int i = 1; i < LANES_VECTORS; i++) sum = vd_add(sum, a.v[i]);
  return vd_sum(sum);
}

/* Points p[0 .. per − 1], each to the lanes of its draws; reads eight of them where per > 1. */
LANES_INLINE v8 v8_spread(const double *p, int per) {
  if (per == 1) return v8_set(p[0]);
  if (per == MMS_TREE_LANES) return v8_load(p);
#if defined(__AVX512F__)
  const __m512i two = _mm512_setr_epi64(0, 0, 0, 0, 1, 1, 1, 1), four = _mm512_setr_epi64(0, 0, 1, 1, 2, 2, 3, 3);
  return (v8){{_mm512_permutexvar_pd(per == 2 ? two : four, _mm512_loadu_pd(p))}};
#elif defined(__AVX2__)
  if (per == 2) return (v8){{_mm256_broadcast_sd(p), _mm256_broadcast_sd(p + 1)}};
  __m256d four = _mm256_loadu_pd(p);
  return (v8){{_mm256_permute4x64_pd(four, 0x50), _mm256_permute4x64_pd(four, 0xfa)}};
#else
  double out[MMS_TREE_LANES] = {0.0};
  for (int l = 0; l < MMS_TREE_LANES; l++) out[l] = p[l * per / MMS_TREE_LANES];
  return v8_load(out);
#endif
}

/* Of each draw the sum, or the largest, over the `per` points of the lanes; in every lane of the draw. */
LANES_INLINE v8 v8_fold(v8 a, int per, bool largest) {
  double in[MMS_TREE_LANES], out[MMS_TREE_LANES] = {0.0};
  if (per == 1) return a;
  v8_store(in, a);
  int draws = MMS_TREE_LANES / per;
  for (int j = 0; j < draws; j++) {
    double all = in[j];
    for (int l = j + draws; l < MMS_TREE_LANES; l += draws) all = !largest ? all + in[l] : in[l] > all ? in[l] : all;
    for (int l = j; l < MMS_TREE_LANES; l += draws) out[l] = all;
  }
  return v8_load(out);
}

/* 2^t with AVX-512: t = n + j/16 + r, |r| <= 1/32, by adding and taking away 1.5·2^48, whose last bit is 1/16; so the
 * last four bits of the sum are j. 2^(j/16) from a table in two registers. 2^r = e^x, x = r ln 2, |x| <= a = ln 2/32:
 * Taylor of degree 7 whose last term is economised with the Chebyshev polynomial T7 (x^7 = (a^7 T7(x/a) + 112 a² x^5
 * − 56 a^4 x^3 + 7 a^6 x)/64), which leaves out at most a^7/(64·7!) = 7e-18, and x^8/8! = 1e-18. Scaling by 2^n is an
 * instruction. */
#if defined(__AVX512F__)
static const double SIXTEENTHS = 0x1.8p48; /* added to t, and taken away again */

/* 2^r = 1 + c1 r + … + c6 r^6 */
typedef struct power_series {
  double c1, c2, c3, c4, c5, c6;
} power_series;

LANES_INLINE power_series power_series_of_two(void) {
  const double l = 0.69314718055994530942, a2 = l * l / 1024.0, f = 1.0 / (64.0 * 5040.0);
  return (power_series){.c1 = l * (1.0 + 7.0 * a2 * a2 * a2 * f),
                        .c2 = l * l / 2.0,
                        .c3 = l * l * l * (1.0 / 6.0 - 56.0 * a2 * a2 * f),
                        .c4 = l * l * l * l / 24.0,
                        .c5 = l * l * l * l * l * (1.0 / 120.0 + 112.0 * a2 * f),
                        .c6 = l * l * l * l * l * l / 720.0};
}

/* 2^(j/16), j the last four bits of the sum t + SIXTEENTHS. */
LANES_INLINE vd vd_root(vd sum) {
  const __m512d low = _mm512_setr_pd(1.0, 1.0442737824274138, 1.0905077326652577, 1.1387886347566916, 1.189207115002721,
                                     1.241857812073484, 1.2968395546510096, 1.3542555469368927);
  const __m512d high = _mm512_setr_pd(1.4142135623730951, 1.4768261459394993, 1.5422108254079407, 1.6104903319492543,
                                      1.681792830507429, 1.7562521603732995, 1.8340080864093424, 1.9152065613971474);
  return _mm512_permutex2var_pd(low, _mm512_castpd_si512(sum), high);
}
#endif

/* 2^t for -200 < t <= 1000, and 0 below, before anything can become a denormal number (which are slow): weights of
 * 2^-200 count nowhere.
 *
 * AVX-512: as above. Else: t = n + r, |r| <= 1/2, and e^(r ln 2) by `exponential`'s polynomial. */
LANES_INLINE vd vd_power(vd t) {
#if defined(__AVX512F__)
  const power_series p = power_series_of_two();
  const __m512d magic = _mm512_set1_pd(SIXTEENTHS);
  __m512d m = _mm512_add_pd(t, magic), n = _mm512_sub_pd(m, magic), r = _mm512_sub_pd(t, n);
  __m512d root = vd_root(m), r2 = _mm512_mul_pd(r, r);
  __m512d c12 = vd_fma(r, vd_set(p.c2), vd_set(p.c1));
  __m512d c34 = vd_fma(r, vd_set(p.c4), vd_set(p.c3));
  __m512d c56 = vd_fma(r, vd_set(p.c6), vd_set(p.c5));
  __m512d sum = vd_fma(r2, vd_fma(r2, c56, c34), c12);
  return _mm512_maskz_scalef_pd(_mm512_cmp_pd_mask(t, _mm512_set1_pd(-200.0), _CMP_GT_OQ),
                                vd_fma(vd_mul(root, r), sum, root), n);
#else
  const vd magic = vd_set(6755399441055744.0), least = vd_set(-200.0), l = vd_set(0.69314718055994530942);
  vd clamped = vd_max(t, least);
  vd n = vd_sub(vd_add(clamped, magic), magic), x = vd_mul(vd_sub(clamped, n), l);
  return vd_where_greater(t, least, vd_mul(exponential_part(x), vd_power_of_two(n)));
#endif
}

LANES_INLINE v8 v8_power(v8 a) { LANES_EACH(vd_power(a.v[i])); }
#undef LANES_EACH

#endif
