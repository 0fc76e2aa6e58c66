/* The dense backend: a screen over all points, by row through products in bfloat16 or SGEMM or by column in few
 * dimensions, then the finish in double over the points that can matter (ARCHITECTURE, screen then finish). */
#include "field/dense.h"

#include "mmsold/base/memory.h"
#include <limits.h>
#include <math.h>
#include <stdlib.h>

double mms_dense_centre(mms_dense *self, const double *z, float *out) {
  double norm2 = 0.0;
  for (int64_t k = 0; k < self->training->dim; k++) {
    double value = (z[k] - self->points.centre[k]) / self->points.scale;
    norm2 += value * value;
    self->centred[k] = value;
    out[k] = fabs(value) < MMS_DENSE_FAR ? (float)value : 0.0F; /* a far row is not screened */
  }
  return sqrt(norm2);
}

double mms_dense_depth(const mms_dense *self) { return 37.0 + log((double)self->training->count); }

void mms_dense_end(const mms_dense *self, const mms_finish_row *row, mms_pull pull, double *out, double *log_mass) {
  const double *base = row->origin;
  for (int64_t k = 0; k < self->training->dim; k++)
    out[k] = pull == MMS_PULL_MEAN ? base[k] + row->sum[k] : (base[k] - row->z[k]) + row->sum[k];
  *log_mass = row->log_mass;
}

static void dense_free(void *state) {
  mms_dense *self = state;
  if (self == NULL) return;
  mms_screen_points_free(&self->points);
  mms_finish_free(&self->finish);
  void *arrays[] = {self->list,  self->centred, self->queries, self->scores, self->rows,  self->packed,
                    self->lines, self->margins, self->tops,    self->counts, self->marks, self->candidates};
  for (size_t i = 0; i < sizeof arrays / sizeof arrays[0]; i++) free(arrays[i]);
  free(self);
}

/* Everything that this rank alone holds. */
static mms_status allocate(mms_dense *self, mms_error *error) {
  int64_t n = self->training->count, d = self->training->dim, rows = self->max_rows;
  bool by_row = !self->by_column;
  struct {
    void **array;
    int64_t count;
    size_t size;
  } arrays[] = {
      {(void **)&self->list, n + 16, sizeof(int32_t)},
      {(void **)&self->centred, d, sizeof(double)},
      {(void **)&self->queries, (by_row ? MMS_DENSE_QUERIES : MMS_DENSE_PAIRS) * d, sizeof(float)},
      {(void **)&self->scores, by_row ? MMS_DENSE_QUERIES * MMS_DENSE_STRIDE : self->points.padded, sizeof(float)},
      {(void **)&self->rows, rows, sizeof(mms_finish_row)},
      {(void **)&self->packed, mms_screen_packed(&self->points, MMS_DENSE_QUERIES), sizeof(uint16_t)},
      {(void **)&self->lines, by_row ? MMS_DENSE_QUERIES : 0, sizeof(mms_screen_line)},
      {(void **)&self->margins, by_row ? MMS_DENSE_DRAWS : 0, sizeof(mms_dense_margin)},
      {(void **)&self->tops, by_row ? 4 * MMS_DENSE_DRAWS : 0, sizeof(float)},
      {(void **)&self->candidates, by_row ? MMS_DENSE_CANDIDATES : 0, sizeof(mms_candidate)},
      {(void **)&self->counts, by_row ? rows : 0, sizeof(int64_t)},
      {(void **)&self->marks, by_row ? n / 64 + 1 : 0, sizeof(uint64_t)}};
  mms_status status = MMS_OK;
  for (size_t i = 0; status == MMS_OK && i < sizeof arrays / sizeof arrays[0]; i++) {
    status = mms_allocate(arrays[i].array, arrays[i].count, arrays[i].size, "the field's screen", error);
    self->bytes += arrays[i].count * (int64_t)arrays[i].size;
  }
  if (status == MMS_OK) status = mms_finish_create(&self->finish, self->training, self->kernels, error);
  if (status == MMS_OK) self->bytes += mms_finish_bytes(self->finish);
  return status;
}

mms_status mms_dense_create(void **state, const mms_team *team, const mms_training *training, int64_t max_rows,
                            mms_screen screen, mms_error *error) {
  *state = NULL;
  mms_dense *self = NULL;
  mms_status status = mms_allocate((void **)&self, 1, sizeof(mms_dense), "the dense backend", error);
  if (status == MMS_OK && (training->count > INT_MAX - 1024 || training->dim > INT_MAX / (2 * MMS_DENSE_QUERIES)))
    status = mms_fail(error, MMS_ERR_INPUT, "a training set of %lld x %lld is beyond the 32-bit counts of BLAS",
                      (long long)training->count, (long long)training->dim);
  status = mms_team_agree(team, status, error);
  if (status == MMS_OK) {
    self->training = training;
    self->kernels = mms_field_kernels_best();
    self->by_column = training->dim <= MMS_FINISH_COLUMNS;
    self->max_rows = max_rows;
    status = mms_screen_points_create(&self->points, team, training, self->by_column, screen, error);
  }
  if (status == MMS_OK) status = mms_team_agree(team, allocate(self, error), error);
  if (status != MMS_OK)
    dense_free(self);
  else
    *state = self;
  return status;
}

static mms_status dense_create(void **state, const mms_team *team, const mms_training *training, int64_t max_rows,
                               int64_t max_pairs, mms_error *error) {
  (void)max_pairs;
  return mms_dense_create(state, team, training, max_rows, MMS_SCREEN_SINGLE, error);
}

static void dense_evaluate(void *state, const mms_queries *queries, mms_pull pull, double *out, double *log_mass,
                           mms_field_counters *counters) {
  mms_dense *self = state;
  if (self->by_column)
    mms_dense_by_column(self, queries, pull, out, log_mass, counters);
  else
    mms_dense_by_row(self, queries, pull, out, log_mass, counters);
}

static int64_t dense_bytes(const void *state) { return ((const mms_dense *)state)->bytes; }

static int64_t dense_shared_bytes(const void *state) {
  return (int64_t)mms_shared_bytes(((const mms_dense *)state)->points.memory);
}

const mms_backend_table mms_backend_dense = {
    .name = "dense",
    .create = dense_create,
    .evaluate = dense_evaluate,
    .free = dense_free,
    .bytes = dense_bytes,
    .shared_bytes = dense_shared_bytes,
};
