/* The neighbours backend (truth g): nearest sets against brute force, the others uniform, both ways of drawing noise of
 * one law, exact where everything is taken, and right on the average. */
#include "team_support.h"
#include "unit/field/field_support.h"

#include "field/nearest.h"
#include "field/neighbours.h"
#include "field/noise.h"
#include "mmsold/base/sort.h"

/* Sets of kernels, each with a screen. */
static const char *const KERNELS[] = {"portable", "avx512", "avx512", "amx"};
static const mms_screen SCREENS[] = {MMS_SCREEN_SINGLE, MMS_SCREEN_SINGLE, MMS_SCREEN_BFLOAT16, MMS_SCREEN_BFLOAT16};

static mms_field *make(const mms_training *training, const mms_score_options *score, int64_t rows, int64_t pairs) {
  mms_error error = mms_error_none();
  mms_field *field = NULL;
  expect_ok(mms_field_create_for(&field, team, training, score, rows, pairs, &error), &error);
  return field;
}

static mms_score_options options(int64_t nearest, int64_t remainder) {
  return (mms_score_options){.backend = MMS_BACKEND_NEIGHBOURS, .nearest = nearest, .remainder = remainder};
}

/* --- the search --------------------------------------------------------------------------- */

/* The K nearest by the definition: sorted by distance, then by index. */
static void brute_force(const mms_training *training, const double *z, int64_t k, int64_t *index) {
  int64_t n = training->count;
  bool *taken = calloc((size_t)n, sizeof *taken);
  for (int64_t i = 0; i < k; i++) {
    int64_t best = -1;
    double least = INFINITY;
    for (int64_t j = 0; j < n; j++) {
      double square = mms_square_distance(training->points + j * training->dim, z, training->dim);
      if (!taken[j] && (best < 0 || square < least)) least = square, best = j;
    }
    taken[best] = true;
    index[i] = best;
  }
  mms_sort_int64(index, k);
  free(taken);
}

/* The search of `self` for every row of a batch against brute force. */
static void expect_nearest(mms_neighbours *self, const double *points, int64_t rows, const char *what) {
  const mms_training *training = self->training;
  int64_t *wanted = malloc((size_t)self->k * sizeof *wanted);
  mms_field_counters counters = {0};
  mms_queries q = {.count = rows, .points = points, .bandwidth = 0.1};
  for (int64_t first = 0; first < rows; first += self->indexed ? rows : self->rows) {
    int64_t now = rows - first < self->rows ? rows - first : self->rows;
    if (!self->indexed) mms_neighbours_scan(self, &q, first, now, &counters);
    for (int64_t r = first; r < (self->indexed ? rows : first + now); r++) {
      const double *z = points + r * training->dim;
      if (self->indexed)
        mms_neighbours_search(self, z);
      else
        mms_neighbours_settle(self, r - first, z);
      assert_int_equal(self->nearest.count, self->k);
      mms_sort_int64(self->nearest.index, self->k);
      brute_force(training, z, self->k, wanted);
      for (int64_t i = 0; i < self->k; i++)
        if (self->nearest.index[i] != wanted[i])
          fail_msg("%s, n = %lld, d = %lld, K = %lld, row %lld: point %lld instead of %lld", what,
                   (long long)training->count, (long long)training->dim, (long long)self->k, (long long)r,
                   (long long)self->nearest.index[i], (long long)wanted[i]);
    }
  }
  free(wanted);
}

static void expect_search(const mms_training *training, int64_t k, const double *points, int64_t rows,
                          mms_screen screen, const char *what) {
  mms_error error = mms_error_none();
  mms_score_options score = options(k, 0);
  void *state = NULL;
  expect_ok(mms_neighbours_create(&state, team, training, &score, screen, rows, 0, &error), &error);
  expect_nearest(state, points, rows, what);
  mms_backend_neighbours.free(state);
}

/* Every dimension on both sides of the rule, every K, every kind of cloud, near and far queries. */
static void nearest_are_those_of_brute_force(void **state) {
  (void)state;
  const cloud_kind kinds[] = {CLOUD_NORMAL, CLOUD_CLUSTERED, CLOUD_DUPLICATED, CLOUD_OFFSET};
  const int64_t dims[] = {1, 2, 3, 10, 11, 40}, ks[] = {1, 7, 50, 150};
  for (size_t c = 0; c < 4; c++)
    for (size_t i = 0; i < 6; i++) {
      mms_training training = cloud_make(kinds[c], 1050, dims[i]);
      double *points = queries_near(&training, 9, 0.05);
      memcpy(points, training.points + 40 * dims[i], (size_t)dims[i] * sizeof(double)); /* a training point itself */
      for (int64_t k = 0; k < dims[i]; k++) points[dims[i] + k] *= 1e3, points[2 * dims[i] + k] *= 1e9;
      for (size_t k = 0; k < 4; k++)
        for (size_t set = 0; set < 4; set++) {
          bool products = dims[i] > MMS_NEIGHBOURS_TREE_DIM;
          if (mms_field_kernels_named(KERNELS[set]) == NULL || (set > 1 && !products)) continue;
          if (set == 2 && k % 2 == 0) continue; /* slow without tiles */
          setenv("MMSOLD_KERNELS", KERNELS[set], 1);
          expect_search(&training, ks[k], points, 9, SCREENS[set], KERNELS[set]);
          unsetenv("MMSOLD_KERNELS");
        }
      free(points);
      cloud_free(&training);
    }
}

/* A grid of integers: many points are at exactly one distance, and the smaller indices win. Copies of a single point,
 * more than a list holds, send the row to the search in double. */
static void ties_go_to_the_smaller_index(void **state) {
  (void)state;
  for (int64_t d = 3; d <= 12; d += 9) {
    double *grid = malloc((size_t)(2187 * d) * sizeof(double)), z[12] = {0.0};
    for (int64_t i = 0; i < 2187; i++)
      for (int64_t k = 0, digits = i * 7 % 2187; k < d; k++, digits /= 3) grid[i * d + k] = (double)(digits % 3) - 1.0;
    mms_training training = {.count = 2187, .dim = d, .points = grid};
    const int64_t ks[] = {1, 2, 9, 33, 400};
    for (size_t k = 0; k < 5; k++) expect_search(&training, ks[k], z, 1, (mms_screen)(k % 2), "grid");
    for (int64_t i = 0; i < 2187 * d; i++) grid[i] = 0.5;
    for (size_t k = 0; k < 5; k++) expect_search(&training, ks[k], z, 1, (mms_screen)(k % 2), "one place");
    free(grid);
  }
}

/* The error bound is needed and used: two points whose scores single precision cannot tell apart are told apart. With
 * the bound taken away, the wrong one would be kept: the test of the search would see it. */
static void the_bound_is_needed(void **state) {
  (void)state;
  enum { N = 700, D = 16 };
  mms_error error = mms_error_none();
  mms_training training = cloud_make(CLOUD_NORMAL, N, D);
  double *points = malloc((size_t)(N * D) * sizeof(double)), z[D];
  for (int64_t k = 0; k < D; k++) z[k] = training.points[k];
  for (int64_t i = 0; i < N * D; i++) points[i] = training.points[i];
  for (int64_t i = 100; i < 300; i++) /* 200 points at nearly one distance from z, the later the nearer */
    for (int64_t k = 0; k < D; k++) points[i * D + k] = z[k] + (k == i % D ? 0.5 - 1e-10 * (double)i : 0.0);
  cloud_free(&training);
  training.points = points;
  mms_score_options score = options(51, 0);
  void *memory = NULL;
  expect_ok(mms_neighbours_create(&memory, team, &training, &score, MMS_SCREEN_SINGLE, 1, 0, &error), &error);
  mms_neighbours *self = memory;
  expect_nearest(self, z, 1, "close distances");
  int64_t right[51], wrong = 0;
  memcpy(right, self->nearest.index, sizeof right);
  mms_queries q = {.count = 1, .points = z, .bandwidth = 0.1};
  mms_field_counters counters = {0};
  mms_neighbours_scan(self, &q, 0, 1, &counters);
  const mms_scored list = mms_neighbours_scored(self, 0);
  for (int64_t i = 0; i < self->lists[0].count; i++) /* float scores at their word */
    list.low[i] = list.high[i] = 0.5F * (list.low[i] + list.high[i]);
  mms_neighbours_settle(self, 0, z);
  mms_sort_int64(self->nearest.index, 51);
  for (int i = 0; i < 51; i++) wrong += self->nearest.index[i] != right[i];
  assert_true(wrong > 0);
  mms_backend_neighbours.free(self);
  free(points);
}

/* --- the list ----------------------------------------------------------------------------- */

/* χ² of how often each of the n − K others is drawn over many steps, against uniform; nearest points are in every list
 * and no other is there twice. Of the pairs of others too: without replacement, every pair is equally frequent. */
static void others_are_uniform(void **state) {
  (void)state;
  enum { N = 12, K = 3, L = 4, STEPS = 6000 };
  mms_error error = mms_error_none();
  mms_training training = cloud_make(CLOUD_NORMAL, N, 2);
  mms_score_options score = options(K, L);
  void *memory = NULL;
  expect_ok(mms_neighbours_create(&memory, team, &training, &score, MMS_SCREEN_SINGLE, 1, 0, &error), &error);
  mms_neighbours *self = memory;
  double z[2] = {0.1, 0.2}, mean[2], mass, single = 0.0, pairs = 0.0;
  int64_t nearest[K], seen[N] = {0}, together[N][N] = {{0}};
  brute_force(&training, z, K, nearest);
  for (uint64_t step = 0; step < STEPS; step++) {
    mms_queries q = {.count = 1, .points = z, .bandwidth = 0.5, .seed = 3, .step = step};
    mms_field_counters counters = {0};
    mms_backend_neighbours.evaluate(self, &q, MMS_PULL_MEAN, mean, &mass, &counters);
    int64_t others[L], found = 0;
    for (int64_t i = 0, kept = 0; i < K + L; i++) {
      if (i > 0) assert_true(self->points_of[i] > self->points_of[i - 1]);
      bool near = kept < K && nearest[kept] == self->points_of[i];
      assert_true(near != self->lifted[i]);
      if (near)
        kept++;
      else
        others[found++] = self->points_of[i];
    }
    assert_int_equal(found, L);
    for (int64_t i = 0; i < L; i++) {
      seen[others[i]]++;
      for (int64_t j = 0; j < i; j++) together[others[j]][others[i]]++;
    }
  }
  const double rest = N - K, each = STEPS * L / rest, both = each * (L - 1) / (rest - 1);
  for (int64_t i = 0; i < N; i++) {
    bool near = i == nearest[0] || i == nearest[1] || i == nearest[2];
    if (near) assert_int_equal(seen[i], 0);
    if (!near) single += ((double)seen[i] - each) * ((double)seen[i] - each) / each;
    for (int64_t j = i + 1; j < N; j++) {
      bool other = j != nearest[0] && j != nearest[1] && j != nearest[2];
      double off = (double)together[i][j] - both;
      if (!near && other) pairs += off * off / both;
    }
  }
  /* 9 cells of variance (1 − L/9) each: 8 degrees of freedom times that share over 8/9; 36 pairs, at most 35 degrees.
   * A thousandth lies beyond 26.1 and 66.6. */
  assert_true(single * (8.0 / 9.0) / (1.0 - L / rest) < 26.1 && pairs < 66.6 && pairs > 8.0);
  mms_backend_neighbours.free(self);
  cloud_free(&training);
}

/* --- the field ---------------------------------------------------------------------------- */

/* (g) K = n, L = 0 is the exact field, in every dimension and with every width. */
static void everything_taken_is_exact(void **state) {
  (void)state;
  mms_error error = mms_error_none();
  const int64_t dims[] = {1, 3, 8, 9, 30};
  for (size_t i = 0; i < 5; i++)
    for (int64_t n = 5; n <= 700; n += 695) {
      int64_t d = dims[i], values = 6 * d;
      mms_training training = cloud_make(CLOUD_DUPLICATED, n, d);
      double *points = queries_near(&training, 6, 0.2), mass[2][6];
      double *mean = calloc((size_t)(2 * values), sizeof(double));
      for (int64_t all = 0; all < 2; all++) { /* K = n; or K and the whole rest, whose weight is log 1 */
        mms_score_options score = options(all ? n : n / 3, all ? 0 : n - n / 3);
        mms_field *fields[2] = {make(&training, &score, 6, 20),
                                field_make(team, &training, MMS_BACKEND_REFERENCE, 6, 20)};
        for (int64_t pairs = 0; pairs <= 20; pairs += 5)
          for (int sharing = 0; sharing < 3; sharing++) {
            mms_queries q = {.count = 6, .points = points, .bandwidth = 0.3, .smoothing = 0.2, .pairs = pairs};
            q.sharing = (mms_sharing)sharing, q.seed = 4, q.first_particle = 30, q.block = 2, q.step = 7;
            for (int f = 0; f < 2; f++)
              expect_ok(mms_field_softmax_mean(fields[f], &q, mean + f * values, mass[f], &error), &error);
            expect_near(largest_difference(mean, mean + values, values), 0.0, 1e-12 * 4.0);
            expect_near(largest_difference(mass[0], mass[1], 6), 0.0, 1e-11 * largest_entry(mass[1], 6));
          }
        mms_field_free(&fields[0]);
        mms_field_free(&fields[1]);
      }
      free(points);
      free(mean);
      cloud_free(&training);
    }
}

/* (g) The estimator's average over seeds comes to the exact field as K + L grows. */
static void averages_converge(void **state) {
  (void)state;
  enum { N = 60, D = 12, SEEDS = 300 };
  mms_error error = mms_error_none();
  mms_training training = cloud_make(CLOUD_NORMAL, N, D);
  double *z = queries_near(&training, 1, 0.5), exact[D], mean[D], off[4];
  const int64_t nearest[4] = {2, 5, 15, 30}, remainder[4] = {2, 5, 15, 30};
  mms_field *dense = field_make(team, &training, MMS_BACKEND_DENSE, 1, 0);
  mms_queries q = {.count = 1, .points = z, .bandwidth = 1.5};
  expect_ok(mms_field_softmax_mean(dense, &q, exact, NULL, &error), &error);
  for (int size = 0; size < 4; size++) {
    mms_score_options score = options(nearest[size], remainder[size]);
    mms_field *field = make(&training, &score, 1, 0);
    double sum[D] = {0.0};
    for (q.seed = 0; q.seed < SEEDS; q.seed++) {
      expect_ok(mms_field_softmax_mean(field, &q, mean, NULL, &error), &error);
      for (int k = 0; k < D; k++) sum[k] += mean[k] / SEEDS;
    }
    off[size] = largest_difference(sum, exact, D);
    mms_field_free(&field);
  }
  for (int size = 1; size < 4; size++) assert_true(off[size] < 0.7 * off[size - 1]);
  assert_true(off[0] > 0.05 && off[3] < 1e-12); /* the first is far off, the last takes everything */
  mms_field_free(&dense);
  free(z);
  cloud_free(&training);
}

/* Drawn in d dimensions or through the Gram matrix, also a singular one: the same mean and the same spread of the
 * smoothed estimate, within their own errors. */
static void both_ways_of_noise_have_one_law(void **state) {
  (void)state;
  enum { D = 30, SEEDS = 1000, PAIRS = 40 };
  mms_error error = mms_error_none();
  for (int kind = 0; kind < 2; kind++) {
    mms_training training = cloud_make(kind == 0 ? CLOUD_NORMAL : CLOUD_DUPLICATED, 40, D);
    double *z = queries_near(&training, 1, 0.1), mean[2][D], sum[2][2] = {{0}}, square[2][2] = {{0}}, mass;
    mms_score_options score = options(6, 3);
    assert_true(mms_neighbours_gram(&score, D, PAIRS));
    for (int way = 0; way < 2; way++) {
      mms_field *field = make(&training, &score, 1, way == 0 ? PAIRS : 1); /* by the rule: with one pair, in d */
      assert_true((strstr(mms_field_reason(field), "Gram") != NULL) == (way == 0));
      for (uint64_t seed = 0; seed < SEEDS; seed++) {
        mms_queries q = {.count = 1, .points = z, .bandwidth = 3.0, .smoothing = 1.0, .pairs = 1, .seed = seed};
        q.noise = MMS_NOISE_FIXED;
        expect_ok(mms_field_softmax_mean(field, &q, mean[way], &mass, &error), &error);
        const double values[2] = {mean[way][0], mass};
        for (int v = 0; v < 2; v++) sum[way][v] += values[v], square[way][v] += values[v] * values[v];
      }
      mms_field_free(&field);
    }
    for (int v = 0; v < 2; v++) {
      double spread[2], average[2];
      for (int way = 0; way < 2; way++) {
        average[way] = sum[way][v] / SEEDS;
        spread[way] = sqrt(square[way][v] / SEEDS - average[way] * average[way]);
      }
      assert_true(spread[0] > 0.0);
      expect_near(average[0], average[1], 4.0 * hypot(spread[0], spread[1]) / sqrt(SEEDS));
      expect_near(spread[0] / spread[1], 1.0, 0.15);
    }
    free(z);
    cloud_free(&training);
  }
}

/* One set for a batch where draws are shared, one a row where not; `fixed` keeps it over the steps. */
static void others_follow_the_noise(void **state) {
  (void)state;
  enum { N = 200, D = 2 };
  mms_error error = mms_error_none();
  mms_training training = cloud_make(CLOUD_NORMAL, N, D);
  double points[4 * D], mean[4 * D], mass[4], before[4];
  for (int i = 0; i < 4 * D; i++) points[i] = i % 2 == 0 ? 0.1 : -0.2; /* four particles at one place */
  mms_score_options score = options(2, 3);
  mms_field *field = make(&training, &score, 4, 2);
  for (int sharing = 0; sharing < 3; sharing++) {
    mms_queries q = {.count = 4, .points = points, .bandwidth = 1.0, .sharing = (mms_sharing)sharing, .step = 1};
    expect_ok(mms_field_softmax_mean(field, &q, mean, mass, &error), &error);
    memcpy(before, mass, sizeof before);
    assert_true((mass[0] == mass[1]) == (sharing != MMS_SHARING_PARTICLE));
    q.step = 2;
    expect_ok(mms_field_softmax_mean(field, &q, mean, mass, &error), &error);
    assert_true(mass[0] != before[0] && mass[3] != before[3]);
    q.noise = MMS_NOISE_FIXED;
    expect_ok(mms_field_softmax_mean(field, &q, mean, before, &error), &error);
    q.step = 9;
    expect_ok(mms_field_softmax_mean(field, &q, mean, mass, &error), &error);
    assert_memory_equal(mass, before, sizeof mass);
  }
  mms_field_free(&field);
  cloud_free(&training);
}

static void refusals(void **state) {
  (void)state;
  mms_error error = mms_error_none();
  mms_training training = cloud_make(CLOUD_NORMAL, 30, 2);
  mms_field *field = NULL;
  mms_score_options score = options(20, 11);
  expect_refused(mms_field_create_for(&field, team, &training, &score, 4, 2, &error), MMS_ERR_INPUT, &error,
                 "score.nearest = 20 and score.remainder = 11 are more than the 30");
  score = options(0, 11);
  expect_refused(mms_field_create_for(&field, team, &training, &score, 4, 2, &error), MMS_ERR_INPUT, &error,
                 "score.nearest = 0");
  score = options(1, -1);
  expect_refused(mms_field_create_for(&field, team, &training, &score, 4, 2, &error), MMS_ERR_INPUT, &error,
                 "score.remainder = -1");
  expect_refused(mms_field_create(&field, team, &training, MMS_BACKEND_NEIGHBOURS, 4, 2, &error), MMS_ERR_INPUT, &error,
                 "nearest = 0");
  assert_null(field);
  score = options(20, 10);
  field = make(&training, &score, 4, 2);
  assert_string_equal(mms_field_backend_name(field), "neighbours");
  assert_non_null(strstr(mms_field_reason(field), "K = 20"));
  mms_field_free(&field);
  cloud_free(&training);
}

int main(int argc, char **argv) {
  if (!team_begin(&argc, &argv)) return 1;
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(nearest_are_those_of_brute_force),
      cmocka_unit_test(ties_go_to_the_smaller_index),
      cmocka_unit_test(the_bound_is_needed),
      cmocka_unit_test(others_are_uniform),
      cmocka_unit_test(everything_taken_is_exact),
      cmocka_unit_test(averages_converge),
      cmocka_unit_test(both_ways_of_noise_have_one_law),
      cmocka_unit_test(others_follow_the_noise),
      cmocka_unit_test(refusals),
  };
  return team_end(cmocka_run_group_tests(tests, NULL, NULL));
}
