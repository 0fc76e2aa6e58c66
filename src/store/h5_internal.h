/* What the HDF5 files of this floor share. Private to store/. */
#ifndef STORE_H5_INTERNAL_H
#define STORE_H5_INTERNAL_H

#include "mmsold/store/h5.h"
#include <hdf5.h>

struct mms_h5 {
  hid_t id;
  const mms_team *team; /* NULL: this process alone, without the MPI file driver */
  bool writing;
  int64_t bytes; /* of the file, when reading: nothing in it is larger */
  char *path;
  char *partial; /* NULL when reading */
};

/* This rank's status as the team's (its own where there is no team). Collective. */
mms_status mms_h5_agree(const mms_h5 *file, mms_status mine, mms_error *error);
bool mms_h5_leads(const mms_h5 *file); /* rank 0, or alone */

/* MMS_ERR_SYSTEM when writing, MMS_ERR_INPUT when reading: "FILE: NAME: what (HDF5's innermost reason)". `name` may
 * be NULL. Takes the reason from HDF5's error stack, so call it right after the failure. Local. */
mms_status mms_h5_fail(const mms_h5 *file, const char *name, const char *what, mms_error *error);

/* Parent groups of `name`, and `name` itself where `whole`. Every rank the same. */
mms_status mms_h5_make_groups(mms_h5 *file, const char *name, bool whole, mms_error *error);

/* An open dataset. Freed with mms_h5_dataset_close, fine on a failed or zeroed one (id <= 0). */
typedef struct mms_h5_dataset {
  hid_t id;
  int rank;
  int64_t dims[8];
  int64_t rows, cols; /* flattened; a scalar is 1 x 1 */
} mms_h5_dataset;

/* Open `name`; with `numeric` refuses what is not integers or floats, naming the type. Local. */
mms_status mms_h5_dataset_open(mms_h5_dataset *dataset, const mms_h5 *file, const char *name, bool numeric,
                               mms_error *error);
/* A damaged file may claim any shape, and chunks of any size: refuse one that the bytes on disk cannot fill, before
 * memory is asked for. */
mms_status mms_h5_check_claim(const mms_h5 *file, const char *name, const mms_h5_dataset *dataset, mms_error *error);
void mms_h5_dataset_close(mms_h5_dataset *dataset);

/* Select rows first … first + count − 1 of `space` (a dataset's dataspace). False where HDF5 refuses. */
bool mms_h5_select_rows(const mms_h5_dataset *dataset, hid_t space, int64_t first, int64_t count);

/* "float64", "int32", "text", "compound", … into `out`. */
void mms_h5_type_name(hid_t type, char *out, size_t size);

#endif
