/* The particles of this rank, in manifold coordinates. */
#ifndef MMSOLD_ENSEMBLE_ENSEMBLE_H
#define MMSOLD_ENSEMBLE_ENSEMBLE_H

#include "mmsold/base/status.h"
#include "mmsold/ensemble/constraint.h"
#include "mmsold/ensemble/target.h"
#include "mmsold/parallel/blocks.h"
#include "mmsold/parallel/team.h"
#include "mmsold/training/training.h"

/* Owns y. */
typedef struct mms_ensemble {
  mms_blocks blocks;
  int64_t dim;
  double *y; /* Y: [n_local][d] */
} mms_ensemble;

/* Blocks, of even size, from the configuration alone (law 1): P >= 1 particles, d dimensions, M draws a score.
 * As many as a power of two in 16 … 256 rows makes: the largest that leaves 64 blocks, or 16; in more than 8 dimensions
 * it is doubled, as long as 16 blocks are left, until a block's screen has 256 rows, (1 + M/2) a particle,
 * and a block d/4 particles, and where it still wants more the particles are dealt to 16 blocks: as many as ranks
 * find work then. 16 or more are brought to the next multiple of four, so that two or four ranks have as many rows
 * each, but for one. Local. */
int64_t mms_ensemble_block_count(int64_t particles, int64_t dim, int64_t draws);
/* The most rows of such a block. Local. */
int64_t mms_ensemble_block_size(int64_t particles, int64_t dim, int64_t draws);

/* Room for `particles` over the team. Local. */
mms_status mms_ensemble_create(mms_ensemble *ensemble, const mms_team *team, int64_t particles, int64_t dim,
                               int64_t draws, mms_error *error);
void mms_ensemble_free(mms_ensemble *ensemble);

/* The start (ALGORITHMS 2): each particle at a training point picked uniformly with
 * replacement plus δ N(0, I), mapped to Y and, unless `constraint` is NULL, put on the manifold. Collective; agreed. */
mms_status mms_ensemble_start(mms_ensemble *ensemble, const mms_team *team, const mms_training *training,
                              const mms_target *target, mms_constraint *constraint, uint64_t seed, mms_error *error);

#endif
