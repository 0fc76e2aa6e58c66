#include "cli/arguments.h"
#include "cli/command.h"
#include "cli/config.h"
#include "mmsold/base/memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* An output that is there already, or that has no folder to go to, is refused before the work, not after it. */
static mms_status check_output(const char *path, mms_error *error) {
  struct stat about;
  const char *slash = strrchr(path, '/');
  char *folder = NULL;
  if (stat(path, &about) == 0)
    return mms_fail(error, MMS_ERR_INPUT, "--output: %s exists already%s; choose another name or remove it", path,
                    S_ISDIR(about.st_mode) ? " and is a folder" : "");
  if (slash == NULL || slash == path) return MMS_OK;
  mms_status status = mms_format_text(&folder, error, "%.*s", (int)(slash - path), path);
  if (status == MMS_OK && (stat(folder, &about) != 0 || !S_ISDIR(about.st_mode)))
    status = mms_fail(error, MMS_ERR_INPUT, "--output: %s: there is no folder %s; make it first", path, folder);
  free(folder);
  return status;
}

static mms_status build_and_store(mms_cli *cli, const mms_config *config, const char *output, mms_error *error) {
  char *text = NULL;
  mms_training training = {0};
  mms_status status = mms_config_write(config, &text, error);
  status = mms_cli_agree(cli, status, error);
  mms_training_options options = config->training;
  options.linalg = config->sampler.linalg;
  options.may_spread = true;
  if (status == MMS_OK) status = mms_training_create(&training, cli->team, &options, error);
  if (status == MMS_OK) {
    mms_log_info(&cli->log, "%s", training.description);
    if (mms_team_rank(cli->team) == 0) status = mms_training_store(&training, text, output, error);
    status = mms_cli_agree(cli, status, error);
    if (status == MMS_OK && mms_cli_speaks(cli)) printf("%s\n", output);
    mms_training_free(&training);
  }
  free(text);
  return status;
}

mms_status mms_command_prepare(mms_cli *cli, int argc, char **argv, mms_error *error) {
  const char *output = NULL, *names[] = {"CONFIG"}, *operands[1] = {NULL};
  const mms_option options[] = {{"output", MMS_OPTION_TEXT, &output}, {0}};
  mms_arguments arguments;
  mms_config config = {0};
  mms_status status =
      mms_cli_agree(cli, mms_arguments_parse(&arguments, argc, argv, names, operands, 1, options, true, error), error);
  if (status == MMS_OK && output == NULL)
    status = mms_fail(error, MMS_ERR_INPUT, "prepare: --output FILE.h5 is missing; see mmsold help prepare");
  if (status == MMS_OK) status = mms_team_refuse_singletons(cli->team, error);
  if (status == MMS_OK)
    status = mms_config_read(&config, cli->team, operands[0], arguments.overrides, arguments.override_count,
                             MMS_NEEDS_TRAINING, error);
  if (status == MMS_OK) {
    mms_status mine = mms_team_rank(cli->team) == 0 ? check_output(output, error) : MMS_OK;
    status = mms_cli_agree(cli, mine, error);
  }
  if (status == MMS_OK) status = build_and_store(cli, &config, output, error);
  mms_config_free(&config);
  mms_arguments_free(&arguments);
  return status;
}
