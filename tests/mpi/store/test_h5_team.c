/* HDF5 files of a team: rows of all ranks land in their place, whoever has none; failures are agreed on. */
#include "team_support.h"

#include "mmsold/base/memory.h"
#include "mmsold/store/h5.h"
#include <stdlib.h>
#include <unistd.h>

static char path[64], partial[80];

enum { COLS = 37 };

static double value_at(int64_t i) { return cos((double)i) * 11.3; }

/* *context: the most rows that were asked for at once. */
static void fill_rows(void *context, const mms_blocks *blocks, int64_t first, int64_t end, double *out) {
  const int64_t from = mms_blocks_first_row(blocks, first), rows = mms_blocks_first_row(blocks, end) - from;
  int64_t *most = context;
  assert_true(first >= blocks->first && first < end && end <= blocks->end);
  *most = rows > *most ? rows : *most;
  for (int64_t i = 0; i < rows * COLS; i++) out[i] = value_at(from * COLS + i);
}

/* Write `rows` rows split into blocks of `size` from memory, and by callback into blocks of even size, in three types.
 */
static void write_file(int64_t rows, int64_t size, int64_t chunk_rows) {
  mms_error error = mms_error_none();
  mms_h5 *file = NULL;
  mms_blocks blocks = mms_blocks_make(rows, size, mms_team_rank(team), mms_team_size(team));
  mms_blocks even = mms_blocks_make_even(rows, rows / size + 1, mms_team_rank(team), mms_team_size(team));
  int64_t most = 0;
  double *values = NULL;
  expect_ok(mms_allocate_doubles(&values, blocks.n_local * COLS, "rows", &error), &error);
  for (int64_t i = 0; i < blocks.n_local * COLS; i++) values[i] = value_at(blocks.first_row * COLS + i);
  expect_ok(mms_h5_create(&file, team, path, &error), &error);
  expect_ok(mms_h5_write_rows(file, "/a", MMS_H5_FLOAT64, rows, COLS, blocks.first_row, blocks.n_local, values, "a",
                              "row", "column", &error),
            &error);
  expect_ok(mms_h5_write_rows_by(file, "/deep/b", MMS_H5_FLOAT32, COLS, &even, chunk_rows, fill_rows, &most, NULL, NULL,
                                 NULL, &error),
            &error);
  assert_true(most <=
              (chunk_rows > even.size ? chunk_rows : even.size)); /* pieces hold what was asked for, or a block */
  assert_true(most > 0 || even.n_local == 0);
  /* Every rank holds something else: rank 0's is what counts. */
  double mine[3] = {mms_team_rank(team) + 0.5, 2, 3};
  char text[32];
  snprintf(text, sizeof text, "from rank %d", mms_team_rank(team));
  expect_ok(mms_h5_write_array(file, "/small", MMS_H5_FLOAT64, 2, 1, 3, mine, "small", &error), &error);
  expect_ok(mms_h5_write_array(file, "/scalar", MMS_H5_FLOAT64, 0, 0, 0, mine, NULL, &error), &error);
  expect_ok(mms_h5_attribute_text(file, "/", "text", text, &error), &error);
  expect_ok(mms_h5_attribute_int(file, "/deep", "number", mms_team_rank(team) + 5, &error), &error);
  expect_ok(mms_h5_commit(&file, &error), &error);
  free(values);
}

/* Read the whole by this process alone, without the MPI driver. */
static void check_file(int64_t rows) {
  mms_error error = mms_error_none();
  mms_h5 *file = NULL;
  mms_matrix a, b, small;
  int64_t number = 0;
  char *text = NULL;
  expect_ok(mms_h5_open(&file, NULL, path, &error), &error);
  expect_ok(mms_h5_verify(file, NULL, NULL, &error), &error);
  expect_ok(mms_h5_read_matrix(file, "/a", &a, &error), &error);
  expect_ok(mms_h5_read_matrix(file, "/deep/b", &b, &error), &error);
  assert_int_equal(a.rows, rows);
  assert_int_equal(b.cols, COLS);
  int64_t wrong = 0;
  for (int64_t i = 0; i < rows * COLS; i++)
    wrong += a.data[i] != value_at(i) || b.data[i] != (double)(float)value_at(i);
  assert_int_equal(wrong, 0);
  expect_ok(mms_h5_read_matrix(file, "/small", &small, &error), &error);
  assert_true(small.data[0] == 0.5 && small.data[2] == 3);
  mms_matrix_free(&small);
  expect_ok(mms_h5_read_matrix(file, "/scalar", &small, &error), &error);
  assert_true(small.data[0] == 0.5);
  expect_ok(mms_h5_read_text(file, "/", "text", &text, &error), &error);
  assert_string_equal(text, "from rank 0");
  expect_ok(mms_h5_read_int(file, "/deep", "number", &number, &error), &error);
  assert_int_equal(number, 5);
  free(text);
  mms_matrix_free(&a);
  mms_matrix_free(&b);
  mms_matrix_free(&small);
  mms_h5_close(&file);
  mms_team_barrier(team);
}

static void rows_of_all_ranks_land_in_their_place(void **state) {
  (void)state;
  write_file(5000, 64, 100); /* 1.5 MB: several chunks, shared by ranks and by pieces */
  check_file(5000);
  write_file(777, 10, 9); /* a block is more than a piece; 78 of them, of 9 or 10 rows */
  check_file(777);
  write_file(777, 10, 35);
  check_file(777);
}

static void ranks_without_rows_take_part(void **state) {
  (void)state;
  write_file(1, 64, 8); /* one block: all ranks but one are empty */
  check_file(1);
  write_file(3, 2, 8);
  check_file(3);
  write_file(0, 2, 8);
  check_file(0);
}

static void each_rank_reads_its_share(void **state) {
  (void)state;
  write_file(1000, 16, 64);
  mms_error error = mms_error_none();
  mms_h5 *file = NULL;
  mms_blocks blocks = mms_blocks_make(1000, 96, mms_team_rank(team), mms_team_size(team)); /* not as written */
  double *values = NULL;
  mms_matrix whole;
  expect_ok(mms_allocate_doubles(&values, blocks.n_local * COLS, "rows", &error), &error);
  expect_ok(mms_h5_open(&file, team, path, &error), &error);
  expect_ok(mms_h5_read_rows(file, "/a", blocks.first_row, blocks.n_local, values, &error), &error);
  for (int64_t i = 0; i < blocks.n_local * COLS; i++) assert_true(values[i] == value_at(blocks.first_row * COLS + i));
  expect_ok(mms_h5_read_matrix(file, "/a", &whole, &error), &error);
  assert_int_equal(whole.rows, 1000);
  mms_matrix_free(&whole);
  mms_h5_close(&file);
  free(values);
}

static void a_stale_partial_file_is_replaced(void **state) {
  (void)state;
  if (mms_team_rank(team) == 0) {
    FILE *stale = fopen(partial, "wb");
    char block[1 << 16];
    memset(block, 'x', sizeof block);
    for (int i = 0; i < 50; i++) fwrite(block, 1, sizeof block, stale); /* longer than what replaces it */
    fclose(stale);
  }
  mms_team_barrier(team);
  write_file(50, 8, 8);
  check_file(50);
  assert_int_not_equal(access(partial, F_OK), 0);
  mms_team_barrier(team); /* rank 0 makes the next one */
}

/* Every rank has the same status and, but for who speaks, the same words. */
static void expect_same_refusal(mms_status status, mms_error *error, mms_status wanted, const char *part) {
  expect_refused(status, wanted, error, part);
  expect_same_message(error);
}

static void refusals_are_agreed_on(void **state) {
  (void)state;
  mms_error error = mms_error_none();
  mms_h5 *file = NULL;
  mms_status status = mms_h5_open(&file, team, "not-there.h5", &error);
  expect_same_refusal(status, &error, MMS_ERR_INPUT, "not-there.h5: no such file");
  assert_null(file);
  status = mms_h5_create(&file, team, "no-such-folder/a.h5", &error);
  expect_same_refusal(status, &error, MMS_ERR_INPUT, "no-such-folder");
  assert_null(file);
  /* The last rank alone holds a value that does not fit. */
  int rank = mms_team_rank(team), size = mms_team_size(team);
  double value = rank == size - 1 ? 1e300 : 1.0;
  expect_ok(mms_h5_create(&file, team, path, &error), &error);
  status = mms_h5_write_rows(file, "/a", MMS_H5_FLOAT32, size, 1, rank, 1, &value, NULL, NULL, NULL, &error);
  expect_same_refusal(status, &error, MMS_ERR_NUMERIC, "cannot be stored as float32");
  status = mms_h5_write_rows(file, "/b", MMS_H5_FLOAT32, size + 1, 1, rank, 1, &value, NULL, NULL, NULL, &error);
  expect_same_refusal(status, &error, MMS_ERR_INTERNAL, "rows of");
  mms_h5_close(&file);
  mms_team_barrier(team);
  assert_int_not_equal(access(partial, F_OK), 0);
  mms_team_barrier(team); /* rank 0 makes the next one */
}

/* A damaged chunk is met by one rank only; all say so and nobody waits for ever. */
static void damage_met_by_one_rank_is_agreed_on(void **state) {
  (void)state;
  write_file(5000, 64, 100);
  if (mms_team_rank(team) == 0) {
    FILE *stream = fopen(path, "r+b");
    const double wanted = value_at(4990 * COLS);
    unsigned char window[8] = {0};
    long place = -8;
    for (int byte; memcmp(window, &wanted, sizeof wanted) != 0; place++) { /* HDF5 aligns nothing */
      assert_int_not_equal(byte = fgetc(stream), EOF);
      memmove(window, window + 1, 7);
      window[7] = (unsigned char)byte;
    }
    fseek(stream, place, SEEK_SET);
    fputc(~((const unsigned char *)&wanted)[0] & 255, stream);
    fclose(stream);
  }
  mms_team_barrier(team);
  mms_error error = mms_error_none();
  mms_h5 *file = NULL;
  mms_blocks blocks = mms_blocks_make(5000, 100, mms_team_rank(team), mms_team_size(team));
  double *values = NULL;
  expect_ok(mms_allocate_doubles(&values, blocks.n_local * COLS, "rows", &error), &error);
  expect_ok(mms_h5_open(&file, team, path, &error), &error);
  mms_status status = mms_h5_read_rows(file, "/a", blocks.first_row, blocks.n_local, values, &error);
  expect_same_refusal(status, &error, MMS_ERR_INPUT, "/a: cannot be read");
  mms_h5_close(&file);
  free(values);
}

static int set_up(void **state) {
  (void)state;
  snprintf(path, sizeof path, "team-%d.h5", mms_team_size(team));
  snprintf(partial, sizeof partial, "%s.partial", path);
  return 0;
}

static int tear_down(void **state) {
  (void)state;
  mms_team_barrier(team);
  if (mms_team_rank(team) == 0) unlink(path);
  return 0;
}

int main(int argc, char **argv) {
  if (!team_begin(&argc, &argv)) return 1;
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(rows_of_all_ranks_land_in_their_place),
      cmocka_unit_test(ranks_without_rows_take_part),
      cmocka_unit_test(each_rank_reads_its_share),
      cmocka_unit_test(a_stale_partial_file_is_replaced),
      cmocka_unit_test(refusals_are_agreed_on),
      cmocka_unit_test(damage_met_by_one_rank_is_agreed_on),
  };
  return team_end(cmocka_run_group_tests(tests, set_up, tear_down));
}
