/* What may change between a run and its resume, and what may not. */
#include "support.h"

#include "run/compatible.h"

static const char *const before = "training:\n  source: a.npy\n  placement: auto\nscore:\n  bandwidth: 0.02\n"
                                  "sampler:\n  steps: 300\n  seed: 0\noutput:\n  directory: x\n";

static void the_same_is_compatible(void **state) {
  (void)state;
  mms_error error = mms_error_none();
  expect_ok(mms_configuration_compatible(before, before, "c.h5", &error), &error);
}

static void output_placement_and_more_steps_may_change(void **state) {
  (void)state;
  mms_error error = mms_error_none();
  const char *now = "training:\n  source: a.npy\n  placement: replicated\nscore:\n  bandwidth: 0.02\n"
                    "sampler:\n  steps: 1000\n  seed: 0\noutput:\n  directory: y\n  trace_every: 3\n";
  expect_ok(mms_configuration_compatible(before, now, "c.h5", &error), &error);
}

static void other_values_are_refused_with_both_named(void **state) {
  (void)state;
  mms_error error = mms_error_none();
  const char *seed = "training:\n  source: a.npy\n  placement: auto\nscore:\n  bandwidth: 0.02\n"
                     "sampler:\n  steps: 300\n  seed: 7\noutput:\n  directory: x\n";
  expect_refused(mms_configuration_compatible(before, seed, "c.h5", &error), MMS_ERR_INPUT, &error,
                 "sampler.seed = 0, now it is 7");
  const char *shorter = "training:\n  source: a.npy\n  placement: auto\nscore:\n  bandwidth: 0.02\n"
                        "sampler:\n  steps: 200\n  seed: 0\noutput:\n  directory: x\n";
  expect_refused(mms_configuration_compatible(before, shorter, "c.h5", &error), MMS_ERR_INPUT, &error, "shortened");
}

/* More steps of a flow are another flow. */
static void steps_of_a_flow_may_not_change(void **state) {
  (void)state;
  mms_error error = mms_error_none();
  const char *then = "sampler:\n  method: cfdm\n  steps: 300\n", *now = "sampler:\n  method: cfdm\n  steps: 400\n";
  expect_ok(mms_configuration_compatible(then, then, "c.h5", &error), &error);
  expect_refused(mms_configuration_compatible(then, now, "c.h5", &error), MMS_ERR_INPUT, &error,
                 "sampler.steps = 300, now it is 400");
}

static void a_key_added_or_gone_is_refused(void **state) {
  (void)state;
  mms_error error = mms_error_none();
  const char *more = "training:\n  source: a.npy\n  class: 7\n  placement: auto\nscore:\n  bandwidth: 0.02\n"
                     "sampler:\n  steps: 300\n  seed: 0\noutput:\n  directory: x\n";
  expect_refused(mms_configuration_compatible(before, more, "c.h5", &error), MMS_ERR_INPUT, &error,
                 "training.class = not set, now it is 7");
  expect_refused(mms_configuration_compatible(more, before, "c.h5", &error), MMS_ERR_INPUT, &error,
                 "training.class = 7, now it is not set");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(the_same_is_compatible),
      cmocka_unit_test(output_placement_and_more_steps_may_change),
      cmocka_unit_test(other_values_are_refused_with_both_named),
      cmocka_unit_test(steps_of_a_flow_may_not_change),
      cmocka_unit_test(a_key_added_or_gone_is_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
