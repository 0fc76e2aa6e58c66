/* Rows in the order of the leaves that they are near: what one reads of the index is then still in the core's own
 * cache for the next, where rows in the order of the particles wait for memory. A row's bits do not depend on it. */
#include "field/tree.h"

#include "mmsold/base/clock.h"
#include "mmsold/base/memory.h"
#include <stdlib.h>
#include <string.h>

/* Digits of the sort: 2^11 counters stay in the first-level cache. */
enum { DIGIT = 11, DIGITS = 1 << DIGIT };

static const uint64_t ROW = UINT32_MAX; /* a pair's low half; the leaf is above it */

void mms_tree_order_free(mms_tree_order *order) {
  free(order->pairs);
  free(order->spare);
  *order = (mms_tree_order){0};
}

int64_t mms_tree_order_bytes(const mms_tree_order *order) { return 2 * order->room * (int64_t)sizeof(uint64_t); }

mms_status mms_tree_order_create(mms_tree_order *order, int64_t rows, mms_error *error) {
  void *memory[2] = {NULL, NULL};
  mms_tree_order_free(order);
  mms_status status = MMS_OK;
  if (rows > (int64_t)UINT32_MAX)
    status =
        mms_fail(error, MMS_ERR_INPUT,
                 "%lld particles on one rank are more than the tree puts in order: take more ranks", (long long)rows);
  for (int i = 0; i < 2 && status == MMS_OK; i++)
    status = mms_allocate(&memory[i], rows, sizeof(uint64_t), "the order of the particles", error);
  order->pairs = memory[0];
  order->spare = memory[1];
  if (status == MMS_OK)
    order->room = rows;
  else
    mms_tree_order_free(order);
  return status;
}

/* The leaf of each row, rows in the last call's order: from one step to the next few go far. */
static void find_leaves(mms_tree *self, const mms_queries *q) {
  mms_tree_order *order = &self->order;
  int64_t dim = self->index.dim;
  if (order->last != q->count)
    for (int64_t i = 0; i < q->count; i++) order->pairs[i] = (uint64_t)i;
  order->last = q->count;
  for (int64_t from = 0; from < q->count; from += MMS_TREE_GROUP) {
    int64_t count = q->count - from < MMS_TREE_GROUP ? q->count - from : MMS_TREE_GROUP;
    for (int64_t r = 0; r < count; r++) {
      self->rows[r].z = q->points + (int64_t)(order->pairs[from + r] & ROW) * dim;
      mms_tree_place(&self->index, &self->rows[r], NULL);
    }
    mms_tree_descend(self, self->rows, count);
    for (int64_t r = 0; r < count; r++)
      order->pairs[from + r] = (uint64_t)self->rows[r].node << 32 | (order->pairs[from + r] & ROW);
  }
}

/* By leaf, digit by digit from the lowest; rows of one leaf stay as they were. */
static void sort(mms_tree_order *order, int64_t leaves) {
  for (int shift = 0; leaves > (int64_t)1 << shift; shift += DIGIT) {
    int64_t first[DIGITS + 1] = {0};
    for (int64_t i = 0; i < order->last; i++) first[(order->pairs[i] >> (32 + shift) & (DIGITS - 1)) + 1]++;
    for (int64_t v = 0; v < DIGITS; v++) first[v + 1] += first[v];
    for (int64_t i = 0; i < order->last; i++)
      order->spare[first[order->pairs[i] >> (32 + shift) & (DIGITS - 1)]++] = order->pairs[i];
    uint64_t *swap = order->pairs;
    order->pairs = order->spare;
    order->spare = swap;
  }
}

void mms_tree_order_rows(mms_tree *self, const mms_queries *q, mms_pull pull, double *out, double *log_mass,
                         mms_field_counters *counters) {
  mms_tree_order *order = &self->order;
  int64_t dim = self->index.dim;
  double start = mms_clock_seconds();
  find_leaves(self, q);
  sort(order, self->index.leaves);
  counters->seconds_product += mms_clock_seconds() - start;
  for (int64_t from = 0; from < q->count; from += MMS_TREE_GROUP) {
    int32_t leaves[MMS_TREE_GROUP];
    mms_tree_group group = {.count = q->count - from, .leaves = leaves};
    if (group.count > MMS_TREE_GROUP) group.count = MMS_TREE_GROUP;
    for (int64_t r = 0; r < group.count; r++) {
      group.at[r] = (int64_t)(order->pairs[from + r] & ROW);
      leaves[r] = (int32_t)(order->pairs[from + r] >> 32);
    }
    for (int64_t i = from + MMS_TREE_GROUP; i < from + 2 * MMS_TREE_GROUP && i < q->count; i++) { /* the next group's */
      int64_t row = (int64_t)(order->pairs[i] & ROW);
      __builtin_prefetch(q->points + row * dim);
      __builtin_prefetch(out + row * dim, 1);
      __builtin_prefetch(log_mass + row, 1);
    }
    mms_tree_rows(self, q, &group, pull, out, log_mass, counters);
  }
}
