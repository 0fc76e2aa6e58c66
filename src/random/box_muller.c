/* Box-Muller in double: (r cos a, r sin a) with r² = -2 ln u, u uniform on (0, 1) and a uniform on the circle, is a
 * pair of independent standard normals. No call into libm, so the loop is vector code and its bits depend on no
 * library. (This file is compiled with -fno-math-errno, so that sqrt is an instruction.) */
#include "base/clones.h"
#include "random/kernels.h"

#include <math.h>
#include <string.h>

static inline double double_of(uint64_t bits) {
  double value;
  memcpy(&value, &bits, sizeof value);
  return value;
}

static inline uint64_t bits_of(double value) {
  uint64_t bits;
  memcpy(&bits, &value, sizeof bits);
  return bits;
}

/* -2 ln u for u = (n + 1/2) 2^-64, n = high 2^32 + low: 53 good bits for u near 0 and for u near 1.
 *
 * u = 2^k (1 + f) with sqrt(1/2) <= 1 + f < sqrt(2); for k = 0, f = -(2^64 - 1 - n + 1/2) 2^-64 comes from the
 * complement of n without cancellation. ln(1 + f) = f - (f²/2 - s (f²/2 + R(s²))) with s = f / (2 + f) and R the
 * polynomial of fdlibm's e_log.c (Sun Microsystems, 1993), |error| < 2^-58.45; so are the two parts of ln 2. */
static inline double minus_two_log(uint32_t high, uint32_t low) {
  double t = (double)high * 0x1p32 + ((double)low + 0.5); /* one rounding; <= 2^64 */
  double complement = (double)~high * 0x1p32 + ((double)~low + 0.5);
  const uint64_t half_root = UINT64_C(0x3fe6a09e00000000), one = UINT64_C(0x3ff0000000000000);
  uint64_t shifted = bits_of(t) + (one - half_root);
  uint64_t exponent = shifted >> 52; /* 1023 + 64 + k */
  double mantissa = double_of((shifted & UINT64_C(0x000fffffffffffff)) + half_root);
  double k = double_of(UINT64_C(0x4330000000000000) | exponent) - (0x1p52 + 1087.0); /* 0x433...: 2^52 + integer */
  double f = exponent == 1087 ? complement * -0x1p-64 : mantissa - 1.0;
  double s = f / (2.0 + f), z = s * s, half = 0.5 * f * f;
  double series = z * (6.666666666666735130e-01 +
                       z * (3.999999999940941908e-01 +
                            z * (2.857142874366239149e-01 +
                                 z * (2.222219843214978396e-01 +
                                      z * (1.818357216161805012e-01 +
                                           z * (1.531383769920937332e-01 + z * 1.479819860511658591e-01))))));
  double log = k * 6.93147180369123816490e-01 - ((half - (s * (half + series) + k * 1.90821492927058770002e-10)) - f);
  return -2.0 * log;
}

/* sin and cos on |x| <= pi/4, the polynomials of fdlibm's k_sin.c and k_cos.c: |error| < 2^-58. */
static inline double sine(double x) {
  double z = x * x;
  double p =
      -1.66666666666666324348e-01 +
      z * (8.33333333332248946124e-03 +
           z * (-1.98412698298579493134e-04 +
                z * (2.75573137070700676789e-06 + z * (-2.50507602534068634195e-08 + z * 1.58969099521155010221e-10))));
  return x + x * (z * p);
}

static inline double cosine(double x) {
  double z = x * x;
  double p =
      4.16666666666666019037e-02 +
      z * (-1.38888888888741095749e-03 +
           z * (2.48015872894767294178e-05 + z * (-2.75573143513906633035e-07 +
                                                  z * (2.08757232129817482790e-09 + z * -1.13596475577881948265e-11))));
  return 1.0 - (0.5 * z - z * (z * p));
}

MMS_CLONES
void mms_random_box_muller(int groups, const mms_random_words *words, double *restrict out) {
  const uint32_t *restrict w0 = words->word[0], *restrict w1 = words->word[1];
  const uint32_t *restrict w2 = words->word[2], *restrict w3 = words->word[3];
  double made[2][MMS_RANDOM_BATCH]; /* turned at the end: the loop writes vectors */
  for (int g = 0; g < groups; g++) {
    double r = sqrt(minus_two_log(w0[g], w1[g]));
    /* a = 2 pi (w2 2^32 + w3) 2^-64 = quadrant pi/2 + x, |x| <= pi/4; quarter turns are exact. */
    uint32_t quadrant = (w2[g] + 0x20000000U) >> 30;
    int32_t rest = (int32_t)(w2[g] - (quadrant << 30)); /* -2^29 .. 2^29 - 1, modulo 2^32 */
    double x = ((double)rest * 0x1p32 + (double)w3[g]) * (1.57079632679489661923 * 0x1p-62);
    double c = cosine(x), s = sine(x);
    uint64_t odd = (uint64_t)0 - (quadrant & 1); /* all ones for quadrants 1 and 3: sine and cosine change places */
    uint64_t swap = (bits_of(c) ^ bits_of(s)) & odd;
    uint64_t minus_c = (uint64_t)((quadrant + 1) & 2) << 62, minus_s = (uint64_t)(quadrant & 2) << 62;
    made[0][g] = r * double_of(bits_of(c) ^ swap ^ minus_c);
    made[1][g] = r * double_of(bits_of(s) ^ swap ^ minus_s);
  }
  for (int g = 0; g < groups; g++) {
    out[2 * g] = made[0][g];
    out[2 * g + 1] = made[1][g];
  }
}
