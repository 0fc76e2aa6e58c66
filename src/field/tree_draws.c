/* The draws of the tree backend's rows, laid out for its kernels. */
#include "field/tree.h"

#include "field/noise.h"
#include <math.h>

/* σε and −σε side by side, |σε| last; without noise one draw at z itself. Lanes beyond `count` repeat the first ones.
 */
static void lay_out(const float *noise, double smoothing, int64_t dim, const mms_tree_draws *draws, double *shifts) {
  for (int64_t g = 0; g < draws->groups; g++, shifts += (dim + 1) * MMS_TREE_LANES) {
    int64_t first = g * MMS_TREE_LANES, rest = draws->count - first, lanes = mms_tree_lanes(rest);
    double square[MMS_TREE_LANES] = {0.0};
    for (int64_t k = 0; k < dim; k++)
      for (int64_t l = 0; l < lanes; l++) {
        int64_t draw = l < rest ? first + l : first;
        double s = noise == NULL ? 0.0 : (draw % 2 == 0 ? smoothing : -smoothing) * (double)noise[draw / 2 * dim + k];
        shifts[k * MMS_TREE_LANES + l] = s;
        square[l] += s * s;
      }
    for (int64_t l = 0; l < lanes; l++) shifts[dim * MMS_TREE_LANES + l] = sqrt(square[l]);
    for (int64_t l = lanes; l < MMS_TREE_LANES; l++)
      for (int64_t k = 0; k <= dim; k++) shifts[k * MMS_TREE_LANES + l] = shifts[k * MMS_TREE_LANES + l % lanes];
  }
}

/* Whether two batches, both of shared noise, have the same. */
static bool same_noise(const mms_queries *a, const mms_queries *b) {
  return a->pairs == b->pairs && a->smoothing == b->smoothing && a->noise == b->noise && a->sharing == b->sharing &&
         a->seed == b->seed && (a->noise == MMS_NOISE_FIXED || a->step == b->step) &&
         (a->sharing == MMS_SHARING_ALL || a->block == b->block);
}

bool mms_tree_draw(mms_tree *self, const mms_queries *q, const mms_tree_group *group, int64_t first,
                   const mms_tree_draws *draws) {
  int64_t dim = self->index.dim, count = group->count, size = draws->groups * (dim + 1) * MMS_TREE_LANES;
  bool shared = q->pairs == 0 || q->sharing != MMS_SHARING_PARTICLE;
  for (int64_t r = 0; r < count; r++) self->rows[r].shifts = self->shifts + (shared ? 0 : r) * size;
  if (q->pairs == 0) {
    if (!self->kept || self->drawn.pairs != 0) lay_out(NULL, 0.0, dim, draws, self->shifts);
  } else if (shared) {
    if (self->kept && same_noise(q, &self->drawn)) return false;
    mms_noise_draw(q, 0, first, draws->count / 2, dim, self->noise);
    lay_out(self->noise, q->smoothing, dim, draws, self->shifts);
  } else {
    if (2 * q->pairs == draws->count)
      mms_noise_draw_rows(q, group->at, count, dim, self->noise);
    else
      for (int64_t r = 0; r < count; r++)
        mms_noise_draw(q, group->at[r], first, draws->count / 2, dim, self->noise + r * draws->count / 2 * dim);
    for (int64_t r = 0; r < count; r++)
      lay_out(self->noise + r * draws->count / 2 * dim, q->smoothing, dim, draws, self->shifts + r * size);
  }
  self->drawn = *q;
  self->kept = shared && draws->count >= 2 * q->pairs; /* not where only one of several rounds is there */
  return true;
}
