/* What a step sees of its state for the trace, besides what it needs itself. */
#ifndef MMSOLD_DYNAMICS_OBSERVATION_H
#define MMSOLD_DYNAMICS_OBSERVATION_H

#include <stdint.h>

/* Numbers of one particle whose averages tell how far the ensemble has mixed. */
enum {
  MMS_OBSERVE_POTENTIAL, /* V */
  MMS_OBSERVE_FIRST,     /* the first of its coordinates in the manifold frame, y_1 */
  MMS_OBSERVE_SECOND,    /* y_2 */
  MMS_OBSERVE_RADIUS,    /* |y|²/d */
  MMS_OBSERVABLES
};

/* Particles are dealt into chunks: contiguous blocks, as even as they come (block b of B: chunk b C/B). A chunk is far
 * more particles than one, whose trace would be noise, and chunks are exchangeable, so that averages over time that
 * differ from chunk to chunk show memory of the start. */
enum { MMS_CHUNKS = 8 };

/* Quantiles of the distance to the nearest training point. */
enum { MMS_QUANTILES = 3 };
extern const double mms_observation_quantiles[MMS_QUANTILES]; /* 0.05, 0.5, 0.95 */

typedef struct mms_observation {
  int64_t chunks; /* min(MMS_CHUNKS, blocks) */
  /* Means over each chunk's particles; NaN where there is no such number (y_2 in one dimension, chunks too many). */
  double mean[MMS_OBSERVABLES][MMS_CHUNKS];
  /* Root mean square of what the field does to Y in the step over that of the noise; NaN where the way of moving has
   * no such parts. Its square is h times the field's mean curvature, halved for Euler's scheme: it grows as √h, and
   * well above 1 the step is too long to follow the field. */
  double step_ratio;
  /* In units of the bandwidth, within 9 %: from bins of an eighth of an octave. Every block of P/512 and the field's
   * own search, at a bandwidth of a thousandth, which leaves the nearest point alone. */
  double nearest[MMS_QUANTILES];
} mms_observation;

#endif
