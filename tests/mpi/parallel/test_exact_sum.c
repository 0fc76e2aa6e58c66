/* Exact sums: the same bits however the addends are split over ranks and ordered, and the right ones. */
#include "team_support.h"

#include "mmsold/parallel/blocks.h"
#include "mmsold/parallel/exact_sum.h"
#include "mmsold/random/random.h"
#include <stdlib.h>

enum { LENGTH = 40, ADDENDS = 203 };

/* Row a of the addends: all magnitudes from 2^-80 to 2^47, both signs, some that cancel, some zero. */
static void make_row(int64_t a, double *row) {
  mms_random_key key = {.seed = 4, .stream = MMS_STREAM_TEST, .item = (uint64_t)a};
  for (int i = 0; i < LENGTH; i++) {
    double u;
    mms_random_uniforms(key, i, 1, &u);
    key.step = 1;
    int exponent = (int)mms_random_index(key, i, 128) - 80;
    key.step = 0;
    row[i] = ldexp(u - 0.5, exponent + 1);
    if (i == 0) row[i] = (a % 2 == 0 ? 1.0 : -1.0) * 0x1.fffffffffffffp46; /* cancels but for the last, odd row */
    if (i == 1) row[i] = 0x1.fffffffffffffp46;
    if (i == 2) row[i] = -0x1p-72;
    if (i == 3) row[i] = a == 0 ? 1.0 : 0x1p-53; /* lost, one by one, in a sum of doubles */
    if (i == 4) row[i] = -0.0;
    if (i == 5) row[i] = (double)(a - ADDENDS / 2); /* odd: the sum is exactly 0 */
  }
}

__extension__ typedef __int128 wide;

/* The same sums another way: each addend rounded to a multiple of 2^-72 as a 128-bit integer (they fit: 2^(47 + 72 +
 * 8)), the total rounded to 53 bits by hand. */
static wide as_integer(double v) {
  int exponent;
  double m = frexp(v, &exponent);
  wide whole = (wide)(int64_t)ldexp(m, 53);
  int shift = exponent - 53 + 72;
  if (shift >= 0) return whole * ((wide)1 << shift);
  if (shift < -60) return 0;
  double exact = ldexp((double)(int64_t)whole, shift);
  return (wide)(int64_t)nearbyint(exact);
}

static double as_double(wide total) {
  wide size = total < 0 ? -total : total;
  int shift = 0;
  wide top = size;
  while (top >> 53 != 0) top >>= 1, shift++;
  if (shift > 0) {
    wide rest = size - (top << shift), half = (wide)1 << (shift - 1);
    if (rest > half || (rest == half && top % 2 != 0)) top++;
  }
  double value = ldexp((double)(int64_t)top, shift - 72);
  return total < 0 ? -value : value;
}

static void reference(double *sums) {
  wide totals[LENGTH] = {0};
  double row[LENGTH];
  for (int64_t a = 0; a < ADDENDS; a++) {
    make_row(a, row);
    for (int i = 0; i < LENGTH; i++) totals[i] += as_integer(row[i]);
  }
  for (int i = 0; i < LENGTH; i++) sums[i] = as_double(totals[i]);
}

static void expect_bits(const double *got, const double *wanted, int count) {
  for (int i = 0; i < count; i++)
    if (memcmp(&got[i], &wanted[i], sizeof *got) != 0) fail_msg("sum %d: %a instead of %a", i, got[i], wanted[i]);
}

/* Add this rank's addends: a contiguous range, forwards or backwards, or every R-th; whole rows or in pieces. */
static void add_share(mms_exact_sum *sum, int way) {
  double row[LENGTH];
  int rank = mms_team_rank(team), ranks = mms_team_size(team);
  mms_blocks mine = mms_blocks_make(ADDENDS, 1, rank, ranks);
  for (int64_t k = 0; k < ADDENDS; k++) {
    int64_t a = way == 1 ? ADDENDS - 1 - k : k;
    if (way < 2 ? a < mine.first || a >= mine.end : a % ranks != rank) continue;
    make_row(a, row);
    if (way == 2) {
      mms_exact_sum_add(sum, 7, LENGTH - 7, row + 7);
      mms_exact_sum_add(sum, 0, 7, row);
    } else {
      mms_exact_sum_add(sum, 0, LENGTH, row);
    }
    mms_exact_sum_count(sum, 1, a);
  }
}

static void order_and_split_do_not_matter(void **state) {
  (void)state;
  double wanted[LENGTH], got[LENGTH];
  reference(wanted);
  assert_true(wanted[0] == 0x1.fffffffffffffp46);
  assert_true(wanted[3] == 1.0 + 202 * 0x1p-53);
  assert_true(wanted[5] == 0.0);
  mms_error error = mms_error_none();
  mms_exact_sum *sum = NULL;
  expect_ok(mms_exact_sum_create(&sum, LENGTH, 3, ADDENDS, &error), &error);
  for (int way = 0; way < 3; way++) {
    mms_exact_sum_clear(sum);
    add_share(sum, way);
    mms_exact_sum_count(sum, 2, mms_team_rank(team) == mms_team_size(team) - 1 ? -5 : 0);
    mms_exact_sum_reduce(sum, team);
    mms_exact_sum_read(sum, 0, LENGTH, got);
    expect_bits(got, wanted, LENGTH);
    mms_exact_sum_read(sum, 30, 4, got);
    expect_bits(got, wanted + 30, 4);
    assert_int_equal(mms_exact_sum_extra(sum, 0), 0);
    assert_int_equal(mms_exact_sum_extra(sum, 1), ADDENDS * (ADDENDS - 1) / 2);
    assert_int_equal(mms_exact_sum_extra(sum, 2), -5);
    assert_int_equal(mms_exact_sum_refused(sum), 0);
  }
  mms_exact_sum_free(&sum);
  assert_null(sum);
}

/* What cannot be summed is counted over all ranks and leaves the sums alone. */
static void what_does_not_fit_is_counted(void **state) {
  (void)state;
  const double values[] = {1.0, NAN, INFINITY, -INFINITY, 0x1p48, -0x1p47, 0x1p47, -0x1.fffffffffffffp46, 1e308};
  enum { N = sizeof values / sizeof *values };
  mms_error error = mms_error_none();
  mms_exact_sum *sum = NULL;
  expect_ok(mms_exact_sum_create(&sum, N, 0, 64, &error), &error);
  mms_exact_sum_add(sum, 0, N, values);
  mms_exact_sum_reduce(sum, team);
  double got[N], wanted[N] = {0};
  int ranks = mms_team_size(team);
  wanted[0] = ranks;
  wanted[7] = -0x1.fffffffffffffp46 * ranks;
  mms_exact_sum_read(sum, 0, N, got);
  expect_bits(got, wanted, N);
  assert_int_equal(mms_exact_sum_refused(sum), 7 * ranks);
  mms_exact_sum_clear(sum);
  mms_exact_sum_read(sum, 0, N, got);
  assert_int_equal(mms_exact_sum_refused(sum), 0);
  assert_true(got[0] == 0.0);
  mms_exact_sum_free(&sum);
}

int main(int argc, char **argv) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(order_and_split_do_not_matter),
      cmocka_unit_test(what_does_not_fit_is_counted),
  };
  if (!team_begin(&argc, &argv)) return 1;
  return team_end(cmocka_run_group_tests(tests, NULL, NULL));
}
