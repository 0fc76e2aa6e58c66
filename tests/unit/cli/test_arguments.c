/* A command's options and operands: what is taken, and what every wrong line is told. */
#include "support.h"

#include "cli/arguments.h"

/* What the options below are read into. */
typedef struct settings {
  bool flag;
  const char *text;
  int64_t integer;
  uint64_t seed;
  double real;
  const char *operands[2];
  int override_count;
} settings;

enum { MOST_WORDS = 12 };

/* Parse a line of words for a command with operands A and B; `error` may hold why not. */
static mms_status parse(settings *s, char *const *words, bool overrides, mms_error *error) {
  *s = (settings){.flag = false};
  const mms_option options[] = {{"flag", MMS_OPTION_FLAG, &s->flag},          {"text", MMS_OPTION_TEXT, &s->text},
                                {"integer", MMS_OPTION_INTEGER, &s->integer}, {"seed", MMS_OPTION_SEED, &s->seed},
                                {"real", MMS_OPTION_REAL, &s->real},          {0}};
  const char *names[] = {"A", "B"};
  char *argv[MOST_WORDS + 1] = {"command"};
  int argc = 1;
  for (; words[argc - 1] != NULL && argc <= MOST_WORDS; argc++) argv[argc] = words[argc - 1];
  mms_arguments arguments;
  mms_status status = mms_arguments_parse(&arguments, argc, argv, names, s->operands, 2, options, overrides, error);
  s->override_count = arguments.override_count;
  mms_arguments_free(&arguments);
  return status;
}

static void test_everything_arrives(void **state) {
  (void)state;
  settings s;
  mms_error error = mms_error_none();
  char *words[] = {"a",      "--flag", "--text=x=y",      "--integer", "5",   "--seed=18446744073709551615",
                   "--real", "2.5",    "--section.key=5", "--",        "--b", NULL};
  expect_ok(parse(&s, words, true, &error), &error);
  assert_true(s.flag && s.integer == 5 && s.seed == UINT64_MAX && s.real == 2.5 && s.override_count == 1);
  assert_string_equal(s.text, "x=y");
  assert_string_equal(s.operands[0], "a");
  assert_string_equal(s.operands[1], "--b"); /* after "--" nothing is an option */
}

static void test_wrong_lines_are_refused(void **state) {
  (void)state;
  const struct {
    char *words[4];
    const char *part;
  } cases[] = {
      {{"a", NULL}, "command: B is missing"},
      {{"a", "b", "c", NULL}, "\"c\" is one argument too many"},
      {{"a", "", NULL}, "command: B is empty"},
      {{"a", "b", "--falg", NULL}, "no option --falg; did you mean --flag?"},
      {{"a", "b", "--zzzzzz", NULL}, "no option --zzzzzz (see mmsold help command)"},
      {{"a", "b", "-f", NULL}, "there is no option -f"},
      {{"a", "b", "--text", NULL}, "--text needs a value"},
      {{"a", "b", "--text=", NULL}, "--text: an empty value"},
      {{"a", "b", "--flag=1", NULL}, "--flag takes no value"},
      {{"a", "--flag", "--flag", NULL}, "--flag is given twice"},
      {{"a", "b", "--integer=0", NULL}, "--integer: \"0\" is not an integer, 1 or more"},
      {{"a", "b", "--integer=1e3", NULL}, "--integer: \"1e3\""},
      {{"a", "b", "--seed=-1", NULL}, "--seed: \"-1\" is not an integer, 0 to 2^64 - 1"},
      {{"a", "b", "--real=0", NULL}, "--real: \"0\" is not a number, more than 0"},
      {{"a", "b", "--real=2h", NULL}, "--real: \"2h\""},
      {{"a", "b", "--section.key=5", NULL}, "no option --section.key"}, /* this command takes no keys */
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    settings s;
    mms_error error = mms_error_none();
    expect_refused(parse(&s, cases[i].words, false, &error), MMS_ERR_INPUT, &error, cases[i].part);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_everything_arrives),
      cmocka_unit_test(test_wrong_lines_are_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
