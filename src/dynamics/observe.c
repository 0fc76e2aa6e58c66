#include "dynamics/observe.h"

#include <math.h>

const double mms_observation_quantiles[MMS_QUANTILES] = {0.05, 0.5, 0.95};

/* Riders: the chunks' sums of every observable, then the squares of pull and noise. */
enum { PULL = MMS_OBSERVABLES * MMS_CHUNKS, NOISE, USED_RIDERS };
_Static_assert((int)USED_RIDERS <= (int)MMS_RIDERS, "the riders have room for an observation");

/* Potentials are of any size: they travel divided by this, as the step's own does (panels.h). */
static const double POTENTIAL_UNIT = 1099511627776.0; /* 2^40 */

/* Bins of distance over bandwidth: below 2^-8, eight to an octave up to 2^16, and beyond. */
enum { LOWEST_OCTAVE = -8, PER_OCTAVE = 8 };

/* Particles whose nearest training point is looked for: quantiles are good to 1/√512 of themselves in rank, and the
 * search stays below a hundredth of a run's work at the usual trace_every. */
enum { LOOKED_AT = 512 };

/* What is left of the bandwidth in that search, and the least it may be of the data's spread, so that single precision
 * holds what the screen computes. */
static const double NARROW = 1e-3, LEAST_SPREAD = 1e-6;

static int64_t chunks_of(const mms_blocks *blocks) { return blocks->count < MMS_CHUNKS ? blocks->count : MMS_CHUNKS; }
static int64_t chunk_of(const mms_blocks *blocks, int64_t b) { return b * chunks_of(blocks) / blocks->count; }

static void add_chunk(mms_dynamics *dynamics, int64_t b) {
  const mms_blocks *blocks = &dynamics->ensemble.blocks;
  mms_block_rows block = mms_method_rows(dynamics, b);
  int64_t d = dynamics->target.dim, chunk = chunk_of(blocks, b);
  const double *y = dynamics->ensemble.y + block.offset;
  double sums[MMS_OBSERVABLES] = {dynamics->potential[b - blocks->first] / POTENTIAL_UNIT};
  for (int64_t i = 0; i < block.rows; i++) {
    double square = 0.0;
    for (int64_t k = 0; k < d; k++) square += y[i * d + k] * y[i * d + k];
    sums[MMS_OBSERVE_FIRST] += y[i * d];
    if (d > 1) sums[MMS_OBSERVE_SECOND] += y[i * d + 1];
    sums[MMS_OBSERVE_RADIUS] += square / (double)d;
  }
  for (int o = 0; o < MMS_OBSERVABLES; o++) mms_step_add_riders(dynamics, o * MMS_CHUNKS + chunk, 1, &sums[o]);
}

/* Every how many-th block is searched. */
static int64_t stride_of(const mms_blocks *blocks) {
  int64_t wanted = (LOOKED_AT + blocks->size - 1) / blocks->size;
  return blocks->count > wanted ? blocks->count / wanted : 1;
}

static int bin_of(double ratio) {
  double at = PER_OCTAVE * (log2(ratio) - LOWEST_OCTAVE);
  if (!(at >= 0.0)) return 0; /* log 0 too */
  return at < MMS_BINS - 2 ? 1 + (int)at : MMS_BINS - 1;
}

/* The question of block b, positions in dynamics->z: with so narrow a kernel the log mass is −distance²/(2 narrow²),
 * almost. */
static mms_queries nearest_query(mms_dynamics *dynamics, int64_t b) {
  const mms_score_options *score = &dynamics->context.score;
  mms_block_rows block = mms_method_rows(dynamics, b);
  double spread = score->bandwidth * sqrt(2.0 / dynamics->target.step_bound); /* √λmax */
  mms_method_positions(dynamics, b);
  return (mms_queries){.count = block.rows,
                       .points = dynamics->z,
                       .bandwidth = fmax(NARROW * score->bandwidth, LEAST_SPREAD * spread),
                       .noise = score->noise,
                       .sharing = score->sharing,
                       .first_particle = block.first,
                       .block = b};
}

static void count_nearest(mms_dynamics *dynamics, const mms_queries *queries, const double *log_mass) {
  for (int64_t i = 0; i < queries->count; i++) {
    double distance = queries->bandwidth * sqrt(fmax(-2.0 * log_mass[i], 0.0));
    mms_step_count(dynamics, MMS_COUNT_BINS + bin_of(distance / dynamics->context.score.bandwidth), 1);
  }
}

static bool is_searched(const mms_dynamics *dynamics, int64_t b) {
  return b % stride_of(&dynamics->ensemble.blocks) == 0;
}

void mms_observe_block(mms_dynamics *dynamics, int64_t b) {
  const double parts[2] = {dynamics->pull_square, dynamics->noise_square};
  add_chunk(dynamics, b);
  mms_step_add_riders(dynamics, PULL, 2, parts);
}

mms_status mms_observe_nearest(mms_dynamics *dynamics, int64_t b, mms_error *error) {
  if (!is_searched(dynamics, b) || mms_field_collective(dynamics->field)) return MMS_OK;
  const mms_queries queries = nearest_query(dynamics, b);
  mms_status status = mms_field_softmax_mean(dynamics->field, &queries, dynamics->mean, dynamics->log_mass, error);
  if (status == MMS_OK) count_nearest(dynamics, &queries, dynamics->log_mass);
  return status;
}

mms_status mms_observe_together(mms_dynamics *dynamics, mms_error *error) {
  const mms_blocks *blocks = &dynamics->ensemble.blocks;
  mms_asked *asked = &dynamics->asked;
  asked->count = asked->rows = 0;
  for (int64_t b = blocks->first; b < blocks->end; b++) {
    if (!is_searched(dynamics, b) || !mms_method_block_is_there(dynamics, b)) continue;
    const mms_queries queries = nearest_query(dynamics, b);
    (void)mms_method_note(dynamics, b, &queries);
  }
  mms_status status = mms_field_softmax_mean_batches(dynamics->field, asked->queries, asked->count, asked->means,
                                                     asked->log_mass, error);
  for (int64_t i = 0, row = 0; i < asked->count && status == MMS_OK; row += asked->queries[i++].count)
    count_nearest(dynamics, &asked->queries[i], asked->log_mass + row);
  return status;
}

/* Particles of a chunk: its blocks are contiguous. */
static int64_t particles_of(const mms_blocks *blocks, int64_t chunk) {
  int64_t particles = 0;
  for (int64_t b = chunk * blocks->count / chunks_of(blocks); b < blocks->count; b++) {
    if (chunk_of(blocks, b) > chunk) break;
    if (chunk_of(blocks, b) == chunk) particles += mms_blocks_rows(blocks, b);
  }
  return particles;
}

/* The distance that `share` of the particles searched are within, in units of the bandwidth: even in its bin's
 * logarithm. */
static double quantile(const mms_dynamics *dynamics, double share) {
  double all = 0.0, below = 0.0;
  for (int i = 0; i < MMS_BINS; i++) all += (double)mms_step_counter(dynamics, MMS_COUNT_BINS + i);
  if (all == 0.0) return (double)NAN;
  for (int i = 0; i < MMS_BINS; i++) {
    double here = (double)mms_step_counter(dynamics, MMS_COUNT_BINS + i);
    if (here == 0.0 || below + here < share * all) {
      below += here;
      continue;
    }
    if (i == 0) return 0.0;
    double within = fmax(share * all - below, 0.0) / here;
    return exp2(LOWEST_OCTAVE + ((double)(i - 1) + (i < MMS_BINS - 1 ? within : 0.0)) / PER_OCTAVE);
  }
  return (double)NAN;
}

void mms_observe_read(const mms_dynamics *dynamics, mms_observation *observation) {
  const mms_blocks *blocks = &dynamics->ensemble.blocks;
  double riders[MMS_RIDERS];
  mms_step_read_riders(dynamics, riders);
  bool known = mms_step_counter(dynamics, MMS_COUNT_RIDER) == 0;
  observation->chunks = chunks_of(blocks);
  for (int64_t c = 0; c < MMS_CHUNKS; c++) {
    double particles = c < observation->chunks ? (double)particles_of(blocks, c) : (double)NAN;
    for (int o = 0; o < MMS_OBSERVABLES; o++) {
      double unit = o == MMS_OBSERVE_POTENTIAL ? POTENTIAL_UNIT : 1.0;
      bool there = known && (o != MMS_OBSERVE_SECOND || dynamics->target.dim > 1);
      observation->mean[o][c] = there ? unit * riders[o * MMS_CHUNKS + c] / particles : (double)NAN;
    }
  }
  observation->step_ratio = known && riders[NOISE] > 0.0 ? sqrt(riders[PULL] / riders[NOISE]) : (double)NAN;
  for (int q = 0; q < MMS_QUANTILES; q++) observation->nearest[q] = quantile(dynamics, mms_observation_quantiles[q]);
}
