/* The ranges the construction of exact sums claims, at their ends, for both kinds. One process, no MPI. */
#include "exact_support.h"

#include "mmsold/random/random.h"

static double sum_of(const exact_kind *kind, const double *values, int64_t count) {
  mms_exact_sum *sum = exact_make(kind, 1, count);
  double total = 0.0;
  for (int64_t i = 0; i < count; i++) exact_add(sum, kind, 0, 1, &values[i]);
  mms_exact_sum_reduce(sum, NULL);
  exact_read(sum, kind, 0, 1, &total);
  assert_int_equal(mms_exact_sum_refused(sum), 0);
  mms_exact_sum_free(&sum);
  return total;
}

static double sum_of_one(const exact_kind *kind, double v) { return sum_of(kind, &v, 1); }

/* A double of size 2^-exact_from or more comes back as it went; a smaller one to half a unit; ties go to even multiples
 * of the unit. */
static void one_value_comes_back(void **state) {
  (void)state;
  mms_random_key key = {.seed = 12, .stream = MMS_STREAM_TEST};
  for (const exact_kind *kind = exact_kinds; kind < exact_kinds + EXACT_KINDS; kind++) {
    const double unit = ldexp(1.0, -kind->unit), from = ldexp(1.0, -kind->exact_from);
    for (int i = 0; i < 20000; i++) {
      double u, v;
      key.step = 0;
      mms_random_uniforms(key, i, 1, &u);
      key.step = 1;
      int exponent = (int)mms_random_index(key, i, (uint64_t)(47 + kind->exact_from)) - kind->exact_from;
      v = ldexp(1.0 + u, exponent) * (i % 2 ? 1 : -1); /* |v| in 2^-exact_from .. 2^47 */
      assert_true(sum_of_one(kind, v) == v);
      double small = ldexp(1.0 + u, exponent - 60) * (i % 2 ? 1 : -1);
      if (fabs(small) < from) expect_near(sum_of_one(kind, small), small, 0.5 * unit);
    }
    assert_true(sum_of_one(kind, unit) == unit && sum_of_one(kind, -unit) == -unit);
    assert_true(sum_of_one(kind, 0.5 * unit) == 0.0 && sum_of_one(kind, 1.5 * unit) == 2.0 * unit);
    assert_true(sum_of_one(kind, 0x1.0000000000001p0 * from) == 0x1.0000000000001p0 * from);
    assert_true(sum_of_one(kind, 0x1.0000000000001p-1 * from) != 0x1.0000000000001p-1 * from); /* where it begins */
    assert_true(sum_of_one(kind, 5e-324) == 0.0);
    assert_false(signbit(sum_of_one(kind, -0.0)) || signbit(sum_of_one(kind, -0.25 * unit)));
  }
}

/* The total is rounded once, to nearest, ties to even, across all limbs; never to -0. */
static void totals_are_rounded_once(void **state) {
  (void)state;
  for (const exact_kind *kind = exact_kinds; kind < exact_kinds + EXACT_KINDS; kind++) {
    const double unit = ldexp(1.0, -kind->unit);
    const double tie[] = {0x1p46, 0x1p-7}, above[] = {0x1p46, 0x1p-7, unit}, odd[] = {0x1p46, 0x1p-6, 0x1p-7};
    assert_true(sum_of(kind, tie, 2) == 0x1p46);
    assert_true(sum_of(kind, above, 3) == 0x1p46 + 0x1p-6);
    assert_true(sum_of(kind, odd, 3) == 0x1p46 + 0x1p-5);
    const double minus[] = {-0x1p46, -0x1p-7, -unit}, back[] = {-0x1p46, unit, 0x1p46}, none[] = {-0.3, 0.3};
    assert_true(sum_of(kind, minus, 3) == -0x1p46 - 0x1p-6);
    assert_true(sum_of(kind, back, 3) == unit);
    assert_true(sum_of(kind, none, 2) == 0.0 && !signbit(sum_of(kind, none, 2)));
  }
}

/* As many addends as a kind takes, each with the largest limbs: no limb overflows. Doubling the sum by reading and
 * adding is not possible at that size, so the addends are really added, many sums at once. */
static void most_addends_fit(void **state) {
  (void)state;
  enum { LENGTH = 6 };
  for (int k = 0; k < EXACT_KINDS; k++) {
    const exact_kind *kind = &exact_kinds[k];
    const bool pair = kind->unit != FINE_UNIT;
    const double high = pair ? ldexp(1.0, 47 - (kind->unit + 46) / 2) : 0x1p8, unit = ldexp(1.0, -kind->unit);
    /* The largest of a limb alone, and what a higher limb leaves: half of its unit. */
    const double values[LENGTH] = {0x1.fffffffffffffp46, -0x1.fffffffffffffp46,       0.5 * high, -0.5 * high,
                                   1.5 * high,           pair ? 3.0 * unit : -0x1p-33};
    mms_exact_sum *sum = exact_make(kind, LENGTH, kind->most_addends);
    for (int64_t a = 0; a < kind->most_addends; a++) exact_add(sum, kind, 0, LENGTH, values);
    double totals[LENGTH];
    mms_exact_sum_reduce(sum, NULL);
    exact_read(sum, kind, 0, LENGTH, totals);
    for (int i = 0; i < LENGTH; i++) /* a power of two: exact */
      assert_true(totals[i] == values[i] * (double)kind->most_addends);
    mms_exact_sum_free(&sum);
  }
}

/* Any order and any grouping of addends of all sizes, ties and limits among them, is the sum of integers. */
static void order_and_grouping_do_not_matter(void **state) {
  (void)state;
  enum { SUMS = 60, ADDENDS = 200 };
  static double rows[ADDENDS][SUMS];
  mms_random_key key = {.seed = 14, .stream = MMS_STREAM_TEST};
  for (int k = 0; k < EXACT_KINDS; k++) {
    const exact_kind *kind = &exact_kinds[k];
    const double unit = ldexp(1.0, -kind->unit);
    exact_integer whole[SUMS] = {0};
    double wanted[SUMS], got[SUMS];
    for (int a = 0; a < ADDENDS; a++)
      for (int i = 0; i < SUMS; i++) {
        double u;
        key.item = (uint64_t)(a * SUMS + i);
        mms_random_uniforms(key, 0, 1, &u);
        rows[a][i] = ldexp(2.0 * u - 1.0, (int)mms_random_index(key, 2, (uint64_t)(48 + kind->unit)) - kind->unit);
        if (i == 0) rows[a][i] = (a % 2 == 0 ? -0x1.fffffffffffffp46 : 0x1.fffffffffffffp46); /* cancels */
        if (i == 1) rows[a][i] = -0x1.fffffffffffffp46;
        if (i == 2) rows[a][i] = unit * (0.5 + (double)(a % 7)) * (a % 3 == 0 ? -1.0 : 1.0); /* ties, all of them */
        if (i == 3) rows[a][i] = a == 0 ? -1.0 : -unit; /* may be lost, one by one, in a sum of doubles */
        if (i >= 50) rows[a][i] = -fabs(rows[a][i]);
        whole[i] += exact_of(rows[a][i], kind->unit);
      }
    for (int i = 0; i < SUMS; i++) wanted[i] = exact_double(whole[i], kind->unit);
    assert_true(wanted[0] == 0.0 && !signbit(wanted[0]) && wanted[3] == -1.0 - 199 * unit);
    for (int stride = 1; stride <= 9; stride += 2) { /* none of which divides 200 but 1 and 5 */
      mms_exact_sum *sum = exact_make(kind, SUMS, ADDENDS);
      for (int a = 0; a < ADDENDS; a++) {
        const double *row = rows[stride == 5 ? ADDENDS - 1 - a : a * stride % ADDENDS];
        exact_add(sum, kind, 17, SUMS - 17, row + 17);
        exact_add(sum, kind, 0, 17, row);
      }
      mms_exact_sum_reduce(sum, NULL);
      exact_read(sum, kind, 0, SUMS, got);
      expect_bits(got, wanted, SUMS);
      assert_int_equal(mms_exact_sum_refused(sum), 0);
      mms_exact_sum_free(&sum);
    }
  }
}

/* Totals are read by vector code where all of them, or of a piece of some hundreds, are below 2^50 high units, else one
 * by one in integers: the same bits, also where what is rounded off is a half of the last place and a little. */
static void both_ways_of_reading_agree(void **state) {
  (void)state;
  enum { SUMS = 20000, APART = 512, LARGE_ADDENDS = 2900 };
  static double got[SUMS], wanted[SUMS];
  const double large = 0x1.fp46;
  for (int which = 0; which < 2 * EXACT_KINDS; which++) {
    const exact_kind *kind = &exact_kinds[which / 2];
    const bool integers = which % 2 == 1;
    const double unit = ldexp(1.0, -kind->unit);
    mms_exact_sum *sum = exact_make(kind, SUMS, 3000);
    for (int64_t i = 0; i < SUMS; i++) {
      mms_random_key key = {.seed = 13, .stream = MMS_STREAM_TEST, .item = (uint64_t)i};
      double u, parts[3];
      mms_random_uniforms(key, 0, 1, &u);
      int exponent = (int)mms_random_index(key, 2, (uint64_t)(45 + kind->unit - 20)) - (kind->unit - 20);
      parts[0] = ldexp(1.0 + u, exponent) * (i % 2 ? 1 : -1);
      parts[1] =
          ldexp((i % 4 < 2 ? 1.0 : -1.0) * (i % 3 == 2 ? 1.0 + u : 1.0), exponent - 53 - (int)(i % 5)); /* ties */
      parts[2] = i % 7 == 0 ? unit : i % 7 == 1 ? -unit : 0.0;
      const bool is_large = integers && i % APART == 0;
      exact_integer whole = 0;
      for (int k = 0; k < 3 && !is_large; k++) {
        exact_add(sum, kind, i, 1, &parts[k]);
        whole += exact_of(parts[k], kind->unit);
      }
      for (int k = 0; k < LARGE_ADDENDS && is_large; k++) exact_add(sum, kind, i, 1, &large);
      wanted[i] = is_large ? LARGE_ADDENDS * large : exact_double(whole, kind->unit);
    }
    mms_exact_sum_reduce(sum, NULL);
    exact_read(sum, kind, 0, SUMS, got);
    expect_bits(got, wanted, SUMS);
    mms_exact_sum_free(&sum);
  }
}

/* Where more addends are announced than two limbs can take, coarse sums are as fine as the others, and as long. */
static void many_addends_take_three_limbs(void **state) {
  (void)state;
  const exact_kind *coarse = &exact_kinds[0];
  const double values[] = {0x1p-72, 0x1p-48, -0x1.fffffffffffffp46};
  for (int64_t more = 0; more < 2; more++) {
    mms_exact_sum *sum = exact_make(coarse, 3, MMS_EXACT_SUM_PAIRED_ADDENDS + more), *none = exact_make(coarse, 0, 1);
    assert_int_equal(mms_exact_sum_bytes(sum) - mms_exact_sum_bytes(none), (2 + more) * 3 * 8);
    double got[3];
    for (int64_t a = 0; a < MMS_EXACT_SUM_PAIRED_ADDENDS + more; a++) exact_add(sum, coarse, 0, 3, values);
    mms_exact_sum_reduce(sum, NULL);
    exact_read(sum, coarse, 0, 3, got);
    assert_true(got[0] == (more ? 65537 * 0x1p-72 : 0.0) && got[1] == (more ? 65537 * 0x1p-48 : 0.0));
    assert_true(got[2] == values[2] * 65536 + (more ? values[2] : 0.0));
    mms_exact_sum_free(&sum);
    mms_exact_sum_free(&none);
  }
}

/* A kind has its own places: the other one's are refused, not written over. */
static void places_of_the_other_kind_are_refused(void **state) {
  (void)state;
  mms_error error = mms_error_none();
  mms_exact_sum *sum = NULL;
  const mms_exact_sum_shape shape = {.coarse = 4, .fine = 2, .extras = 3, .addends = 5};
  expect_ok(mms_exact_sum_create(&sum, &shape, &error), &error);
  const double values[] = {1.0, 2.0, 3.0, 4.0, 5.0};
  double got[5];
  mms_exact_sum_add_coarse(sum, 0, 4, values);
  mms_exact_sum_add_fine(sum, 0, 2, values + 2);
  mms_exact_sum_count(sum, 2, 9);
  assert_int_equal(mms_exact_sum_refused(sum), 0);
  mms_exact_sum_add_coarse(sum, 0, 5, values);
  assert_int_equal(mms_exact_sum_refused(sum), 5);
  mms_exact_sum_add_fine(sum, 1, 2, values);
  mms_exact_sum_add_fine(sum, -1, 1, values);
  mms_exact_sum_add_coarse(sum, INT64_MAX, 1, values);
  mms_exact_sum_add_coarse(sum, 4, -1, values);
  mms_exact_sum_add_fine(sum, 3, 0, values);
  assert_int_equal(mms_exact_sum_refused(sum), 5 + 2 + 1 + 1 + 1 + 1);
  mms_exact_sum_reduce(sum, NULL);
  mms_exact_sum_read_coarse(sum, 0, 4, got);
  expect_bits(got, values, 4);
  expect_bits(mms_exact_sum_totals(sum), values, 4);
  mms_exact_sum_read_fine(sum, 0, 2, got);
  expect_bits(got, values + 2, 2);
  assert_int_equal(mms_exact_sum_extra(sum, 2), 9);
  mms_exact_sum_read_fine(sum, 1, 2, got);
  assert_true(isnan(got[0]) && isnan(got[1]));
  mms_exact_sum_read_coarse(sum, 2, 3, got);
  assert_true(isnan(got[0]) && isnan(got[1]) && isnan(got[2]));
  mms_exact_sum_free(&sum);
}

static void bad_sizes_are_refused(void **state) {
  (void)state;
  const struct {
    mms_exact_sum_shape shape;
    mms_status status;
    const char *message;
  } cases[] = {
      {{.coarse = 1, .addends = (INT64_C(1) << 23) + 1}, MMS_ERR_INPUT, "8388609 blocks are too many"},
      {{.fine = 1, .addends = (INT64_C(1) << 23) + 1}, MMS_ERR_INPUT, "8388609 blocks are too many"},
      {{.fine = 800000000, .addends = 1}, MMS_ERR_INTERNAL, "2400000001"},
      {{.coarse = 1200000000, .addends = 1}, MMS_ERR_INTERNAL, "2400000001"},
      {{.coarse = 800000000, .addends = 65537}, MMS_ERR_INTERNAL, "2400000001"},
      {{.fine = INT64_MAX / 2, .addends = 1}, MMS_ERR_INTERNAL, "exact sum"},
      {{.coarse = INT64_MAX / 2, .addends = 1}, MMS_ERR_INTERNAL, "exact sum"},
      {{.coarse = -1, .addends = 1}, MMS_ERR_INTERNAL, "-1 coarse"},
      {{.fine = -1, .addends = 1}, MMS_ERR_INTERNAL, "-1 fine"},
      {{.extras = -1, .addends = 1}, MMS_ERR_INTERNAL, "-1 extras"},
      {{.addends = -1}, MMS_ERR_INTERNAL, "-1 addends"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    mms_error error = mms_error_none();
    mms_exact_sum *sum = NULL;
    expect_refused(mms_exact_sum_create(&sum, &cases[i].shape, &error), cases[i].status, &error, cases[i].message);
    assert_null(sum);
    mms_exact_sum_free(&sum);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(one_value_comes_back),
      cmocka_unit_test(totals_are_rounded_once),
      cmocka_unit_test(most_addends_fit),
      cmocka_unit_test(order_and_grouping_do_not_matter),
      cmocka_unit_test(both_ways_of_reading_agree),
      cmocka_unit_test(many_addends_take_three_limbs),
      cmocka_unit_test(places_of_the_other_kind_are_refused),
      cmocka_unit_test(bad_sizes_are_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
