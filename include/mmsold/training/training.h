/* The training set: n points in the sampler's coordinates, once per node, read-only. */
#ifndef MMSOLD_TRAINING_TRAINING_H
#define MMSOLD_TRAINING_TRAINING_H

#include "mmsold/base/log.h"
#include "mmsold/base/matrix.h"
#include "mmsold/base/status.h"
#include "mmsold/linalg/distributed.h"
#include "mmsold/parallel/shared.h"
#include "mmsold/parallel/team.h"
#include "mmsold/parallel/tiles.h"
#include "mmsold/training/transform.h"
#include <stdbool.h>
#include <stdint.h>

typedef enum mms_thin { MMS_THIN_DEFAULT, MMS_THIN_NONE, MMS_THIN_FARTHEST } mms_thin;
typedef enum mms_placement { MMS_PLACEMENT_AUTO, MMS_PLACEMENT_REPLICATED, MMS_PLACEMENT_PARTITIONED } mms_placement;

/* What the `training:` section says. Strings are borrowed for the call. */
typedef struct mms_training_options {
  const char *source; /* a generator's name | FILE.npy | FILE.h5:/dataset | IDX[.gz] | mesh (.off, .ply) */
  int64_t count;      /* rows kept; 0 = all rows of a file (generators and meshes need it) */
  mms_thin thin;      /* default: farthest for checkerboard and spirals, none otherwise */
  uint64_t seed;
  const char *labels; /* a file with one integer per row, or NULL */
  int64_t label;      /* the class kept (key `class`); looked at when labels is set; -1 = not set */
  int64_t components; /* PCA; 0 = none */
  mms_whiten whiten;
  int64_t whiten_top;
  mms_placement placement;
  mms_linalg linalg;  /* where a transform's D × D algebra is done, for callers who may have it spread */
  bool may_spread;    /* others fit on rank 0: the last bits of a fit that is spread depend on the number of ranks */
  bool may_partition; /* the caller can work with a partitioned set; others are refused one */
  int64_t partition_from; /* auto takes partitioned only from this dimension on (mms_field_partition_from) */
} mms_training_options;

enum { MMS_TRAINING_TILE = 512 }; /* rows of a partitioned set's tiles, whatever the number of ranks */

/* Are the rows of `source` drawn (a generator, a mesh), so that count must be given, rather than read? Local. */
bool mms_source_is_drawn(const char *source);

/* Rows as the user gave them, before any transform; with what is known about their shape. */
typedef struct mms_points {
  mms_matrix values;                 /* [n][D] double; IDX bytes are scaled to [0, 1] */
  int64_t image_rows, image_columns; /* 0 where rows are not images; IDX3 knows, HDF5/npy of rank 3 too */
} mms_points;

/* Read every row of a file source (.npy, FILE.h5:/dataset, IDX with or without gzip) as double.
 * Arrays of rank 3 and more are flattened to [n][D]. Refuses, naming file and row and column: missing file, a folder,
 * truncation, wrong dtype (complex, strings, objects), 0 rows or columns, NaN or Inf. For "FILE.h5" without a dataset:
 * `/samples` if there, else `/training`, else an error that lists the datasets. The `/training` of a file that
 * mms_training_store wrote is decoded to the data's coordinates. Local. */
mms_status mms_points_read(mms_points *points, const char *source, mms_error *error);
void mms_points_free(mms_points *points);

/* `source` read or generated, class kept, rows selected (count, thin, seed), no transform: the
 * rows that mms_training_create starts from, in its order. Local: for pictures and studies.
 * Selection: `farthest` thins (10 count draws of a generator or on a mesh, or the file's rows) by farthest-point
 * sampling; `none` keeps count such draws, or a uniform subset of the file's rows drawn with
 * `seed`, in file order. count > rows available: refused with both numbers. */
mms_status mms_points_select(mms_points *points, const mms_training_options *options, mms_error *error);

typedef struct mms_training {
  int64_t count;        /* n >= 1 */
  int64_t dim;          /* d */
  const double *points; /* [n][d], in `memory`; NULL where the set is partitioned */
  uint64_t checksum;    /* FNV-1a 64 of n, d and the bytes of points */
  int64_t image_rows, image_columns;
  mms_transform transform;
  mms_shared *memory;
  char *description; /* one line for logs: source, rows, class, PCA and whitening in words */

  bool partitioned; /* each rank holds whole tiles: */
  mms_blocks parts; /* which rows are this rank's */
  double *mine;     /* [parts.n_local][d] */
  mms_tiles *tiles; /* all rows as a stream of pieces */
} mms_training;

/* Is handed rows first .. first + rows − 1, points [rows][d]. */
typedef void mms_training_visitor(void *context, int64_t first, int64_t rows, const double *points);

/* Shows every row to `visit`, in order: all at once where the set is replicated (Local then), else piece by piece,
 * whole tiles (Collective). Allocates nothing. */
void mms_training_walk(const mms_training *training, mms_training_visitor *visit, void *context);

int64_t mms_training_bytes(const mms_training *training); /* private memory of this rank, not what a node shares */
const char *mms_training_placement(const mms_training *training); /* "replicated, one copy per node" ... */

/* Build the training set: rank 0 reads, selects and fits (the fit may be spread over the ranks); the others receive.
 * A file comes by in pieces (whole tiles, about 4 MiB) that are sent on as they come, once, and twice more beforehand
 * for a fit: rank 0 needs no more memory than the others, its part and some pieces (for a fit also D × D matrices; with
 * labels or count 16 bytes a row). Only rows that are thinned, or drawn, are held by rank 0 all together, for as long
 * as this takes. placement auto: partitioned where several ranks work, the caller takes it, d >= partition_from, and 12
 * n d bytes (the set and the field's single-precision copy) are more than half of what is available on some node or
 * more than is free for shared memory there; else replicated. The values are the same to the bit, and so is the
 * checksum. A source that `mms_training_store` wrote ("FILE.h5" made by `prepare`) is taken with its transform; then
 * components and whiten must be off. Collective; agreed: on failure all ranks return the same
 * status and *training is empty. Free with mms_training_free (collective). */
mms_status mms_training_create(mms_training *training, const mms_team *team, const mms_training_options *options,
                               mms_error *error);
void mms_training_free(mms_training *training);

/* Write `/training` [n][d] float64, `/transform/offset|encode|decode` (absent for the identity) and attributes
 * (`kind` = "training", checksum, source description, image shape, `configuration` text (may be NULL), version) to
 * `path`, through a temporary file and a rename. Refuses to write over an existing file (MMS_ERR_INPUT). Called on rank
 * 0 only; Local. */
mms_status mms_training_store(const mms_training *training, const char *configuration, const char *path,
                              mms_error *error);

#endif
