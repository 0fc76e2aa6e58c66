/* What replicated and distributed targets share. Private to src/ensemble. */
#ifndef ENSEMBLE_TARGET_PARTS_H
#define ENSEMBLE_TARGET_PARTS_H

#include "mmsold/ensemble/target.h"

/* An empty target; MMS_ERR_INPUT where the training set is empty or the bandwidth is not possible. Local. */
mms_status mms_target_begin(mms_target *target, const mms_training *training, double bandwidth, mms_factor kind,
                            mms_error *error);

/* μ* into mean [d], zeros before; `left` [d] is for scratch. A rank without it (NULL) only passes its part of the
 * points on. As collective as mms_training_walk. */
void mms_target_find_mean(const mms_training *training, double *mean, double *left);

/* MMS_ERR_INPUT where the mean or the variances are not finite. Local. */
mms_status mms_target_refuse_overflow(const mms_target *target, mms_error *error);

/* MMS_ERR_INPUT where the eigenvalues say that Σ* is singular in floating point. Local. */
mms_status mms_target_refuse_singular(const mms_target *target, mms_error *error);

/* Collective; fine on NULL. */
void mms_target_spread_free(mms_target_spread **spread);

#endif
