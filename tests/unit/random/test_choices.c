/* Uniforms, integers and subsets. */
#include "support.h"

#include "mmsold/random/random.h"

static const mms_random_key base = {.seed = 99, .stream = MMS_STREAM_TEST, .step = 1, .item = 2};

/* 53-bit uniforms on [0, 1): mean, variance, chi-squared over 64 cells, low bits used. */
static void uniforms_are_uniform(void **state) {
  (void)state;
  enum { N = 1 << 18, CELLS = 64 };
  static double u[N];
  mms_random_uniforms(base, 0, N, u);
  double sum = 0.0, squares = 0.0, chi = 0.0;
  int cells[CELLS] = {0}, odd = 0;
  for (int i = 0; i < N; i++) {
    assert_true(u[i] >= 0.0 && u[i] < 1.0);
    sum += u[i], squares += u[i] * u[i];
    cells[(int)(u[i] * CELLS)]++;
    odd += (int)((uint64_t)(u[i] * 0x1p53) & 1);
  }
  expect_near(sum / N, 0.5, 4.5 * sqrt(1.0 / 12 / N));
  expect_near(squares / N, 1.0 / 3, 4.5 * sqrt(4.0 / 45 / N));
  expect_near(odd, 0.5 * N, 4.5 * sqrt(0.25 * N));
  for (int c = 0; c < CELLS; c++) chi += (cells[c] - (double)N / CELLS) * (cells[c] - (double)N / CELLS) * CELLS / N;
  expect_near(chi, CELLS - 1, 4.5 * sqrt(2.0 * (CELLS - 1)));
}

static void indices_are_uniform(void **state) {
  (void)state;
  enum { N = 100000 };
  for (uint64_t bound = 1; bound <= 13; bound += 3) {
    int cells[13] = {0};
    for (int i = 0; i < N; i++) {
      uint64_t index = mms_random_index(base, i, bound);
      assert_true(index < bound);
      cells[index]++;
    }
    double mean = (double)N / (double)bound, chi = 0.0;
    for (uint64_t c = 0; c < bound; c++) chi += (cells[c] - mean) * (cells[c] - mean) / mean;
    expect_near(chi, (double)(bound - 1), 4.5 * sqrt(2.0 * (double)(bound - 1)) + 1e-9);
  }
}

/* A bound of 3 2^62: an index taken modulo the bound would fall in the first third half of the time. */
static void large_bounds_have_no_bias(void **state) {
  (void)state;
  enum { N = 30000 };
  int low = 0;
  for (int i = 0; i < N; i++) {
    uint64_t index = mms_random_index(base, i, UINT64_C(3) << 62);
    assert_true(index < UINT64_C(3) << 62);
    low += index < UINT64_C(1) << 62;
  }
  expect_near(low, N / 3.0, 4.5 * sqrt(N * 2.0 / 9));
}

static void expect_subset(const int64_t *chosen, int64_t total, int64_t size) {
  for (int64_t i = 0; i < size; i++) {
    assert_true(chosen[i] >= 0 && chosen[i] < total);
    if (i > 0) assert_true(chosen[i] > chosen[i - 1]); /* ascending, so distinct */
  }
}

static void subsets_at_the_edges(void **state) {
  (void)state;
  int64_t chosen[5000];
  mms_error error = mms_error_none();
  expect_ok(mms_random_subset(base, 0, 0, chosen, &error), &error);
  expect_ok(mms_random_subset(base, 10, 0, chosen, &error), &error);
  const int64_t cases[][2] = {{1, 1}, {5000, 5000}, {5000, 4999}, {5000, 1}, {5001, 5000}, {INT64_C(1) << 60, 5000}};
  for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
    expect_ok(mms_random_subset(base, cases[c][0], cases[c][1], chosen, &error), &error);
    expect_subset(chosen, cases[c][0], cases[c][1]);
  }
  expect_refused(mms_random_subset(base, 3, 4, chosen, &error), MMS_ERR_INTERNAL, &error, "4 out of 3");
  expect_refused(mms_random_subset(base, 3, -1, chosen, &error), MMS_ERR_INTERNAL, &error, "-1 out of 3");
}

/* All 35 subsets of 3 out of 7 are equally likely. */
static void subsets_are_uniform(void **state) {
  (void)state;
  enum { N = 35000, TOTAL = 7, SIZE = 3, SUBSETS = 35 };
  int counts[1 << TOTAL] = {0};
  mms_error error = mms_error_none();
  for (uint64_t i = 0; i < N; i++) {
    mms_random_key key = base;
    key.item = i;
    int64_t chosen[SIZE];
    expect_ok(mms_random_subset(key, TOTAL, SIZE, chosen, &error), &error);
    expect_subset(chosen, TOTAL, SIZE);
    counts[1 << chosen[0] | 1 << chosen[1] | 1 << chosen[2]]++;
  }
  double mean = (double)N / SUBSETS, chi = 0.0;
  int seen = 0;
  for (int s = 0; s < 1 << TOTAL; s++)
    if (counts[s] > 0) seen++, chi += (counts[s] - mean) * (counts[s] - mean) / mean;
  assert_int_equal(seen, SUBSETS);
  expect_near(chi, SUBSETS - 1, 4.5 * sqrt(2.0 * (SUBSETS - 1)));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(uniforms_are_uniform),      cmocka_unit_test(indices_are_uniform),
      cmocka_unit_test(large_bounds_have_no_bias), cmocka_unit_test(subsets_at_the_edges),
      cmocka_unit_test(subsets_are_uniform),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
