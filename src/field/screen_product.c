/* Packing for bfloat16, and the products of a screen. */
#include "field/screen_points.h"

#include "mmsold/base/memory.h"
#include <cblas.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { TILE = MMS_BFLOAT_ROWS * MMS_BFLOAT_BLOCK, STRIP_POINTS = 2 * MMS_BFLOAT_ROWS };

int64_t mms_screen_chunk(const mms_screen_points *points) { return points->blocks * MMS_BFLOAT_BLOCK * MMS_KERNEL_PAD; }

int64_t mms_screen_packed(const mms_screen_points *points, int64_t lines) {
  return (lines + MMS_BFLOAT_ROWS - 1) / MMS_BFLOAT_ROWS * points->blocks * TILE;
}

mms_status mms_screen_room_create(mms_screen_room *room, const mms_screen_points *points, int64_t dim,
                                  mms_error *error) {
  void *tile = NULL;
  *room = (mms_screen_room){0};
  mms_status status =
      mms_allocate(&tile, mms_screen_packed(points, MMS_BFLOAT_ROWS), sizeof(uint16_t), "a tile of points", error);
  room->tile = tile;
  if (status == MMS_OK) status = mms_allocate_floats(&room->row, dim, "a row of points", error);
  return status;
}

void mms_screen_room_free(mms_screen_room *room) {
  free(room->tile);
  free(room->row);
  *room = (mms_screen_room){0};
}

/* Sixteen points, rows of 32 numbers of a block, become sixteen rows of pairs, one of each point. */
static void turn_tile(const uint16_t *tile, uint16_t *out) {
  for (int64_t p = 0; p < MMS_BFLOAT_BLOCK / 2; p++)
    for (int64_t i = 0; i < MMS_BFLOAT_ROWS; i++)
      memcpy(out + 2 * (p * MMS_BFLOAT_ROWS + i), tile + i * MMS_BFLOAT_BLOCK + 2 * p, 2 * sizeof *out);
}

void mms_screen_pack_points(mms_screen_points *points, const mms_field_kernel_table *kernels, const double *rows,
                            int64_t dim, int64_t count, const mms_screen_room *room, uint16_t *chunk, float *half,
                            float *off) {
  for (int64_t first = 0; first < MMS_KERNEL_PAD; first += MMS_BFLOAT_ROWS) {
    memset(room->tile, 0, (size_t)(points->blocks * TILE) * sizeof *room->tile);
    for (int64_t i = 0; i < MMS_BFLOAT_ROWS; i++) {
      double square = 0.0, norms[2];
      half[first + i] = 1e30F;
      off[first + i] = 0.0F;
      if (first + i >= count) continue;
      for (int64_t k = 0; k < dim; k++) {
        double value = (rows[(first + i) * dim + k] - points->centre[k]) / points->scale;
        square += value * value;
        room->row[k] = (float)value;
      }
      half[first + i] = (float)(0.5 * square);
      kernels->bfloat_row(room->row, dim, room->tile + i * MMS_BFLOAT_BLOCK, norms);
      off[first + i] = nextafterf((float)norms[0], INFINITY);
      points->rounding = fmax(points->rounding, (double)off[first + i]);
    }
    uint16_t *strip = chunk + first / STRIP_POINTS * points->blocks * 2 * TILE + first % STRIP_POINTS / 16 * TILE;
    for (int64_t k = 0; k < points->blocks; k++) turn_tile(room->tile + k * TILE, strip + k * 2 * TILE);
  }
}

mms_screen_line mms_screen_pack_query(const mms_screen_points *points, const mms_field_kernel_table *kernels,
                                      const float *q, int64_t dim, int64_t line, uint16_t *packed) {
  double norms[2];
  if (points->blocks == 0) return (mms_screen_line){0.0, sqrt(kernels->square(q, dim)) * (1.0 + 0x1p-22)};
  uint16_t *tile = packed + line / MMS_BFLOAT_ROWS * points->blocks * TILE;
  kernels->bfloat_row(q, dim, tile + line % MMS_BFLOAT_ROWS * MMS_BFLOAT_BLOCK, norms);
  return (mms_screen_line){norms[0], norms[1]};
}

/* |q·x' − q̂·x̂| <= |q − q̂| |x'| + |q̂| |x' − x̂| by Cauchy-Schwarz. What x' to float is off by is in
 * mms_screen_points_error. */
double mms_screen_line_bound(const mms_screen_points *points, const mms_screen_line *line) {
  return (line->off * points->radius + line->size * points->rounding) * (1.0 + 0x1p-20);
}

void mms_screen_multiply(const mms_screen_points *points, const mms_field_kernel_table *kernels, const float *queries,
                         const uint16_t *packed, int64_t lines, int64_t dim, const mms_screen_tile *tile, float *scores,
                         int64_t stride) {
  if (points->blocks > 0)
    kernels->bfloat_product(packed, lines, points->blocks, tile->packed, tile->stride, tile->width, scores, stride);
  else
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (int)lines, (int)tile->width, (int)dim, 1.0F, queries,
                (int)dim, tile->x, (int)tile->stride, 0.0F, scores, (int)stride);
}
