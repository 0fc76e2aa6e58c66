#include "run/mixing.h"

#include <math.h>

const char *const mms_observable_names[MMS_OBSERVABLES] = {"potential", "first_coordinate", "second_coordinate",
                                                           "square_radius"};

const char *const mms_observable_words[MMS_OBSERVABLES] = {"mean potential", "first coordinate", "second coordinate",
                                                           "|y|^2/d"};

enum {
  LEAST_ROWS = 8,  /* in the second half: fewer say nothing */
  MOST_ROWS = 4096 /* more are thinned evenly to fewer than this: the sums over lags cost its square */
};

/* The chains of one observable: row i of chunk c is x[i · stride · MMS_CHUNKS + c]. */
typedef struct chains {
  const double *x;
  int64_t chunks, rows, stride;
  double mean[MMS_CHUNKS];
  double within;  /* W */
  double between; /* B/N */
} chains;

static double away(const chains *of, int64_t row, int64_t chunk) {
  return of->x[row * of->stride * MMS_CHUNKS + chunk] - of->mean[chunk];
}

/* How many chunks have numbers in all of the rows. */
static int64_t chunks_there(const chains *of) {
  int64_t chunks = 0;
  for (; chunks < MMS_CHUNKS; chunks++)
    for (int64_t i = 0; i < of->rows; i++)
      if (!isfinite(of->x[i * of->stride * MMS_CHUNKS + chunks])) return chunks;
  return chunks;
}

static bool chains_make(chains *made, const mms_trace *trace, int observable) {
  int64_t first = trace->count / 2, rows = trace->count - first;
  *made = (chains){.x = trace->chunks + ((int64_t)observable * trace->capacity + first) * MMS_CHUNKS,
                   .stride = 1 + rows / MOST_ROWS};
  made->rows = (rows + made->stride - 1) / made->stride;
  if (made->rows < LEAST_ROWS || (made->chunks = chunks_there(made)) < 2) return false;
  double n = (double)made->rows, chunks = (double)made->chunks, overall = 0.0, size = 0.0;
  for (int64_t c = 0; c < made->chunks; c++) {
    double mean = 0.0, squares = 0.0;
    for (int64_t i = 0; i < made->rows; i++) mean += away(made, i, c) / n;
    made->mean[c] = mean;
    for (int64_t i = 0; i < made->rows; i++) squares += away(made, i, c) * away(made, i, c);
    made->within += squares / (n - 1.0) / chunks;
    overall += mean / chunks;
    size = fmax(size, fabs(mean));
  }
  for (int64_t c = 0; c < made->chunks; c++)
    made->between += (made->mean[c] - overall) * (made->mean[c] - overall) / (chunks - 1.0);
  return made->within > 1e-24 * size * size; /* else constant to rounding */
}

/* The mean over the chunks of the autocovariance at a lag, over N − 1 as W is. */
static double covariance(const chains *of, int64_t lag) {
  double sum = 0.0;
  for (int64_t i = 0; i + lag < of->rows; i++)
    for (int64_t c = 0; c < of->chunks; c++) sum += away(of, i, c) * away(of, i + lag, c);
  return sum / (double)(of->rows - 1) / (double)of->chunks;
}

bool mms_mixing_measure(mms_mixing *mixing, const mms_trace *trace, int observable) {
  *mixing = (mms_mixing){.r_hat = NAN, .tau = NAN, .snapshots = NAN};
  chains of;
  if (!chains_make(&of, trace, observable)) return false;
  double n = (double)of.rows, total = of.within * (n - 1.0) / n + of.between;
  double tau = -1.0, last = INFINITY;
  for (int64_t lag = 0; lag + 1 < of.rows; lag += 2) {
    double pair = 2.0 - (2.0 * of.within - covariance(&of, lag) - covariance(&of, lag + 1)) / total;
    if (!(pair > 0.0)) break;
    last = fmin(last, pair);
    tau += 2.0 * last;
  }
  tau = fmax(tau, 1.0); /* chains that alternate seem better than independent ones; they are not counted for more */
  mixing->r_hat = sqrt(total / of.within);
  mixing->tau = tau * (double)of.stride * (double)trace->every;
  mixing->snapshots = n / tau;
  return true;
}

bool mms_mixing_worst(mms_mixing *mixing, const mms_trace *trace, int *worst) {
  bool found = false;
  for (int o = 0; o < MMS_OBSERVABLES; o++) {
    mms_mixing here;
    if (!mms_mixing_measure(&here, trace, o) || (found && !(here.r_hat > mixing->r_hat))) continue;
    *mixing = here;
    *worst = o;
    found = true;
  }
  return found;
}
