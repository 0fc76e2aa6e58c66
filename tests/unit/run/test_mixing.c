/* R-hat, autocorrelation and effective snapshots against processes that have them in closed form. */
#include "support.h"

#include "mmsold/random/random.h"
#include "run/mixing.h"

/* A trace of `rows` rows whose chunks follow x' = a x + √(1 − a²) ξ about `apart` times the chunk's number. */
static mms_trace process(int64_t rows, double a, double apart) {
  mms_trace trace;
  mms_error error = mms_error_none();
  expect_ok(mms_trace_create(&trace, 10 * rows, 10, &error), &error);
  const mms_step_report nothing = {0};
  for (int64_t i = 0; i < rows; i++) mms_trace_record(&trace, 10 * i + 1, &nothing);
  for (int o = 0; o < MMS_OBSERVABLES; o++)
    for (int c = 0; c < MMS_CHUNKS; c++) {
      double x = 0;
      for (int64_t i = 0; i < rows; i++) {
        double xi;
        mms_random_normals(
            (mms_random_key){.seed = 5, .stream = MMS_STREAM_TEST, .step = (uint64_t)o, .item = (uint64_t)c}, i, 1,
            &xi);
        x = i == 0 ? xi : a * x + sqrt(1 - a * a) * xi;
        trace.chunks[((int64_t)o * trace.capacity + i) * MMS_CHUNKS + c] = x + apart * c;
      }
    }
  return trace;
}

/* An AR(1) process has τ = (1 + a)/(1 − a). */
static void autocorrelation_is_that_of_the_process(void **state) {
  (void)state;
  for (int i = 0; i < 3; i++) {
    double a = (double[]){0, 0.5, 0.9}[i], tau = (1 + a) / (1 - a);
    mms_trace trace = process(4000, a, 0);
    mms_mixing mixing;
    for (int o = 0; o < MMS_OBSERVABLES; o++) {
      assert_true(mms_mixing_measure(&mixing, &trace, o));
      expect_near(mixing.tau / (10 * tau), 1, 0.25); /* its spread over 8 chains of 2,000 is a few per cent */
      expect_near(mixing.snapshots, 2000 / tau, 0.25 * 2000 / tau);
      expect_near(mixing.r_hat, 1, 0.02);
    }
    mms_trace_free(&trace);
  }
}

/* Chunks that stay apart: V⁺ = 1 + variance of the means, which for 0 … 7 times 0.5 is 1.5. */
static void chunks_that_do_not_mix_are_noticed(void **state) {
  (void)state;
  mms_trace trace = process(4000, 0, 0.5);
  mms_mixing mixing;
  int worst = -1;
  assert_true(mms_mixing_worst(&mixing, &trace, &worst));
  expect_near(mixing.r_hat, sqrt(1 + 1.5), 0.05);
  assert_true(mixing.snapshots < 10);
  for (int64_t i = 0; i < trace.count; i++) /* one observable alone: it is the worst */
    trace.chunks[(2 * trace.capacity + i) * MMS_CHUNKS] += 40;
  assert_true(mms_mixing_worst(&mixing, &trace, &worst));
  assert_int_equal(worst, 2);
  mms_trace_free(&trace);
}

/* Longer than is looked at: thinned, and the same answer. */
static void long_traces_are_thinned(void **state) {
  (void)state;
  mms_trace trace = process(40000, 0.9, 0);
  mms_mixing mixing;
  assert_true(mms_mixing_measure(&mixing, &trace, 0));
  expect_near(mixing.tau / 190, 1, 0.25);
  mms_trace_free(&trace);
}

static void what_cannot_be_said_is_not_said(void **state) {
  (void)state;
  mms_mixing mixing;
  mms_trace trace = process(15, 0, 0);
  int worst = 0;
  assert_true(mms_mixing_measure(&mixing, &trace, 0)); /* 8 rows in the second half */
  trace.count = 13;
  assert_false(mms_mixing_measure(&mixing, &trace, 0));
  assert_true(isnan(mixing.r_hat) && isnan(mixing.tau) && isnan(mixing.snapshots));
  assert_false(mms_mixing_worst(&mixing, &trace, &worst));
  mms_trace_free(&trace);
  trace = process(40, 0, 0);
  for (int64_t i = 0; i < trace.count; i++) {
    trace.chunks[i * MMS_CHUNKS + 1] = NAN;                                                       /* one chunk */
    for (int c = 0; c < MMS_CHUNKS; c++) trace.chunks[(trace.capacity + i) * MMS_CHUNKS + c] = 7; /* constant */
    trace.chunks[(2 * trace.capacity + i) * MMS_CHUNKS + 4] = NAN;                                /* four are enough */
  }
  assert_false(mms_mixing_measure(&mixing, &trace, 0));
  assert_false(mms_mixing_measure(&mixing, &trace, 1));
  assert_true(mms_mixing_measure(&mixing, &trace, 2));
  mms_trace_free(&trace);
  trace = (mms_trace){0}; /* none */
  assert_false(mms_mixing_worst(&mixing, &trace, &worst));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(autocorrelation_is_that_of_the_process),
      cmocka_unit_test(chunks_that_do_not_mix_are_noticed),
      cmocka_unit_test(long_traces_are_thinned),
      cmocka_unit_test(what_cannot_be_said_is_not_said),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
