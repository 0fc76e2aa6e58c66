#include "training/generators.h"

#include "mmsold/random/random.h"
#include "mmsold/training/modes.h"
#include <math.h>
#include <string.h>

static const double PI = 3.14159265358979323846;

static void uniforms_of(uint64_t seed, int64_t row, int64_t count, double *out) {
  mms_random_key key = {.seed = seed, .stream = MMS_STREAM_GENERATE, .step = 0, .item = (uint64_t)row};
  mms_random_uniforms(key, 0, count, out);
}

/* Normals take step 1: the same counters as the uniforms would give dependent numbers. */
static void normals_of(uint64_t seed, int64_t row, int64_t count, double *out) {
  mms_random_key key = {.seed = seed, .stream = MMS_STREAM_GENERATE, .step = 1, .item = (uint64_t)row};
  mms_random_normals(key, 0, count, out);
}

/* x1 = 4u − 2; x2 = v − 2b + (⌊x1⌋ mod 2), b ∈ {0, 1}; both times 2. */
static void checkerboard(uint64_t seed, int64_t row, int64_t rows, double *x) {
  (void)rows;
  double u[3];
  uniforms_of(seed, row, 3, u);
  double x1 = 4 * u[0] - 2;
  double parity = floor(x1) - 2 * floor(floor(x1) / 2);
  x[0] = 2 * x1;
  x[1] = 2 * (u[1] - (u[2] < 0.5 ? 0.0 : 2.0) + parity);
}

/* θ = 540° √u; ±(−θ cos θ + r/2, θ sin θ + r'/2)/3 + 0.1 N(0, I). */
static void spirals(uint64_t seed, int64_t row, int64_t rows, double *x) {
  (void)rows;
  double u[4], normal[2];
  uniforms_of(seed, row, 4, u);
  normals_of(seed, row, 2, normal);
  double theta = sqrt(u[0]) * 3 * PI;
  double sign = u[3] < 0.5 ? 1.0 : -1.0;
  x[0] = sign * (-theta * cos(theta) + 0.5 * u[1]) / 3 + 0.1 * normal[0];
  x[1] = sign * (theta * sin(theta) + 0.5 * u[2]) / 3 + 0.1 * normal[1];
}

static void circle(uint64_t seed, int64_t row, int64_t rows, double *x) {
  (void)seed;
  double angle = 2 * PI * (double)row / (double)rows;
  x[0] = cos(angle);
  x[1] = sin(angle);
}

/* modes.c says which; its formula here gives the same bits as ever. */
static void gaussians(uint64_t seed, int64_t row, int64_t rows, double *x) {
  (void)rows;
  double u, normal[2];
  uniforms_of(seed, row, 1, &u);
  normals_of(seed, row, 2, normal);
  double angle = PI / 4 * floor(8 * u);
  x[0] = (4 * cos(angle) + 0.5 * normal[0]) / 1.414;
  x[1] = (4 * sin(angle) + 0.5 * normal[1]) / 1.414;
}

/* A mode by its weight, then the Gaussian there. */
static void mixture(const char *name, uint64_t seed, int64_t row, double *x) {
  mms_modes modes;
  double u, normal[2];
  uniforms_of(seed, row, 1, &u);
  normals_of(seed, row, 2, normal);
  if (!mms_modes_of(&modes, name)) return;
  int64_t k = 0;
  for (; k + 1 < modes.count && u >= modes.weight[k]; k++) u -= modes.weight[k];
  for (int i = 0; i < 2; i++) x[i] = modes.centre[k][i] + modes.width[k] * normal[i];
}

static void grid(uint64_t seed, int64_t row, int64_t rows, double *x) {
  (void)rows;
  mixture("grid", seed, row, x);
}

static void clusters(uint64_t seed, int64_t row, int64_t rows, double *x) {
  (void)rows;
  mixture("clusters", seed, row, x);
}

typedef struct generator {
  const char *name;
  bool thins;
  void (*draw)(uint64_t seed, int64_t row, int64_t rows, double *x);
} generator;

static const generator generators[] = {
    {"checkerboard", true, checkerboard}, {"spirals", true, spirals}, {"circle", false, circle},
    {"gaussians", false, gaussians},      {"grid", false, grid},      {"clusters", false, clusters}};
enum { GENERATORS = sizeof generators / sizeof generators[0] };

static const generator *find(const char *name) {
  for (int i = 0; i < GENERATORS; i++)
    if (strcmp(name, generators[i].name) == 0) return &generators[i];
  return NULL;
}

bool mms_generator_known(const char *name) { return find(name) != NULL; }

bool mms_generator_thins(const char *name) {
  const generator *g = find(name);
  return g != NULL && g->thins;
}

const char *mms_generator_names(void) { return "checkerboard, spirals, circle, gaussians, grid, clusters"; }

/* Levenshtein's distance, for names shorter than 32 letters; more for longer ones. */
static int distance(const char *a, const char *b) {
  size_t n = strlen(a), m = strlen(b);
  int row[32];
  if (n >= 32 || m >= 32) return 99;
  for (size_t j = 0; j <= m; j++) row[j] = (int)j;
  for (size_t i = 1; i <= n; i++) {
    int diagonal = row[0];
    row[0] = (int)i;
    for (size_t j = 1; j <= m; j++) {
      int replace = diagonal + (a[i - 1] != b[j - 1]);
      int other = (row[j] < row[j - 1] ? row[j] : row[j - 1]) + 1;
      diagonal = row[j];
      row[j] = replace < other ? replace : other;
    }
  }
  return row[m];
}

const char *mms_generator_nearest(const char *name) {
  const char *nearest = NULL;
  int least = 4; /* up to three slips of the finger */
  for (int i = 0; i < GENERATORS; i++) {
    int d = distance(name, generators[i].name);
    if (d < least) {
      least = d;
      nearest = generators[i].name;
    }
  }
  return nearest;
}

mms_status mms_generator_draw(mms_matrix *points, const char *name, int64_t rows, uint64_t seed, mms_error *error) {
  mms_status status = mms_matrix_create(points, rows, 2, "generated points", error);
  if (status != MMS_OK) return status;
  const generator *g = find(name);
  for (int64_t i = 0; i < rows; i++) g->draw(seed, i, rows, points->data + 2 * i);
  return MMS_OK;
}
