/* A whole step of a job, and where its time goes, beside SGEMM's own rate at the job's shapes in the same run.
 *
 *   bench_step STEPS CONFIG [--section.key=value ...]
 *
 * prints one line of names and numbers (run.sh makes tables of them). Not a test. */
#include "bench_job.h"

#include "mmsold/parallel/exact_sum.h"
#include <inttypes.h>

enum { WARM_UP = 5, SHORT_WARM_UP = 2 }; /* short: where fewer steps than WARM_UP are asked for */

typedef struct sums {
  double field, product, finish, reduce, algebra, wall;
  double flops;
} sums;

static double wall[BENCH_MOST_STEPS], cpu[BENCH_MOST_STEPS];

static mms_status walk(mms_dynamics *dynamics, const mms_team *team, int steps, sums *spent, mms_error *error) {
  mms_status status = MMS_OK;
  for (int i = steps < WARM_UP ? -SHORT_WARM_UP : -WARM_UP; i < steps && status == MMS_OK; i++) {
    mms_field_counters before = mms_field_read_counters(mms_dynamics_field(dynamics));
    mms_step_report report;
    mms_step_request request = {0};
    mms_team_barrier(team);
    double start = mms_clock_seconds(), cpu_start = bench_cpu_seconds();
    status = mms_dynamics_step(dynamics, &request, &report, error);
    double seconds = mms_clock_seconds() - start, cpu_seconds = bench_cpu_seconds() - cpu_start;
    if (i < 0) continue;
    mms_field_counters after = mms_field_read_counters(mms_dynamics_field(dynamics));
    wall[i] = seconds;
    cpu[i] = cpu_seconds;
    spent->wall += seconds;
    spent->field += report.seconds_field;
    spent->product += after.seconds_product - before.seconds_product;
    spent->finish += after.seconds_finish - before.seconds_finish;
    spent->flops += after.product_flops - before.product_flops;
    spent->reduce += report.seconds_reduce;
    spent->algebra += report.seconds_algebra;
  }
  return status;
}

static void print(const mms_config *config, const mms_team *team, const mms_training *training,
                  const mms_dynamics *dynamics, int steps, const sums *spent) {
  bench_spread w = bench_summary(steps, wall), c = bench_summary(steps, cpu);
  int64_t d = training->dim, n = training->count, pairs = config->score.smoothing_samples / 2;
  int64_t size = mms_ensemble_block_size(config->sampler.particles, d, 2 * pairs), lines = size * (1 + pairs);
  lines = lines < 512 ? lines : 512;
  int64_t width = n < 512 ? n : 512;
  double sgemm = bench_sgemm_seconds((int)lines, (int)width, (int)d, 41);
  double sgemm_rate = 2.0 * (double)(lines * width * d) / sgemm * 1e-9;
  double alone = (double)(config->sampler.particles * (1 + pairs) * n) / (double)(lines * width) * sgemm;
  if (mms_team_rank(team) != 0) return;
  printf("job %s ranks %d n %" PRId64 " d %" PRId64 " P %" PRId64 " M %" PRId64 " block %" PRId64
         " wall_ms %.4f wall_spread %.3f cpu_ms %.4f cpu_spread %.3f field %.2f product %.2f finish %.2f screen %.2f "
         "reduce %.2f algebra %.2f rest %.2f product_gflops %.1f sgemm_gflops %.1f sgemm_ms %.4f bytes %zu"
         " backend %s kernels %s\n",
         config->output.directory, mms_team_size(team), n, d, config->sampler.particles, 2 * pairs, size,
         1e3 * w.median, 100.0 * w.spread, 1e3 * c.median, 100.0 * c.spread, 100.0 * spent->field / spent->wall,
         100.0 * spent->product / spent->wall, 100.0 * spent->finish / spent->wall,
         100.0 * (spent->field - spent->product - spent->finish) / spent->wall, 100.0 * spent->reduce / spent->wall,
         100.0 * spent->algebra / spent->wall,
         100.0 * (spent->wall - spent->field - spent->reduce - spent->algebra) / spent->wall,
         spent->product > 0.0 ? spent->flops / spent->product * 1e-9 : 0.0, sgemm_rate, 1e3 * alone,
         mms_exact_sum_message(mms_dynamics_sums(dynamics)), mms_field_backend_name(mms_dynamics_field(dynamics)),
         mms_field_kernels());
}

static mms_status run(const mms_team *team, int steps, const char *path, const char *const *overrides, int count,
                      mms_error *error) {
  mms_config config = {0};
  mms_training training = {0};
  mms_dynamics *dynamics = NULL;
  sums spent = {0};
  mms_status status = mms_config_read(&config, team, path, overrides, count,
                                      MMS_NEEDS_TRAINING | MMS_NEEDS_SAMPLER | MMS_NEEDS_SCORE, error);
  if (status != MMS_OK) return status;
  status = mms_training_create(&training, team, &config.training, error);
  const mms_dynamics_context context = {
      .team = team, .training = &training, .score = config.score, .sampler = config.sampler};
  if (status == MMS_OK) status = mms_dynamics_create(&dynamics, &context, error);
  if (status == MMS_OK) status = mms_dynamics_start(dynamics, error);
  if (status == MMS_OK) status = walk(dynamics, team, steps, &spent, error);
  if (status == MMS_OK) print(&config, team, &training, dynamics, steps, &spent);
  mms_dynamics_free(&dynamics);
  mms_training_free(&training);
  mms_config_free(&config);
  return status;
}

int main(int argc, char **argv) { return bench_job_main(argc, argv, "bench_step", run); }
