#include "run/trace.h"

#include "mmsold/base/memory.h"
#include "run/mixing.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
  const char *path, *description;
} columns[MMS_TRACE_COLUMNS] = {
    {"/trace/mean_defect", "largest |column mean| of the manifold coordinates Y (0 on the manifold)"},
    {"/trace/covariance_defect", "largest entry of |Y'Y/P - I| (0 on the manifold)"},
    {"/trace/mean_potential", "mean over the particles of the smoothed potential V, additive constants dropped"},
    {"/trace/drift", "root mean square of the entries of the step's increment W, in manifold coordinates"},
    {"/trace/kinetic_temperature", "mean square of the velocities' entries (1 at equilibrium)"},
    {"/trace/step_ratio", "root mean square of what the field does in the step over that of the noise; well above 1 "
                          "the step is too long"},
    {"/trace/nearest_05", "distance to the nearest training point that 5 % of the particles are within, in bandwidths"},
    {"/trace/nearest_50", "the same of half of the particles"},
    {"/trace/nearest_95", "the same of 95 % of the particles"},
};

static const char *const chunk_descriptions[MMS_OBSERVABLES] = {
    "mean potential of each chunk of particles (contiguous blocks of them), one column a chunk",
    "mean of the first manifold coordinate of each chunk", "mean of the second manifold coordinate of each chunk",
    "mean of |y|^2/d of each chunk"};

mms_status mms_trace_create(mms_trace *trace, int64_t steps, int64_t every, mms_error *error) {
  *trace = (mms_trace){.every = every, .capacity = every > 0 ? steps / every + 1 : 0};
  const char *what = "the trace (a larger output.trace_every makes it shorter, 0 leaves it out)";
  void *memory = NULL;
  mms_status status = mms_allocate(&memory, trace->capacity, sizeof(int64_t), what, error);
  trace->steps = memory;
  if (status == MMS_OK) status = mms_allocate_doubles(&trace->values, trace->capacity * MMS_TRACE_COLUMNS, what, error);
  if (status == MMS_OK)
    status = mms_allocate_doubles(&trace->chunks, trace->capacity * MMS_OBSERVABLES * MMS_CHUNKS, what, error);
  if (status != MMS_OK) mms_trace_free(trace);
  return status;
}

void mms_trace_free(mms_trace *trace) {
  free(trace->steps);
  free(trace->values);
  free(trace->chunks);
  *trace = (mms_trace){0};
}

/* [capacity][MMS_CHUNKS] of one observable. */
static double *chunks_of(const mms_trace *trace, int observable) {
  return trace->chunks + (int64_t)observable * trace->capacity * MMS_CHUNKS;
}

bool mms_trace_wants(const mms_trace *trace, int64_t step) {
  return trace->every > 0 && (step - 1) % trace->every == 0 && trace->count < trace->capacity;
}

void mms_trace_record(mms_trace *trace, int64_t step, const mms_step_report *report) {
  if (!mms_trace_wants(trace, step)) return;
  const int64_t row = trace->count++;
  const mms_observation *seen = &report->observation;
  double singles[MMS_TRACE_COLUMNS] = {
      [MMS_TRACE_MEAN_DEFECT] = report->mean_defect,         [MMS_TRACE_COVARIANCE_DEFECT] = report->covariance_defect,
      [MMS_TRACE_MEAN_POTENTIAL] = report->mean_potential,   [MMS_TRACE_DRIFT] = report->drift,
      [MMS_TRACE_TEMPERATURE] = report->kinetic_temperature, [MMS_TRACE_STEP_RATIO] = seen->step_ratio};
  for (int q = 0; q < MMS_QUANTILES; q++) singles[MMS_TRACE_NEAREST + q] = seen->nearest[q];
  trace->steps[row] = step - 1;
  for (int c = 0; c < MMS_TRACE_COLUMNS; c++) trace->values[c * trace->capacity + row] = singles[c];
  for (int o = 0; o < MMS_OBSERVABLES; o++)
    memcpy(chunks_of(trace, o) + row * MMS_CHUNKS, seen->mean[o], sizeof seen->mean[o]);
}

/* Is there a number among so many? */
static bool any_there(const double *values, int64_t count) {
  for (int64_t i = 0; i < count; i++)
    if (!isnan(values[i])) return true;
  return false;
}

static void chunks_path(char path[64], int observable) {
  snprintf(path, 64, "/trace/chunks/%s", mms_observable_names[observable]);
}

static mms_status write_chunks(const mms_trace *trace, mms_h5 *file, int observable, mms_error *error) {
  char path[64];
  chunks_path(path, observable);
  if (!any_there(chunks_of(trace, observable), trace->count * MMS_CHUNKS)) return MMS_OK; /* alike on every rank */
  return mms_h5_write_array(file, path, MMS_H5_FLOAT64, 2, trace->count, MMS_CHUNKS, chunks_of(trace, observable),
                            chunk_descriptions[observable], error);
}

/* `/mixing/<quantity>` [observables], in the order of their names in the description. */
static mms_status write_mixing(const mms_trace *trace, mms_h5 *file, mms_error *error) {
  double numbers[3][MMS_OBSERVABLES];
  bool any = false;
  for (int o = 0; o < MMS_OBSERVABLES; o++) {
    mms_mixing mixing;
    any = mms_mixing_measure(&mixing, trace, o) || any;
    numbers[0][o] = mixing.r_hat;
    numbers[1][o] = mixing.tau;
    numbers[2][o] = mixing.snapshots;
  }
#define ORDER "; of: mean potential, first and second manifold coordinate, |y|^2/d of the chunks of particles"
  static const char *const about[3][2] = {
      {"/mixing/r_hat", "R-hat over the second half of the trace, chunks as chains (near 1: mixed)" ORDER},
      {"/mixing/autocorrelation_steps", "steps after which a snapshot is as good as new" ORDER},
      {"/mixing/independent_snapshots", "what the second half of the trace is worth" ORDER}};
  mms_status status = MMS_OK;
  for (int q = 0; any && q < 3 && status == MMS_OK; q++)
    status =
        mms_h5_write_array(file, about[q][0], MMS_H5_FLOAT64, 1, MMS_OBSERVABLES, 1, numbers[q], about[q][1], error);
  return status;
}

mms_status mms_trace_write(const mms_trace *trace, mms_h5 *file, mms_error *error) {
  if (trace->count == 0) return MMS_OK;
  mms_status status = mms_h5_write_array(file, "/trace/step", MMS_H5_INT64, 1, trace->count, 1, trace->steps,
                                         "number of steps done when the row was taken", error);
  for (int c = 0; c < MMS_TRACE_COLUMNS && status == MMS_OK; c++)
    if (c < MMS_TRACE_REQUIRED || any_there(trace->values + c * trace->capacity, trace->count))
      status = mms_h5_write_array(file, columns[c].path, MMS_H5_FLOAT64, 1, trace->count, 1,
                                  trace->values + c * trace->capacity, columns[c].description, error);
  for (int o = 0; o < MMS_OBSERVABLES && status == MMS_OK; o++) status = write_chunks(trace, file, o, error);
  return status == MMS_OK ? write_mixing(trace, file, error) : status;
}

/* A column, or a table of chunks, of `rows` rows into `out`; empty where `required` is false and it is not there. */
static mms_status read_part(mms_h5 *file, const char *path, int64_t rows, int64_t columns_wanted, bool required,
                            mms_matrix *out, mms_error *error) {
  bool there = required;
  mms_status status = required ? MMS_OK : mms_h5_find(file, path, &there, error);
  if (status != MMS_OK || !there) return status;
  status = mms_h5_read_matrix(file, path, out, error);
  if (status == MMS_OK && (out->rows != rows || out->cols != columns_wanted)) {
    status = mms_fail(error, MMS_ERR_INPUT, "%s is %lld x %lld where %lld rows of /trace/step ask for %lld x %lld",
                      path, (long long)out->rows, (long long)out->cols, (long long)rows, (long long)rows,
                      (long long)columns_wanted);
    mms_matrix_free(out);
  }
  return status;
}

/* One row of a file's trace into the next of ours; what was not there is NaN. */
static void take_row(mms_trace *trace, const mms_matrix *values, const mms_matrix *chunks, int64_t from,
                     int64_t state) {
  const int64_t row = trace->count++;
  trace->steps[row] = state;
  for (int c = 0; c < MMS_TRACE_COLUMNS; c++)
    trace->values[c * trace->capacity + row] = values[c].data != NULL ? values[c].data[from] : (double)NAN;
  for (int o = 0; o < MMS_OBSERVABLES; o++)
    for (int c = 0; c < MMS_CHUNKS; c++)
      chunks_of(trace, o)[row * MMS_CHUNKS + c] =
          chunks[o].data != NULL ? chunks[o].data[from * MMS_CHUNKS + c] : (double)NAN;
}

mms_status mms_trace_read(mms_trace *trace, mms_h5 *file, int64_t step, mms_error *error) {
  trace->count = 0;
  if (trace->every == 0) return MMS_OK;
  bool there = false;
  mms_status status = mms_h5_find(file, "/trace/step", &there, error);
  if (status != MMS_OK || !there) return status;
  mms_matrix steps = {0};
  mms_matrix values[MMS_TRACE_COLUMNS] = {{0}}, chunks[MMS_OBSERVABLES] = {{0}};
  status = mms_h5_read_matrix(file, "/trace/step", &steps, error);
  for (int c = 0; c < MMS_TRACE_COLUMNS && status == MMS_OK; c++)
    status = read_part(file, columns[c].path, steps.rows, 1, c < MMS_TRACE_REQUIRED, &values[c], error);
  for (int o = 0; o < MMS_OBSERVABLES && status == MMS_OK; o++) {
    char path[64];
    chunks_path(path, o);
    status = read_part(file, path, steps.rows, MMS_CHUNKS, false, &chunks[o], error);
  }
  for (int64_t i = 0; status == MMS_OK && i < steps.rows && trace->count < trace->capacity; i++) {
    const int64_t state = (int64_t)steps.data[i];
    if (state < step && state % trace->every == 0) take_row(trace, values, chunks, i, state);
  }
  mms_matrix_free(&steps);
  for (int c = 0; c < MMS_TRACE_COLUMNS; c++) mms_matrix_free(&values[c]);
  for (int o = 0; o < MMS_OBSERVABLES; o++) mms_matrix_free(&chunks[o]);
  return status;
}
