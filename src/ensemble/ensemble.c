#include "mmsold/ensemble/ensemble.h"

#include "mmsold/base/memory.h"
#include "mmsold/base/sort.h"
#include "mmsold/random/random.h"
#include <stdlib.h>
#include <string.h>

/* 256 rows fill the tiles of BLAS; fewer than 16 leave it nothing to do. 64 blocks feed a node. In many dimensions
 * short blocks cost: a screen's product of 32 rows runs at half of SGEMM's rate, and what a block adds to the exact
 * sums, 2 d² values, takes as long as the moments of d/20 particles or more. */
enum { LARGEST_BLOCK = 256, SMALLEST_BLOCK = 16, ENOUGH_BLOCKS = 64, LEAST_BLOCKS = 16 };
enum { FEW_DIMENSIONS = 8, ENOUGH_LINES = 256, DIMENSIONS_A_ROW = 4 };

/* Blocks come in fours, so that two or four ranks have as many rows each, but for one. */
enum { SHARED_BY = 4 };

static int64_t blocks_of(int64_t particles, int64_t size) { return (particles + size - 1) / size; }

static int64_t evened(int64_t particles, int64_t size) {
  int64_t blocks = blocks_of(particles, size);
  return blocks < LEAST_BLOCKS ? blocks : (blocks + SHARED_BY - 1) / SHARED_BY * SHARED_BY;
}

static bool wants_more(int64_t size, int64_t dim, int64_t draws) {
  return size * (1 + draws / 2) < ENOUGH_LINES || size * DIMENSIONS_A_ROW < dim;
}

int64_t mms_ensemble_block_count(int64_t particles, int64_t dim, int64_t draws) {
  int64_t size = LARGEST_BLOCK;
  while (size > SMALLEST_BLOCK && blocks_of(particles, size) < ENOUGH_BLOCKS) size /= 2;
  if (dim <= FEW_DIMENSIONS) return evened(particles, size); /* no product of matrices anywhere */
  while (size < LARGEST_BLOCK && blocks_of(particles, 2 * size) >= LEAST_BLOCKS && wants_more(size, dim, draws))
    size *= 2;
  const int64_t most = blocks_of(particles, LEAST_BLOCKS);
  if (wants_more(size, dim, draws) && size < most) size = most < LARGEST_BLOCK ? most : LARGEST_BLOCK;
  return evened(particles, size);
}

int64_t mms_ensemble_block_size(int64_t particles, int64_t dim, int64_t draws) {
  return blocks_of(particles, mms_ensemble_block_count(particles, dim, draws));
}

mms_status mms_ensemble_create(mms_ensemble *ensemble, const mms_team *team, int64_t particles, int64_t dim,
                               int64_t draws, mms_error *error) {
  *ensemble = (mms_ensemble){.dim = dim};
  ensemble->blocks = mms_blocks_make_even(particles, mms_ensemble_block_count(particles, dim, draws),
                                          mms_team_rank(team), mms_team_size(team));
  return mms_allocate_doubles(&ensemble->y, ensemble->blocks.n_local * dim, "the particles", error);
}

void mms_ensemble_free(mms_ensemble *ensemble) {
  free(ensemble->y);
  *ensemble = (mms_ensemble){0};
}

/* The start of the local particles, as the training points that they start at come by. */
typedef struct beginning {
  mms_ensemble *ensemble;
  uint64_t seed;
  int64_t count; /* training points */
  double bandwidth;
  int64_t *wanted; /* training point and particle of each, in the order of the points; NULL: the set comes at once */
  int64_t met;
} beginning;

static int64_t start_index(const beginning *b, int64_t particle) {
  mms_random_key key = {.seed = b->seed, .stream = MMS_STREAM_START_INDEX};
  key.item = (uint64_t)(b->ensemble->blocks.first_row + particle);
  return (int64_t)mms_random_index(key, 0, (uint64_t)b->count);
}

/* z = x + δ N(0, I), where Y will be. */
static void start_at(const beginning *b, int64_t particle, const double *point) {
  int64_t d = b->ensemble->dim;
  double *z = b->ensemble->y + particle * d;
  mms_random_key key = {.seed = b->seed, .stream = MMS_STREAM_START_NOISE};
  key.item = (uint64_t)(b->ensemble->blocks.first_row + particle);
  mms_random_normals(key, 0, d, z);
  for (int64_t k = 0; k < d; k++) z[k] = point[k] + b->bandwidth * z[k];
}

static const int PARTICLE_BITS = 31; /* of an entry of `wanted`, below the training point's 32 */

static void start_rows(void *context, int64_t first, int64_t rows, const double *points) {
  beginning *b = context;
  int64_t n_local = b->ensemble->blocks.n_local, d = b->ensemble->dim;
  if (b->wanted == NULL)
    for (int64_t i = 0; i < n_local; i++) start_at(b, i, points + start_index(b, i) * d);
  for (; b->wanted != NULL && b->met < n_local && b->wanted[b->met] >> PARTICLE_BITS < first + rows; b->met++) {
    int64_t particle = b->wanted[b->met] & ((INT64_C(1) << PARTICLE_BITS) - 1);
    start_at(b, particle, points + ((b->wanted[b->met] >> PARTICLE_BITS) - first) * d);
  }
}

/* Which points of a partitioned set are wanted by whom. */
static mms_status list_wanted(beginning *b, mms_error *error) {
  int64_t n_local = b->ensemble->blocks.n_local;
  void *memory = NULL;
  if (n_local >> PARTICLE_BITS != 0 || b->count >> 32 != 0)
    return mms_fail(error, MMS_ERR_INPUT, "%lld particles of a rank and %lld partitioned training points are too many",
                    (long long)n_local, (long long)b->count);
  mms_status status = mms_allocate(&memory, n_local, sizeof(int64_t), "the particles' starting points", error);
  b->wanted = memory;
  for (int64_t i = 0; status == MMS_OK && i < n_local; i++) b->wanted[i] = start_index(b, i) << PARTICLE_BITS | i;
  if (status == MMS_OK) mms_sort_int64(b->wanted, n_local);
  return status;
}

mms_status mms_ensemble_start(mms_ensemble *ensemble, const mms_team *team, const mms_training *training,
                              const mms_target *target, mms_constraint *constraint, uint64_t seed, mms_error *error) {
  const mms_blocks *blocks = &ensemble->blocks;
  int64_t d = ensemble->dim;
  beginning b = {.ensemble = ensemble, .seed = seed, .count = training->count, .bandwidth = target->bandwidth};
  if (training->partitioned) {
    mms_status status = mms_team_agree(team, list_wanted(&b, error), error);
    if (status != MMS_OK) {
      free(b.wanted);
      return status;
    }
  }
  mms_training_walk(training, start_rows, &b);
  free(b.wanted);
  if (target->spread != NULL) {
    double *z = NULL; /* the particles' positions */
    mms_status status = mms_allocate_doubles(&z, blocks->n_local * d, "the particles' positions", error);
    status = mms_team_agree(team, status, error);
    if (status != MMS_OK) return status;
    memcpy(z, ensemble->y, (size_t)(blocks->n_local * d) * sizeof *z);
    mms_target_coordinates_together(target, blocks->n_local, z, ensemble->y);
    free(z);
  }
  for (int64_t block = blocks->first; target->spread == NULL && block < blocks->end; block++) {
    double *y = ensemble->y + (mms_blocks_first_row(blocks, block) - blocks->first_row) * d;
    mms_target_coordinates(target, mms_blocks_rows(blocks, block), y, y);
  }
  return constraint == NULL ? MMS_OK : mms_constraint_retract(constraint, team, ensemble->y, error);
}
