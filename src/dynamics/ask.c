/* All blocks of a rank ask the field in one call: over a partitioned training set, which comes by in it, and where rows
 * are better answered in an order of their own. Each block's work is done twice: up to its question, and then from the
 * answer on. */
#include "dynamics/method.h"

#include "mmsold/base/memory.h"
#include <stdlib.h>
#include <string.h>

mms_status mms_method_ask_create(mms_dynamics *dynamics, mms_error *error) {
  const mms_blocks *blocks = &dynamics->ensemble.blocks;
  mms_asked *asked = &dynamics->asked;
  asked->together = true;
  int64_t local = blocks->end - blocks->first, entries = blocks->n_local * dynamics->target.dim;
  void *memory[2] = {NULL, NULL};
  mms_status status = mms_allocate(&memory[0], local, sizeof(mms_queries), "the blocks' questions", error);
  if (status == MMS_OK) status = mms_allocate(&memory[1], local, sizeof(int64_t), "the blocks' questions", error);
  asked->queries = memory[0];
  asked->first = memory[1];
  if (status == MMS_OK) status = mms_allocate_doubles(&asked->points, entries, "all local positions", error);
  if (status == MMS_OK) status = mms_allocate_doubles(&asked->means, entries, "all local means", error);
  if (status == MMS_OK) status = mms_allocate_doubles(&asked->log_mass, blocks->n_local, "all log masses", error);
  status = mms_team_agree(dynamics->context.team, status, error);
  return status == MMS_OK ? mms_field_reserve(dynamics->field, blocks->n_local, error) : status;
}

void mms_method_ask_free(mms_dynamics *dynamics) {
  mms_asked *asked = &dynamics->asked;
  void *arrays[] = {asked->queries, asked->first, asked->points, asked->means, asked->log_mass};
  for (size_t i = 0; i < sizeof arrays / sizeof *arrays; i++) free(arrays[i]);
  *asked = (mms_asked){0};
}

mms_status mms_method_note(mms_dynamics *dynamics, int64_t b, const mms_queries *queries) {
  mms_asked *asked = &dynamics->asked;
  int64_t d = dynamics->target.dim;
  double *points = asked->points + asked->rows * d;
  memcpy(points, queries->points, (size_t)(queries->count * d) * sizeof *points);
  asked->first[b - dynamics->ensemble.blocks.first] = asked->rows;
  asked->queries[asked->count] = *queries;
  asked->queries[asked->count++].points = points;
  asked->rows += queries->count;
  return MMS_ERR_INTERNAL; /* ends the block's work */
}

void mms_method_answer(mms_dynamics *dynamics, int64_t b) {
  const mms_asked *asked = &dynamics->asked;
  int64_t d = dynamics->target.dim, first = asked->first[b - dynamics->ensemble.blocks.first];
  int64_t rows = mms_blocks_rows(&dynamics->ensemble.blocks, b);
  memcpy(dynamics->mean, asked->means + first * d, (size_t)(rows * d) * sizeof(double));
  memcpy(dynamics->log_mass, asked->log_mass + first, (size_t)rows * sizeof(double));
}

mms_status mms_method_ask(mms_dynamics *dynamics, int64_t step, mms_error *error) {
  const mms_blocks *blocks = &dynamics->ensemble.blocks;
  mms_asked *asked = &dynamics->asked;
  asked->count = asked->rows = 0;
  asked->asking = true;
  for (int64_t b = blocks->first; b < blocks->end; b++) {
    if (!mms_method_block_is_sound(dynamics, b)) continue;
    if (mms_method_is_spread(dynamics)) {
      mms_method_positions(dynamics, b);
      (void)dynamics->method->front(dynamics, step, b, NULL);
    } else {
      (void)dynamics->method->block(dynamics, step, b, NULL);
    }
  }
  asked->asking = false;
  dynamics->bad_block = -1; /* they are looked for again */
  dynamics->bad_blocks = 0;
  return mms_field_softmax_mean_batches(dynamics->field, asked->queries, asked->count, asked->means, asked->log_mass,
                                        error);
}
