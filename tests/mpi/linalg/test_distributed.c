/* Distributed matrices against the replicated algebra on the same numbers, whatever the grid and its blocks. */
#include "team_support.h"

#include "mmsold/linalg/dense.h"
#include "mmsold/linalg/distributed.h"
#include "mmsold/random/random.h"
#include <stdlib.h>

/* Orders and blocks: one entry, fewer blocks than ranks, blocks that do not divide, and panels that do not. */
static const int64_t ORDERS[][2] = {{1, 0}, {37, 8}, {37, 64}, {96, 7}, {150, 0}};
enum { CASES = sizeof ORDERS / sizeof *ORDERS };

static const double TOLERANCE = 1e-12; /* of the largest entry, for n <= 150 */

static double *normals(uint64_t item, int64_t count) {
  double *out = malloc((size_t)count * sizeof *out);
  mms_random_normals((mms_random_key){.seed = 5, .stream = MMS_STREAM_TEST, .item = item}, 0, count, out);
  return out;
}

/* A positive definite matrix of condition below 100. */
static double *definite(uint64_t item, int64_t n) {
  double *x = normals(item, 2 * n * n), *a = calloc((size_t)(n * n), sizeof *a);
  mms_dense_gram_upper(2 * n, n, 1.0 / (double)(2 * n), x, 0.0, a);
  for (int64_t i = 0; i < n; i++) a[i * n + i] += 0.1;
  mms_dense_mirror_upper(n, a);
  free(x);
  return a;
}

static mms_rank_grid *grid_of(const mms_team *over, int64_t n, int64_t block) {
  mms_rank_grid *grid = NULL;
  mms_error error = mms_error_none();
  expect_ok(mms_rank_grid_create(&grid, over, n, block, &error), &error);
  return grid;
}

static mms_distributed empty(mms_rank_grid *grid) {
  mms_distributed matrix;
  mms_error error = mms_error_none();
  expect_ok(mms_distributed_create(&matrix, grid, "a test's matrix", &error), &error);
  return matrix;
}

static mms_distributed spread(mms_rank_grid *grid, const double *whole) {
  mms_distributed matrix = empty(grid);
  int64_t n = mms_rank_grid_order(grid), step = mms_rank_grid_panel_rows(grid);
  for (int64_t first = 0; first < n; first += step)
    mms_distributed_put_rows(&matrix, first, n - first < step ? n - first : step, whole + first * n);
  return matrix;
}

/* The matrix as this rank sees it row by row is `whole`, in what of it counts. */
static void expect_matrix(const mms_distributed *matrix, mms_shape shape, const double *whole, double tolerance) {
  int64_t n = mms_rank_grid_order(matrix->grid), step = mms_rank_grid_panel_rows(matrix->grid);
  double *panel = mms_rank_grid_panel(matrix->grid);
  for (int64_t first = 0; first < n; first += step) {
    int64_t count = n - first < step ? n - first : step;
    mms_distributed_fetch_rows(matrix, first, count, panel);
    for (int64_t i = 0; i < count; i++)
      for (int64_t j = shape == MMS_SHAPE_FULL ? 0 : first + i; j < n; j++)
        expect_near(panel[i * n + j], whole[(first + i) * n + j], tolerance);
  }
}

static void parts_are_all_of_a_matrix(void **state) {
  (void)state;
  for (int c = 0; c < CASES; c++) {
    int64_t n = ORDERS[c][0];
    int high, wide;
    mms_rank_grid *grid = grid_of(team, n, ORDERS[c][1]);
    mms_rank_grid_shape(grid, &high, &wide);
    assert_int_equal(high * wide, mms_team_size(team));
    assert_true(high <= wide && (mms_team_size(team) != 6 || high == 2));
    int64_t entries = mms_rank_grid_rows(grid) * mms_rank_grid_columns(grid);
    assert_int_equal(mms_rank_grid_matrix_bytes(grid), entries * 8);
    assert_true(mms_rank_grid_bytes(grid) > 0);
    mms_team_sum_int64(team, &entries, 1);
    assert_int_equal(entries, n * n);
    double *whole = normals(1, n * n);
    mms_distributed matrix = spread(grid, whole);
    for (int64_t i = 0; i < mms_rank_grid_rows(grid); i++)
      for (int64_t j = 0; j < mms_rank_grid_columns(grid); j++)
        assert_true(matrix.data[i * mms_rank_grid_columns(grid) + j] ==
                    whole[mms_rank_grid_row(grid, i) * n + mms_rank_grid_column(grid, j)]);
    expect_matrix(&matrix, MMS_SHAPE_FULL, whole, 0.0);
    mms_distributed_free(&matrix);
    mms_rank_grid_free(&grid);
    assert_null(grid);
    free(whole);
  }
}

/* XᵀX and XᵀY of rows that the ranks share out unevenly, the last one having none where there are several. */
static void sums_over_ranks_are_those_of_all_rows(void **state) {
  (void)state;
  const int64_t rows = 101;
  int ranks = mms_team_size(team), rank = mms_team_rank(team), sharing = ranks > 1 ? ranks - 1 : 1;
  int64_t first = rank < sharing ? rows * rank / sharing : rows,
          end = rank < sharing ? rows * (rank + 1) / sharing : rows;
  for (int c = 0; c < CASES; c++) {
    int64_t n = ORDERS[c][0];
    mms_rank_grid *grid = grid_of(team, n, ORDERS[c][1]);
    double *x = normals(2, rows * n), *y = normals(3, rows * n), *whole = calloc((size_t)(n * n), sizeof *whole);
    mms_distributed matrix = empty(grid);
    mms_dense_gram_upper(rows, n, 1.0, x, 0.0, whole);
    mms_distributed_gram(&matrix, end - first, x + first * n);
    expect_matrix(&matrix, MMS_SHAPE_UPPER, whole, TOLERANCE * (double)rows);
    mms_dense_multiply(true, false, n, n, rows, 1.0, x, y, 0.0, whole);
    mms_distributed_product(&matrix, end - first, x + first * n, y + first * n);
    expect_matrix(&matrix, MMS_SHAPE_FULL, whole, TOLERANCE * (double)rows);
    double *mean = normals(6, n), *centred = malloc((size_t)(rows * n) * sizeof *centred);
    for (int64_t i = 0; i < rows * n; i++) centred[i] = x[i] - mean[i % n];
    mms_dense_multiply(true, false, n, n, rows, 0.5, centred, centred, 0.0, whole);
    mms_distributed_covariance(&matrix, end - first, x + first * n, mean, 0.5);
    expect_matrix(&matrix, MMS_SHAPE_FULL, whole, TOLERANCE * (double)rows);
    mms_distributed_free(&matrix);
    mms_rank_grid_free(&grid);
    free(x), free(y), free(whole), free(mean), free(centred);
  }
}

static void expect_rows(int64_t count, const double *found, const double *wanted) {
  for (int64_t i = 0; i < count; i++) expect_near(found[i], wanted[i], 100.0 * TOLERANCE);
}

/* Each rank multiplies rows of its own, and as many as it likes. */
static void rows_meet_the_whole_matrix(void **state) {
  (void)state;
  int64_t rows = 3 * mms_team_rank(team) + (mms_team_rank(team) == mms_team_size(team) - 1 ? 5 : 0);
  for (int c = 0; c < CASES; c++) {
    int64_t n = ORDERS[c][0];
    mms_rank_grid *grid = grid_of(team, n, ORDERS[c][1]);
    double *whole = normals(4, n * n), *in = normals(5 + (uint64_t)mms_team_rank(team), rows * n + 1);
    double *out = calloc((size_t)(rows * n + 1), sizeof *out), *wanted = calloc((size_t)(rows * n + 1), sizeof *wanted);
    mms_distributed matrix = spread(grid, whole);
    for (int transpose = 0; transpose < 2; transpose++) {
      mms_dense_multiply(false, transpose, rows, n, n, 1.0, in, whole, 0.0, wanted);
      for (int64_t i = 0; i < rows * n; i++) out[i] = (double)NAN; /* not added to */
      mms_distributed_rows_times(&matrix, transpose, rows, in, false, out);
      expect_rows(rows * n, out, wanted);
      mms_distributed_rows_times(&matrix, transpose, rows, in, true, out);
      for (int64_t i = 0; i < rows * n; i++) wanted[i] *= 2.0;
      expect_rows(rows * n, out, wanted);
      memcpy(out, in, (size_t)(rows * n) * sizeof *out);
      memcpy(wanted, in, (size_t)(rows * n) * sizeof *out);
      mms_dense_triangle_right(true, transpose, rows, n, whole, wanted); /* looks at the upper triangle only */
      mms_distributed_rows_triangle(&matrix, transpose, rows, out);
      expect_rows(rows * n, out, wanted);
    }
    mms_distributed_free(&matrix);
    mms_rank_grid_free(&grid);
    free(whole), free(in), free(out), free(wanted);
  }
}

static void products_and_norms_are_those_of_the_whole(void **state) {
  (void)state;
  for (int c = 0; c < CASES; c++) {
    int64_t n = ORDERS[c][0];
    mms_rank_grid *grid = grid_of(team, n, ORDERS[c][1]);
    double *a = normals(7, n * n), *b = normals(8, n * n), *s = definite(9, n), *whole = calloc((size_t)(n * n), 8);
    double *vector = normals(10, n), *out = calloc((size_t)n, sizeof *out), *wanted = calloc((size_t)n, sizeof *wanted);
    mms_distributed da = spread(grid, a), db = spread(grid, b), ds = spread(grid, s), dc = spread(grid, a);
    for (int transpose = 0; transpose < 2; transpose++) {
      memcpy(whole, a, (size_t)(n * n) * sizeof *whole);
      mms_dense_multiply(transpose, false, n, n, n, 0.5, a, b, 2.0, whole);
      mms_distributed_free(&dc);
      dc = spread(grid, a);
      mms_distributed_multiply(transpose, 0.5, &da, &db, 2.0, &dc);
      expect_matrix(&dc, MMS_SHAPE_FULL, whole, 100.0 * TOLERANCE);
    }
    mms_dense_multiply(false, false, n, n, n, 1.5, s, b, 0.0, whole);
    for (int64_t i = 0; i < mms_rank_grid_rows(grid); i++) /* the lower triangle is not looked at */
      for (int64_t j = 0; j < mms_rank_grid_columns(grid); j++)
        if (mms_rank_grid_column(grid, j) < mms_rank_grid_row(grid, i))
          ds.data[i * mms_rank_grid_columns(grid) + j] = 1e9;
    mms_distributed_symmetric_multiply(1.5, &ds, &db, 0.0, &dc);
    expect_matrix(&dc, MMS_SHAPE_FULL, whole, 100.0 * TOLERANCE);
    for (int64_t i = 0; i < n * n; i++) whole[i] = 0.5 * a[i] - 2.0 * b[i % n * n + i / n];
    mms_distributed_free(&dc);
    dc = spread(grid, a);
    mms_distributed_add_transposed(-2.0, &db, 0.5, &dc);
    expect_matrix(&dc, MMS_SHAPE_FULL, whole, TOLERANCE);

    double full = 0.0, upper = 0.0, symmetric = 0.0, longest = 0.0;
    mms_dense_multiply(false, false, 1, n, n, 1.0, vector, a, 0.0, wanted);
    mms_distributed_vector_times(&da, vector, out);
    expect_rows(n, out, wanted);
    mms_dense_multiply(false, false, 1, n, n, 1.0, vector, s, 0.0, wanted);
    mms_distributed_symmetric_vector_times(&ds, vector, out);
    expect_rows(n, out, wanted);
    mms_distributed_diagonal(&da, out);
    for (int64_t j = 0; j < n; j++) {
      double sums[4] = {0.0};
      assert_true(out[j] == a[j * n + j]);
      for (int64_t i = 0; i < n; i++) {
        sums[0] += fabs(a[i * n + j]);
        sums[1] += i <= j ? fabs(a[i * n + j]) : 0.0;
        sums[2] += fabs(s[i * n + j]);
        sums[3] += a[i * n + j] * a[i * n + j];
      }
      full = fmax(full, sums[0]), upper = fmax(upper, sums[1]);
      symmetric = fmax(symmetric, sums[2]), longest = fmax(longest, sums[3]);
    }
    expect_near(mms_distributed_norm(&da, MMS_SHAPE_FULL), full, TOLERANCE * full);
    expect_near(mms_distributed_norm(&da, MMS_SHAPE_UPPER), upper, TOLERANCE * upper);
    expect_near(mms_distributed_norm(&ds, MMS_SHAPE_SYMMETRIC), symmetric, TOLERANCE * symmetric);
    expect_near(mms_distributed_longest_column(&da, MMS_SHAPE_FULL), longest, TOLERANCE * longest);
    mms_distributed_free(&da), mms_distributed_free(&db), mms_distributed_free(&ds), mms_distributed_free(&dc);
    mms_rank_grid_free(&grid);
    free(a), free(b), free(s), free(whole), free(vector), free(out), free(wanted);
  }
}

static void factors_and_eigenvectors_agree_with_the_replicated(void **state) {
  (void)state;
  mms_error error = mms_error_none();
  for (int c = 0; c < CASES; c++) {
    int64_t n = ORDERS[c][0];
    mms_rank_grid *grid = grid_of(team, n, ORDERS[c][1]);
    double *s = definite(11, n), *whole = malloc((size_t)(n * n) * 8), *q = malloc((size_t)(n * n) * 8);
    double *wanted = calloc((size_t)n, sizeof *wanted), *found = calloc((size_t)n, sizeof *found);
    memcpy(whole, s, (size_t)(n * n) * sizeof *whole);
    mms_distributed matrix = spread(grid, s), vectors = empty(grid);
    expect_ok(mms_dense_cholesky_upper(n, whole, &error), &error);
    expect_ok(mms_distributed_cholesky_upper(&matrix, &error), &error);
    expect_matrix(&matrix, MMS_SHAPE_UPPER, whole, TOLERANCE);
    expect_ok(mms_dense_invert_upper(n, whole, &error), &error);
    expect_ok(mms_distributed_invert_upper(&matrix, &error), &error);
    expect_matrix(&matrix, MMS_SHAPE_UPPER, whole, 100.0 * TOLERANCE);

    memcpy(whole, s, (size_t)(n * n) * sizeof *whole);
    expect_ok(mms_dense_eigen(n, whole, wanted, q, &error), &error);
    mms_distributed_free(&matrix);
    matrix = spread(grid, s);
    expect_ok(mms_distributed_eigenvalues(&matrix, found, &error), &error);
    expect_rows(n, found, wanted);
    mms_distributed_free(&matrix);
    matrix = spread(grid, s);
    expect_ok(mms_distributed_eigen(&matrix, found, &vectors, &error), &error);
    expect_rows(n, found, wanted);
    for (int64_t i = 0; i < n * n; i++) whole[i] = q[i % n * n + i / n]; /* its vectors are columns */
    expect_matrix(&vectors, MMS_SHAPE_FULL, whole, 1e-9);                /* near eigenvalues mix vectors */
    mms_distributed_free(&matrix), mms_distributed_free(&vectors);
    mms_rank_grid_free(&grid);
    free(s), free(whole), free(q), free(wanted), free(found);
  }
}

static void bad_matrices_are_refused_by_all_ranks(void **state) {
  (void)state;
  const int64_t n = 37;
  mms_error error = mms_error_none();
  mms_rank_grid *grid = grid_of(team, n, 8);
  double *s = definite(12, n), values[37];
  s[30 * n + 30] = -1.0;
  mms_distributed matrix = spread(grid, s), vectors = empty(grid);
  expect_refused(mms_distributed_cholesky_upper(&matrix, &error), MMS_ERR_NUMERIC, &error, "breaks at pivot 31");
  mms_distributed_free(&matrix);
  s[30 * n + 30] = (double)NAN;
  matrix = spread(grid, s);
  assert_false(mms_distributed_is_finite(&matrix, MMS_SHAPE_UPPER));
  expect_refused(mms_distributed_eigenvalues(&matrix, values, &error), MMS_ERR_NUMERIC, &error, "not finite");
  expect_refused(mms_distributed_eigen(&matrix, values, &vectors, &error), MMS_ERR_NUMERIC, &error, "not finite");
  assert_int_equal(mms_distributed_cholesky_upper(&matrix, &error), MMS_ERR_NUMERIC);
  mms_distributed_free(&matrix);
  s[30 * n + 30] = 0.0;
  matrix = spread(grid, s);
  assert_true(mms_distributed_is_finite(&matrix, MMS_SHAPE_FULL));
  expect_refused(mms_distributed_invert_upper(&matrix, &error), MMS_ERR_NUMERIC, &error, "diagonal entry 31 is zero");
  mms_distributed_free(&matrix), mms_distributed_free(&vectors);
  mms_rank_grid_free(&grid);
  free(s);
  const int64_t impossible[] = {0, -1, (int64_t)1 << 40, 15000000};
  for (int i = 0; i < 4; i++) {
    expect_refused(mms_rank_grid_create(&grid, team, impossible[i], 0, &error), MMS_ERR_INPUT, &error,
                   i < 3 ? "it must be 1 to" : "take more ranks");
    assert_null(grid);
  }
}

/* Each part of a team has a grid of its own, at the same time; and grids hand back what they took: a grid takes several
 * of the communicators that a process has. */
static void parts_of_a_team_work_side_by_side(void **state) {
  (void)state;
  mms_team *part = NULL;
  mms_error error = mms_error_none();
  expect_ok(mms_team_split(&part, team, mms_team_rank(team) % 2, &error), &error);
  const int64_t n = 50 + 7 * (mms_team_rank(team) % 2);
  double *s = definite(13, n), *whole = malloc((size_t)(n * n) * sizeof *whole);
  memcpy(whole, s, (size_t)(n * n) * sizeof *whole);
  expect_ok(mms_dense_cholesky_upper(n, whole, &error), &error);
  mms_rank_grid *beside = grid_of(team, 20, 0);
  for (int i = 0; i < 10; i++) {
    mms_rank_grid *grid = grid_of(part, n, 8);
    assert_ptr_equal(mms_rank_grid_team(grid), part);
    mms_distributed matrix = spread(grid, s);
    expect_ok(mms_distributed_cholesky_upper(&matrix, &error), &error);
    expect_matrix(&matrix, MMS_SHAPE_UPPER, whole, TOLERANCE);
    mms_distributed_free(&matrix);
    mms_rank_grid_free(&grid);
  }
  mms_rank_grid_free(&beside);
  mms_rank_grid *alone = grid_of(NULL, n, 8); /* no team: this rank by itself */
  mms_distributed matrix = spread(alone, s);
  expect_ok(mms_distributed_cholesky_upper(&matrix, &error), &error);
  expect_matrix(&matrix, MMS_SHAPE_UPPER, whole, TOLERANCE);
  mms_distributed_free(&matrix);
  mms_rank_grid_free(&alone);
  mms_team_free(&part);
  free(s), free(whole);
}

int main(int argc, char **argv) {
  if (!team_begin(&argc, &argv)) return 1;
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(parts_are_all_of_a_matrix),
      cmocka_unit_test(sums_over_ranks_are_those_of_all_rows),
      cmocka_unit_test(rows_meet_the_whole_matrix),
      cmocka_unit_test(products_and_norms_are_those_of_the_whole),
      cmocka_unit_test(factors_and_eigenvectors_agree_with_the_replicated),
      cmocka_unit_test(bad_matrices_are_refused_by_all_ranks),
      cmocka_unit_test(parts_of_a_team_work_side_by_side),
  };
  return team_end(cmocka_run_group_tests(tests, NULL, NULL));
}
