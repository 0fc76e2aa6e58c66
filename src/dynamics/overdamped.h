/* Overdamped Langevin dynamics, with and without the constraint: the same increment W (ALGORITHMS 3). Private to
 * src/dynamics.
 *
 * The whole state is (Y, number of steps done): the noise of step t, ξ_prev included, is made again
 * from its key whenever it is needed, and step 0's is the first ξ_prev. */
#ifndef DYNAMICS_OVERDAMPED_H
#define DYNAMICS_OVERDAMPED_H

#include "dynamics/increment.h"
#include "dynamics/method.h"

typedef struct mms_overdamped {
  mms_dynamics base;
  mms_increment increment;
  double *xi_previous; /* [block size][d] */
} mms_overdamped;

/* Entries of the tables of both. */
mms_factor mms_overdamped_factor(const mms_sampler_options *sampler);
mms_status mms_overdamped_prepare(mms_dynamics *dynamics, mms_error *error);
void mms_overdamped_free(mms_dynamics *dynamics);
mms_status mms_overdamped_start(mms_dynamics *dynamics, mms_error *error);
mms_status mms_overdamped_block(mms_dynamics *dynamics, int64_t step, int64_t b, mms_error *error);
mms_status mms_overdamped_front(mms_dynamics *dynamics, int64_t step, int64_t b, mms_error *error);
void mms_overdamped_map(mms_dynamics *dynamics);
void mms_overdamped_back(mms_dynamics *dynamics, int64_t step, int64_t b);
void mms_overdamped_describe(const mms_dynamics *dynamics, char *text, size_t size);
int64_t mms_overdamped_bytes(const mms_dynamics *dynamics);

#endif
