#include "mmsold/ensemble/ensemble.h"

#include "mmsold/base/memory.h"
#include "mmsold/random/random.h"
#include <stdlib.h>

/* 256 rows fill the tiles of BLAS; fewer than 16 leave it nothing to do. 64 blocks feed a node. In many dimensions
 * short blocks cost: a screen's product of 32 rows runs at half of SGEMM's rate, and what a block adds to the exact
 * sums, 2 d² values, takes as long as the moments of d/20 particles or more. */
enum { LARGEST_BLOCK = 256, SMALLEST_BLOCK = 16, ENOUGH_BLOCKS = 64, LEAST_BLOCKS = 16 };
enum { FEW_DIMENSIONS = 8, ENOUGH_LINES = 256, DIMENSIONS_A_ROW = 4 };

static int64_t blocks_of(int64_t particles, int64_t size) { return (particles + size - 1) / size; }

int64_t mms_ensemble_block_size(int64_t particles, int64_t dim, int64_t draws) {
  int64_t size = LARGEST_BLOCK;
  while (size > SMALLEST_BLOCK && blocks_of(particles, size) < ENOUGH_BLOCKS) size /= 2;
  if (dim <= FEW_DIMENSIONS) return size; /* no product of matrices anywhere */
  while (size < LARGEST_BLOCK && blocks_of(particles, 2 * size) >= LEAST_BLOCKS &&
         (size * (1 + draws / 2) < ENOUGH_LINES || size * DIMENSIONS_A_ROW < dim))
    size *= 2;
  return size;
}

mms_status mms_ensemble_create(mms_ensemble *ensemble, const mms_team *team, int64_t particles, int64_t dim,
                               int64_t draws, mms_error *error) {
  *ensemble = (mms_ensemble){.dim = dim};
  ensemble->blocks = mms_blocks_make(particles, mms_ensemble_block_size(particles, dim, draws), mms_team_rank(team),
                                     mms_team_size(team));
  return mms_allocate_doubles(&ensemble->y, ensemble->blocks.n_local * dim, "the particles", error);
}

void mms_ensemble_free(mms_ensemble *ensemble) {
  free(ensemble->y);
  *ensemble = (mms_ensemble){0};
}

mms_status mms_ensemble_start(mms_ensemble *ensemble, const mms_team *team, const mms_training *training,
                              const mms_target *target, mms_constraint *constraint, uint64_t seed, mms_error *error) {
  const mms_blocks *blocks = &ensemble->blocks;
  int64_t d = ensemble->dim;
  for (int64_t i = 0; i < blocks->n_local; i++) {
    mms_random_key key = {.seed = seed, .stream = MMS_STREAM_START_INDEX, .item = (uint64_t)(blocks->first_row + i)};
    const double *point = training->points + (int64_t)mms_random_index(key, 0, (uint64_t)training->count) * d;
    double *z = ensemble->y + i * d;
    key.stream = MMS_STREAM_START_NOISE;
    mms_random_normals(key, 0, d, z);
    for (int64_t k = 0; k < d; k++) z[k] = point[k] + target->bandwidth * z[k];
  }
  for (int64_t b = blocks->first; b < blocks->end; b++) {
    double *y = ensemble->y + (mms_blocks_first_row(blocks, b) - blocks->first_row) * d;
    mms_target_coordinates(target, mms_blocks_rows(blocks, b), y, y);
  }
  return constraint == NULL ? MMS_OK : mms_constraint_retract(constraint, team, ensemble->y, error);
}
