/* Between the user's data (D columns) and the sampler's coordinates (d columns):
 *     z = (x − offset) encode,   x = offset + z decode          (ALGORITHMS 5; PCA first).   */
#ifndef MMSOLD_TRAINING_TRANSFORM_H
#define MMSOLD_TRAINING_TRANSFORM_H

#include "mmsold/base/matrix.h"
#include "mmsold/base/status.h"
#include "mmsold/parallel/team.h"
#include <stdbool.h>
#include <stdint.h>

/* Owns its arrays. `identity`: D = d, x = z to the bit, and the arrays are empty. */
typedef struct mms_transform {
  bool identity;
  int64_t data_dim;  /* D */
  int64_t dim;       /* d */
  mms_matrix offset; /* [1][D] */
  mms_matrix encode; /* [D][d] */
  mms_matrix decode; /* [d][D] */
} mms_transform;

typedef enum mms_whiten { MMS_WHITEN_NONE, MMS_WHITEN_CAP, MMS_WHITEN_FULL } mms_whiten;

/* Fit PCA to `components` columns (0 = none; otherwise 1 .. min(n, D)), then whitening of the top
 * `whiten_top` directions, to X [n][D]. Covariances by 1/(n−1), eigenvalues plus 1e-5 (section 5).
 * With PCA d = components, else d = D. Local. MMS_ERR_INPUT for impossible sizes (n < 2 with
 * anything to fit, components > min(n, D), whiten_top < 1 or > d). `cap`: top k directions keep their
 * variance, the others are raised to tau = e_{k+1} (e_d when k >= d). `full`: direction j <= k is divided by
 * sqrt(e_j), the others by sqrt(e_k). Both symmetric: S^{±1/2} = Q λ'^{±1/2} Qᵀ. */
mms_status mms_transform_fit(mms_transform *transform, const mms_matrix *data, int64_t components, mms_whiten whiten,
                             int64_t whiten_top, mms_error *error);

/* The same fit to rank 0's X (NULL elsewhere) with the D × D matrices spread over the ranks, so that none holds a whole
 * one but the transform itself, which rank 0 gets; the others' is empty. Last bits depend on the number of ranks, and
 * components of equal eigenvalues may turn. Collective; agreed. */
mms_status mms_transform_fit_distributed(mms_transform *transform, const mms_team *team, const mms_matrix *data,
                                         int64_t components, mms_whiten whiten, int64_t whiten_top, mms_error *error);

/* z [rows][d] from x [rows][D], and back. Local; rows may be 0. The identity copies. */
void mms_transform_encode(const mms_transform *transform, int64_t rows, const double *x, double *z);
void mms_transform_decode(const mms_transform *transform, int64_t rows, const double *z, double *x);

void mms_transform_free(mms_transform *transform);

#endif
