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

mms_status mms_training_parts_deal(mms_blocks *parts, double **mine, const mms_team *team, int64_t n, int64_t d,
                                   const double *points, mms_error *error) {
  const size_t row = (size_t)d * sizeof(double);
  *parts = mms_blocks_make(n, MMS_TRAINING_TILE, mms_team_rank(team), mms_team_size(team));
  double *tile = NULL;
  mms_status status = mms_allocate_doubles(mine, parts->n_local * d, "the training set", error);
  if (status == MMS_OK)
    status = mms_allocate_doubles(&tile, MMS_TRAINING_TILE * d, "a tile of the training set", error);
  status = mms_team_agree(team, status, error);
  for (int64_t b = 0; status == MMS_OK && b < parts->count; b++) {
    int64_t first = mms_blocks_first_row(parts, b), rows = mms_blocks_rows(parts, b);
    if (points != NULL) memcpy(tile, points + first * d, (size_t)rows * row);
    mms_team_broadcast(team, tile, (size_t)rows * row, 0);
    if (b >= parts->first && b < parts->end) memcpy(*mine + (first - parts->first_row) * d, tile, (size_t)rows * row);
  }
  free(tile);
  return status;
}

mms_status mms_training_parts_share(mms_training *training, const mms_team *team, const double *points,
                                    mms_error *error) {
  const int64_t d = training->dim;
  mms_status status =
      mms_training_parts_deal(&training->parts, &training->mine, team, training->count, d, points, error);
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
