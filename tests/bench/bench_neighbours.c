/* The neighbours backend against the one SGEMM it cannot do without, P x n x d, in the same run; and both ways of
 * drawing its noise around the rule that chooses. Not a test. */
#include "bench.h"

#include "field/neighbours.h"
#include "mmsold/field/field.h"
#include "mmsold/random/random.h"

enum { ROWS = 128, REPEATS = 9 };

typedef struct shape {
  const char *name;
  int64_t n, d, nearest, remainder, draws;
  double bandwidth, smoothing;
} shape;

/* A Gaussian whose scales fall off like whitened image components. */
static void fill(int64_t count, int64_t d, uint64_t seed, double *points) {
  for (int64_t i = 0; i < count; i++) {
    mms_random_normals((mms_random_key){.seed = seed, .stream = MMS_STREAM_TEST, .item = (uint64_t)i}, 0, d,
                       points + i * d);
    for (int64_t k = 20; k < d; k++) points[i * d + k] *= sqrt(20.0 / (double)k);
  }
}

static void run(const shape *s, const mms_team *team) {
  mms_error error = mms_error_none();
  double *x = bench_array(s->n * s->d), *z = bench_array(ROWS * s->d), *gradient = bench_array(ROWS * s->d);
  double all[REPEATS], product[REPEATS], finish[REPEATS], sgemm[REPEATS];
  fill(s->n, s->d, 1, x);
  fill(ROWS, s->d, 2, z);
  for (int64_t i = 0; i < ROWS * s->d; i++) z[i] = x[i % s->d + (i / s->d * 17 % s->n) * s->d] + s->bandwidth * z[i];
  mms_training training = {.count = s->n, .dim = s->d, .points = x};
  const mms_score_options score = {.backend = MMS_BACKEND_NEIGHBOURS,
                                   .nearest = s->nearest,
                                   .remainder = s->remainder,
                                   .bandwidth = s->bandwidth,
                                   .smoothing = s->smoothing};
  mms_field *field = NULL;
  if (mms_field_create_for(&field, team, &training, &score, ROWS, s->draws / 2, &error) != MMS_OK) abort();
  mms_queries q = {.count = ROWS, .points = z, .bandwidth = s->bandwidth, .smoothing = s->smoothing};
  q.pairs = s->draws / 2;
  for (int repeat = 0; repeat < REPEATS; repeat++) {
    mms_field_counters before = mms_field_read_counters(field);
    double start = bench_cpu_seconds();
    q.step = (uint64_t)repeat;
    if (mms_field_gradient(field, &q, gradient, NULL, &error) != MMS_OK) abort();
    all[repeat] = bench_cpu_seconds() - start;
    mms_field_counters after = mms_field_read_counters(field);
    product[repeat] = (after.seconds_product - before.seconds_product) / (after.seconds - before.seconds);
    finish[repeat] = (after.seconds_finish - before.seconds_finish) / (after.seconds - before.seconds);
    sgemm[repeat] = bench_sgemm_seconds(512, 512, (int)s->d, 5) * ROWS / 512.0 * (double)s->n / 512.0;
  }
  bench_spread time = bench_summary(REPEATS, all), gemm = bench_summary(REPEATS, sgemm);
  printf(
      "| %s: n = %lld, d = %lld, K = %lld, L = %lld, M = %lld | %.3g | %.0f %% | %.0f %% | %.0f %% | %.3g | %.2f |\n",
      s->name, (long long)s->n, (long long)s->d, (long long)s->nearest, (long long)s->remainder, (long long)s->draws,
      1e6 * time.median / ROWS, 100.0 * time.spread, 100.0 * bench_summary(REPEATS, product).median,
      100.0 * bench_summary(REPEATS, finish).median, 1e6 * gemm.median / ROWS, time.median / gemm.median);
  fflush(stdout);
  mms_field_free(&field);
  free(x), free(z), free(gradient);
}

/* Seconds of the finish alone with each way of drawing noise. */
static void run_noise(int64_t d, int64_t list, int64_t draws, const mms_team *team) {
  mms_error error = mms_error_none();
  const int64_t n = 2 * list + 64;
  double *x = bench_array(n * d), *z = bench_array(ROWS * d), *out = bench_array(ROWS * d), seconds[2];
  fill(n, d, 1, x);
  fill(ROWS, d, 2, z);
  mms_training training = {.count = n, .dim = d, .points = x};
  mms_score_options score = {.nearest = list / 2, .remainder = list - list / 2};
  mms_field_counters counters = {0};
  mms_queries q = {.count = 1, .bandwidth = 1.0, .smoothing = 1.0, .pairs = draws / 2};
  for (int way = 0; way < 2; way++) {
    void *state = NULL;
    score.sharing = way == 0 ? MMS_SHARING_BLOCK : MMS_SHARING_PARTICLE; /* made without, then with the factor */
    if (mms_neighbours_create(&state, team, &training, &score, MMS_SCREEN_SINGLE, ROWS, way == 0 ? draws / 2 : 1 << 20,
                              &error) != MMS_OK)
      abort();
    double values[REPEATS], mass;
    for (int repeat = 0; repeat < REPEATS; repeat++) {
      double spent = 0.0;
      for (int64_t r = 0; r < 16; r++) {
        q.points = z + r * d, q.first_particle = r;
        double start = bench_cpu_seconds();
        if (r % 8 == 0) mms_backend_neighbours.evaluate(state, &q, MMS_PULL_MEAN, out, &mass, &counters);
        if (r % 8 != 0) mms_neighbours_finish(state, &q, 0, MMS_PULL_MEAN, out, &mass);
        if (r % 8 != 0) spent += bench_cpu_seconds() - start;
      }
      values[repeat] = spent / 14.0;
    }
    seconds[way] = bench_summary(REPEATS, values).median;
    mms_backend_neighbours.free(state);
  }
  printf("| %lld | %lld | %lld | %.3g | %.3g | %s |\n", (long long)d, (long long)list, (long long)draws,
         1e6 * seconds[0], 1e6 * seconds[1],
         mms_neighbours_gram(&score, d, draws / 2) ? "Gram matrix" : "d dimensions");
  free(x), free(z), free(out);
}

int main(int argc, char **argv) {
  static const shape shapes[] = {{"W3k", 27000, 700, 50, 50, 2, 0.05, 1.0},
                                 {"W3k, more draws", 27000, 700, 50, 50, 32, 0.05, 1.0},
                                 {"fashion", 1000, 100, 20, 20, 32, 0.03, 0.5},
                                 {"faces, half the points", 13000, 700, 50, 50, 2, 0.05, 1.0},
                                 {"checkerboard", 100000, 2, 20, 20, 8, 0.02, 0.05}};
  mms_error error = mms_error_none();
  mms_team *team = NULL;
  if (mms_world_begin(&argc, &argv, &error) != MMS_OK || mms_team_create(&team, &error) != MMS_OK) return 1;
  printf("| shape | us a particle | ± | product | finish | its SGEMM, us | field / SGEMM "
         "|\n|---|---|---|---|---|---|---|\n");
  for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) run(&shapes[i], team);
  printf("\n| d | K + L | M | in d dimensions, us | Gram matrix, us | the rule |\n|---|---|---|---|---|---|\n");
  const int64_t dims[] = {100, 700}, lists[] = {20, 40, 100}, draws[] = {8, 32, 128, 512};
  for (size_t i = 0; i < 2; i++)
    for (size_t l = 0; l < 3; l++)
      for (size_t m = 0; m < 4; m++)
        if (lists[l] <= dims[i]) run_noise(dims[i], lists[l], draws[m], team);
  mms_team_free(&team);
  mms_world_end();
  return 0;
}
