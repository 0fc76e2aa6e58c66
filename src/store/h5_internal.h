/* What the HDF5 files of this floor share. Private to store/. */
#ifndef STORE_H5_INTERNAL_H
#define STORE_H5_INTERNAL_H

#include "mmsold/store/h5.h"
#include <hdf5.h>

typedef struct mms_h5_written mms_h5_written; /* a dataset, this rank's rows of it and their checksum */

struct mms_h5 {
  hid_t id;
  const mms_team *team; /* NULL: this process alone, without the MPI file driver */
  bool writing;
  int64_t bytes; /* of the file, when reading: nothing in it is larger */
  char *path;
  char *partial; /* NULL when reading */
  mms_h5_written *written;
  int64_t reserved; /* bytes of the disk that are surely its own; known on rank 0 only */
};

/* This rank's status as the team's (its own where there is no team). Collective. */
mms_status mms_h5_agree(const mms_h5 *file, mms_status mine, mms_error *error);
/* Is it good on every rank? Asked between what a rank prepares by itself and the call of HDF5 that all make together:
 * one that stays away leaves the others waiting. Collective. */
bool mms_h5_all(const mms_h5 *file, bool good);
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
/* Rows first … first + count − 1 as doubles, of a dataset whose claim was checked. Local. */
mms_status mms_h5_dataset_read(const mms_h5 *file, const char *name, const mms_h5_dataset *dataset, int64_t first,
                               int64_t count, double *values, mms_error *error);
void mms_h5_dataset_close(mms_h5_dataset *dataset);

/* Select rows first … first + count − 1 of `space` (a dataset's dataspace). False where HDF5 refuses. */
bool mms_h5_select_rows(const mms_h5_dataset *dataset, hid_t space, int64_t first, int64_t count);

/* Make `partial`, an HDF5 file with nothing in it yet and room for little. For rank 0; Local. */
mms_status mms_h5_begin_file(mms_h5 *file, mms_error *error);
/* Room for one more object of `bytes` bytes in so many chunks; call it before HDF5 makes that. MMS_ERR_SYSTEM where
 * there is none. Collective; agreed. */
mms_status mms_h5_reserve(mms_h5 *file, int64_t bytes, int64_t chunks, mms_error *error);

/* Give back the room that the closed file `partial` did not need. For rank 0; Local. */
mms_status mms_h5_trim(mms_h5 *file, mms_error *error);

/* CRC-32 carried on over `count` bytes; begins at 0. Local. */
uint32_t mms_h5_crc(uint32_t crc, const void *bytes, int64_t count);

/* Remember that this rank wrote these rows, with that checksum of their bytes in `type`. Local. */
mms_status mms_h5_note_written(mms_h5 *file, const char *name, hid_t type, int64_t first_row, int64_t n_local,
                               uint32_t crc, mms_error *error);
void mms_h5_forget_written(mms_h5 *file);

/* Read back what each rank wrote into the closed file `partial`; MMS_ERR_SYSTEM where it is not there as
 * written. Collective; agreed. */
mms_status mms_h5_reread(mms_h5 *file, mms_error *error);

/* "float64", "int32", "text", "compound", … into `out`. */
void mms_h5_type_name(hid_t type, char *out, size_t size);

#endif
