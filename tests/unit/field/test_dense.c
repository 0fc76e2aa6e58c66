/* Truth (c): the dense backend agrees with the reference on every kind of data, at every width, with every set of
 * kernels and every screen. */
#include "team_support.h"
#include "unit/field/field_support.h"

#include "field/finish.h"

/* Sets of kernels, and the screen where there are products. */
static const char *const KERNELS[][2] = {
    {"portable", "single"}, {"avx2", "single"}, {"avx512", "single"}, {"avx512", "bfloat16"}, {"amx", "bfloat16"}};

/* How far two fields are apart: means absolutely, gradients as a share of the largest, log-masses relatively. */
typedef struct distance {
  double mean, gradient, mass;
} distance;

/* What one backend says of a batch; `memory` holds it all. */
typedef struct answer {
  double *memory, *mean, *gradient, *mass;
} answer;

static answer ask(mms_backend backend, const mms_training *training, mms_queries q) {
  mms_error error = mms_error_none();
  int64_t values = q.count * training->dim;
  answer a = {.memory = calloc((size_t)(2 * values + q.count + 1), sizeof(double))};
  a.mean = a.memory, a.gradient = a.mean + values, a.mass = a.gradient + values;
  mms_field *field = field_make(team, training, backend, q.count, q.pairs);
  expect_ok(mms_field_softmax_mean(field, &q, a.mean, a.mass, &error), &error);
  double delta2 = q.bandwidth * q.bandwidth;
  expect_ok(mms_field_gradient(field, &q, a.gradient, NULL, &error), &error);
  mms_field_free(&field);
  for (int64_t i = 0; i < values; i++) /* the two ways to ask agree with each other */
    expect_near(a.gradient[i] * delta2, q.points[i] - a.mean[i], 1e-14 * (fabs(q.points[i]) + fabs(a.mean[i]) + 20.0));
  return a;
}

static distance distance_of(const answer *a, const answer *b, int64_t count, int64_t dim) {
  distance far = {.mean = largest_difference(a->mean, b->mean, count * dim),
                  .gradient = largest_difference(a->gradient, b->gradient, count * dim),
                  .mass = largest_difference(a->mass, b->mass, count)};
  far.gradient /= fmax(largest_entry(a->gradient, count * dim), 1e-300);
  far.mass /= fmax(largest_entry(a->mass, count), 1.0);
  return far;
}

/* Every set of kernels within `allowed` of the reference. */
static void expect_within(const char *what, const mms_training *training, mms_queries q, distance allowed) {
  answer oracle = ask(MMS_BACKEND_REFERENCE, training, q);
  for (size_t i = 0; i < sizeof KERNELS / sizeof KERNELS[0]; i++) {
    const bool products = training->dim > MMS_FINISH_COLUMNS;
    if (mms_field_kernels_named(KERNELS[i][0]) == NULL || (!products && KERNELS[i][1][0] == 'b')) continue;
    setenv("MMSOLD_KERNELS", KERNELS[i][0], 1);
    setenv("MMSOLD_SCREEN", KERNELS[i][1], 1);
    answer dense = ask(MMS_BACKEND_DENSE, training, q);
    unsetenv("MMSOLD_KERNELS");
    unsetenv("MMSOLD_SCREEN");
    distance far = distance_of(&oracle, &dense, q.count, training->dim);
    if (!(far.mean <= allowed.mean && far.gradient <= allowed.gradient && far.mass <= allowed.mass))
      fail_msg(
          "%s, %s kernels, %s, n = %lld, d = %lld, delta = %g, sigma = %g, %lld pairs: mean off by %.2e, gradient by "
          "%.2e, mass by %.2e",
          what, KERNELS[i][0], KERNELS[i][1], (long long)training->count, (long long)training->dim, q.bandwidth,
          q.smoothing, (long long)q.pairs, far.mean, far.gradient, far.mass);
    free(dense.memory);
  }
  free(oracle.memory);
}

static void expect_agreement(const char *what, const mms_training *training, mms_queries q, double tolerance) {
  double size = largest_entry(training->points, training->count * training->dim);
  expect_within(what, training, q, (distance){tolerance * size, tolerance, tolerance});
}

static void every_dimension_and_width(void **state) {
  (void)state;
  const int64_t dims[] = {1, 2, 3, 7, 8, 9, 64, 100, 700};
  const double widths[] = {1e-3, 0.05, 0.5, 3.0, 1e3};
  for (size_t i = 0; i < sizeof dims / sizeof dims[0]; i++) {
    mms_training training = cloud_make(CLOUD_NORMAL, dims[i] < 100 ? 300 : 150, dims[i]);
    double *points = queries_near(&training, 5, 0.1);
    for (size_t w = 0; w < sizeof widths / sizeof widths[0]; w++) {
      mms_queries q = {.count = 5, .points = points, .bandwidth = widths[w], .smoothing = 0.3, .pairs = 3};
      expect_agreement("normal", &training, q, 1e-9);
    }
    free(points);
    cloud_free(&training);
  }
}

/* Every shape of cloud, with widths so small that one point is all and so large that all points are alike. */
static void every_cloud_and_extreme_width(void **state) {
  (void)state;
  const cloud_kind kinds[] = {CLOUD_NORMAL, CLOUD_CLUSTERED, CLOUD_DUPLICATED, CLOUD_OFFSET};
  const double widths[] = {1e-6, 1e-4, 0.02, 1.0, 1e6};
  for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
    for (int64_t d = 2; d <= 20; d += 18) {
      mms_training training = cloud_make(kinds[i], 700, d);
      for (size_t w = 0; w < sizeof widths / sizeof widths[0]; w++) {
        double *points = queries_near(&training, 4, widths[w] < 0.1 ? widths[w] : 0.1);
        mms_queries q = {.count = 4, .points = points, .bandwidth = widths[w], .smoothing = 0.5, .pairs = 2};
        /* Two draws of a tiny kernel differ by whole points; where two tie within rounding (logits of 1e12 and more),
         * both answers are right. At 1e-6 logits are 1e13 and known to 1e-3, so only widths from 1e-4 on are held
         * tightly. */
        expect_agreement("cloud", &training, q, widths[w] < 1e-5 ? 1e-3 : 1e-7);
        q.pairs = 0;
        expect_agreement("cloud, exact", &training, q, widths[w] < 1e-5 ? 1e-6 : 1e-9);
        free(points);
      }
      cloud_free(&training);
    }
}

/* Queries so far off that single precision, the squares, or both would overflow. */
static void far_away(void **state) {
  (void)state;
  for (int64_t d = 2; d <= 20; d += 18) {
    mms_training training = cloud_make(CLOUD_NORMAL, 600, d);
    const double distances[] = {1e2, 1e5, 1e8, 1e12, 1e40};
    for (size_t i = 0; i < sizeof distances / sizeof distances[0]; i++) {
      double *points = queries_near(&training, 3, 0.0);
      for (int64_t k = 0; k < 3 * d; k++) points[k] *= distances[i];
      mms_queries q = {.count = 3, .points = points, .bandwidth = 0.5, .smoothing = 0.3, .pairs = 2};
      /* Beyond 1e8 the distances to all points round to the same few doubles: only the gradient has digits. */
      double tolerance = distances[i] > 1e6 ? 10.0 : distances[i] > 1e4 ? 1e-3 : 1e-9;
      expect_within("far away", &training, q, (distance){tolerance, 1e-9, 1e-12});
      free(points);
    }
    cloud_free(&training);
  }
}

/* Every way to share and keep noise, every batch size up to the largest, more pairs than one round of the screen, more
 * points than one tile of the screen and of the finish. */
static void every_batch(void **state) {
  (void)state;
  for (int64_t d = 2; d <= 12; d += 10) {
    mms_training training = cloud_make(CLOUD_NORMAL, 2500, d);
    double *points = queries_near(&training, 256, 0.2);
    for (int sharing = MMS_SHARING_PARTICLE; sharing <= MMS_SHARING_ALL; sharing++)
      for (int64_t count = 0; count <= 9; count += 3) {
        mms_queries q = {.count = count, .points = points, .bandwidth = 0.1, .smoothing = 0.4, .pairs = 5};
        q.sharing = (mms_sharing)sharing;
        q.noise = count == 3 ? MMS_NOISE_FIXED : MMS_NOISE_FRESH;
        q.step = 7, q.first_particle = 1000, q.block = 3;
        expect_agreement("batch", &training, q, 1e-9);
      }
    mms_queries wide = {.count = 1, .points = points, .bandwidth = 4.0, .smoothing = 0.4, .pairs = 18};
    expect_agreement("all points matter", &training, wide, 1e-9);
    mms_training small = training;
    small.count = 150;
    mms_queries many = {.count = 2, .points = points, .bandwidth = 0.1, .smoothing = 0.4, .pairs = 300};
    expect_agreement("many pairs", &small, many, 1e-9);
    many.sharing = MMS_SHARING_ALL;
    expect_agreement("many shared pairs", &small, many, 1e-9);
    free(points);
    cloud_free(&training);
  }
  mms_training training = cloud_make(CLOUD_NORMAL, 100, 12);
  double *points = queries_near(&training, 256, 0.2);
  mms_queries full = {.count = 256, .points = points, .bandwidth = 0.5, .smoothing = 0.4, .pairs = 2};
  expect_agreement("full batch", &training, full, 1e-9);
  full.sharing = MMS_SHARING_BLOCK;
  expect_agreement("full batch, shared", &training, full, 1e-9);
  free(points);
  cloud_free(&training);
}

/* Why there is a finish: two points 4 δ apart share a query whose logits are near 1e6. The same scores in single
 * precision, taken at their word, put the gradient off in the third digit or worse; the backend holds nine. */
static void single_precision_alone_is_not_enough(void **state) {
  (void)state;
  mms_error error = mms_error_none();
  enum { D = 20, N = 400 };
  const double delta = 3e-3;
  double points[N * D], z[D], exact[D], dense[D], mean[D] = {0.0}, logits[N], top = -INFINITY, mass = 0.0, off = 0.0;
  mms_training training = cloud_make(CLOUD_NORMAL, N, D);
  for (int i = 0; i < N * D; i++) points[i] = training.points[i] + 1.0;
  cloud_free(&training);
  training.points = points;
  for (int k = 0; k < D; k++) points[D + k] = points[k] + (k == 0 ? 4.0 * delta : 0.0);
  for (int k = 0; k < D; k++) z[k] = 0.6 * points[k] + 0.4 * points[D + k];
  for (int i = 0; i < N; i++) {
    float score = 0.0F, half = 0.0F;
    for (int k = 0; k < D; k++) {
      float x = (float)points[i * D + k];
      score += (float)z[k] * x;
      half += 0.5F * x * x;
    }
    logits[i] = (double)(score - half) / (delta * delta);
    top = fmax(top, logits[i]);
  }
  for (int i = 0; i < N; i++) mass += exp(logits[i] - top);
  for (int i = 0; i < N; i++)
    for (int k = 0; k < D; k++) mean[k] += exp(logits[i] - top) / mass * points[i * D + k];
  mms_queries q = {.count = 1, .points = z, .bandwidth = delta};
  mms_field *reference = field_make(team, &training, MMS_BACKEND_REFERENCE, 1, 0);
  mms_field *field = field_make(team, &training, MMS_BACKEND_DENSE, 1, 0);
  expect_ok(mms_field_gradient(reference, &q, exact, NULL, &error), &error);
  expect_ok(mms_field_gradient(field, &q, dense, NULL, &error), &error);
  for (int k = 0; k < D; k++) off = fmax(off, fabs((z[k] - mean[k]) / (delta * delta) - exact[k]));
  assert_true(fabs(top) > 5e5);
  assert_true(off > 1e-3 * largest_entry(exact, D));
  expect_near(largest_difference(exact, dense, D), 0.0, 1e-9 * largest_entry(exact, D));
  mms_field_free(&field);
  mms_field_free(&reference);
}

/* The screen leaves out nothing that weighs and keeps little that does not: with a small kernel few points of 2,500
 * reach the finish. */
static void the_screen_screens(void **state) {
  (void)state;
  mms_error error = mms_error_none();
  for (int64_t turn = 0; turn < 3; turn++) {
    const int64_t d = turn == 0 ? 2 : 12;
    if (turn == 2) setenv("MMSOLD_SCREEN", "bfloat16", 1);
    mms_training training = cloud_make(CLOUD_NORMAL, 2500, d);
    double *points = queries_near(&training, 64, 0.01), *mean = calloc((size_t)(64 * d), sizeof(double));
    mms_queries q = {.count = 64, .points = points, .bandwidth = 0.01, .smoothing = 0.02, .pairs = 4};
    mms_field *field = field_make(team, &training, MMS_BACKEND_DENSE, 64, 4);
    expect_ok(mms_field_softmax_mean(field, &q, mean, NULL, &error), &error);
    mms_field_counters counters = mms_field_read_counters(field);
    assert_int_equal(counters.rows, 64 * 8);
    assert_true(counters.finished >= counters.rows);
    assert_true(counters.finished < counters.rows * 250);
    unsetenv("MMSOLD_SCREEN");
    mms_field_free(&field);
    free(points);
    free(mean);
    cloud_free(&training);
  }
}

/* Two calls of the finish on row z, so that the second has a base that need not be the list's own point. */
static double finish_twice(const mms_training *training, const mms_field_kernel_table *kernels, const double *z,
                           const float *noise, int64_t pairs, const int32_t *lists, int64_t count, double *sum) {
  mms_error error = mms_error_none();
  mms_finish *finish = NULL;
  const mms_finish_scale scale = {.bandwidth = 0.05, .smoothing = 0.01, .share = 0.5 / (double)(2 * pairs)};
  expect_ok(mms_finish_create(&finish, training, kernels, &error), &error);
  mms_finish_row row = mms_finish_begin(z, sum, training->dim);
  for (int call = 0; call < 2; call++)
    mms_finish_add(finish, &row, &scale, noise + call * pairs * training->dim, pairs, lists + call * 2, count);
  mms_finish_free(&finish);
  return row.log_mass;
}

/* Truth (c): a list of one point has a way of its own, and the bits of a list with a second point that weighs
 * nothing; one that weighs something shows. */
static void one_point_alone_has_the_same_bits(void **state) {
  (void)state;
  enum { D = 37, PAIRS = 21, NEAR = 3 };
  mms_training training = cloud_make(CLOUD_NORMAL, 40, D);
  double *points = (double *)(uintptr_t)training.points, z[D], alone[D], with[D];
  float noise[2 * PAIRS * D];
  mms_random_normals_float((mms_random_key){.seed = 8, .stream = MMS_STREAM_TEST}, 0, 2 * PAIRS * D, noise);
  for (int k = 0; k < D; k++) z[k] = points[5 * D + k] + 0.01 * points[D + k];
  for (int k = 0; k < D; k++) points[NEAR * D + k] = points[5 * D + k] + (k == 0 ? 0.02 : 0.0);
  for (int k = 0; k < 2 * D; k++) points[30 * D + k] += 100.0;          /* points 30 and 31 */
  const int32_t lists[4] = {5, 30, 9, 31}, heavy[4] = {NEAR, 5, 9, 31}; /* the second call's point is another */
  for (size_t i = 0; i < sizeof KERNELS / sizeof KERNELS[0]; i++) {
    const mms_field_kernel_table *kernels = mms_field_kernels_named(KERNELS[i][0]);
    if (kernels == NULL) continue;
    const double mass = finish_twice(&training, kernels, z, noise, PAIRS, lists, 1, alone);
    const double other = finish_twice(&training, kernels, z, noise, PAIRS, lists, 2, with);
    assert_memory_equal(&mass, &other, sizeof mass);
    assert_memory_equal(alone, with, sizeof alone);
    assert_true(finish_twice(&training, kernels, z, noise, PAIRS, heavy, 2, with) != mass);
  }
  cloud_free(&training);
}

int main(int argc, char **argv) {
  if (!team_begin(&argc, &argv)) return 1;
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_dimension_and_width),
      cmocka_unit_test(every_cloud_and_extreme_width),
      cmocka_unit_test(far_away),
      cmocka_unit_test(every_batch),
      cmocka_unit_test(the_screen_screens),
      cmocka_unit_test(single_precision_alone_is_not_enough),
      cmocka_unit_test(one_point_alone_has_the_same_bits),
  };
  return team_end(cmocka_run_group_tests(tests, NULL, NULL));
}
