/* Exact sums another way: each addend rounded to a multiple of 2^-unit as a 128-bit integer, ties to even, the total
 * rounded to 53 bits by hand. Good while 2^(47 + unit) times the number of addends stays below 2^127. */
#ifndef TESTS_EXACT_SUPPORT_H
#define TESTS_EXACT_SUPPORT_H

#include "support.h"

#include "mmsold/parallel/exact_sum.h"

enum { COARSE_UNIT = 54, COARSEST_UNIT = 46, FINE_UNIT = 72 };

__extension__ typedef __int128 exact_integer;

static inline exact_integer exact_of(double v, int unit) {
  int exponent;
  double m = frexp(v, &exponent);
  exact_integer whole = (exact_integer)(int64_t)ldexp(m, 53);
  int shift = exponent - 53 + unit;
  if (shift >= 0) return whole * ((exact_integer)1 << shift);
  if (shift < -60) return 0;
  return (exact_integer)(int64_t)nearbyint(ldexp((double)(int64_t)whole, shift));
}

static inline double exact_double(exact_integer total, int unit) {
  exact_integer size = total < 0 ? -total : total;
  int shift = 0;
  exact_integer top = size;
  while (top >> 53 != 0) top >>= 1, shift++;
  if (shift > 0) {
    exact_integer rest = size - (top << shift), half = (exact_integer)1 << (shift - 1);
    if (rest > half || (rest == half && top % 2 != 0)) top++;
  }
  double value = ldexp((double)(int64_t)top, shift - unit);
  return total < 0 ? -value : value;
}

static inline void expect_bits(const double *got, const double *wanted, int64_t count) {
  for (int64_t i = 0; i < count; i++)
    if (memcmp(&got[i], &wanted[i], sizeof *got) != 0)
      fail_msg("sum %lld: %a instead of %a", (long long)i, got[i], wanted[i]);
}

/* A kind of sums by its name: what both kinds promise is tested once for each. */
typedef struct exact_kind {
  int unit;             /* sums are multiples of 2^-unit */
  int exact_from;       /* a double of size 2^-exact_from and more comes back as it went */
  int64_t most_addends; /* so many fit, ... */
  int64_t from_addends; /* ... and so many are announced at least */
  bool coarse;
} exact_kind;

static const exact_kind exact_kinds[] = {{COARSE_UNIT, 2, MMS_EXACT_SUM_FINEST_ADDENDS, 1, true},
                                         {52, 0, 8192, 4097, true},
                                         {50, -2, 16384, 8193, true},
                                         {48, -4, 32768, 16385, true},
                                         {COARSEST_UNIT, -6, MMS_EXACT_SUM_PAIRED_ADDENDS, 32769, true},
                                         {FINE_UNIT, 20, INT64_C(1) << 23, 65537, true},
                                         {FINE_UNIT, 20, INT64_C(1) << 23, 1, false}};
enum { EXACT_KINDS = 7 };

/* Zero sums of a kind for so many addends. */
static inline mms_exact_sum *exact_make(const exact_kind *kind, int64_t length, int64_t addends) {
  if (addends < kind->from_addends) addends = kind->from_addends;
  mms_error error = mms_error_none();
  mms_exact_sum *sum = NULL;
  const mms_exact_sum_shape shape = {
      .coarse = kind->coarse ? length : 0, .fine = kind->coarse ? 0 : length, .addends = addends};
  expect_ok(mms_exact_sum_create(&sum, &shape, &error), &error);
  return sum;
}

static inline void exact_add(mms_exact_sum *sum, const exact_kind *kind, int64_t first, int64_t count,
                             const double *values) {
  (kind->coarse ? mms_exact_sum_add_coarse : mms_exact_sum_add_fine)(sum, first, count, values);
}

/* After a reduction. */
static inline void exact_read(const mms_exact_sum *sum, const exact_kind *kind, int64_t first, int64_t count,
                              double *values) {
  (kind->coarse ? mms_exact_sum_read_coarse : mms_exact_sum_read_fine)(sum, first, count, values);
}

#endif
