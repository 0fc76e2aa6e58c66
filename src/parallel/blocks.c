#include "mmsold/parallel/blocks.h"

/* floor(r·count/R) without the product, which could overflow: count = q R + s gives r q + floor(r s / R), r s < R². */
static int64_t share(int64_t count, int rank, int ranks) {
  int64_t quotient = count / ranks, rest = count % ranks;
  return rank * quotient + rank * rest / ranks;
}

mms_blocks mms_blocks_make(int64_t total, int64_t size, int rank, int ranks) {
  mms_blocks blocks = {.total = total, .size = size};
  blocks.count = total / size + (total % size != 0);
  blocks.first = share(blocks.count, rank, ranks);
  blocks.end = share(blocks.count, rank + 1, ranks);
  blocks.first_row = mms_blocks_first_row(&blocks, blocks.first);
  blocks.n_local = mms_blocks_first_row(&blocks, blocks.end) - blocks.first_row;
  return blocks;
}

int64_t mms_blocks_first_row(const mms_blocks *blocks, int64_t b) {
  return b < blocks->count ? b * blocks->size : blocks->total;
}

int64_t mms_blocks_rows(const mms_blocks *blocks, int64_t b) {
  return mms_blocks_first_row(blocks, b + 1) - mms_blocks_first_row(blocks, b);
}
