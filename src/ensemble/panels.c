#include "ensemble/panels.h"

#include "ensemble/few.h"
#include "mmsold/linalg/dense.h"
#include <math.h>
#include <string.h>

/* Rows of a d × d moment that are formed and summed together, over all local blocks: their limbs, 16 bytes a value,
 * stay in a cache of 2 MiB up to d = 1,020, and the product is large enough for BLAS' full rate. One moment after the
 * other. */
enum { PANEL = 128 };

/* What a block may add to a sum (see exact_sum.h). */
static const double LARGEST_MOMENT = 140737488355328.0; /* 2^47 */

int64_t mms_panels_room(int64_t d) { return (2 + PANEL) * d; }
int64_t mms_panels_triangle(int64_t d) { return d * (d + 1) / 2; }
int64_t mms_panels_plain_length(int64_t d) { return d + mms_panels_triangle(d); }
int64_t mms_panels_step_length(int64_t d) { return 2 * mms_panels_plain_length(d) + d * d; }

int64_t mms_panels_triangle_row(int64_t d, int64_t i) { return i * d - i * (i - 1) / 2; }

/* Rows first .. first + count − 1 of the packed triangle of AᵀA, A [rows][d], into the sums from `at` on. Returns the
 * part of the trace that is on them. */
static double add_gram(const mms_panels *panels, mms_exact_sum *sum, int64_t at, int64_t rows, const double *a,
                       int64_t first, int64_t count) {
  int64_t d = panels->dim, width = d - first;
  double trace = 0.0;
  mms_dense_gram_panel(rows, d, first, count, a, panels->panel);
  for (int64_t i = 0; i < count; i++) {
    const double *row = panels->panel + i * width + i;
    mms_exact_sum_add_coarse(sum, at + mms_panels_triangle_row(d, first + i), width - i, row);
    trace += row[0];
  }
  return trace;
}

/* 1ᵀA for A [rows][d]. */
static void add_column_sums(const mms_panels *panels, mms_exact_sum *sum, int64_t at, int64_t rows, const double *a) {
  int64_t d = panels->dim;
  memset(panels->panel, 0, (size_t)d * sizeof *panels->panel);
  for (int64_t i = 0; i < rows; i++)
    for (int64_t k = 0; k < d; k++) panels->panel[k] += a[i * d + k];
  mms_exact_sum_add_coarse(sum, at, d, panels->panel);
}

/* The d × d moments: YᵀY, WᵀW, YᵀW. */
enum { GRAM_Y, GRAM_W, PRODUCT, MOMENTS };

/* The same of few dimensions at once; returns the trace of WᵀW. */
static double add_few(const mms_panels *panels, mms_exact_sum *sum, int64_t rows, const double *y, const double *w) {
  int64_t d = panels->dim;
  double trace = 0.0;
  mms_few_moments(rows, d, y, w, panels->panel);
  mms_exact_sum_add_coarse(sum, 0, w == NULL ? mms_panels_plain_length(d) : mms_panels_step_length(d), panels->panel);
  const double *square = panels->panel + 2 * d + mms_panels_triangle(d);
  for (int64_t k = 0; k < d && w != NULL; k++) trace += square[mms_panels_triangle_row(d, k)];
  return trace;
}

/* Rows first .. first + now − 1 of a moment of a block, and with the first of all its sums of columns. Returns what of
 * the trace of WᵀW was met. */
static double add_block(const mms_panels *panels, mms_exact_sum *sum, int moment, int64_t rows, const double *y,
                        const double *w, int64_t first, int64_t now) {
  int64_t d = panels->dim, triangle = mms_panels_triangle(d), at = (w == NULL ? d : 2 * d) + moment * triangle;
  if (d <= MMS_FEW_DIMENSIONS) return add_few(panels, sum, rows, y, w);
  if (moment == GRAM_Y && first == 0) add_column_sums(panels, sum, 0, rows, y);
  if (moment == GRAM_Y && first == 0 && w != NULL) add_column_sums(panels, sum, d, rows, w);
  if (moment != PRODUCT) {
    double trace = add_gram(panels, sum, at, rows, moment == GRAM_Y ? y : w, first, now);
    return moment == GRAM_W ? trace : 0.0;
  }
  mms_dense_product_panel(rows, d, first, now, y, w, panels->panel);
  mms_exact_sum_add_coarse(sum, at + first * d, now * d, panels->panel);
  return 0.0;
}

/* tr(WᵀW)/(2 d) of the blocks: half the mean of sums that were not refused is not refused either. */
static void add_drift(const mms_panels *panels, mms_exact_sum *sum) {
  for (int64_t b = 0; b < panels->blocks->end - panels->blocks->first; b++) {
    double half = 0.5 * panels->squares[b] / (double)panels->dim;
    if (panels->refused[b] == 0.0) mms_exact_sum_add_fine(sum, panels->drift, 1, &half);
  }
}

int64_t mms_panels_add(mms_panels *panels, mms_exact_sum *sum, const double *y, const double *w, int64_t *count) {
  const mms_blocks *blocks = panels->blocks;
  int64_t d = panels->dim, bad = -1;
  const size_t local = (size_t)(blocks->end - blocks->first) * sizeof(double);
  memset(panels->refused, 0, local);
  if (w != NULL) memset(panels->squares, 0, local);
  *count = 0;
  const int moments = w == NULL || d <= MMS_FEW_DIMENSIONS ? 1 : MOMENTS;
  const int64_t panels_each = (d + PANEL - 1) / PANEL;
  for (int64_t part = 0; part < moments * panels_each; part++) {
    const int moment = (int)(part / panels_each);
    const int64_t first = part % panels_each * PANEL, now = d - first < PANEL ? d - first : PANEL;
    for (int64_t b = blocks->first; b < blocks->end; b++) {
      int64_t before = mms_exact_sum_refused(sum), offset = (mms_blocks_first_row(blocks, b) - blocks->first_row) * d;
      double trace = add_block(panels, sum, moment, mms_blocks_rows(blocks, b), y + offset,
                               w == NULL ? NULL : w + offset, first, now);
      if (w != NULL) panels->squares[b - blocks->first] += trace;
      if (mms_exact_sum_refused(sum) == before || panels->refused[b - blocks->first] != 0.0) continue;
      panels->refused[b - blocks->first] = 1.0;
      *count += 1;
      if (bad < 0 || b < bad) bad = b;
    }
  }
  if (w != NULL) add_drift(panels, sum);
  return bad;
}

bool mms_panels_add_potential(mms_exact_sum *sum, int64_t at, double potential) {
  double scaled = potential / MMS_POTENTIAL_UNIT;
  if (!(fabs(scaled) < LARGEST_MOMENT)) return false;
  mms_exact_sum_add_fine(sum, at, 1, &scaled);
  return true;
}

int64_t mms_panels_add_riders(mms_exact_sum *sum, int64_t at, int64_t count, const double *values) {
  int64_t before = mms_exact_sum_refused(sum);
  mms_exact_sum_add_fine(sum, at, count, values);
  return mms_exact_sum_refused(sum) - before;
}
