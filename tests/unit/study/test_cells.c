/* Who runs which cell: by cost, the same every time, nobody idle while there is work. */
#include "support.h"

#include "mmsold/study/cells.h"

enum { MOST = 64 };

static int parts_of(const double *costs, int64_t count, int ranks, int *of_cell, int *of_rank) {
  mms_error error = mms_error_none();
  int parts = 0;
  expect_ok(mms_cells_assign(costs, count, ranks, of_cell, of_rank, &parts, &error), &error);
  for (int r = 0; r < ranks; r++) {
    assert_true(of_rank[r] >= 0 && of_rank[r] < parts);
    assert_true(r == 0 ? of_rank[r] == 0 : of_rank[r] == of_rank[r - 1] || of_rank[r] == of_rank[r - 1] + 1);
  }
  assert_int_equal(of_rank[ranks - 1], parts - 1);
  for (int64_t c = 0; c < count; c++) assert_true(of_cell[c] >= 0 && of_cell[c] < parts);
  return parts;
}

/* Largest first: 7 6 5 4 3 2 1 over two is 14 and 14. */
static void test_largest_first(void **state) {
  (void)state;
  const double costs[] = {1, 2, 3, 4, 5, 6, 7};
  int of_cell[MOST], of_rank[MOST];
  assert_int_equal(parts_of(costs, 7, 2, of_cell, of_rank), 2);
  double load[2] = {0};
  for (int c = 0; c < 7; c++) load[of_cell[c]] += costs[c];
  assert_true(load[0] == 14.0 && load[1] == 14.0);
  assert_int_equal(of_cell[6], 0); /* the largest goes to the first */
}

/* Fewer cells than ranks: a team for each, spare ranks where most is left per rank. */
static void test_teams(void **state) {
  (void)state;
  const double costs[] = {1, 8, 3};
  int of_cell[MOST], of_rank[MOST], size[3] = {0};
  assert_int_equal(parts_of(costs, 3, 8, of_cell, of_rank), 3);
  for (int r = 0; r < 8; r++) size[of_rank[r]]++;
  assert_int_equal(size[of_cell[1]], 5);
  assert_int_equal(size[of_cell[2]], 2);
  assert_int_equal(size[of_cell[0]], 1);
  assert_true(of_cell[0] != of_cell[1] && of_cell[1] != of_cell[2] && of_cell[0] != of_cell[2]);
}

/* Finished cells (cost 0) take nobody's time: the others get all ranks. */
static void test_finished_cells_count_for_nothing(void **state) {
  (void)state;
  const double costs[] = {0, 0, 5, 0, 5, 0};
  int of_cell[MOST], of_rank[MOST], size[MOST] = {0};
  assert_int_equal(parts_of(costs, 6, 4, of_cell, of_rank), 2);
  for (int r = 0; r < 4; r++) size[of_rank[r]]++;
  assert_true(of_cell[2] != of_cell[4] && size[0] == 2 && size[1] == 2);
  const double none[] = {0, 0};
  assert_int_equal(parts_of(none, 2, 3, of_cell, of_rank), 1);
}

/* Every number of cells and ranks up to 12: no part is empty while cells wait, and no part has more than the largest
 * cell above the average. */
static void test_balance(void **state) {
  (void)state;
  for (int count = 1; count <= 12; count++)
    for (int ranks = 1; ranks <= 12; ranks++) {
      double costs[12], load[12] = {0}, total = 0.0;
      int of_cell[MOST], of_rank[MOST];
      for (int c = 0; c < count; c++) total += costs[c] = 1.0 + (7 * c) % 5;
      const int parts = parts_of(costs, count, ranks, of_cell, of_rank);
      assert_int_equal(parts, count < ranks ? count : ranks);
      for (int c = 0; c < count; c++) load[of_cell[c]] += costs[c];
      for (int p = 0; p < parts; p++) assert_true(load[p] > 0.0 && load[p] <= total / parts + 5.0);
    }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_largest_first),
      cmocka_unit_test(test_teams),
      cmocka_unit_test(test_finished_cells_count_for_nothing),
      cmocka_unit_test(test_balance),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
