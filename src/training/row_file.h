/* A file of rows, of any of the kinds that are read, open. Private. */
#ifndef TRAINING_ROW_FILE_H
#define TRAINING_ROW_FILE_H

#include "mmsold/store/arrays.h"
#include "mmsold/store/h5.h"
#include <stdbool.h>
#include <stdint.h>

typedef enum mms_row_kind { MMS_ROWS_NPY, MMS_ROWS_H5, MMS_ROWS_IDX } mms_row_kind;

typedef struct mms_row_file {
  int64_t rows, columns; /* flattened as in mms_array */
  int rank;
  int64_t dims[8];
  bool is_bytes; /* IDX of bytes, which a picture's reader scales */

  mms_row_kind kind; /* "FILE.h5:/dataset" in its two halves: */
  char *file;
  char *dataset; /* HDF5 only */

  mms_npy *npy; /* one of these is open */
  mms_idx *idx;
  mms_h5 *h5; /* with its attributes */
  mms_h5_rows *dataset_rows;
} mms_row_file;

/* Open `name`, told by its suffix or else by its first bytes; of an HDF5 file without a dataset's name the first one of
 * `usual` (ended by NULL) that is there. Local. On failure *file is empty. */
mms_status mms_row_file_open(mms_row_file *file, const char *name, const char *const *usual, mms_error *error);
/* Rows first … first + count − 1 as they stand there: out [count][columns]. Local. */
mms_status mms_row_file_read(const mms_row_file *file, int64_t first, int64_t count, double *out, mms_error *error);
void mms_row_file_close(mms_row_file *file); /* fine on an empty one */

#endif
