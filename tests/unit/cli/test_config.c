/* The configuration: what is accepted, what every bad one is told, and that the resolved text reads back. */
#include "support.h"

#include "cli/config.h"

#include <stdlib.h>

static const char smallest[] = "training: {source: rows.npy}\n"
                               "score: {bandwidth: 0.02}\n"
                               "sampler: {particles: 100, steps: 10}\n";

enum { ALL = MMS_NEEDS_TRAINING | MMS_NEEDS_SAMPLER | MMS_NEEDS_SCORE };

/* `text` is refused with a message that holds `part`. */
static void refuses_with(const char *text, const char *override, unsigned needs, const char *part) {
  mms_config config;
  mms_error error = mms_error_none();
  mms_status status = mms_config_parse(&config, text, "c.yaml", &override, override != NULL ? 1 : 0, needs, &error);
  expect_refused(status, MMS_ERR_INPUT, &error, part);
  mms_config_free(&config);
}

static void accept(mms_config *config, const char *text, const char *override) {
  mms_error error = mms_error_none();
  expect_ok(mms_config_parse(config, text, "config/c.yaml", &override, override != NULL ? 1 : 0, ALL, &error), &error);
}

static void test_defaults(void **state) {
  (void)state;
  mms_config c;
  accept(&c, smallest, NULL);
  assert_string_equal(c.training.source, "rows.npy");
  assert_true(c.training.count == 0 && c.training.seed == 0 && c.training.components == 0);
  assert_true(c.training.thin == MMS_THIN_NONE && c.training.whiten == MMS_WHITEN_NONE);
  assert_null(c.training.labels);
  assert_true(c.training.label == -1);
  assert_true(c.score.bandwidth == 0.02 && c.score.smoothing == 0 && c.score.smoothing_samples == 0);
  assert_true(c.score.noise == MMS_NOISE_FRESH && c.score.sharing == MMS_SHARING_PARTICLE);
  assert_true(c.score.backend == MMS_BACKEND_AUTO);
  assert_true(c.sampler.particles == 100 && c.sampler.steps == 10 && c.sampler.step_size_auto);
  assert_true(c.sampler.scheme == MMS_SCHEME_LM && c.sampler.retraction == MMS_RETRACTION_QR);
  assert_string_equal(c.output.directory, "c"); /* the base name of config/c.yaml */
  assert_true(c.output.precision == MMS_PRECISION_SINGLE && c.output.trace_every == 10);
  assert_true(c.output.checkpoint_minutes == 10 && c.output.keep_checkpoints == 2 && c.output.snapshot_every == 0);
  mms_config_free(&c);
}

static void test_values_arrive(void **state) {
  (void)state;
  mms_config c;
  accept(&c,
         "training:\n  source: images.gz\n  labels: \"la bels\"\n  class: 7\n  count: 500\n  components: 100\n"
         "  whiten: cap\n  whiten_top: 20\n  seed: 18446744073709551615\n  thin: farthest\n"
         "score:\n  bandwidth: 3e-2\n  smoothing: .5\n  smoothing_samples: 32\n  noise: fixed\n  sharing: block\n"
         "  backend: reference\n"
         "sampler:\n  particles: 1000\n  steps: 200\n  step_size: 5e-4\n  scheme: exponential\n  retraction: polar\n"
         "output:\n  directory: here\n  precision: double\n",
         "sampler.steps=300");
  assert_string_equal(c.training.labels, "la bels");
  assert_true(c.training.label == 7 && c.training.seed == UINT64_MAX && c.training.thin == MMS_THIN_FARTHEST);
  assert_true(c.training.components == 100 && c.training.whiten == MMS_WHITEN_CAP && c.training.whiten_top == 20);
  assert_true(c.score.bandwidth == 0.03 && c.score.smoothing == 0.5 && c.score.smoothing_samples == 32);
  assert_true(c.score.noise == MMS_NOISE_FIXED && c.score.sharing == MMS_SHARING_BLOCK);
  assert_true(c.score.backend == MMS_BACKEND_REFERENCE);
  assert_true(c.sampler.steps == 300 && c.sampler.step_size == 5e-4 && !c.sampler.step_size_auto);
  assert_true(c.sampler.scheme == MMS_SCHEME_EXPONENTIAL && c.sampler.retraction == MMS_RETRACTION_POLAR);
  assert_string_equal(c.output.directory, "here");
  assert_true(c.output.precision == MMS_PRECISION_DOUBLE);
  mms_config_free(&c);
}

/* Resolve, print, read, print: the same text, from any way of writing it. */
static void test_resolved_reads_back(void **state) {
  (void)state;
  mms_config a, b;
  char *first = NULL, *second = NULL;
  mms_error error = mms_error_none();
  accept(&a,
         "training: {source: checkerboard, count: 1000}\nscore: {bandwidth: 2.0e-2, smoothing: 0.1}\n"
         "sampler: {particles: +100, steps: 010, step_size: 5E-4}\n"
         "output: {directory: \"a: b # \\\"c\\\" \\\\ d\"}\n",
         NULL);
  expect_ok(mms_config_write(&a, &first, &error), &error);
  accept(&b, first, NULL);
  expect_ok(mms_config_write(&b, &second, &error), &error);
  assert_string_equal(first, second);
  assert_string_equal(b.output.directory, "a: b # \"c\" \\ d");
  assert_non_null(strstr(first, "bandwidth: 0.02\n"));
  assert_non_null(strstr(first, "steps: 10\n"));
  assert_non_null(strstr(first, "step_size: 0.0005\n"));
  assert_non_null(strstr(first, "thin: farthest\n"));
  assert_true(b.training.thin == MMS_THIN_FARTHEST && b.sampler.step_size == a.sampler.step_size);
  free(first);
  free(second);
  mms_config_free(&a);
  mms_config_free(&b);
}

static void test_texts_that_look_like_something_else(void **state) {
  (void)state;
  const char *names[] = {"2024", "null", "~", "- a", "yes", "a:", "-", "%x", "@", "caf\xc3\xa9", "a\tb", " a ",
                         /* C1 controls, line and paragraph separators, a byte order mark, no character, the last one */
                         "\xc3\xa9\xc2\x92", "a\xc2\x85z", "a \xe2\x80\xa8 z", "\xe2\x80\xa9", "\xef\xbb\xbfz",
                         "\xef\xbf\xbe\xef\xbf\xbf", "\xf4\x8f\xbf\xbf"};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    mms_config a = {0}, b;
    mms_error error = mms_error_none();
    char *text = NULL;
    accept(&a, smallest, NULL);
    expect_ok(mms_config_set(&a, MMS_KEY_DIRECTORY, names[i], false, (mms_place){0}, &error), &error);
    expect_ok(mms_config_write(&a, &text, &error), &error);
    accept(&b, text, NULL);
    assert_string_equal(b.output.directory, names[i]);
    free(text);
    mms_config_free(&a);
    mms_config_free(&b);
  }
}

static void test_numbers_are_refused(void **state) {
  (void)state;
  const char *reals[] = {"5e-4s", "0.02m", "1_000", "0x10",  "\" 1e\"", "nan", ".nan", "inf", ".inf",
                         "0",     "-1",    "1e999", "'0.5'", "0,5",     "1e",  "1 2",  "true"};
  for (size_t i = 0; i < sizeof reals / sizeof *reals; i++) {
    char text[128];
    snprintf(text, sizeof text, "training:\n  source: a.npy\nscore:\n  bandwidth: %s\n", reals[i]);
    refuses_with(text, NULL, 0, "c.yaml:4:14: score.bandwidth: ");
  }
  const char *counts[] = {"1e3", "1000.0", "-5", "99999999999999999999", "many", "0.5"};
  for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
    char text[128];
    snprintf(text, sizeof text, "training: {source: a.npy}\nsampler:\n  particles: %s\n", counts[i]);
    refuses_with(text, NULL, 0, "c.yaml:3:14: sampler.particles: ");
  }
  refuses_with("sampler: {particles: 0}", NULL, 0, "an integer, 1 or more");
  refuses_with("sampler: {seed: -1}", NULL, 0, "0 to 2^64 - 1");
  refuses_with("sampler: {seed: 18446744073709551616}", NULL, 0, "out of range");
  refuses_with("sampler: {step_size: 0}", NULL, 0,
               "c.yaml:1:22: sampler.step_size: \"0\" is not a number, more than 0");
  refuses_with("sampler: {step_size: Auto}", NULL, 0, "or auto");
  refuses_with("score: {smoothing: -0.1}", NULL, 0, "a number, 0 or more");
  refuses_with("score:\n  smoothing_samples: 7\n", NULL, 0,
               "c.yaml:2:22: score.smoothing_samples: \"7\" is not an even");
  refuses_with("score:\n  smoothing_samples: 7\n", NULL, 0, "antithetic pairs");
  refuses_with("score: {bandwidth: 5e-4s}", NULL, 0, "without a unit");
}

static void test_shape_is_refused(void **state) {
  (void)state;
  const struct {
    const char *text, *part;
  } cases[] = {
      {"", "c.yaml: holds no configuration"},
      {"# only words\n", "c.yaml: holds no configuration"},
      {"just words\n", "c.yaml:1:1: a configuration begins with a section"},
      {"- a\n- b\n", "c.yaml:1:1: a configuration begins with a section"},
      {"training:\n  source: a\n---\ntraining:\n  source: b\n", "c.yaml:3:1: a second document"},
      {"training:\n  source: a\ntraining:\n  count: 1\n",
       "c.yaml:3:1: the section training is given twice, first in line 1"},
      {"training:\n  count: 1\n  source: a\n  count: 2\n",
       "c.yaml:4:3: training.count is given twice, first in line 2"},
      {"training: 5\n", "c.yaml:1:11: the section training must hold"},
      {"training: [a]\n", "c.yaml:1:11: the section training must hold"},
      {"training:\n  source: [a, b]\n", "c.yaml:2:11: training.source is a list where one value belongs"},
      {"training:\n  source: {a: b}\n", "c.yaml:2:11: training.source is a mapping where one value belongs"},
      {"training:\n  source: &here a\n", "c.yaml:2:11: the anchor &here"},
      {"training: &t\n  source: a\n", "c.yaml:1:11: the anchor &t"},
      {"training:\n  source: *here\n", "c.yaml:2:11: the alias *here"},
      {"training:\n  count: !!int 5\n", "c.yaml:2:10: the tag tag:yaml.org,2002:int"},
      {"training:\n  source: !mine a\n", "c.yaml:2:11: the tag !mine"},
      {"training:\n  ? [a]\n  : b\n", "a key is a list"},
      {"training:\n  source:\n", "has no value"},
      {"training:\n  source: ~\n", "has no value"},
      {"training:\n  source: \"\"\n", "is an empty text"},
      {"training:\n\tsource: a\n", "c.yaml:2:1: not valid YAML"},
      {"training:\n  source: \"a\n", "not valid YAML"},
      {"training:\n  source: a\n count: 5\n", "not valid YAML"},
      {"training:\n  source: caf\xe9\n", "c.yaml:2:14: the byte 0xe9 is not UTF-8"},
      {"\xff\xfet\n", "c.yaml:1:1: the byte 0xff is not UTF-8"},
      {"training:\n  source: a\x01\n", "c.yaml:2:12: the control character 0x01"},
      {"training:\n  source: \"a\\0b\"\n", "holds a zero character"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) refuses_with(cases[i].text, NULL, 0, cases[i].part);
}

static void test_unknown_words_name_the_nearest(void **state) {
  (void)state;
  refuses_with("trainning: {source: a}", NULL, 0, "c.yaml:1:1: there is no section trainning; did you mean training?");
  refuses_with("sampler: {\n setps: 5}", NULL, 0,
               "c.yaml:2:2: sampler.setps: there is no such key; did you mean sampler.steps?");
  refuses_with("training: {steps: 5}", NULL, 0, "did you mean sampler.steps?"); /* the right name, the wrong section */
  refuses_with("bandwidth: 5", NULL, 0, "did you mean the key score.bandwidth, inside its section?");
  refuses_with("zzzzzzzz: {a: 5}", NULL, 0, "there are training, sampler, score, output, density and converge");
  refuses_with("score: {backend: densee}", NULL, 0,
               "c.yaml:1:18: score.backend: \"densee\" is not one of auto, reference, dense, tree, neighbours; did you "
               "mean \"dense\"?");
  refuses_with("sampler: {xyzzy: 1}", NULL, 0, "sampler.xyzzy: there is no such key");
}

static void test_not_built_is_refused(void **state) {
  (void)state;
  const char *lines[] = {"classify: {a: 1}", "classify: {}"};
  for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
    refuses_with(lines[i], NULL, 0, "not built in this version");
  refuses_with(smallest, "classify.sigma=1", ALL, "not built in this version");
}

static void test_keys_must_agree(void **state) {
  (void)state;
  refuses_with("training:\n  source: a\n  class: 5\n", NULL, 0, "c.yaml:3:10: training.class: ");
  refuses_with("training:\n  source: a\n  labels: l\n", NULL, 0, "c.yaml:3:11: training.labels: ");
  refuses_with("training:\n  source: a\n  whiten_top: 5\n", NULL, 0, "c.yaml:3:15: training.whiten_top: ");
  refuses_with("training:\n  source: a\n  whiten: cap\n", NULL, 0, "c.yaml:3:11: training.whiten: ");
  refuses_with("training: {source: a, components: 10, whiten: cap, whiten_top: 11}", NULL, 0,
               "11 directions of training.components = 10");
  refuses_with("training:\n  source: circle\n", NULL, 0,
               "c.yaml:2:11: training.source: circle is generated: give training.count");
  refuses_with("training: {source: circle, count: 5, labels: a, class: 1}", NULL, 0, "has no labels");
  /* K + L > n: both values are named. */
  refuses_with(
      "training: {source: a, count: 90}\nscore:\n  backend: neighbours\n  nearest: 50\n  remainder: 41\n", NULL, 0,
      "c.yaml:4:12: score.nearest: score.nearest = 50 and score.remainder = 41 are 91 points of training.count = 90");
  refuses_with("score:\n  backend: neighbours\n  remainder: 4\n", NULL, 0,
               "c.yaml:2:12: score.backend: neighbours needs score.nearest");
}

/* Keys and schemes that a way of moving does not know are refused where given, and have no default there. */
static void test_method_decides_on_keys(void **state) {
  (void)state;
  mms_config c;
  char *text = NULL;
  mms_error error = mms_error_none();
  refuses_with("sampler: {method: langevin, retraction: qr}", NULL, 0,
               "c.yaml:1:41: sampler.retraction: it says nothing to sampler.method: langevin");
  refuses_with("sampler: {method: langevin, scheme: lm-corrected}", NULL, 0,
               "sampler.scheme: method langevin takes lm, em, exponential, not lm-corrected");
  refuses_with("sampler: {friction: 2}", NULL, 0,
               "sampler.friction: it says nothing to sampler.method: mmsold (only kinetic");
  refuses_with("sampler: {method: cfdm, tilt: training}", NULL, 0, "sampler.tilt: it says nothing to");
  refuses_with("sampler: {method: cfdm, step_size: 1}", NULL, 0, "sampler.step_size: it says nothing to");
  refuses_with("sampler: {method: cfdm, scheme: em}", NULL, 0, "sampler.scheme: it says nothing to");
  refuses_with("sampler: {method: kinetic, scheme: em}", NULL, 0, "method kinetic takes aboba, baoab, not em");
  refuses_with("sampler: {scheme: aboba}", NULL, 0, "method mmsold takes lm, lm-corrected, em, exponential, not aboba");
  accept(&c, smallest, "sampler.method=kinetic");
  assert_true(c.sampler.method == MMS_METHOD_KINETIC && c.sampler.scheme == MMS_SCHEME_ABOBA);
  assert_true(c.sampler.friction == 1.0);
  assert_string_equal(c.sampler.tilt, "training");
  mms_config_free(&c);
  accept(&c, "training: {source: a}\nscore: {bandwidth: 1}\nsampler: {particles: 9, steps: 9, step_size: auto}\n",
         "sampler.method=cfdm");
  expect_ok(mms_config_write(&c, &text, &error), &error);
  const char *others[] = {"scheme", "retraction", "friction", "tilt", "step_size"};
  for (int i = 0; i < 5; i++) assert_null(strstr(text, others[i]));
  mms_config_free(&c);
  free(text);
  accept(&c, smallest, "sampler.method=langevin");
  assert_true(c.sampler.method == MMS_METHOD_LANGEVIN && c.sampler.scheme == MMS_SCHEME_LM);
  expect_ok(mms_config_write(&c, &text, &error), &error);
  assert_non_null(strstr(text, "scheme: lm"));
  assert_null(strstr(text, "retraction"));
  mms_config_free(&c);
  accept(&c, text, NULL); /* reads back */
  mms_config_free(&c);
  free(text);
}

static void test_required_keys_are_named_at_once(void **state) {
  (void)state;
  refuses_with("output: {precision: double}", NULL, ALL,
               "c.yaml: required and missing: training.source, sampler.particles, sampler.steps, score.bandwidth");
  refuses_with("training: {source: a}\nscore:\n", NULL, MMS_NEEDS_TRAINING | MMS_NEEDS_SCORE,
               "required and missing: score.bandwidth ");
  mms_config config;
  mms_error error = mms_error_none();
  expect_ok(mms_config_parse(&config, "training: {source: a}", "c.yaml", NULL, 0, MMS_NEEDS_TRAINING, &error), &error);
  mms_config_free(&config);
}

static void test_overrides_are_checked_alike(void **state) {
  (void)state;
  refuses_with(smallest, "sampler.steps=many", ALL, "command line: --sampler.steps=many: \"many\" is not an integer");
  refuses_with(smallest, "sampler.setps=5", ALL,
               "command line: --sampler.setps: there is no such key; did you mean --sampler.steps?");
  refuses_with(smallest, "smapler.steps=5", ALL, "did you mean --sampler.steps?");
  refuses_with(smallest, "sampler.steps", ALL, "write --sampler.steps=VALUE");
  refuses_with(smallest, "sampler.steps=", ALL, "has no value");
  refuses_with(smallest, "output.directory=caf\xe9", ALL, "is not UTF-8");
  refuses_with(smallest, "training.whiten=cap", ALL,
               "command line: --training.whiten=cap: give training.whiten_top too");
  const char *twice[] = {"sampler.steps=5", "sampler.steps=6"};
  mms_config config;
  mms_error error = mms_error_none();
  expect_refused(mms_config_parse(&config, smallest, "c.yaml", twice, 2, ALL, &error), MMS_ERR_INPUT, &error,
                 "--sampler.steps is given twice");
}

/* Every default is a value the key itself accepts, and every row of the table says what it must. */
static void test_schema_is_sound(void **state) {
  (void)state;
  mms_config config = {0};
  assert_int_equal(mms_schema_rows(), MMS_KEYS);
  for (int k = 0; k < MMS_KEYS; k++) {
    const mms_schema_key *row = mms_schema((mms_key)k);
    mms_error error = mms_error_none();
    assert_int_equal(row->key, k);
    assert_non_null(row->name);
    assert_non_null(row->meaning);
    assert_non_null(row->unit);
    assert_int_equal(mms_schema_find(row->section, row->name), k);
    assert_true(row->required || row->default_text != NULL || row->default_words != NULL);
    assert_true(row->type != MMS_TYPE_CHOICE || row->choices != NULL);
    assert_true(!row->list || row->type == MMS_TYPE_INTEGER || row->type == MMS_TYPE_REAL ||
                row->type == MMS_TYPE_CHOICE);
    if (row->default_text != NULL)
      expect_ok(mms_config_set(&config, (mms_key)k, row->default_text, true, (mms_place){0}, &error), &error);
  }
  mms_config_free(&config);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_defaults),
      cmocka_unit_test(test_values_arrive),
      cmocka_unit_test(test_resolved_reads_back),
      cmocka_unit_test(test_texts_that_look_like_something_else),
      cmocka_unit_test(test_numbers_are_refused),
      cmocka_unit_test(test_shape_is_refused),
      cmocka_unit_test(test_unknown_words_name_the_nearest),
      cmocka_unit_test(test_not_built_is_refused),
      cmocka_unit_test(test_keys_must_agree),
      cmocka_unit_test(test_method_decides_on_keys),
      cmocka_unit_test(test_required_keys_are_named_at_once),
      cmocka_unit_test(test_overrides_are_checked_alike),
      cmocka_unit_test(test_schema_is_sound),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
