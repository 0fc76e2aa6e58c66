#include "field/choose.h"

#include "field/kernels.h"
#include "mmsold/base/memory.h"
#include "mmsold/random/random.h"
#include <math.h>
#include <stdlib.h>

/* Few enough to cost no more than some steps, and enough for a mean that a rule in powers of ten needs. */
enum { PARTICLES = 16, DRAWS = 8, POINTS = 1 << 17 };

/* The points looked at: every `stride`-th. */
typedef struct sample {
  const mms_training *training;
  int64_t count, stride;
  double *squares; /* |x − q|² of one draw: [count] */
  double *centred; /* |x − z|²: [count] */
  char *marks;     /* with weight in some draw: [count] */
} sample;

static mms_status sample_create(sample *s, const mms_training *training, mms_error *error) {
  *s = (sample){.training = training, .stride = (training->count + POINTS - 1) / POINTS};
  s->count = (training->count + s->stride - 1) / s->stride;
  void *marks = NULL;
  mms_status status = mms_allocate_doubles(&s->squares, s->count, "the choice of a backend", error);
  if (status == MMS_OK) status = mms_allocate_doubles(&s->centred, s->count, "the choice of a backend", error);
  if (status == MMS_OK) status = mms_allocate(&marks, s->count, 1, "the choice of a backend", error);
  s->marks = marks;
  return status;
}

static void sample_free(sample *s) {
  free(s->squares);
  free(s->centred);
  free(s->marks);
}

/* squares <- |x − q|²; returns the least. */
static double measure(const sample *s, const double *q, double *squares) {
  const int64_t d = s->training->dim;
  double least = INFINITY;
  for (int64_t i = 0; i < s->count; i++) {
    const double *x = s->training->points + i * s->stride * d;
    double square = 0.0;
    for (int64_t k = 0; k < d; k++) square += (x[k] - q[k]) * (x[k] - q[k]);
    squares[i] = square;
    least = fmin(least, square);
  }
  return least;
}

/* One particle: its sums onto `counts`. room [3][d]. */
static void look(sample *s, int64_t particle, double bandwidth, double smoothing, int64_t draws, double *room,
                 mms_choice_counts *counts) {
  const double scale = 1.44269504088896340736 / (bandwidth * bandwidth);
  double away = 0.0;
  const int64_t d = s->training->dim, n = s->training->count;
  /* a point further from a draw than this is not among those that finish computes (ALGORITHMS 1) */
  const double depth = 2.0 * bandwidth * bandwidth * (37.0 + log((double)n)), each = (double)s->stride;
  double *z = room, *q = room + d, *noise = room + 2 * d, reach = 0.0;
  mms_random_key key = {.seed = 0, .stream = MMS_STREAM_CHOICE, .step = 0, .item = (uint64_t)particle};
  const double *at = s->training->points + mms_random_index(key, (int64_t)1 << 40, (uint64_t)n) * (uint64_t)d;
  mms_random_normals(key, 0, d, noise);
  for (int64_t k = 0; k < d; k++) z[k] = at[k] + bandwidth * noise[k];
  const double near = sqrt(measure(s, z, s->centred));
  for (int64_t i = 0; i < s->count; i++) s->marks[i] = 0;
  for (int64_t j = 0; j < draws; j++) {
    double shift = 0.0;
    key.step = (uint64_t)j + 1;
    mms_random_normals(key, 0, d, noise);
    for (int64_t k = 0; k < d; k++) {
      q[k] = z[k] + smoothing * noise[k];
      shift += smoothing * smoothing * noise[k] * noise[k];
    }
    const double limit = measure(s, q, s->squares) + depth;
    for (int64_t i = 0; i < s->count; i++) {
      if (!(s->squares[i] <= limit)) continue;
      counts->one += each / (double)draws;
      if (s->marks[i] == 0) counts->together += each;
      s->marks[i] = 1;
    }
    reach = fmax(reach, sqrt(shift) + sqrt(limit));
    away = fmax(away, sqrt(shift));
  }
  if (0.5 * scale * reach * reach < MMS_TREE_PAIRS_DEPTH && scale * away * (reach + near) < MMS_TREE_RISE)
    counts->pairs += 1.0; /* as tree_rows.c has it */
  for (int64_t i = 0; i < s->count; i++)
    if (s->centred[i] <= reach * reach) counts->ball += each;
}

mms_status mms_choice_count(mms_choice_counts *counts, const mms_training *training, double bandwidth, double smoothing,
                            int64_t pairs, mms_error *error) {
  *counts = (mms_choice_counts){0};
  const int64_t all = pairs > 0 && smoothing > 0.0 ? 2 * pairs : 1;
  sample s;
  double *room = NULL;
  mms_status status = sample_create(&s, training, error);
  if (status == MMS_OK) status = mms_allocate_doubles(&room, 3 * training->dim, "the choice of a backend", error);
  for (int64_t p = 0; status == MMS_OK && p < PARTICLES; p++)
    look(&s, p, bandwidth, all > 1 ? smoothing : 0.0, all < DRAWS ? all : DRAWS, room, counts);
  counts->one /= PARTICLES;
  counts->together /= PARTICLES;
  counts->ball /= PARTICLES;
  counts->pairs = all % MMS_TREE_LANES == 0 ? counts->pairs / PARTICLES : 0.0;
  sample_free(&s);
  free(room);
  return status;
}

/* Fitted to processor times of both over a grid of n, d, M, δ and σ/δ (tests/bench/README.md, auto): every number is
 * from there. Up to eight dimensions dense screens draw by draw in vector code, beyond through SGEMM. */
bool mms_choice_tree(int64_t n, int64_t dim, int64_t draws, const mms_choice_counts *counts) {
  if (dim <= MMS_CHOICE_TREE) return true;
  if (dim > MMS_CHOICE_DENSE) return false;
  const double all = (double)n, d = (double)dim, m = (double)draws;
  if (dim <= 8) {
    /* a short list, or draws so far apart that the tree searches for each of them by itself */
    if (counts->ball < all / 400.0 || counts->one * m < counts->ball / 4.0) return true;
    if (counts->pairs > 0.5 && counts->ball <= MMS_TREE_LIST) return true; /* one list, half the exponentials */
    return counts->one >= 2.0 * m && m * d < 222.0; /* many points of weight: what each of them costs decides */
  }
  if (dim <= 16) {
    if (counts->together * d >= 16400.0) return m * d < 111.0 || (dim <= 10 && counts->one < 0.2 * all);
    /* eight draws and more, too far apart to be pairs: the tree passes twice over every list */
    if (draws >= MMS_TREE_LANES && counts->pairs < 0.5 &&
        ((dim >= 12 && n <= 128) || (dim > 12 && counts->one > 0.7 * all)))
      return false;
    return counts->one > 0.07 * all || (dim <= 10 && draws >= 8 && counts->ball * d < 320.0);
  }
  if (counts->together * d >= 2900.0) return m * d < 55.0;
  return counts->one > 0.4 * all;
}
