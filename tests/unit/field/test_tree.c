/* Truths (c) and (d) for the tree: it agrees with the reference on every kind of data, and what it leaves out moves the
 * answer by no more than the certificate (ALGORITHMS 1, truncation). */
#include "team_support.h"
#include "unit/field/field_support.h"

#include "field/backend.h"
#include "field/kernels.h"
#include "field/tree.h"

typedef struct answer {
  double *out, *mass;
  int64_t finished;
} answer;

static void answer_free(answer *a) {
  free(a->out);
  free(a->mass);
}

/* What a backend says; for the tree with private knobs where they are positive. */
static answer ask(const mms_training *training, const mms_queries *q, const mms_backend_table *backend, double depth,
                  double margin) {
  mms_error error = mms_error_none();
  void *state = NULL;
  expect_ok(backend->create(&state, team, training, q->count, q->pairs, &error), &error);
  if (depth > 0.0) ((mms_tree *)state)->depth = depth;
  if (margin > 0.0) ((mms_tree *)state)->margin = margin;
  mms_field_counters counters = {0};
  answer a = {.out = calloc((size_t)(q->count * training->dim), sizeof(double)),
              .mass = calloc((size_t)q->count, sizeof(double))};
  if (a.out == NULL || a.mass == NULL) abort();
  backend->evaluate(state, q, MMS_PULL_DISPLACEMENT, a.out, a.mass, &counters);
  a.finished = counters.finished;
  assert_int_equal(counters.rows, q->count * (q->pairs > 0 ? 2 * q->pairs : 1));
  backend->free(state);
  return a;
}

/* The rounding two double computations of a row may differ by: a logit is known to u of its size, a weight to as much
 * relatively, and that moves the mean by its share of the spread. */
static void expect_agreement(const char *what, const mms_training *training, mms_queries q, double tolerance) {
  answer truth = ask(training, &q, &mms_backend_reference, 0.0, 0.0);
  int64_t values = q.count * training->dim;
  double largest = fmax(largest_entry(truth.out, values), 1e-300), mass = fmax(largest_entry(truth.mass, q.count), 1.0);
  for (size_t i = 0; i < sizeof TREE_KERNELS / sizeof TREE_KERNELS[0]; i++) {
    if (mms_field_kernels_named(TREE_KERNELS[i]) == NULL) continue;
    setenv("MMSOLD_KERNELS", TREE_KERNELS[i], 1);
    answer tree = ask(training, &q, &mms_backend_tree, 0.0, 0.0);
    double off = largest_difference(tree.out, truth.out, values) / largest;
    double mass_off = largest_difference(tree.mass, truth.mass, q.count) / mass;
    if (!(off <= tolerance && mass_off <= tolerance))
      fail_msg("%s, %s, n = %lld, d = %lld, delta = %g, sigma = %g, %lld pairs: gradient off by %.2e, mass by %.2e",
               what, TREE_KERNELS[i], (long long)training->count, (long long)training->dim, q.bandwidth, q.smoothing,
               (long long)q.pairs, off, mass_off);
    answer_free(&tree);
  }
  unsetenv("MMSOLD_KERNELS");
  answer_free(&truth);
}

/* Counts about the sixteen of a leaf and of a node; widths from a single point of weight to all of them. */
static void every_size_and_width(void **state) {
  (void)state;
  const int64_t dims[] = {1, 2, 3, 5, 8, 10}, counts[] = {1, 2, 15, 16, 17, 257, 1000};
  const double widths[] = {1e-3, 0.05, 0.5, 1e3}, smoothings[] = {0.0, 0.02, 1.0};
  for (size_t i = 0; i < sizeof dims / sizeof dims[0]; i++)
    for (size_t c = 0; c < sizeof counts / sizeof counts[0]; c++) {
      mms_training training = cloud_make(CLOUD_NORMAL, counts[c], dims[i]);
      double *points = queries_near(&training, 19, 0.1); /* more than a group */
      for (size_t w = 0; w < sizeof widths / sizeof widths[0]; w++)
        for (size_t s = 0; s < sizeof smoothings / sizeof smoothings[0]; s++) {
          int64_t pairs = smoothings[s] > 0.0 ? 2 : 0;
          mms_queries q = {.count = 19, .points = points, .bandwidth = widths[w], .smoothing = smoothings[s]};
          q.pairs = pairs;
          expect_agreement("normal", &training, q, widths[w] < 0.01 ? 1e-11 : 1e-12);
          q.pairs = 4 * pairs; /* whole groups of eight draws: as pairs, where their logits allow it */
          if (pairs > 0 && c % 2 == 1)
            expect_agreement("normal, pairs", &training, q, widths[w] < 0.01 ? 1e-11 : 1e-12);
        }
      free(points);
      cloud_free(&training);
    }
}

static void every_kind_of_data(void **state) {
  (void)state;
  for (int kind = CLOUD_NORMAL; kind <= CLOUD_OFFSET; kind++)
    for (int64_t d = 1; d <= 4; d++) {
      mms_training training = cloud_make((cloud_kind)kind, 700, d);
      const double away[] = {0.0, 1e-3, 0.3};
      for (size_t a = 0; a < sizeof away / sizeof away[0]; a++) {
        double *points = queries_near(&training, 20, away[a]);
        const double widths[] = {1e-4, 2e-2, 0.7};
        for (size_t w = 0; w < sizeof widths / sizeof widths[0]; w++) {
          mms_queries q = {.count = 20, .points = points, .bandwidth = widths[w], .smoothing = 0.1, .pairs = 2};
          /* at an offset of 1e4 the data themselves are rounded to 1e-12, and x - z is exact */
          expect_agreement("kind", &training, q, widths[w] < 1e-3 ? 2e-10 : 1e-11);
        }
        free(points);
      }
      cloud_free(&training);
    }
}

/* Many equal points: more than a list holds, in boxes of no size. */
static void duplicates_beyond_a_list(void **state) {
  (void)state;
  enum { N = 3 * MMS_TREE_LIST };
  mms_training training = cloud_make(CLOUD_NORMAL, N, 2);
  double *x = (double *)(uintptr_t)training.points;
  for (int64_t i = 0; i < N; i++)
    if (i % 8 != 0) x[2 * i] = 0.25, x[2 * i + 1] = -0.5;
  double points[] = {0.25, -0.5, 0.26, -0.49, 3.0, 3.0, -1.0, 0.3};
  const double smoothings[] = {0.0, 1e-3, 0.5};
  for (size_t s = 0; s < 3; s++) {
    mms_queries q = {.count = 4, .points = points, .bandwidth = 0.01, .smoothing = smoothings[s]};
    q.pairs = smoothings[s] > 0.0 ? 3 : 0;
    expect_agreement("duplicates", &training, q, 1e-11);
    q.bandwidth = 3.0;
    expect_agreement("duplicates, all of weight", &training, q, 1e-11);
  }
  cloud_free(&training);
}

/* Logits of 1e6 and more: right, and still found by the index. */
static void far_queries(void **state) {
  (void)state;
  mms_training training = cloud_make(CLOUD_NORMAL, 5000, 3);
  double points[] = {1400.0, 0.0, 0.0, -900.0, 1000.0, 300.0, 1e5, 1e5, -1e5, 1e9, 0.0, 1.0};
  for (int64_t pairs = 0; pairs <= 2; pairs += 2) {
    mms_queries q = {.count = 3, .points = points, .bandwidth = 1.0, .smoothing = 0.5, .pairs = pairs};
    expect_agreement("far", &training, q, 1e-9);
    q.bandwidth = 1e-3;
    expect_agreement("far, narrow", &training, q, 1e-9);
    answer a = ask(&training, &q, &mms_backend_tree, 0.0, 0.0);
    int64_t draws = pairs > 0 ? 2 * pairs : 1;
    assert_true(a.finished < q.count * draws * training.count / 4);
    answer_free(&a);
  }
  mms_queries beyond = {.count = 1, .points = points + 9, .bandwidth = 1e-3};
  expect_agreement("very far", &training, beyond, 1e-6);
  /* so far that squares overflow: no crash, and the caller is told by a log-mass that is not finite */
  double lost[] = {1e200, 0.0, 0.0};
  mms_queries q = {.count = 1, .points = lost, .bandwidth = 1.0};
  answer a = ask(&training, &q, &mms_backend_tree, 0.0, 0.0);
  assert_true(!isfinite(a.mass[0]));
  answer_free(&a);
  cloud_free(&training);
}

/* Noise kept or fresh, of a particle, a block or all; more pairs than one round; draws that are searched apart. */
static void every_way_of_noise(void **state) {
  (void)state;
  mms_training training = cloud_make(CLOUD_NORMAL, 9000, 2);
  double *points = queries_near(&training, 18, 0.01);
  const int64_t pairs[] = {1, MMS_TREE_PAIRS - 1, MMS_TREE_PAIRS + 3};
  for (int noise = MMS_NOISE_FRESH; noise <= MMS_NOISE_FIXED; noise++)
    for (int sharing = MMS_SHARING_PARTICLE; sharing <= MMS_SHARING_ALL; sharing++)
      for (size_t p = 0; p < sizeof pairs / sizeof pairs[0]; p++) {
        mms_queries q = {.count = p == 0 ? 18 : 2, .points = points, .bandwidth = 0.01, .smoothing = 0.5};
        q.pairs = pairs[p];
        q.noise = (mms_noise)noise;
        q.sharing = (mms_sharing)sharing;
        q.seed = 5, q.step = 7, q.first_particle = 300, q.block = 3;
        expect_agreement("noise", &training, q, 1e-11);
      }
  /* in the middle a ball for all draws would hold most of the points, one for each draw some fifty */
  double middle[36];
  for (int i = 0; i < 36; i++) middle[i] = 0.01 * i;
  mms_queries q = {.count = 18, .points = middle, .bandwidth = 0.01, .smoothing = 1.0, .pairs = 4};
  answer a = ask(&training, &q, &mms_backend_tree, 0.0, 0.0);
  assert_true(a.finished < 18 * 8 * 200);
  answer_free(&a);
  expect_agreement("apart", &training, q, 1e-11);
  free(points);
  cloud_free(&training);
}

/* Law 1: a row's answer does not depend on its neighbours in the batch. */
static void rows_alone_and_together(void **state) {
  (void)state;
  mms_training training = cloud_make(CLOUD_NORMAL, 3000, 3);
  double *points = queries_near(&training, 40, 0.1);
  mms_queries q = {.count = 40, .points = points, .bandwidth = 0.05, .smoothing = 0.05, .pairs = 4};
  answer together = ask(&training, &q, &mms_backend_tree, 0.0, 0.0);
  for (int64_t row = 0; row < 40; row++) {
    mms_queries one = q;
    one.count = 1, one.points = points + 3 * row, one.first_particle = row;
    answer alone = ask(&training, &one, &mms_backend_tree, 0.0, 0.0);
    assert_memory_equal(alone.out, together.out + 3 * row, 3 * sizeof(double));
    assert_memory_equal(alone.mass, together.mass + row, sizeof(double));
    answer_free(&alone);
  }
  answer_free(&together);
  free(points);
  cloud_free(&training);
}

/* With one point k = x to the bit, and a row whose weights are all one point's too. */
static void one_point_is_itself(void **state) {
  (void)state;
  mms_training training = cloud_make(CLOUD_OFFSET, 100, 3);
  mms_error error = mms_error_none();
  double z[3], mean[3], mass;
  for (int64_t n = 1; n <= 100; n += 99) {
    training.count = n;
    mms_field *field = field_make(team, &training, MMS_BACKEND_TREE, 1, 2);
    for (int k = 0; k < 3; k++) z[k] = training.points[k] + 1e-3 / 3.0;
    mms_queries q = {.count = 1, .points = z, .bandwidth = 1e-3, .smoothing = 1e-3, .pairs = 2};
    expect_ok(mms_field_softmax_mean(field, &q, mean, &mass, &error), &error);
    assert_memory_equal(mean, training.points, sizeof mean);
    assert_string_equal(mms_field_backend_name(field), "tree");
    mms_field_free(&field);
  }
  cloud_free(&training);
}

/* --- the certificate --- */

/* Dropping what is more than b below the row's maximum moves k by at most R/(S + R) times the diameter of X and the
 * log-mass by at most log(1 + R/S), with R = (number below) e^-b and S the mass above, relative to the maximum. */
static void certificate(const mms_training *training, const double *z, double delta, double depth, double *mean,
                        double *mass) {
  int64_t n = training->count, d = training->dim;
  double top = -INFINITY, kept = 0.0, dropped = 0.0, span = 0.0;
  double *logit = calloc((size_t)n, sizeof(double));
  for (int64_t i = 0; i < n; i++) {
    for (int64_t k = 0; k < d; k++) {
      double y = training->points[i * d + k] - z[k];
      logit[i] -= y * y / (2.0 * delta * delta);
    }
    top = fmax(top, logit[i]);
  }
  for (int64_t i = 0; i < n; i++) {
    if (logit[i] - top >= -depth)
      kept += exp(logit[i] - top);
    else
      dropped += exp(-depth);
  }
  for (int64_t k = 0; k < d; k++) {
    double low = INFINITY, high = -INFINITY;
    for (int64_t i = 0; i < n; i++) {
      low = fmin(low, training->points[i * d + k]);
      high = fmax(high, training->points[i * d + k]);
    }
    span += (high - low) * (high - low);
  }
  *mean = dropped / (kept + dropped) * sqrt(span);
  *mass = log1p(dropped / kept);
  free(logit);
}

/* How many of the rows are off by more than their certificate, and the largest error in shares of it. */
static int64_t breaches(double depth, double margin, double *most) {
  enum { ROWS = 200 };
  int64_t over = 0;
  *most = 0.0;
  for (int64_t d = 1; d <= 3; d++) {
    mms_training training = cloud_make(CLOUD_NORMAL, 2000, d);
    double *points = queries_near(&training, ROWS, 0.3);
    mms_queries q = {.count = ROWS, .points = points, .bandwidth = 0.1};
    answer truth = ask(&training, &q, &mms_backend_reference, 0.0, 0.0);
    answer tree = ask(&training, &q, &mms_backend_tree, depth, margin);
    for (int64_t row = 0; row < ROWS; row++) {
      double mean, mass, square = 0.0;
      certificate(&training, points + row * d, q.bandwidth, depth, &mean, &mass);
      for (int64_t k = 0; k < d; k++) square += pow(tree.out[row * d + k] - truth.out[row * d + k], 2.0);
      double off = sqrt(square), mass_off = fabs(tree.mass[row] - truth.mass[row]);
      over += off > mean + 1e-14 || mass_off > mass + 1e-12;
      *most = fmax(*most, off / (mean + 1e-14));
    }
    answer_free(&truth);
    answer_free(&tree);
    free(points);
    cloud_free(&training);
  }
  return over;
}

static void error_within_the_certificate(void **state) {
  (void)state;
  const double depths[] = {0.5, 2.0, 6.0, 12.0, 20.0, 37.0 + 7.7};
  for (size_t i = 0; i < sizeof depths / sizeof depths[0]; i++) {
    double most;
    int64_t over = breaches(depths[i], 1.0, &most);
    if (over != 0) fail_msg("b = %g: %lld rows beyond their certificate", depths[i], (long long)over);
    /* points were left out indeed, or the bound would not have been put to the test */
    if (depths[i] > 1.0 && depths[i] < 15.0 && !(most > 1e-4))
      fail_msg("b = %g: the largest error is %.1e of its certificate", depths[i], most);
  }
}

/* A search that looks less far than it must is noticed. */
static void too_small_a_radius_is_noticed(void **state) {
  (void)state;
  double most;
  assert_true(breaches(20.0, 0.4, &most) > 0);
}

static void too_many_dimensions(void **state) {
  (void)state;
  mms_training training = cloud_make(CLOUD_NORMAL, 20, MMS_TREE_DIM_MOST + 1);
  mms_error error = mms_error_none();
  mms_field *field = NULL;
  expect_refused(mms_field_create(&field, team, &training, MMS_BACKEND_TREE, 1, 1, &error), MMS_ERR_INPUT, &error,
                 "use dense");
  cloud_free(&training);
}

/* The order of a selection, on data that breaks careless ones: sorted, reversed, all equal, two values. */
static void selection(void **state) {
  (void)state;
  enum { N = 5000 };
  double *p = malloc(2 * N * sizeof(double));
  for (int kind = 0; kind < 5; kind++)
    for (int64_t nth = 1; nth < N; nth += 833) {
      double sum = 0.0, after = 0.0;
      for (int64_t i = 0; i < N; i++) {
        double values[] = {(double)i, (double)(N - i), 1.0, (double)(i % 2), (double)(i < N / 2 ? i : N - i)};
        p[2 * i + 1] = values[kind];
        p[2 * i] = (double)i;
        sum += values[kind] * (double)(i + 1);
      }
      mms_tree_select(p, 2, 1, 0, N, nth);
      for (int64_t i = 0; i < N; i++) after += p[2 * i + 1] * (p[2 * i] + 1.0); /* rows stay whole */
      assert_true(sum == after);
      double before = -INFINITY, behind = INFINITY;
      for (int64_t i = 0; i < N; i++)
        if (i < nth)
          before = fmax(before, p[2 * i + 1]);
        else
          behind = fmin(behind, p[2 * i + 1]);
      assert_true(before <= behind);
    }
  free(p);
}

int main(int argc, char **argv) {
  if (!team_begin(&argc, &argv)) return 1;
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_size_and_width),
      cmocka_unit_test(every_kind_of_data),
      cmocka_unit_test(duplicates_beyond_a_list),
      cmocka_unit_test(far_queries),
      cmocka_unit_test(every_way_of_noise),
      cmocka_unit_test(rows_alone_and_together),
      cmocka_unit_test(one_point_is_itself),
      cmocka_unit_test(error_within_the_certificate),
      cmocka_unit_test(too_small_a_radius_is_noticed),
      cmocka_unit_test(too_many_dimensions),
      cmocka_unit_test(selection),
  };
  return team_end(cmocka_run_group_tests(tests, NULL, NULL));
}
