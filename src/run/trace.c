#include "run/trace.h"

#include "mmsold/base/memory.h"
#include <stdio.h>
#include <stdlib.h>

static const struct {
  const char *path, *description;
} columns[MMS_TRACE_COLUMNS] = {
    {"/trace/mean_defect", "largest |column mean| of the manifold coordinates Y (0 on the manifold)"},
    {"/trace/covariance_defect", "largest entry of |Y'Y/P - I| (0 on the manifold)"},
    {"/trace/mean_potential", "mean over the particles of the smoothed potential V, additive constants dropped"},
    {"/trace/drift", "root mean square of the entries of the step's increment W, in manifold coordinates"},
};

mms_status mms_trace_create(mms_trace *trace, int64_t steps, int64_t every, mms_error *error) {
  *trace = (mms_trace){.every = every, .capacity = every > 0 ? steps / every + 1 : 0};
  const char *what = "the trace (a larger output.trace_every makes it shorter, 0 leaves it out)";
  void *memory = NULL;
  mms_status status = mms_allocate(&memory, trace->capacity, sizeof(int64_t), what, error);
  trace->steps = memory;
  if (status == MMS_OK) status = mms_allocate_doubles(&trace->values, trace->capacity * MMS_TRACE_COLUMNS, what, error);
  if (status != MMS_OK) mms_trace_free(trace);
  return status;
}

void mms_trace_free(mms_trace *trace) {
  free(trace->steps);
  free(trace->values);
  *trace = (mms_trace){0};
}

void mms_trace_record(mms_trace *trace, int64_t step, const mms_step_report *report) {
  const int64_t state = step - 1;
  if (trace->every == 0 || state % trace->every != 0 || trace->count >= trace->capacity) return;
  const int64_t row = trace->count++;
  trace->steps[row] = state;
  trace->values[MMS_TRACE_MEAN_DEFECT * trace->capacity + row] = report->mean_defect;
  trace->values[MMS_TRACE_COVARIANCE_DEFECT * trace->capacity + row] = report->covariance_defect;
  trace->values[MMS_TRACE_MEAN_POTENTIAL * trace->capacity + row] = report->mean_potential;
  trace->values[MMS_TRACE_DRIFT * trace->capacity + row] = report->drift;
}

mms_status mms_trace_write(const mms_trace *trace, mms_h5 *file, mms_error *error) {
  if (trace->count == 0) return MMS_OK;
  mms_status status = mms_h5_write_array(file, "/trace/step", MMS_H5_INT64, 1, trace->count, 1, trace->steps,
                                         "number of steps done when the row was taken", error);
  for (int c = 0; c < MMS_TRACE_COLUMNS && status == MMS_OK; c++)
    status = mms_h5_write_array(file, columns[c].path, MMS_H5_FLOAT64, 1, trace->count, 1,
                                trace->values + c * trace->capacity, columns[c].description, error);
  return status;
}

/* One column of `rows` rows into `out`. */
static mms_status read_column(mms_h5 *file, const char *path, int64_t rows, mms_matrix *out, mms_error *error) {
  mms_status status = mms_h5_read_matrix(file, path, out, error);
  if (status == MMS_OK && out->rows != rows) {
    status = mms_fail(error, MMS_ERR_INPUT, "%s has %lld rows where /trace/step has %lld", path, (long long)out->rows,
                      (long long)rows);
    mms_matrix_free(out);
  }
  return status;
}

mms_status mms_trace_read(mms_trace *trace, mms_h5 *file, int64_t step, mms_error *error) {
  trace->count = 0;
  if (trace->every == 0) return MMS_OK;
  bool there = false;
  mms_status status = mms_h5_find(file, "/trace/step", &there, error);
  if (status != MMS_OK || !there) return status;
  mms_matrix steps = {0};
  mms_matrix values[MMS_TRACE_COLUMNS] = {{0}};
  status = mms_h5_read_matrix(file, "/trace/step", &steps, error);
  for (int c = 0; c < MMS_TRACE_COLUMNS && status == MMS_OK; c++)
    status = read_column(file, columns[c].path, steps.rows, &values[c], error);
  for (int64_t i = 0; status == MMS_OK && i < steps.rows && trace->count < trace->capacity; i++) {
    const int64_t state = (int64_t)steps.data[i];
    if (state >= step || state % trace->every != 0) continue;
    trace->steps[trace->count] = state;
    for (int c = 0; c < MMS_TRACE_COLUMNS; c++) trace->values[c * trace->capacity + trace->count] = values[c].data[i];
    trace->count++;
  }
  mms_matrix_free(&steps);
  for (int c = 0; c < MMS_TRACE_COLUMNS; c++) mms_matrix_free(&values[c]);
  return status;
}
