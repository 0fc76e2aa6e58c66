/* Keys that take a list: every way of writing one, what is refused and where, and that it reads back. */
#include "support.h"

#include "cli/config.h"

#include <stdlib.h>

/* A configuration of this text and these lines of the command line, read but not resolved. */
static mms_status read_it(mms_config *config, const char *text, const char *override, mms_error *error) {
  *config = (mms_config){.name = NULL};
  config->name = strdup("c.yaml");
  assert_non_null(config->name);
  mms_status status = mms_config_read_yaml(config, text, error);
  if (status == MMS_OK && override != NULL) status = mms_config_override(config, override, error);
  return status;
}

static void expect_integers(const char *text, const char *override, const int64_t *wanted, int64_t count) {
  mms_config config;
  mms_error error = mms_error_none();
  expect_ok(read_it(&config, text, override, &error), &error);
  const mms_value *value = &config.values[MMS_KEY_CONVERGE_PARTICLES];
  assert_true(value->known && value->set);
  assert_int_equal(value->count, count);
  assert_memory_equal(value->elements, wanted, (size_t)count * sizeof *wanted);
  mms_config_free(&config);
}

static void test_ways_of_writing(void **state) {
  (void)state;
  const int64_t wanted[] = {100, 20, 3000};
  const char *texts[] = {"converge: {particles: [100, 20, 3000]}",
                         "converge:\n  particles:\n  - 100\n  - 20\n  - 3000\n",
                         "converge:\n  particles:\n    - 100\n    - 020\n    - +3000\n",
                         "converge:\n  particles: [100, # first\n    20,\n    3000]\n"};
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) expect_integers(texts[i], NULL, wanted, 3);
  const char *overrides[] = {"converge.particles=100,20,3000", "converge.particles=[100, 20, 3000]",
                             "converge.particles= 100 ,20, 3000 "};
  for (size_t i = 0; i < sizeof overrides / sizeof *overrides; i++) {
    expect_integers("converge: {}", overrides[i], wanted, 3);
    expect_integers("converge: {particles: [1, 2, 3, 4]}", overrides[i], wanted, 3); /* the command line wins */
  }
  expect_integers("converge: {particles: 100}", NULL, wanted, 1); /* one value alone is a list of one */
  expect_integers("converge: {}", "converge.particles=100", wanted, 1);
}

static void test_reals_read_back(void **state) {
  (void)state;
  const double wanted[] = {0.001, 0.5, 1e-300, 0.1};
  mms_config config, again;
  mms_error error = mms_error_none();
  char *first = NULL, *second = NULL;
  expect_ok(read_it(&config, "converge: {step_size: [1e-3, .5, 1e-300, 0.1], particles: [5]}", NULL, &error), &error);
  const mms_value *value = &config.values[MMS_KEY_CONVERGE_STEP_SIZE];
  assert_int_equal(value->count, 4);
  assert_memory_equal(value->elements, wanted, sizeof wanted);
  expect_ok(mms_config_write(&config, &first, &error), &error);
  assert_string_equal(first, "converge:\n  particles: [5]\n  step_size: [0.001, 0.5, 1e-300, 0.1]\n");
  expect_ok(read_it(&again, first, NULL, &error), &error);
  expect_ok(mms_config_write(&again, &second, &error), &error);
  assert_string_equal(first, second);
  free(first);
  free(second);
  mms_config_free(&config);
  mms_config_free(&again);
}

static void refuses_with(const char *text, const char *override, const char *part) {
  mms_config config;
  mms_error error = mms_error_none();
  expect_refused(read_it(&config, text, override, &error), MMS_ERR_INPUT, &error, part);
  mms_config_free(&config);
}

static void test_what_is_refused(void **state) {
  (void)state;
  const struct {
    const char *text, *part;
  } cases[] = {
      {"converge:\n  particles: []\n",
       "c.yaml:2:14: converge.particles: is an empty list; it takes a list, each an integer, 1 or more"},
      {"converge:\n  particles:\n", "c.yaml:2:13: converge.particles: has no value"},
      {"converge:\n  particles: [5, many]\n", "c.yaml:2:18: converge.particles: \"many\" is not an integer, 1 or more"},
      {"converge:\n  particles:\n    - 5\n    - 0\n", "c.yaml:4:7: converge.particles: \"0\" is not an integer"},
      {"converge:\n  particles:\n    - 5\n    -\n    - 6\n", "c.yaml:4:6: converge.particles: has no value"},
      {"converge:\n  particles: [5, 6, 5]\n", "c.yaml:2:21: converge.particles: \"5\" is in the list twice"},
      {"converge:\n  particles: [5, 6, 05]\n", "c.yaml:2:21: converge.particles: \"05\" is in the list twice"},
      {"converge:\n  step_size: [0.5, 5e-1]\n", "c.yaml:2:20: converge.step_size: \"5e-1\" is in the list twice"},
      {"converge:\n  step_size: [0.5, '0.6']\n", "c.yaml:2:20: converge.step_size: \"0.6\" in quotes is a text"},
      {"converge:\n  step_size: [0.5, 5e-4s]\n", "c.yaml:2:20: converge.step_size: \"5e-4s\" is not a number"},
      {"converge:\n  step_size: [0.5, auto]\n", "\"auto\" is not a number"},
      {"converge:\n  particles: [5, [6]]\n", "c.yaml:2:18: converge.particles is a list where one value belongs"},
      {"converge:\n  particles: [5, a: 6]\n", "converge.particles is a mapping where one value belongs"},
      {"converge:\n  particles: {a: 6}\n", "c.yaml:2:14: converge.particles is a mapping where one value belongs"},
      {"converge:\n  particles: &a [5]\n", "the anchor &a"},
      {"converge:\n  particles: [&a 5]\n", "the anchor &a"},
      {"converge:\n  particles: !!seq [5]\n", "the tag tag:yaml.org,2002:seq"},
      {"converge:\n  particles: 5, 6\n",
       "c.yaml:2:14: converge.particles: \"5, 6\" is one text; a list is written [a, b, c]"},
      {"converge:\n  particles: [5, 6\n", "not valid YAML"},
      {"converge:\n  particles: [5]\n  particles: [6]\n", "converge.particles is given twice, first in line 2"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) refuses_with(cases[i].text, NULL, cases[i].part);
  const struct {
    const char *override, *part;
  } lines[] = {
      {"converge.particles=", "command line: --converge.particles=: has no value"},
      {"converge.particles=[]", "command line: --converge.particles=[]: is an empty list"},
      {"converge.particles=5,", "command line: --converge.particles=5,: has no value"},
      {"converge.particles=5,,6", "has no value"},
      {"converge.particles=5,x", "command line: --converge.particles=5,x: \"x\" is not an integer, 1 or more"},
      {"converge.particles=5,6,5", "command line: --converge.particles=5,6,5: \"5\" is in the list twice"},
  };
  for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) refuses_with("converge:", lines[i].override, lines[i].part);
}

/* As many as are taken, and one more. */
static void test_longest(void **state) {
  (void)state;
  for (int over = 0; over < 2; over++) {
    char text[8 * MMS_MOST_ELEMENTS + 64] = "converge: {particles: [";
    for (int i = 1; i <= MMS_MOST_ELEMENTS + over; i++)
      snprintf(text + strlen(text), sizeof text - strlen(text), "%s%d", i > 1 ? ", " : "", i);
    snprintf(text + strlen(text), sizeof text - strlen(text), "]}");
    mms_config config;
    mms_error error = mms_error_none();
    mms_status status = read_it(&config, text, NULL, &error);
    if (over == 0) expect_ok(status, &error);
    if (over == 1) expect_refused(status, MMS_ERR_INPUT, &error, "at most 1000 values");
    mms_config_free(&config);
  }
  char line[8 * MMS_MOST_ELEMENTS] = "converge.particles=1";
  for (int i = 1; i <= MMS_MOST_ELEMENTS; i++) snprintf(line + strlen(line), sizeof line - strlen(line), ",%d", i + 1);
  refuses_with("converge:", line, "has 1001 values; at most 1000 are taken");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_ways_of_writing),
      cmocka_unit_test(test_reals_read_back),
      cmocka_unit_test(test_what_is_refused),
      cmocka_unit_test(test_longest),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
