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

/* A particle whose draws reach so far apart that one ball about it holds this many times the points of a draw's own
 * ball (by volume) and more than a list takes is searched draw by draw. */
static const double APART_FROM = 2.0;

static int64_t least_of(int64_t a, int64_t b) { return a < b ? a : b; }

static void tree_free(void *state) {
  mms_tree *self = state;
  if (self == NULL) return;
  mms_tree_cloud_free(&self->cloud);
  mms_tree_cells_free(&self->cells);
  mms_tree_index_free(&self->index);
  void *arrays[] = {self->list.u,  self->list.c, self->shifts, self->noise, self->rows,      self->wide[0],
                    self->wide[1], self->states, self->least,  self->apart, self->log_shares};
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
                {(void **)&self->shifts, MMS_TREE_GROUP * groups * (d + 1) * lanes, sizeof(double)},
                {(void **)&self->noise, MMS_TREE_GROUP * round * d, sizeof(float)},
                {(void **)&self->rows, 2 * MMS_TREE_GROUP, sizeof(mms_tree_row)},
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

/* Where the sums of a row go, and what they are taken about. */
typedef struct totals {
  double *sum; /* Σ over draws of share·(mean − base): [dim] */
  double log_mass;
  const double *base;
  double to_base[MMS_TREE_DIM_MOST]; /* base − z */
} totals;

/* A row's leaves, and those that will be wanted next: asked for while these are looked through. */
typedef struct leaves {
  const int32_t *list, *ahead;
  int64_t count, ahead_count;
} leaves;

/* Points of leaves *next .. from->count − 1 into the list, until it is full or *next == from->count. Returns how many;
 * their number rounded up to the vectors in *width. */
static int64_t fill(mms_tree *self, const mms_tree_row *row, const mms_tree_draws *draws, const leaves *from,
                    const double *base, int64_t *next, int64_t *width) {
  int64_t dim = self->index.dim, points = 0;
  const double *shift = row->apart ? row->shifts : NULL;
  for (; *next < from->count && points <= MMS_TREE_LIST - MMS_TREE_LEAF; ++*next) {
    if (*next < from->ahead_count) mms_tree_fetch(&self->index, 0, from->ahead[*next]);
    points = self->kernels->tree_collect(mms_tree_leaf(&self->index, from->list[*next]), dim, row->z, base, shift,
                                         row->reach2, draws->scale, &self->list, points);
  }
  *width = (points + MMS_KERNEL_PAD_F64 - 1) / MMS_KERNEL_PAD_F64 * MMS_KERNEL_PAD_F64;
  self->kernels->tree_close(&self->list, dim, points, *width);
  return points;
}

/* What the kernels need to know of group g. */
typedef struct group {
  const double *shift;
  double *state;
  int64_t draws;
  int per;
} group;

static group group_of(const mms_tree *self, const mms_tree_row *row, const mms_tree_draws *draws, int64_t g) {
  int64_t dim = self->index.dim, rest = draws->count - g * MMS_TREE_LANES;
  group out = {.shift = row->shifts + g * (dim + 1) * MMS_TREE_LANES,
               .state = self->states + g * (3 + dim) * MMS_TREE_LANES,
               .draws = least_of(rest, MMS_TREE_LANES)};
  out.per = (int)(MMS_TREE_LANES / mms_tree_lanes(rest));
  return out;
}

static bool begin(mms_tree *self, const mms_tree_row *row, const mms_tree_draws *draws, const totals *out) {
  bool good = true;
  for (int64_t g = 0; g < draws->groups; g++) {
    group now = group_of(self, row, draws, g);
    good &= self->kernels->tree_begin(self->index.dim, now.shift, row->least + g * MMS_TREE_LANES, out->to_base,
                                      draws->scale, now.state);
  }
  return good;
}

static void add(mms_tree *self, const mms_tree_row *row, const mms_tree_draws *draws, int64_t width, bool tops) {
  for (int64_t g = 0; g < draws->groups; g++) {
    group now = group_of(self, row, draws, g);
    (tops ? self->kernels->tree_tops : self->kernels->tree_add)(&self->list, self->index.dim, width, now.shift,
                                                                draws->scale, now.per, now.state);
  }
}

static void end(mms_tree *self, const mms_tree_row *row, const mms_tree_draws *draws, totals *out) {
  for (int64_t g = 0; g < draws->groups; g++) {
    group now = group_of(self, row, draws, g);
    out->log_mass += self->kernels->tree_end(self->index.dim, now.draws, now.per, draws->share, now.state, out->sum);
  }
}

/* More leaves than one list takes: in pieces, twice where the draws' largest logits are not known. */
static int64_t finish_wide(mms_tree *self, const mms_tree_row *row, const mms_tree_draws *draws, totals *out) {
  leaves from = {.list = self->wide[0], .count = mms_tree_search_wide(self, row)};
  int64_t width, points = 0;
  from.list = self->wide[0];
  for (int pass = begin(self, row, draws, out) ? 1 : 0; pass < 2; pass++)
    for (int64_t next = 0; next < from.count;) {
      int64_t found = fill(self, row, draws, &from, out->base, &next, &width);
      if (pass == 1) points += found;
      if (found > 0) add(self, row, draws, width, pass == 0);
    }
  end(self, row, draws, out);
  return draws->count * points;
}

/* Add a row's draws over the points that the search found, if one list takes them. Returns the number of weights worked
 * out, or −1. */
static int64_t finish_list(mms_tree *self, const mms_tree_row *row, const mms_tree_row *after,
                           const mms_tree_draws *draws, totals *out) {
  if (row->count < 0) return -1;
  int64_t next = 0, width;
  leaves from = {.list = row->frontier, .count = row->count};
  if (after != NULL) from.ahead = after->frontier, from.ahead_count = after->count;
  int64_t points = fill(self, row, draws, &from, out->base, &next, &width);
  if (next < row->count) return -1;
  if (!begin(self, row, draws, out)) add(self, row, draws, width, true);
  add(self, row, draws, width, false);
  end(self, row, draws, out);
  return draws->count * points;
}

/* Draw `draw` of a row alone, in every lane. */
static void single_out(const mms_tree_row *row, int64_t draw, int64_t dim, double *shift) {
  const double *from = row->shifts + draw / MMS_TREE_LANES * (dim + 1) * MMS_TREE_LANES + draw % MMS_TREE_LANES;
  for (int64_t i = 0; i < (dim + 1) * MMS_TREE_LANES; i++) shift[i] = from[i / MMS_TREE_LANES * MMS_TREE_LANES];
}

/* Every draw of a row with a search of its own. */
static int64_t finish_apart(mms_tree *self, const mms_tree_row *row, const mms_tree_draws *draws, totals *out) {
  int64_t dim = self->index.dim, work = 0;
  mms_tree_row *rows = self->rows + MMS_TREE_GROUP;
  mms_tree_draws one = *draws;
  one.count = one.groups = 1;
  for (int64_t first = 0; first < draws->count; first += MMS_TREE_GROUP) {
    int64_t count = least_of(draws->count - first, MMS_TREE_GROUP);
    for (int64_t r = 0; r < count; r++) {
      double *shift = self->apart + r * (dim + 1) * MMS_TREE_LANES;
      single_out(row, first + r, dim, shift);
      rows[r].z = row->z;
      rows[r].shifts = shift;
      rows[r].apart = true;
      mms_tree_place(&self->index, &rows[r], shift);
    }
    mms_tree_search(self, rows, count, &one);
    for (int64_t r = 0; r < count; r++) {
      int64_t added = finish_list(self, &rows[r], r + 1 < count ? &rows[r + 1] : NULL, &one, out);
      work += added >= 0 ? added : finish_wide(self, &rows[r], &one, out);
    }
  }
  return work;
}

/* By count and geometry: one list for all draws; where it is too short, draw by draw or piece by piece. */
static int64_t finish(mms_tree *self, const mms_tree_row *row, const mms_tree_row *after, const mms_tree_draws *draws,
                      totals *out) {
  int64_t added = finish_list(self, row, after, draws, out);
  if (added >= 0) return added;
  bool apart = draws->count > 1 && pow(row->wide, (double)self->index.dim) > APART_FROM;
  return apart ? finish_apart(self, row, draws, out) : finish_wide(self, row, draws, out);
}

static mms_tree_draws draws_of(const mms_queries *q) {
  int64_t all = q->pairs > 0 ? 2 * q->pairs : 1;
  mms_tree_draws draws = {.bandwidth2 = q->bandwidth * q->bandwidth, .share = 1.0 / (double)all};
  draws.scale = 1.44269504088896340736 / draws.bandwidth2;
  draws.count = least_of(all, 2 * MMS_TREE_PAIRS);
  draws.groups = groups_of(draws.count);
  return draws;
}

/* Sums about the rows' bases: out and log_mass from row `from` on. */
static void sum_group(mms_tree *self, const mms_queries *q, int64_t from, int64_t count, double *out, double *log_mass,
                      mms_field_counters *counters) {
  int64_t dim = self->index.dim, all = q->pairs > 0 ? 2 * q->pairs : 1;
  mms_tree_draws draws = draws_of(q);
  for (int64_t r = 0; r < count; r++) {
    self->rows[r].z = q->points + (from + r) * dim;
    self->rows[r].apart = false;
    mms_tree_place(&self->index, &self->rows[r], NULL);
    memset(out + r * dim, 0, (size_t)dim * sizeof(double));
    log_mass[r] = 0.0;
  }
  for (int64_t first = 0; first < all; first += 2 * MMS_TREE_PAIRS) {
    double start = mms_clock_seconds();
    draws.count = least_of(all - first, 2 * MMS_TREE_PAIRS);
    draws.groups = groups_of(draws.count);
    mms_tree_draw(self, q, from, count, first / 2, &draws);
    mms_tree_search(self, self->rows, count, &draws);
    double found = mms_clock_seconds();
    for (int64_t r = 0; r < count; r++) {
      const mms_tree_row *row = &self->rows[r];
      totals sums = {.sum = out + r * dim, .log_mass = log_mass[r], .base = row->base};
      for (int64_t k = 0; k < dim; k++) sums.to_base[k] = row->base[k] - row->z[k];
      counters->finished += finish(self, row, r + 1 < count ? row + 1 : NULL, &draws, &sums);
      log_mass[r] = sums.log_mass;
    }
    counters->seconds_product += found - start;
    counters->seconds_finish += mms_clock_seconds() - found;
  }
}

static void evaluate_group(mms_tree *self, const mms_queries *q, int64_t from, int64_t count, mms_pull pull,
                           double *out, double *log_mass, mms_field_counters *counters) {
  int64_t dim = self->index.dim;
  sum_group(self, q, from, count, out, log_mass, counters);
  for (int64_t r = 0; r < count; r++) {
    const mms_tree_row *row = &self->rows[r];
    for (int64_t k = 0; k < dim; k++)
      out[r * dim + k] += pull == MMS_PULL_MEAN ? row->base[k] : row->base[k] - row->z[k];
  }
}

/* Shared draws at large bandwidth (tree_cloud.h); rows far out are left to the search. */
static void evaluate_cloud(mms_tree *self, const mms_queries *q, mms_pull pull, double *out, double *log_mass,
                           mms_field_counters *counters) {
  int64_t dim = self->index.dim;
  mms_tree_draws draws = draws_of(q);
  double start = mms_clock_seconds();
  for (int64_t from = 0; from < q->count; from += MMS_CLOUD_ROWS) {
    int64_t count = least_of(MMS_CLOUD_ROWS, q->count - from);
    bool done[MMS_CLOUD_ROWS];
    mms_tree_cloud_rows(self->cloud, &draws, count, q->points + from * dim, out + from * dim, log_mass + from, done,
                        &counters->finished);
    for (int64_t r = from; r < from + count; r++)
      if (!done[r - from])
        evaluate_group(self, q, r, 1, pull, out + r * dim, log_mass + r, counters);
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
  double start = mms_clock_seconds(), scale = draws_of(q).scale;
  for (int64_t from = 0; from < q->count; from += MMS_TREE_GROUP) {
    int64_t count = least_of(MMS_TREE_GROUP, q->count - from), work[MMS_TREE_GROUP];
    if (own) mms_noise_draw_rows(q, from, count, dim, self->noise);
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
        evaluate_group(self, q, from + r, 1, pull, out + (from + r) * dim, log_mass + from + r, counters);
  }
  counters->seconds_finish += mms_clock_seconds() - start;
}

static void tree_evaluate(void *state, const mms_queries *q, mms_pull pull, double *out, double *log_mass,
                          mms_field_counters *counters) {
  mms_tree *self = state;
  int64_t dim = self->index.dim;
  bool cells = q->bandwidth == self->cells.bandwidth && q->pairs <= MMS_TREE_PAIRS;
  bool cloud = !cells && self->cloud != NULL && q->count > 0 && q->pairs > 0 && q->sharing != MMS_SHARING_PARTICLE;
  if (cloud) {
    mms_tree_draws draws = draws_of(q);
    bool again = q->pairs <= MMS_TREE_PAIRS && !mms_tree_draw(self, q, 0, 1, 0, &draws);
    cloud = mms_tree_cloud_ready(self->cloud, q, &draws, self->shifts, again);
  }
  if (cells)
    evaluate_cells(self, q, pull, out, log_mass, counters);
  else if (cloud)
    evaluate_cloud(self, q, pull, out, log_mass, counters);
  else
    for (int64_t from = 0; from < q->count; from += MMS_TREE_GROUP)
      evaluate_group(self, q, from, least_of(MMS_TREE_GROUP, q->count - from), pull, out + from * dim, log_mass + from,
                     counters);
  counters->rows += (q->pairs > 0 ? 2 * q->pairs : 1) * q->count;
}

static mms_status tree_prepare(void *state, double bandwidth, double smoothing, mms_error *error) {
  mms_tree *self = state;
  return mms_tree_cells_make(&self->cells, self->training, bandwidth, smoothing, self->depth, error);
}

static int64_t tree_bytes(const void *state) {
  const mms_tree *self = state;
  return self->bytes + self->cells.bytes;
}

static int64_t tree_shared_bytes(const void *state) {
  return (int64_t)mms_shared_bytes(((const mms_tree *)state)->index.memory);
}

const mms_backend_table mms_backend_tree = {
    .name = "tree",
    .create = tree_create,
    .evaluate = tree_evaluate,
    .prepare = tree_prepare,
    .free = tree_free,
    .bytes = tree_bytes,
    .shared_bytes = tree_shared_bytes,
};
