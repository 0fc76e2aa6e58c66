#include "training/rows.h"

#include "mmsold/base/memory.h"
#include "training/source.h"
#include <stdlib.h>

/* A piece: enough for a disk and a network to be busy, little beside a rank's part. */
static const int64_t PIECE_BYTES = (int64_t)4 << 20;

int64_t mms_rows_piece(int64_t dim) {
  const int64_t tile = MMS_TRAINING_TILE * dim * (int64_t)sizeof(double);
  return tile < PIECE_BYTES ? PIECE_BYTES / tile * MMS_TRAINING_TILE : MMS_TRAINING_TILE;
}

mms_status mms_rows_walk(const mms_rows *rows, mms_training_visitor *visit, void *context, mms_error *error) {
  return rows->walk(rows, visit, context, error);
}

static mms_status walk_matrix(const mms_rows *rows, mms_training_visitor *visit, void *context, mms_error *error) {
  const mms_matrix *matrix = rows->self;
  (void)error;
  visit(context, 0, matrix->rows, matrix->data);
  return MMS_OK;
}

mms_rows mms_rows_of_matrix(const mms_matrix *matrix) {
  return (mms_rows){.count = matrix->rows, .dim = matrix->cols, .self = matrix, .walk = walk_matrix};
}

/* --- in the sampler's coordinates --------------------------------------------------------- */

/* A walk under way, and whom it is for. */
typedef struct latent_walk {
  const mms_latent_rows *latent;
  int64_t dim, piece;
  mms_training_visitor *visit;
  void *context;
} latent_walk;

static void see_latent(void *context, int64_t first, int64_t rows, const double *points) {
  const latent_walk *walk = context;
  const mms_latent_rows *latent = walk->latent;
  const mms_transform *transform = latent->transform;
  const int64_t at_once = transform == NULL ? rows : walk->piece;
  for (int64_t done = 0; done < rows; done += at_once) {
    const int64_t now = rows - done < at_once ? rows - done : at_once;
    const double *z = points;
    if (transform != NULL) {
      mms_transform_encode(transform, now, points + done * transform->data_dim, latent->piece);
      z = latent->piece;
    }
    *latent->checksum = mms_training_checksum_add(*latent->checksum, now, walk->dim, z);
    walk->visit(walk->context, first + done, now, z);
  }
}

static mms_status walk_latent(const mms_rows *rows, mms_training_visitor *visit, void *context, mms_error *error) {
  const mms_latent_rows *latent = rows->self;
  latent_walk walk = {
      .latent = latent, .dim = rows->dim, .piece = mms_rows_piece(rows->dim), .visit = visit, .context = context};
  *latent->checksum = mms_training_checksum_begin(rows->count, rows->dim);
  return mms_rows_walk(latent->of, see_latent, &walk, error);
}

mms_status mms_latent_rows_create(mms_latent_rows *latent, const mms_rows *of, const mms_transform *transform,
                                  uint64_t *checksum, mms_error *error) {
  *latent = (mms_latent_rows){.of = of, .transform = transform, .checksum = checksum};
  if (transform == NULL) return MMS_OK;
  return mms_allocate_doubles(&latent->piece, mms_rows_piece(transform->dim) * transform->dim,
                              "a piece of the training set", error);
}

mms_rows mms_rows_of_latent(const mms_latent_rows *latent) {
  const mms_transform *transform = latent->transform;
  return (mms_rows){.count = latent->of->count,
                    .dim = transform != NULL ? transform->dim : latent->of->dim,
                    .self = latent,
                    .walk = walk_latent};
}

void mms_latent_rows_free(mms_latent_rows *latent) {
  free(latent->piece);
  *latent = (mms_latent_rows){0};
}

/* --- their checksum ----------------------------------------------------------------------- */

static uint64_t add_bytes(uint64_t hash, const void *bytes, size_t count) {
  const unsigned char *at = bytes;
  for (size_t i = 0; i < count; i++) hash = (hash ^ at[i]) * UINT64_C(0x100000001b3); /* FNV-1a's 64-bit prime */
  return hash;
}

static uint64_t add_count(uint64_t hash, int64_t value) {
  unsigned char bytes[8];
  for (int i = 0; i < 8; i++) bytes[i] = (unsigned char)((uint64_t)value >> (8 * i));
  return add_bytes(hash, bytes, sizeof bytes);
}

uint64_t mms_training_checksum_begin(int64_t n, int64_t d) {
  return add_count(add_count(UINT64_C(0xcbf29ce484222325), n), d); /* FNV-1a's 64-bit offset basis */
}

uint64_t mms_training_checksum_add(uint64_t sum, int64_t rows, int64_t d, const double *points) {
  return add_bytes(sum, points, (size_t)rows * (size_t)d * sizeof(double));
}

uint64_t mms_training_checksum(int64_t n, int64_t d, const double *points) {
  return mms_training_checksum_add(mms_training_checksum_begin(n, d), n, d, points);
}
