/* Truth (c) where rows share their draws: the factored weights agree with the oracle wherever the rule lets them be
 * used, and they are used where it says. */
#include "team_support.h"
#include "unit/field/field_support.h"

#include "field/backend.h"
#include "field/kernels.h"
#include "field/tree.h"
#include "field/tree_cloud.h"

enum { ROWS = 40 };

typedef struct answer {
  double out[ROWS * 4], mass[ROWS];
  int64_t finished;
} answer;

static answer ask(const mms_training *training, const mms_queries *q, const mms_backend_table *backend, bool cloud) {
  mms_error error = mms_error_none();
  void *state = NULL;
  answer a = {{0.0}, {0.0}, 0};
  expect_ok(backend->create(&state, team, training, q->count, q->pairs, &error), &error);
  if (!cloud && backend == &mms_backend_tree) mms_tree_cloud_free(&((mms_tree *)state)->cloud);
  mms_field_counters counters = {0};
  backend->evaluate(state, q, MMS_PULL_DISPLACEMENT, a.out, a.mass, &counters);
  a.finished = counters.finished;
  backend->free(state);
  return a;
}

/* How far off, as a share of the largest displacement of the batch; *used says whether the factors were. */
static double off_by(const mms_training *training, const mms_queries *q, bool *used) {
  answer truth = ask(training, q, &mms_backend_reference, true), plain = ask(training, q, &mms_backend_tree, false);
  double largest = largest_entry(truth.out, q->count * training->dim), most = 0.0;
  for (size_t i = 0; i < sizeof TREE_KERNELS / sizeof TREE_KERNELS[0]; i++) {
    if (mms_field_kernels_named(TREE_KERNELS[i]) == NULL) continue;
    setenv("MMSOLD_KERNELS", TREE_KERNELS[i], 1);
    answer cloud = ask(training, q, &mms_backend_tree, true);
    *used = memcmp(cloud.out, plain.out, sizeof plain.out) != 0;
    most = fmax(most, largest_difference(cloud.out, truth.out, q->count * training->dim) / largest);
    most = fmax(most, largest_difference(cloud.mass, truth.mass, q->count));
  }
  unsetenv("MMSOLD_KERNELS");
  return most;
}

/* A flow's way, from widths far beyond the data down to where the search takes over: within 1e-6 all along. */
static void agrees_along_a_flow(void **state) {
  (void)state;
  const int64_t counts[] = {70, 1000, 1500}; /* padded leaves, more than one chunk of sums */
  int times = 0;
  for (int64_t d = 1; d <= 4; d++)
    for (size_t c = 0; c < sizeof counts / sizeof counts[0]; c++) {
      mms_training training = cloud_make(c == 1 ? CLOUD_CLUSTERED : CLOUD_NORMAL, counts[c], d);
      for (double delta = 1000.0; delta > 0.01; delta /= 3.0) {
        double *points = queries_near(&training, ROWS, delta);
        mms_queries q = {.count = ROWS, .points = points, .bandwidth = delta, .smoothing = 0.1 * sqrt(delta)};
        q.pairs = c == 0 ? 7 : 4, q.sharing = c == 2 ? MMS_SHARING_BLOCK : MMS_SHARING_ALL, q.noise = MMS_NOISE_FIXED;
        bool used;
        double off = off_by(&training, &q, &used);
        if (!(off < 1e-6))
          fail_msg("n = %lld, d = %lld, delta = %g: off by %.2e", (long long)counts[c], (long long)d, delta, off);
        if (delta > 10.0) assert_true(used);
        if (delta < 0.02) assert_false(used);
        times += used;
        free(points);
      }
      cloud_free(&training);
    }
  assert_true(times > 60);
}

/* Where the factors' range would not fit, and in a row too far away for it, the search does the work. */
static void kept_away_where_it_does_not_fit(void **state) {
  (void)state;
  mms_training training = cloud_make(CLOUD_NORMAL, 500, 2);
  double *points = queries_near(&training, ROWS, 0.1);
  bool used;
  mms_queries q = {.count = ROWS, .points = points, .bandwidth = 1.0, .smoothing = 0.5, .pairs = 2};
  q.sharing = MMS_SHARING_ALL;
  assert_true(off_by(&training, &q, &used) < 1e-6 && used);
  q.smoothing = 20.0;
  assert_true(off_by(&training, &q, &used) < 1e-9 && !used);
  q.smoothing = 0.5;
  q.sharing = MMS_SHARING_PARTICLE;
  assert_true(off_by(&training, &q, &used) < 1e-9 && !used);
  q.sharing = MMS_SHARING_ALL;
  for (int i = 0; i < 2 * ROWS; i++) points[i] += 40.0;
  assert_true(off_by(&training, &q, &used) < 1e-9 && !used);
  free(points);
  cloud_free(&training);
}

/* Law 1: a row's bits do not depend on its batch, nor on what the field did before. */
static void rows_alone_and_after_others(void **state) {
  (void)state;
  mms_error error = mms_error_none();
  mms_training training = cloud_make(CLOUD_NORMAL, 900, 2);
  double *points = queries_near(&training, ROWS, 1.0), together[2 * ROWS], alone[2];
  mms_field *field = field_make(team, &training, MMS_BACKEND_TREE, ROWS, 4);
  mms_queries q = {.count = ROWS, .points = points, .bandwidth = 1.0, .smoothing = 0.3, .pairs = 4};
  q.sharing = MMS_SHARING_ALL;
  expect_ok(mms_field_softmax_mean(field, &q, together, NULL, &error), &error);
  for (int64_t row = 0; row < ROWS; row++) {
    mms_queries other = q, one = q;
    other.step = 1,
    other.bandwidth = row % 2 == 0 ? 0.5 : 1e-3; /* other draws, with and without factors of their own */
    expect_ok(mms_field_softmax_mean(field, &other, (double[2 * ROWS]){0}, NULL, &error), &error);
    other.step = 0;
    expect_ok(mms_field_softmax_mean(field, &other, (double[2 * ROWS]){0}, NULL, &error), &error);
    one.count = 1, one.points = points + 2 * row, one.first_particle = row;
    expect_ok(mms_field_softmax_mean(field, &one, alone, NULL, &error), &error);
    assert_memory_equal(alone, together + 2 * row, sizeof alone);
  }
  mms_field_free(&field);
  free(points);
  cloud_free(&training);
}

int main(int argc, char **argv) {
  if (!team_begin(&argc, &argv)) return 1;
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(agrees_along_a_flow),
      cmocka_unit_test(kept_away_where_it_does_not_fit),
      cmocka_unit_test(rows_alone_and_after_others),
  };
  return team_end(cmocka_run_group_tests(tests, NULL, NULL));
}
