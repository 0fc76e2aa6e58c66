#include "field/parts.h"

#include "field/kernels.h"
#include "mmsold/base/memory.h"
#include <stdlib.h>
#include <string.h>

bool mms_parts_any(const mms_team *team, bool mine) {
  double any = mine ? 1.0 : 0.0;
  mms_team_max_double(team, &any, 1);
  return any > 0.0;
}

/* --- the points that are needed ----------------------------------------------------------- */

static int64_t words_of(const mms_fetch *fetch) { return fetch->training->count / 64 + 1; }

mms_status mms_fetch_create(mms_fetch *fetch, const mms_training *training, int64_t capacity, mms_error *error) {
  *fetch = (mms_fetch){.training = training, .capacity = capacity < training->count ? capacity : training->count};
  void *memory[2] = {NULL, NULL};
  mms_status status = mms_allocate_doubles(&fetch->rows, fetch->capacity * training->dim, "fetched points", error);
  for (int i = 0; i < 2 && status == MMS_OK; i++)
    status = mms_allocate(&memory[i], words_of(fetch), sizeof(uint64_t), "the marks of fetched points", error);
  fetch->marks = memory[0];
  fetch->before = memory[1];
  return status;
}

void mms_fetch_free(mms_fetch *fetch) {
  free(fetch->rows);
  free(fetch->marks);
  free(fetch->before);
  *fetch = (mms_fetch){0};
}

int64_t mms_fetch_bytes(const mms_fetch *fetch) {
  if (fetch->training == NULL) return 0;
  return (fetch->capacity * fetch->training->dim + 2 * words_of(fetch)) * (int64_t)sizeof(double);
}

void mms_fetch_clear(mms_fetch *fetch) {
  memset(fetch->marks, 0, (size_t)words_of(fetch) * sizeof *fetch->marks);
  fetch->count = 0;
}

static bool is_marked(const mms_fetch *fetch, int64_t point) { return fetch->marks[point / 64] >> (point % 64) & 1; }

bool mms_fetch_want(mms_fetch *fetch, const int32_t *points, int64_t count) {
  int64_t more = 0;
  if (points == NULL) count = fetch->training->count;
  for (int64_t i = 0; i < count; i++) more += !is_marked(fetch, points == NULL ? i : points[i]);
  if (fetch->count + more > fetch->capacity) return false;
  for (int64_t i = 0; i < count; i++) {
    int64_t point = points == NULL ? i : points[i];
    fetch->marks[point / 64] |= UINT64_C(1) << (point % 64);
  }
  fetch->count += more;
  return true;
}

void mms_fetch_go(mms_fetch *fetch) {
  mms_tiles *tiles = fetch->training->tiles;
  int64_t d = fetch->training->dim, kept = 0;
  mms_tile tile;
  mms_tiles_begin(tiles);
  while (mms_tiles_next(tiles, &tile)) { /* pieces begin on whole tiles, and these on whole words */
    const double *points = tile.data;
    for (int64_t w = tile.first / 64; w * 64 < tile.first + tile.rows; w++) {
      fetch->before[w] = kept;
      for (uint64_t bits = fetch->marks[w]; bits != 0; bits &= bits - 1) {
        int64_t point = 64 * w + __builtin_ctzll(bits);
        memcpy(fetch->rows + kept++ * d, points + (point - tile.first) * d, (size_t)d * sizeof(double));
      }
    }
  }
}

void mms_fetch_rename(const mms_fetch *fetch, int32_t *points, int64_t count) {
  for (int64_t i = 0; i < count; i++) {
    int64_t word = points[i] / 64;
    uint64_t below = fetch->marks[word] & ((UINT64_C(1) << (points[i] % 64)) - 1);
    points[i] = (int32_t)(fetch->before[word] + __builtin_popcountll(below));
  }
}

/* --- the screen's points ------------------------------------------------------------------ */

enum { LINE_FLOATS = 16 };

/* A piece of the stream. */
static const size_t PIECE_BYTES = (size_t)4 << 20;

_Static_assert(MMS_TRAINING_TILE % MMS_KERNEL_PAD == 0, "the padding belongs to the last tile");

static void fill(mms_screen_parts *screen, const mms_training *training) {
  int64_t d = training->dim;
  for (int64_t i = 0; i < screen->parts.n_local; i++) {
    float *x = screen->mine + i * screen->row;
    double square = 0.0;
    bool there = screen->parts.first_row + i < training->count;
    for (int64_t k = 0; k < d && there; k++) {
      double value = (training->mine[i * d + k] - screen->centre[k]) / screen->points.scale;
      square += value * value;
      x[k] = (float)value;
    }
    x[screen->points.stride] = there ? (float)(0.5 * square) : 1e30F;
  }
}

mms_status mms_screen_parts_create(mms_screen_parts *screen, const mms_team *team, const mms_training *training,
                                   mms_error *error) {
  int64_t chunk = MMS_KERNEL_PAD;
  *screen = (mms_screen_parts){.points.padded = (training->count + chunk - 1) / chunk * chunk};
  screen->points.stride = (training->dim + LINE_FLOATS - 1) / LINE_FLOATS * LINE_FLOATS;
  screen->row = screen->points.stride + LINE_FLOATS;
  screen->parts = mms_blocks_make(screen->points.padded, MMS_TRAINING_TILE, mms_team_rank(team), mms_team_size(team));
  mms_status status = mms_allocate_doubles(&screen->centre, training->dim, "the screen's centre", error);
  if (status == MMS_OK)
    status = mms_allocate_floats(&screen->mine, screen->parts.n_local * screen->row,
                                 "the field's copy of a part of the training set", error);
  if (status == MMS_OK) status = mms_allocate_floats(&screen->half, MMS_TRAINING_TILE, "a tile's half norms", error);
  status = mms_team_agree(team, status, error);
  if (status != MMS_OK) return status;
  screen->points.centre = screen->centre;
  mms_screen_points_measure(training, screen->centre, &screen->points.scale, &screen->points.radius);
  fill(screen, training);
  return mms_tiles_create(&screen->tiles, team, &screen->parts, (size_t)screen->row * sizeof(float), PIECE_BYTES,
                          screen->mine, error);
}

void mms_screen_parts_free(mms_screen_parts *screen) {
  mms_tiles_free(&screen->tiles);
  free(screen->centre);
  free(screen->mine);
  free(screen->half);
  *screen = (mms_screen_parts){0};
}

int64_t mms_screen_parts_bytes(const mms_screen_parts *screen) {
  if (screen->tiles == NULL) return 0;
  return (screen->parts.n_local * screen->row + MMS_TRAINING_TILE) * (int64_t)sizeof(float) +
         mms_tiles_bytes(screen->tiles);
}

void mms_screen_parts_begin(mms_screen_parts *screen) {
  mms_tiles_begin(screen->tiles);
  screen->piece = (mms_tile){0};
  screen->at = 0;
}

bool mms_screen_parts_next(mms_screen_parts *screen, mms_screen_tile *tile) {
  if (screen->at == screen->piece.rows) {
    if (!mms_tiles_next(screen->tiles, &screen->piece)) return false;
    screen->at = 0;
  }
  mms_tiles_progress(screen->tiles);
  int64_t rest = screen->piece.rows - screen->at;
  tile->first = screen->piece.first + screen->at;
  tile->width = rest < MMS_TRAINING_TILE ? rest : MMS_TRAINING_TILE;
  tile->stride = screen->row;
  tile->x = (const float *)screen->piece.data + screen->at * screen->row;
  tile->half = screen->half;
  for (int64_t i = 0; i < tile->width; i++) screen->half[i] = tile->x[i * screen->row + screen->points.stride];
  screen->at += tile->width;
  return true;
}
