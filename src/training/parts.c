#include "training/parts.h"

#include "mmsold/base/memory.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>

/* A piece of the stream: enough for the network to be busy, little beside a rank's work. */
static const size_t PIECE_BYTES = (size_t)4 << 20;

/* Bytes that are available on this node; infinite where nobody says. */
static double available_bytes(void) {
  static const char key[] = "MemAvailable:";
  char line[256];
  double kibibytes = INFINITY;
  FILE *info = fopen("/proc/meminfo", "r");
  while (info != NULL && fgets(line, sizeof line, info) != NULL)
    if (strncmp(line, key, sizeof key - 1) == 0) kibibytes = strtod(line + sizeof key - 1, NULL);
  if (info != NULL) fclose(info);
  return 1024.0 * kibibytes;
}

static double room_for_sharing(const mms_team *team) {
  struct statvfs room;
  if (mms_team_node_size(team) == 1 || statvfs("/dev/shm", &room) != 0) return INFINITY;
  return (double)room.f_bavail * (double)room.f_frsize;
}

bool mms_training_parts_wanted(const mms_training *training, const mms_team *team,
                               const mms_training_options *options) {
  if (options->placement != MMS_PLACEMENT_AUTO) return options->placement == MMS_PLACEMENT_PARTITIONED;
  if (!options->may_partition || mms_team_size(team) == 1 || training->dim < options->partition_from) return false;
  double needed = 12.0 * (double)training->count * (double)training->dim;
  double tight = needed > 0.5 * available_bytes() || needed > room_for_sharing(team) ? 1.0 : 0.0;
  mms_team_max_double(team, &tight, 1);
  return tight > 0.0;
}

/* Rows on their way from rank 0 to whose they are. */
typedef struct deal {
  const mms_team *team;
  const mms_blocks *parts;
  int64_t dim, piece; /* rows that travel at once, at most */
  double *buffer;     /* [piece][dim] */
  double *mine;
} deal;

/* A piece comes to all ranks, and each keeps what is its own of it. */
static void send_piece(const deal *self, int64_t first, int64_t rows, const double *points) {
  const mms_blocks *parts = self->parts;
  const size_t row = (size_t)self->dim * sizeof(double);
  if (points != NULL && mms_team_size(self->team) > 1) memcpy(self->buffer, points, (size_t)rows * row);
  mms_team_broadcast(self->team, self->buffer, (size_t)rows * row, 0);
  if (points == NULL) points = self->buffer;
  const int64_t end = parts->first_row + parts->n_local;
  const int64_t from = first > parts->first_row ? first : parts->first_row,
                to = first + rows < end ? first + rows : end;
  if (from < to)
    memcpy(self->mine + (from - parts->first_row) * self->dim, points + (from - first) * self->dim,
           (size_t)(to - from) * row);
}

/* On rank 0: each piece is announced by its rows. */
static void send_rows(void *context, int64_t first, int64_t rows, const double *points) {
  const deal *self = context;
  for (int64_t done = 0; done < rows; done += self->piece) {
    int64_t now = rows - done < self->piece ? rows - done : self->piece;
    mms_team_broadcast(self->team, &now, sizeof now, 0);
    send_piece(self, first + done, now, points + done * self->dim);
  }
}

/* On the others: pieces, until none is announced. */
static void take_rows(const deal *self) {
  for (int64_t first = 0, rows = 1; rows > 0; first += rows) {
    mms_team_broadcast(self->team, &rows, sizeof rows, 0);
    if (rows > 0) send_piece(self, first, rows, NULL);
  }
}

mms_status mms_training_parts_deal(mms_blocks *parts, double **mine, const mms_team *team, int64_t n, int64_t d,
                                   const mms_rows *rows, mms_error *error) {
  *parts = mms_blocks_make(n, MMS_TRAINING_TILE, mms_team_rank(team), mms_team_size(team));
  deal self = {.team = team, .parts = parts, .dim = d, .piece = mms_rows_piece(d)};
  if (self.piece > n) self.piece = n;
  mms_status status = mms_allocate_doubles(mine, parts->n_local * d, "the training set", error);
  if (status == MMS_OK && mms_team_size(team) > 1)
    status = mms_allocate_doubles(&self.buffer, self.piece * d, "a piece of the training set", error);
  self.mine = *mine;
  status = mms_team_agree(team, status, error);
  if (status == MMS_OK) {
    if (rows != NULL) {
      int64_t none = 0; /* the end, or that it went wrong */
      status = mms_rows_walk(rows, send_rows, &self, error);
      mms_team_broadcast(team, &none, sizeof none, 0);
    } else {
      take_rows(&self);
    }
    status = mms_team_agree(team, status, error);
  }
  free(self.buffer);
  return status;
}

mms_status mms_training_parts_share(mms_training *training, const mms_team *team, const mms_rows *rows,
                                    mms_error *error) {
  const int64_t d = training->dim;
  mms_status status = mms_training_parts_deal(&training->parts, &training->mine, team, training->count, d, rows, error);
  if (status == MMS_OK)
    status = mms_tiles_create(&training->tiles, team, &training->parts, (size_t)d * sizeof(double), PIECE_BYTES,
                              training->mine, error);
  return status;
}

void mms_training_walk(const mms_training *training, mms_training_visitor *visit, void *context) {
  if (!training->partitioned) {
    visit(context, 0, training->count, training->points);
    return;
  }
  mms_tile tile;
  mms_tiles_begin(training->tiles);
  while (mms_tiles_next(training->tiles, &tile)) visit(context, tile.first, tile.rows, tile.data);
}

int64_t mms_training_bytes(const mms_training *training) {
  if (!training->partitioned) return 0;
  return training->parts.n_local * training->dim * (int64_t)sizeof(double) + mms_tiles_bytes(training->tiles);
}

const char *mms_training_placement(const mms_training *training) {
  return training->partitioned ? "partitioned, each rank a part" : "replicated, one copy per node";
}
