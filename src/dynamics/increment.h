/* The unprojected increment W of one step, scheme by scheme (ALGORITHMS 3). Private to src/dynamics. */
#ifndef DYNAMICS_INCREMENT_H
#define DYNAMICS_INCREMENT_H

#include "mmsold/dynamics/dynamics.h"

/* A scheme at a step size, over a target. Owns relax and spread. */
typedef struct mms_increment {
  mms_scheme scheme;
  double step_size;   /* h */
  double drift;       /* what G_Y is multiplied by: h, or h/(1 + h/2) */
  double noise;       /* what ξ (EM) or ξ_prev + ξ (LM) is multiplied by */
  bool uses_previous; /* W depends on the step before's noise */
  double *relax;      /* exponential: 1 − e^{−hB}, [d] */
  double *spread;     /* exponential: (B⁻¹(1 − e^{−2hB}))^{1/2}, [d] */
} mms_increment;

/* The factor of Σ* that a scheme works in. Local. */
mms_factor mms_increment_factor(mms_scheme scheme);

/* Half the stability bound for the schemes that have one, the bound for the exponential one. Local. */
double mms_increment_auto_step(mms_scheme scheme, const mms_target *target);

/* Local; MMS_ERR_MEMORY. */
mms_status mms_increment_create(mms_increment *increment, mms_scheme scheme, double step_size, const mms_target *target,
                                mms_error *error);
void mms_increment_free(mms_increment *increment);

/* w [rows][d] from y, its positions z, k̄ (`mean`, destroyed) and the noise (xi_previous is looked at
 * where uses_previous); all [rows][d]. Local; allocates nothing. */
void mms_increment_block(const mms_increment *increment, const mms_target *target, int64_t rows, const double *y,
                         const double *z, double *mean, const double *xi_previous, const double *xi, double *w);

/* The same in two parts, between which `mean` goes through the target's map (coordinates for the exponential scheme,
 * else pull_back) into `mapped`, which may be w. Local; allocates nothing. */
void mms_increment_field(const mms_increment *increment, const mms_target *target, int64_t rows, const double *z,
                         double *mean);
void mms_increment_finish(const mms_increment *increment, int64_t dim, int64_t rows, const double *y,
                          const double *mapped, const double *xi_previous, const double *xi, double *w);

/* The sums of squares of the two parts of a block's w: what the noise gave it, and the rest. Local. */
void mms_increment_parts(const mms_increment *increment, int64_t dim, int64_t rows, const double *xi_previous,
                         const double *xi, const double *w, double *pull_square, double *noise_square);

#endif
