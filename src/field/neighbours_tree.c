/* The K nearest in few dimensions: the tree's boxes say what may be nearer than the K found so far. */
#include "field/neighbours.h"

#include "mmsold/base/memory.h"
#include <float.h>
#include <math.h>
#include <stdlib.h>

/* A point and where it stands, for putting two orders of the same points side by side. */
typedef struct place {
  const double *x;
  int64_t dim, at;
} place;

/* By coordinates, then by place: equal points keep their order. */
static int compare_places(const void *a, const void *b) {
  const place *p = a, *q = b;
  for (int64_t k = 0; k < p->dim; k++)
    if (p->x[k] != q->x[k]) return p->x[k] < q->x[k] ? -1 : 1;
  return (p->at > q->at) - (p->at < q->at);
}

/* Which training point is in which slot of the leaves. The tree holds the same points in its own order, so both orders
 * sorted by coordinates match; of equal points it does not matter which is which, as long as each has its own. */
static mms_status name_slots(const mms_neighbours *self, int32_t *names, mms_error *error) {
  const mms_training *training = self->training;
  int64_t n = training->count, d = training->dim, count = 0;
  double *copies = NULL;
  void *memory[2] = {NULL, NULL};
  mms_status status = mms_allocate_doubles(&copies, n * d, "the index's points", error);
  for (int i = 0; i < 2 && status == MMS_OK; i++)
    status = mms_allocate(&memory[i], n, sizeof(place), "the index's points", error);
  place *slots = memory[0], *points = memory[1];
  for (int64_t slot = 0; status == MMS_OK && slot < self->index.leaves * MMS_TREE_LEAF && count < n; slot++) {
    const double *leaf = mms_tree_leaf(&self->index, slot / MMS_TREE_LEAF) + slot % MMS_TREE_LEAF;
    names[slot] = -1;
    if (isinf(leaf[0])) continue;
    for (int64_t k = 0; k < d; k++) copies[count * d + k] = leaf[k * MMS_TREE_LEAF];
    slots[count] = (place){copies + count * d, d, slot};
    points[count] = (place){training->points + count * d, d, count};
    count++;
  }
  if (status == MMS_OK) {
    qsort(slots, (size_t)n, sizeof *slots, compare_places);
    qsort(points, (size_t)n, sizeof *points, compare_places);
    for (int64_t i = 0; i < n; i++) names[slots[i].at] = (int32_t)points[i].at;
  }
  free(copies);
  free(memory[0]);
  free(memory[1]);
  return status;
}

mms_status mms_neighbours_index_create(mms_neighbours *self, const mms_team *team, mms_error *error) {
  mms_status status = mms_tree_index_create(&self->index, team, self->training, error);
  if (status != MMS_OK) return status;
  size_t bytes = (size_t)(self->index.leaves * MMS_TREE_LEAF) * sizeof(int32_t);
  status = mms_shared_create(&self->names, team, bytes, "the names of the index's points", error);
  if (status != MMS_OK) return status;
  if (mms_team_rank(team) == 0) status = name_slots(self, mms_shared_data(self->names), error);
  status = mms_team_agree(team, status, error);
  if (status == MMS_OK) mms_shared_publish(self->names);
  return status;
}

static void offer_leaf(mms_neighbours *self, int64_t leaf, const double *z) {
  const double *points = mms_tree_leaf(&self->index, leaf);
  const int32_t *names = (const int32_t *)mms_shared_data(self->names) + leaf * MMS_TREE_LEAF;
  double square[MMS_TREE_LEAF] = {0.0};
  for (int64_t k = 0; k < self->index.dim; k++) /* in the order of mms_square_distance */
    for (int i = 0; i < MMS_TREE_LEAF; i++) {
      double y = points[k * MMS_TREE_LEAF + i] - z[k];
      square[i] += y * y;
    }
  double reach = mms_nearest_reach(&self->nearest);
  for (int i = 0; i < MMS_TREE_LEAF; i++)
    if (square[i] <= reach && !isinf(points[i])) mms_nearest_offer(&self->nearest, square[i], names[i]);
}

/* The square, in the boxes' units, within which a box must be looked into: the farthest of the nearest so far, and what
 * rounding the place of z to 2^-53 of it may hide. */
static double box_reach2(const mms_neighbours *self, double norm) {
  double reach = sqrt(mms_nearest_reach(&self->nearest)) * (1.0 + 1e-9) / self->index.scale + 1e-15 * norm;
  return fmin(reach * reach * (1.0 + 1e-9), DBL_MAX); /* and no infinite box is within it */
}

/* The children of a node that may be near enough, the nearest first. */
typedef struct branch {
  int64_t count;
  int32_t ids[MMS_TREE_LEAF];
  double squares[MMS_TREE_LEAF];
} branch;

static void open_node(const mms_neighbours *self, int level, int64_t node, const double *query, double norm,
                      branch *out) {
  out->count =
      self->kernels->tree_boxes_within(mms_tree_node(&self->index, level, node), 1, self->index.dim, query, query,
                                       box_reach2(self, norm), (int32_t)node * MMS_TREE_LEAF, out->ids, out->squares);
}

/* Takes out the nearest that is left, −1 where there is none. */
static int64_t next_of(branch *b, double *square) {
  if (b->count == 0) return -1;
  int64_t best = 0;
  for (int64_t i = 1; i < b->count; i++)
    if (b->squares[i] < b->squares[best]) best = i;
  int32_t id = b->ids[best];
  *square = b->squares[best];
  b->count--;
  b->ids[best] = b->ids[b->count];
  b->squares[best] = b->squares[b->count];
  return id;
}

/* Everything below node `root` of level `top` that may be near enough, but for node `left_out` of level `floor`. */
static void visit(mms_neighbours *self, int top, int64_t root, int floor, int64_t left_out, const double *query,
                  double norm, const double *z) {
  branch branches[MMS_TREE_LEVELS + 1];
  if (top == 0) {
    offer_leaf(self, root, z);
    return;
  }
  int level = top;
  open_node(self, level, root, query, norm, &branches[level]);
  while (level <= top) {
    double square = 0.0;
    int64_t child = next_of(&branches[level], &square);
    if (child < 0 || square > box_reach2(self, norm)) { /* nor is any that is farther */
      level++;
    } else if (level - 1 == floor && child == left_out) {
      continue;
    } else if (level == 1) {
      offer_leaf(self, child, z);
    } else {
      level--;
      open_node(self, level, child, query, norm, &branches[level]);
    }
  }
}

void mms_neighbours_search(mms_neighbours *self, const double *z) {
  const mms_tree_index *index = &self->index;
  double query[MMS_TREE_DIM_MOST], norm = 0.0;
  for (int64_t k = 0; k < index->dim; k++) {
    query[k] = (z[k] - index->centre[k]) / index->scale;
    norm += query[k] * query[k];
  }
  norm = sqrt(norm);
  self->nearest.count = 0;
  /* First the smallest part of the tree around z that is likely to hold K points, so that the reach is short when the
   * rest is looked at. */
  int64_t node = 0, held = 1;
  int floor = index->levels, below = 0;
  for (held = MMS_TREE_LEAF; below < index->levels && held < 2 * self->k; below++) held *= MMS_TREE_LEAF;
  for (; floor > below; floor--)
    node = node * MMS_TREE_LEAF + self->kernels->tree_nearest_box(mms_tree_node(index, floor, node), index->dim, query);
  visit(self, floor, node, -1, 0, query, norm, z);
  if (floor < index->levels) visit(self, index->levels, 0, floor, node, query, norm, z);
}
