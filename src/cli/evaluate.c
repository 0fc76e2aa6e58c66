#include "mmsold/study/evaluate.h"
#include "cli/arguments.h"
#include "cli/command.h"
#include "cli/config.h"

#include <stdio.h>
#include <stdlib.h>

static mms_status evaluate(mms_cli *cli, const mms_config *config, const char *points, const char *output,
                           int64_t repeats, mms_error *error) {
  char *text = NULL;
  mms_status status = mms_config_write(config, &text, error);
  status = mms_cli_agree(cli, status, error);
  if (status != MMS_OK) return status;
  mms_config_warn(config, &cli->log);
  const mms_evaluate_request request = {.team = cli->team,
                                        .log = &cli->log,
                                        .training = config->training,
                                        .score = config->score,
                                        .repeats = repeats,
                                        .seed = config->sampler.seed,
                                        .points = points,
                                        .output = output,
                                        .configuration = text};
  status = mms_evaluate(&request, error);
  if (status == MMS_OK && mms_cli_speaks(cli)) printf("%s\n", output);
  free(text);
  return status;
}

mms_status mms_command_evaluate(mms_cli *cli, int argc, char **argv, mms_error *error) {
  const char *points = NULL, *output = NULL, *names[] = {"CONFIG"}, *operands[1] = {NULL};
  int64_t repeats = 1;
  const mms_option options[] = {{"points", MMS_OPTION_TEXT, &points},
                                {"output", MMS_OPTION_TEXT, &output},
                                {"repeats", MMS_OPTION_INTEGER, &repeats},
                                {0}};
  mms_arguments arguments;
  mms_config config = {0};
  mms_status status =
      mms_cli_agree(cli, mms_arguments_parse(&arguments, argc, argv, names, operands, 1, options, true, error), error);
  if (status == MMS_OK && (points == NULL || output == NULL))
    status = mms_fail(error, MMS_ERR_INPUT, "evaluate: --%s is missing; see mmsold help evaluate",
                      points == NULL ? "points FILE" : "output FILE.h5");
  if (status == MMS_OK) status = mms_team_refuse_singletons(cli->team, error);
  if (status == MMS_OK)
    status = mms_config_read(&config, cli->team, operands[0], arguments.overrides, arguments.override_count,
                             MMS_NEEDS_TRAINING | MMS_NEEDS_SCORE, error);
  if (status == MMS_OK) status = evaluate(cli, &config, points, output, repeats, error);
  mms_config_free(&config);
  mms_arguments_free(&arguments);
  return status;
}
