/* Box-Muller in single precision; see box_muller.c. Four words make two pairs. */
#include "base/clones.h"
#include "random/kernels.h"

#include <math.h>
#include <string.h>

static inline float float_of(uint32_t bits) {
  float value;
  memcpy(&value, &bits, sizeof value);
  return value;
}

static inline uint32_t bits_of(float value) {
  uint32_t bits;
  memcpy(&bits, &value, sizeof bits);
  return bits;
}

/* -2 ln u for u = (n + 1/2) 2^-31, n = the upper 31 bits of `word`: u >= 2^-32, so r <= 6.661. As in double: u =
 * 2^k (1 + f), with f from the complement of n for k = 0; the polynomial and ln 2 are those of
 * FreeBSD's e_logf.c (after fdlibm), |error| < 2^-34. */
static inline float minus_two_log(uint32_t word) {
  int32_t n = (int32_t)(word >> 1);
  float t = (float)n + 0.5f; /* <= 2^31 */
  float complement = (float)(INT32_MAX - n) + 0.5f;
  const uint32_t half_root = 0x3f3504f3, one = 0x3f800000;
  uint32_t shifted = bits_of(t) + (one - half_root);
  int32_t k = (int32_t)(shifted >> 23) - (127 + 31);
  float mantissa = float_of((shifted & 0x007fffff) + half_root), real_k = (float)k;
  float f = k == 0 ? complement * -0x1p-31f : mantissa - 1.0f;
  float s = f / (2.0f + f), z = s * s, half = 0.5f * f * f;
  float series = z * (0x1.555554p-1f + z * (0x1.999c26p-2f + z * (0x1.23d3dcp-2f + z * 0x1.f13c4cp-3f)));
  float log = real_k * 6.9313812256e-01f - ((half - (s * (half + series) + real_k * 9.0580006145e-06f)) - f);
  return -2.0f * log;
}

/* sin and cos on |x| <= pi/4: the polynomials of Cephes' sinf.c (S. Moshier), |error| < 2^-24. */
static inline float sine(float x) {
  float z = x * x;
  return x + x * (z * (-1.6666654611e-1f + z * (8.3321608736e-3f + z * -1.9515295891e-4f)));
}

static inline float cosine(float x) {
  float z = x * x;
  return 1.0f -
         (0.5f * z - z * (z * (4.166664568298827e-2f + z * (-1.388731625493765e-3f + z * 2.443315711809948e-5f))));
}

MMS_CLONES
void mms_random_box_muller_float(int groups, const mms_random_words *words, float *restrict out) {
  float made[4][MMS_RANDOM_BATCH]; /* turned at the end: the loop writes vectors */
  for (int pair = 0; pair < 2; pair++) {
    const uint32_t *restrict length = words->word[2 * pair], *restrict angle = words->word[2 * pair + 1];
    float *restrict first = made[2 * pair], *restrict second = made[2 * pair + 1];
    for (int g = 0; g < groups; g++) {
      float r = sqrtf(minus_two_log(length[g]));
      uint32_t quadrant = (angle[g] + 0x20000000U) >> 30;
      int32_t rest = (int32_t)(angle[g] - (quadrant << 30));
      float x = (float)rest * (1.57079632679489661923f * 0x1p-30f);
      float c = cosine(x), s = sine(x);
      uint32_t swap = (bits_of(c) ^ bits_of(s)) & (0U - (quadrant & 1));
      uint32_t minus_c = ((quadrant + 1) & 2) << 30, minus_s = (quadrant & 2) << 30;
      first[g] = r * float_of(bits_of(c) ^ swap ^ minus_c);
      second[g] = r * float_of(bits_of(s) ^ swap ^ minus_s);
    }
  }
  for (int g = 0; g < groups; g++)
    for (int i = 0; i < 4; i++) out[4 * g + i] = made[i][g];
}
