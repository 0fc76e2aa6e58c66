/* Processor time of the field a particle against n, P, d and M, one at a time, with the limit beside it: the products
 * that are needed where no index helps, at SGEMM's rate here. Lines "axis value us limit backend"; run.sh draws them.
 * Not a test.
 */
#include "bench.h"

#include "mmsold/field/field.h"
#include "mmsold/random/random.h"
#include <stdbool.h>
#include <string.h>

enum { ROWS = 256, REPEATS = 3 };

static const double call_seconds = 0.03; /* about what one timed call takes */

/* Uniform points in the unit cube; δ a quarter of their spacing, σ = 3 δ. */
static void measure(const char *axis, double value, int64_t n, int64_t rows, int64_t d, int64_t draws,
                    const mms_team *team) {
  mms_error error = mms_error_none();
  double *x = bench_array(n * d), *z = bench_array(ROWS * d), *gradient = bench_array(ROWS * d), times[REPEATS];
  for (int64_t i = 0; i < n; i++)
    mms_random_uniforms((mms_random_key){.seed = 1, .stream = MMS_STREAM_TEST, .item = (uint64_t)i}, 0, d, x + i * d);
  const double bandwidth = pow((double)n, -1.0 / (double)d) / 4.0;
  for (int64_t row = 0; row < ROWS; row++) {
    const mms_random_key key = {.seed = 2, .stream = MMS_STREAM_TEST, .item = (uint64_t)row};
    mms_random_normals(key, 0, d, z + row * d);
    const double *at = x + (int64_t)mms_random_index(key, 1 << 20, (uint64_t)n) * d;
    for (int64_t k = 0; k < d; k++) z[row * d + k] = at[k] + bandwidth * z[row * d + k];
  }
  const mms_training training = {.count = n, .dim = d, .points = x};
  const mms_score_options score = {.bandwidth = bandwidth, .smoothing = 3.0 * bandwidth};
  mms_field *field = NULL;
  if (mms_field_create_for(&field, team, &training, &score, ROWS, draws / 2, &error) != MMS_OK) abort();
  mms_queries q = {.points = z, .bandwidth = bandwidth, .smoothing = 3.0 * bandwidth, .pairs = draws / 2};
  const int64_t block = rows < ROWS ? rows : ROWS;
  for (int repeat = -1; repeat < REPEATS; repeat++) {
    double spent = 0.0;
    int64_t done = 0;
    for (int64_t at = 0; at < rows && spent < call_seconds; at += block) {
      q.count = rows - at < block ? rows - at : block;
      q.step = (uint64_t)(repeat + 2);
      q.first_particle = at;
      const double start = bench_cpu_seconds();
      if (mms_field_gradient(field, &q, gradient, NULL, &error) != MMS_OK) abort();
      spent += bench_cpu_seconds() - start;
      done += q.count;
    }
    if (repeat >= 0) times[repeat] = 1e6 * spent / (double)done;
  }
  const double flops = 2.0 * (1.0 + (double)draws / 2.0) * (double)n * (double)d;
  const double rate = 2.0 * 512.0 * 512.0 * (double)d / bench_sgemm_seconds(512, 512, (int)d, 5);
  printf("%s %g %.4g %.4g %s\n", axis, value, bench_summary(REPEATS, times).median, 1e6 * flops / rate,
         mms_field_backend_name(field));
  fflush(stdout);
  mms_field_free(&field);
  free(x), free(z), free(gradient);
}

int main(int argc, char **argv) {
  mms_error error = mms_error_none();
  mms_team *team = NULL;
  if (mms_world_begin(&argc, &argv, &error) != MMS_OK || mms_team_create(&team, &error) != MMS_OK) return 1;
  for (double n = 100; n <= 1e6; n *= 10.0) measure("n-d2", n, (int64_t)n, 20000, 2, 8, team);
  for (double n = 100; n <= 3e4; n *= sqrt(10.0)) measure("n-d100", n, (int64_t)n, 1000, 100, 8, team);
  for (double p = 1; p <= 1e5; p *= 10.0) measure("P-d2", p, 1000, (int64_t)p, 2, 8, team);
  for (double p = 1; p <= 1e3; p *= sqrt(10.0)) measure("P-d100", floor(p), 1000, (int64_t)p, 100, 8, team);
  for (double d = 2; d <= 1024; d *= 2.0) measure("d", d, 1000, 1000, (int64_t)d, 8, team);
  for (double m = 2; m <= 256; m *= 2.0) measure("M-d2", m, 1000, 1000, 2, (int64_t)m, team);
  for (double m = 2; m <= 256; m *= 2.0) measure("M-d100", m, 1000, 1000, 100, (int64_t)m, team);
  mms_team_free(&team);
  mms_world_end();
  return 0;
}
