#include "mmsold/run/run.h"
#include "cli/arguments.h"
#include "cli/command.h"
#include "cli/config.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Every line as a YAML comment. */
static void print_commented(const char *text, FILE *out) {
  while (*text != '\0') {
    size_t length = strcspn(text, "\n");
    fprintf(out, "#%s%.*s\n", length > 0 ? " " : "", (int)length, text);
    text += length + (text[length] == '\n');
  }
}

/* After a run its exit status has to come through: srun --kill-on-bad-exit sends TERM to all other ranks as soon as
 * the first has ended with 75, and a slower one (its memory is handed back) would end with 143 instead. */
static void signals_after_run(void) {
  signal(SIGTERM, SIG_IGN);
  signal(SIGINT, SIG_IGN);
}

static mms_status run(mms_cli *cli, const mms_config *config, bool check, bool fresh, double max_hours,
                      mms_error *error) {
  char *text = NULL, *plan = NULL;
  mms_status status = mms_config_write(config, &text, error);
  status = mms_cli_agree(cli, status, error);
  if (status != MMS_OK) return status;
  mms_config_warn(config, &cli->log);
  const mms_run_request request = {.team = cli->team,
                                   .log = &cli->log,
                                   .training = config->training,
                                   .score = config->score,
                                   .sampler = config->sampler,
                                   .output = config->output,
                                   .configuration = text,
                                   .max_hours = max_hours,
                                   .fresh = fresh};
  if (check) {
    /* The configuration is valid YAML as printed; the plan follows as comments, so that all of it reads back. */
    if (mms_cli_speaks(cli)) fputs(text, stdout);
    status = mms_run_plan(&request, &plan, error);
    if (status == MMS_OK && mms_cli_speaks(cli)) print_commented(plan, stdout);
    free(plan);
  } else {
    status = mms_run(&request, error);
    signals_after_run();
  }
  free(text);
  return status;
}

mms_status mms_command_run(mms_cli *cli, int argc, char **argv, mms_error *error) {
  bool check = false, fresh = false;
  double max_hours = 0;
  const char *names[] = {"CONFIG"}, *operands[1] = {NULL};
  const mms_option options[] = {{"check", MMS_OPTION_FLAG, &check},
                                {"fresh", MMS_OPTION_FLAG, &fresh},
                                {"max-hours", MMS_OPTION_REAL, &max_hours},
                                {0}};
  mms_arguments arguments;
  mms_config config = {0};
  mms_status status =
      mms_cli_agree(cli, mms_arguments_parse(&arguments, argc, argv, names, operands, 1, options, true, error), error);
  if (status == MMS_OK && !check) status = mms_team_refuse_singletons(cli->team, error);
  if (status == MMS_OK)
    status = mms_config_read(&config, cli->team, operands[0], arguments.overrides, arguments.override_count,
                             MMS_NEEDS_TRAINING | MMS_NEEDS_SAMPLER | MMS_NEEDS_SCORE, error);
  if (status == MMS_OK) status = run(cli, &config, check, fresh, max_hours, error);
  mms_config_free(&config);
  mms_arguments_free(&arguments);
  return status;
}
