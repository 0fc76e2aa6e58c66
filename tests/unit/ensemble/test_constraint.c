/* The one-reduction step against the plain one, and exact moments (truths i, k, m). */
#include "support.h"

#include "mmsold/ensemble/ensemble.h"
#include "mmsold/linalg/dense.h"
#include "mmsold/random/random.h"
#include <stdlib.h>

typedef struct swarm {
  mms_blocks blocks;
  mms_constraint *constraint;
  double *y, *w;
  int64_t d;
} swarm;

static swarm make(int64_t particles, int64_t d, mms_retraction retraction) {
  swarm s = {.blocks = mms_blocks_make(particles, 16, 0, 1), .d = d};
  mms_error error = mms_error_none();
  expect_ok(mms_constraint_create(&s.constraint, &s.blocks, d, retraction, &error), &error);
  s.y = calloc((size_t)(particles * d), sizeof *s.y);
  s.w = calloc((size_t)(particles * d), sizeof *s.w);
  mms_random_normals((mms_random_key){.seed = 11, .stream = MMS_STREAM_TEST}, 0, particles * d, s.y);
  expect_ok(mms_constraint_retract(s.constraint, NULL, s.y, &error), &error);
  return s;
}

static void unmake(swarm *s) {
  mms_constraint_free(&s->constraint);
  free(s->y);
  free(s->w);
}

/* A rough force, step size and noise. */
static void push(swarm *s, double h, uint64_t step) {
  mms_random_normals((mms_random_key){.seed = 12, .stream = MMS_STREAM_TEST, .step = step}, 0, s->blocks.total * s->d,
                     s->w);
  for (int64_t i = 0; i < s->blocks.total * s->d; i++)
    s->w[i] = sqrt(2.0 * h) * s->w[i] - h * (s->y[i] - 3.0 * sin(3.0 * s->y[i])) / (double)(1 + i % s->d);
}

static mms_status reduce(swarm *s, mms_error *error) {
  mms_constraint_begin(s->constraint);
  mms_constraint_add(s->constraint, s->y, s->w);
  return mms_constraint_reduce(s->constraint, NULL, error);
}

static double defect(const swarm *s) { /* by plain loops */
  double largest = 0.0, particles = (double)s->blocks.total;
  for (int64_t a = 0; a < s->d; a++) {
    long double mean = 0.0L;
    for (int64_t i = 0; i < s->blocks.total; i++) mean += (long double)s->y[i * s->d + a];
    largest = fmax(largest, fabs((double)mean) / particles);
    for (int64_t b = 0; b < s->d; b++) {
      long double sum = a == b ? -(long double)particles : 0.0L;
      for (int64_t i = 0; i < s->blocks.total; i++)
        sum += (long double)s->y[i * s->d + a] * (long double)s->y[i * s->d + b];
      largest = fmax(largest, fabs((double)sum) / particles);
    }
  }
  return largest;
}

/* Project, add, centre, and retract by the rows' own QR (Gram-Schmidt, twice) or their polar factor. */
static void plain_step(const swarm *s, mms_retraction retraction, double *out) {
  int64_t d = s->d, particles = s->blocks.total;
  double *sym = calloc((size_t)(d * d), sizeof *sym), *q = calloc((size_t)(d * d), sizeof *q);
  double *root = calloc((size_t)(d * d), sizeof *root), *values = calloc((size_t)d, sizeof *values);
  for (int64_t i = 0; i < particles; i++)
    for (int64_t a = 0; a < d; a++)
      for (int64_t b = 0; b < d; b++)
        sym[a * d + b] += (s->y[i * d + a] * s->w[i * d + b] + s->y[i * d + b] * s->w[i * d + a]) / 2.0;
  for (int64_t i = 0; i < particles; i++)
    for (int64_t a = 0; a < d; a++) {
      out[i * d + a] = s->y[i * d + a] + s->w[i * d + a];
      for (int64_t b = 0; b < d; b++) out[i * d + a] -= s->y[i * d + b] * sym[b * d + a] / (double)particles;
    }
  for (int64_t a = 0; a < d; a++) {
    double mean = 0.0;
    for (int64_t i = 0; i < particles; i++) mean += out[i * d + a] / (double)particles;
    for (int64_t i = 0; i < particles; i++) out[i * d + a] -= mean;
  }
  if (retraction == MMS_RETRACTION_QR) {
    for (int64_t a = 0; a < d; a++) {
      for (int pass = 0; pass < 2; pass++)
        for (int64_t b = 0; b < a; b++) {
          double along = 0.0;
          for (int64_t i = 0; i < particles; i++) along += out[i * d + a] * out[i * d + b] / (double)particles;
          for (int64_t i = 0; i < particles; i++) out[i * d + a] -= along * out[i * d + b];
        }
      double square = 0.0;
      for (int64_t i = 0; i < particles; i++) square += out[i * d + a] * out[i * d + a];
      for (int64_t i = 0; i < particles; i++) out[i * d + a] *= sqrt((double)particles / square);
    }
  } else {
    mms_error error = mms_error_none();
    mms_dense_gram_upper(particles, d, 1.0 / (double)particles, out, 0.0, sym);
    expect_ok(mms_dense_eigen(d, sym, values, q, &error), &error);
    for (int64_t a = 0; a < d; a++)
      for (int64_t b = 0; b < d; b++) {
        root[a * d + b] = 0.0;
        for (int64_t k = 0; k < d; k++) root[a * d + b] += q[a * d + k] * q[b * d + k] / sqrt(values[k]);
      }
    for (int64_t i = 0; i < particles; i++) {
      for (int64_t a = 0; a < d; a++) {
        values[a] = 0.0;
        for (int64_t b = 0; b < d; b++) values[a] += out[i * d + b] * root[b * d + a];
      }
      memcpy(out + i * d, values, (size_t)d * sizeof *out);
    }
  }
  free(sym);
  free(q);
  free(root);
  free(values);
}

/* Truth k. */
static void one_reduction_equals_the_plain_step(void **state) {
  (void)state;
  const int64_t shapes[][3] = {{3, 2, 20},  {100, 2, 20},  {50, 7, 20},  {90, 40, 20},
                               {33, 1, 20}, {150, 129, 2}, {300, 259, 2}};
  mms_error error = mms_error_none();
  for (int retraction = 0; retraction < 2; retraction++)
    for (size_t k = 0; k < sizeof shapes / sizeof *shapes; k++) {
      swarm s = make(shapes[k][0], shapes[k][1], (mms_retraction)retraction);
      double *plain = calloc((size_t)(shapes[k][0] * shapes[k][1]), sizeof *plain);
      for (uint64_t step = 1; step <= (uint64_t)shapes[k][2]; step++) {
        push(&s, 0.05, step);
        plain_step(&s, (mms_retraction)retraction, plain);
        expect_ok(reduce(&s, &error), &error);
        expect_ok(mms_constraint_apply(s.constraint, NULL, s.y, s.w, &error), &error);
        for (int64_t i = 0; i < shapes[k][0] * shapes[k][1]; i++)
          expect_near(s.y[i], plain[i], 1e-12 * fmax(1.0, fabs(plain[i])));
      }
      free(plain);
      unmake(&s);
    }
}

/* Truth i: after every step, small and a hundred and more times too large; defects do not build up. */
static void moments_stay_exact(void **state) {
  (void)state;
  const struct {
    int64_t particles, d;
    double h;
    int steps;
  } cases[] = {{100, 2, 1e-3, 3000}, {100, 2, 200.0, 1000}, {3, 2, 200.0, 300},
               {60, 20, 1e-3, 400},  {21, 20, 200.0, 200},  {60, 20, 3.0, 200}};
  mms_error error = mms_error_none();
  for (int retraction = 0; retraction < 2; retraction++)
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
      swarm s = make(cases[k].particles, cases[k].d, (mms_retraction)retraction);
      double mean, covariance;
      for (int step = 1; step <= cases[k].steps; step++) {
        push(&s, cases[k].h, (uint64_t)step);
        expect_ok(reduce(&s, &error), &error);
        expect_ok(mms_constraint_apply(s.constraint, NULL, s.y, s.w, &error), &error);
        expect_ok(mms_constraint_measure(s.constraint, NULL, s.y, &mean, &covariance, &error), &error);
        expect_near(mean, 0.0, 3e-13);
        expect_near(covariance, 0.0, 3e-13);
      }
      expect_near(defect(&s), fmax(mean, covariance), 1e-14);
      unmake(&s);
    }
}

/* Truth i, off the manifold: what D differs from P I by goes into the second moment, all of it where it is large. */
static void a_step_returns_from_beside_the_manifold(void **state) {
  (void)state;
  const int64_t particles = 200, d = 75; /* more than two tiles of the algebra */
  const double away[] = {1e-13, 1e-10, 1e-6, 1e-2};
  mms_error error = mms_error_none();
  for (int retraction = 0; retraction < 2; retraction++)
    for (size_t k = 0; k < sizeof away / sizeof *away; k++) {
      swarm s = make(particles, d, (mms_retraction)retraction);
      double *shear = calloc((size_t)(d * d), sizeof *shear), *row = calloc((size_t)d, sizeof *row);
      mms_random_normals((mms_random_key){.seed = 13, .stream = MMS_STREAM_TEST}, 0, d * d, shear);
      for (int64_t i = 0; i < particles; i++) {
        for (int64_t a = 0; a < d; a++) {
          row[a] = s.y[i * d + a];
          for (int64_t b = 0; b < d; b++) row[a] += away[k] * s.y[i * d + b] * shear[b * d + a];
        }
        memcpy(s.y + i * d, row, (size_t)d * sizeof *row);
      }
      assert_true(defect(&s) > away[k]);
      push(&s, 0.05, 1);
      double *plain = calloc((size_t)(particles * d), sizeof *plain);
      plain_step(&s, (mms_retraction)retraction, plain);
      expect_ok(reduce(&s, &error), &error);
      expect_ok(mms_constraint_apply(s.constraint, NULL, s.y, s.w, &error), &error);
      assert_false(mms_constraint_report(s.constraint).repaired);
      expect_near(defect(&s), 0.0, 4e-15);
      for (int64_t i = 0; i < particles * d; i++) expect_near(s.y[i], plain[i], 1e-13 * fmax(1.0, fabs(plain[i])));
      free(plain), free(shear), free(row);
      unmake(&s);
    }
}

/* The repair: without it the same step would leave more than is allowed. */
static void huge_steps_are_repaired_and_small_ones_are_not(void **state) {
  (void)state;
  mms_error error = mms_error_none();
  swarm s = make(12, 2, MMS_RETRACTION_QR);
  push(&s, 0.01, 1);
  expect_ok(reduce(&s, &error), &error);
  expect_ok(mms_constraint_apply(s.constraint, NULL, s.y, s.w, &error), &error);
  assert_false(mms_constraint_report(s.constraint).repaired);
  for (int64_t i = 0; i < 24; i++) /* along Y itself: all of it is taken back by the projection */
    s.w[i] = -1e4 * s.y[i];
  expect_ok(reduce(&s, &error), &error);
  assert_true(mms_constraint_report(s.constraint).error_bound > 1e-13);
  expect_ok(mms_constraint_apply(s.constraint, NULL, s.y, s.w, &error), &error);
  assert_true(mms_constraint_report(s.constraint).repaired);
  expect_near(defect(&s), 0.0, 1e-14);
  unmake(&s);
}

static void report_says_what_was_summed(void **state) {
  (void)state;
  mms_error error = mms_error_none();
  swarm s = make(40, 3, MMS_RETRACTION_QR);
  double square = 0.0;
  push(&s, 0.02, 1);
  for (int64_t i = 0; i < 120; i++) {
    square += s.w[i] * s.w[i];
    s.y[i] = 1.5 * s.y[i] + 0.25; /* mean defect 0.25, covariance defect 1.5² + 0.25² − 1 */
  }
  mms_constraint_begin(s.constraint);
  mms_constraint_add_potential(s.constraint, 1e12 + 0.125);
  mms_constraint_add_potential(s.constraint, -0.5);
  assert_int_equal(mms_constraint_add(s.constraint, s.y, s.w), -1);
  mms_constraint_count(s.constraint, MMS_COUNT_STOP, 2);
  expect_ok(mms_constraint_reduce(s.constraint, NULL, &error), &error);
  mms_moments_report report = mms_constraint_report(s.constraint);
  expect_near(report.mean_defect, 0.25, 1e-14);
  expect_near(report.covariance_defect, 1.5 * 1.5 + 0.0625 - 1.0, 1e-13);
  expect_near(report.drift, sqrt(square / 120.0), 1e-14);
  expect_near(report.potential, 1e12 - 0.375, 1e-3);
  assert_int_equal(mms_constraint_counter(s.constraint, MMS_COUNT_STOP), 2);
  assert_int_equal(mms_constraint_counter(s.constraint, MMS_COUNT_CHECKPOINT), 0);
  /* A potential beyond all bounds is not a step that failed. */
  mms_constraint_begin(s.constraint);
  mms_constraint_add_potential(s.constraint, 1e300);
  mms_constraint_add(s.constraint, s.y, s.w);
  expect_ok(mms_constraint_reduce(s.constraint, NULL, &error), &error);
  assert_true(isnan(mms_constraint_report(s.constraint).potential));
  unmake(&s);
}

/* Rows of any size that the sums can tell from nothing. */
static void small_rows_are_retracted_and_tiny_ones_refused(void **state) {
  (void)state;
  mms_error error = mms_error_none();
  for (int retraction = 0; retraction < 2; retraction++) {
    swarm s = make(100, 10, (mms_retraction)retraction);
    for (int64_t i = 0; i < 1000; i++) s.y[i] *= 1e-8 * (double)(1 + i % 3);
    expect_ok(mms_constraint_retract(s.constraint, NULL, s.y, &error), &error);
    expect_near(defect(&s), 0.0, 1e-14);
    for (int64_t i = 0; i < 1000; i++) s.y[i] *= 1e-10;
    expect_refused(mms_constraint_retract(s.constraint, NULL, s.y, &error), MMS_ERR_NUMERIC, &error,
                   "cannot be put on the moment manifold");
    unmake(&s);
  }
}

/* The squares of a step this small are far below the unit of the moments' sums. */
static void drift_of_a_tiny_step_is_seen(void **state) {
  (void)state;
  mms_error error = mms_error_none();
  const int64_t dims[] = {1, 3, 20, 140}; /* few; one panel of rows; two */
  for (size_t k = 0; k < sizeof dims / sizeof *dims; k++) {
    const int64_t d = dims[k], entries = (d + 60) * d;
    swarm s = make(d + 60, d, MMS_RETRACTION_QR);
    double square = 0.0;
    mms_random_normals((mms_random_key){.seed = 15, .stream = MMS_STREAM_TEST}, 0, entries, s.w);
    for (int64_t i = 0; i < entries; i++) {
      s.w[i] *= 1e-9;
      square += s.w[i] * s.w[i];
    }
    expect_ok(reduce(&s, &error), &error);
    const double wanted = sqrt(square / (double)entries);
    expect_near(mms_constraint_report(s.constraint).drift, wanted, 1e-5 * wanted);
    unmake(&s);
  }
}

static void bad_numbers_are_refused(void **state) {
  (void)state;
  mms_error error = mms_error_none();
  const double bad[] = {NAN, INFINITY, -1e8};
  for (int retraction = 0; retraction < 2; retraction++) {
    for (int k = 0; k < 3; k++) {
      swarm s = make(50, 4, (mms_retraction)retraction);
      push(&s, 0.01, 1);
      s.w[123] = bad[k];
      expect_refused(reduce(&s, &error), MMS_ERR_NUMERIC, &error, "1 block(s)");
      assert_int_equal(mms_constraint_counter(s.constraint, MMS_COUNT_NONFINITE), 1);
      s.y[7] = bad[k];
      expect_refused(mms_constraint_retract(s.constraint, NULL, s.y, &error), MMS_ERR_NUMERIC, &error, "1 block(s)");
      double mean, covariance;
      expect_refused(mms_constraint_measure(s.constraint, NULL, s.y, &mean, &covariance, &error), MMS_ERR_NUMERIC,
                     &error, "1 block(s)");
      unmake(&s);
    }
    /* Rows in a plane of a space of three dimensions, exactly and but for rounding. */
    for (int nearly = 0; nearly < 2; nearly++) {
      swarm s = make(50, 3, (mms_retraction)retraction);
      for (int64_t i = 0; i < 50; i++) s.y[i * 3 + 2] = nearly ? 0.3 * s.y[i * 3] + 0.1 * s.y[i * 3 + 1] : 0.0;
      expect_refused(mms_constraint_retract(s.constraint, NULL, s.y, &error), MMS_ERR_NUMERIC, &error,
                     "cannot be put on the moment manifold");
      for (int64_t i = 0; i < 150; i++) /* a step onto it */
        s.w[i] = 0.0;
      expect_refused(reduce(&s, &error), MMS_ERR_NUMERIC, &error, "second moment");
      unmake(&s);
    }
  }
  swarm s = make(50, 3, MMS_RETRACTION_QR);
  mms_constraint_begin(s.constraint);
  mms_constraint_count(s.constraint, MMS_COUNT_FAILED, 1);
  expect_refused(mms_constraint_reduce(s.constraint, NULL, &error), MMS_ERR_NUMERIC, &error, "1 rank(s)");
  unmake(&s);
}

/* Truth m. */
static void too_few_particles_are_refused(void **state) {
  (void)state;
  mms_constraint *constraint = NULL;
  mms_error error = mms_error_none();
  mms_blocks blocks = mms_blocks_make(5, 16, 0, 1);
  expect_refused(mms_constraint_create(&constraint, &blocks, 5, MMS_RETRACTION_QR, &error), MMS_ERR_INPUT, &error,
                 "particles = 5 is too few for dimension 5");
  assert_non_null(strstr(error.message, "6 particles or more"));
  assert_null(constraint);
  expect_refused(mms_constraint_create(&constraint, &blocks, 0, MMS_RETRACTION_QR, &error), MMS_ERR_INPUT, &error,
                 "dimension = 0");
  swarm s = make(6, 5, MMS_RETRACTION_QR); /* one more will do */
  expect_near(defect(&s), 0.0, 1e-13);
  assert_true(mms_constraint_bytes(s.constraint) > 0);
  unmake(&s);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(one_reduction_equals_the_plain_step),
      cmocka_unit_test(moments_stay_exact),
      cmocka_unit_test(a_step_returns_from_beside_the_manifold),
      cmocka_unit_test(huge_steps_are_repaired_and_small_ones_are_not),
      cmocka_unit_test(report_says_what_was_summed),
      cmocka_unit_test(small_rows_are_retracted_and_tiny_ones_refused),
      cmocka_unit_test(drift_of_a_tiny_step_is_seen),
      cmocka_unit_test(bad_numbers_are_refused),
      cmocka_unit_test(too_few_particles_are_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
