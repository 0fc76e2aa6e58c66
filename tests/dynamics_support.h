/* Dynamics that are made, begun and stepped in one line, and small sets for them. */
#ifndef TESTS_DYNAMICS_SUPPORT_H
#define TESTS_DYNAMICS_SUPPORT_H

#include "support.h"

#include "mmsold/dynamics/dynamics.h"
#include "mmsold/random/random.h"
#include <stdlib.h>

/* Clusters with correlated columns in points [n][d]. */
static inline mms_training clusters_in(double *points, int64_t n, int64_t d, uint64_t seed) {
  for (int64_t i = 0; i < n; i++) {
    mms_random_normals((mms_random_key){.seed = seed, .stream = MMS_STREAM_TEST, .item = (uint64_t)i}, 0, d,
                       points + i * d);
    for (int64_t k = 0; k < d; k++)
      points[i * d + k] = 0.3 * points[i * d + k] + (double)((i + k) % 3) + 0.5 * points[i * d];
  }
  return (mms_training){.count = n, .dim = d, .points = points};
}

/* Points of three heaps, wider from column to column, in points [n][d]. */
static inline mms_training heaps_in(double *points, int64_t n, int64_t d) {
  for (int64_t i = 0; i < n * d; i++) points[i] = sin(1.1 * (double)i) * (1.0 + (double)(i % d)) + (double)(i / d % 3);
  return (mms_training){.count = n, .dim = d, .points = points};
}

/* Freed with mms_dynamics_free. Collective over the context's team. */
static inline mms_dynamics *begin(const mms_dynamics_context *context) {
  mms_dynamics *dynamics = NULL;
  mms_error error = mms_error_none();
  expect_ok(mms_dynamics_create(&dynamics, context, &error), &error);
  expect_ok(mms_dynamics_start(dynamics, &error), &error);
  return dynamics;
}

/* So many steps; the last one's report. */
static inline mms_step_report walk(mms_dynamics *dynamics, int64_t steps) {
  mms_step_report report = {0};
  mms_error error = mms_error_none();
  for (int64_t i = 0; i < steps; i++)
    expect_ok(mms_dynamics_step(dynamics, &(mms_step_request){0}, &report, &error), &error);
  return report;
}

/* One step of each of the two, of which the second is alone: the same report to the bit. */
static inline mms_step_report step_alike(mms_dynamics *together, const mms_step_request *request, mms_dynamics *alone) {
  mms_step_report report, other;
  mms_error error = mms_error_none();
  expect_ok(mms_dynamics_step(together, request, &report, &error), &error);
  expect_ok(mms_dynamics_step(alone, &(mms_step_request){0}, &other, &error), &error);
  expect_near(report.mean_potential, other.mean_potential, 0.0);
  expect_near(report.drift, other.drift, 0.0);
  expect_near(report.covariance_defect, other.covariance_defect, 0.0);
  if (!isnan(other.kinetic_temperature)) expect_near(report.kinetic_temperature, other.kinetic_temperature, 0.0);
  return report;
}

/* Not a number in every `stride`-th of all particles from `first` on, where they are this rank's. */
static inline void break_particles(mms_ensemble *ensemble, int64_t first, int64_t stride) {
  for (int64_t p = first; p < ensemble->blocks.total; p += stride) {
    int64_t local = p - ensemble->blocks.first_row;
    if (local >= 0 && local < ensemble->blocks.n_local) ensemble->y[local * ensemble->dim + 2] = NAN;
  }
}

/* The particles in the training set's coordinates: [n_local][d]. */
static inline void positions(mms_dynamics *dynamics, double *z) {
  const mms_ensemble *ensemble = mms_dynamics_ensemble(dynamics);
  const mms_blocks *blocks = &ensemble->blocks;
  for (int64_t b = blocks->first; b < blocks->end; b++) {
    const int64_t at = (mms_blocks_first_row(blocks, b) - blocks->first_row) * ensemble->dim;
    mms_target_positions(mms_dynamics_target(dynamics), mms_blocks_rows(blocks, b), ensemble->y + at, z + at);
  }
}

#endif
