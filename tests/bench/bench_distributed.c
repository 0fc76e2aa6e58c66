/* One step with d × d algebra on every rank and spread over them: seconds, memory, and how far the two are apart. Run
 * it under mpirun: bench_distributed SOURCE N D P LINALG       LINALG: replicated, distributed or both SOURCE is a file
 * of training points (D is ignored) or "random": N correlated normals in D dimensions. Memory is told of one kind at a
 * time: the process' largest resident size so far, less what it had when it began. Not a test. */
#include "bench.h"

#include "mmsold/dynamics/dynamics.h"
#include "mmsold/random/random.h"
#include <string.h>

/* A line of /proc/self/status in MiB. */
static double memory_mib(const char *name) {
  FILE *file = fopen("/proc/self/status", "r");
  char line[256];
  double kib = 0.0;
  while (file != NULL && fgets(line, sizeof line, file) != NULL)
    if (strncmp(line, name, strlen(name)) == 0) kib = strtod(line + strlen(name), NULL);
  if (file != NULL) fclose(file);
  return kib / 1024.0;
}

static double largest(const mms_team *team, double value) {
  mms_team_max_double(team, &value, 1);
  return value;
}

/* Columns of falling scale, each leaning on the one before. */
static mms_training random_training(int64_t n, int64_t d) {
  double *points = bench_array(n * d);
  mms_random_normals((mms_random_key){.seed = 3, .stream = MMS_STREAM_TEST}, 0, n * d, points);
  for (int64_t i = 0; i < n; i++)
    for (int64_t k = d - 1; k >= 0; k--)
      points[i * d + k] =
          (points[i * d + k] + (k > 0 ? 0.5 * points[i * d + k - 1] : 0.0)) / (1.0 + 9.0 * (double)k / (double)d);
  return (mms_training){.count = n, .dim = d, .points = points};
}

static void stop(const mms_error *error) {
  fprintf(stderr, "%s\n", error->message);
  mms_world_abort(1);
}

static mms_dynamics *create(const mms_team *team, const mms_training *training, int64_t particles, mms_linalg linalg) {
  const mms_dynamics_context context = {
      .team = team,
      .training = training,
      .score = {.bandwidth = 0.1, .backend = MMS_BACKEND_DENSE},
      .sampler = {.particles = particles, .steps = 1, .step_size_auto = true, .linalg = linalg}};
  mms_dynamics *dynamics = NULL;
  mms_error error = mms_error_none();
  if (mms_dynamics_create(&dynamics, &context, &error) != MMS_OK) stop(&error);
  return dynamics;
}

/* Two steps, the second of which is timed: wall seconds, processor seconds and those of the constraint on the slowest
 * rank. */
static void step(const mms_team *team, mms_dynamics *dynamics, int count, double seconds[3]) {
  mms_error error = mms_error_none();
  for (int i = 0; i < count; i++) {
    mms_step_report report;
    mms_team_barrier(team);
    double wall = mms_clock_seconds(), processor = bench_cpu_seconds();
    if (mms_dynamics_step(dynamics, &(mms_step_request){0}, &report, &error) != MMS_OK) stop(&error);
    seconds[0] = largest(team, mms_clock_seconds() - wall);
    seconds[1] = largest(team, bench_cpu_seconds() - processor);
    seconds[2] = largest(team, report.seconds_algebra);
  }
}

static void tell(const mms_team *team, mms_dynamics *dynamics, const char *kind, double created,
                 const double seconds[3], double before) {
  double mean, covariance, peak = largest(team, memory_mib("VmHWM:") - before);
  double planned = largest(team, (double)mms_dynamics_bytes(dynamics) / 1048576.0);
  mms_error error = mms_error_none();
  if (mms_dynamics_measure(dynamics, &mean, &covariance, &error) != MMS_OK) stop(&error);
  if (mms_team_rank(team) == 0)
    printf("| %lld | %lld | %d | %s | %.2f | %.3f | %.3f | %.3f | %.0f | %.0f | %.1e, %.1e |\n",
           (long long)mms_dynamics_target(dynamics)->dim, (long long)mms_dynamics_ensemble(dynamics)->blocks.total,
           mms_team_size(team), kind, created, seconds[0], seconds[1], seconds[2], planned, peak, mean, covariance);
  fflush(stdout);
}

int main(int argc, char **argv) {
  mms_error error = mms_error_none();
  mms_team *team = NULL;
  if (mms_world_begin(&argc, &argv, &error) != MMS_OK || mms_team_create(&team, &error) != MMS_OK) return 1;
  if (argc != 6) {
    fprintf(stderr, "bench_distributed SOURCE|random N D P replicated|distributed|both\n");
    mms_world_abort(2);
  }
  const int64_t n = strtoll(argv[2], NULL, 10), d = strtoll(argv[3], NULL, 10), particles = strtoll(argv[4], NULL, 10);
  mms_training training;
  const mms_training_options options = {.source = argv[1], .count = n, .label = -1};
  if (strcmp(argv[1], "random") == 0)
    training = random_training(n, d);
  else if (mms_training_create(&training, team, &options, &error) != MMS_OK)
    stop(&error);
  const double before = memory_mib("VmHWM:");
  const bool both = strcmp(argv[5], "both") == 0;
  double seconds[3], *start = NULL, *end = NULL;
  int64_t entries = 0;
  for (int kind = MMS_LINALG_REPLICATED; kind <= MMS_LINALG_DISTRIBUTED; kind++) {
    const char *name = kind == MMS_LINALG_REPLICATED ? "replicated" : "distributed";
    if (!both && strcmp(argv[5], name) != 0) continue;
    double begun = mms_clock_seconds();
    mms_dynamics *dynamics = create(team, &training, particles, (mms_linalg)kind);
    double *y = mms_dynamics_ensemble(dynamics)->y;
    if (start != NULL) memcpy(y, start, (size_t)entries * sizeof *y);
    if (start == NULL && mms_dynamics_start(dynamics, &error) != MMS_OK) stop(&error);
    if (start != NULL) mms_dynamics_resume(dynamics, 0);
    double created = largest(team, mms_clock_seconds() - begun);
    if (both && start == NULL) {
      entries = mms_dynamics_ensemble(dynamics)->blocks.n_local * mms_dynamics_target(dynamics)->dim;
      start = bench_array(entries), end = bench_array(entries);
      memcpy(start, y, (size_t)entries * sizeof *y);
    }
    step(team, dynamics, both ? 1 : 2, seconds);
    tell(team, dynamics, name, created, seconds, both ? (double)NAN : before);
    if (both && kind == MMS_LINALG_REPLICATED) memcpy(end, y, (size_t)entries * sizeof *y);
    if (both && kind == MMS_LINALG_DISTRIBUTED) {
      double away = 0.0;
      for (int64_t i = 0; i < entries; i++) away = fmax(away, fabs(y[i] - end[i]));
      away = largest(team, away);
      if (mms_team_rank(team) == 0) printf("one step from one state: the two are %.2g apart at most\n", away);
    }
    mms_dynamics_free(&dynamics);
  }
  free(start), free(end);
  if (strcmp(argv[1], "random") == 0)
    free((void *)(uintptr_t)training.points);
  else
    mms_training_free(&training);
  mms_team_free(&team);
  mms_world_end();
  return 0;
}
