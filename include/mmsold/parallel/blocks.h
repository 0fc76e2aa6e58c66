/* The block is the unit of work: rows are split into blocks of fixed size whatever the
 * number of ranks; a rank owns a contiguous range of blocks. */
#ifndef MMSOLD_PARALLEL_BLOCKS_H
#define MMSOLD_PARALLEL_BLOCKS_H

#include <stdint.h>

typedef struct mms_blocks {
  int64_t total;      /* rows over all ranks */
  int64_t size;       /* rows per block; the last block may be shorter */
  int64_t count;      /* blocks over all ranks: ceil(total / size) */
  int64_t first, end; /* this rank's blocks: first <= b < end (none: first == end) */
  int64_t first_row;  /* global index of this rank's first row */
  int64_t n_local;    /* rows on this rank */
} mms_blocks;

/* Rank r of R owns blocks [r·count/R, (r+1)·count/R). Local. Needs total >= 0, size >= 1. */
mms_blocks mms_blocks_make(int64_t total, int64_t size, int rank, int ranks);

/* Global index of the first row of block b, and its number of rows. Local. */
int64_t mms_blocks_first_row(const mms_blocks *blocks, int64_t b);
int64_t mms_blocks_rows(const mms_blocks *blocks, int64_t b);

#endif
