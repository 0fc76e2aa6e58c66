/* The oracle: the softmax mean as it is written, in double, one query and one draw at a time. */
#include "field/backend.h"
#include "field/noise.h"

#include "mmsold/base/memory.h"
#include <math.h>
#include <stdlib.h>

typedef struct reference {
  const mms_training *training;
  float *noise;   /* [d]: ε of one pair */
  double *logits; /* [n] */
} reference;

static void reference_free(void *state) {
  reference *self = state;
  if (self == NULL) return;
  free(self->noise);
  free(self->logits);
  free(self);
}

static mms_status reference_create(void **state, const mms_team *team, const mms_training *training, int64_t max_rows,
                                   int64_t max_pairs, mms_error *error) {
  (void)team, (void)max_rows, (void)max_pairs;
  mms_status status = mms_allocate(state, 1, sizeof(reference), "the reference backend", error);
  if (status != MMS_OK) return status;
  reference *self = *state;
  self->training = training;
  status = mms_allocate_floats(&self->noise, training->dim, "the noise of one pair", error);
  if (status == MMS_OK) status = mms_allocate_doubles(&self->logits, training->count, "the logits of one row", error);
  return status;
}

/* One draw: ℓ_i = (−|z − x_i|²/2 + s σ ε·(x_i − z))/δ². Adds `share` Σ_i w_i (x_i − x_base) to `sum` (about a training
 * point, so that a mean that is one point is that point to the bit) and returns log Σ exp ℓ_i. */
static double add_draw(reference *self, const mms_queries *q, const double *z, double sign, double share, int64_t base,
                       double *sum) {
  int64_t n = self->training->count, d = self->training->dim;
  const double *points = self->training->points;
  double delta2 = q->bandwidth * q->bandwidth, top = -INFINITY, mass = 0.0;
  for (int64_t i = 0; i < n; i++) {
    double square = 0.0, shift = 0.0;
    for (int64_t k = 0; k < d; k++) {
      double y = points[i * d + k] - z[k];
      square += y * y;
      shift += (double)self->noise[k] * y;
    }
    self->logits[i] = (-0.5 * square + sign * q->smoothing * shift) / delta2;
    top = fmax(top, self->logits[i]);
  }
  for (int64_t i = 0; i < n; i++) mass += exp(self->logits[i] - top);
  for (int64_t i = 0; i < n; i++) {
    double weight = share * exp(self->logits[i] - top) / mass;
    for (int64_t k = 0; k < d; k++) sum[k] += weight * (points[i * d + k] - points[base * d + k]);
  }
  return top + log(mass);
}

static int64_t nearest_point(const mms_training *training, const double *z) {
  int64_t nearest = 0;
  double least = INFINITY;
  for (int64_t i = 0; i < training->count; i++) {
    double square = 0.0;
    for (int64_t k = 0; k < training->dim; k++)
      square += (training->points[i * training->dim + k] - z[k]) * (training->points[i * training->dim + k] - z[k]);
    if (square < least) least = square, nearest = i;
  }
  return nearest;
}

static void reference_evaluate(void *state, const mms_queries *q, mms_pull pull, double *out, double *log_mass,
                               mms_field_counters *counters) {
  reference *self = state;
  int64_t d = self->training->dim, draws = q->pairs > 0 ? 2 * q->pairs : 1;
  for (int64_t row = 0; row < q->count; row++) {
    const double *z = q->points + row * d;
    double *sum = out + row * d;
    int64_t base = nearest_point(self->training, z);
    for (int64_t k = 0; k < d; k++) sum[k] = 0.0;
    log_mass[row] = 0.0;
    for (int64_t draw = 0; draw < draws; draw++) {
      if (q->pairs == 0)
        for (int64_t k = 0; k < d; k++) self->noise[k] = 0.0F;
      else if (draw % 2 == 0)
        mms_noise_draw(q, row, draw / 2, 1, d, self->noise);
      double sign = draw % 2 == 0 ? 1.0 : -1.0;
      log_mass[row] += add_draw(self, q, z, sign, 1.0 / (double)draws, base, sum) / (double)draws;
    }
    const double *x = self->training->points + base * d;
    for (int64_t k = 0; k < d; k++) sum[k] += pull == MMS_PULL_MEAN ? x[k] : x[k] - z[k];
    counters->rows += draws;
    counters->finished += draws * self->training->count;
  }
}

static int64_t reference_bytes(const void *state) {
  const reference *self = state;
  return self->training->dim * (int64_t)sizeof(float) + self->training->count * (int64_t)sizeof(double);
}

static int64_t reference_shared_bytes(const void *state) {
  (void)state;
  return 0;
}

const mms_backend_table mms_backend_reference = {
    .name = "reference",
    .create = reference_create,
    .evaluate = reference_evaluate,
    .free = reference_free,
    .bytes = reference_bytes,
    .shared_bytes = reference_shared_bytes,
};
