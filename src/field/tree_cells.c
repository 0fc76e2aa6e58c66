#include "field/tree_cells.h"

#include "mmsold/base/memory.h"
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* The rule. Space around the training set, MARGIN bandwidths and smoothings farther on every side, is halved again and
 * again in every direction, down to 8^d cells a point, 2^8 to 2^18 in all, or to where a list is one unit long. In a
 * box c ± h with the points' one y nearest to c max over the box of (|q − y|² − |q − x|²) = |c − y|² − |c − x|² + 2 Σ_k
 * h_k |x_k − y_k|, as this is linear in q; x is left out where that is below −2δ²b, so that it weighs less than e^-b of
 * y all over the box. Parts of a box only look at its own list. The most that it comes to bounds the weights taken
 * relative to y's. A cell whose list is longer than MMS_CELLS_UNITS units, or whose weights may be too large, has none:
 * its rows are searched for. Where half of PROBES training points have more others of weight than a list takes,
 * building looks at more than EFFORT points a cell, or one point in USEFUL has no list where it is, lists are not for
 * this bandwidth. */
static const double MARGIN = 6.0;
enum { CELLS_A_SIDE = 8, BITS_LEAST = 8, BITS_MOST = 18, PROBES = 32, EFFORT = 96, USEFUL = 4, NO_LIST = -1 };
static const double NOWHERE = 1e150, LARGEST = 1e100; /* of the points; squares are numbers still */

/* A box: 2^level of them a side; `place` is its corner in cells. */
typedef struct box {
  int level;
  int64_t place[MMS_CELLS_DIM_MOST];
} box;

typedef struct builder {
  mms_tree_cells *cells;
  const mms_training *training;
  double width[MMS_CELLS_DIM_MOST]; /* of a cell */
  double blur[MMS_CELLS_DIM_MOST];  /* a place is rounded by less */
  double slack, rise;               /* 2δ²b, 2δ² ln 2^RISE */
  int32_t *stack;                   /* lists of the boxes from the whole down to the one in hand */
  int64_t room, effort;             /* of the stack; points that may still be looked at */
} builder;

void mms_tree_cells_free(mms_tree_cells *cells) {
  free(cells->table);
  free(cells->lists);
  cells->view = (mms_cells){0};
  cells->table = NULL;
  cells->lists = NULL;
  cells->used = cells->room = cells->bytes = 0;
  cells->bandwidth = 0.0;
}

/* Room for `units` more, twice as much each time. */
static mms_status make_room(mms_tree_cells *cells, int64_t units, mms_error *error) {
  if (cells->used + units <= cells->room) return MMS_OK;
  int64_t room = 2 * (cells->room + 512), unit = cells->view.dim * MMS_CELLS_UNIT;
  double *lists = NULL;
  mms_status status = mms_allocate_doubles(&lists, room * unit, "the field's lists", error);
  if (status != MMS_OK) return status;
  if (cells->used > 0) memcpy(lists, cells->lists, (size_t)(cells->used * unit) * sizeof *lists);
  free(cells->lists);
  cells->lists = lists;
  cells->room = room;
  return MMS_OK;
}

/* Every cell of a box gets `entry`. */
static void fill(mms_tree_cells *cells, const box *b, int32_t entry) {
  int64_t dim = cells->view.dim, bits = cells->view.bits, side = (int64_t)1 << (bits - b->level);
  for (int64_t r = 0; r < (dim > 1 ? side : 1); r++) {
    int64_t cell = b->place[0];
    if (dim > 1) cell += (b->place[1] + r) << bits;
    for (int64_t i = 0; i < side; i++) cells->table[cell + i] = entry;
  }
}

static mms_status emit(builder *self, const box *b, const int32_t *list, int64_t count, mms_error *error) {
  mms_tree_cells *cells = self->cells;
  int64_t units = (count + MMS_CELLS_UNIT - 1) / MMS_CELLS_UNIT;
  mms_status status = make_room(cells, units, error);
  if (status != MMS_OK) return status;
  int64_t dim = cells->view.dim;
  double *out = cells->lists + cells->used * dim * MMS_CELLS_UNIT;
  for (int64_t i = 0; i < units * MMS_CELLS_UNIT; i++)
    for (int64_t k = 0; k < dim; k++)
      out[(i / MMS_CELLS_UNIT * dim + k) * MMS_CELLS_UNIT + i % MMS_CELLS_UNIT] =
          i < count ? self->training->points[list[i] * dim + k] : NOWHERE;
  fill(cells, b, (int32_t)(cells->used * MMS_CELLS_UNITS + units - 1));
  cells->used += units;
  return MMS_OK;
}

/* From the list of a box's parent, its own: the nearest point first. *rise: the largest |q − y|² − |q − x|². */
static int64_t shorten(const builder *self, const box *b, const int32_t *from, int64_t count, int32_t *out,
                       double *rise) {
  const mms_cells *view = &self->cells->view;
  const double *points = self->training->points;
  int64_t dim = view->dim, side = (int64_t)1 << (view->bits - b->level), nearest = 0, kept = 0;
  double centre[MMS_CELLS_DIM_MOST], half[MMS_CELLS_DIM_MOST], least = INFINITY;
  for (int64_t k = 0; k < dim; k++) {
    half[k] = 0.5 * (double)side * self->width[k];
    centre[k] = view->low[k] + (double)b->place[k] * self->width[k] + half[k];
    half[k] += self->blur[k];
  }
  for (int64_t i = 0; i < count; i++) {
    double square = 0.0;
    for (int64_t k = 0; k < dim; k++) {
      double y = points[from[i] * dim + k] - centre[k];
      square += y * y;
    }
    if (square < least) least = square, nearest = i;
  }
  *rise = 0.0;
  out[kept++] = from[nearest];
  for (int64_t i = 0; i < count; i++) {
    double square = 0.0, spread = 0.0;
    for (int64_t k = 0; k < dim; k++) {
      double x = points[from[i] * dim + k], y = x - centre[k];
      square += y * y;
      spread += half[k] * fabs(x - points[from[nearest] * dim + k]);
    }
    double most = least - square + 2.0 * spread;
    if (i == nearest || most < -self->slack - 1e-14 * square) continue;
    out[kept++] = from[i];
    *rise = most > *rise ? most : *rise;
  }
  return kept;
}

/* The list of a box, or those of its parts. False in *good: too much work. */
static mms_status divide(builder *self, const box *b, const int32_t *from, int64_t count, int64_t stacked, bool *good,
                         mms_error *error) {
  int64_t dim = self->cells->view.dim, bits = self->cells->view.bits;
  int32_t *list = self->stack + stacked;
  double rise;
  self->effort -= count;
  *good = self->effort >= 0 && stacked + count <= self->room;
  if (!*good) return MMS_OK;
  int64_t kept = shorten(self, b, from, count, list, &rise);
  bool small = rise < self->rise;
  if (small && (kept <= MMS_CELLS_UNIT || (b->level == bits && kept <= MMS_CELLS_UNIT * MMS_CELLS_UNITS)))
    return emit(self, b, list, kept, error);
  if (b->level == bits) {
    fill(self->cells, b, NO_LIST);
    return MMS_OK;
  }
  mms_status status = MMS_OK;
  for (int64_t part = 0; part < (int64_t)1 << dim && status == MMS_OK && *good; part++) {
    box child = {.level = b->level + 1};
    for (int64_t k = 0; k < dim; k++) child.place[k] = b->place[k] + ((part >> k & 1) << (bits - child.level));
    status = divide(self, &child, list, kept, stacked + kept, good, error);
  }
  return status;
}

/* The space that the cells fill, and their number. */
static bool lay_out(builder *self, double reach) {
  mms_cells *view = &self->cells->view;
  const mms_training *training = self->training;
  int64_t dim = training->dim, all = BITS_LEAST, cells = training->count;
  for (int64_t k = 0; k < dim; k++) cells *= CELLS_A_SIDE;
  while (all < BITS_MOST && (int64_t)1 << all < cells) all++;
  *view = (mms_cells){.dim = dim, .bits = (int)((all + dim - 1) / dim)};
  view->size = (double)((int64_t)1 << view->bits);
  for (int64_t k = 0; k < dim; k++) {
    double low = INFINITY, high = -INFINITY;
    for (int64_t i = 0; i < training->count; i++) {
      double x = training->points[i * dim + k];
      low = x < low ? x : low;
      high = x > high ? x : high;
    }
    view->low[k] = low - reach;
    double side = high + reach - view->low[k], farthest = fabs(low) + fabs(high) + reach;
    if (!(farthest < LARGEST && side > 1e-9 * farthest)) return false;
    self->width[k] = side / view->size;
    view->inverse[k] = view->size / side;
    self->blur[k] = 1e-9 * self->width[k] + 16.0 * DBL_EPSILON * farthest;
  }
  return true;
}

static mms_status allocate(builder *self, mms_error *error) {
  mms_tree_cells *cells = self->cells;
  const mms_cells *view = &cells->view;
  int64_t n = self->training->count, table = (int64_t)1 << (view->bits * view->dim);
  void *memory = NULL;
  self->room = 4 * n + (view->bits + 1) * MMS_CELLS_UNIT * MMS_CELLS_UNITS;
  self->effort = EFFORT * table + 8 * n;
  mms_status status = mms_allocate(&memory, table, sizeof(int32_t), "the field's cells", error);
  cells->table = memory;
  if (status == MMS_OK) status = mms_allocate(&memory, self->room + n, sizeof(int32_t), "the field's lists", error);
  self->stack = status == MMS_OK ? memory : NULL;
  if (status != MMS_OK) return status;
  for (int64_t i = 0; i < n; i++) self->stack[self->room + i] = (int32_t)i;
  return MMS_OK;
}

/* Whether lists are sure to be too long, from a few points: those of weight to one are within 2δ²b of it. */
static bool too_wide(const mms_training *training, double slack) {
  int64_t probes = training->count < PROBES ? training->count : PROBES, wide = 0;
  for (int64_t p = 0; p < probes; p++) {
    const double *from = training->points + training->count * p / probes * training->dim;
    int64_t near = 0;
    for (int64_t i = 0; i < training->count; i++) {
      double square = 0.0;
      for (int64_t k = 0; k < training->dim; k++) {
        double y = training->points[i * training->dim + k] - from[k];
        square += y * y;
      }
      near += square <= slack;
    }
    wide += near > MMS_CELLS_UNIT * MMS_CELLS_UNITS;
  }
  return 2 * wide > probes;
}

/* Whether most points lie in cells with lists. */
static bool useful(const mms_tree_cells *cells, const mms_training *training) {
  const mms_cells *view = &cells->view;
  int64_t missing = 0;
  for (int64_t i = 0; i < training->count; i++) {
    int64_t cell = 0;
    for (int64_t k = 0; k < view->dim; k++)
      cell += (int64_t)((training->points[i * view->dim + k] - view->low[k]) * view->inverse[k]) << (k * view->bits);
    missing += cells->table[cell] == NO_LIST;
  }
  return missing * USEFUL < training->count;
}

mms_status mms_tree_cells_make(mms_tree_cells *cells, const mms_training *training, double bandwidth, double smoothing,
                               double depth, mms_error *error) {
  mms_tree_cells_free(cells);
  double delta2 = bandwidth * bandwidth;
  if (training->dim > MMS_CELLS_DIM_MOST || training->count >= (int64_t)1 << 24 || !(1.0 / delta2 > 1.0 / LARGEST))
    return MMS_OK;
  builder self = {.cells = cells,
                  .training = training,
                  .slack = 2.0 * delta2 * depth,
                  .rise = 2.0 * delta2 * MMS_TREE_RISE * 0.69314718055994530942};
  if (too_wide(training, self.slack) || !lay_out(&self, MARGIN * (bandwidth + smoothing))) {
    mms_tree_cells_free(cells);
    return MMS_OK;
  }
  bool good = true;
  box whole = {0};
  mms_status status = allocate(&self, error);
  if (status == MMS_OK) status = divide(&self, &whole, self.stack + self.room, training->count, 0, &good, error);
  free(self.stack);
  if (status != MMS_OK || !good || !useful(cells, training)) {
    mms_tree_cells_free(cells);
    return status;
  }
  cells->view.table = cells->table;
  cells->view.lists = cells->lists;
  cells->bandwidth = bandwidth;
  cells->bytes = (int64_t)sizeof(int32_t) << (cells->view.bits * cells->view.dim);
  cells->bytes += cells->room * cells->view.dim * MMS_CELLS_UNIT * (int64_t)sizeof(double);
  return MMS_OK;
}
