/* The only caller of HDF5. Files are written whole under a temporary name, closed, fsynced and
 * renamed; nothing is ever updated in place. HDF5's own error stack is silenced and its
 * failures are said in our words: file, dataset, what was expected and found. */
#ifndef MMSOLD_STORE_H5_H
#define MMSOLD_STORE_H5_H

#include "mmsold/base/matrix.h"
#include "mmsold/base/status.h"
#include "mmsold/parallel/blocks.h"
#include "mmsold/parallel/team.h"
#include <stdbool.h>
#include <stdint.h>

typedef struct mms_h5 mms_h5; /* an open file */

typedef enum mms_h5_type { MMS_H5_FLOAT64, MMS_H5_FLOAT32, MMS_H5_INT64 } mms_h5_type;

/* --- writing ------------------------------------------------------------------------------ */

/* Begin a new file `path` (written as `path.partial` until mms_h5_commit). team NULL: this process
 * alone; otherwise collective over the team. An existing `path` stays until commit replaces it. */
mms_status mms_h5_create(mms_h5 **file, const mms_team *team, const char *path, mms_error *error);

/* A group; parents are made as needed. Collective. */
mms_status mms_h5_group(mms_h5 *file, const char *name, mms_error *error);

/* A dataset [rows][cols] of which this rank holds n_local rows from global row first_row on;
 * `values` are doubles whatever `type` is stored. Chunked by rows with fletcher32. Collective; empty
 * ranks call too. `description` becomes the attribute `description`; dimension labels row_label and col_label (NULL:
 * none). */
mms_status mms_h5_write_rows(mms_h5 *file, const char *name, mms_h5_type type, int64_t rows, int64_t cols,
                             int64_t first_row, int64_t n_local, const double *values, const char *description,
                             const char *row_label, const char *col_label, mms_error *error);
/* Rows go to the file in pieces of so many bytes of a rank's own: far below MPI-IO's 2 GiB. */
enum { MMS_H5_PIECE_BYTES = 16 << 20 };
/* The same, of blocks->total rows, filled through a callback, so that decoded samples are never held whole: whole
 * blocks at a time, as many as chunk_rows have room for, or one. fill(context, blocks, first, end, out) is to put the
 * rows of blocks first … end − 1, one after the other, into out [rows][cols]. Collective. */
typedef void mms_h5_fill(void *context, const mms_blocks *blocks, int64_t first, int64_t end, double *out);
mms_status mms_h5_write_rows_by(mms_h5 *file, const char *name, mms_h5_type type, int64_t cols,
                                const mms_blocks *blocks, int64_t chunk_rows, mms_h5_fill *fill, void *context,
                                const char *description, const char *row_label, const char *col_label,
                                mms_error *error);

/* A small dataset; rank 0's values are written. `rank` 0 (scalar), 1 or 2. Collective. */
mms_status mms_h5_write_array(mms_h5 *file, const char *name, mms_h5_type type, int rank, int64_t rows, int64_t cols,
                              const void *values /* double or int64_t, as type says */, const char *description,
                              mms_error *error);

/* Attributes of `object` ("/" for the file), an open group or dataset; a name can be given once. Rank 0's value is what
 * is written, so values that differ between ranks (a host's name, a time) are fine. Collective; agreed. */
mms_status mms_h5_attribute_text(mms_h5 *file, const char *object, const char *name, const char *value,
                                 mms_error *error);
/* Several texts; those that are NULL are left out. */
typedef struct mms_h5_text {
  const char *name, *value;
} mms_h5_text;
mms_status mms_h5_attribute_texts(mms_h5 *file, const char *object, const mms_h5_text *texts, int count,
                                  mms_error *error);
mms_status mms_h5_attribute_int(mms_h5 *file, const char *object, const char *name, int64_t value, mms_error *error);
mms_status mms_h5_attribute_uint(mms_h5 *file, const char *object, const char *name, uint64_t value, mms_error *error);
mms_status mms_h5_attribute_double(mms_h5 *file, const char *object, const char *name, double value, mms_error *error);

/* Close, append the digest, fsync, read back what every rank wrote, rename to the final name, fsync the folder.
 * Collective; agreed; sets *file to NULL. On failure nothing stands under the final name that did not before. */
mms_status mms_h5_commit(mms_h5 **file, mms_error *error);
/* Close and remove the temporary file (writing failed), or just close a file open for reading. Collective. */
void mms_h5_close(mms_h5 **file);

/* --- reading ------------------------------------------------------------------------------ */

/* Open for reading; says missing, a folder, not HDF5, truncated. team as above. */
mms_status mms_h5_open(mms_h5 **file, const mms_team *team, const char *path, mms_error *error);
/* Is the file of ours at `path` whole to the last byte? HDF5's own checksums leave its metadata and
 * gaps unguarded, so mms_h5_commit ends every file with a digest of all of it. MMS_ERR_INPUT: cut short, changed, or
 * without a digest. Reads the whole file, every rank a share. Collective; agreed. */
mms_status mms_h5_check_digest(const mms_team *team, const char *path, mms_error *error);
/* Is there an object `name`? false also where the file is too damaged to tell. Local. */
bool mms_h5_has(mms_h5 *file, const char *name);
/* The same for whoever goes on without it: MMS_ERR_INPUT where that cannot be told. Collective; agreed. */
mms_status mms_h5_find(mms_h5 *file, const char *name, bool *there, mms_error *error);
mms_status mms_h5_find_attribute(mms_h5 *file, const char *object, const char *name, bool *there, mms_error *error);
/* Rank and dimensions (at most 8) of a dataset; refuses non-numeric types by name. Local to each rank's call. */
mms_status mms_h5_shape(mms_h5 *file, const char *name, int *rank, int64_t dims[8], mms_error *error);
/* Rows first_row … first_row + n_local − 1 of a dataset flattened to [rows][cols], as doubles. Collective. */
mms_status mms_h5_read_rows(mms_h5 *file, const char *name, int64_t first_row, int64_t n_local, double *values,
                            mms_error *error);
/* A whole dataset flattened to [rows][cols] (a vector: [rows][1]). */
mms_status mms_h5_read_matrix(mms_h5 *file, const char *name, mms_matrix *out, mms_error *error);
/* A dataset open for reading a piece of its rows at a time, on a file that is open on this process alone: each chunk is
 * read once where the pieces follow each other. Refuses what mms_h5_shape refuses, and a shape that the bytes in the
 * file cannot fill. Close before the file; sets *rows to NULL, fine on NULL. Local. */
typedef struct mms_h5_rows mms_h5_rows;
mms_status mms_h5_rows_open(mms_h5_rows **rows, mms_h5 *file, const char *name, int *rank, int64_t dims[8],
                            mms_error *error);
mms_status mms_h5_rows_read(mms_h5_rows *rows, int64_t first, int64_t count, double *values, mms_error *error);
void mms_h5_rows_close(mms_h5_rows **rows);
/* Attributes; *value of text is freed with free(). MMS_ERR_INPUT where missing or of another kind. */
mms_status mms_h5_read_text(mms_h5 *file, const char *object, const char *name, char **value, mms_error *error);
mms_status mms_h5_read_int(mms_h5 *file, const char *object, const char *name, int64_t *value, mms_error *error);
mms_status mms_h5_read_uint(mms_h5 *file, const char *object, const char *name, uint64_t *value, mms_error *error);
mms_status mms_h5_read_double(mms_h5 *file, const char *object, const char *name, double *value, mms_error *error);

/* Visit every dataset and attribute, in name order, as lines of text for `info`: calls
 * line(context, text) with e.g. "/samples  20000 x 2  float32  in the data's coordinates". Refuses groups within groups
 * beyond 100 levels, as verify does. Local (team NULL). */
typedef void mms_h5_line(void *context, const char *text);
mms_status mms_h5_describe(mms_h5 *file, mms_h5_line *line, void *context, mms_error *error);
/* Read every byte of every dataset and attribute, so that checksums are checked; names the first that fails. Also
 * refuses a dataset whose shape the bytes on disk cannot fill. datasets and bytes may be NULL. Local (team NULL). */
mms_status mms_h5_verify(mms_h5 *file, int64_t *datasets, int64_t *bytes, mms_error *error);

/* "1.10.8": the library's version, for --version and files. */
const char *mms_h5_library_version(void);

#endif
