/* Exact sums: the same bits however the addends are split over ranks and ordered, and the right ones. */
#include "exact_support.h"
#include "team_support.h"
#include "window_support.h"

#include "mmsold/parallel/blocks.h"
#include "mmsold/random/random.h"
#include "parallel/team_mpi.h"
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

static void reference(double *sums, int unit) {
  exact_integer totals[LENGTH] = {0};
  double row[LENGTH];
  for (int64_t a = 0; a < ADDENDS; a++) {
    make_row(a, row);
    for (int i = 0; i < LENGTH; i++) totals[i] += exact_of(row[i], unit);
  }
  for (int i = 0; i < LENGTH; i++) sums[i] = exact_double(totals[i], unit);
}

/* What travelled: all-reduces and the integers in the last. */
static int reductions, travelled;

int MPI_Allreduce(const void *in, void *out, int count, MPI_Datatype type, MPI_Op op, MPI_Comm comm) {
  reductions++;
  travelled = type == MPI_INT64_T ? count : -1;
  return PMPI_Allreduce(in, out, count, type, op, comm);
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
      mms_exact_sum_add_coarse(sum, 7, LENGTH - 7, row + 7);
      mms_exact_sum_add_fine(sum, 7, LENGTH - 7, row + 7);
      mms_exact_sum_add_coarse(sum, 0, 7, row);
      mms_exact_sum_add_fine(sum, 0, 7, row);
    } else {
      mms_exact_sum_add_fine(sum, 0, LENGTH, row);
      mms_exact_sum_add_coarse(sum, 0, LENGTH, row);
    }
    mms_exact_sum_count(sum, 1, a);
  }
}

/* All ways of one sum in turn against the totals; `integers` travel in its one all-reduce, or none (0). */
static void check_ways(mms_exact_sum *sum, const mms_team *of, int integers, const double *coarse, const double *fine) {
  double got[LENGTH];
  for (int way = 0; way < 3; way++) {
    mms_exact_sum_clear(sum);
    add_share(sum, way);
    mms_exact_sum_count(sum, 2, mms_team_rank(team) == mms_team_size(team) - 1 ? -5 : 0);
    reductions = 0;
    mms_exact_sum_reduce(sum, of);
    assert_int_equal(reductions, integers > 0);
    if (reductions > 0) assert_int_equal(travelled, integers);
    mms_exact_sum_read_coarse(sum, 0, LENGTH, got);
    expect_bits(got, coarse, LENGTH);
    mms_exact_sum_read_fine(sum, 0, LENGTH, got);
    expect_bits(got, fine, LENGTH);
    mms_exact_sum_read_coarse(sum, 30, 4, got);
    expect_bits(got, coarse + 30, 4);
    mms_exact_sum_read_fine(sum, 30, 4, got);
    expect_bits(got, fine + 30, 4);
    assert_int_equal(mms_exact_sum_extra(sum, 0), 0);
    assert_int_equal(mms_exact_sum_extra(sum, 1), ADDENDS * (ADDENDS - 1) / 2);
    assert_int_equal(mms_exact_sum_extra(sum, 2), -5);
    assert_int_equal(mms_exact_sum_refused(sum), 0);
  }
}

/* This rank's share of so many places, in lines of eight. */
static int share_of(int integers, const mms_team *of) {
  const int lines = (integers + 7) / 8, ranks = mms_team_node_size(of), rank = mms_team_node_rank(of);
  const int first = lines * rank / ranks * 8, end = lines * (rank + 1) / ranks * 8;
  return (end < integers ? end : integers) - (first < integers ? first : integers);
}

/* The same totals where the ranks of a node share memory: on one node, and on several of `cut` ranks. */
static void check_shared(const mms_exact_sum_shape *shape, int limbs, int integers, const double *coarse,
                         const double *fine) {
  for (int cut = 0; cut <= 3; cut++) {
    mms_error error = mms_error_none();
    mms_team *of = NULL;
    mms_exact_sum *sum = NULL;
    expect_ok(mms_team_create_cut(&of, cut, &error), &error);
    expect_ok(mms_exact_sum_create(&sum, shape, &error), &error);
    const int ranks = mms_team_size(of), node = cut == 0 || cut > ranks ? ranks : cut;
    const bool shared = node > 1 && ranks % node == 0;
    assert_true(mms_exact_sum_share(sum, of) == shared && mms_exact_sum_is_shared(sum) == shared);
    check_ways(sum, of,
               shared      ? (node < ranks ? limbs * share_of(LENGTH, of) + share_of(integers - limbs * LENGTH, of) : 0)
               : ranks > 1 ? integers
                           : 0,
               coarse, fine);
    mms_exact_sum_free(&sum);
    mms_team_free(&of);
  }
}

/* Coarse sums in two limbs of the finest and the coarsest units, and in three where still more addends were announced.
 */
static void order_and_split_do_not_matter(void **state) {
  (void)state;
  const struct {
    int64_t addends;
    int unit, limbs;
  } cases[] = {{ADDENDS, COARSE_UNIT, 2},
               {MMS_EXACT_SUM_PAIRED_ADDENDS, COARSEST_UNIT, 2},
               {MMS_EXACT_SUM_PAIRED_ADDENDS + 1, FINE_UNIT, 3}};
  for (int c = 0; c < 3; c++) {
    double fine[LENGTH], coarse[LENGTH];
    reference(fine, FINE_UNIT);
    reference(coarse, cases[c].unit);
    assert_true(fine[0] == 0x1.fffffffffffffp46 && coarse[0] == fine[0]);
    assert_true(fine[3] == 1.0 + 202 * 0x1p-53 && coarse[3] == (c == 1 ? 1.0 : fine[3]));
    assert_true(fine[5] == 0.0 && coarse[5] == 0.0);
    assert_true(fine[2] == -203 * 0x1p-72 && coarse[2] == (c < 2 ? 0.0 : fine[2]));
    mms_error error = mms_error_none();
    mms_exact_sum *sum = NULL;
    const mms_exact_sum_shape shape = {.coarse = LENGTH, .fine = LENGTH, .extras = 3, .addends = cases[c].addends};
    const int integers = cases[c].limbs * LENGTH + 3 * LENGTH + 3 + 1;
    expect_ok(mms_exact_sum_create(&sum, &shape, &error), &error);
    assert_int_equal(mms_exact_sum_message(sum), integers * 8);
    check_ways(sum, team, mms_team_size(team) > 1 ? integers : 0, coarse, fine);
    mms_exact_sum_free(&sum);
    assert_null(sum);
    check_shared(&shape, cases[c].limbs, integers, coarse, fine);
  }
}

/* Ranks that come to a shared reduction, and leave it, at any time: nothing is added to, or cleared, before all have
 * read it. */
static void shared_sums_wait_for_each_other(void **state) {
  (void)state;
  enum { ROUNDS = 60, MANY = 5000 };
  static double values[MANY], got[MANY];
  mms_error error = mms_error_none();
  mms_exact_sum *sum = NULL;
  const mms_exact_sum_shape shape = {.coarse = MANY, .addends = 64};
  expect_ok(mms_exact_sum_create(&sum, &shape, &error), &error);
  assert_true(mms_exact_sum_share(sum, team) == (mms_team_node_size(team) > 1));
  const int ranks = mms_team_size(team), rank = mms_team_rank(team);
  for (int round = 0; round < ROUNDS; round++) {
    mms_exact_sum_clear(sum);
    if (round % ranks == rank) usleep(300);
    for (int i = 0; i < MANY; i++) values[i] = (double)(i + 1) * (rank + 1) + round;
    mms_exact_sum_add_coarse(sum, 0, MANY, values);
    mms_exact_sum_reduce(sum, team);
    if (round % ranks == (rank + 1) % ranks) usleep(300);
    mms_exact_sum_read_coarse(sum, 0, MANY, got);
    for (int i = 0; i < MANY; i++)
      assert_true(got[i] == (double)(i + 1) * ranks * (ranks + 1) / 2 + (double)round * ranks);
  }
  mms_exact_sum_free(&sum);
}

/* No room, or a window that one rank does not get: sums as before. */
static void sums_that_cannot_be_shared_are_sums_still(void **state) {
  (void)state;
  for (int why = 0; why < 2; why++) {
    mms_exact_sum *sum = exact_make(&exact_kinds[0], 1, 64);
    if (why == 0) setenv("OMPI_MCA_osc_sm_backing_directory", "/no/such/folder", 1);
    refuse_window = why == 1 && mms_team_rank(team) == mms_team_size(team) - 1;
    assert_false(mms_exact_sum_share(sum, team));
    refuse_window = false;
    unsetenv("OMPI_MCA_osc_sm_backing_directory");
    assert_false(mms_exact_sum_is_shared(sum));
    const double one = 1.0;
    double got;
    exact_add(sum, &exact_kinds[0], 0, 1, &one);
    mms_exact_sum_reduce(sum, team);
    exact_read(sum, &exact_kinds[0], 0, 1, &got);
    assert_true(got == mms_team_size(team));
    mms_exact_sum_free(&sum);
  }
}

/* What cannot be summed is counted over all ranks and leaves the sums alone. */
static void what_does_not_fit_is_counted(void **state) {
  (void)state;
  const double values[] = {1.0, NAN, INFINITY, -INFINITY, 0x1p48, -0x1p47, 0x1p47, -0x1.fffffffffffffp46, 1e308};
  enum { N = sizeof values / sizeof *values };
  for (const exact_kind *kind = exact_kinds; kind < exact_kinds + EXACT_KINDS; kind++) {
    mms_exact_sum *sum = exact_make(kind, N, 64);
    exact_add(sum, kind, 0, N, values);
    mms_exact_sum_reduce(sum, team);
    double got[N], wanted[N] = {0};
    int ranks = mms_team_size(team);
    wanted[0] = ranks;
    wanted[7] = -0x1.fffffffffffffp46 * ranks;
    exact_read(sum, kind, 0, N, got);
    expect_bits(got, wanted, N);
    assert_int_equal(mms_exact_sum_refused(sum), 7 * ranks);
    mms_exact_sum_clear(sum);
    exact_read(sum, kind, 0, N, got);
    assert_int_equal(mms_exact_sum_refused(sum), 0);
    assert_true(got[0] == 0.0);
    mms_exact_sum_free(&sum);
  }
}

int main(int argc, char **argv) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(order_and_split_do_not_matter),
      cmocka_unit_test(shared_sums_wait_for_each_other),
      cmocka_unit_test(sums_that_cannot_be_shared_are_sums_still),
      cmocka_unit_test(what_does_not_fit_is_counted),
  };
  if (!team_begin(&argc, &argv)) return 1;
  return team_end(cmocka_run_group_tests(tests, NULL, NULL));
}
