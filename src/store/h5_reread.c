/* What was written is read back before the file gets its name: a file system that is full, or that lies, may take the
 * data and say nothing. */
#include "mmsold/base/memory.h"
#include "store/h5_internal.h"
#include <stdlib.h>
#include <zlib.h>

enum { PIECE_BYTES = 16 << 20 }; /* as in writing */

struct mms_h5_written {
  struct mms_h5_written *next;
  char *name;
  hid_t type;
  int64_t first_row, n_local;
  uint32_t crc;
};

uint32_t mms_h5_crc(uint32_t crc, const void *bytes, int64_t count) {
  return (uint32_t)crc32_z(crc, bytes, (z_size_t)count);
}

mms_status mms_h5_note_written(mms_h5 *file, const char *name, hid_t type, int64_t first_row, int64_t n_local,
                               uint32_t crc, mms_error *error) {
  void *memory = NULL;
  mms_status status = mms_allocate(&memory, 1, sizeof(mms_h5_written), "the list of what was written", error);
  if (status != MMS_OK) return status;
  mms_h5_written *note = memory;
  *note = (mms_h5_written){.next = file->written, .type = type, .first_row = first_row, .n_local = n_local, .crc = crc};
  status = mms_copy_text(&note->name, name, error);
  if (status == MMS_OK)
    file->written = note;
  else
    free(note);
  return status;
}

void mms_h5_forget_written(mms_h5 *file) {
  while (file->written != NULL) {
    mms_h5_written *note = file->written;
    file->written = note->next;
    free(note->name);
    free(note);
  }
}

/* CRC-32 of this rank's rows as they are in the file. Local. */
static mms_status crc_of_rows(const mms_h5 *again, const mms_h5_written *note, const mms_h5_dataset *dataset,
                              uint32_t *crc, mms_error *error) {
  const int64_t row_bytes = dataset->cols * (int64_t)H5Tget_size(note->type);
  int64_t at_once = row_bytes > 0 ? PIECE_BYTES / row_bytes : 1;
  if (at_once < 1) at_once = 1;
  if (at_once > note->n_local) at_once = note->n_local;
  void *piece = NULL;
  mms_status status = mms_allocate(&piece, at_once, (size_t)row_bytes, "a piece of a dataset", error);
  *crc = mms_h5_crc(0, NULL, 0);
  for (int64_t done = 0; done < note->n_local && row_bytes > 0 && status == MMS_OK; done += at_once) {
    const int64_t now = note->n_local - done < at_once ? note->n_local - done : at_once;
    const hsize_t items = (hsize_t)(now * dataset->cols);
    hid_t space = H5Dget_space(dataset->id);
    hid_t memory = H5Screate_simple(1, &items, NULL);
    bool good = space >= 0 && memory >= 0;
    if (good && dataset->rank > 0) good = mms_h5_select_rows(dataset, space, note->first_row + done, now);
    if (good) good = H5Dread(dataset->id, note->type, memory, space, H5P_DEFAULT, piece) >= 0;
    if (!good) status = mms_h5_fail(again, note->name, "what was just written cannot be read back", error);
    if (memory >= 0) H5Sclose(memory);
    if (space >= 0) H5Sclose(space);
    if (good) *crc = mms_h5_crc(*crc, piece, now * row_bytes);
  }
  free(piece);
  return status;
}

static mms_status compare(const mms_h5 *again, const mms_h5_written *note, mms_error *error) {
  mms_h5_dataset dataset;
  mms_status status = mms_h5_dataset_open(&dataset, again, note->name, true, error);
  if (status != MMS_OK) return status;
  uint32_t crc = 0;
  status = crc_of_rows(again, note, &dataset, &crc, error);
  mms_h5_dataset_close(&dataset);
  if (status == MMS_OK && crc != note->crc)
    status =
        mms_fail(error, MMS_ERR_SYSTEM, "%s: %s: rows %lld to %lld are not in the file as they were written",
                 again->path, note->name, (long long)note->first_row, (long long)(note->first_row + note->n_local - 1));
  return status;
}

mms_status mms_h5_reread(mms_h5 *file, mms_error *error) {
  mms_h5 *again = NULL;
  mms_status status = mms_h5_open(&again, file->team, file->partial, error);
  if (status == MMS_OK) {
    for (const mms_h5_written *note = file->written; note != NULL && status == MMS_OK; note = note->next)
      if (note->n_local > 0) status = compare(again, note, error);
    status = mms_h5_agree(file, status, error);
    mms_h5_close(&again);
  }
  if (status != MMS_OK) mms_fail_within(error, "reading back before the file gets its name");
  return status == MMS_ERR_INPUT ? MMS_ERR_SYSTEM : status; /* the user did nothing wrong */
}
