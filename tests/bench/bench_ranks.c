/* From one rank to several on processors that are busy all the time and change their speed: every rank makes a step of
 * the whole job by itself, all at the same time, then all make one together, and so on in turn. Short steps take turns
 * by fours, of which the first, that finds its data no longer in the caches, is not counted: a run's follow each other.
 *
 *   mpirun -n R bench_ranks STEPS CONFIG [--section.key=value ...]
 *
 * prints a row: milliseconds of a step alone on the slowest of the processors and on the fastest, and together; how
 * many times as fast together is as alone on the slowest, which is what all wait for (median, quartiles), and as alone
 * on the average one; the share of the joint steps that is spent in the all-reduce. Not a test. */
#include "bench_job.h"

enum { WARM_UP = 2, IN_A_ROW = 4 };

/* Seconds of a step whose data make no difference in a cache any more. */
static const double LONG = 0.1;

/* One way to make the job's steps: by a team of this rank alone, or by all ranks. */
typedef struct walker {
  const mms_team *team;
  mms_training training;
  mms_dynamics *dynamics;
} walker;

static mms_status begin(walker *self, const mms_team *team, const mms_config *config, mms_error *error) {
  self->team = team;
  mms_status status = mms_training_create(&self->training, team, &config->training, error);
  const mms_dynamics_context context = {
      .team = team, .training = &self->training, .score = config->score, .sampler = config->sampler};
  if (status == MMS_OK) status = mms_dynamics_create(&self->dynamics, &context, error);
  if (status == MMS_OK) status = mms_dynamics_start(self->dynamics, error);
  return status;
}

static void end(walker *self) {
  mms_dynamics_free(&self->dynamics);
  mms_training_free(&self->training);
}

/* Seconds of a step that begins at the same time on all ranks. */
static mms_status step(walker *self, const mms_team *all, double *seconds, double *reduce, mms_error *error) {
  mms_step_report report = {0};
  mms_team_barrier(all);
  double start = mms_clock_seconds();
  mms_status status = mms_dynamics_step(self->dynamics, &(mms_step_request){0}, &report, error);
  *seconds = mms_clock_seconds() - start;
  *reduce = report.seconds_reduce;
  return mms_team_agree(all, status, error);
}

/* Over the ranks: the harmonic mean, the least and the most of a time. */
typedef struct times {
  double mean, least, most;
} times;

static times gather(const mms_team *all, double mine) {
  double sum = 0.0;
  times t = {.least = mine, .most = mine};
  for (int rank = 0; rank < mms_team_size(all); rank++) {
    double theirs = mine;
    mms_team_broadcast(all, &theirs, sizeof theirs, rank);
    sum += 1.0 / theirs;
    t.least = theirs < t.least ? theirs : t.least;
    t.most = theirs > t.most ? theirs : t.most;
  }
  t.mean = (double)mms_team_size(all) / sum;
  return t;
}

enum { SLOWEST, FASTEST, TOGETHER, TO_SLOWEST, TO_MEAN, REDUCE, COLUMNS };

typedef struct timing {
  double seconds, reduce;
} timing;

/* So many steps one after the other. */
static mms_status steps_of(walker *self, const mms_team *all, int count, timing *each, mms_error *error) {
  mms_status status = MMS_OK;
  for (int i = 0; i < count && status == MMS_OK; i++)
    status = step(self, all, &each[i].seconds, &each[i].reduce, error);
  return status;
}

static mms_status walk(walker *alone, walker *together, const mms_team *all, int steps, const mms_config *config,
                       mms_error *error) {
  static double column[COLUMNS][BENCH_MOST_STEPS];
  timing mine[IN_A_ROW] = {{0}}, joint[IN_A_ROW] = {{0}};
  mms_status status = steps_of(alone, all, WARM_UP, mine, error);
  if (status == MMS_OK) status = steps_of(together, all, WARM_UP, joint, error);
  const int row = gather(all, mine[0].seconds).least > LONG ? 1 : IN_A_ROW, skipped = row > 1;
  for (int i = 0; i < steps && status == MMS_OK;) {
    status = steps_of(alone, all, row, mine, error);
    if (status == MMS_OK) status = steps_of(together, all, row, joint, error);
    for (int k = skipped; k < row && i < steps && status == MMS_OK; k++, i++) {
      const times t = gather(all, mine[k].seconds), waited = gather(all, joint[k].reduce);
      const double ours = joint[k].seconds;
      column[SLOWEST][i] = 1e3 * t.most, column[FASTEST][i] = 1e3 * t.least, column[TOGETHER][i] = 1e3 * ours;
      column[TO_SLOWEST][i] = t.most / ours, column[TO_MEAN][i] = t.mean / ours;
      column[REDUCE][i] = 100.0 * waited.least / ours; /* of the rank that waits least */
    }
  }
  if (status != MMS_OK) return status;
  bench_spread s[COLUMNS];
  for (int c = 0; c < COLUMNS; c++) s[c] = bench_summary(steps, column[c]);
  if (mms_team_rank(all) == 0)
    printf("| %s | %d | %.3g | %.3g | %.3g | %.2f | %.0f %% | %.2f | %.1f %% |\n", config->output.directory,
           mms_team_size(all), s[SLOWEST].median, s[FASTEST].median, s[TOGETHER].median, s[TO_SLOWEST].median,
           100.0 * s[TO_SLOWEST].spread, s[TO_MEAN].median, s[REDUCE].median);
  return MMS_OK;
}

static mms_status run(const mms_team *all, int steps, const char *path, const char *const *overrides, int count,
                      mms_error *error) {
  mms_config config = {0};
  mms_team *self = NULL;
  walker alone = {0}, together = {0};
  mms_status status = mms_config_read(&config, all, path, overrides, count,
                                      MMS_NEEDS_TRAINING | MMS_NEEDS_SAMPLER | MMS_NEEDS_SCORE, error);
  if (status != MMS_OK) return status;
  status = mms_team_split(&self, all, mms_team_rank(all), error);
  if (status == MMS_OK) status = mms_team_agree(all, begin(&alone, self, &config, error), error);
  if (status == MMS_OK) status = begin(&together, all, &config, error);
  if (status == MMS_OK) status = walk(&alone, &together, all, steps, &config, error);
  end(&together);
  end(&alone);
  mms_team_free(&self);
  mms_config_free(&config);
  return status;
}

int main(int argc, char **argv) { return bench_job_main(argc, argv, "bench_ranks", run); }
