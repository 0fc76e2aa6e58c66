/* A step's W where the target is spread over the ranks: its maps are of all rows together, so the blocks' work is done
 * in two parts around them. */
#include "dynamics/observe.h"
#include <string.h>

bool mms_method_is_spread(const mms_dynamics *dynamics) { return dynamics->target.spread != NULL; }

void mms_method_positions(mms_dynamics *dynamics, int64_t b) {
  mms_block_rows block = mms_method_rows(dynamics, b);
  if (mms_method_is_spread(dynamics))
    memcpy(dynamics->z, dynamics->w + block.offset, (size_t)(block.rows * dynamics->target.dim) * sizeof(double));
  else
    mms_target_positions(&dynamics->target, block.rows, dynamics->ensemble.y + block.offset, dynamics->z);
}

/* Over a partitioned set all ranks take part in both questions, whatever became of the first. */
static mms_status ask(mms_dynamics *dynamics, int64_t step, mms_error *error) {
  mms_error asked = mms_error_none();
  bool collective = mms_field_collective(dynamics->field);
  mms_status seen = dynamics->observing && collective ? mms_observe_together(dynamics, error) : MMS_OK;
  mms_status status = mms_method_ask(dynamics, step, &asked);
  if (seen != MMS_OK) return seen;
  if (status != MMS_OK && error != NULL) *error = asked;
  return status;
}

/* From the positions, in W, to what the map takes. */
static mms_status front(mms_dynamics *dynamics, int64_t step, mms_error *error) {
  const mms_blocks *blocks = &dynamics->ensemble.blocks;
  mms_status mine = MMS_OK;
  if (dynamics->asked.together) mine = ask(dynamics, step, error);
  for (int64_t b = blocks->first; b < blocks->end && mine == MMS_OK; b++) {
    dynamics->potential[b - blocks->first] = dynamics->speed[b - blocks->first] = 0.0;
    if (!mms_method_block_is_sound(dynamics, b)) continue;
    if (dynamics->observing) mine = mms_observe_nearest(dynamics, b, error);
    if (mine != MMS_OK) break;
    mms_method_positions(dynamics, b);
    mine = dynamics->method->front(dynamics, step, b, error);
  }
  return mine;
}

mms_status mms_method_together(mms_dynamics *dynamics, int64_t step, mms_error *error) {
  const mms_blocks *blocks = &dynamics->ensemble.blocks;
  mms_target_positions_together(&dynamics->target, blocks->n_local, dynamics->ensemble.y, dynamics->w);
  mms_status mine = front(dynamics, step, error);
  dynamics->method->map(dynamics);
  for (int64_t b = blocks->first; b < blocks->end && mine == MMS_OK; b++) {
    dynamics->pull_square = dynamics->noise_square = 0.0;
    if (!mms_method_block_is_there(dynamics, b)) {
      mms_block_rows block = mms_method_rows(dynamics, b);
      memset(dynamics->w + block.offset, 0, (size_t)(block.rows * dynamics->target.dim) * sizeof(double));
      continue;
    }
    dynamics->method->back(dynamics, step, b);
    if (dynamics->observing) mms_observe_block(dynamics, b);
  }
  return mine;
}
