#include "cli/converge.h"

#include "cli/arguments.h"
#include "cli/command.h"
#include "cli/plot.h"
#include "mmsold/base/memory.h"
#include "run/folder.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What the command line asks for. */
typedef struct wishes {
  bool check, fresh;
  int64_t cell; /* the one that is to be run, from 1 on; 0: all */
  double max_hours;
} wishes;

static void print_plan(const mms_grid *grid) {
  double total = 0.0;
  fputs(grid->text, stdout);
  printf("# %lld cells; their predicted cost is a rough number of seconds of one core\n", (long long)grid->count);
  for (int64_t c = 0; c < grid->count; c++) {
    const double cost = mms_cell_cost(&grid->cells[c].run);
    total += cost;
    printf("# %6lld  %s  %.2g\n", (long long)c + 1, grid->names[c], cost);
  }
  printf("# all: %.3g\n", total);
}

/* Cells that failed, by name: the first few. */
static mms_status name_failures(const mms_grid *grid, const mms_status *outcome, mms_error *error) {
  char names[1024] = "";
  int64_t failed = 0;
  mms_status first = MMS_OK;
  for (int64_t c = 0; c < grid->count; c++) {
    if (outcome[c] == MMS_OK || outcome[c] == MMS_STOPPED) continue;
    const size_t used = strlen(names);
    if (failed < 5) snprintf(names + used, sizeof names - used, "%s%s", failed > 0 ? ", " : "", grid->names[c]);
    if (failed++ == 0) first = outcome[c];
  }
  if (failed == 0) return MMS_OK;
  return mms_fail(error, first,
                  "%lld of %lld cells failed: %s%s (why stands above); the others are kept, and the same "
                  "command tries these again",
                  (long long)failed, (long long)grid->count, names, failed > 5 ? ", ..." : "");
}

static mms_reference reference_of(const char *text) {
  if (strcmp(text, "finest") == 0) return MMS_REFERENCE_FINEST;
  if (strcmp(text, "limit") == 0) return MMS_REFERENCE_LIMIT;
  return strcmp(text, "normal") == 0 ? MMS_REFERENCE_NORMAL : MMS_REFERENCE_FILE;
}

/* A file that is the reference is looked at before the cells are run, not after. For rank 0. */
static mms_status check_reference(const mms_config *config, mms_error *error) {
  const mms_value *file = &config->values[MMS_KEY_CONVERGE_REFERENCE];
  mms_points points = {0};
  if (reference_of(file->text) != MMS_REFERENCE_FILE) return MMS_OK;
  mms_status status = mms_points_read(&points, file->text, error);
  mms_points_free(&points);
  return status == MMS_OK ? MMS_OK : mms_fail_within(error, "converge.reference");
}

/* Measure what is there, say it, draw it. */
static mms_status report(mms_cli *cli, const mms_config *config, const mms_grid *grid, const mms_status *outcome,
                         mms_error *error) {
  const mms_value *observables = &config->values[MMS_KEY_CONVERGE_OBSERVABLES];
  void *memory = NULL;
  char *file = NULL, *picture = NULL;
  mms_status status = mms_allocate(&memory, grid->count, sizeof(char *), "the files of the cells", error);
  const char **samples = memory;
  for (int64_t c = 0; status == MMS_OK && c < grid->count; c++)
    samples[c] = outcome[c] == MMS_OK ? grid->samples[c] : NULL;
  if (status == MMS_OK) status = mms_format_text(&file, error, "%s/converge.h5", config->output.directory);
  if (status == MMS_OK) status = mms_format_text(&picture, error, "%s/converge.png", config->output.directory);
  status = mms_cli_agree(cli, status, error);
  const char *reference = config->values[MMS_KEY_CONVERGE_REFERENCE].text;
  const mms_converge_request request = {.team = cli->team,
                                        .log = &cli->log,
                                        .curves = grid->curves,
                                        .rungs = grid->rungs,
                                        .seeds = grid->seeds,
                                        .abscissa = mms_schema(grid->ladders[0].list)->name,
                                        .x = grid->x,
                                        .curve_labels = (const char *const *)grid->labels,
                                        .names = (const char *const *)grid->names,
                                        .samples = samples,
                                        .observables = observables->elements,
                                        .observable_count = observables->count,
                                        .burn_in = config->values[MMS_KEY_CONVERGE_BURN_IN].real,
                                        .directions = config->values[MMS_KEY_CONVERGE_DIRECTIONS].integer,
                                        .seed = config->sampler.seed,
                                        .reference = reference_of(reference),
                                        .reference_file = reference,
                                        .training = grid->configs[0].training,
                                        .score = grid->configs[0].score,
                                        .configuration = grid->text,
                                        .output = file};
  mms_convergence result = {0};
  if (status == MMS_OK) status = mms_converge(&request, &result, error);
  if (status == MMS_OK && mms_cli_speaks(cli)) {
    mms_error undrawn = mms_error_none();
    mms_converge_print(grid, &result);
    mms_log_info(&cli->log, "result     %s", file);
    mms_plot drawing = {.log = &cli->log, .path = file, .output = picture};
    mms_status drawn = mms_h5_open(&drawing.file, NULL, file, &undrawn);
    if (drawn == MMS_OK) drawn = mms_plot_converge(&drawing, &undrawn);
    mms_h5_close(&drawing.file);
    if (drawn == MMS_OK)
      mms_log_info(&cli->log, "picture    %s", picture);
    else
      mms_log_warn(&cli->log, "%s", undrawn.message);
  }
  mms_convergence_free(&result);
  free(memory);
  free(file);
  free(picture);
  return status;
}

static mms_status run_cells(mms_cli *cli, const mms_config *config, const mms_grid *grid, const wishes *asked,
                            mms_status *outcome, mms_error *error) {
  mms_status status = MMS_OK;
  if (mms_cli_speaks(cli)) status = mms_folder_make(config->output.directory, error); /* for `stop` and the results */
  status = mms_cli_agree(cli, status, error);
  if (status != MMS_OK) return status;
  const int64_t first = asked->cell > 0 ? asked->cell - 1 : 0;
  const mms_cells_request request = {.team = cli->team,
                                     .log = &cli->log,
                                     .folder = config->output.directory,
                                     .cells = grid->cells + first,
                                     .count = asked->cell > 0 ? 1 : grid->count,
                                     .max_hours = asked->max_hours};
  status = mms_cells_run(&request, outcome + first, error);
  signal(SIGTERM, SIG_IGN); /* as after a run: a slower rank's status has to come through */
  signal(SIGINT, SIG_IGN);
  if (status == MMS_STOPPED) mms_log_info(&cli->log, "stopped    in order: run the same command again to go on");
  return status;
}

static mms_status study(mms_cli *cli, const mms_config *config, const wishes *asked, mms_error *error) {
  mms_grid grid;
  mms_status *outcome = NULL;
  mms_status status = mms_grid_create(&grid, config, asked->fresh, error);
  if (status == MMS_OK && asked->cell > grid.count)
    status = mms_fail(error, MMS_ERR_INPUT, "--cell %lld: the study has the cells 1 to %lld (see --check)",
                      (long long)asked->cell, (long long)grid.count);
  if (status == MMS_OK) {
    void *memory = NULL;
    status = mms_allocate(&memory, grid.count, sizeof(mms_status), "how the cells ended", error);
    outcome = memory;
  }
  if (status == MMS_OK && asked->cell == 0 && mms_cli_speaks(cli)) status = check_reference(config, error);
  status = mms_cli_agree(cli, status, error);
  if (status == MMS_OK) mms_config_warn(&grid.configs[0], &cli->log);
  if (status == MMS_OK && asked->check) {
    if (mms_cli_speaks(cli)) print_plan(&grid);
  } else if (status == MMS_OK) {
    status = run_cells(cli, config, &grid, asked, outcome, error);
    if (status == MMS_OK && asked->cell == 0) status = report(cli, config, &grid, outcome, error);
    if (status == MMS_OK) status = name_failures(&grid, outcome, error);
  }
  free(outcome);
  mms_grid_free(&grid);
  return status;
}

mms_status mms_command_converge(mms_cli *cli, int argc, char **argv, mms_error *error) {
  wishes asked = {0};
  const char *names[] = {"CONFIG"}, *operands[1] = {NULL};
  const mms_option options[] = {{"check", MMS_OPTION_FLAG, &asked.check},
                                {"fresh", MMS_OPTION_FLAG, &asked.fresh},
                                {"cell", MMS_OPTION_INTEGER, &asked.cell},
                                {"max-hours", MMS_OPTION_REAL, &asked.max_hours},
                                {0}};
  mms_arguments arguments;
  mms_config config = {0};
  mms_status status = mms_arguments_parse(&arguments, argc, argv, names, operands, 1, options, true, error);
  if (status == MMS_OK && !asked.check) status = mms_team_refuse_singletons(cli->team, error);
  if (status == MMS_OK)
    status = mms_config_read(&config, cli->team, operands[0], arguments.overrides, arguments.override_count,
                             MMS_NEEDS_CONVERGE, error);
  if (status == MMS_OK) status = study(cli, &config, &asked, error);
  mms_config_free(&config);
  mms_arguments_free(&arguments);
  return status;
}
