/* The choice of `auto` against every backend that gives the exact field, over a grid of n, d, M, δ and σ/δ: processor
 * time of the field's call, the backends in turn. Not a test. bench_auto [most]: sets of up to `most` points (default
 * 1e5); ends with 1 where auto is anywhere more than 1.25 times slower than the best. */
#include "bench.h"

#include "mmsold/field/field.h"
#include "mmsold/random/random.h"
#include <stdbool.h>
#include <string.h>

enum { ROWS = 256, REPEATS = 5, BACKENDS = 3 };

static const double call_seconds = 0.02; /* about what one timed call takes */

/* Points uniform in the unit cube; δ = `width` times their spacing n^(-1/d), at most a third of the side. */
typedef struct point {
  int64_t n, d, draws;
  double width, ratio;
} point;

static const struct {
  const char *name;
  mms_backend backend;
} rivals[BACKENDS] = {{"dense", MMS_BACKEND_DENSE}, {"tree", MMS_BACKEND_TREE}, {"neighbours", MMS_BACKEND_NEIGHBOURS}};

/* All points as nearest ones are the exact field too; searching none, it could pay where points are few. */
static bool applies(int rival, const point *p) {
  return rivals[rival].backend != MMS_BACKEND_NEIGHBOURS || p->n <= 100;
}

static double spent(mms_field *field, const mms_queries *q, double *gradient) {
  mms_error error = mms_error_none();
  const double start = bench_cpu_seconds();
  if (mms_field_gradient(field, q, gradient, NULL, &error) != MMS_OK) abort();
  return bench_cpu_seconds() - start;
}

static void place(const point *p, const double *x, double bandwidth, double *z) {
  for (int64_t row = 0; row < ROWS; row++) {
    const mms_random_key key = {.seed = 2, .stream = MMS_STREAM_TEST, .item = (uint64_t)row};
    mms_random_normals(key, 0, p->d, z + row * p->d);
    const double *at = x + (int64_t)mms_random_index(key, 1000, (uint64_t)p->n) * p->d;
    for (int64_t k = 0; k < p->d; k++) z[row * p->d + k] = at[k] + bandwidth * z[row * p->d + k];
  }
}

/* auto's time over the best's. */
static double run(const point *p, const mms_team *team, const double *x, double *z, double *gradient) {
  mms_error error = mms_error_none();
  const mms_training training = {.count = p->n, .dim = p->d, .points = x};
  const double bandwidth = fmin(p->width * pow((double)p->n, -1.0 / (double)p->d), 1.0 / 3.0);
  double times[BACKENDS][REPEATS], median[BACKENDS] = {0};
  mms_field *fields[BACKENDS] = {NULL};
  int64_t rows[BACKENDS] = {0};
  place(p, x, bandwidth, z);
  mms_queries q = {.points = z, .bandwidth = bandwidth, .smoothing = p->ratio * bandwidth, .pairs = p->draws / 2};
  for (int r = 0; r < BACKENDS; r++) {
    if (!applies(r, p)) continue;
    const mms_score_options score = {.backend = rivals[r].backend, .nearest = p->n};
    if (mms_field_create_for(&fields[r], team, &training, &score, ROWS, p->draws / 2, &error) != MMS_OK) abort();
    q.count = 8;
    const double one = spent(fields[r], &q, gradient) / 8.0;
    rows[r] = (int64_t)fmin(ROWS, fmax(8.0, call_seconds / one));
  }
  for (int repeat = 0; repeat < REPEATS; repeat++)
    for (int r = 0; r < BACKENDS; r++) {
      if (fields[r] == NULL) continue;
      q.count = rows[r];
      q.step = (uint64_t)repeat;
      times[r][repeat] = 1e6 * spent(fields[r], &q, gradient) / (double)rows[r];
    }
  mms_field *chosen = NULL;
  const mms_score_options score = {.bandwidth = q.bandwidth, .smoothing = q.smoothing};
  if (mms_field_create_for(&chosen, team, &training, &score, ROWS, p->draws / 2, &error) != MMS_OK) abort();
  double best = INFINITY, taken = INFINITY;
  for (int r = 0; r < BACKENDS; r++) {
    if (fields[r] == NULL) continue;
    median[r] = bench_summary(REPEATS, times[r]).median;
    best = fmin(best, median[r]);
    if (strcmp(mms_field_backend_name(chosen), rivals[r].name) == 0) taken = median[r];
    mms_field_free(&fields[r]);
  }
  printf("| %lld | %lld | %lld | %.2g | %.2g | %.3g | %.3g | ", (long long)p->d, (long long)p->n, (long long)p->draws,
         p->width, p->ratio, median[0], median[1]);
  if (median[2] > 0.0) printf("%.3g", median[2]);
  printf(" | %s | %.2f |\n", mms_field_backend_name(chosen), taken / best);
  fflush(stdout);
  mms_field_free(&chosen);
  return taken / best;
}

int main(int argc, char **argv) {
  const double most = argc > 1 ? strtod(argv[1], NULL) : 1e5;
  mms_error error = mms_error_none();
  mms_team *team = NULL;
  if (mms_world_begin(&argc, &argv, &error) != MMS_OK || mms_team_create(&team, &error) != MMS_OK) return 1;
  static const int64_t dims[] = {2, 3, 5, 8, 9, 10, 12, 16}, draws[] = {2, 32};
  static const double shapes[][2] = {{0.25, 1.0}, {0.25, 10.0}, {1.0, 0.3}, {1.0, 3.0}, {100.0, 0.3}};
  int points = 0, slow = 0;
  double worst = 1.0;
  printf("| d | n | M | δ / spacing | σ/δ | dense, us | tree, us | neighbours (K = n), us | auto | auto / best |\n"
         "|---|---|---|---|---|---|---|---|---|---|\n");
  for (size_t i = 0; i < sizeof dims / sizeof *dims; i++)
    for (double n = 100.0; n <= most; n *= 10.0) {
      const int64_t d = dims[i], count = (int64_t)n;
      double *x = bench_array(count * d), *z = bench_array(ROWS * d), *gradient = bench_array(ROWS * d);
      for (int64_t k = 0; k < count; k++)
        mms_random_uniforms((mms_random_key){.seed = 1, .stream = MMS_STREAM_TEST, .item = (uint64_t)k}, 0, d,
                            x + k * d);
      for (size_t m = 0; m < sizeof draws / sizeof *draws; m++)
        for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++) {
          const point p = {.n = count, .d = d, .draws = draws[m], .width = shapes[s][0], .ratio = shapes[s][1]};
          const double ratio = run(&p, team, x, z, gradient);
          points++;
          slow += ratio > 1.25;
          worst = fmax(worst, ratio);
        }
      free(x), free(z), free(gradient);
    }
  printf("\n%d points; auto is more than 1.25 times slower than the best at %d, at most %.2f times.\n", points, slow,
         worst);
  mms_team_free(&team);
  mms_world_end();
  return slow > 0;
}
