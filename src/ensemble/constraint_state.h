/* What the constraint keeps between its calls. Private to src/ensemble. */
#ifndef ENSEMBLE_CONSTRAINT_STATE_H
#define ENSEMBLE_CONSTRAINT_STATE_H

#include "mmsold/ensemble/constraint.h"
#include "mmsold/linalg/dense.h"
#include "mmsold/parallel/exact_sum.h"

struct mms_constraint {
  mms_blocks blocks;
  int64_t dim; /* d */
  mms_retraction retraction;
  /* A step's sums: 1ᵀY, 1ᵀW, D and S (upper triangles, packed), C, V/2^40, the riders. */
  mms_exact_sum *step_sum;
  /* A plain retraction's: 1ᵀY and D. */
  mms_exact_sum *plain_sum;
  mms_dense_eigen_work eigen; /* polar only */
  mms_moments_report report;

  /* In `memory`, each on its own cache lines: */
  double *packed;        /* [length of step_sum] all totals */
  double *panel;         /* see panels.h: some rows of a block's moments */
  double *sum_y, *sum_w; /* [d] 1ᵀY and 1ᵀW */
  double *center;        /* [d] m */
  double *d, *s, *c;     /* [d][d] YᵀY, WᵀW, YᵀW */
  double *a;             /* [d][d] A = I − sym(C)/P */
  double *root;          /* [d][d] Gram/P, then R (QR) or its eigenvectors (polar) */
  double *inverse;       /* [d][d] R⁻¹, or (Gram/P)^{-1/2} */
  double *turn;          /* [d][d] D A + 2 C, then eigenvectors (polar) */
  double *eigenvalues;   /* [d] */
  double *tile;          /* [block size][d] */
  double *refused;       /* [local blocks] not zero where a block was refused */
  double *memory;
  int64_t memory_count; /* doubles in it */
};

/* root = Gram/P (upper triangle) and center = m from the sums of a step, and A. */
void mms_constraint_assemble(mms_constraint *constraint);

/* From root = Gram/P: the inverse root, report.condition and report.error_bound, where no term of
 * Gram/P is larger than `growth`. MMS_ERR_NUMERIC where Gram is not safely positive definite. */
mms_status mms_constraint_factor(mms_constraint *constraint, double growth, mms_error *error);

/* Rounding bound of the terms Gram/P is summed from, see mms_constraint_factor. */
double mms_constraint_growth(const mms_constraint *constraint);

#endif
