/* The field at given points, with standard errors (`mmsold evaluate`). */
#ifndef MMSOLD_STUDY_EVALUATE_H
#define MMSOLD_STUDY_EVALUATE_H

#include "mmsold/base/log.h"
#include "mmsold/base/status.h"
#include "mmsold/field/field.h"
#include "mmsold/parallel/team.h"
#include "mmsold/training/training.h"
#include <stdint.h>

typedef struct mms_evaluate_request {
  const mms_team *team;
  mms_log *log;
  mms_training_options training;
  mms_score_options score;
  int64_t repeats;           /* N >= 1 estimates averaged; 0 counts as 1 */
  uint64_t seed;             /* of the smoothing noise, and of the neighbours backend's others */
  const char *points;        /* file source, rows in the sampler's coordinates */
  const char *output;        /* FILE.h5; an existing one is refused */
  const char *configuration; /* stored in the file */
} mms_evaluate_request;

/* Draws: antithetic pair j of a point is the noise of (seed, step j, point), fresh for each pair also where the
 * configuration says `noise: fixed` (one kept pair has no spread); shared as `sharing` says, a block being 64 points.
 * N repeats are N times as many pairs. The neighbours backend is an estimator: its value has one random set of others
 * and M draws, N of them (seed, step 1 … N) are averaged, U and ∇U too, and the standard errors are over these N.
 *
 * Writes `/points` [n][d], `/U` [n], `/grad_U` [n][d], `/V`, `/grad_V`, `/V_stderr`, `/grad_V_stderr` (standard
 * errors over antithetic pairs; 0 without smoothing, where V = U; NaN with a single pair; neighbours: over repeats).
 * Points are split over the ranks in blocks; the same bits at any rank count. MMS_ERR_INPUT where the points' columns
 * are not d (both named, and the data's D), the output exists or has no folder. Collective; agreed. */
mms_status mms_evaluate(const mms_evaluate_request *request, mms_error *error);

#endif
