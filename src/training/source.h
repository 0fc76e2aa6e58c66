/* Where training rows come from, before selection and transform. Private. */
#ifndef TRAINING_SOURCE_H
#define TRAINING_SOURCE_H

#include "mmsold/training/training.h"
#include "training/row_file.h"
#include "training/rows.h"

/* Rows of a source: of a file, which are read as they are asked for, or held, where they were drawn or thinned.
 * `prepared`: a file that mms_training_store wrote; rows are then in the sampler's coordinates [n][d] and `transform`
 * leads back to the data's. Owns what it names. */
typedef struct mms_source {
  int64_t count, dim;                /* of the rows that are kept */
  int64_t image_rows, image_columns; /* as in mms_points */
  bool prepared;
  mms_transform transform;

  const char *name; /* borrowed */
  mms_row_file file;
  int64_t *chosen;   /* which of the file's rows, ascending; NULL: all */
  uint64_t checksum; /* prepared: of all the file's rows, as it says itself */
  mms_matrix held;   /* instead of a file */
} mms_source;

/* Open a file source, all of whose rows are kept. Local. */
mms_status mms_source_open(mms_source *source, const char *name, mms_error *error);

/* Open or generate, keep the class, select rows; *about (freed with free()) says so in words. Rows are held whole where
 * they are drawn or thinned only. Local. */
mms_status mms_source_select(mms_source *source, const mms_training_options *options, char **about, mms_error *error);

/* The rows that are kept. With every walk all of a file's rows are read and must be finite, and those of a prepared
 * file must have its checksum. Borrows the source. */
mms_rows mms_source_rows(const mms_source *source);

/* The rows that are kept into the memory of this process. Local. */
mms_status mms_source_hold(mms_source *source, mms_error *error);

/* The rows that are kept, in the data's coordinates; the source is used up. Local. */
mms_status mms_source_take(mms_source *source, mms_points *points, mms_error *error);

void mms_source_free(mms_source *source);

/* One integer per row from an IDX1, .npy or HDF5 vector (FILE.h5: `/labels`). labels: [n][1]. Local. */
mms_status mms_labels_read(mms_matrix *labels, const char *name, mms_error *error);

/* FNV-1a 64 of n, d (as little-endian 64-bit integers) and the bytes of points [n][d]. Local. */
uint64_t mms_training_checksum(int64_t n, int64_t d, const double *points);

#endif
