/* converge.h5. */
#include "mmsold/base/memory.h"
#include "mmsold/base/version.h"
#include "mmsold/store/h5.h"
#include "study/converge_cells.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Lines of text in one attribute; HDF5 keeps at most 64 KiB in one, so longer lists are left out. */
static mms_status write_lines(mms_h5 *file, const char *name, const char *const *lines, int64_t count,
                              mms_error *error) {
  enum { MOST = 60000 };
  size_t length = 0;
  for (int64_t i = 0; i < count; i++) length += strlen(lines[i]) + 1;
  if (length > MOST) return MMS_OK;
  void *memory = NULL;
  mms_status status = mms_allocate(&memory, (int64_t)length + 1, 1, "names", error);
  char *text = memory;
  size_t at = 0;
  for (int64_t i = 0; status == MMS_OK && i < count; i++) {
    size_t size = strlen(lines[i]);
    memcpy(text + at, lines[i], size);
    text[at + size] = i + 1 < count ? '\n' : '\0';
    at += size + 1;
  }
  if (status == MMS_OK) status = mms_h5_attribute_text(file, "/", name, text, error);
  free(memory);
  return status;
}

static mms_status write_attributes(const mms_converge_request *request, const mms_convergence *result, mms_h5 *file,
                                   mms_error *error) {
  static const char *const references[] = {"finest", "normal", "limit", "file"};
  const char *observables[MMS_STUDY_OBSERVABLES];
  for (int64_t k = 0; k < request->observable_count; k++)
    observables[k] = mms_study_observable_name(request->observables[k]);
  const mms_h5_text texts[] = {{"kind", "converge"},
                               {"version", mms_version()},
                               {"commit", mms_version_commit()},
                               {"configuration", request->configuration},
                               {"abscissa", request->abscissa},
                               {"reference", references[request->reference]}};
  mms_status status = mms_h5_attribute_texts(file, "/", texts, (int)(sizeof texts / sizeof *texts), error);
  const struct {
    const char *name;
    int64_t value;
  } numbers[] = {{"curve_count", request->curves},
                 {"rung_count", request->rungs},
                 {"seeds", request->seeds},
                 {"missing_cells", result->missing},
                 {"reference_points", result->reference_points},
                 {"directions", request->directions}};
  for (size_t i = 0; i < sizeof numbers / sizeof *numbers && status == MMS_OK; i++)
    status = mms_h5_attribute_int(file, "/", numbers[i].name, numbers[i].value, error);
  if (status == MMS_OK) status = mms_h5_attribute_double(file, "/", "burn_in", request->burn_in, error);
  if (status == MMS_OK) status = mms_h5_attribute_uint(file, "/", "seed", request->seed, error);
  if (status == MMS_OK) status = write_lines(file, "curves", request->curve_labels, request->curves, error);
  if (status == MMS_OK) status = write_lines(file, "observables", observables, request->observable_count, error);
  if (status == MMS_OK)
    status = write_lines(file, "cells", request->names, request->curves * request->rungs * request->seeds, error);
  return status;
}

/* A column of doubles under GROUP/name. */
static mms_status write_column(mms_h5 *file, const char *group, const char *name, const double *values, int64_t count,
                               const char *description, mms_error *error) {
  char path[128];
  snprintf(path, sizeof path, "%s/%s", group, name);
  return mms_h5_write_array(file, path, MMS_H5_FLOAT64, 1, count, 1, values, description, error);
}

static mms_status write_cells(const mms_converge_request *request, const mms_convergence *result, mms_h5 *file,
                              mms_error *error) {
  const int64_t cells = request->curves * request->rungs * request->seeds;
  double *column = NULL;
  mms_status status = mms_allocate_doubles(&column, 3 * cells, "columns of a file", error);
  if (status != MMS_OK) return status;
  for (int64_t c = 0; c < cells; c++) {
    const int64_t curve = c / (request->rungs * request->seeds);
    column[c] = (double)curve;
    column[cells + c] = request->x[c / request->seeds % request->rungs];
    column[2 * cells + c] = (double)(c % request->seeds);
  }
  status = write_column(file, "/cells", "curve", column, cells, "number of the cell's curve", error);
  if (status == MMS_OK)
    status =
        write_column(file, "/cells", request->abscissa, column + cells, cells, "the cell's place on the ladder", error);
  if (status == MMS_OK)
    status =
        write_column(file, "/cells", "replica", column + 2 * cells, cells, "number of the independent seed", error);
  for (int64_t k = 0; status == MMS_OK && k < result->raw_count; k++)
    status = write_column(file, "/cells", result->raw_names[k], result->raw + k * cells, cells,
                          "measured on the cell; NaN where it is missing, or is the reference itself", error);
  free(column);
  return status;
}

static mms_status write_points(const mms_converge_request *request, const mms_convergence *result, mms_h5 *file,
                               mms_error *error) {
  mms_status status =
      write_column(file, "/points", request->abscissa, request->x, request->rungs, "values of the ladder", error);
  for (int64_t i = 0; status == MMS_OK && i < result->quantity_count; i++) {
    const mms_quantity *q = &result->quantities[i];
    const struct {
      const char *suffix;
      const double *values;
      const char *description;
    } parts[] = {{"", q->value, q->meaning},
                 {"_stderr", q->stderr_value, "standard error"},
                 {"_half_width", q->half_width, "half width of the 95 % interval"}};
    for (size_t p = 0; status == MMS_OK && p < sizeof parts / sizeof *parts; p++) {
      char path[128];
      snprintf(path, sizeof path, "/points/%s%s", q->name, parts[p].suffix);
      status = mms_h5_write_array(file, path, MMS_H5_FLOAT64, 2, request->curves, request->rungs, parts[p].values,
                                  parts[p].description, error);
    }
  }
  return status;
}

/* One number of the lines of a quantity, by curve. */
static double part_of_line(const mms_line *line, int part) {
  if (part == 3) return (double)line->used;
  if (!line->has) return NAN;
  return part == 0 ? line->slope : part == 1 ? line->half_width : part == 2 ? line->constant : line->chi_square;
}

static mms_status write_fits(const mms_converge_request *request, const mms_convergence *result, mms_h5 *file,
                             mms_error *error) {
  static const char *const names[] = {"slope", "slope_half_width", "constant", "points", "chi_square"};
  static const char *const meanings[] = {"power of the ladder's value, by weighted least squares in log-log",
                                         "half width of the slope's 95 % interval", "logarithm of the value at 1",
                                         "points that were used: resolved from 0 by 2 standard errors",
                                         "weighted sum of squared residuals"};
  double *column = NULL;
  mms_status status = mms_allocate_doubles(&column, request->curves, "columns of a file", error);
  for (int64_t i = 0; status == MMS_OK && i < result->quantity_count; i++) {
    const mms_quantity *q = &result->quantities[i];
    char group[96];
    snprintf(group, sizeof group, "/fit/%s", q->name);
    for (int part = 0; status == MMS_OK && q->power && part < 5; part++) {
      for (int64_t curve = 0; curve < request->curves; curve++) column[curve] = part_of_line(&q->line[curve], part);
      status = write_column(file, group, names[part], column, request->curves, meanings[part], error);
    }
  }
  free(column);
  for (int64_t i = 0; status == MMS_OK && i < result->expansion_count; i++) {
    const mms_expansion *e = &result->expansions[i];
    char path[128];
    snprintf(path, sizeof path, "/fit/%s_average/expansion", e->name);
    status =
        mms_h5_write_array(file, path, MMS_H5_FLOAT64, 2, request->curves, 3, e->coefficient,
                           "limit for step size 0, then coefficients of h and h^2, by weighted least squares", error);
    snprintf(path, sizeof path, "/fit/%s_average/expansion_half_width", e->name);
    if (status == MMS_OK)
      status = mms_h5_write_array(file, path, MMS_H5_FLOAT64, 2, request->curves, 3, e->half_width,
                                  "half widths of their 95 % intervals", error);
  }
  return status;
}

mms_status mms_converge_write(const mms_converge_request *request, const mms_convergence *result, mms_error *error) {
  mms_h5 *file = NULL;
  mms_status status = mms_h5_create(&file, NULL, request->output, error);
  if (status == MMS_OK) status = write_attributes(request, result, file, error);
  if (status == MMS_OK) status = write_cells(request, result, file, error);
  if (status == MMS_OK) status = write_points(request, result, file, error);
  if (status == MMS_OK) status = write_fits(request, result, file, error);
  if (status == MMS_OK)
    status = mms_h5_commit(&file, error);
  else
    mms_h5_close(&file);
  return status;
}
