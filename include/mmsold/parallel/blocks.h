/* The block is the unit of work: rows are split into the same blocks whatever the number of ranks; a rank owns a
 * contiguous range of blocks. Where a block begins is known here alone: ask mms_blocks_first_row. */
#ifndef MMSOLD_PARALLEL_BLOCKS_H
#define MMSOLD_PARALLEL_BLOCKS_H

#include <stdbool.h>
#include <stdint.h>

typedef struct mms_blocks {
  int64_t total;      /* rows over all ranks */
  int64_t size;       /* the most rows of a block */
  int64_t count;      /* blocks over all ranks; none is empty */
  bool even;          /* their sizes differ by at most one; else all but the last have `size` rows */
  int64_t first, end; /* this rank's blocks: first <= b < end (none: first == end) */
  int64_t first_row;  /* global index of this rank's first row */
  int64_t n_local;    /* rows on this rank */
} mms_blocks;

/* Blocks of `size` rows, the last one of what is left: ceil(total / size) of them. Rank r of R owns blocks
 * [r·count/R, (r+1)·count/R). Local. Needs total >= 0, size >= 1. */
mms_blocks mms_blocks_make(int64_t total, int64_t size, int rank, int ranks);
/* `count` blocks of even size, or `total` of one row if that is less: block b begins at row ⌊b·total/count⌋. Longer and
 * shorter ones alternate, so that ranks with as many blocks differ by at most one row. Local. Needs total >= 0,
 * count >= 1. */
mms_blocks mms_blocks_make_even(int64_t total, int64_t count, int rank, int ranks);
/* The same blocks as rank `rank` of `ranks` has them. Local. */
mms_blocks mms_blocks_of_rank(const mms_blocks *blocks, int rank, int ranks);

/* Global index of the first row of block b, and its number of rows. Local. */
int64_t mms_blocks_first_row(const mms_blocks *blocks, int64_t b);
int64_t mms_blocks_rows(const mms_blocks *blocks, int64_t b);

#endif
