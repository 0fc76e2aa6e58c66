/* The tree backend, for few dimensions: the index says which points can matter to a particle, for all its draws
 * together; these are worked on in double (ARCHITECTURE, screen then finish; ALGORITHMS 1, truncation). */
#include "field/tree.h"

#include "field/noise.h"
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
  mms_tree_index_free(&self->index);
  void *arrays[] = {self->list.y, self->list.c, self->list.t,       self->list.w,  self->shifts,
                    self->noise,  self->rows,   self->wide[0],      self->wide[1], self->tops,
                    self->sums,   self->least,  self->signed_shifts};
  for (size_t i = 0; i < sizeof arrays / sizeof arrays[0]; i++) free(arrays[i]);
  free(self);
}

/* Everything that this rank alone holds. */
static mms_status allocate(mms_tree *self, mms_error *error) {
  int64_t d = self->index.dim, leaves = self->index.leaves + MMS_TREE_LEAF;
  int64_t round = least_of(self->max_pairs > 0 ? self->max_pairs : 1, MMS_TREE_PAIRS);
  int64_t stride = MMS_TREE_LIST + 2 * MMS_KERNEL_PAD_F64; /* a vector of slack, and no power of two */
  self->list.stride = stride;
  struct {
    void **array;
    int64_t count;
    size_t size;
  } arrays[] = {{(void **)&self->list.y, d * stride, sizeof(double)},
                {(void **)&self->list.c, stride, sizeof(double)},
                {(void **)&self->list.t, 2 * stride, sizeof(double)},
                {(void **)&self->list.w, stride, sizeof(double)},
                {(void **)&self->shifts, MMS_TREE_GROUP * round * d, sizeof(double)},
                {(void **)&self->noise, round * d, sizeof(float)},
                {(void **)&self->rows, 2 * MMS_TREE_GROUP, sizeof(mms_tree_row)},
                {(void **)&self->wide[0], leaves, sizeof(int32_t)},
                {(void **)&self->wide[1], leaves, sizeof(int32_t)},
                {(void **)&self->tops, 2 * round, sizeof(double)},
                {(void **)&self->sums, 2 * round, sizeof(double)},
                {(void **)&self->least, 4 * MMS_TREE_GROUP * round, sizeof(double)},
                {(void **)&self->signed_shifts, MMS_TREE_GROUP * d, sizeof(double)}};
  mms_status status = MMS_OK;
  for (size_t i = 0; status == MMS_OK && i < sizeof arrays / sizeof arrays[0]; i++) {
    status = mms_allocate(arrays[i].array, arrays[i].count, arrays[i].size, "the field's search", error);
    self->bytes += arrays[i].count * (int64_t)arrays[i].size;
  }
  for (int64_t r = 0; status == MMS_OK && r < 2 * MMS_TREE_GROUP; r++)
    self->rows[r].least = self->least + 2 * r * round;
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
    self->count = training->count;
    self->max_pairs = max_pairs;
    self->depth = 37.0 + log((double)training->count); /* n e^-b <= 2^-53 (tree_search.c shares it out) */
    self->margin = 1.0;
    status = mms_team_agree(team, allocate(self, error), error);
  }
  if (status != MMS_OK)
    tree_free(self);
  else
    *state = self;
  return status;
}

/* Points of leaves *next .. count − 1 into the list, until it is full or *next == count. Returns how many; their number
 * rounded up to the vectors in *width. */
static int64_t fill(mms_tree *self, const mms_tree_row *row, const int32_t *leaves, int64_t count, int64_t *next,
                    int64_t *width) {
  int64_t dim = self->index.dim, points = 0;
  const double *shift = row->apart ? row->shifts : NULL;
  for (; *next < count && points <= MMS_TREE_LIST - MMS_TREE_LEAF; ++*next)
    points = self->kernels->tree_collect(mms_tree_leaf(&self->index, leaves[*next]), dim, row->z, shift, row->reach2,
                                         &self->list, points);
  *width = (points + MMS_KERNEL_PAD_F64 - 1) / MMS_KERNEL_PAD_F64 * MMS_KERNEL_PAD_F64;
  self->kernels->tree_close(&self->list, dim, points, *width);
  memset(self->list.w, 0, (size_t)*width * sizeof(double));
  return points;
}

/* Where the sums of a row go, and what they are taken about. */
typedef struct totals {
  double *sum; /* Σ_i W_i (x_i − base): [dim] */
  double log_mass;
  double base[MMS_TREE_DIM_MOST]; /* base − z */
} totals;

/* More leaves than one list takes: online softmax in two passes over pieces. */
static int64_t finish_wide(mms_tree *self, const mms_tree_row *row, const mms_tree_draws *draws, totals *out) {
  int64_t dim = self->index.dim, leaves = mms_tree_search_wide(self, row), width, points = 0;
  int64_t all = draws->count * (draws->both ? 2 : 1);
  for (int64_t j = 0; j < all; j++) self->tops[j] = -DBL_MAX, self->sums[j] = 0.0;
  for (int pass = 0; pass < 2; pass++)
    for (int64_t next = 0; next < leaves;) {
      int64_t found = fill(self, row, self->wide[0], leaves, &next, &width);
      if (found == 0) continue;
      if (pass == 0) {
        points += found;
        self->kernels->tree_masses(&self->list, dim, width, draws, self->tops, self->sums);
        continue;
      }
      self->kernels->tree_weights(&self->list, dim, width, draws, self->tops, self->sums);
      self->kernels->gather_columns(self->list.y, dim, self->list.stride, width, self->list.w, out->base, out->sum);
    }
  for (int64_t j = 0; j < all; j++)
    out->log_mass += draws->share * (self->tops[j] * draws->inverse + log(self->sums[j]));
  return all * points;
}

/* Add a row's draws over the points that the search found, if one list takes them. Returns the number of weights worked
 * out, or −1. */
static int64_t finish_list(mms_tree *self, const mms_tree_row *row, const mms_tree_draws *draws, totals *out) {
  if (row->count < 0) return -1;
  int64_t dim = self->index.dim, next = 0, width;
  int64_t points = fill(self, row, row->frontier, row->count, &next, &width);
  if (next < row->count) return -1;
  mms_tree_draws own = *draws;
  own.cut = -row->depth;
  out->log_mass += draws->share * self->kernels->tree_softmax(&self->list, dim, width, &own);
  self->kernels->gather_columns(self->list.y, dim, self->list.stride, width, self->list.w, out->base, out->sum);
  return draws->count * (draws->both ? 2 : 1) * points;
}

/* The leaves of `row` will be wanted next; NULL: nothing will. */
static void look_ahead(const mms_tree *self, mms_tree_draws *draws, const mms_tree_row *row) {
  draws->points = self->index.points;
  draws->next = row != NULL ? row->frontier : NULL;
  draws->ahead = row != NULL && row->count > 0 ? row->count : 0;
}

/* Every draw of a row with a search of its own. */
static int64_t finish_apart(mms_tree *self, const mms_tree_row *row, const mms_tree_draws *draws, totals *out) {
  int64_t dim = self->index.dim, signs = draws->both ? 2 : 1, all = signs * draws->count, work = 0;
  mms_tree_row *rows = self->rows + MMS_TREE_GROUP;
  mms_tree_draws one = *draws;
  one.count = 1;
  one.both = false;
  for (int64_t first = 0; first < all; first += MMS_TREE_GROUP) {
    int64_t count = least_of(all - first, MMS_TREE_GROUP);
    for (int64_t r = 0; r < count; r++) {
      double *shift = self->signed_shifts + r * dim, sign = (first + r) % signs == 0 ? 1.0 : -1.0;
      for (int64_t k = 0; k < dim; k++) shift[k] = sign * row->shifts[(first + r) / signs * dim + k];
      rows[r].z = row->z;
      rows[r].shifts = shift;
      rows[r].apart = true;
      mms_tree_place(&self->index, &rows[r], shift);
    }
    mms_tree_search(self, rows, count, &one);
    for (int64_t r = 0; r < count; r++) {
      look_ahead(self, &one, r + 1 < count ? &rows[r + 1] : NULL);
      one.shifts = rows[r].shifts;
      int64_t added = finish_list(self, &rows[r], &one, out);
      work += added >= 0 ? added : finish_wide(self, &rows[r], &one, out);
    }
  }
  return work;
}

/* By count and geometry: one list for all draws; where it is too short, draw by draw or piece by piece. */
static int64_t finish(mms_tree *self, const mms_tree_row *row, const mms_tree_draws *draws, totals *out) {
  int64_t added = finish_list(self, row, draws, out);
  if (added >= 0) return added;
  bool apart = draws->both && pow(row->wide, (double)self->index.dim) > APART_FROM;
  return apart ? finish_apart(self, row, draws, out) : finish_wide(self, row, draws, out);
}

/* σε of pairs first .. first + pairs − 1 of each row of a group. */
static void draw(mms_tree *self, const mms_queries *q, int64_t from, int64_t count, int64_t first, int64_t pairs) {
  int64_t dim = self->index.dim;
  bool shared = q->pairs == 0 || q->sharing != MMS_SHARING_PARTICLE;
  for (int64_t r = 0; r < count; r++) {
    double *shifts = self->shifts + (shared ? 0 : r) * pairs * dim;
    self->rows[r].shifts = shifts;
    if (shared && r > 0) continue;
    if (q->pairs > 0) mms_noise_draw(q, from + r, first, pairs, dim, self->noise);
    for (int64_t i = 0; i < pairs * dim; i++) shifts[i] = q->pairs > 0 ? q->smoothing * (double)self->noise[i] : 0.0;
  }
}

static void evaluate_group(mms_tree *self, const mms_queries *q, int64_t from, int64_t count, double *out,
                           double *log_mass, mms_field_counters *counters) {
  int64_t dim = self->index.dim, all = q->pairs > 0 ? q->pairs : 1;
  mms_tree_draws draws = {
      .both = q->pairs > 0, .inverse = 1.0 / (q->bandwidth * q->bandwidth), .cut = -self->depth - 1.0};
  draws.share = q->pairs > 0 ? 0.5 / (double)q->pairs : 1.0;
  for (int64_t r = 0; r < count; r++) {
    self->rows[r].z = q->points + (from + r) * dim;
    self->rows[r].apart = false;
    mms_tree_place(&self->index, &self->rows[r], NULL);
    memset(out + (from + r) * dim, 0, (size_t)dim * sizeof(double));
    log_mass[from + r] = 0.0;
  }
  for (int64_t first = 0; first < all; first += MMS_TREE_PAIRS) {
    double start = mms_clock_seconds();
    draws.count = least_of(all - first, MMS_TREE_PAIRS);
    draw(self, q, from, count, first, draws.count);
    mms_tree_search(self, self->rows, count, &draws);
    double found = mms_clock_seconds();
    for (int64_t r = 0; r < count; r++) {
      const mms_tree_row *row = &self->rows[r];
      look_ahead(self, &draws, r + 1 < count ? row + 1 : NULL);
      totals sums = {.sum = out + (from + r) * dim, .log_mass = log_mass[from + r]};
      for (int64_t k = 0; k < dim; k++) sums.base[k] = row->base[k] - row->z[k];
      draws.shifts = row->shifts;
      counters->finished += finish(self, row, &draws, &sums);
      log_mass[from + r] = sums.log_mass;
    }
    counters->seconds_product += found - start;
    counters->seconds_finish += mms_clock_seconds() - found;
  }
}

static void tree_evaluate(void *state, const mms_queries *q, mms_pull pull, double *out, double *log_mass,
                          mms_field_counters *counters) {
  mms_tree *self = state;
  int64_t dim = self->index.dim;
  for (int64_t from = 0; from < q->count; from += MMS_TREE_GROUP) {
    int64_t count = least_of(MMS_TREE_GROUP, q->count - from);
    evaluate_group(self, q, from, count, out, log_mass, counters);
    for (int64_t r = 0; r < count; r++) {
      const mms_tree_row *row = &self->rows[r];
      for (int64_t k = 0; k < dim; k++)
        out[(from + r) * dim + k] += pull == MMS_PULL_MEAN ? row->base[k] : row->base[k] - row->z[k];
    }
  }
  counters->rows += (q->pairs > 0 ? 2 * q->pairs : 1) * q->count;
}

static int64_t tree_bytes(const void *state) { return ((const mms_tree *)state)->bytes; }

static int64_t tree_shared_bytes(const void *state) {
  return (int64_t)mms_shared_bytes(((const mms_tree *)state)->index.memory);
}

const mms_backend_table mms_backend_tree = {"tree",    tree_create, tree_evaluate,
                                            tree_free, tree_bytes,  tree_shared_bytes};
