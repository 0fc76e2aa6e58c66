/* What the constraint keeps between its calls. Private to src/ensemble. */
#ifndef ENSEMBLE_CONSTRAINT_STATE_H
#define ENSEMBLE_CONSTRAINT_STATE_H

#include "ensemble/panels.h"
#include "mmsold/ensemble/constraint.h"
#include "mmsold/linalg/dense.h"
#include "mmsold/parallel/exact_sum.h"
#include "mmsold/parallel/shared.h"

/* The fine sums of a step, beside the coarse ones of its moments. */
enum {
  MMS_FINE_POTENTIAL, /* V/2^40 */
  MMS_FINE_DRIFT,     /* tr(WᵀW)/(2 d): S may be too small to be read from its coarse sums */
  MMS_FINE_RIDERS,    /* the first of them */
  MMS_FINE_SUMS = MMS_FINE_RIDERS + MMS_RIDERS
};

typedef struct mms_root_size {
  double condition; /* κ₁(R) (QR) or that of the square root of Gram/P (polar) */
  double longest;   /* the largest square sum of a column of the inverse root */
} mms_root_size;

/* The d × d work behind one table of functions: the same on every rank (constraint_replicated.c), or spread over the
 * ranks (constraint_distributed.c). With D = YᵀY, S = WᵀW, C = YᵀW (constraint.h): */
typedef struct mms_constraint_algebra {
  /* How many coarse sums a step and a plain retraction make. */
  int64_t (*step_length)(int64_t d);
  int64_t (*plain_length)(int64_t d);
  /* Its memory in `constraint`. Local. */
  mms_status (*create)(mms_constraint *constraint, mms_error *error);
  void (*free)(mms_constraint *constraint);
  /* Let the ranks of a node work together from now on, where they can. NULL: they do anyhow. Collective. */
  void (*share)(mms_constraint *constraint, const mms_team *team);
  /* What of the local rows travels in `sum`, with w also MMS_FINE_DRIFT; w NULL: of y alone. Returns the first refused
   * block or −1, and how many. y and w stay as they are until `total`. Local. */
  int64_t (*add)(mms_constraint *constraint, mms_exact_sum *sum, const double *y, const double *w, int64_t *count);
  /* After the reduction of `sum`: 1ᵀY and D, and of a step 1ᵀW, S and C too. Collective where distributed. */
  void (*total)(mms_constraint *constraint, mms_exact_sum *sum, bool step);
  /* max |D/P − I| over the upper triangle. Collective where distributed; alike on all ranks. */
  double (*defect)(const mms_constraint *constraint);
  /* A, center = m and root = Gram/P; the latter from D alone with center given. Both return a bound, `growth`,
   * of the terms that Gram/P was summed from; no entry of it lacks more than eps · growth. */
  double (*assemble)(mms_constraint *constraint); /* Collective where shared or distributed. */
  double (*assemble_plain)(mms_constraint *constraint);
  /* From root = Gram/P: the inverse root, and its size unless that is NULL. MMS_ERR_NUMERIC where Gram is not positive
   * definite, agreed where distributed. */
  mms_status (*factor)(mms_constraint *constraint, mms_root_size *size, mms_error *error);
  /* y ← (y A + w − 1mᵀ) inverse, or y ← (y − 1mᵀ) inverse without w; w is destroyed. */
  void (*update)(mms_constraint *constraint, double *y, double *w);
  int64_t (*bytes)(const mms_constraint *constraint);
} mms_constraint_algebra;

/* MMS_ERR_NUMERIC where the smallest eigenvalue of Gram/P is not positive. Local. */
mms_status mms_constraint_refuse_indefinite(double largest, double smallest, mms_error *error);

/* Of the replicated algebra: `assemble` and `share` (constraint_gram.c). */
double mms_constraint_assemble(mms_constraint *constraint);
void mms_constraint_share_product(mms_constraint *constraint, const mms_team *team);

extern const mms_constraint_algebra mms_constraint_replicated, mms_constraint_distributed;

/* Whole matrices, in `memory` each on its own cache lines, or where their sums stood. */
typedef struct mms_constraint_whole {
  mms_dense_eigen_work eigen; /* polar only */
  double *panel;              /* see panels.h: some rows of a block's moments */
  const double *d, *s;        /* totals: YᵀY and WᵀW, the rows of their upper triangles */
  double *c;                  /* [d][d] totals YᵀW, then X (constraint_gram.c) */
  double *a;                  /* [d][d] A = I − sym(C)/P */
  double *root;               /* [d][d] A X without a board, Gram/P, then R⁻¹ (QR) or Q w^{-1/2} (polar) */
  double *inverse;            /* [d][d] R⁻¹ in `root` (QR) or (Gram/P)^{-1/2} (polar) */
  double *turn;               /* [d][d] polar only: eigenvectors */
  double *eigenvalues;        /* [d] */
  double *tile;               /* [block size][d] */
  double *refused, *squares;  /* [local blocks] see panels.h */
  double *memory;
  int64_t memory_count; /* doubles in it */
  mms_shared *board;    /* [d][d] that the ranks of a node write together; NULL: each for itself */
  const mms_team *team; /* whose ranks share it; NULL without */
} mms_constraint_whole;

struct mms_constraint_spread; /* matrices on a grid of ranks; see constraint_distributed.c */

struct mms_constraint {
  mms_blocks blocks;
  int64_t dim; /* d */
  mms_retraction retraction;
  const mms_constraint_algebra *algebra;
  /* A step's sums; a plain retraction's. */
  mms_exact_sum *step_sum, *plain_sum;
  mms_moments_report report;
  bool calm;                            /* no rank can want a repair of this step, nor find it singular */
  mms_error kept;                       /* this rank's own failure of which the others do not know */
  double *sum_y, *sum_w;                /* [d] 1ᵀY and 1ᵀW */
  double *center;                       /* [d] m */
  mms_constraint_whole whole;           /* replicated */
  mms_rank_grid *grid;                  /* distributed: borrowed, else NULL ... */
  struct mms_constraint_spread *spread; /* ... and the matrices on it */
};

#endif
