/* Rows of the tree backend, in groups of sixteen that are searched side by side: the points of weight of each, and the
 * softmax over them in double. */
#include "field/tree.h"

#include "mmsold/base/clock.h"
#include <math.h>
#include <string.h>

/* A particle whose draws reach so far apart that one ball about it holds this many times the points of a draw's own
 * ball (by volume) and more than a list takes is searched draw by draw. */
static const double APART_FROM = 2.0;

static int64_t least_of(int64_t a, int64_t b) { return a < b ? a : b; }

static int64_t groups_of(int64_t draws) { return (draws + MMS_TREE_LANES - 1) / MMS_TREE_LANES; }

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
  int64_t dim = self->index.dim;
  const double *shift = row->apart ? row->shifts : NULL;
  for (int64_t i = 0; i < from->ahead_count; i++) mms_tree_fetch(&self->index, 0, from->ahead[i]);
  int64_t points = self->kernels->tree_collect(self->index.points, dim, from->list, from->count, next, row->z, base,
                                               shift, row->reach2, draws->scale, &self->list);
  *width = (points + MMS_KERNEL_PAD_F64 - 1) / MMS_KERNEL_PAD_F64 * MMS_KERNEL_PAD_F64;
  self->kernels->tree_close(&self->list, dim, points, *width);
  return points;
}

/* What the kernels need to know of the g-th eight draws. */
typedef struct octet {
  const double *shift;
  double *state;
  int64_t draws;
  int per;
} octet;

static octet octet_of(const mms_tree *self, const mms_tree_row *row, const mms_tree_draws *draws, int64_t g) {
  int64_t dim = self->index.dim, rest = draws->count - g * MMS_TREE_LANES;
  octet out = {.shift = row->shifts + g * (dim + 1) * MMS_TREE_LANES,
               .state = self->states + g * (3 + dim) * MMS_TREE_LANES,
               .draws = least_of(rest, MMS_TREE_LANES)};
  out.per = (int)(MMS_TREE_LANES / mms_tree_lanes(rest));
  return out;
}

static bool begin(mms_tree *self, const mms_tree_row *row, const mms_tree_draws *draws, const totals *out) {
  bool good = true;
  for (int64_t g = 0; g < draws->groups; g++) {
    octet now = octet_of(self, row, draws, g);
    good &= self->kernels->tree_begin(self->index.dim, now.shift, row->least + g * MMS_TREE_LANES, out->to_base,
                                      draws->scale, now.state);
  }
  return good;
}

static void add(mms_tree *self, const mms_tree_row *row, const mms_tree_draws *draws, int64_t width, bool tops) {
  for (int64_t g = 0; g < draws->groups; g++) {
    octet now = octet_of(self, row, draws, g);
    (tops ? self->kernels->tree_tops : self->kernels->tree_add)(&self->list, self->index.dim, width, now.shift,
                                                                draws->scale, now.per, now.state);
  }
}

static void end(mms_tree *self, const mms_tree_row *row, const mms_tree_draws *draws, totals *out) {
  for (int64_t g = 0; g < draws->groups; g++) {
    octet now = octet_of(self, row, draws, g);
    out->log_mass += self->kernels->tree_end(self->index.dim, now.draws, now.per, draws->share, now.state, out->sum);
  }
}

/* More leaves than one list takes: in pieces, twice where the draws' largest logits are not known. */
static int64_t finish_wide(mms_tree *self, const mms_tree_row *row, const mms_tree_draws *draws, totals *out) {
  const int64_t leaves_found = mms_tree_search_wide(self, row); /* which may swap the two lists */
  const leaves from = {.list = self->wide[0], .count = leaves_found};
  int64_t width, points = 0;
  for (int pass = begin(self, row, draws, out) ? 1 : 0; pass < 2; pass++)
    for (int64_t next = 0; next < from.count;) {
      int64_t found = fill(self, row, draws, &from, out->base, &next, &width);
      if (pass == 1) points += found;
      if (found > 0) add(self, row, draws, width, pass == 0);
    }
  end(self, row, draws, out);
  return draws->count * points;
}

/* May whole groups of eight draws be worked on as pairs? The list's logits, of which |u| is at most |z − base| + reach,
 * must be in the kernel's range. */
static bool in_pairs(const mms_tree *self, const mms_tree_row *row, const mms_tree_draws *draws, const totals *out) {
  double near2 = 0.0;
  if (row->apart || draws->count % MMS_TREE_LANES != 0) return false;
  for (int64_t k = 0; k < self->index.dim; k++) near2 += out->to_base[k] * out->to_base[k];
  return 0.5 * draws->scale * row->reach2 < MMS_TREE_PAIRS_DEPTH &&
         draws->scale * row->away * (sqrt(row->reach2) + sqrt(near2)) < MMS_TREE_RISE;
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
  if (in_pairs(self, row, draws, out)) {
    for (int64_t g = 0; g < draws->groups; g++)
      out->log_mass +=
          self->kernels->tree_pairs(&self->list, self->index.dim, width, octet_of(self, row, draws, g).shift,
                                    draws->scale, draws->share, out->sum);
    return draws->count * points;
  }
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
    mms_tree_descend(self, rows, count);
    mms_tree_search(self, rows, count, &one, false);
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

mms_tree_draws mms_tree_draws_of(const mms_queries *q) {
  int64_t all = q->pairs > 0 ? 2 * q->pairs : 1;
  mms_tree_draws draws = {.bandwidth2 = q->bandwidth * q->bandwidth, .share = 1.0 / (double)all};
  draws.scale = 1.44269504088896340736 / draws.bandwidth2;
  draws.count = least_of(all, 2 * MMS_TREE_PAIRS);
  draws.groups = groups_of(draws.count);
  return draws;
}

/* Sums about the rows' bases: out and log_mass of the group's rows. */
static void sum_group(mms_tree *self, const mms_queries *q, const mms_tree_group *group, double *out, double *log_mass,
                      mms_field_counters *counters) {
  int64_t dim = self->index.dim, all = q->pairs > 0 ? 2 * q->pairs : 1;
  mms_tree_draws draws = mms_tree_draws_of(q);
  for (int64_t r = 0; r < group->count; r++) {
    mms_tree_row *row = &self->rows[r];
    row->z = q->points + group->at[r] * dim;
    row->apart = false;
    mms_tree_place(&self->index, row, NULL);
    if (group->leaves != NULL) row->node = group->leaves[r];
    memset(out + group->at[r] * dim, 0, (size_t)dim * sizeof(double));
    log_mass[group->at[r]] = 0.0;
  }
  if (group->leaves == NULL) mms_tree_descend(self, self->rows, group->count);
  for (int64_t first = 0; first < all; first += 2 * MMS_TREE_PAIRS) {
    double start = mms_clock_seconds();
    draws.count = least_of(all - first, 2 * MMS_TREE_PAIRS);
    draws.groups = groups_of(draws.count);
    mms_tree_draw(self, q, group, first / 2, &draws);
    mms_tree_search(self, self->rows, group->count, &draws, group->leaves != NULL);
    double found = mms_clock_seconds();
    for (int64_t r = 0; r < group->count; r++) {
      const mms_tree_row *row = &self->rows[r];
      const mms_tree_row *after = group->leaves == NULL && r + 1 < group->count ? row + 1 : NULL;
      totals sums = {.sum = out + group->at[r] * dim, .log_mass = log_mass[group->at[r]], .base = row->base};
      for (int64_t k = 0; k < dim; k++) sums.to_base[k] = row->base[k] - row->z[k];
      counters->finished += finish(self, row, after, &draws, &sums);
      log_mass[group->at[r]] = sums.log_mass;
    }
    counters->seconds_product += found - start;
    counters->seconds_finish += mms_clock_seconds() - found;
  }
}

void mms_tree_rows(mms_tree *self, const mms_queries *q, const mms_tree_group *group, mms_pull pull, double *out,
                   double *log_mass, mms_field_counters *counters) {
  int64_t dim = self->index.dim;
  sum_group(self, q, group, out, log_mass, counters);
  for (int64_t r = 0; r < group->count; r++) {
    const mms_tree_row *row = &self->rows[r];
    double *sum = out + group->at[r] * dim;
    for (int64_t k = 0; k < dim; k++) sum[k] += pull == MMS_PULL_MEAN ? row->base[k] : row->base[k] - row->z[k];
  }
}
