#include "cli/arguments.h"

#include "cli/words.h"
#include "mmsold/base/memory.h"

#include <stdlib.h>
#include <string.h>

enum { MOST_OPTIONS = 16 };

typedef struct line {
  mms_arguments *arguments;
  int argc, at;
  char **argv;
  const mms_option *options;
  bool given[MOST_OPTIONS];
  mms_error *error;
} line;

static mms_status unknown_option(const line *l, const char *name, size_t length) {
  const char *names[MOST_OPTIONS + 3] = {"help", "quiet", "verbose"};
  int count = 3;
  for (const mms_option *option = l->options; option->name != NULL; option++) names[count++] = option->name;
  char word[64];
  if (length >= sizeof word) length = sizeof word - 1;
  memcpy(word, name, length);
  word[length] = '\0';
  const char *near = mms_words_nearest(word, names, count);
  return mms_fail(l->error, MMS_ERR_INPUT, "%s has no option --%s%s%s%s (see mmsold help %s)", l->argv[0], word,
                  near != NULL ? "; did you mean --" : "", near != NULL ? near : "", near != NULL ? "?" : "",
                  l->argv[0]);
}

static mms_status take_value(const line *l, const mms_option *option, const char *value) {
  mms_number read = MMS_NUMBER_OK;
  const char *wanted = "";
  if (option->type == MMS_OPTION_TEXT) {
    if (value[0] == '\0') return mms_fail(l->error, MMS_ERR_INPUT, "--%s: an empty value", option->name);
    *(const char **)option->target = value;
  } else if (option->type == MMS_OPTION_INTEGER) {
    int64_t *target = option->target;
    wanted = "an integer, 1 or more";
    read = mms_number_integer(value, target);
    if (read == MMS_NUMBER_OK && *target < 1) read = MMS_NUMBER_RANGE;
  } else if (option->type == MMS_OPTION_SEED) {
    wanted = "an integer, 0 to 2^64 - 1";
    read = mms_number_seed(value, option->target);
  } else if (option->type == MMS_OPTION_REAL) {
    double *target = option->target;
    wanted = "a number, more than 0";
    read = mms_number_real(value, target);
    if (read == MMS_NUMBER_OK && !(*target > 0)) read = MMS_NUMBER_RANGE;
  }
  if (read == MMS_NUMBER_OK) return MMS_OK;
  return mms_fail(l->error, MMS_ERR_INPUT, "--%s: \"%s\" is not %s", option->name, value, wanted);
}

static mms_status take_option(line *l, const char *name) {
  const char *equals = strchr(name, '=');
  size_t length = equals != NULL ? (size_t)(equals - name) : strlen(name);
  for (int i = 0; l->options[i].name != NULL; i++) {
    const mms_option *option = &l->options[i];
    if (strlen(option->name) != length || memcmp(option->name, name, length) != 0) continue;
    if (l->given[i]) return mms_fail(l->error, MMS_ERR_INPUT, "--%s is given twice", option->name);
    l->given[i] = true;
    if (option->type == MMS_OPTION_FLAG) {
      if (equals != NULL) return mms_fail(l->error, MMS_ERR_INPUT, "--%s takes no value", option->name);
      *(bool *)option->target = true;
      return MMS_OK;
    }
    if (equals != NULL) return take_value(l, option, equals + 1);
    if (l->at + 1 >= l->argc) return mms_fail(l->error, MMS_ERR_INPUT, "--%s needs a value", option->name);
    return take_value(l, option, l->argv[++l->at]);
  }
  return unknown_option(l, name, length);
}

static mms_status take_operand(line *l, const char *const *names, int count) {
  mms_arguments *arguments = l->arguments;
  const char *operand = l->argv[l->at];
  if (arguments->operand_count >= count)
    return mms_fail(l->error, MMS_ERR_INPUT, "%s: \"%s\" is one argument too many; see mmsold help %s", l->argv[0],
                    operand, l->argv[0]);
  if (operand[0] == '\0')
    return mms_fail(l->error, MMS_ERR_INPUT, "%s: %s is empty", l->argv[0], names[arguments->operand_count]);
  arguments->operands[arguments->operand_count++] = operand;
  return MMS_OK;
}

/* --section.key=value: an option with a dot in its name. */
static bool is_override(const char *name) {
  size_t dot = strcspn(name, ".");
  return name[dot] == '.' && dot < strcspn(name, "=");
}

mms_status mms_arguments_parse(mms_arguments *arguments, int argc, char **argv, const char *const *operand_names,
                               const char **operands, int operand_count, const mms_option *options,
                               bool takes_overrides, mms_error *error) {
  *arguments = (mms_arguments){.operands = operands};
  line l = {.arguments = arguments, .argc = argc, .argv = argv, .options = options, .error = error};
  void *memory = NULL;
  mms_status status = mms_allocate(&memory, argc, sizeof *arguments->overrides, "the command line", error);
  arguments->overrides = memory;
  bool options_end = false;
  for (l.at = 1; status == MMS_OK && l.at < argc; l.at++) {
    const char *word = argv[l.at];
    if (options_end || word[0] != '-' || word[1] == '\0')
      status = take_operand(&l, operand_names, operand_count);
    else if (strcmp(word, "--") == 0)
      options_end = true;
    else if (word[1] != '-')
      status = mms_fail(error, MMS_ERR_INPUT, "%s: there is no option %s; see mmsold help %s", argv[0], word, argv[0]);
    else if (takes_overrides && is_override(word + 2))
      arguments->overrides[arguments->override_count++] = word + 2;
    else
      status = take_option(&l, word + 2);
  }
  if (status == MMS_OK && arguments->operand_count < operand_count)
    status = mms_fail(error, MMS_ERR_INPUT, "%s: %s is missing; see mmsold help %s", argv[0],
                      operand_names[arguments->operand_count], argv[0]);
  return status;
}

void mms_arguments_free(mms_arguments *arguments) {
  free(arguments->overrides);
  *arguments = (mms_arguments){0};
}
