/* Truths (b), (c) and (d) for lists by cells: a prepared tree agrees with the oracle, uses its lists where it says so,
 * and what the lists leave out is within the certificate. */
#include "team_support.h"
#include "unit/field/field_support.h"

#include "field/backend.h"
#include "field/kernels.h"
#include "field/tree.h"

enum { ROWS = 40 };

typedef struct answer {
  double out[ROWS * 2], mass[ROWS];
  bool ready;
} answer;

/* What a backend says; the tree is prepared where depth > 0, with that depth. */
static answer ask(const mms_training *training, const mms_queries *q, const mms_backend_table *backend, double depth) {
  mms_error error = mms_error_none();
  void *state = NULL;
  answer a = {{0.0}, {0.0}, false};
  expect_ok(backend->create(&state, team, training, q->count, q->pairs, &error), &error);
  if (depth > 0.0) {
    mms_tree *tree = state;
    expect_ok(mms_tree_cells_make(&tree->cells, training, q->bandwidth, q->smoothing, depth, &error), &error);
    a.ready = tree->cells.bandwidth == q->bandwidth;
  }
  mms_field_counters counters = {0};
  backend->evaluate(state, q, MMS_PULL_DISPLACEMENT, a.out, a.mass, &counters);
  assert_int_equal(counters.rows, q->count * (q->pairs > 0 ? 2 * q->pairs : 1));
  backend->free(state);
  return a;
}

static double full_depth(const mms_training *training) { return 37.0 + log((double)training->count); }

/* How many rows have other bits than the search gives: these were looked up. */
static int looked_up(const answer *a, const answer *plain, int64_t dim) {
  int rows = 0;
  for (int64_t r = 0; r < ROWS; r++)
    rows += memcmp(a->out + r * dim, plain->out + r * dim, (size_t)dim * sizeof(double)) != 0 ||
            a->mass[r] != plain->mass[r];
  return rows;
}

/* The largest error over the kernels, as a share of the batch's largest displacement; *rows: looked up, *ready: there
 * are lists. */
static double off_by(const mms_training *training, const mms_queries *q, double depth, int *rows, bool *ready) {
  answer truth = ask(training, q, &mms_backend_reference, 0.0), plain = ask(training, q, &mms_backend_tree, 0.0);
  int64_t values = q->count * training->dim;
  double largest = largest_entry(truth.out, values), mass = fmax(largest_entry(truth.mass, q->count), 1.0), most = 0.0;
  for (size_t i = 0; i < sizeof TREE_KERNELS / sizeof TREE_KERNELS[0]; i++) {
    bool last =
        i + 1 == sizeof TREE_KERNELS / sizeof TREE_KERNELS[0] || mms_field_kernels_named(TREE_KERNELS[i + 1]) == NULL;
    if (mms_field_kernels_named(TREE_KERNELS[i]) == NULL || (training->dim != 2 && !last)) continue;
    setenv("MMSOLD_KERNELS", TREE_KERNELS[i], 1);
    answer cells = ask(training, q, &mms_backend_tree, depth);
    *rows = looked_up(&cells, &plain, training->dim);
    *ready = cells.ready;
    most = fmax(most, largest_difference(cells.out, truth.out, values) / largest);
    most = fmax(most, largest_difference(cells.mass, truth.mass, q->count) / mass);
  }
  unsetenv("MMSOLD_KERNELS");
  return most;
}

static void agrees_with_the_oracle(void **state) {
  (void)state;
  const double widths[] = {1e-3, 0.02, 0.2}, smoothings[] = {0.0, 0.05, 0.6};
  const int64_t counts[] = {1, 9, 300};
  for (int kind = CLOUD_NORMAL; kind <= CLOUD_OFFSET; kind++)
    for (int64_t d = 1; d <= 2; d++)
      for (size_t c = 0; c < sizeof counts / sizeof counts[0]; c++) {
        mms_training training = cloud_make((cloud_kind)kind, counts[c], d);
        double *points = queries_near(&training, ROWS, 0.1);
        for (int i = 0; i < 9; i++) {
          mms_queries q = {.count = ROWS, .points = points, .bandwidth = widths[i / 3], .smoothing = smoothings[i % 3]};
          q.pairs = q.smoothing > 0.0 ? (i % 2 == 0 ? 5 : 1) : 0;
          q.sharing = (mms_sharing)(i % 3), q.noise = (mms_noise)(i % 2), q.seed = 3, q.step = 8, q.block = 2;
          int rows;
          bool ready;
          double off = off_by(&training, &q, full_depth(&training), &rows, &ready);
          /* at an offset of 1e4 the data themselves are rounded to 1e-12; without lists, shared draws may be factored
           */
          if (!(off < (!ready ? 1e-6 : q.bandwidth < 0.01 ? 1e-9 : 1e-11)))
            fail_msg("kind %d, n = %lld, d = %lld, delta = %g, sigma = %g: off by %.2e", kind, (long long)counts[c],
                     (long long)d, q.bandwidth, q.smoothing, off);
          if (!ready) assert_int_equal(rows, 0);
          bool fit = d == 2 && counts[c] == 300 && kind != CLOUD_CLUSTERED && q.bandwidth == 0.02 && q.pairs > 0;
          if (fit) assert_true(rows > ROWS / 2);
        }
        free(points);
        cloud_free(&training);
      }
}

/* Lists that are cut short on purpose must not pass. */
static void lists_cut_short_are_noticed(void **state) {
  (void)state;
  mms_training training = cloud_make(CLOUD_NORMAL, 500, 2);
  double *points = queries_near(&training, ROWS, 0.1);
  mms_queries q = {.count = ROWS, .points = points, .bandwidth = 0.05, .smoothing = 0.05, .pairs = 4};
  int rows;
  bool ready;
  assert_true(off_by(&training, &q, full_depth(&training), &rows, &ready) < 1e-12 && rows > ROWS / 2);
  double off = off_by(&training, &q, 3.0, &rows, &ready);
  /* what is left out weighs less than e^-3 a point */
  assert_true(off > 1e-6 && off < 10.0);
  free(points);
  cloud_free(&training);
}

/* Far out, and where lists would be too long, the search does the work: its bits. */
static void searched_where_there_is_no_list(void **state) {
  (void)state;
  mms_training training = cloud_make(CLOUD_NORMAL, 500, 2);
  double *points = queries_near(&training, ROWS, 0.1);
  int rows;
  bool ready;
  mms_queries q = {.count = ROWS, .points = points, .bandwidth = 3.0, .smoothing = 0.05, .pairs = 2};
  assert_true(off_by(&training, &q, full_depth(&training), &rows, &ready) < 1e-11 && rows == 0 && !ready);
  q.bandwidth = 0.02;
  for (int i = 0; i < ROWS; i++) points[2 * i] += i % 2 == 0 ? 50.0 : 0.0;
  assert_true(off_by(&training, &q, full_depth(&training), &rows, &ready) < 1e-9 && ready);
  assert_true(rows > 0 && rows <= ROWS / 2);
  free(points);
  cloud_free(&training);
}

/* Law 1: a row's bits depend neither on its batch nor on what was asked or prepared before. */
static void rows_alone_and_after_others(void **state) {
  (void)state;
  mms_error error = mms_error_none();
  mms_training training = cloud_make(CLOUD_NORMAL, 700, 2);
  double *points = queries_near(&training, ROWS, 0.1), together[2 * ROWS], masses[ROWS], alone[2], mass;
  points[6] += 30.0;
  mms_queries q = {.count = ROWS, .points = points, .bandwidth = 0.03, .smoothing = 0.1, .pairs = 4};
  mms_field *first = field_make(team, &training, MMS_BACKEND_TREE, ROWS, 4);
  mms_field *second = field_make(team, &training, MMS_BACKEND_TREE, ROWS, 4);
  expect_ok(mms_field_prepare(first, 0.03, 0.1, &error), &error);
  expect_ok(mms_field_softmax_mean(first, &q, together, masses, &error), &error);
  expect_ok(mms_field_prepare(second, 0.3, 0.0, &error), &error);
  expect_ok(mms_field_softmax_mean(second, &q, (double[2 * ROWS]){0}, NULL, &error), &error);
  expect_ok(mms_field_prepare(second, 0.03, 0.1, &error), &error);
  assert_true(mms_field_bytes(second) == mms_field_bytes(first));
  for (int64_t row = 0; row < ROWS; row++) {
    mms_queries one = q;
    one.count = 1, one.points = points + 2 * row, one.first_particle = row;
    expect_ok(mms_field_softmax_mean(second, &one, alone, &mass, &error), &error);
    assert_memory_equal(alone, together + 2 * row, sizeof alone);
    assert_memory_equal(&mass, masses + row, sizeof mass);
  }
  expect_refused(mms_field_prepare(first, 0.0, 0.1, &error), MMS_ERR_INPUT, &error, "bandwidth 0");
  mms_field_free(&first);
  mms_field_free(&second);
  free(points);
  cloud_free(&training);
}

/* With one point k = x to the bit. */
static void one_point_is_itself(void **state) {
  (void)state;
  mms_error error = mms_error_none();
  mms_training training = cloud_make(CLOUD_OFFSET, 1, 2);
  double z[2], mean[2];
  for (int k = 0; k < 2; k++) z[k] = training.points[k] + 1e-3 / 3.0;
  mms_field *field = field_make(team, &training, MMS_BACKEND_TREE, 1, 3);
  expect_ok(mms_field_prepare(field, 1e-3, 1e-3, &error), &error);
  mms_queries q = {.count = 1, .points = z, .bandwidth = 1e-3, .smoothing = 1e-3, .pairs = 3};
  expect_ok(mms_field_softmax_mean(field, &q, mean, NULL, &error), &error);
  assert_memory_equal(mean, training.points, sizeof mean);
  mms_field_free(&field);
  cloud_free(&training);
}

int main(int argc, char **argv) {
  if (!team_begin(&argc, &argv)) return 1;
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(agrees_with_the_oracle),
      cmocka_unit_test(lists_cut_short_are_noticed),
      cmocka_unit_test(searched_where_there_is_no_list),
      cmocka_unit_test(rows_alone_and_after_others),
      cmocka_unit_test(one_point_is_itself),
  };
  return team_end(cmocka_run_group_tests(tests, NULL, NULL));
}
