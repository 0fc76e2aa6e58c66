/* What the benchmarks of whole jobs share: their command line. */
#ifndef BENCH_JOB_H
#define BENCH_JOB_H

#include "bench.h"

#include "cli/config.h"
#include <stdbool.h>

enum { BENCH_MOST_STEPS = 10000 };

/* What is timed: steps of the job that the configuration at `path` and `overrides` [count] describe. Collective. */
typedef mms_status bench_job(const mms_team *team, int steps, const char *path, const char *const *overrides, int count,
                             mms_error *error);

/* NAME STEPS CONFIG [--section.key=value ...]; the program's exit status. */
static inline int bench_job_main(int argc, char **argv, const char *name, bench_job *run) {
  mms_error error = mms_error_none();
  mms_team *team = NULL;
  if (mms_world_begin(&argc, &argv, &error) != MMS_OK || mms_team_create(&team, &error) != MMS_OK) return 1;
  int steps = argc > 2 ? atoi(argv[1]) : 0;
  bool good = steps > 0 && steps <= BENCH_MOST_STEPS;
  if (!good && mms_team_rank(team) == 0)
    fprintf(stderr, "usage: %s STEPS CONFIG [--section.key=value ...], at most %d steps\n", name, BENCH_MOST_STEPS);
  const char *overrides[64];
  int count = 0;
  for (int i = 3; i < argc && count < 64; i++) overrides[count++] = argv[i] + 2;
  mms_status status = good ? run(team, steps, argv[2], overrides, count, &error) : MMS_ERR_INPUT;
  if (good && status != MMS_OK && mms_team_rank(team) == 0) fprintf(stderr, "%s: %s\n", name, error.message);
  mms_team_free(&team);
  mms_world_end();
  return status == MMS_OK ? 0 : 1;
}

#endif
