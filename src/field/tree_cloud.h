/* Rows that share their draws (sharing: block, all) at a bandwidth that is large against the leaves of the index. With
 *     ℓ_ij = −|q − x_i|²/(2δ²) + s_j·(x_i − q)/δ²,   exp ℓ_ij ∝ exp(−|q − x_i|²/(2δ²)) · exp(s_j·x_i/δ²)
 * the second factor is the same for all rows: it is worked out once, and a row costs n exponentials for all its draws
 * together. Both factors are floats, so this is done only where their range is known to fit. */
#ifndef FIELD_TREE_CLOUD_H
#define FIELD_TREE_CLOUD_H

#include "field/tree.h"

typedef struct mms_tree_cloud mms_tree_cloud;

/* *cloud stays NULL, and MMS_OK, where a training set has too few or too many leaves for it. Local. */
mms_status mms_tree_cloud_create(mms_tree_cloud **cloud, const mms_tree *tree, mms_error *error);
void mms_tree_cloud_free(mms_tree_cloud **cloud);
int64_t mms_tree_cloud_bytes(const mms_tree_cloud *cloud);

/* Whether a batch may be done this way, by the rule in tree_cloud.c; if so its shared draws, which `shifts` holds (see
 * mms_tree_row), are made ready. `again` says that they are those of the last call. Local. */
bool mms_tree_cloud_ready(mms_tree_cloud *cloud, const mms_queries *queries, const mms_tree_draws *draws,
                          const double *shifts, bool again);

/* Up to MMS_CLOUD_ROWS rows z [count][dim]: out = mean − z. Not done where a row is too far from the training set.
 * Local. */
void mms_tree_cloud_rows(mms_tree_cloud *cloud, const mms_tree_draws *draws, int64_t count, const double *z,
                         double *out, double *log_mass, bool *done, int64_t *finished);

#endif
