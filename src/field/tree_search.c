#include "field/tree.h"

#include "mmsold/base/memory.h"
#include <float.h>
#include <math.h>
#include <string.h>

/* A node and a leaf are equally large: 128 dim bytes. */
void mms_tree_fetch(const mms_tree_index *index, int level, int64_t node) {
  const char *line =
      level > 0 ? (const char *)mms_tree_node(index, level, node) : (const char *)mms_tree_leaf(index, node);
  for (int64_t i = 0; i < 2 * index->dim; i++) __builtin_prefetch(line + i * MMS_ALIGNMENT);
}

void mms_tree_place(const mms_tree_index *index, mms_tree_row *row, const double *shift) {
  double square = 0.0;
  for (int64_t k = 0; k < index->dim; k++) {
    double place = row->z[k] - index->centre[k];
    double q = (shift == NULL ? place : place + shift[k * MMS_TREE_LANES]) * index->inverse;
    row->query[k] = q;
    square += q * q;
  }
  row->size = sqrt(square);
}

/* Down to the leaf whose box is nearest at every turn: not always the nearest point's, but near. */
void mms_tree_descend(const mms_tree *self, mms_tree_row *rows, int64_t count) {
  const mms_tree_index *index = &self->index;
  for (int64_t r = 0; r < count; r++) rows[r].node = 0;
  for (int level = index->levels; level >= 1; level--)
    for (int64_t r = 0; r < count; r++) {
      const float *node = mms_tree_node(index, level, rows[r].node);
      rows[r].node = rows[r].node * MMS_TREE_LEAF + self->kernels->tree_nearest_box(node, index->dim, rows[r].query);
      mms_tree_fetch(index, level - 1, rows[r].node);
    }
}

/* Half of what may be dropped, n e^-b, is left to points beyond the search, which goes to b + ln 2; the other half to
 * the at most N points of the leaves that it finds, of which those below b + ln 2 − ln(n/N) may then go too. Neither
 * goes below the 37 of double rounding, nor below b where a test asks for less. */
static double search_depth(const mms_tree *self) { return self->depth + 0.69314718055994530942; }

static double list_depth(const mms_tree *self, int64_t leaves) {
  double depth = search_depth(self) + self->log_shares[leaves], least = self->depth < 37.0 ? self->depth : 37.0;
  return self->log_shares[leaves] == 0.0 || depth > least ? depth : least;
}

/* How far from z, or from its own place, a row is to be searched. The farthest that a point of weight e^-depth can be
 * from a draw whose nearest point is at most u away: |q − x|² <= r² = u² + 2δ²b; over the draws q = z + s, |z − x| <=
 * |s|
 * + r. The margin of 1e-9 covers the rounding of the squares. */
static void reach(mms_tree *self, mms_tree_row *row, const mms_tree_draws *draws, double depth) {
  double out[3], factor = (1.0 + 1e-9) * self->margin, inverse = self->index.inverse;
  self->kernels->tree_reach(self->index.dim, row->shifts, draws->groups, row->least, 2.0 * depth * draws->bandwidth2,
                            factor, out);
  double far = row->apart ? out[0] : out[1], square = far * far;
  row->wide = out[1] / out[0];
  row->away = out[2];
  row->reach2 = square < DBL_MAX ? square : DBL_MAX;
  /* in the boxes' units a place is rounded to 2^-53 of |z − centre| and of |s| */
  double box = far * inverse + 1e-15 * (row->size + 2.0 * out[2] * inverse);
  square = box * box * (1.0 + 1e-9);
  row->box_reach2 = square < DBL_MAX ? square : DBL_MAX;
}

/* The nearest points to z and to its draws, in the leaf where the descent ended. */
static void seed(mms_tree *self, mms_tree_row *row, const mms_tree_draws *draws) {
  int64_t dim = self->index.dim;
  const double *leaf = mms_tree_leaf(&self->index, row->node);
  int64_t lane = self->kernels->tree_seed(leaf, dim, row->z, row->shifts, draws->groups, row->least);
  for (int64_t k = 0; k < dim; k++) row->base[k] = leaf[k * MMS_TREE_LEAF + lane];
}

/* The children within reach of `count` nodes, in order; stops when there are more than `most` (room: most + 16). Their
 * distances into `squares` where they are wanted. */
static int64_t expand(const mms_tree *self, const mms_tree_row *row, int level, const int32_t *nodes, int64_t count,
                      int32_t *next, double *squares, int64_t most) {
  const mms_tree_index *index = &self->index;
  double apart[MMS_TREE_LEAF] = {0};
  int64_t found = 0;
  for (int64_t i = 0; i < count && found <= most; i++)
    found += self->kernels->tree_boxes_within(mms_tree_node(index, level, nodes[i]), 1, index->dim, row->query,
                                              row->query, row->box_reach2, nodes[i] * MMS_TREE_LEAF, next + found,
                                              squares != NULL ? squares + found : apart);
  return found;
}

/* Once the number of leaves is known, a smaller depth may do: fewer leaves. */
static int64_t narrow(mms_tree *self, mms_tree_row *row, const mms_tree_draws *draws, int32_t *leaves,
                      const double *squares, int64_t count) {
  int64_t kept = 0;
  reach(self, row, draws, list_depth(self, count));
  for (int64_t i = 0; i < count; i++) {
    leaves[kept] = leaves[i];
    kept += squares[i] <= row->box_reach2;
  }
  return kept;
}

/* The leaves within reach, level by level, all rows side by side. */
static void gather_leaves(mms_tree *self, mms_tree_row *rows, int64_t count, const mms_tree_draws *draws) {
  const mms_tree_index *index = &self->index;
  int32_t next[MMS_TREE_FRONTIER];
  double squares[MMS_TREE_FRONTIER];
  for (int64_t r = 0; r < count; r++) rows[r].count = 1, rows[r].frontier[0] = 0;
  for (int level = index->levels; level >= 1; level--)
    for (int64_t r = 0; r < count; r++) {
      mms_tree_row *row = &rows[r];
      if (row->count < 0) continue;
      int64_t found = expand(self, row, level, row->frontier, row->count, next, squares, MMS_TREE_LEAVES);
      if (level == 1 && found <= MMS_TREE_LEAVES) found = narrow(self, row, draws, next, squares, found);
      row->count = found > MMS_TREE_LEAVES ? -1 : found;
      for (int64_t i = 0; i < row->count; i++) {
        row->frontier[i] = next[i];
        if (level > 1) mms_tree_fetch(index, level - 1, next[i]);
      }
    }
}

/* Where the group is in the boxes' units, and the farthest that one of its rows reaches. */
static bool surround(const mms_tree *self, const mms_tree_row *rows, int64_t count, double *low, double *high,
                     double *reach2) {
  bool finite = true;
  *reach2 = 0.0;
  for (int64_t k = 0; k < self->index.dim; k++) low[k] = INFINITY, high[k] = -INFINITY;
  for (int64_t r = 0; r < count; r++) {
    for (int64_t k = 0; k < self->index.dim; k++) {
      double q = rows[r].query[k];
      low[k] = q < low[k] ? q : low[k];
      high[k] = q > high[k] ? q : high[k];
    }
    *reach2 = rows[r].box_reach2 > *reach2 ? rows[r].box_reach2 : *reach2;
    finite = finite && isfinite(rows[r].size);
  }
  return finite;
}

/* The leaves that any row of a group may reach, and their boxes side by side: rows that lie together look through these
 * and not through the tree. The same leaves, as a row is no farther from any box than the box around the group is, also
 * as rounded. False: too many. */
static bool find_hood(mms_tree *self, const mms_tree_row *rows, int64_t count) {
  const mms_tree_index *index = &self->index;
  int64_t dim = index->dim, found = 1;
  double low[MMS_TREE_DIM_MOST], high[MMS_TREE_DIM_MOST], squares[MMS_TREE_LEAF], reach2;
  int32_t next[MMS_TREE_HOOD + MMS_TREE_LEAF];
  if (index->levels == 0 || !surround(self, rows, count, low, high, &reach2)) return false;
  self->hood[0] = 0;
  for (int level = index->levels; level >= 1; level--) {
    int64_t nodes = found;
    found = 0;
    for (int64_t i = 0; i < nodes && found <= MMS_TREE_HOOD; i++)
      found += self->kernels->tree_boxes_within(mms_tree_node(index, level, self->hood[i]), 1, dim, low, high, reach2,
                                                self->hood[i] * MMS_TREE_LEAF, next + found, squares);
    if (found > MMS_TREE_HOOD) return false;
    memcpy(self->hood, next, (size_t)found * sizeof *next);
  }
  for (int64_t i = 0; i < found; i++) {
    mms_tree_fetch(index, 0, self->hood[i]);
    const float *from = mms_tree_node(index, 1, self->hood[i] / MMS_TREE_LEAF) + self->hood[i] % MMS_TREE_LEAF;
    float *to = self->hood_boxes + i / MMS_TREE_LEAF * 2 * dim * MMS_TREE_LEAF + i % MMS_TREE_LEAF;
    for (int64_t k = 0; k < 2 * dim; k++) to[k * MMS_TREE_LEAF] = from[k * MMS_TREE_LEAF];
  }
  for (int64_t i = found; i % MMS_TREE_LEAF != 0; i++) { /* the last sixteen: boxes that are nowhere */
    float *to = self->hood_boxes + i / MMS_TREE_LEAF * 2 * dim * MMS_TREE_LEAF + i % MMS_TREE_LEAF;
    for (int64_t k = 0; k < 2 * dim; k++) to[k * MMS_TREE_LEAF] = k % 2 == 0 ? INFINITY : -INFINITY;
  }
  self->hood_count = found;
  return true;
}

static void gather_from_hood(mms_tree *self, mms_tree_row *row, const mms_tree_draws *draws) {
  double squares[MMS_TREE_FRONTIER];
  int64_t nodes = (self->hood_count + MMS_TREE_LEAF - 1) / MMS_TREE_LEAF;
  int64_t found = self->kernels->tree_boxes_within(self->hood_boxes, nodes, self->index.dim, row->query, row->query,
                                                   row->box_reach2, 0, row->frontier, squares);
  for (int64_t i = 0; i < found; i++) row->frontier[i] = self->hood[row->frontier[i]];
  row->count = narrow(self, row, draws, row->frontier, squares, found);
}

void mms_tree_search(mms_tree *self, mms_tree_row *rows, int64_t count, const mms_tree_draws *draws, bool near) {
  for (int64_t r = 0; r < count; r++) {
    seed(self, &rows[r], draws);
    reach(self, &rows[r], draws, search_depth(self));
  }
  if (near && find_hood(self, rows, count))
    for (int64_t r = 0; r < count; r++) gather_from_hood(self, &rows[r], draws);
  else
    gather_leaves(self, rows, count, draws);
}

int64_t mms_tree_search_wide(mms_tree *self, const mms_tree_row *row) {
  int64_t count = 1;
  self->wide[0][0] = 0;
  for (int level = self->index.levels; level >= 1; level--) {
    count = expand(self, row, level, self->wide[0], count, self->wide[1], NULL, self->index.leaves);
    int32_t *swap = self->wide[0];
    self->wide[0] = self->wide[1];
    self->wide[1] = swap;
  }
  return count;
}
