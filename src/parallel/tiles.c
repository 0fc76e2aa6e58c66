#include "mmsold/parallel/tiles.h"

#include "mmsold/base/memory.h"
#include "parallel/team_mpi.h"
#include <limits.h>
#include <stdlib.h>
#include <string.h>

/* A piece on its way, or here. */
typedef struct piece {
  int64_t block, blocks; /* tiles; none: the stream is over */
  int owner;
  void *buffer; /* where it comes to on other ranks than its owner */
  MPI_Request request;
} piece;

struct mms_tiles {
  MPI_Comm communicator;
  mms_blocks parts;
  int rank, ranks;
  size_t bytes;   /* of a row */
  int64_t blocks; /* tiles of a piece at most */
  const char *mine;
  piece pieces[2];
  int at; /* the piece that was handed out last; the other one is on its way */
  int64_t moved;
};

mms_status mms_tiles_create(mms_tiles **tiles, const mms_team *team, const mms_blocks *parts, size_t bytes, size_t most,
                            const void *mine, mms_error *error) {
  *tiles = NULL;
  void *memory = NULL;
  mms_status status = mms_allocate(&memory, 1, sizeof(mms_tiles), "a stream of tiles", error);
  mms_tiles *self = memory;
  double tile = (double)parts->size * (double)bytes;
  if (status == MMS_OK && tile > (double)INT_MAX)
    status = mms_fail(error, MMS_ERR_INPUT, "a tile of %lld rows of %zu bytes is more than MPI counts",
                      (long long)parts->size, bytes);
  if (status == MMS_OK) {
    *self = (mms_tiles){.communicator = mms_team_communicator(team), .parts = *parts, .bytes = bytes, .mine = mine};
    self->rank = mms_team_rank(team);
    self->ranks = mms_team_size(team);
    if (most > INT_MAX) most = INT_MAX;
    self->blocks = (int64_t)((double)most / tile);
    if (self->blocks < 1) self->blocks = 1;
    for (int i = 0; i < 2; i++) {
      self->pieces[i].request = MPI_REQUEST_NULL;
      if (status == MMS_OK && self->ranks > 1)
        status = mms_allocate(&self->pieces[i].buffer, self->blocks * parts->size, bytes, "a tile that travels", error);
    }
  }
  status = mms_team_agree(team, status, error);
  *tiles = self;
  if (status != MMS_OK) mms_tiles_free(tiles);
  return status;
}

void mms_tiles_free(mms_tiles **tiles) {
  if (*tiles == NULL) return;
  for (int i = 0; i < 2; i++) free((*tiles)->pieces[i].buffer);
  free(*tiles);
  *tiles = NULL;
}

static int64_t first_row(const mms_tiles *self, int64_t block) { return mms_blocks_first_row(&self->parts, block); }

static const void *data_of(const mms_tiles *self, const piece *p) {
  if (p->owner != self->rank) return p->buffer;
  return self->mine + (size_t)(first_row(self, p->block) - self->parts.first_row) * self->bytes;
}

/* Send the piece that begins with `block` on its way; `from` is a rank that does not come after its owner. */
static void start(mms_tiles *self, piece *p, int64_t block, int from) {
  *p = (piece){.block = block, .owner = from, .buffer = p->buffer, .request = MPI_REQUEST_NULL};
  if (block >= self->parts.count) return;
  mms_blocks owned = mms_blocks_of_rank(&self->parts, from, self->ranks);
  while (owned.end <= block) owned = mms_blocks_of_rank(&self->parts, ++p->owner, self->ranks);
  p->blocks = owned.end - block < self->blocks ? owned.end - block : self->blocks;
  if (self->ranks == 1) return;
  int count = (int)((first_row(self, block + p->blocks) - first_row(self, block)) * (int64_t)self->bytes);
  const void *source = data_of(self, p);
  void *data; /* the same without const: the root's is only read, but MPI has one type for both */
  memcpy(&data, &source, sizeof data);
  MPI_Ibcast(data, count, MPI_BYTE, p->owner, self->communicator, &p->request);
  if (p->owner != self->rank) self->moved += count;
}

void mms_tiles_begin(mms_tiles *self) {
  self->at = 0;
  start(self, &self->pieces[1], 0, 0);
}

bool mms_tiles_next(mms_tiles *self, mms_tile *tile) {
  piece *p = &self->pieces[1 - self->at], *after = &self->pieces[self->at];
  if (p->blocks == 0) return false;
  if (self->ranks > 1) MPI_Wait(&p->request, MPI_STATUS_IGNORE);
  self->at = 1 - self->at;
  start(self, after, p->block + p->blocks, p->owner);
  tile->first = first_row(self, p->block);
  tile->rows = first_row(self, p->block + p->blocks) - tile->first;
  tile->data = data_of(self, p);
  return true;
}

void mms_tiles_progress(mms_tiles *self) {
  piece *coming = &self->pieces[1 - self->at];
  int done = 0;
  if (coming->request != MPI_REQUEST_NULL) MPI_Test(&coming->request, &done, MPI_STATUS_IGNORE);
}

int64_t mms_tiles_bytes(const mms_tiles *self) {
  int64_t pieces = self->ranks > 1 ? 2 : 0;
  return pieces * self->blocks * self->parts.size * (int64_t)self->bytes + (int64_t)sizeof *self;
}

int64_t mms_tiles_moved(const mms_tiles *self) { return self->moved; }
