/* The tree backend: nanoseconds a particle where the kernel and the smoothing shrink with the spacing of the data, from
 * a thousand points to ten million, and against dense where both can go. Not a test.
 * bench_tree [least [most [d]]]: training sets of `least` to `most` points (default 1e3 to 1e6; 1e7 takes 700 MB and
 * half a minute), all shapes or those of d dimensions. */
#include "field/backend.h"
#include "field/tree.h"

#include "mmsold/random/random.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { MOST = 1000000, BATCH = 256, BATCHES = 16, REPEATS = 5 };

typedef struct shape {
  const char *name;
  int64_t n, d, draws;
  double side, bandwidth, smoothing;
} shape;

typedef struct cost {
  double create, median, least, search, kept, bytes, together, together_search;
} cost;

/* Of this process, so that a busy machine counts less. */
static double seconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static int compare(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

/* Particles at random training points, moved by δ, as a run has them: a batch shares nothing. */
static void place(const shape *s, const double *x, int64_t batch, double *z) {
  for (int64_t row = 0; row < BATCH; row++) {
    mms_random_key key = {.seed = 2, .stream = MMS_STREAM_TEST, .item = (uint64_t)(batch * BATCH + row)};
    mms_random_normals(key, 0, s->d, z + row * s->d);
    const double *at = x + (int64_t)mms_random_index(key, 1000, (uint64_t)s->n) * s->d;
    for (int64_t k = 0; k < s->d; k++) z[row * s->d + k] = at[k] + s->bandwidth * z[row * s->d + k];
  }
}

/* All particles of a rank in one call, as a step over a large training set asks: the third call, which begins in the
 * order of the second. */
static void measure_together(const shape *s, const mms_backend_table *backend, void *state, const double *x, cost *c) {
  mms_error error = mms_error_none();
  int64_t rows = s->n / 10 > MOST ? MOST : s->n / 10;
  if (backend->evaluate_all == NULL || !backend->together(state)) return;
  double *z = malloc(sizeof(double) * (size_t)(rows * s->d + BATCH * s->d)),
         *mass = malloc(sizeof(double) * (size_t)rows);
  double *out = malloc(sizeof(double) * (size_t)(rows * s->d));
  if (z == NULL || out == NULL || mass == NULL || backend->reserve(state, rows, &error) != MMS_OK) abort();
  for (int64_t batch = 0; batch * BATCH < rows; batch++) place(s, x, batch, z + batch * BATCH * s->d);
  for (int call = 0; call < 3; call++) {
    mms_queries q = {.count = rows, .points = z, .bandwidth = s->bandwidth, .smoothing = s->smoothing};
    q.pairs = s->draws / 2;
    q.step = (uint64_t)call;
    mms_field_counters counters = {0};
    double start = seconds();
    backend->evaluate_all(state, &q, MMS_PULL_DISPLACEMENT, out, mass, &counters);
    c->together = (seconds() - start) / (double)rows * 1e9;
    c->together_search = counters.seconds_product / (double)rows * 1e9;
  }
  free(z);
  free(out);
  free(mass);
}

static cost measure(const shape *s, const mms_team *team, const mms_training *training,
                    const mms_backend_table *backend) {
  mms_error error = mms_error_none();
  double *z = malloc(sizeof(double) * (size_t)(BATCH * s->d)), *out = malloc(sizeof(double) * (size_t)(BATCH * s->d));
  double mass[BATCH], times[BATCHES * REPEATS], start = seconds();
  void *state = NULL;
  cost c = {0};
  if (z == NULL || out == NULL || backend->create(&state, team, training, BATCH, s->draws / 2, &error) != MMS_OK)
    abort();
  c.create = seconds() - start;
  mms_field_counters counters = {0};
  for (int64_t batch = 0; batch < BATCHES * REPEATS; batch++) {
    place(s, training->points, batch, z);
    mms_queries q = {.count = BATCH,
                     .points = z,
                     .bandwidth = s->bandwidth,
                     .smoothing = s->smoothing,
                     .pairs = s->draws / 2,
                     .first_particle = batch * BATCH};
    start = seconds();
    backend->evaluate(state, &q, MMS_PULL_DISPLACEMENT, out, mass, &counters);
    times[batch] = (seconds() - start) / BATCH * 1e9;
  }
  qsort(times, BATCHES * REPEATS, sizeof(double), compare);
  c.median = times[BATCHES * REPEATS / 2];
  c.least = times[0];
  c.search = counters.seconds_product / (BATCH * BATCHES * REPEATS) * 1e9;
  c.kept = (double)counters.finished / (double)counters.rows;
  c.bytes = (double)backend->shared_bytes(state);
  measure_together(s, backend, state, training->points, &c);
  backend->free(state);
  free(z);
  free(out);
  return c;
}

static void run(const shape *s, const mms_team *team, bool dense) {
  double *x = malloc(sizeof(double) * (size_t)(s->n * s->d));
  if (x == NULL) abort();
  for (int64_t i = 0; i < s->n; i++) {
    mms_random_key key = {.seed = 1, .stream = MMS_STREAM_TEST, .item = (uint64_t)i};
    mms_random_uniforms(key, 0, s->d, x + i * s->d);
    for (int64_t k = 0; k < s->d; k++) x[i * s->d + k] *= s->side;
  }
  mms_training training = {.count = s->n, .dim = s->d, .points = x};
  cost tree = measure(s, team, &training, &mms_backend_tree);
  printf("%-14s n = %8lld d = %lld M = %lld: tree %6.0f ns a particle (least %.0f, search %.0f), %.1f points kept, "
         "built in %.2f s, %.0f MB",
         s->name, (long long)s->n, (long long)s->d, (long long)s->draws, tree.median, tree.least, tree.search,
         tree.kept, tree.create, tree.bytes * 1e-6);
  if (tree.together > 0.0)
    printf("; n/10 at once: %.0f ns a particle (search %.0f)", tree.together, tree.together_search);
  if (dense) {
    cost other = measure(s, team, &training, &mms_backend_dense);
    printf("; dense %.0f ns (%.1f kept), %.2f times", other.median, other.kept, other.median / tree.median);
  }
  printf("\n");
  fflush(stdout);
  free(x);
}

int main(int argc, char **argv) {
  double least = argc > 1 ? strtod(argv[1], NULL) : 1e3, most = argc > 2 ? strtod(argv[2], NULL) : 1e6;
  long only = argc > 3 ? strtol(argv[3], NULL, 10) : 0;
  mms_error error = mms_error_none();
  mms_team *team = NULL;
  if (mms_world_begin(&argc, &argv, &error) != MMS_OK || mms_team_create(&team, &error) != MMS_OK) return 1;
  static const shape fixed[] = {
      {"checkerboard", 1000, 2, 8, 2.83, 0.02, 0.05}, {"W1, s = .2", 1000, 2, 8, 2.83, 0.02, 0.2},
      {"W1, exact", 1000, 2, 0, 2.83, 0.02, 0.0},     {"W1, wide", 1000, 2, 8, 2.83, 0.5, 0.05},
      {"far apart", 100000, 2, 8, 2.83, 0.002, 0.2},
  };
  for (size_t i = 0; i < sizeof fixed / sizeof fixed[0] && only == 0; i++) run(&fixed[i], team, true);
  for (int64_t d = 2; d <= 10; d += d < 3 ? 1 : d < 5 ? 2 : 5)
    for (double n = least; n <= most; n *= 10.0) {
      double width = pow(n, -1.0 / (double)d) / 4.0;
      if ((d > 3 && n > 1e5) || (only > 0 && d != only)) continue;
      shape s = {"spacing/4", (int64_t)n, d, 8, 1.0, width, width};
      run(&s, team, n <= 1e5);
    }
  mms_team_free(&team);
  mms_world_end();
  return 0;
}
