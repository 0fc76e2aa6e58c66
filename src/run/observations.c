#include "run/observations.h"

#include "mmsold/base/memory.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

mms_status mms_observations_create(mms_observations *observations, mms_dynamics *dynamics, int64_t steps, int64_t every,
                                   const int *kind, int64_t kinds, mms_error *error) {
  *observations = (mms_observations){.every = kinds > 0 ? every : 0};
  if (observations->every == 0) return MMS_OK;
  const mms_blocks *blocks = &mms_dynamics_ensemble(dynamics)->blocks;
  const mms_target *target = mms_dynamics_target(dynamics);
  const char *what = "observables (a larger output.trace_every makes them fewer)";
  for (int64_t k = 0; k < kinds && k < MMS_OBSERVABLE_COUNT; k++)
    observations->kind[observations->kinds++] = (mms_observable_kind)kind[k];
  observations->capacity = steps / every + 1;
  const mms_exact_sum_shape shape = {.fine = observations->capacity * observations->kinds, .addends = blocks->count};
  void *memory = NULL;
  mms_status status = mms_allocate(&memory, observations->capacity, sizeof(int64_t), what, error);
  observations->steps = memory;
  if (status == MMS_OK)
    status = mms_allocate_doubles(&observations->values, observations->capacity * observations->kinds, what, error);
  if (status == MMS_OK) status = mms_allocate_doubles(&observations->z, blocks->size * target->dim, what, error);
  if (status == MMS_OK) status = mms_exact_sum_create(&observations->sum, &shape, error);
  if (status == MMS_OK) status = mms_observer_create_for(&observations->observer, target, error);
  if (status != MMS_OK) mms_observations_free(observations);
  return status;
}

void mms_observations_free(mms_observations *observations) {
  free(observations->steps);
  free(observations->values);
  free(observations->z);
  mms_exact_sum_free(&observations->sum);
  mms_observer_free(&observations->observer);
  *observations = (mms_observations){0};
}

void mms_observations_record(mms_observations *observations, mms_dynamics *dynamics, int64_t step) {
  if (observations->every == 0 || step % observations->every != 0 || observations->count >= observations->capacity)
    return;
  const mms_ensemble *ensemble = mms_dynamics_ensemble(dynamics);
  const mms_blocks *blocks = &ensemble->blocks;
  const double *all = mms_dynamics_positions_together(dynamics);
  const int64_t row = observations->count++;
  observations->steps[row] = step;
  for (int64_t b = blocks->first; b < blocks->end; b++) {
    const int64_t first = mms_blocks_first_row(blocks, b) - blocks->first_row, rows = mms_blocks_rows(blocks, b);
    const double *y = ensemble->y + first * ensemble->dim, *z = all != NULL ? all + first * ensemble->dim : NULL;
    if (z == NULL) {
      mms_target_positions(mms_dynamics_target(dynamics), rows, y, observations->z);
      z = observations->z;
    }
    double sums[MMS_OBSERVABLE_COUNT];
    for (int k = 0; k < observations->kinds; k++)
      sums[k] = mms_observer_sum_with(&observations->observer, observations->kind[k], rows, z, y);
    mms_exact_sum_add_fine(observations->sum, row * observations->kinds, observations->kinds, sums);
  }
}

/* Turn the rows since the last time into totals. A sum that was refused (not finite, or beyond 2^47 scales) leaves no
 * row of this stretch to be trusted. Collective. */
static void finish_rows(mms_observations *observations, const mms_team *team, int64_t particles) {
  mms_exact_sum_reduce(observations->sum, team);
  const bool refused = mms_exact_sum_refused(observations->sum) > 0;
  for (int64_t row = observations->done; row < observations->count; row++) {
    double sums[MMS_OBSERVABLE_COUNT];
    mms_exact_sum_read_fine(observations->sum, row * observations->kinds, observations->kinds, sums);
    for (int k = 0; k < observations->kinds; k++)
      observations->values[k * observations->capacity + row] =
          refused ? NAN
                  : sums[k] / (double)particles * mms_observer_unit(&observations->observer, observations->kind[k]);
  }
  mms_exact_sum_clear(observations->sum);
  observations->done = observations->count;
}

mms_status mms_observations_write(mms_observations *observations, const mms_team *team, int64_t particles, int64_t step,
                                  mms_h5 *file, mms_error *error) {
  if (observations->every == 0) return MMS_OK;
  finish_rows(observations, team, particles);
  int64_t rows = observations->count; /* a step that failed has left a row of the state before it, and no trace */
  while (rows > 0 && observations->steps[rows - 1] >= step) rows--;
  mms_status status = MMS_OK;
  for (int k = 0; k < observations->kinds && status == MMS_OK && rows > 0; k++) {
    char path[64];
    snprintf(path, sizeof path, "/trace/%s", mms_observable_name(observations->kind[k]));
    status =
        mms_h5_write_array(file, path, MMS_H5_FLOAT64, 1, rows, 1, observations->values + k * observations->capacity,
                           mms_observable_meaning(observations->kind[k]), error);
  }
  return status;
}

mms_status mms_observations_read(mms_observations *observations, mms_h5 *file, int64_t step, mms_error *error) {
  observations->count = observations->done = 0;
  if (observations->every == 0) return MMS_OK;
  mms_exact_sum_clear(observations->sum);
  if (!mms_h5_has(file, "/trace/step")) return MMS_OK;
  mms_matrix steps = {0}, columns[MMS_OBSERVABLE_COUNT] = {{0}};
  mms_status status = mms_h5_read_matrix(file, "/trace/step", &steps, error);
  for (int k = 0; k < observations->kinds && status == MMS_OK; k++) {
    char path[64];
    snprintf(path, sizeof path, "/trace/%s", mms_observable_name(observations->kind[k]));
    if (mms_h5_has(file, path)) status = mms_h5_read_matrix(file, path, &columns[k], error);
    if (status == MMS_OK && columns[k].rows != 0 && columns[k].rows != steps.rows)
      status = mms_fail(error, MMS_ERR_INPUT, "%s has %lld rows where /trace/step has %lld", path,
                        (long long)columns[k].rows, (long long)steps.rows);
  }
  for (int64_t i = 0; status == MMS_OK && i < steps.rows && observations->count < observations->capacity; i++) {
    const int64_t state = (int64_t)steps.data[i];
    if (state >= step || state % observations->every != 0) continue;
    observations->steps[observations->count] = state;
    for (int k = 0; k < observations->kinds; k++)
      observations->values[k * observations->capacity + observations->count] =
          columns[k].rows != 0 ? columns[k].data[i] : NAN;
    observations->count++;
  }
  observations->done = observations->count;
  mms_matrix_free(&steps);
  for (int k = 0; k < MMS_OBSERVABLE_COUNT; k++) mms_matrix_free(&columns[k]);
  return status;
}
