#include "mmsold/study/density.h"
#include "cli/arguments.h"
#include "cli/command.h"
#include "cli/config.h"
#include "cli/plot.h"
#include "mmsold/base/memory.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* "1.234 ± 0.005" in as many digits as the error leaves sense. */
static void print_with_error(double value, double error, int width) {
  int digits = error > 0.0 && isfinite(error) ? (int)ceil(1.0 - log10(error)) : 4;
  if (digits < 1) digits = 1;
  if (digits > 8) digits = 8;
  char text[64];
  snprintf(text, sizeof text, error > 0.0 ? "%.*f +- %.*f" : "%.*f", digits, value, digits, error);
  printf("  %-*s", width, text);
}

static void print_tilt(const mms_density_table *table) {
  printf("tilt: lambda x, y; Lambda xx, yy, xy\n");
  for (int64_t s = 0; s < table->count; s++) {
    const mms_density_row *row = &table->rows[s];
    printf("%10g", row->smoothing);
    for (int k = 0; k < 2; k++) print_with_error(row->lambda[k], row->lambda_error[k], 20);
    for (int k = 0; k < 3; k++) {
      int at = k == 0 ? 0 : k == 1 ? 3 : 1;
      print_with_error(row->quadratic[at], row->quadratic_error[at], 22);
    }
    printf("\n");
  }
}

static void print_law(const mms_density_table *table, int law) {
  printf("%s: log Z, nll of %" PRId64 " test points, nll less the least; covariance xx, yy; cut off, cells\n",
         law == MMS_NAIVE ? "naive exp(-V)" : "tilted", table->test_count);
  for (int64_t s = 0; s < table->count; s++) {
    const mms_density_law *one = &table->rows[s].law[law];
    printf("%10g", table->rows[s].smoothing);
    print_with_error(one->log_z, one->log_z_error, 22);
    print_with_error(one->nll, one->nll_error, 22);
    print_with_error(one->above, one->above_error, 22);
    printf("  %7.4f  %7.4f  %7.0e  %7.0e\n", one->covariance[0], one->covariance[3], one->edge, one->change);
  }
  printf("least nll at smoothing = %g; 95 %% of bootstrap replicates: %g to %g\n", table->least[law],
         table->least_low[law], table->least_high[law]);
}

/* DIRECTORY/density.png and DIRECTORY/nll.png. A picture that cannot be drawn is a warning: the numbers are there. */
static void draw(mms_cli *cli, const char *directory) {
  char *path = NULL;
  mms_error error = mms_error_none();
  static const char *const names[2] = {"density.png", "nll.png"};
  mms_h5 *file = NULL;
  mms_status status = mms_format_text(&path, &error, "%s/density.h5", directory);
  if (status == MMS_OK) status = mms_h5_open(&file, NULL, path, &error);
  for (int p = 0; p < 2 && status == MMS_OK; p++) {
    char *output = NULL;
    status = mms_format_text(&output, &error, "%s/%s", directory, names[p]);
    const mms_plot plot = {.log = &cli->log, .file = file, .path = path, .output = output};
    if (status == MMS_OK) status = p == 0 ? mms_plot_density(&plot, &error) : mms_plot_likelihood(&plot, &error);
    if (status == MMS_OK) printf("%s\n", output);
    free(output);
  }
  if (status != MMS_OK)
    mms_log_warn(&cli->log, "%s; draw it later: mmsold plot %s --output NAME.png", error.message, path);
  mms_h5_close(&file);
  free(path);
}

static mms_status density(mms_cli *cli, const mms_config *config, bool fresh, mms_error *error) {
  char *text = NULL;
  mms_density_table table;
  mms_status status = mms_config_write(config, &text, error);
  status = mms_cli_agree(cli, status, error);
  if (status != MMS_OK) return status;
  const mms_density_request request = {.team = cli->team,
                                       .log = &cli->log,
                                       .training = config->training,
                                       .bandwidth = config->score.bandwidth,
                                       .backend = config->score.backend,
                                       .density = config->density,
                                       .directory = config->output.directory,
                                       .fresh = fresh,
                                       .configuration = text};
  status = mms_density(&request, &table, error);
  if (status == MMS_OK && mms_cli_speaks(cli)) {
    print_tilt(&table);
    for (int law = 0; law < MMS_LAWS; law++) print_law(&table, law);
    printf("%s/density.h5\n", config->output.directory);
    draw(cli, config->output.directory);
  }
  if (status == MMS_OK) mms_density_table_free(&table);
  free(text);
  return status;
}

mms_status mms_command_density(mms_cli *cli, int argc, char **argv, mms_error *error) {
  bool fresh = false;
  const char *names[] = {"CONFIG"}, *operands[1] = {NULL};
  const mms_option options[] = {{"fresh", MMS_OPTION_FLAG, &fresh}, {0}};
  mms_arguments arguments;
  mms_config config = {0};
  mms_status status =
      mms_cli_agree(cli, mms_arguments_parse(&arguments, argc, argv, names, operands, 1, options, true, error), error);
  if (status == MMS_OK) status = mms_team_refuse_singletons(cli->team, error);
  if (status == MMS_OK)
    status = mms_config_read(&config, cli->team, operands[0], arguments.overrides, arguments.override_count,
                             MMS_NEEDS_TRAINING | MMS_NEEDS_SCORE | MMS_NEEDS_DENSITY, error);
  if (status == MMS_OK) status = density(cli, &config, fresh, error);
  mms_config_free(&config);
  mms_arguments_free(&arguments);
  return status;
}
