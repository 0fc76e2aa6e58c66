/* What the constraint costs: moments, exact sums, the d × d work and the update of all rows, beside DGEMM's own rate
 * for the same number of operations in the same run. Processor time; one rank. Not a test. */
#include "bench.h"

#include "mmsold/ensemble/ensemble.h"
#include "mmsold/random/random.h"

typedef struct shape {
  const char *name;
  int64_t particles, d, pairs;
  int repeats;
} shape;

enum { PHASES = 4, MOST_REPEATS = 400 };
static const char *const PHASE_NAMES[PHASES] = {"moments and sums", "d x d", "update", "all"};

static void one_step(const shape *s, const mms_team *team, mms_constraint *constraint, double *y, double *w,
                     double *seconds) {
  mms_error error = mms_error_none();
  mms_random_normals((mms_random_key){.seed = 2, .stream = MMS_STREAM_TEST}, 0, s->particles * s->d, w);
  for (int64_t i = 0; i < s->particles * s->d; i++) w[i] = 0.03 * w[i] - 0.01 * y[i];
  double start = bench_cpu_seconds();
  mms_constraint_begin(constraint);
  if (mms_constraint_add(constraint, y, w) >= 0) abort();
  double added = bench_cpu_seconds();
  if (mms_constraint_reduce(constraint, team, &error) != MMS_OK) abort();
  double reduced = bench_cpu_seconds();
  if (mms_constraint_apply(constraint, team, y, w, &error) != MMS_OK) abort();
  double end = bench_cpu_seconds();
  seconds[0] = added - start, seconds[1] = reduced - added, seconds[2] = end - reduced, seconds[3] = end - start;
}

static void run(const shape *s, const mms_team *team) {
  mms_error error = mms_error_none();
  mms_blocks blocks =
      mms_blocks_make_even(s->particles, mms_ensemble_block_count(s->particles, s->d, 2 * s->pairs), 0, 1);
  mms_constraint *constraint = NULL;
  if (mms_constraint_create(&constraint, &blocks, s->d, MMS_RETRACTION_QR, &error) != MMS_OK) abort();
  double *y = bench_array(s->particles * s->d), *w = bench_array(s->particles * s->d);
  mms_random_normals((mms_random_key){.seed = 1, .stream = MMS_STREAM_TEST}, 0, s->particles * s->d, y);
  if (mms_constraint_retract(constraint, team, y, &error) != MMS_OK) abort();
  /* D and S by symmetry P d² each, C 2 P d², Y A 2 P d², times the triangle P d²; d × d: one product, Cholesky, the
   * triangle's inverse. */
  double d = (double)s->d, tall = (double)s->particles * d * d, flops = 7.0 * tall + (2.0 + 2.0 / 3.0) * d * d * d;
  int side = s->d < 512 ? 512 : (int)s->d;
  static double values[PHASES][MOST_REPEATS], rates[MOST_REPEATS], shares[MOST_REPEATS];
  for (int repeat = 0; repeat < s->repeats; repeat++) {
    double seconds[PHASES];
    /* in turn, as a processor's frequency moves */
    rates[repeat] = 2.0 * side * (double)side * side / bench_dgemm_seconds(side, side, side, 1);
    one_step(s, team, constraint, y, w, seconds);
    for (int k = 0; k < PHASES; k++) values[k][repeat] = seconds[k];
    shares[repeat] = flops / rates[repeat] / seconds[PHASES - 1];
  }
  printf("| %s: P = %lld, d = %lld | %lld |", s->name, (long long)s->particles, (long long)s->d,
         (long long)blocks.size);
  for (int k = 0; k < PHASES; k++) printf(" %.3g |", 1e3 * bench_summary(s->repeats, values[k]).median);
  bench_spread share = bench_summary(s->repeats, shares);
  printf(" %.0f %% ± %.0f %% | %.1f |\n", 100.0 * share.median, 100.0 * share.spread,
         1e-9 * bench_summary(s->repeats, rates).median);
  mms_constraint_free(&constraint);
  free(y), free(w);
}

int main(int argc, char **argv) {
  static const shape shapes[] = {
      {"checkerboard", 20000, 2, 4, 200},
      {"W2", 300, 100, 16, 200},
      {"fashion", 1000, 100, 16, 100},
      {"W3", 3000, 700, 1, 15},
  };
  mms_error error = mms_error_none();
  mms_team *team = NULL;
  if (mms_world_begin(&argc, &argv, &error) != MMS_OK || mms_team_create(&team, &error) != MMS_OK) return 1;
  printf("| shape | block |");
  for (int k = 0; k < PHASES; k++) printf(" %s, ms |", PHASE_NAMES[k]);
  printf(" of DGEMM's rate | DGEMM, GFLOP/s |\n|---|---|---|---|---|---|---|---|\n");
  for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) run(&shapes[i], team);
  mms_team_free(&team);
  mms_world_end();
  return 0;
}
