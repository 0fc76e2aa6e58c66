/* The limit law by quadrature, as points and as expectations. */
#include "mmsold/random/random.h"
#include "mmsold/study/limit.h"
#include "study/converge_cells.h"

#include <math.h>

enum { CELLS = 320 }; /* of the plane, each side: over ±7 standard deviations a cell is below a twentieth of one */

/* What an expectation needs. */
typedef struct asked {
  mms_observer observer;
  mms_observable_kind which;
  mms_limit *limit;
} asked;

static double observable(void *context, const double z[2]) {
  const asked *self = context;
  return mms_observer_sum(&self->observer, self->which, 1, z) * mms_observer_unit(&self->observer, self->which);
}

/* E V under the law, from its density: −log ρ* = V + tilt + log Z. */
static double mean_potential(const mms_limit *limit) {
  const mms_law *law = &limit->law;
  double sum = 0.0;
  for (int64_t cell = 0; cell < mms_plane_cells(&law->plane); cell++) {
    const double density = law->density.data[cell];
    if (!(density > 0.0)) continue;
    double z[2], energy = 0.0;
    mms_plane_point(&law->plane, cell, z);
    mms_tilt_add(&limit->tilt, 1, z, &energy, NULL);
    sum += density * (-log(density) - law->log_z - energy);
  }
  return sum * mms_plane_cell_area(&law->plane);
}

/* MMS_MOST_REFERENCE points with equal shares of the mass: every 1/N of it, along the rows of cells to and fro, and
 * somewhere within the cell that is there. Their own share of a distance is smaller than that of independent draws. */
static mms_status spread_points(const mms_law *law, uint64_t seed, mms_matrix *points, mms_error *error) {
  mms_status status = mms_matrix_create(points, MMS_MOST_REFERENCE, 2, "points of the limit", error);
  if (status != MMS_OK) return status;
  const mms_plane *plane = &law->plane;
  const double width = mms_plane_side(plane, 0), height = mms_plane_side(plane, 1);
  const double area = mms_plane_cell_area(plane);
  double passed = 0.0;
  int64_t made = 0;
  for (int64_t i = 0; i < mms_plane_cells(plane); i++) {
    const int64_t row = i / plane->columns, place = i % plane->columns;
    const int64_t cell = row * plane->columns + (row % 2 == 0 ? place : plane->columns - 1 - place);
    double middle[2];
    mms_plane_point(plane, cell, middle);
    passed += law->density.data[cell] * area;
    const bool last = i + 1 == mms_plane_cells(plane);
    for (; made < MMS_MOST_REFERENCE && (((double)made + 0.5) / MMS_MOST_REFERENCE < passed || last); made++) {
      double within[2];
      const mms_random_key key = {.seed = seed, .stream = MMS_STREAM_STUDY, .step = 1, .item = (uint64_t)made};
      mms_random_uniforms(key, 0, 2, within);
      points->data[2 * made] = middle[0] + (within[0] - 0.5) * width;
      points->data[2 * made + 1] = middle[1] + (within[1] - 0.5) * height;
    }
  }
  return MMS_OK;
}

mms_status mms_converge_limit(const mms_converge_request *request, mms_truth *truth, mms_error *error) {
  mms_training training = {0};
  mms_limit limit = {0};
  asked self = {.limit = &limit};
  mms_status status = mms_training_create(&training, request->team, &request->training, error);
  if (status != MMS_OK) return status;
  const double smoothing = request->score.smoothing_samples > 0 ? request->score.smoothing : 0.0;
  status = mms_limit_create(&limit, request->team, &training, request->score.bandwidth, smoothing, CELLS, error);
  if (status == MMS_OK) {
    status = mms_observer_create(&self.observer, 2, limit.target.mean.data, limit.target.covariance.data, error);
    if (status == MMS_OK) status = spread_points(&limit.law, request->seed, &truth->limit, error);
    status = mms_team_agree(request->team, status, error);
  }
  for (int64_t k = 0; status == MMS_OK && k < request->observable_count; k++) {
    self.which = (mms_observable_kind)request->observables[k];
    truth->limit_value[k] = request->observables[k] == MMS_STUDY_POTENTIAL
                                ? mean_potential(&limit)
                                : mms_law_expectation(&limit.law, observable, &self);
  }
  mms_observer_free(&self.observer);
  mms_limit_free(&limit);
  mms_training_free(&training);
  return status;
}
