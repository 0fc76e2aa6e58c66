#include "field/tree.h"

#include "mmsold/base/memory.h"
#include <float.h>
#include <math.h>

/* A node and a leaf are equally large: 128 dim bytes. */
static inline void fetch(const void *start, int64_t dim) {
  const char *line = start;
  for (int64_t i = 0; i < 2 * dim; i++) __builtin_prefetch(line + i * MMS_ALIGNMENT);
}

static void fetch_node(const mms_tree_index *index, int level, int64_t node) {
  fetch(level > 0 ? (const void *)mms_tree_node(index, level, node) : (const void *)mms_tree_leaf(index, node),
        index->dim);
}

static double norm(const double *v, int64_t dim) {
  double square = 0.0;
  for (int64_t k = 0; k < dim; k++) square += v[k] * v[k];
  return sqrt(square);
}

void mms_tree_place(const mms_tree_index *index, mms_tree_row *row, const double *shift) {
  for (int64_t k = 0; k < index->dim; k++) {
    double place = row->z[k] - index->centre[k];
    row->query[k] = (shift == NULL ? place : place + shift[k]) / index->scale;
  }
}

/* Down to the leaf whose box is nearest at every turn: not always the nearest point's, but near. */
static void descend(mms_tree *self, mms_tree_row *rows, int64_t count) {
  const mms_tree_index *index = &self->index;
  for (int64_t r = 0; r < count; r++) rows[r].node = 0;
  for (int level = index->levels; level >= 1; level--)
    for (int64_t r = 0; r < count; r++) {
      const float *node = mms_tree_node(index, level, rows[r].node);
      rows[r].node = rows[r].node * MMS_TREE_LEAF + self->kernels->tree_nearest_box(node, index->dim, rows[r].query);
      fetch_node(index, level - 1, rows[r].node);
    }
}

/* Half of what may be dropped, n e^-b, is left to points beyond the search, which goes to b + ln 2; the other half to
 * the at most N points of the leaves that it finds, of which those below b + ln 2 − ln(n/N) may then go too. Neither
 * goes below the 37 of double rounding, nor below b where a test asks for less. */
static double search_depth(const mms_tree *self) { return self->depth + log(2.0); }

static double list_depth(const mms_tree *self, int64_t leaves) {
  double share = (double)(leaves * MMS_TREE_LEAF) / (double)self->count, most = search_depth(self);
  return share < 1.0 ? fmax(fmin(self->depth, 37.0), most + log(share)) : most;
}

/* The farthest that a point of weight e^-depth can be from a draw whose nearest point is at most u away: |q − x|² <= r²
 * = u² + 2δ²b. The margin of 1e-9 covers the rounding of the squares. */
static double radius(const mms_tree *self, double least, double depth, const mms_tree_draws *draws) {
  return sqrt(least + 2.0 * depth / draws->inverse) * (1.0 + 1e-9) * self->margin;
}

/* How far from z, or from its own place, a row is to be searched: over its draws q = z ± s, |z − x| <= |s| + r. */
static void reach(mms_tree *self, mms_tree_row *row, const mms_tree_draws *draws, double depth) {
  int64_t dim = self->index.dim, signs = draws->both ? 2 : 1;
  double own = 0.0, all = 0.0, shift = 0.0;
  for (int64_t j = 0; j < draws->count; j++) {
    double least = row->least[signs * j], away = norm(row->shifts + j * dim, dim);
    if (draws->both) least = fmax(least, row->least[2 * j + 1]);
    double r = radius(self, least, depth, draws);
    own = fmax(own, r);
    all = fmax(all, r + away);
    shift = fmax(shift, away);
  }
  double far = row->apart ? own : all;
  row->depth = depth;
  row->wide = all / own;
  row->reach2 = fmin(far * far, DBL_MAX);
  /* in the boxes' units a place is rounded to 2^-53 of |z − centre| and of |s| */
  double box = far / self->index.scale + 1e-15 * (norm(row->query, dim) + 2.0 * shift / self->index.scale);
  row->box_reach2 = fmin(box * box * (1.0 + 1e-9), DBL_MAX);
}

/* The nearest points to z and to its draws, in the leaf where the descent ended. */
static void seed(mms_tree *self, mms_tree_row *row, const mms_tree_draws *draws) {
  int64_t dim = self->index.dim;
  const double *leaf = mms_tree_leaf(&self->index, row->node);
  int64_t lane = self->kernels->tree_seed(leaf, dim, row->z, row->shifts, draws->count, draws->both, row->least);
  for (int64_t k = 0; k < dim; k++) row->base[k] = leaf[k * MMS_TREE_LEAF + lane];
}

/* The children within reach of `count` nodes, in order; stops when there are more than `most` (room: most + 16). */
static int64_t expand(const mms_tree *self, const mms_tree_row *row, int level, const int32_t *nodes, int64_t count,
                      int32_t *next, int64_t most) {
  const mms_tree_index *index = &self->index;
  int64_t found = 0;
  for (int64_t i = 0; i < count && found <= most; i++) {
    uint32_t mask = self->kernels->tree_boxes_within(mms_tree_node(index, level, nodes[i]), index->dim, row->query,
                                                     row->box_reach2);
    for (; mask != 0; mask &= mask - 1) next[found++] = nodes[i] * MMS_TREE_LEAF + __builtin_ctz(mask);
  }
  return found;
}

/* The leaves within reach, level by level, all rows side by side. Once their number is known, the last step is done
 * again at the depth that it allows: boxes are cheap, the points of a leaf are not. */
static void gather_leaves(mms_tree *self, mms_tree_row *rows, int64_t count, const mms_tree_draws *draws) {
  const mms_tree_index *index = &self->index;
  int32_t next[MMS_TREE_FRONTIER];
  for (int64_t r = 0; r < count; r++) rows[r].count = 1, rows[r].frontier[0] = 0;
  for (int level = index->levels; level >= 1; level--)
    for (int64_t r = 0; r < count; r++) {
      mms_tree_row *row = &rows[r];
      if (row->count < 0) continue;
      int64_t found = expand(self, row, level, row->frontier, row->count, next, MMS_TREE_LEAVES);
      if (level == 1 && found <= MMS_TREE_LEAVES) {
        reach(self, row, draws, list_depth(self, found));
        found = expand(self, row, level, row->frontier, row->count, next, MMS_TREE_LEAVES);
      }
      row->count = found > MMS_TREE_LEAVES ? -1 : found;
      for (int64_t i = 0; i < row->count; i++) {
        row->frontier[i] = next[i];
        if (level > 1) fetch_node(index, level - 1, next[i]);
      }
    }
}

void mms_tree_search(mms_tree *self, mms_tree_row *rows, int64_t count, const mms_tree_draws *draws) {
  descend(self, rows, count);
  for (int64_t r = 0; r < count; r++) {
    seed(self, &rows[r], draws);
    reach(self, &rows[r], draws, search_depth(self));
  }
  gather_leaves(self, rows, count, draws);
}

int64_t mms_tree_search_wide(mms_tree *self, const mms_tree_row *row) {
  int64_t count = 1;
  self->wide[0][0] = 0;
  for (int level = self->index.levels; level >= 1; level--) {
    count = expand(self, row, level, self->wide[0], count, self->wide[1], self->index.leaves);
    int32_t *swap = self->wide[0];
    self->wide[0] = self->wide[1];
    self->wide[1] = swap;
  }
  return count;
}
