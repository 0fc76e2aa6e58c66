/* What must hold of the field whatever computes it: truths (a), (b), (e), (f), the rules of noise, and what is refused.
 */
#include "team_support.h"
#include "unit/field/field_support.h"

#include "field/noise.h"

static const mms_backend BACKENDS[] = {MMS_BACKEND_REFERENCE, MMS_BACKEND_DENSE, MMS_BACKEND_TREE};

/* One row at z: gradient [d], mean [d] (either may be NULL), and V. */
static double ask(mms_field *field, mms_queries q, const double *z, double *gradient, double *mean) {
  mms_error error = mms_error_none();
  double room[32], potential;
  q.count = 1;
  q.points = z;
  if (mean != NULL) expect_ok(mms_field_softmax_mean(field, &q, mean, NULL, &error), &error);
  expect_ok(mms_field_gradient(field, &q, gradient != NULL ? gradient : room, &potential, &error), &error);
  return potential;
}

/* (a) V and ∇V agree by central differences, draws held fixed. */
static void gradient_is_the_slope(void **state) {
  (void)state;
  for (size_t b = 0; b < 2; b++)
    for (int64_t d = 2; d <= 12; d += 10) {
      mms_training training = cloud_make(CLOUD_NORMAL, 60, d);
      mms_field *field = field_make(team, &training, BACKENDS[b], 1, 4);
      double *z = queries_near(&training, 1, 0.3), gradient[12];
      mms_queries q = {.bandwidth = 0.4, .smoothing = 0.3, .pairs = 4, .noise = MMS_NOISE_FIXED};
      (void)ask(field, q, z, gradient, NULL);
      double size = largest_entry(gradient, d);
      for (int64_t k = 0; k < d; k++) {
        const double step = 1e-5, at = z[k];
        z[k] = at + step;
        double above = ask(field, q, z, NULL, NULL);
        z[k] = at - step;
        double below = ask(field, q, z, NULL, NULL);
        z[k] = at;
        expect_near((above - below) / (2.0 * step), gradient[k], 1e-7 * size);
      }
      free(z);
      mms_field_free(&field);
      cloud_free(&training);
    }
}

/* (b) One point: the mean is that point to the bit, and V = |z − x|²/(2δ²) + dσ²/(2δ²) exactly in law: the draws'
 * terms are odd and cancel. Copies of one point change V not at all. */
static void one_point(void **state) {
  (void)state;
  for (size_t b = 0; b < 2; b++)
    for (int64_t d = 2; d <= 12; d += 10)
      for (int copies = 1; copies <= 3; copies += 2)
        for (int64_t pairs = 0; pairs <= 3; pairs += 3) {
          mms_training training = cloud_make(CLOUD_DUPLICATED, copies, d);
          mms_field *field = field_make(team, &training, BACKENDS[b], 1, 3);
          double *z = queries_near(&training, 1, 0.7), mean[12], square = 0.0;
          const double delta = 0.03, sigma = 0.2;
          mms_queries q = {.bandwidth = delta, .smoothing = sigma, .pairs = pairs};
          double potential = ask(field, q, z, NULL, mean);
          assert_memory_equal(mean, training.points, (size_t)d * sizeof(double));
          for (int64_t k = 0; k < d; k++) square += (z[k] - training.points[k]) * (z[k] - training.points[k]);
          double expected = (square + (pairs > 0 ? (double)d * sigma * sigma : 0.0)) / (2.0 * delta * delta);
          expect_near(potential, expected, 1e-12 * expected);
          free(z);
          mms_field_free(&field);
          cloud_free(&training);
        }
}

/* (e) Translation, permutation and rotation of the training set act as they must. */
static void symmetries(void **state) {
  (void)state;
  enum { N = 90, D = 2 };
  mms_training training = cloud_make(CLOUD_NORMAL, N, D);
  double *z = queries_near(&training, 1, 0.3), moved[N * D], turned[N * D];
  const double cosine = 0.6, sine = 0.8, shift[D] = {3.0, -40.0};
  double z_moved[D] = {z[0] + shift[0], z[1] + shift[1]};
  double z_turned[D] = {cosine * z[0] - sine * z[1], sine * z[0] + cosine * z[1]};
  for (int i = 0; i < N; i++) {
    const double *x = training.points + i * D;
    int other = (i * 37 + 5) % N; /* a permutation: 37 and 90 have no common factor */
    for (int k = 0; k < D; k++) moved[other * D + k] = x[k] + shift[k];
    turned[i * D] = cosine * x[0] - sine * x[1];
    turned[i * D + 1] = sine * x[0] + cosine * x[1];
  }
  mms_training shifted = {.count = N, .dim = D, .points = moved}, rotated = {.count = N, .dim = D, .points = turned};
  for (size_t b = 0; b < 2; b++) {
    mms_field *plain = field_make(team, &training, BACKENDS[b], 1, 3);
    mms_field *moving = field_make(team, &shifted, BACKENDS[b], 1, 3);
    mms_field *turning = field_make(team, &rotated, BACKENDS[b], 1, 3);
    mms_queries q = {.bandwidth = 0.3, .smoothing = 0.2, .pairs = 3};
    double one[D], two[D], v = ask(plain, q, z, NULL, one);
    expect_near(ask(moving, q, z_moved, NULL, two), v, 1e-11);
    for (int k = 0; k < D; k++) expect_near(two[k], one[k] + shift[k], 1e-12);
    q.pairs = 0; /* the draws do not turn with the set */
    v = ask(plain, q, z, NULL, one);
    expect_near(ask(turning, q, z_turned, NULL, two), v, 1e-12);
    expect_near(two[0], cosine * one[0] - sine * one[1], 1e-13);
    expect_near(two[1], sine * one[0] + cosine * one[1], 1e-13);
    mms_field_free(&plain);
    mms_field_free(&moving);
    mms_field_free(&turning);
  }
  free(z);
  cloud_free(&training);
}

/* E k(z + σε) and E U(z + σε) by the trapezoidal rule on [−8, 8]², step 1/12: spectrally accurate for a Gaussian
 * weight. */
static void quadrature(const mms_training *training, double delta, double sigma, const double *z, double *mean,
                       double *potential) {
  const int half = 96;
  double total = 0.0;
  mean[0] = mean[1] = *potential = 0.0;
  for (int i = -half; i <= half; i++)
    for (int j = -half; j <= half; j++) {
      double e0 = i / 12.0, e1 = j / 12.0, weight = exp(-0.5 * (e0 * e0 + e1 * e1)), mass = 0.0, m0 = 0.0, m1 = 0.0;
      if (weight < 1e-13) continue;
      for (int64_t p = 0; p < training->count; p++) {
        const double *x = training->points + 2 * p;
        double y0 = x[0] - z[0] - sigma * e0, y1 = x[1] - z[1] - sigma * e1;
        double w = exp(-(y0 * y0 + y1 * y1) / (2.0 * delta * delta));
        mass += w, m0 += w * x[0], m1 += w * x[1];
      }
      total += weight;
      mean[0] += weight * m0 / mass;
      mean[1] += weight * m1 / mass;
      *potential -= weight * log(mass / (double)training->count);
    }
  mean[0] /= total, mean[1] /= total, *potential /= total;
}

/* (f) Over many seeds the draws average to the quadrature value, of mean and of V, and the error falls as M^{-1/2}. */
static void draws_average_to_the_integral(void **state) {
  (void)state;
  mms_training training = cloud_make(CLOUD_NORMAL, 6, 2);
  const double z[2] = {0.3, -0.2}, delta = 0.4, sigma = 0.5;
  double exact[2], exact_v;
  quadrature(&training, delta, sigma, z, exact, &exact_v);
  enum { SEEDS = 400 };
  for (size_t b = 0; b < 2; b++) {
    mms_field *field = field_make(team, &training, BACKENDS[b], 1, 64);
    double rms[2];
    for (int size = 0; size < 2; size++) {
      double sum[3] = {0.0}, squares[3] = {0.0};
      for (uint64_t seed = 0; seed < SEEDS; seed++) {
        mms_queries q = {.bandwidth = delta, .smoothing = sigma, .pairs = size == 0 ? 4 : 64, .seed = seed};
        double mean[2], v = ask(field, q, z, NULL, mean),
                        off[3] = {mean[0] - exact[0], mean[1] - exact[1], v - exact_v};
        for (int k = 0; k < 3; k++) sum[k] += off[k], squares[k] += off[k] * off[k];
      }
      for (int k = 0; k < 3; k++) {
        double error_of_mean = sqrt(squares[k]) / SEEDS; /* root of the mean square over root of SEEDS */
        expect_near(sum[k] / SEEDS, 0.0, 4.0 * error_of_mean);
        assert_true(error_of_mean < (k < 2 ? 0.01 : 0.2)); /* V in units where it is about 2 */
      }
      rms[size] = sqrt((squares[0] + squares[1]) / SEEDS);
    }
    expect_near(rms[0] / rms[1], 4.0, 0.5); /* 16 times the draws */
    mms_field_free(&field);
  }
  cloud_free(&training);
}

/* Who shares a draw with whom. */
static void noise_is_keyed(void **state) {
  (void)state;
  enum { D = 5, VALUES = 2 * D };
  mms_queries q = {.count = 4, .seed = 9, .step = 3, .first_particle = 100, .block = 6};
  float row0[VALUES], row1[VALUES], other[VALUES], tail[D];
  mms_noise_draw(&q, 0, 0, 2, D, row0);
  mms_noise_draw(&q, 1, 0, 2, D, row1);
  assert_memory_not_equal(row0, row1, sizeof row0);
  mms_noise_draw(&q, 0, 1, 1, D, tail); /* the second pair alone is the same pair */
  assert_memory_equal(tail, row0 + D, sizeof tail);
  mms_queries same = q;
  same.first_particle = 99, same.block = 8; /* the batch is cut elsewhere: a particle keeps its draws */
  mms_noise_draw(&same, 2, 0, 2, D, other);
  assert_memory_equal(other, row1, sizeof other);
  same.step = 4;
  mms_noise_draw(&same, 2, 0, 2, D, other);
  assert_memory_not_equal(other, row1, sizeof other);
  for (int sharing = MMS_SHARING_BLOCK; sharing <= MMS_SHARING_ALL; sharing++) {
    mms_queries shared = q;
    shared.sharing = (mms_sharing)sharing;
    mms_noise_draw(&shared, 0, 0, 2, D, row0);
    mms_noise_draw(&shared, 3, 0, 2, D, row1);
    assert_memory_equal(row0, row1, sizeof row0);
    shared.first_particle = 500, shared.block = 7;
    mms_noise_draw(&shared, 0, 0, 2, D, other);
    if (sharing == MMS_SHARING_ALL) assert_memory_equal(row0, other, sizeof row0);
    if (sharing == MMS_SHARING_BLOCK) assert_memory_not_equal(row0, other, sizeof row0);
  }
  mms_queries fixed = q;
  fixed.noise = MMS_NOISE_FIXED;
  mms_noise_draw(&fixed, 0, 0, 2, D, row0);
  fixed.step = 77;
  mms_noise_draw(&fixed, 0, 0, 2, D, other);
  assert_memory_equal(row0, other, sizeof row0);
}

/* What can't be asked is refused, and the message names it. */
static void refusals(void **state) {
  (void)state;
  for (size_t b = 0; b < 2; b++) {
    mms_error error = mms_error_none();
    mms_training training = cloud_make(CLOUD_NORMAL, 30, 2), empty = {.count = 0, .dim = 2};
    mms_field *field = NULL;
    double mean[8] = {0.0}, z[8] = {0.0};
    expect_refused(mms_field_create(&field, team, &empty, BACKENDS[b], 4, 2, &error), MMS_ERR_INPUT, &error, "0 x 2");
    assert_null(field);
    expect_refused(mms_field_create(&field, team, &training, BACKENDS[b], -1, 2, &error), MMS_ERR_INPUT, &error, "-1");
    field = field_make(team, &training, BACKENDS[b], 4, 2);
    const mms_queries good = {.count = 4, .points = z, .bandwidth = 0.1, .smoothing = 0.1, .pairs = 2};
    expect_ok(mms_field_softmax_mean(field, &good, mean, NULL, &error), &error);
    mms_queries q = good;
    q.count = 5;
    expect_refused(mms_field_softmax_mean(field, &q, mean, NULL, &error), MMS_ERR_INTERNAL, &error, "5 rows");
    q = good, q.pairs = 3;
    expect_refused(mms_field_gradient(field, &q, mean, NULL, &error), MMS_ERR_INTERNAL, &error, "3 pairs");
    const double widths[] = {0.0, -1.0, NAN, INFINITY, 1e-200, 1e200};
    for (size_t i = 0; i < sizeof widths / sizeof widths[0]; i++) {
      q = good, q.bandwidth = widths[i];
      expect_refused(mms_field_softmax_mean(field, &q, mean, NULL, &error), MMS_ERR_INPUT, &error, "bandwidth");
    }
    q = good, q.smoothing = -0.5;
    expect_refused(mms_field_softmax_mean(field, &q, mean, NULL, &error), MMS_ERR_INPUT, &error, "smoothing = -0.5");
    q = good, q.first_particle = 70, z[5] = NAN;
    expect_refused(mms_field_softmax_mean(field, &q, mean, NULL, &error), MMS_ERR_NUMERIC, &error,
                   "coordinate 1 of particle 72 (row 2");
    z[5] = 1e200; /* its square overflows */
    expect_refused(mms_field_softmax_mean(field, &q, mean, NULL, &error), MMS_ERR_NUMERIC, &error, "particle 72");
    z[5] = 0.0;
    expect_ok(mms_field_softmax_mean(field, &q, mean, NULL, &error), &error);
    mms_field_free(&field);
    assert_null(field);
    mms_field_free(&field);
    cloud_free(&training);
  }
}

/* `auto` says what it took and why. */
static void the_choice_is_told(void **state) {
  (void)state;
  mms_training training = cloud_make(CLOUD_NORMAL, 30, 2);
  mms_field *field = field_make(team, &training, MMS_BACKEND_AUTO, 4, 2);
  assert_string_equal(mms_field_backend_name(field), "tree");
  assert_non_null(strstr(mms_field_reason(field), mms_field_kernels()));
  assert_true(mms_field_bytes(field) > 30 * 4 && mms_field_shared_bytes(field) >= 64 * 3 * 4);
  mms_field_free(&field);
  field = field_make(team, &training, MMS_BACKEND_REFERENCE, 4, 2);
  assert_string_equal(mms_field_backend_name(field), "reference");
  assert_non_null(strstr(mms_field_reason(field), "as configured"));
  mms_field_free(&field);
  cloud_free(&training);
  training = cloud_make(CLOUD_NORMAL, 30, 20);
  field = field_make(team, &training, MMS_BACKEND_AUTO, 4, 2);
  assert_string_equal(mms_field_backend_name(field), "dense");
  assert_non_null(strstr(mms_field_reason(field), "20 dimensions"));
  mms_field_free(&field);
  cloud_free(&training);
}

int main(int argc, char **argv) {
  if (!team_begin(&argc, &argv)) return 1;
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(gradient_is_the_slope),
      cmocka_unit_test(one_point),
      cmocka_unit_test(symmetries),
      cmocka_unit_test(draws_average_to_the_integral),
      cmocka_unit_test(noise_is_keyed),
      cmocka_unit_test(refusals),
      cmocka_unit_test(the_choice_is_told),
  };
  return team_end(cmocka_run_group_tests(tests, NULL, NULL));
}
