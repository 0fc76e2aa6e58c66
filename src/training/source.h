/* Where training rows come from, before selection and transform. Private. */
#ifndef TRAINING_SOURCE_H
#define TRAINING_SOURCE_H

#include "mmsold/training/training.h"

/* Rows of a source. `prepared`: a file that mms_training_store wrote; points.values are then in the sampler's
 * coordinates [n][d] and `transform` leads back to the data's. Owns its arrays. */
typedef struct mms_source {
  mms_points points;
  bool prepared;
  mms_transform transform;
} mms_source;

/* Read a file source whole. Local. */
mms_status mms_source_read(mms_source *source, const char *name, mms_error *error);

/* Read or generate, keep the class, select rows; *about (freed with free()) says so in words. Local. */
mms_status mms_source_select(mms_source *source, const mms_training_options *options, char **about, mms_error *error);

/* From the sampler's coordinates to the data's, in place, where prepared. Local. */
mms_status mms_source_decode(mms_source *source, mms_error *error);

void mms_source_free(mms_source *source);

/* One integer per row from an IDX1, .npy or HDF5 vector (FILE.h5: `/labels`). labels: [n][1]. Local. */
mms_status mms_labels_read(mms_matrix *labels, const char *name, mms_error *error);

/* FNV-1a 64 of n, d (as little-endian 64-bit integers) and the bytes of points [n][d]. Local. */
uint64_t mms_training_checksum(int64_t n, int64_t d, const double *points);

#endif
