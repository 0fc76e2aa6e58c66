#include "field/screen_points.h"

#include "mmsold/base/memory.h"
#include <math.h>
#include <stdlib.h>

/* Layout of the shared memory: scale, radius and rounding; centre [d]; then floats or packed points, each part on a
 * cache line. */
typedef struct layout {
  size_t centre, half, off, x, bytes;
} layout;

enum { WIDTHS = 3, LINE_FLOATS = MMS_ALIGNMENT / sizeof(float) };

static size_t line_up(size_t bytes) { return (bytes + MMS_ALIGNMENT - 1) / MMS_ALIGNMENT * MMS_ALIGNMENT; }

static layout make_layout(const mms_screen_points *points, int64_t dim, bool by_column) {
  layout l;
  l.centre = line_up(WIDTHS * sizeof(double));
  l.half = l.centre + line_up((size_t)dim * sizeof(double));
  l.off = l.half + line_up((size_t)points->padded * sizeof(float));
  l.x = l.off + line_up(points->blocks > 0 ? (size_t)points->padded * sizeof(float) : 0);
  l.bytes = l.x + (size_t)(by_column ? dim : points->padded) * (size_t)points->stride * sizeof(float);
  if (points->blocks > 0)
    l.bytes = l.x + (size_t)(points->padded / MMS_KERNEL_PAD * mms_screen_chunk(points)) * sizeof(uint16_t);
  return l;
}

/* Sums and maxima over the points, as they come by. */
typedef struct measures {
  int64_t dim;
  double count, largest, most;
  double *centre;
} measures;

static void add_to_centre(void *context, int64_t first, int64_t rows, const double *points) {
  const measures *m = context;
  (void)first;
  for (int64_t i = 0; i < rows; i++)
    for (int64_t k = 0; k < m->dim; k++) m->centre[k] += points[i * m->dim + k] / m->count;
}

static void find_largest(void *context, int64_t first, int64_t rows, const double *points) {
  measures *m = context;
  (void)first;
  for (int64_t i = 0; i < rows; i++)
    for (int64_t k = 0; k < m->dim; k++) m->largest = fmax(m->largest, fabs(points[i * m->dim + k] - m->centre[k]));
}

static void find_most(void *context, int64_t first, int64_t rows, const double *points) {
  measures *m = context;
  (void)first;
  for (int64_t i = 0; i < rows && m->largest > 0.0; i++) {
    double square = 0.0; /* squares of coordinates relative to the largest can't overflow */
    for (int64_t k = 0; k < m->dim; k++) {
      double value = (points[i * m->dim + k] - m->centre[k]) / m->largest;
      square += value * value;
    }
    m->most = fmax(m->most, m->largest * sqrt(square));
  }
}

/* The centre need only be near the mean; the scale, a power of two that no |x − centre| exceeds. */
void mms_screen_points_measure(const mms_training *training, double *centre, double *scale, double *radius) {
  measures m = {.dim = training->dim, .count = (double)training->count, .centre = centre};
  mms_training_walk(training, add_to_centre, &m);
  mms_training_walk(training, find_largest, &m);
  mms_training_walk(training, find_most, &m);
  int exponent = 0;
  if (m.most > 0.0) frexp(m.most, &exponent);
  exponent = exponent < -1000 ? -1000 : exponent > 1000 ? 1000 : exponent;
  *scale = ldexp(1.0, exponent);
  *radius = fmin(1.0, m.most / *scale * (1.0 + 1e-9));
}

static void fill(const mms_screen_points *points, const mms_training *training, bool by_column, float *half, float *x) {
  int64_t n = training->count, d = training->dim;
  for (int64_t i = 0; i < points->padded; i++) {
    double square = 0.0;
    for (int64_t k = 0; k < d && i < n; k++) {
      double value = (training->points[i * d + k] - points->centre[k]) / points->scale;
      square += value * value;
      x[by_column ? k * points->stride + i : i * points->stride + k] = (float)value;
    }
    half[i] = i < n ? (float)(0.5 * square) : 1e30F;
  }
}

static mms_status fill_packed(mms_screen_points *points, const mms_training *training, float *half, float *off,
                              uint16_t *packed, mms_error *error) {
  const mms_field_kernel_table *kernels = mms_field_kernels_best();
  mms_screen_room room;
  mms_status status = mms_screen_room_create(&room, points, training->dim, error);
  for (int64_t first = 0; status == MMS_OK && first < points->padded; first += MMS_KERNEL_PAD) {
    int64_t rest = training->count - first;
    mms_screen_pack_points(points, kernels, training->points + first * training->dim, training->dim,
                           rest < MMS_KERNEL_PAD ? rest : MMS_KERNEL_PAD, &room,
                           packed + first / MMS_KERNEL_PAD * mms_screen_chunk(points), half + first, off + first);
  }
  mms_screen_room_free(&room);
  return status;
}

mms_screen_points mms_screen_points_shape(int64_t count, int64_t dim, bool by_column, mms_screen screen) {
  const bool packed = screen == MMS_SCREEN_BFLOAT16 && !by_column;
  const int64_t padded = (count + MMS_KERNEL_PAD - 1) / MMS_KERNEL_PAD * MMS_KERNEL_PAD;
  return (mms_screen_points){.padded = padded,
                             .stride = by_column ? padded : (dim + LINE_FLOATS - 1) / LINE_FLOATS * LINE_FLOATS,
                             .blocks = packed ? (dim + MMS_BFLOAT_BLOCK - 1) / MMS_BFLOAT_BLOCK : 0};
}

mms_status mms_screen_points_create(mms_screen_points *points, const mms_team *team, const mms_training *training,
                                    bool by_column, mms_screen screen, mms_error *error) {
  const int64_t dim = training->dim;
  *points = mms_screen_points_shape(training->count, dim, by_column, screen);
  layout l = make_layout(points, dim, by_column);
  mms_status status = mms_shared_create(&points->memory, team, l.bytes, "the field's copy of the training set", error);
  if (status != MMS_OK) return status;
  char *memory = mms_shared_data(points->memory);
  double *widths = (double *)(void *)memory, *centre = (double *)(void *)(memory + l.centre);
  float *half = (float *)(void *)(memory + l.half), *off = (float *)(void *)(memory + l.off);
  float *x = (float *)(void *)(memory + l.x);
  uint16_t *packed = (uint16_t *)(void *)(memory + l.x);
  points->centre = centre;
  points->half = half;
  points->off = points->blocks > 0 ? off : NULL;
  points->x = points->blocks > 0 ? NULL : x;
  points->packed = points->blocks > 0 ? packed : NULL;
  if (mms_team_rank(team) == 0) {
    mms_screen_points_measure(training, centre, &widths[0], &widths[1]);
    points->scale = widths[0];
    points->radius = widths[1];
    points->rounding = 0.0;
    if (points->blocks > 0)
      status = fill_packed(points, training, half, off, packed, error);
    else
      fill(points, training, by_column, half, x);
    widths[2] = points->rounding;
  }
  mms_shared_publish(points->memory);
  points->scale = widths[0];
  points->radius = widths[1];
  points->rounding = widths[2];
  return mms_team_agree(team, status, error);
}

void mms_screen_points_free(mms_screen_points *points) { mms_shared_free(&points->memory); }

mms_screen_tile mms_screen_points_tile(const mms_screen_points *points, int64_t first, int64_t width) {
  mms_screen_tile tile = {.first = first, .width = width, .stride = points->stride, .half = points->half + first};
  if (points->blocks == 0) {
    tile.x = points->x + first * points->stride;
  } else {
    tile.off = points->off + first;
    tile.stride = mms_screen_chunk(points);
    tile.packed = points->packed + first / MMS_KERNEL_PAD * tile.stride;
  }
  return tile;
}

/* u = 2^-24, γ_k = ku/(1 − ku). Converting x', z', ε, β and |x'|²/2 to float is a relative error u each. A product of d
 * terms in any order, fused or not, is off by at most γ_d Σ|z_k x_k| <= γ_d |z'||x'| (Cauchy-Schwarz; Higham, Accuracy
 * and Stability, 3.1). With the conversions: γ_{d+2}|z'|X; the subtraction of the half norm, itself rounded, adds
 * u(|z'|X + X²/2) + uX²/2; likewise γ_{d+3} e X with β; the last sum adds u of everything, and so does the limit, a
 * float difference from the largest. Altogether less than γ_{d+8} ((|z'| + e) X + X²). What underflows is at most
 * 2^-126 for each of 2d + 8 operations, scaled by β at most. Double rounding in forming z' and x' (2^-53 each) is far
 * below the slack as long as |z'| < 2^24, which the caller makes sure of. */
double mms_screen_points_error(const mms_screen_points *points, int64_t dim, double z_norm, double e_norm,
                               double beta) {
  double terms = (double)(points->blocks > 0 ? points->blocks * MMS_BFLOAT_BLOCK : dim) + 8.0;
  double ku = terms * 0x1p-24, radius = points->radius, larger = points->blocks > 0 ? 1.008 : 1.0;
  if (ku >= 0.5) return INFINITY;
  return larger * ku / (1.0 - ku) * ((z_norm + e_norm) * radius + radius * radius) +
         (double)(2 * dim + 8) * (1.0 + beta) * 0x1p-126;
}
