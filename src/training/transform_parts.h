/* What fits on one rank and fits spread over ranks share. Private to src/training. */
#ifndef TRAINING_TRANSFORM_PARTS_H
#define TRAINING_TRANSFORM_PARTS_H

#include "mmsold/training/transform.h"
#include "training/rows.h"

/* mms_transform_fit and mms_transform_fit_distributed where X comes by in pieces: twice, and for a distributed fit each
 * rank then holds its part of it. */
mms_status mms_transform_fit_rows(mms_transform *transform, const mms_rows *data, int64_t components, mms_whiten whiten,
                                  int64_t whiten_top, mms_error *error);
mms_status mms_transform_fit_rows_distributed(mms_transform *transform, const mms_team *team, const mms_rows *data,
                                              int64_t components, mms_whiten whiten, int64_t whiten_top,
                                              mms_error *error);

/* An empty transform of the right sizes with the mean of X in it, and scales [d] (freed with free()) to be filled;
 * sizes that cannot be are refused. Identity, and no scales, where there is nothing to fit. Local. */
mms_status mms_transform_begin(mms_transform *transform, double **scales, const mms_rows *data, int64_t components,
                               mms_whiten whiten, int64_t whiten_top, mms_error *error);

/* √λ'_j, j < d, by which whitening divides direction j, from the eigenvalues [D] of the covariance, descending.
 * cap:  λ'_j = 1 for j <= k, e_j/τ beyond, τ = e_{k+1} (e_d where k >= d).   full: λ'_j = e_{min(j, k)}. Local. */
void mms_transform_scales(int64_t dim, const double *eigenvalues, mms_whiten whiten, int64_t top, double *scales);

/* Component j of a PCA from its eigenvector v[0], v[stride], … [D]. Local. */
void mms_transform_put_component(mms_transform *transform, int64_t j, const double *v, int64_t stride, double scale);

#endif
