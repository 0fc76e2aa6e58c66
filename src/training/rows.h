/* Rows that come by in order, as often as they are wanted, so that nobody needs to hold them all. Private. */
#ifndef TRAINING_ROWS_H
#define TRAINING_ROWS_H

#include "mmsold/training/training.h"

typedef struct mms_rows mms_rows;
struct mms_rows {
  int64_t count, dim;
  const void *self; /* borrowed */
  mms_status (*walk)(const mms_rows *rows, mms_training_visitor *visit, void *context, mms_error *error);
};

/* Show all rows to `visit`, in order, in pieces of whole tiles (MMS_TRAINING_TILE; the last may be shorter). On failure
 * some have not come by. Local. */
mms_status mms_rows_walk(const mms_rows *rows, mms_training_visitor *visit, void *context, mms_error *error);

/* The rows of a matrix, which is borrowed; they come by all at once. */
mms_rows mms_rows_of_matrix(const mms_matrix *matrix);

/* How many rows of `dim` numbers make a piece of what is read or sent. */
int64_t mms_rows_piece(int64_t dim);

/* Rows in the sampler's coordinates, `of` sent through `transform` (NULL: as they are), and what they add up to. */
typedef struct mms_latent_rows {
  const mms_rows *of;
  const mms_transform *transform;
  double *piece;      /* [mms_rows_piece(d)][d] */
  uint64_t *checksum; /* of the last walk (mms_training_checksum) */
} mms_latent_rows;

mms_status mms_latent_rows_create(mms_latent_rows *latent, const mms_rows *of, const mms_transform *transform,
                                  uint64_t *checksum, mms_error *error);
mms_rows mms_rows_of_latent(const mms_latent_rows *latent);
void mms_latent_rows_free(mms_latent_rows *latent);

/* FNV-1a 64 of n, d (as little-endian 64-bit integers) and then, a piece at a time, the bytes of points. Local. */
uint64_t mms_training_checksum_begin(int64_t n, int64_t d);
uint64_t mms_training_checksum_add(uint64_t sum, int64_t rows, int64_t d, const double *points);

#endif
