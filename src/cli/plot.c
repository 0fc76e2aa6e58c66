#include "cli/plot.h"

#include "cli/arguments.h"
#include "cli/command.h"

#include <inttypes.h>

void mms_plot_image_shape(const mms_plot *plot, int64_t *rows, int64_t *columns) {
  mms_error none = mms_error_none();
  *rows = *columns = 0;
  if (mms_h5_read_int(plot->file, "/", "image_rows", rows, &none) != MMS_OK ||
      mms_h5_read_int(plot->file, "/", "image_columns", columns, &none) != MMS_OK || *rows < 1 || *columns < 1)
    *rows = *columns = 0;
}

static mms_status plot_samples(const mms_plot *plot, mms_error *error) {
  int rank = 0;
  int64_t dims[8] = {0}, rows = 0, columns = 0;
  mms_status status = mms_h5_shape(plot->file, "/samples", &rank, dims, error);
  if (status != MMS_OK) return status;
  if (rank != 2 || dims[0] < 1)
    return mms_fail(error, MMS_ERR_INPUT, "%s: /samples is not a table of points", plot->path);
  mms_plot_image_shape(plot, &rows, &columns);
  if (rows > 0 && rows <= dims[1] && dims[1] % rows == 0 && dims[1] / rows == columns)
    return mms_plot_samples_sheet(plot, rows, columns, error);
  if (dims[1] == 2) return mms_plot_samples_scatter(plot, error);
  if (dims[1] == 3) return mms_plot_samples_space(plot, error);
  if (!mms_h5_has(plot->file, "/trace/step"))
    return mms_fail(error, MMS_ERR_INPUT,
                    "%s: %" PRId64 " columns are neither images nor points in the plane or in space, and "
                    "there is no trace: nothing to draw",
                    plot->path, dims[1]);
  mms_log_info(plot->log,
               "%s: %" PRId64 " columns are neither images nor points in the plane or in space; this is the trace",
               plot->path, dims[1]);
  return mms_plot_trace(plot, error);
}

static mms_status plot(const mms_plot *plot, bool trace, bool curves, mms_error *error) {
  if (curves && !mms_h5_has(plot->file, "/nll"))
    return mms_fail(error, MMS_ERR_INPUT, "%s has no likelihoods: mmsold density writes some", plot->path);
  if (curves) return mms_plot_likelihood(plot, error);
  if (trace && !mms_h5_has(plot->file, "/trace/step"))
    return mms_fail(error, MMS_ERR_INPUT, "%s has no trace (output.trace_every: 0?)", plot->path);
  if (trace) return mms_plot_trace(plot, error);
  if (mms_h5_has(plot->file, "/density/naive")) return mms_plot_density(plot, error);
  if (mms_h5_has(plot->file, "/fit/sliced_distance")) return mms_plot_converge(plot, error);
  if (mms_h5_has(plot->file, "/samples")) return plot_samples(plot, error);
  if (mms_h5_has(plot->file, "/training")) return mms_plot_prepared(plot, error);
  if (mms_h5_has(plot->file, "/points") && mms_h5_has(plot->file, "/V")) return mms_plot_evaluated(plot, error);
  if (mms_h5_has(plot->file, "/trace/step")) return mms_plot_trace(plot, error);
  return mms_fail(error, MMS_ERR_INPUT,
                  "%s holds neither /samples nor /training nor /points with /V nor /trace: nothing to draw (mmsold "
                  "info lists what it holds)",
                  plot->path);
}

mms_status mms_command_plot(mms_cli *cli, int argc, char **argv, mms_error *error) {
  bool trace = false, curves = false;
  const char *output = NULL, *names[] = {"FILE"}, *operands[1] = {NULL};
  const mms_option options[] = {{"output", MMS_OPTION_TEXT, &output},
                                {"trace", MMS_OPTION_FLAG, &trace},
                                {"curves", MMS_OPTION_FLAG, &curves},
                                {0}};
  mms_arguments arguments;
  mms_status status =
      mms_cli_agree(cli, mms_arguments_parse(&arguments, argc, argv, names, operands, 1, options, false, error), error);
  mms_arguments_free(&arguments);
  if (status == MMS_OK && output == NULL)
    status = mms_fail(error, MMS_ERR_INPUT, "plot: --output PICTURE.png is missing; see mmsold help plot");
  if (status != MMS_OK) return status;
  if (mms_team_rank(cli->team) == 0) {
    mms_plot about = {.log = &cli->log, .path = operands[0], .output = output};
    status = mms_h5_open(&about.file, NULL, about.path, error);
    if (status == MMS_OK) status = plot(&about, trace, curves, error);
    mms_h5_close(&about.file);
    if (status == MMS_OK) printf("%s\n", output);
  }
  return mms_cli_agree(cli, status, error);
}
