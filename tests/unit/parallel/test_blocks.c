/* Blocks partition the rows exactly, and a block is the same block whatever the number of ranks. */
#include "support.h"

#include "mmsold/parallel/blocks.h"
#include <stdlib.h>

static void expect_partition(int64_t total, int64_t size, int ranks) {
  int64_t row = 0, block = 0, most = 0, least = INT64_MAX;
  for (int rank = 0; rank < ranks; rank++) {
    mms_blocks b = mms_blocks_make(total, size, rank, ranks);
    assert_true(b.total == total && b.size == size && !b.even && b.count == total / size + (total % size > 0));
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

/* Blocks of even size: every row is in exactly one, and none is empty or more than a row larger than another. */
static void expect_even(int64_t total, int64_t count, int ranks) {
  const mms_blocks all = mms_blocks_make_even(total, count, 0, 1);
  assert_true(all.even && all.total == total && all.count == (count < total ? count : total));
  assert_true(all.first == 0 && all.end == all.count && all.first_row == 0 && all.n_local == total);
  int64_t row = 0, least = total;
  for (int64_t b = 0; b < all.count; b++) {
    const int64_t rows = mms_blocks_rows(&all, b);
    assert_true(mms_blocks_first_row(&all, b) == row);
    assert_true(rows >= 1 && rows <= all.size && rows >= all.size - 1);
    least = rows < least ? rows : least;
    row += rows;
  }
  assert_true(row == total && mms_blocks_first_row(&all, all.count) == total);
  assert_true(all.size == total / count + (total % count > 0) && least == (all.count > 0 ? total / all.count : 0));
  int64_t block = 0;
  for (int rank = 0; rank < ranks; rank++) {
    const mms_blocks mine = mms_blocks_make_even(total, count, rank, ranks);
    const mms_blocks theirs = mms_blocks_of_rank(&all, rank, ranks);
    assert_true(mine.first == block && mine.first_row == mms_blocks_first_row(&all, block));
    assert_true(mine.n_local == mms_blocks_first_row(&all, mine.end) - mine.first_row);
    assert_true(theirs.first == mine.first && theirs.end == mine.end && theirs.size == mine.size);
    assert_true(theirs.first_row == mine.first_row && theirs.n_local == mine.n_local && theirs.even);
    block = mine.end;
  }
  assert_true(block == all.count);
}

static void even_blocks_cover_rows_once(void **state) {
  (void)state;
  for (int ranks = 1; ranks <= 5; ranks++)
    for (int64_t count = 1; count <= 9; count++)
      for (int64_t total = 0; total <= 40; total++) expect_even(total, count, ranks);
  expect_even(300, 16, 7);
  expect_even(3, 64, 5); /* more blocks asked for than rows */
  expect_even(0, 64, 3);
}

/* Where the ranks have as many blocks each, their shares differ by a row at most; else by a block and a row. */
static void even_blocks_make_even_shares(void **state) {
  (void)state;
  for (int ranks = 1; ranks <= 8; ranks++)
    for (int64_t count = 1; count <= 64; count++)
      for (int64_t total = count; total < 40 * count; total += 1 + 7 * count / 3) {
        int64_t least = total, most = 0;
        for (int rank = 0; rank < ranks; rank++) {
          const mms_blocks mine = mms_blocks_make_even(total, count, rank, ranks);
          least = mine.n_local < least ? mine.n_local : least;
          most = mine.n_local > most ? mine.n_local : most;
        }
        assert_true(most - least <= (count % ranks == 0 ? 1 : total / count + 2));
      }
}

/* Longer and shorter ones alternate: no two rows' worth is gained or lost in any stretch of blocks. */
static void sizes_are_mixed(void **state) {
  (void)state;
  const mms_blocks blocks = mms_blocks_make_even(1003, 17, 0, 1);
  for (int64_t b = 0; b < blocks.count; b++)
    for (int64_t c = b; c <= blocks.count; c++) {
      const int64_t rows = mms_blocks_first_row(&blocks, c) - mms_blocks_first_row(&blocks, b);
      assert_true(llabs(rows * 17 - (c - b) * 1003) < 17);
    }
}

static void large_even_counts(void **state) {
  (void)state;
  const int64_t totals[] = {INT64_MAX, INT64_MAX - 1, (INT64_C(1) << 62) + 12345};
  for (size_t i = 0; i < sizeof totals / sizeof *totals; i++) {
    expect_even(totals[i], 1, 3);
    expect_even(totals[i], 1000, 7);
    const int64_t count = INT32_MAX;
    const mms_blocks blocks = mms_blocks_make_even(totals[i], count, 6, 7);
    assert_true(blocks.end == count && blocks.first_row + blocks.n_local == totals[i]);
    for (int64_t b = count - 1000; b < count; b++)
      assert_true(blocks.size - mms_blocks_rows(&blocks, b) >= 0 && blocks.size - mms_blocks_rows(&blocks, b) <= 1);
  }
}

/* No product overflows near the ends of the types. */
static void large_counts(void **state) {
  (void)state;
  expect_partition(INT64_MAX, 1, 3);
  const mms_blocks many = mms_blocks_make_even(100000000000007, 390625000000, 3, 4);
  assert_int_equal(many.first_row, 75000000000005);
  assert_int_equal(many.n_local, 25000000000002);
  expect_partition(INT64_MAX - 1, 64, 1000);
  expect_partition(INT64_MAX, INT64_MAX, 2);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(rows_are_covered_once),
      cmocka_unit_test(more_ranks_than_blocks),
      cmocka_unit_test(large_counts),
      cmocka_unit_test(even_blocks_cover_rows_once),
      cmocka_unit_test(even_blocks_make_even_shares),
      cmocka_unit_test(sizes_are_mixed),
      cmocka_unit_test(large_even_counts),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
