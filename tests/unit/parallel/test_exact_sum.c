/* The ranges the construction of exact sums claims, at their ends. One process, no MPI. */
#include "support.h"

#include "mmsold/parallel/exact_sum.h"
#include "mmsold/random/random.h"

static double sum_of(const double *values, int64_t count) {
  mms_error error = mms_error_none();
  mms_exact_sum *sum = NULL;
  double total = 0.0;
  expect_ok(mms_exact_sum_create(&sum, 1, 0, count, &error), &error);
  for (int64_t i = 0; i < count; i++) mms_exact_sum_add(sum, 0, 1, &values[i]);
  mms_exact_sum_reduce(sum, NULL);
  mms_exact_sum_read(sum, 0, 1, &total);
  assert_int_equal(mms_exact_sum_refused(sum), 0);
  mms_exact_sum_free(&sum);
  return total;
}

static double sum_of_one(double v) { return sum_of(&v, 1); }

/* A double of size 2^-20 or more comes back as it went; a smaller one to 2^-73; ties go to even multiples of 2^-72. */
static void one_value_comes_back(void **state) {
  (void)state;
  mms_random_key key = {.seed = 12, .stream = MMS_STREAM_TEST};
  for (int i = 0; i < 20000; i++) {
    double u, v;
    key.step = 0;
    mms_random_uniforms(key, i, 1, &u);
    key.step = 1;
    int exponent = (int)mms_random_index(key, i, 67) - 20; /* |v| in 2^-20 .. 2^47 */
    v = ldexp(1.0 + u, exponent) * (i % 2 ? 1 : -1);
    assert_true(sum_of_one(v) == v);
    double small = ldexp(1.0 + u, exponent - 60) * (i % 2 ? 1 : -1); /* down to 2^-80 */
    if (fabs(small) < 0x1p-20) expect_near(sum_of_one(small), small, 0x1p-73);
  }
  assert_true(sum_of_one(0x1p-72) == 0x1p-72);
  assert_true(sum_of_one(0x1p-73) == 0.0 && sum_of_one(0x1.8p-72) == 0x1p-71);
  assert_true(sum_of_one(0x1.0000000000001p-20) == 0x1.0000000000001p-20);
  assert_true(sum_of_one(0x1.0000000000001p-21) != 0x1.0000000000001p-21); /* so 2^-20 is where it begins */
  assert_true(sum_of_one(5e-324) == 0.0);
  assert_false(signbit(sum_of_one(-0.0)));
}

/* The total is rounded once, to nearest, ties to even, also beyond 2^47 and across all three limbs. */
static void totals_are_rounded_once(void **state) {
  (void)state;
  const double tie[] = {0x1p46, 0x1p-7}, above[] = {0x1p46, 0x1p-7, 0x1p-72}, odd[] = {0x1p46, 0x1p-6, 0x1p-7};
  assert_true(sum_of(tie, 2) == 0x1p46);
  assert_true(sum_of(above, 3) == 0x1p46 + 0x1p-6);
  assert_true(sum_of(odd, 3) == 0x1p46 + 0x1p-5);
  const double minus[] = {-0x1p46, -0x1p-7, -0x1p-72}, back[] = {-0x1p46, 0x1p-72, 0x1p46};
  assert_true(sum_of(minus, 3) == -0x1p46 - 0x1p-6);
  assert_true(sum_of(back, 3) == 0x1p-72);
}

/* 2^23 addends of the largest size: no limb overflows. Doubling the sum by reading and adding is not possible at that
 * size, so the addends are really added, many sums at once. */
static void most_addends_fit(void **state) {
  (void)state;
  enum { LENGTH = 6 };
  const double values[LENGTH] = {0x1.fffffffffffffp46, -0x1.fffffffffffffp46, 0x1p7 - 0x1p-33, -0x1p-33, 0x1.8p7, 0.1};
  const int64_t addends = INT64_C(1) << 23;
  mms_error error = mms_error_none();
  mms_exact_sum *sum = NULL;
  expect_ok(mms_exact_sum_create(&sum, LENGTH, 0, addends, &error), &error);
  for (int64_t a = 0; a < addends; a++) mms_exact_sum_add(sum, 0, LENGTH, values);
  double totals[LENGTH];
  mms_exact_sum_read(sum, 0, LENGTH, totals);
  for (int i = 0; i < LENGTH; i++) assert_true(totals[i] == values[i] * (double)addends); /* a power of two: exact */
  mms_exact_sum_free(&sum);
}

/* Totals are read by vector code where all of them are below 2^58, else one by one in integers: the same bits, also
 * where what is rounded off is a half of the last place and a little. */
static void both_ways_of_reading_agree(void **state) {
  (void)state;
  enum { SUMS = 20000 };
  mms_error error = mms_error_none();
  mms_exact_sum *sum = NULL;
  static double vector[SUMS], integer[SUMS + 1];
  expect_ok(mms_exact_sum_create(&sum, SUMS + 1, 0, 3000, &error), &error);
  for (int64_t i = 0; i < SUMS; i++) {
    mms_random_key key = {.seed = 13, .stream = MMS_STREAM_TEST, .item = (uint64_t)i};
    double u, parts[3];
    mms_random_uniforms(key, 0, 1, &u);
    int exponent = (int)mms_random_index(key, 2, 97) - 50;
    parts[0] = ldexp(1.0 + u, exponent) * (i % 2 ? 1 : -1);
    parts[1] = ldexp((i % 4 < 2 ? 1.0 : -1.0) * (i % 3 == 2 ? 1.0 + u : 1.0), exponent - 53 - (int)(i % 5)); /* ties */
    parts[2] = i % 7 == 0 ? 0x1p-72 : i % 7 == 1 ? -0x1p-72 : 0.0;
    for (int k = 0; k < 3; k++) mms_exact_sum_add(sum, i, 1, &parts[k]);
  }
  const double large = 0x1.fp46;
  for (int i = 0; i < 2900; i++) mms_exact_sum_add(sum, SUMS, 1, &large);
  mms_exact_sum_read(sum, 0, SUMS, vector);
  mms_exact_sum_read(sum, 0, SUMS + 1, integer);
  assert_true(integer[SUMS] == 2900 * large);
  assert_memory_equal(vector, integer, sizeof vector);
  mms_exact_sum_free(&sum);
}

static void bad_sizes_are_refused(void **state) {
  (void)state;
  mms_error error = mms_error_none();
  mms_exact_sum *sum = NULL;
  expect_refused(mms_exact_sum_create(&sum, 1, 0, (INT64_C(1) << 23) + 1, &error), MMS_ERR_INPUT, &error,
                 "8388609 blocks are too many");
  assert_null(sum);
  expect_refused(mms_exact_sum_create(&sum, 800000000, 0, 1, &error), MMS_ERR_INTERNAL, &error, "2400000001");
  expect_refused(mms_exact_sum_create(&sum, INT64_MAX / 2, 0, 1, &error), MMS_ERR_INTERNAL, &error, "exact sum");
  expect_refused(mms_exact_sum_create(&sum, -1, 0, 1, &error), MMS_ERR_INTERNAL, &error, "length -1");
  mms_exact_sum_free(&sum);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(one_value_comes_back),  cmocka_unit_test(totals_are_rounded_once),
      cmocka_unit_test(most_addends_fit),      cmocka_unit_test(both_ways_of_reading_agree),
      cmocka_unit_test(bad_sizes_are_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
