/* The commands: one file each, one table. Private to the program. */
#ifndef CLI_COMMAND_H
#define CLI_COMMAND_H

#include "mmsold/base/log.h"
#include "mmsold/base/status.h"
#include "mmsold/parallel/team.h"
#include <stdbool.h>
#include <stdint.h>

/* What every command stands on. Results go to stdout from rank 0 (`speaks`), messages to the log. */
typedef struct mms_cli {
  mms_team *team;
  mms_log log;
} mms_cli;

/* One command. `run` is Collective and agreed: all ranks return alike. */
typedef struct mms_command {
  const char *name;
  mms_status (*run)(mms_cli *cli, int argc, char **argv, mms_error *error); /* argv[0]: the command; NULL: not built */
  const char *usage;                                                        /* what follows the name */
  const char *summary;                                                      /* one line */
  const char *help;                                                         /* the rest of its help page */
} mms_command;

/* The table, ended by a NULL name; and a command in it, or NULL. Local. */
const mms_command *mms_commands(void);
const mms_command *mms_command_find(const char *name);
/* The nearest command to a misspelt word, or NULL. Local. */
const char *mms_command_nearest(const char *name);

/* True on the rank that writes to stdout. Local. */
bool mms_cli_speaks(const mms_cli *cli);

/* Finish a command that only rank 0 worked at: all return what it returned. Collective. */
mms_status mms_cli_agree(const mms_cli *cli, mms_status mine, mms_error *error);

mms_status mms_command_run(mms_cli *cli, int argc, char **argv, mms_error *error);
mms_status mms_command_prepare(mms_cli *cli, int argc, char **argv, mms_error *error);
mms_status mms_command_evaluate(mms_cli *cli, int argc, char **argv, mms_error *error);
mms_status mms_command_density(mms_cli *cli, int argc, char **argv, mms_error *error);
mms_status mms_command_converge(mms_cli *cli, int argc, char **argv, mms_error *error);
mms_status mms_command_compare(mms_cli *cli, int argc, char **argv, mms_error *error);
mms_status mms_command_info(mms_cli *cli, int argc, char **argv, mms_error *error);
mms_status mms_command_plot(mms_cli *cli, int argc, char **argv, mms_error *error);
mms_status mms_command_help(mms_cli *cli, int argc, char **argv, mms_error *error);
mms_status mms_command_version(mms_cli *cli, int argc, char **argv, mms_error *error);

/* The short usage that `mmsold` alone prints to stderr. Local. */
void mms_help_usage(FILE *out);

#endif
