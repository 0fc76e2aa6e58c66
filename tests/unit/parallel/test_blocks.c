/* Blocks partition the rows exactly, and a block is the same block whatever the number of ranks. */
#include "support.h"

#include "mmsold/parallel/blocks.h"

static void expect_partition(int64_t total, int64_t size, int ranks) {
  int64_t row = 0, block = 0, most = 0, least = INT64_MAX;
  for (int rank = 0; rank < ranks; rank++) {
    mms_blocks b = mms_blocks_make(total, size, rank, ranks);
    assert_true(b.total == total && b.size == size && b.count == total / size + (total % size > 0));
    assert_true(b.first == block && b.first <= b.end && b.first_row == row);
    int64_t rows = 0;
    if (b.end - b.first < 1000)
      for (int64_t i = b.first; i < b.end; i++) {
        assert_true(mms_blocks_first_row(&b, i) == i * size);
        assert_true(mms_blocks_rows(&b, i) == (i + 1 < b.count ? size : total - i * size));
        assert_true(mms_blocks_rows(&b, i) > 0);
        rows += mms_blocks_rows(&b, i);
      }
    else
      rows = b.n_local;
    assert_true(rows == b.n_local);
    row += rows, block = b.end;
    if (b.end - b.first > most) most = b.end - b.first;
    if (b.end - b.first < least) least = b.end - b.first;
  }
  assert_true(row == total);
  assert_true(block == total / size + (total % size > 0));
  assert_true(most - least <= 1); /* as even as blocks allow */
}

static void rows_are_covered_once(void **state) {
  (void)state;
  for (int ranks = 1; ranks <= 9; ranks++)
    for (int64_t size = 1; size <= 8; size++)
      for (int64_t total = 0; total <= 40; total++) expect_partition(total, size, ranks);
}

static void more_ranks_than_blocks(void **state) {
  (void)state;
  expect_partition(3, 1, 64);
  expect_partition(10, 64, 5);
  expect_partition(0, 64, 3);
}

/* No product overflows near the ends of the types. */
static void large_counts(void **state) {
  (void)state;
  expect_partition(INT64_MAX, 1, 3);
  expect_partition(INT64_MAX - 1, 64, 1000);
  expect_partition(INT64_MAX, INT64_MAX, 2);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(rows_are_covered_once),
      cmocka_unit_test(more_ranks_than_blocks),
      cmocka_unit_test(large_counts),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
