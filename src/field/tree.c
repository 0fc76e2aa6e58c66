/* The tree backend, for few dimensions: the index says which points can matter to a particle, for all its draws
 * together; these are worked on in double (ARCHITECTURE, screen then finish; ALGORITHMS 1, truncation). */
#include "field/tree.h"

#include "field/noise.h"
#include "field/tree_cloud.h"
#include "mmsold/base/clock.h"
#include "mmsold/base/memory.h"
#include <float.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static int64_t least_of(int64_t a, int64_t b) { return a < b ? a : b; }

static void tree_free(void *state) {
  mms_tree *self = state;
  if (self == NULL) return;
  mms_tree_cloud_free(&self->cloud);
  mms_tree_cells_free(&self->cells);
  mms_tree_order_free(&self->order);
  mms_tree_index_free(&self->index);
  void *arrays[] = {self->list.u, self->list.c,  self->list.w,  self->shifts,    self->noise,
                    self->rows,   self->wide[0], self->wide[1], self->hood,      self->hood_boxes,
                    self->states, self->least,   self->apart,   self->log_shares};
  for (size_t i = 0; i < sizeof arrays / sizeof arrays[0]; i++) free(arrays[i]);
  free(self);
}

static int64_t groups_of(int64_t draws) { return (draws + MMS_TREE_LANES - 1) / MMS_TREE_LANES; }

/* Everything that this rank alone holds. */
static mms_status allocate(mms_tree *self, mms_error *error) {
  int64_t d = self->index.dim, leaves = self->index.leaves + MMS_TREE_LEAF;
  int64_t round = least_of(self->max_pairs > 0 ? self->max_pairs : 1, MMS_TREE_PAIRS), lanes = MMS_TREE_LANES;
  int64_t groups = groups_of(2 * round);
  int64_t stride = MMS_TREE_LIST + 2 * MMS_KERNEL_PAD_F64; /* a vector of slack, and no power of two */
  self->list.stride = stride;
  struct {
    void **array;
    int64_t count;
    size_t size;
  } arrays[] = {{(void **)&self->list.u, d * stride, sizeof(double)},
                {(void **)&self->list.c, stride, sizeof(double)},
                {(void **)&self->list.w, lanes * stride, sizeof(double)},
                {(void **)&self->shifts, MMS_TREE_GROUP * groups * (d + 1) * lanes, sizeof(double)},
                {(void **)&self->noise, MMS_TREE_GROUP * round * d, sizeof(float)},
                {(void **)&self->rows, 2 * MMS_TREE_GROUP, sizeof(mms_tree_row)},
                {(void **)&self->hood, MMS_TREE_HOOD, sizeof(int32_t)},
                {(void **)&self->hood_boxes, MMS_TREE_HOOD * 2 * d, sizeof(float)},
                {(void **)&self->wide[0], leaves, sizeof(int32_t)},
                {(void **)&self->wide[1], leaves, sizeof(int32_t)},
                {(void **)&self->states, groups * (3 + d) * lanes, sizeof(double)},
                {(void **)&self->least, 2 * MMS_TREE_GROUP * groups * lanes, sizeof(double)},
                {(void **)&self->apart, MMS_TREE_GROUP * (d + 1) * lanes, sizeof(double)},
                {(void **)&self->log_shares, MMS_TREE_LEAVES + 1, sizeof(double)}};
  mms_status status = MMS_OK;
  for (size_t i = 0; status == MMS_OK && i < sizeof arrays / sizeof arrays[0]; i++) {
    status = mms_allocate(arrays[i].array, arrays[i].count, arrays[i].size, "the field's search", error);
    self->bytes += arrays[i].count * (int64_t)arrays[i].size;
  }
  for (int64_t r = 0; status == MMS_OK && r < 2 * MMS_TREE_GROUP; r++)
    self->rows[r].least = self->least + r * groups * lanes;
  for (int64_t i = 0; status == MMS_OK && i <= MMS_TREE_LEAVES; i++)
    self->log_shares[i] = fmin(0.0, log((double)(i * MMS_TREE_LEAF) / (double)self->count));
  return status;
}

static mms_status tree_create(void **state, const mms_team *team, const mms_training *training, int64_t max_rows,
                              int64_t max_pairs, mms_error *error) {
  (void)max_rows;
  *state = NULL;
  mms_tree *self = NULL;
  mms_status status = mms_allocate((void **)&self, 1, sizeof(mms_tree), "the tree backend", error);
  if (status == MMS_OK && training->dim > MMS_TREE_DIM_MOST)
    status = mms_fail(error, MMS_ERR_INPUT,
                      "backend tree is for few dimensions, at most %d; this training set has %lld: use dense",
                      MMS_TREE_DIM_MOST, (long long)training->dim);
  if (status == MMS_OK && training->count > (int64_t)INT_MAX * MMS_TREE_LEAF)
    status = mms_fail(error, MMS_ERR_INPUT, "a training set of %lld points is more than an index takes",
                      (long long)training->count);
  status = mms_team_agree(team, status, error);
  if (status == MMS_OK) status = mms_tree_index_create(&self->index, team, training, error);
  if (status == MMS_OK) {
    self->kernels = mms_field_kernels_best();
    self->training = training;
    self->count = training->count;
    self->max_pairs = max_pairs;
    self->depth = 37.0 + log((double)training->count); /* n e^-b <= 2^-53 (tree_search.c shares it out) */
    self->margin = 1.0;
    status = allocate(self, error);
    if (status == MMS_OK) status = mms_tree_cloud_create(&self->cloud, self, error);
    self->bytes += mms_tree_cloud_bytes(self->cloud);
    status = mms_team_agree(team, status, error);
  }
  if (status != MMS_OK)
    tree_free(self);
  else
    *state = self;
  return status;
}

static void one_row(mms_tree *self, const mms_queries *q, int64_t row, mms_pull pull, double *out, double *log_mass,
                    mms_field_counters *counters) {
  const mms_tree_group group = {.count = 1, .at = {row}};
  mms_tree_rows(self, q, &group, pull, out, log_mass, counters);
}

static void evaluate_rows(mms_tree *self, const mms_queries *q, mms_pull pull, double *out, double *log_mass,
                          mms_field_counters *counters) {
  for (int64_t from = 0; from < q->count; from += MMS_TREE_GROUP) {
    mms_tree_group group = {.count = least_of(MMS_TREE_GROUP, q->count - from)};
    for (int64_t r = 0; r < group.count; r++) group.at[r] = from + r;
    mms_tree_rows(self, q, &group, pull, out, log_mass, counters);
  }
}

/* Shared draws at large bandwidth (tree_cloud.h); rows far out are left to the search. */
static void evaluate_cloud(mms_tree *self, const mms_queries *q, mms_pull pull, double *out, double *log_mass,
                           mms_field_counters *counters) {
  int64_t dim = self->index.dim;
  mms_tree_draws draws = mms_tree_draws_of(q);
  double start = mms_clock_seconds();
  for (int64_t from = 0; from < q->count; from += MMS_CLOUD_ROWS) {
    int64_t count = least_of(MMS_CLOUD_ROWS, q->count - from);
    bool done[MMS_CLOUD_ROWS];
    mms_tree_cloud_rows(self->cloud, &draws, count, q->points + from * dim, out + from * dim, log_mass + from, done,
                        &counters->finished);
    for (int64_t r = from; r < from + count; r++)
      if (!done[r - from])
        one_row(self, q, r, pull, out, log_mass, counters);
      else
        for (int64_t k = 0; k < dim && pull == MMS_PULL_MEAN; k++) out[r * dim + k] += q->points[r * dim + k];
  }
  counters->seconds_finish += mms_clock_seconds() - start;
}

/* Lists by cells (tree_cells.h); a row with a draw in no cell is searched for. */
static void evaluate_cells(mms_tree *self, const mms_queries *q, mms_pull pull, double *out, double *log_mass,
                           mms_field_counters *counters) {
  int64_t dim = self->index.dim, draws = q->pairs > 0 ? 2 * q->pairs : 1;
  bool own = q->pairs > 0 && q->sharing == MMS_SHARING_PARTICLE;
  double start = mms_clock_seconds(), scale = mms_tree_draws_of(q).scale;
  for (int64_t from = 0; from < q->count; from += MMS_TREE_GROUP) {
    int64_t count = least_of(MMS_TREE_GROUP, q->count - from), work[MMS_TREE_GROUP], at[MMS_TREE_GROUP];
    for (int64_t r = 0; r < count; r++) at[r] = from + r;
    if (own) mms_noise_draw_rows(q, at, count, dim, self->noise);
    if (q->pairs > 0 && !own) mms_noise_draw(q, from, 0, q->pairs, dim, self->noise);
    for (int64_t r = 0; r < count; r++) {
      const float *noise = q->pairs == 0 ? NULL : self->noise + (own ? r * q->pairs * dim : 0);
      const double *z = q->points + (from + r) * dim;
      double base[MMS_CELLS_DIM_MOST], *sum = out + (from + r) * dim, *mass = log_mass + from + r;
      work[r] = self->kernels->cells_row(&self->cells.view, z, noise, draws, q->smoothing, scale, base, sum, mass);
      for (int64_t k = 0; k < dim && work[r] >= 0; k++) sum[k] += pull == MMS_PULL_MEAN ? base[k] : base[k] - z[k];
    }
    for (int64_t r = 0; r < count; r++)
      if (work[r] >= 0)
        counters->finished += work[r];
      else
        one_row(self, q, from + r, pull, out, log_mass, counters);
  }
  counters->seconds_finish += mms_clock_seconds() - start;
}

static void tree_evaluate(void *state, const mms_queries *q, mms_pull pull, double *out, double *log_mass,
                          mms_field_counters *counters) {
  mms_tree *self = state;
  bool cells = q->bandwidth == self->cells.bandwidth && q->pairs <= MMS_TREE_PAIRS;
  bool cloud = !cells && self->cloud != NULL && q->count > 0 && q->pairs > 0 && q->sharing != MMS_SHARING_PARTICLE;
  if (cloud) {
    mms_tree_draws draws = mms_tree_draws_of(q);
    const mms_tree_group any = {.count = 1};
    bool again = q->pairs <= MMS_TREE_PAIRS && !mms_tree_draw(self, q, &any, 0, &draws);
    cloud = mms_tree_cloud_ready(self->cloud, q, &draws, self->shifts, again);
  }
  if (cells)
    evaluate_cells(self, q, pull, out, log_mass, counters);
  else if (cloud)
    evaluate_cloud(self, q, pull, out, log_mass, counters);
  else
    evaluate_rows(self, q, pull, out, log_mass, counters);
  counters->rows += (q->pairs > 0 ? 2 * q->pairs : 1) * q->count;
}

static mms_status tree_prepare(void *state, double bandwidth, double smoothing, mms_error *error) {
  mms_tree *self = state;
  return mms_tree_cells_make(&self->cells, self->training, bandwidth, smoothing, self->depth, error);
}

static mms_status tree_reserve(void *state, int64_t rows, mms_error *error) {
  mms_tree *self = state;
  return mms_tree_order_create(&self->order, rows, error);
}

static bool tree_evaluate_all(void *state, const mms_queries *q, mms_pull pull, double *out, double *log_mass,
                              mms_field_counters *counters) {
  mms_tree *self = state;
  if (q->bandwidth == self->cells.bandwidth || (q->pairs > 0 && q->sharing != MMS_SHARING_PARTICLE)) return false;
  mms_tree_order_rows(self, q, pull, out, log_mass, counters);
  counters->rows += (q->pairs > 0 ? 2 * q->pairs : 1) * q->count;
  return true;
}

/* Where an index is larger than what a core keeps to itself, neighbours in space find each other's nodes there, and
 * those that follow one another in a block do not: 1 MiB is half of a large second-level cache. Cells are looked up
 * without an index. */
static bool tree_together(const void *state) {
  const mms_tree *self = state;
  return mms_shared_bytes(self->index.memory) > (size_t)1 << 20 && self->cells.bandwidth == 0.0;
}

static int64_t tree_bytes(const void *state) {
  const mms_tree *self = state;
  return self->bytes + self->cells.bytes + mms_tree_order_bytes(&self->order);
}

static int64_t tree_shared_bytes(const void *state) {
  return (int64_t)mms_shared_bytes(((const mms_tree *)state)->index.memory);
}

const mms_backend_table mms_backend_tree = {
    .name = "tree",
    .create = tree_create,
    .evaluate = tree_evaluate,
    .prepare = tree_prepare,
    .together = tree_together,
    .reserve = tree_reserve,
    .evaluate_all = tree_evaluate_all,
    .free = tree_free,
    .bytes = tree_bytes,
    .shared_bytes = tree_shared_bytes,
};
