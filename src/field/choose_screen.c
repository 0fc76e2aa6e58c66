/* The choice between the screens: what bfloat16 saves in products against the points that its wider margins let through
 * to the finish. Counted on a few particles, never timed. */
#include "field/choose.h"

#include "mmsold/base/memory.h"
#include "mmsold/base/sort.h"
#include "mmsold/random/random.h"
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Few enough to cost no more than some steps. LINES: a particle's own and those of its pairs of draws. */
enum { PARTICLES = 8, PAIRS = 3, LINES = 4, POINTS = 1 << 15 };

typedef struct look {
  const mms_training *training;
  const mms_field_kernel_table *kernels;
  int64_t dim, padded, count, stride; /* the points looked at: every `stride`-th */
  int64_t lines;                      /* of all particles, a multiple of 4 */
  double scale, radius, rounding;
  int64_t at[PARTICLES];   /* the training point a particle is near */
  double *centre, *point;  /* [padded] */
  double *queries;         /* [PARTICLES][LINES][padded]: z' and the noise of its draws */
  double *scores;          /* [lines][count] */
  double *half, *off;      /* |x'|²/2 and |x' − x̂|: [count] */
  double *work;            /* [count] */
  double *products;        /* [lines] */
  float *row;              /* [padded] */
  uint16_t *tile;          /* of one row */
  unsigned char *marks;    /* [count] */
  mms_screen_points shape; /* for the bound of single precision */
} look;

static void look_free(look *l) {
  void *arrays[] = {l->centre, l->point,    l->queries, l->scores, l->half, l->off,
                    l->work,   l->products, l->row,     l->tile,   l->marks};
  for (size_t i = 0; i < sizeof arrays / sizeof arrays[0]; i++) free(arrays[i]);
}

static mms_status look_create(look *l, const mms_training *training, mms_error *error) {
  *l = (look){.training = training, .kernels = mms_field_kernels_best(), .dim = training->dim};
  l->padded = (l->dim + MMS_BFLOAT_BLOCK - 1) / MMS_BFLOAT_BLOCK * MMS_BFLOAT_BLOCK;
  l->stride = (training->count + POINTS - 1) / POINTS;
  l->count = (training->count + l->stride - 1) / l->stride;
  l->lines = PARTICLES * LINES;
  for (int p = 0; p < PARTICLES; p++) {
    mms_random_key key = {.seed = 0, .stream = MMS_STREAM_CHOICE, .step = (uint64_t)1 << 39, .item = (uint64_t)p};
    l->at[p] = (int64_t)mms_random_index(key, (int64_t)1 << 30, (uint64_t)l->count) * l->stride;
  }
  struct {
    void *array;
    int64_t count;
    size_t size;
  } arrays[] = {{&l->centre, l->padded, sizeof(double)},
                {&l->point, l->padded, sizeof(double)},
                {&l->queries, l->lines * l->padded, sizeof(double)},
                {&l->scores, l->lines * l->count, sizeof(double)},
                {&l->half, l->count, sizeof(double)},
                {&l->off, l->count, sizeof(double)},
                {&l->work, l->count, sizeof(double)},
                {&l->products, l->lines, sizeof(double)},
                {&l->row, l->padded, sizeof(float)},
                {&l->tile, l->padded * MMS_BFLOAT_ROWS, sizeof(uint16_t)},
                {&l->marks, l->count, 1}};
  mms_status status = MMS_OK;
  for (size_t i = 0; status == MMS_OK && i < sizeof arrays / sizeof arrays[0]; i++) {
    void *memory = NULL;
    status = mms_allocate(&memory, arrays[i].count, arrays[i].size, "the choice of a screen", error);
    memcpy(arrays[i].array, &memory, sizeof memory); /* whatever type of pointer it is */
  }
  return status;
}

static double *line_of(const look *l, int p, int64_t line) { return l->queries + (p * LINES + line) * l->padded; }

/* The centre, the largest coordinate, and the points that the particles are near. */
static void look_around(void *context, int64_t first, int64_t rows, const double *points) {
  look *l = context;
  for (int64_t i = (l->stride - first % l->stride) % l->stride; i < rows; i += l->stride) {
    const double *x = points + i * l->dim;
    for (int64_t k = 0; k < l->dim; k++) {
      l->centre[k] += x[k] / (double)l->count;
      l->scale = fmax(l->scale, fabs(x[k]));
    }
    for (int p = 0; p < PARTICLES; p++)
      if (l->at[p] == first + i) memcpy(line_of(l, p, 0), x, (size_t)l->dim * sizeof *x);
  }
}

/* |v − v̂| and |v̂| of a line. */
static void round_line(const look *l, const double *line, double *norms) {
  for (int64_t k = 0; k < l->dim; k++) l->row[k] = (float)line[k];
  l->kernels->bfloat_row(l->row, l->dim, l->tile, norms);
}

/* Every line's scores, b or a + half. */
static void score_points(void *context, int64_t first, int64_t rows, const double *points) {
  look *l = context;
  for (int64_t i = (l->stride - first % l->stride) % l->stride; i < rows; i += l->stride) {
    const int64_t at = (first + i) / l->stride;
    double square = 0.0, norms[2];
    for (int64_t k = 0; k < l->dim; k++) {
      l->point[k] = (points[i * l->dim + k] - l->centre[k]) / l->scale;
      square += l->point[k] * l->point[k];
    }
    round_line(l, l->point, norms);
    l->half[at] = 0.5 * square;
    l->radius = fmax(l->radius, sqrt(square));
    l->off[at] = norms[0];
    l->rounding = fmax(l->rounding, norms[0]);
    l->kernels->product_rows(l->point, l->padded, 1, l->queries, l->lines, l->products);
    for (int64_t line = 0; line < l->lines; line++) l->scores[line * l->count + at] = l->products[line];
  }
}

/* Particles as a run's are at the start, with some of their draws. */
static void place(look *l, double bandwidth, int64_t pairs) {
  l->scale = l->scale > 0.0 ? ldexp(1.0, ilogb(l->scale) + 2) : 1.0;
  for (int p = 0; p < PARTICLES; p++) {
    mms_random_key key = {.seed = 0, .stream = MMS_STREAM_CHOICE, .step = (uint64_t)1 << 39, .item = (uint64_t)p};
    double *z = line_of(l, p, 0);
    mms_random_normals(key, 0, l->dim, l->point);
    for (int64_t k = 0; k < l->dim; k++) z[k] = (z[k] - l->centre[k] + bandwidth * l->point[k]) / l->scale;
    for (int64_t j = 1; j <= pairs; j++) mms_random_normals(key, j * l->dim, l->dim, line_of(l, p, j));
  }
  memset(l->point, 0, (size_t)l->padded * sizeof *l->point);
}

/* What the bound knows of the score of particle p and a pair of draws, or none. */
typedef struct bounds {
  double off, size, single, most; /* most: over all points */
} bounds;

static bounds bounds_of(const look *l, int p, int64_t pair, double beta) {
  double row[2], draw[2] = {0.0, 0.0};
  round_line(l, line_of(l, p, 0), row);
  if (pair > 0) round_line(l, line_of(l, p, pair), draw);
  bounds b = {.off = row[0] + beta * draw[0], .size = row[1] + beta * draw[1]};
  b.single = mms_screen_points_error(&l->shape, l->dim, row[0] + row[1], beta * (draw[0] + draw[1]), beta);
  b.most = b.off * l->radius + b.size * l->rounding + b.single;
  return b;
}

static double error_at(const look *l, const bounds *b, int64_t i) {
  return b->off * sqrt(2.0 * l->half[i]) + b->size * l->off[i] + b->single;
}

/* One draw of particle p: marks what each screen keeps. Returns how many points clear bfloat16's margin. */
static int64_t mark(const look *l, int p, int64_t pair, double beta, double depth) {
  const double *a = l->scores + p * LINES * l->count, *b = a + pair * l->count;
  const bounds bound = bounds_of(l, p, pair, fabs(beta));
  double top = -DBL_MAX, low = top;
  int64_t listed = 0;
  if (pair == 0) beta = 0.0;
  for (int64_t i = 0; i < l->count; i++) {
    const double score = a[i] - l->half[i] + beta * b[i];
    top = fmax(top, score);
    low = fmax(low, score - error_at(l, &bound, i));
  }
  for (int64_t i = 0; i < l->count; i++) {
    const double score = a[i] - l->half[i] + beta * b[i];
    if (score + error_at(l, &bound, i) >= low - depth) l->marks[i] |= 1;
    if (score + bound.single >= top - bound.single - depth) l->marks[i] |= 2;
    if (score >= top - 2.0 * bound.most - depth) listed++;
  }
  return listed;
}

static void count_dense(look *l, const mms_score_options *score, int64_t pairs, int64_t all,
                        mms_choice_screen_counts *counts) {
  const double beta = score->smoothing / l->scale, ratio = score->bandwidth / l->scale;
  const double depth = (37.0 + log((double)l->training->count)) * ratio * ratio;
  /* between draws that all meet the same points and draws that each meet others */
  const double more = pairs > 0 ? sqrt((double)all / (double)pairs) : 1.0;
  for (int p = 0; p < PARTICLES; p++) {
    memset(l->marks, 0, (size_t)l->count);
    for (int64_t j = pairs > 0 ? 1 : 0; j <= pairs; j++)
      for (int sign = 1; sign >= -1; sign -= 2)
        counts->listed += (double)(mark(l, p, j, sign * beta, depth) * l->stride) * more * more / PARTICLES;
    for (int64_t i = 0; i < l->count; i++) {
      if ((l->marks[i] & 1) != 0) counts->brief += more * (double)l->stride / PARTICLES;
      if ((l->marks[i] & 2) != 0) counts->single += more * (double)l->stride / PARTICLES;
    }
  }
}

/* Points that are neither certainly among the K nearest nor certainly not, where a score is off by `factor` times what
 * bfloat16 adds; and those that the search lists. */
static double count_open(const look *l, int p, int64_t kth, double factor, double *listed) {
  const double *a = l->scores + p * LINES * l->count;
  bounds bound = bounds_of(l, p, 0, 0.0);
  bound.off *= factor, bound.size *= factor;
  double *sorted = l->work, open = 0.0;
  for (int64_t i = 0; i < l->count; i++) sorted[i] = a[i] - l->half[i] - error_at(l, &bound, i);
  mms_sort_doubles(sorted, l->count);
  const double t = sorted[l->count - 1 - kth];
  for (int64_t i = 0; i < l->count; i++) sorted[i] = a[i] - l->half[i] + error_at(l, &bound, i);
  mms_sort_doubles(sorted, l->count);
  const double sure = kth + 1 < l->count ? sorted[l->count - 2 - kth] : -INFINITY;
  for (int64_t i = 0; i < l->count; i++) {
    const double score = a[i] - l->half[i], error = error_at(l, &bound, i);
    if (score + error >= t && score - error <= sure) open += 1.0;
    if (score >= t - bound.most) *listed += 1.0;
  }
  return open;
}

static void count_nearest(look *l, int64_t nearest, mms_choice_screen_counts *counts) {
  const double share = (double)l->stride / PARTICLES;
  double listed = 0.0, certain = 0.0;
  for (int p = 0; p < PARTICLES; p++) {
    counts->brief += count_open(l, p, (nearest - 1) / l->stride, 1.0, &listed) * share;
    counts->single += count_open(l, p, (nearest - 1) / l->stride, 0.0, &certain) * share;
  }
  counts->listed = listed * share;
}

mms_status mms_choice_screen_count(mms_choice_screen_counts *counts, const mms_team *team, const mms_training *training,
                                   const mms_score_options *score, int64_t pairs, mms_error *error) {
  *counts = (mms_choice_screen_counts){0};
  const bool mine = training->partitioned || mms_team_rank(team) == 0;
  const int64_t some = pairs < PAIRS ? pairs : PAIRS;
  look l = {0};
  mms_status status = mine ? look_create(&l, training, error) : MMS_OK;
  status = mms_team_agree(team, status, error);
  if (status == MMS_OK && mine) {
    mms_training_walk(training, look_around, &l);
    place(&l, score->bandwidth, some);
    mms_training_walk(training, score_points, &l);
    l.shape = (mms_screen_points){.radius = l.radius};
    if (score->backend == MMS_BACKEND_NEIGHBOURS)
      count_nearest(&l, score->nearest, counts);
    else
      count_dense(&l, score, some, pairs, counts);
  }
  look_free(&l);
  if (status == MMS_OK) mms_team_broadcast(team, counts, sizeof *counts, 0);
  return status;
}

/* In nanoseconds a row: a product costs 1/60 ns a flop through SGEMM and a tenth of that in bfloat16; a point of a list
 * 1.5 ns a coordinate from memory, and 0.2 for each pair of draws, whose exponentials take 6; a distance the
 * coordinates alone; a point that is listed, 15 for each draw (tests/bench/README.md). At least half of what is saved
 * must be left. */
bool mms_choice_bfloat(const mms_training *training, const mms_score_options *score, int64_t pairs,
                       const mms_choice_screen_counts *counts) {
  const double n = (double)training->count, d = (double)training->dim, more = counts->brief - counts->single;
  const bool neighbours = score->backend == MMS_BACKEND_NEIGHBOURS;
  const double p = neighbours ? 0.0 : (double)(pairs > 0 ? pairs : 1), lines = neighbours ? 1.0 : 1.0 + (double)pairs;
  const double saved = lines * n * d * 2.0 * (1.0 / 60.0) * 0.9;
  const double spent = more * (20.0 + 1.5 * d + p * (0.2 * d + 6.0)) + 15.0 * counts->listed;
  if (neighbours && counts->listed > (double)(score->nearest + MMS_CHOICE_LISTED)) return false;
  return spent <= 0.5 * saved;
}

/* The screen, and the reason for it. */
static mms_status choose(mms_screen *screen, const mms_team *team, const mms_training *training,
                         const mms_score_options *score, int64_t pairs, char *why, size_t size, mms_error *error) {
  const char *forced = getenv("MMSOLD_SCREEN");
  double slow[2] = {mms_field_kernels_best()->bfloat_fast ? 0.0 : 1.0, 0.0};
  if (forced != NULL && strcmp(forced, "single") == 0) slow[1] = 1.0;
  if (forced != NULL && strcmp(forced, "bfloat16") == 0) slow[1] = 2.0;
  mms_team_max_double(team, slow, 2); /* one screen for all, whatever processors and environments they have */
  *screen = slow[1] == 2.0 ? MMS_SCREEN_BFLOAT16 : MMS_SCREEN_SINGLE;
  snprintf(why, size, "%s", slow[1] > 0.0 ? "MMSOLD_SCREEN" : "no AMX");
  if (slow[1] > 0.0 || slow[0] > 0.0) return MMS_OK;
  snprintf(why, size, "no bandwidth to choose by");
  if (!(score->bandwidth > 0.0)) return MMS_OK;
  mms_choice_screen_counts counts;
  if (!(score->smoothing > 0.0)) pairs = 0;
  mms_status status = mms_choice_screen_count(&counts, team, training, score, pairs, error);
  if (status != MMS_OK) return status;
  if (mms_choice_bfloat(training, score, pairs, &counts)) *screen = MMS_SCREEN_BFLOAT16;
  snprintf(why, size, "it leaves %.3g points a particle to double, single precision %.3g", counts.brief, counts.single);
  if (*screen == MMS_SCREEN_SINGLE)
    snprintf(why, size, "it leaves %.3g points a particle to double, bfloat16 %.3g", counts.single, counts.brief);
  return MMS_OK;
}

mms_status mms_choice_screen(mms_screen *screen, const mms_team *team, const mms_training *training,
                             const mms_score_options *score, int64_t pairs, char *name, size_t size, mms_error *error) {
  char why[96] = "";
  mms_status status = choose(screen, team, training, score, pairs, why, sizeof why, error);
  const char *way = mms_field_kernels_best()->bfloat_fast ? "AMX tiles" : "plain loops";
  if (*screen == MMS_SCREEN_SINGLE)
    snprintf(name, size, "single precision through SGEMM (%s)", why);
  else
    snprintf(name, size, "bfloat16 through %s (%s)", way, why);
  return status;
}
