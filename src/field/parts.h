/* Backends over a partitioned training set. What is broadcast tile by tile in the same order on every rank: single
 * precision for the screen, all rows of a rank at once; then double precision, of which each rank keeps the points that
 * its rows need, for the very finish that a replicated set gets. So the bits are the same. */
#ifndef FIELD_PARTS_H
#define FIELD_PARTS_H

#include "field/backend.h"
#include "field/screen_points.h"

/* --- the points that are needed ----------------------------------------------------------- */

/* Rows of the training set that are wanted, fetched in one pass. Marks and counts take n/5 bytes. */
typedef struct mms_fetch {
  const mms_training *training;
  int64_t capacity, count; /* points */
  double *rows;            /* [capacity][d], in the order of the set */
  uint64_t *marks;         /* one bit a point */
  int64_t *before;         /* of the points of one word, how many are kept before them */
} mms_fetch;

/* Local; MMS_ERR_MEMORY. */
mms_status mms_fetch_create(mms_fetch *fetch, const mms_training *training, int64_t capacity, mms_error *error);
void mms_fetch_free(mms_fetch *fetch);
int64_t mms_fetch_bytes(const mms_fetch *fetch);

void mms_fetch_clear(mms_fetch *fetch);
/* Want these points too (NULL: all); false, and nothing changed, where there is no room for them. Local. */
bool mms_fetch_want(mms_fetch *fetch, const int32_t *points, int64_t count);
/* One pass. Collective. */
void mms_fetch_go(mms_fetch *fetch);
/* Names of points become their places among the rows. Local. */
void mms_fetch_rename(const mms_fetch *fetch, int32_t *points, int64_t count);

/* --- the screen's points ------------------------------------------------------------------ */

/* The screen's copy, this rank's part: in single precision a row's half norm follows its coordinates; in bfloat16 those
 * of MMS_KERNEL_PAD points, and what they are off by, follow their chunk. */
typedef struct mms_screen_parts {
  mms_screen_points points; /* centre, widths and counts; x, packed and half stay empty */
  mms_blocks parts;
  size_t row_bytes; /* a row's share */
  double *centre;
  char *mine;
  mms_tiles *tiles;
  mms_tile piece;
  int64_t at;        /* rows of the piece that were handed out */
  float *half, *off; /* [MMS_TRAINING_TILE] */
} mms_screen_parts;

mms_status mms_screen_parts_create(mms_screen_parts *screen, const mms_team *team, const mms_training *training,
                                   mms_screen kind, mms_error *error); /* Collective; agreed */
void mms_screen_parts_free(mms_screen_parts *screen);
int64_t mms_screen_parts_bytes(const mms_screen_parts *screen);
/* A pass over the tiles. Collective. */
void mms_screen_parts_begin(mms_screen_parts *screen);
bool mms_screen_parts_next(mms_screen_parts *screen, mms_screen_tile *tile);

/* --- the backends ------------------------------------------------------------------------- */

typedef struct mms_parts_table {
  /* Collective; agreed. */
  mms_status (*create)(void **state, const mms_team *team, const mms_training *training, const mms_score_options *score,
                       mms_screen screen, int64_t max_pairs, mms_error *error);
  /* Room for batches of `rows` rows in all. Local. */
  mms_status (*reserve)(void *state, int64_t rows, mms_error *error);
  /* Rows of all batches, one after the other, as mms_backend_table.evaluate. Collective: every rank calls, with none
   * where it has none; batches are checked. */
  void (*evaluate)(void *state, const mms_queries *batches, int64_t count, mms_pull pull, double *out, double *log_mass,
                   mms_field_counters *counters);
  void (*free)(void *state);
  int64_t (*bytes)(const void *state);
} mms_parts_table;

extern const mms_parts_table mms_parts_dense;
extern const mms_parts_table mms_parts_neighbours;

/* What a rank may hold beside its part to work on many rows in one pass: more rows need more passes. */
enum { MMS_PARTS_ROUND_BYTES = 32 << 20 };

/* Does any rank say so? Collective. */
bool mms_parts_any(const mms_team *team, bool mine);

#endif
