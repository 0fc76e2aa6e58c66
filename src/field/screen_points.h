/* The screen's copy of the training set, centred and scaled into the unit ball: single precision, or bfloat16 (x̂ of x')
 * in the tiles of kernels.h. x' = (x − centre)/scale with scale a power of two (so scaling rounds nothing) and |x'|
 * <= 1. And its products with queries, which are screened alike in both. */
#ifndef FIELD_SCREEN_POINTS_H
#define FIELD_SCREEN_POINTS_H

#include "field/kernels.h"
#include "mmsold/training/training.h"
#include <math.h>

typedef enum mms_screen {
  MMS_SCREEN_SINGLE,  /* through SGEMM, or by distance */
  MMS_SCREEN_BFLOAT16 /* through the kernels' bfloat16 tiles */
} mms_screen;

typedef struct mms_screen_points {
  int64_t padded;       /* points, rounded up to the kernels' chunk; the added ones have half = 1e30 and never win */
  int64_t stride;       /* floats from one point to the next (by row), or from one coordinate to the next (by column) */
  int64_t blocks;       /* bfloat16: blocks of MMS_BFLOAT_BLOCK coordinates; 0 in single precision */
  double scale;         /* S */
  double radius;        /* a bound of |x'|, X <= 1 */
  double rounding;      /* the largest |x' − x̂|; 0 in single precision, whose rounding the error below has anyway */
  const double *centre; /* [d] */
  const float *half;    /* |x'|²/2: [padded] */
  const float *off;     /* bfloat16: |x' − x̂|, rounded up: [padded] */
  const float *x;       /* single: by row [padded][stride], by column [d][stride] */
  const uint16_t *packed; /* bfloat16: the kernels' chunks of MMS_KERNEL_PAD points, one after the other */
  mms_shared *memory;
} mms_screen_points;

/* Points first .. first + width − 1 by row, as they come to a product. */
typedef struct mms_screen_tile {
  int64_t first, width;
  int64_t stride;          /* single: floats from one point to the next; bfloat16: numbers from one chunk to the next */
  const float *x;          /* single */
  const uint16_t *packed;  /* bfloat16 */
  const float *half, *off; /* [width] */
} mms_screen_tile;

/* A copy's padded, stride and blocks for `count` points of `dim` coordinates, the rest zero. Local. */
mms_screen_points mms_screen_points_shape(int64_t count, int64_t dim, bool by_column, mms_screen screen);

/* Collective over `team`; agreed. By column there is single precision alone. */
mms_status mms_screen_points_create(mms_screen_points *points, const mms_team *team, const mms_training *training,
                                    bool by_column, mms_screen screen, mms_error *error);
void mms_screen_points_free(mms_screen_points *points); /* Collective */

/* Centre [dim] (zero before), scale and radius. As mms_training_walk: Collective where the set is partitioned. */
void mms_screen_points_measure(const mms_training *training, double *centre, double *scale, double *radius);

mms_screen_tile mms_screen_points_tile(const mms_screen_points *points, int64_t first, int64_t width);

/* --- bfloat16 --- */

/* Numbers of one chunk of points, and of `lines` packed queries; 0 in single precision. */
int64_t mms_screen_chunk(const mms_screen_points *points);
int64_t mms_screen_packed(const mms_screen_points *points, int64_t lines);

/* Work space for packing points. */
typedef struct mms_screen_room {
  uint16_t *tile; /* 16 packed points, by row */
  float *row;     /* [dim] */
} mms_screen_room;
mms_status mms_screen_room_create(mms_screen_room *room, const mms_screen_points *points, int64_t dim,
                                  mms_error *error);
void mms_screen_room_free(mms_screen_room *room);

/* Points rows[0 .. count − 1], count <= MMS_KERNEL_PAD, into a chunk, with half and off [MMS_KERNEL_PAD]; raises
 * points->rounding. Local. */
void mms_screen_pack_points(mms_screen_points *points, const mms_field_kernel_table *kernels, const double *rows,
                            int64_t dim, int64_t count, const mms_screen_room *room, uint16_t *chunk, float *half,
                            float *off);

/* What the bound knows of a query q: |q − q̂| and |q̂|; in single precision 0 and |q|. Neither too small, and their sum
 * no less than |q| before it was rounded to single precision. */
typedef struct mms_screen_line {
  double off, size;
} mms_screen_line;

/* Query q [dim], in bfloat16 packed as number `line`. Local. */
mms_screen_line mms_screen_pack_query(const mms_screen_points *points, const mms_field_kernel_table *kernels,
                                      const float *q, int64_t dim, int64_t line, uint16_t *packed);

/* A bound of |q·x' − q̂·x̂| over all points; 0 in single precision. */
double mms_screen_line_bound(const mms_screen_points *points, const mms_screen_line *line);

/* The same for one point of a tile, in single precision and rounded up: off·|x'| + size·|x' − x̂|. */
static inline float mms_screen_point_bound(const mms_screen_tile *tile, int64_t i, float off, float size) {
  if (tile->off == NULL) return 0.0F;
  return (off * (sqrtf(2.0F * tile->half[i]) + 1e-18F) + size * tile->off[i]) * (1.0F + 0x1p-20F);
}

/* --- products --- */

/* scores [lines, rounded up to 16][stride] = queries [lines][dim] by the tile's points; in bfloat16 of the packed ones.
 * Local. */
void mms_screen_multiply(const mms_screen_points *points, const mms_field_kernel_table *kernels, const float *queries,
                         const uint16_t *packed, int64_t lines, int64_t dim, const mms_screen_tile *tile, float *scores,
                         int64_t stride);

/* A bound of the rounding error of a computed score s = z'·x' − |x'|²/2 ± β ε·x' over all points, for |z'| <= z_norm
 * and β|ε| <= e_norm: derived in screen_points.c. In bfloat16 the bounds of both products come on top, that of ε times
 * β. */
double mms_screen_points_error(const mms_screen_points *points, int64_t dim, double z_norm, double e_norm, double beta);

#endif
