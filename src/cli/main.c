/* mmsold: the command line. Only here does the program end. */
#include "cli/command.h"
#include "cli/stream.h"
#include "mmsold/base/memory.h"
#include "mmsold/run/run.h"

#include <stdio.h>
#include <string.h>

/* Take --quiet and --verbose out of the line, wherever they stand before a "--". Returns the new argc. */
static int take_levels(int argc, char **argv, mms_log_level *level) {
  int kept = 0;
  bool options_end = false;
  for (int i = 0; i < argc; i++) {
    options_end = options_end || strcmp(argv[i], "--") == 0;
    if (!options_end && strcmp(argv[i], "--quiet") == 0)
      *level = MMS_LOG_QUIET;
    else if (!options_end && strcmp(argv[i], "--verbose") == 0)
      *level = MMS_LOG_VERBOSE;
    else
      argv[kept++] = argv[i];
  }
  return kept;
}

/* Is --help or -h asked for after the command? */
static bool wants_help(int argc, char **argv) {
  for (int i = 2; i < argc && strcmp(argv[i], "--") != 0; i++)
    if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) return true;
  return false;
}

/* The command that the first word asks for. */
static mms_status dispatch(mms_cli *cli, int argc, char **argv, mms_error *error) {
  if (argc < 2) {
    if (mms_cli_speaks(cli)) mms_help_usage(stderr);
    return mms_fail(error, MMS_ERR_INPUT, "no command is given");
  }
  const char *word = argv[1];
  if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0) word = "help";
  if (strcmp(word, "--version") == 0) word = "version";
  const mms_command *command = mms_command_find(word);
  if (command == NULL) {
    const char *near = mms_command_nearest(word + strspn(word, "-"));
    return mms_fail(error, MMS_ERR_INPUT, "there is no %s %s%s%s%s (mmsold help lists all)",
                    word[0] == '-' ? "option" : "command", word, near != NULL ? "; did you mean mmsold " : "",
                    near != NULL ? near : "", near != NULL ? "?" : "");
  }
  if (wants_help(argc, argv)) {
    char *help[] = {"help", argv[1]};
    return mms_command_help(cli, 2, help, error);
  }
  if (command->run == NULL) return mms_fail(error, MMS_ERR_INPUT, "%s is not built in this version", command->name);
  return command->run(cli, argc - 1, argv + 1, error);
}

int main(int argc, char **argv) {
  mms_error error = mms_error_none();
  mms_log_level level = MMS_LOG_NORMAL;
  mms_cli cli = {.team = NULL};
  mms_memory_begin();
  mms_stream_prepare();
  argc = take_levels(argc, argv, &level);
  if (argc > 1 && (strcmp(argv[1], "run") == 0 || strcmp(argv[1], "converge") == 0))
    mms_run_catch_signals(); /* a queue may send one at any time */
  mms_status status = mms_world_begin(&argc, &argv, &error);
  if (status == MMS_OK) status = mms_team_create(&cli.team, &error);
  if (status != MMS_OK) {
    fprintf(stderr, "mmsold: error: %s\n", error.message);
    return mms_exit_code(status);
  }
  cli.log = mms_log_to_stderr(level, mms_cli_speaks(&cli));
  status = dispatch(&cli, argc, argv, &error);
  if (status != MMS_OK && status != MMS_STOPPED) mms_log_error(&cli.log, "%s", error.message);
  mms_error lost = mms_error_none();
  mms_status written = mms_cli_agree(&cli, mms_stream_finish(&lost), &lost);
  if (written != MMS_OK) mms_log_error(&cli.log, "%s", lost.message);
  if (status == MMS_OK) status = written;
  mms_team_free(&cli.team);
  mms_world_end();
  return mms_exit_code(status);
}
