/* The choice between the screens, bfloat16 or single precision, against both: processor time of the field's call over a
 * grid of n, d, M and of how far the data cluster, the screens in turn. Not a test. Says nothing where there are no AMX
 * tiles. */
#include "bench.h"

#include "field/choose.h"
#include "mmsold/field/field.h"
#include "mmsold/random/random.h"
#include <string.h>

enum { ROWS = 64, REPEATS = 5, CLUSTERS = 10, SCREENS = 2 };

typedef struct point {
  int64_t n, d, draws, nearest; /* nearest 0: dense */
  double width;                 /* of a cluster, whose centres are N(0, I) */
} point;

/* Row i of the training set, or near it. */
static void make_row(const point *p, int64_t i, double away, double *x) {
  double centre[1024];
  const mms_random_key key = {.seed = 1, .stream = MMS_STREAM_TEST, .item = (uint64_t)i};
  const mms_random_key middle = {.seed = 2, .stream = MMS_STREAM_TEST, .item = (uint64_t)(i % CLUSTERS)};
  mms_random_normals(key, 0, p->d, x);
  mms_random_normals(middle, 0, p->d, centre);
  for (int64_t k = 0; k < p->d; k++) x[k] = centre[k] + p->width * x[k];
  if (!(away > 0.0)) return;
  mms_random_normals(key, p->d, p->d, centre);
  for (int64_t k = 0; k < p->d; k++) x[k] += away * centre[k];
}

static double run(const point *p, const mms_team *team) {
  static const char *const screens[SCREENS] = {"single", "bfloat16"};
  mms_error error = mms_error_none();
  double *x = bench_array(p->n * p->d), *z = bench_array(ROWS * p->d), *gradient = bench_array(ROWS * p->d);
  const double bandwidth = 0.1 * p->width;
  for (int64_t i = 0; i < p->n; i++) make_row(p, i, 0.0, x + i * p->d);
  for (int64_t i = 0; i < ROWS; i++) make_row(p, i * 7 % p->n, bandwidth, z + i * p->d);
  const mms_training training = {.count = p->n, .dim = p->d, .points = x};
  const mms_score_options score = {.backend = p->nearest > 0 ? MMS_BACKEND_NEIGHBOURS : MMS_BACKEND_DENSE,
                                   .nearest = p->nearest,
                                   .bandwidth = bandwidth,
                                   .smoothing = 3.0 * bandwidth};
  mms_queries q = {.count = ROWS, .points = z, .bandwidth = bandwidth, .smoothing = 3.0 * bandwidth};
  q.pairs = p->draws / 2;
  mms_field *fields[SCREENS];
  double times[SCREENS][REPEATS], median[SCREENS];
  for (int s = 0; s < SCREENS; s++) {
    setenv("MMSOLD_SCREEN", screens[s], 1);
    if (mms_field_create_for(&fields[s], team, &training, &score, ROWS, q.pairs, &error) != MMS_OK) abort();
    unsetenv("MMSOLD_SCREEN");
  }
  for (int repeat = -1; repeat < REPEATS; repeat++)
    for (int s = 0; s < SCREENS; s++) {
      const double start = bench_cpu_seconds();
      if (mms_field_gradient(fields[s], &q, gradient, NULL, &error) != MMS_OK) abort();
      if (repeat >= 0) times[s][repeat] = bench_cpu_seconds() - start;
    }
  mms_choice_screen_counts counts;
  if (mms_choice_screen_count(&counts, team, &training, &score, q.pairs, &error) != MMS_OK) abort();
  const int taken = mms_choice_bfloat(&training, &score, q.pairs, &counts) ? 1 : 0;
  for (int s = 0; s < SCREENS; s++) {
    median[s] = bench_summary(REPEATS, times[s]).median;
    mms_field_free(&fields[s]);
  }
  const double loss = median[taken] / fmin(median[0], median[1]);
  printf("| %s | %lld | %lld | %lld | %g | %.3g | %.3g | %.3g | %.3g | %s | %.2f |\n",
         p->nearest > 0 ? "neighbours" : "dense", (long long)p->n, (long long)p->d, (long long)p->draws, p->width,
         counts.single, counts.brief, 1e6 * median[0] / ROWS, 1e6 * median[1] / ROWS, screens[taken], loss);
  fflush(stdout);
  free(x), free(z), free(gradient);
  return loss;
}

int main(int argc, char **argv) {
  static const point shapes[] = {{1000, 12, 8, 0, 0.0},  {1000, 100, 2, 0, 0.0}, {1000, 100, 32, 0, 0.0},
                                 {10000, 40, 8, 0, 0.0}, {8000, 700, 2, 0, 0.0}, {3000, 40, 2, 20, 0.0},
                                 {8000, 700, 2, 50, 0.0}};
  static const double widths[] = {1.0, 0.2, 0.1, 0.05, 0.02, 0.01};
  mms_error error = mms_error_none();
  mms_team *team = NULL;
  if (mms_world_begin(&argc, &argv, &error) != MMS_OK || mms_team_create(&team, &error) != MMS_OK) return 1;
  int slow = 0, all = 0;
  double most = 1.0;
  if (strcmp(mms_field_kernels(), "amx") == 0) {
    printf("| backend | n | d | M | width | points, single | points, bfloat16 | single, us a particle | bfloat16, us | "
           "taken | over the best |\n|---|---|---|---|---|---|---|---|---|---|---|\n");
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++)
      for (size_t w = 0; w < sizeof widths / sizeof widths[0]; w++) {
        point p = shapes[i];
        p.width = widths[w];
        const double loss = run(&p, team);
        all++, slow += loss > 1.25, most = fmax(most, loss);
      }
    printf("\n%d of %d more than 1.25 times slower than the best, at most %.2f times\n", slow, all, most);
  }
  mms_team_free(&team);
  mms_world_end();
  return 0;
}
