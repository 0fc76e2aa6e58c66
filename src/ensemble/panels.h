/* First and second moments of blocks of rows into exact sums. Private to src/ensemble. */
#ifndef ENSEMBLE_PANELS_H
#define ENSEMBLE_PANELS_H

#include "mmsold/parallel/blocks.h"
#include "mmsold/parallel/exact_sum.h"
#include <stdbool.h>
#include <stdint.h>

/* What the moments of a rank's blocks are formed with; all borrowed. */
typedef struct mms_panels {
  const mms_blocks *blocks;
  int64_t dim;     /* d */
  double *panel;   /* [mms_panels_room(d)]: some rows of a block's moments */
  double *refused; /* [local blocks]: not zero where a block was refused */
  double *squares; /* [local blocks], with w only: for tr WᵀW of each ... */
  int64_t drift;   /* ... of which tr WᵀW/(2 d) goes into this fine sum */
} mms_panels;

int64_t mms_panels_room(int64_t d);
int64_t mms_panels_triangle(int64_t d);     /* d (d + 1)/2: a packed upper triangle */
int64_t mms_panels_plain_length(int64_t d); /* 1ᵀY and the triangle of YᵀY */
int64_t mms_panels_step_length(int64_t d);  /* 1ᵀY, 1ᵀW, the triangles of YᵀY and WᵀW, and YᵀW */

/* The moments of all local blocks, in that order from the first coarse place of `sum` on; w NULL: of y alone. The mean
 * square of W, which may be as small as a step, is summed finely besides. Some rows of one of the d × d moments at a
 * time, so that the sums' limbs stay in cache. A block's arithmetic depends on nothing but
 * the block. Returns the first block that holds values which the sums refuse, or −1; `count` receives how many do. */
int64_t mms_panels_add(mms_panels *panels, mms_exact_sum *sum, const double *y, const double *w, int64_t *count);

/* Potentials are of any size, 1e8 and more for a particle far away at a small bandwidth: they travel finely, divided by
 * this (2^40). False, and nothing added at `at`, where even then a value is too large or not finite. */
#define MMS_POTENTIAL_UNIT 1099511627776.0
bool mms_panels_add_potential(mms_exact_sum *sum, int64_t at, double potential);

/* Add `count` riders at the fine place `at`; returns how many were refused as not finite or too large, and left out. */
int64_t mms_panels_add_riders(mms_exact_sum *sum, int64_t at, int64_t count, const double *values);

/* Where row i of an upper triangle begins, at its diagonal, in the packed form. */
int64_t mms_panels_triangle_row(int64_t d, int64_t i);

#endif
