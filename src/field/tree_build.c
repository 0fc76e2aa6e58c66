#include "field/tree.h"

#include "mmsold/base/memory.h"
#include "mmsold/base/sort.h"
#include <float.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { SAMPLE = 127, SAMPLE_FROM = 2048 };

/* A deterministic spread of places: Knuth's multiplicative generator (MMIX). */
static int64_t somewhere(uint64_t *state, int64_t lo, int64_t hi) {
  *state = *state * 6364136223846793005ULL + 1442695040888963407ULL;
  return lo + (int64_t)((*state >> 33) % (uint64_t)(hi - lo));
}

/* A pivot near the wanted place: the same quantile of a sample. */
static double choose_pivot(const double *p, int64_t dim, int64_t k, int64_t lo, int64_t hi, int64_t nth,
                           uint64_t *state) {
  double sample[SAMPLE] = {0};
  int64_t size = hi - lo >= SAMPLE_FROM ? SAMPLE : 5;
  for (int64_t i = 0; i < size; i++) sample[i] = p[somewhere(state, lo, hi) * dim + k];
  mms_sort_doubles(sample, size);
  return sample[(int64_t)((double)(nth - lo) / (double)(hi - lo) * (double)size)];
}

static inline void swap_rows(double *a, double *b, int64_t dim) {
  for (int64_t k = 0; k < dim; k++) {
    double value = a[k];
    a[k] = b[k];
    b[k] = value;
  }
}

/* Hoare's partition, which stops on equal values and so halves a run of duplicates. */
static inline void select_rows(double *p, int64_t dim, int64_t k, int64_t lo, int64_t hi, int64_t nth) {
  uint64_t state = 1;
  while (hi - lo > 1) {
    double pivot = choose_pivot(p, dim, k, lo, hi, nth, &state);
    int64_t i = lo, j = hi - 1;
    while (i <= j) {
      while (p[i * dim + k] < pivot) i++;
      while (p[j * dim + k] > pivot) j--;
      if (i > j) break;
      swap_rows(p + i * dim, p + j * dim, dim);
      i++, j--;
    }
    if (nth <= j)
      hi = j + 1;
    else if (nth >= i)
      lo = i;
    else
      return;
  }
}

void mms_tree_select(double *p, int64_t dim, int64_t k, int64_t lo, int64_t hi, int64_t nth) {
  switch (dim) { /* known dimensions, for the compiler */
  case 1:
    select_rows(p, 1, k, lo, hi, nth);
    break;
  case 2:
    select_rows(p, 2, k, lo, hi, nth);
    break;
  case 3:
    select_rows(p, 3, k, lo, hi, nth);
    break;
  default:
    select_rows(p, dim, k, lo, hi, nth);
  }
}

static void bounds(const double *p, int64_t dim, int64_t lo, int64_t hi, double *low, double *high) {
  for (int64_t k = 0; k < dim; k++) low[k] = INFINITY, high[k] = -INFINITY;
  for (int64_t i = lo; i < hi; i++)
    for (int64_t k = 0; k < dim; k++) {
      double x = p[i * dim + k];
      low[k] = x < low[k] ? x : low[k];
      high[k] = x > high[k] ? x : high[k];
    }
}

static int64_t widest(const double *p, int64_t dim, int64_t lo, int64_t hi) {
  double low[MMS_TREE_DIM_MOST], high[MMS_TREE_DIM_MOST];
  bounds(p, dim, lo, hi, low, high);
  int64_t best = 0;
  for (int64_t k = 1; k < dim; k++) best = high[k] - low[k] > high[best] - low[best] ? k : best;
  return best;
}

/* Order the points of leaves first .. first + leaves − 1: the left part takes the largest power of two of them, so
 * every aligned run of a power of two is one cell. */
static void split(double *p, int64_t dim, int64_t count, int64_t first, int64_t leaves) {
  while (leaves > 1) {
    int64_t left = 1;
    while (2 * left < leaves) left *= 2;
    int64_t lo = first * MMS_TREE_LEAF, nth = (first + left) * MMS_TREE_LEAF, hi = (first + leaves) * MMS_TREE_LEAF;
    hi = hi < count ? hi : count;
    mms_tree_select(p, dim, widest(p, dim, lo, hi), lo, hi, nth);
    split(p, dim, count, first, left);
    first += left;
    leaves -= left;
  }
}

/* A leaf's rows by coordinate, in place. */
static void turn(double *leaf, int64_t dim, int64_t count) {
  double rows[MMS_TREE_LEAF * MMS_TREE_DIM_MOST];
  memcpy(rows, leaf, (size_t)(count * dim) * sizeof(double));
  for (int64_t k = 0; k < dim; k++)
    for (int64_t i = 0; i < MMS_TREE_LEAF; i++) leaf[k * MMS_TREE_LEAF + i] = i < count ? rows[i * dim + k] : INFINITY;
}

/* (x − centre)/scale rounded to a float that is certainly below, or above: the difference is rounded once in double and
 * once to float, each by less than the next float's distance. */
static float outwards(double x, double centre, double scale, double direction) {
  float value = (float)((x - centre) / scale);
  return nextafterf(nextafterf(value, (float)direction), (float)direction);
}

static void box_of_leaf(const mms_tree_index *index, int64_t leaf, float *low, float *high) {
  const double *points = mms_tree_leaf(index, leaf);
  for (int64_t k = 0; k < index->dim; k++) {
    double least = INFINITY, most = -INFINITY;
    for (int64_t i = 0; i < MMS_TREE_LEAF; i++) {
      double x = points[k * MMS_TREE_LEAF + i];
      if (isinf(x)) continue;
      least = fmin(least, x);
      most = fmax(most, x);
    }
    low[k] = outwards(least, index->centre[k], index->scale, -INFINITY);
    high[k] = outwards(most, index->centre[k], index->scale, INFINITY);
  }
}

static void box_of_node(const mms_tree_index *index, int level, int64_t node, float *low, float *high) {
  const float *boxes = mms_tree_node(index, level, node);
  for (int64_t k = 0; k < index->dim; k++) {
    low[k] = INFINITY, high[k] = -INFINITY;
    for (int64_t c = 0; c < MMS_TREE_LEAF; c++) {
      low[k] = fminf(low[k], boxes[2 * k * MMS_TREE_LEAF + c]);
      high[k] = fmaxf(high[k], boxes[(2 * k + 1) * MMS_TREE_LEAF + c]);
    }
  }
}

static void fill_boxes(const mms_tree_index *index, float *boxes) {
  int64_t dim = index->dim;
  for (int level = 1; level <= index->levels; level++)
    for (int64_t node = 0; node < index->nodes[level]; node++) {
      float *out = boxes + (index->first[level] + node) * 2 * dim * MMS_TREE_LEAF;
      for (int64_t c = 0; c < MMS_TREE_LEAF; c++) {
        float low[MMS_TREE_DIM_MOST], high[MMS_TREE_DIM_MOST];
        int64_t child = node * MMS_TREE_LEAF + c;
        bool there = child < index->nodes[level - 1];
        if (there && level == 1) box_of_leaf(index, child, low, high);
        if (there && level > 1) box_of_node(index, level - 1, child, low, high);
        for (int64_t k = 0; k < dim; k++) {
          out[2 * k * MMS_TREE_LEAF + c] = there ? low[k] : INFINITY;
          out[(2 * k + 1) * MMS_TREE_LEAF + c] = there ? high[k] : -INFINITY;
        }
      }
    }
}

/* The middle of all points, and a power of two that no coordinate is farther from it; not below 2^-300, so that the
 * square of a query's place in this unit does not overflow where the points are tiny against the bandwidth (their boxes
 * are then rounded outwards to the smallest floats, which is safe). */
static void measure(const mms_training *training, double *centre, double *scale) {
  double low[MMS_TREE_DIM_MOST], high[MMS_TREE_DIM_MOST], most = 0.0;
  bounds(training->points, training->dim, 0, training->count, low, high);
  for (int64_t k = 0; k < training->dim; k++) {
    centre[k] = 0.5 * low[k] + 0.5 * high[k];
    most = fmax(most, fmax(high[k] - centre[k], centre[k] - low[k]));
  }
  int exponent = 0;
  if (most > 0.0) frexp(most, &exponent);
  *scale = ldexp(1.0, exponent < -300 ? -300 : exponent > 1000 ? 1000 : exponent);
}

static int64_t round_up(int64_t value, int64_t unit) { return (value + unit - 1) / unit * unit; }

mms_status mms_tree_index_create(mms_tree_index *index, const mms_team *team, const mms_training *training,
                                 mms_error *error) {
  int64_t n = training->count, d = training->dim, total = 0;
  *index = (mms_tree_index){.dim = d, .leaves = (n + MMS_TREE_LEAF - 1) / MMS_TREE_LEAF};
  index->nodes[0] = index->leaves;
  for (int64_t below = index->leaves; below > 1;) {
    below = (below + MMS_TREE_LEAF - 1) / MMS_TREE_LEAF;
    index->first[++index->levels] = total;
    index->nodes[index->levels] = below;
    total += below;
  }
  int64_t header = round_up(d + 1, MMS_TREE_LEAF), values = index->leaves * MMS_TREE_LEAF * d;
  size_t bytes = (size_t)(header + values) * sizeof(double) + (size_t)(total * 2 * d * MMS_TREE_LEAF) * sizeof(float);
  mms_status status = mms_shared_create(&index->memory, team, bytes, "the field's index of the training set", error);
  if (status != MMS_OK) return status;
  double *centre = mms_shared_data(index->memory), *points = centre + header;
  float *boxes = (float *)(void *)(points + values);
  index->centre = centre;
  index->points = points;
  index->boxes = boxes;
  if (mms_team_rank(team) == 0) {
    measure(training, centre, &centre[d]);
    index->scale = centre[d];
    memcpy(points, training->points, (size_t)(n * d) * sizeof(double));
    split(points, d, n, 0, index->leaves);
    for (int64_t leaf = 0; leaf < index->leaves; leaf++) {
      int64_t rest = n - leaf * MMS_TREE_LEAF;
      turn(points + leaf * MMS_TREE_LEAF * d, d, rest < MMS_TREE_LEAF ? rest : MMS_TREE_LEAF);
    }
    fill_boxes(index, boxes);
  }
  mms_shared_publish(index->memory);
  index->scale = centre[d];
  index->inverse = 1.0 / index->scale;
  return MMS_OK;
}

void mms_tree_index_free(mms_tree_index *index) { mms_shared_free(&index->memory); }
