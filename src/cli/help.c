#include "cli/arguments.h"
#include "cli/command.h"
#include "cli/schema.h"

#include <stdio.h>
#include <string.h>

void mms_help_usage(FILE *out) {
  fputs("usage: mmsold COMMAND ... [--quiet | --verbose]\n\n", out);
  for (const mms_command *command = mms_commands(); command->name != NULL; command++)
    fprintf(out, "  %-10s%s%s\n", command->name, command->summary,
            command->run == NULL ? " (not built in this version)" : "");
  fputs("\nmmsold help COMMAND explains one, mmsold help keys the configuration.\n", out);
}

static void print_page(const mms_command *command, FILE *out) {
  fprintf(out, "usage: mmsold %s%s%s\n\n%s%s\n", command->name, command->usage[0] != '\0' ? " " : "", command->usage,
          command->summary, command->run == NULL ? " (not built in this version)" : "");
  if (command->help[0] != '\0') fprintf(out, "\n%s", command->help);
}

static void print_overview(FILE *out) {
  fputs("mmsold: training-free generative sampling by interacting particles\n\n", out);
  mms_help_usage(out);
  fputs("\nResults go to stdout, messages to stderr; --quiet and --verbose say less and more.\n"
        "Exit status: 0 finished; 2 the input is wrong; 75 stopped early in order, the same command goes on;\n"
        "1 anything else.\n",
        out);
}

mms_status mms_command_help(mms_cli *cli, int argc, char **argv, mms_error *error) {
  bool markdown = false;
  const mms_option options[] = {{"markdown", MMS_OPTION_FLAG, &markdown}, {0}};
  const char *names[] = {"COMMAND"}, *operands[1] = {NULL};
  mms_arguments arguments;
  int topics = 0;
  for (int i = 1; i < argc && topics == 0; i++) topics = argv[i][0] != '-';
  mms_status status = mms_cli_agree(
      cli, mms_arguments_parse(&arguments, argc, argv, names, operands, topics, options, false, error), error);
  mms_arguments_free(&arguments);
  if (status != MMS_OK) return status;
  const char *topic = operands[0];
  bool keys = topic != NULL && strcmp(topic, "keys") == 0;
  const mms_command *command = topic != NULL ? mms_command_find(topic) : NULL;
  if (topic != NULL && !keys && command == NULL) {
    const char *near = mms_command_nearest(topic);
    return mms_fail(error, MMS_ERR_INPUT, "there is no command %s%s%s%s (mmsold help lists them)", topic,
                    near != NULL ? "; did you mean " : "", near != NULL ? near : "", near != NULL ? "?" : "");
  }
  if (markdown && !keys) return mms_fail(error, MMS_ERR_INPUT, "--markdown goes with mmsold help keys");
  if (!mms_cli_speaks(cli)) return MMS_OK;
  if (keys && markdown)
    mms_schema_print_markdown(stdout);
  else if (keys)
    mms_schema_print(stdout);
  else if (command != NULL)
    print_page(command, stdout);
  else
    print_overview(stdout);
  return MMS_OK;
}
