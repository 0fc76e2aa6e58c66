/* Rows that are held in parts, each rank its own whole tiles, as a stream that every rank sees in the same order: a
 * piece is broadcast while the one before is worked on. */
#ifndef MMSOLD_PARALLEL_TILES_H
#define MMSOLD_PARALLEL_TILES_H

#include "mmsold/parallel/blocks.h"
#include "mmsold/parallel/team.h"

/* Rows first .. first + rows − 1 of all, one after the other; good until the next call. `first` is a multiple of the
 * tiles' size. */
typedef struct mms_tile {
  int64_t first, rows;
  const void *data; /* [rows] of the stream's bytes a row */
} mms_tile;

typedef struct mms_tiles mms_tiles;

/* `parts` says who holds what (mms_blocks_make of all rows in tiles of one size, for this rank); `mine` (borrowed, may
 * be filled later) are this rank's rows, `bytes` bytes each. A piece is one tile, or as many of one rank's as `most`
 * bytes take. Allocates two pieces where there are several ranks. Collective; agreed. MMS_ERR_INPUT for a tile beyond
 * what MPI counts. */
mms_status mms_tiles_create(mms_tiles **tiles, const mms_team *team, const mms_blocks *parts, size_t bytes, size_t most,
                            const void *mine, mms_error *error);
/* Local; sets *tiles to NULL; fine on NULL. Not in the middle of a pass. */
void mms_tiles_free(mms_tiles **tiles);

/* A pass: begin once, next until it says false. Collective, in step with everything else that is: every rank takes
 * every piece. Allocates nothing. */
void mms_tiles_begin(mms_tiles *tiles);
bool mms_tiles_next(mms_tiles *tiles, mms_tile *tile);
/* Lets the piece on its way go on, in the middle of long work on this one. Local. */
void mms_tiles_progress(mms_tiles *tiles);

int64_t mms_tiles_bytes(const mms_tiles *tiles); /* memory held */
int64_t mms_tiles_moved(const mms_tiles *tiles); /* bytes that have come from other ranks so far */

#endif
