/* A command's options and operands. Private to the program. */
#ifndef CLI_ARGUMENTS_H
#define CLI_ARGUMENTS_H

#include "mmsold/base/status.h"
#include <stdbool.h>
#include <stdint.h>

typedef enum mms_option_type {
  MMS_OPTION_FLAG,    /* bool: --name */
  MMS_OPTION_TEXT,    /* const char *: --name VALUE or --name=VALUE, and so below */
  MMS_OPTION_INTEGER, /* int64_t, 1 or more */
  MMS_OPTION_SEED,    /* uint64_t */
  MMS_OPTION_REAL     /* double, more than 0 */
} mms_option_type;

typedef struct mms_option {
  const char *name; /* without the dashes; NULL ends a list */
  mms_option_type type;
  void *target; /* written where the option is given */
} mms_option;

/* What a command line holds, after parsing. Strings are borrowed from argv. Owns `overrides`. */
typedef struct mms_arguments {
  const char **operands; /* [operand_count], the caller's */
  int operand_count;
  const char **overrides; /* "section.key=value" each, without the dashes */
  int override_count;
} mms_arguments;

/* Read argv[1…]; `operand_names` are the operands it must have, in order, written to `operands` (both
 * [operand_count]); `takes_overrides`: --section.key=value is taken too. "--" ends the options.
 * MMS_ERR_INPUT names what is unknown (and the nearest right one), missing, twice or too much. Local; free with
 * mms_arguments_free also after a failure. */
mms_status mms_arguments_parse(mms_arguments *arguments, int argc, char **argv, const char *const *operand_names,
                               const char **operands, int operand_count, const mms_option *options,
                               bool takes_overrides, mms_error *error);
void mms_arguments_free(mms_arguments *arguments);

#endif
