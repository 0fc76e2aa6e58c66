#include "mmsold/parallel/blocks.h"

__extension__ typedef __int128 wide;

/* ⌊part·whole/parts⌋, whose product need not fit 64 bits. */
static int64_t share(int64_t whole, int64_t part, int64_t parts) { return (int64_t)((wide)part * whole / parts); }

static int64_t ceiling(int64_t total, int64_t divisor) { return total / divisor + (total % divisor != 0); }

mms_blocks mms_blocks_make(int64_t total, int64_t size, int rank, int ranks) {
  const mms_blocks blocks = {.total = total, .size = size, .count = ceiling(total, size)};
  return mms_blocks_of_rank(&blocks, rank, ranks);
}

mms_blocks mms_blocks_make_even(int64_t total, int64_t count, int rank, int ranks) {
  const mms_blocks blocks = {
      .total = total, .size = ceiling(total, count), .count = count < total ? count : total, .even = true};
  return mms_blocks_of_rank(&blocks, rank, ranks);
}

mms_blocks mms_blocks_of_rank(const mms_blocks *blocks, int rank, int ranks) {
  mms_blocks own = *blocks;
  own.first = share(blocks->count, rank, ranks);
  own.end = share(blocks->count, rank + 1, ranks);
  own.first_row = mms_blocks_first_row(blocks, own.first);
  own.n_local = mms_blocks_first_row(blocks, own.end) - own.first_row;
  return own;
}

int64_t mms_blocks_first_row(const mms_blocks *blocks, int64_t b) {
  if (b >= blocks->count) return blocks->total;
  return blocks->even ? share(blocks->total, b, blocks->count) : b * blocks->size;
}

int64_t mms_blocks_rows(const mms_blocks *blocks, int64_t b) {
  return mms_blocks_first_row(blocks, b + 1) - mms_blocks_first_row(blocks, b);
}
