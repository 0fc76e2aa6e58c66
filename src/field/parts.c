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

/* A piece of the stream. */
static const size_t PIECE_BYTES = (size_t)4 << 20;

_Static_assert(MMS_TRAINING_TILE % MMS_KERNEL_PAD == 0, "the padding belongs to the last tile");

static void fill(mms_screen_parts *screen, const mms_training *training) {
  int64_t d = training->dim, stride = screen->points.stride;
  for (int64_t i = 0; i < screen->parts.n_local; i++) {
    float *x = (float *)(void *)(screen->mine + (size_t)i * screen->row_bytes);
    double square = 0.0;
    bool there = screen->parts.first_row + i < training->count;
    for (int64_t k = 0; k < d && there; k++) {
      double value = (training->mine[i * d + k] - screen->centre[k]) / screen->points.scale;
      square += value * value;
      x[k] = (float)value;
    }
    x[stride] = there ? (float)(0.5 * square) : 1e30F;
  }
}

/* The bytes of a chunk of points and their half norms. */
static size_t chunk_bytes(const mms_screen_parts *screen) { return MMS_KERNEL_PAD * screen->row_bytes; }

/* Where in it these begin. */
static size_t halves_at(const mms_screen_parts *screen) {
  return (size_t)mms_screen_chunk(&screen->points) * sizeof(uint16_t);
}

static mms_status fill_packed(mms_screen_parts *screen, const mms_training *training, mms_error *error) {
  const mms_field_kernel_table *kernels = mms_field_kernels_best();
  int64_t d = training->dim;
  mms_screen_room room;
  mms_status status = mms_screen_room_create(&room, &screen->points, d, error);
  for (int64_t i = 0; status == MMS_OK && i < screen->parts.n_local; i += MMS_KERNEL_PAD) {
    char *chunk = screen->mine + (size_t)i * screen->row_bytes;
    float *half = (float *)(void *)(chunk + halves_at(screen));
    int64_t rest = training->count - screen->parts.first_row - i;
    mms_screen_pack_points(&screen->points, kernels, training->mine + i * d, d,
                           rest < MMS_KERNEL_PAD ? rest : MMS_KERNEL_PAD, &room, (uint16_t *)(void *)chunk, half,
                           half + MMS_KERNEL_PAD);
  }
  mms_screen_room_free(&room);
  return status;
}

/* A row and its half norm, which has a cache line of its own; packed, its share of a chunk and its two halves. */
static size_t bytes_of_row(const mms_screen_points *points) {
  if (points->blocks > 0)
    return (size_t)mms_screen_chunk(points) / MMS_KERNEL_PAD * sizeof(uint16_t) + 2 * sizeof(float);
  return (size_t)points->stride * sizeof(float) + MMS_ALIGNMENT;
}

mms_status mms_screen_parts_create(mms_screen_parts *screen, const mms_team *team, const mms_training *training,
                                   mms_screen kind, mms_error *error) {
  *screen = (mms_screen_parts){.points = mms_screen_points_shape(training->count, training->dim, false, kind)};
  screen->row_bytes = bytes_of_row(&screen->points);
  screen->parts = mms_blocks_make(screen->points.padded, MMS_TRAINING_TILE, mms_team_rank(team), mms_team_size(team));
  void *memory = NULL;
  mms_status status = mms_allocate_doubles(&screen->centre, training->dim, "the screen's centre", error);
  if (status == MMS_OK)
    status = mms_allocate(&memory, screen->parts.n_local, screen->row_bytes,
                          "the field's copy of a part of the training set", error);
  screen->mine = memory;
  if (status == MMS_OK) status = mms_allocate_floats(&screen->half, MMS_TRAINING_TILE, "a tile's half norms", error);
  if (status == MMS_OK) status = mms_allocate_floats(&screen->off, MMS_TRAINING_TILE, "a tile's rounding", error);
  status = mms_team_agree(team, status, error);
  if (status != MMS_OK) return status;
  screen->points.centre = screen->centre;
  mms_screen_points_measure(training, screen->centre, &screen->points.scale, &screen->points.radius);
  if (screen->points.blocks > 0) {
    status = mms_team_agree(team, fill_packed(screen, training, error), error);
    mms_team_max_double(team, &screen->points.rounding, 1);
    if (status != MMS_OK) return status;
  } else {
    fill(screen, training);
  }
  return mms_tiles_create(&screen->tiles, team, &screen->parts, screen->row_bytes, PIECE_BYTES, screen->mine, error);
}

void mms_screen_parts_free(mms_screen_parts *screen) {
  mms_tiles_free(&screen->tiles);
  free(screen->centre);
  free(screen->mine);
  free(screen->half);
  free(screen->off);
  *screen = (mms_screen_parts){0};
}

int64_t mms_screen_parts_bytes(const mms_screen_parts *screen) {
  if (screen->tiles == NULL) return 0;
  return screen->parts.n_local * (int64_t)screen->row_bytes + 2 * MMS_TRAINING_TILE * (int64_t)sizeof(float) +
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
  const char *rows = (const char *)screen->piece.data + (size_t)screen->at * screen->row_bytes;
  *tile = (mms_screen_tile){.first = screen->piece.first + screen->at, .half = screen->half};
  tile->width = rest < MMS_TRAINING_TILE ? rest : MMS_TRAINING_TILE;
  if (screen->points.blocks > 0) {
    tile->packed = (const uint16_t *)(const void *)rows;
    tile->stride = (int64_t)(chunk_bytes(screen) / sizeof(uint16_t));
    tile->off = screen->off;
    for (int64_t i = 0; i < tile->width; i += MMS_KERNEL_PAD, rows += chunk_bytes(screen)) {
      const char *halves = rows + halves_at(screen);
      memcpy(screen->half + i, halves, MMS_KERNEL_PAD * sizeof(float));
      memcpy(screen->off + i, halves + MMS_KERNEL_PAD * sizeof(float), MMS_KERNEL_PAD * sizeof(float));
    }
  } else {
    tile->x = (const float *)(const void *)rows;
    tile->stride = (int64_t)(screen->row_bytes / sizeof(float));
    for (int64_t i = 0; i < tile->width; i++) screen->half[i] = tile->x[i * tile->stride + screen->points.stride];
  }
  screen->at += tile->width;
  return true;
}
