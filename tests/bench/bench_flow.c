/* The field along a σ-CFDM flow (ALGORITHMS 7): queries z/t at bandwidth (1 − t)/t and smoothing σ/t, noise made once
 * and shared by all particles. Microseconds of processor time a particle and step over stretches of t, and all of a
 * flow. bench_flow [backend (auto) [smoothing [draws [kernels]]]]. Not a test. */
#include "bench.h"

#include "mmsold/field/field.h"
#include "mmsold/random/random.h"
#include <string.h>

enum { N = 1000, P = 20000, BLOCK = 256, BLOCKS = 8, STEPS = 1000, SAMPLED = 50 };

/* The squares of a 4 x 4 board over [-4, 4]². */
static void board(double *x) {
  for (int64_t i = 0; i < N; i++) {
    double u[3];
    mms_random_uniforms((mms_random_key){.seed = 1, .stream = MMS_STREAM_TEST, .item = (uint64_t)i}, 0, 3, u);
    double column = floor(4.0 * u[0]), row = 2.0 * floor(2.0 * u[1]) + fmod(column, 2.0);
    x[2 * i] = 2.0 * (4.0 * u[0] - 2.0);
    x[2 * i + 1] = 2.0 * (row + u[2] - 2.0);
  }
}

int main(int argc, char **argv) {
  mms_error error = mms_error_none();
  mms_team *team = NULL;
  mms_field *field = NULL;
  if (mms_world_begin(&argc, &argv, &error) != MMS_OK || mms_team_create(&team, &error) != MMS_OK) return 1;
  const char *names[] = {"auto", "reference", "dense", "tree"};
  mms_backend backend = MMS_BACKEND_AUTO;
  for (int i = 0; i < 4; i++)
    if (argc > 1 && strcmp(argv[1], names[i]) == 0) backend = (mms_backend)i;
  double smoothing = argc > 2 ? atof(argv[2]) : 0.05;
  int64_t pairs = argc > 3 ? atol(argv[3]) / 2 : 4;
  double *x = bench_array(2 * N), *z = bench_array(2 * BLOCK * BLOCKS), *q = bench_array(2 * BLOCK);
  double *mean = bench_array(2 * BLOCK), total = 0.0, part = 0.0;
  board(x);
  mms_random_normals((mms_random_key){.seed = 2, .stream = MMS_STREAM_TEST}, 0, 2 * BLOCK * BLOCKS, z);
  mms_training training = {.count = N, .dim = 2, .points = x};
  if (mms_field_create(&field, team, &training, backend, BLOCK, pairs, &error) != MMS_OK) abort();
  /* steps of 1/SAMPLED, so that particles are where a flow has them; each is one of STEPS as far as cost goes */
  for (int step = 1; step < SAMPLED; step++) {
    double t = (double)step / SAMPLED, least = INFINITY;
    for (int repeat = 0; repeat < 3; repeat++) {
      double spent = 0.0;
      for (int64_t b = 0; b < BLOCKS; b++) {
        for (int64_t i = 0; i < 2 * BLOCK; i++) q[i] = z[2 * b * BLOCK + i] / t;
        mms_queries queries = {.count = BLOCK,
                               .points = q,
                               .bandwidth = (1.0 - t) / t,
                               .smoothing = smoothing / t,
                               .pairs = pairs,
                               .noise = MMS_NOISE_FIXED,
                               .sharing = MMS_SHARING_ALL,
                               .step = (uint64_t)step,
                               .first_particle = b * BLOCK,
                               .block = b};
        double start = bench_cpu_seconds();
        if (mms_field_softmax_mean(field, &queries, mean, NULL, &error) != MMS_OK) abort();
        spent += bench_cpu_seconds() - start;
        if (repeat == 2)
          for (int64_t i = 0; i < 2 * BLOCK; i++)
            z[2 * b * BLOCK + i] += (mean[i] * t - z[2 * b * BLOCK + i]) / (1.0 - t) / SAMPLED;
      }
      least = spent < least ? spent : least;
    }
    total += least;
    part += least;
    if (step % 5 == 4 || step + 1 == SAMPLED) {
      printf("t up to %.2f: %.2f us a particle and step\n", t, part / 5.0 / (BLOCK * BLOCKS) * 1e6);
      part = 0.0;
    }
  }
  printf("backend %s, sigma %g, M = %lld, kernels %s: all of a flow, P = %d, %d steps: %.1f s of one core\n",
         mms_field_backend_name(field), smoothing, (long long)(2 * pairs), mms_field_kernels(), P, STEPS,
         total / (SAMPLED - 1) * (STEPS - 1) / (BLOCK * BLOCKS) * P);
  mms_field_free(&field);
  free(x), free(z), free(q), free(mean);
  mms_team_free(&team);
  mms_world_end();
  return 0;
}
