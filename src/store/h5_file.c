#include "mmsold/base/memory.h"
#include "parallel/team_mpi.h"
#include "store/digest.h"
#include "store/files.h"
#include "store/h5_internal.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* HDF5's stack is walked for its innermost reason and otherwise kept from printing. */
static void silence(void) { H5Eset_auto2(H5E_DEFAULT, NULL, NULL); }

typedef struct reason {
  char text[256];
} reason;

static herr_t keep_reason(unsigned n, const H5E_error2_t *entry, void *context) {
  reason *kept = context;
  (void)n;
  if (entry->desc != NULL) snprintf(kept->text, sizeof kept->text, "%s", entry->desc);
  return 0;
}

mms_status mms_h5_fail(const mms_h5 *file, const char *name, const char *what, mms_error *error) {
  reason kept = {""};
  H5Ewalk2(H5E_DEFAULT, H5E_WALK_DOWNWARD, keep_reason, &kept); /* downward: the last one seen is the innermost */
  mms_status status = file->writing ? MMS_ERR_SYSTEM : MMS_ERR_INPUT;
  return mms_fail(error, status, "%s%s%s: %s%s%s%s", file->path, name != NULL ? ": " : "", name != NULL ? name : "",
                  what, kept.text[0] != '\0' ? " (HDF5: " : "", kept.text, kept.text[0] != '\0' ? ")" : "");
}

mms_status mms_h5_agree(const mms_h5 *file, mms_status mine, mms_error *error) {
  return file->team == NULL ? mine : mms_team_agree(file->team, mine, error);
}

bool mms_h5_all(const mms_h5 *file, bool good) {
  return mms_h5_agree(file, good ? MMS_OK : MMS_ERR_SYSTEM, NULL) == MMS_OK;
}

bool mms_h5_leads(const mms_h5 *file) { return file->team == NULL || mms_team_rank(file->team) == 0; }

const char *mms_h5_library_version(void) {
  /* The headers' version; HDF5 checks at start that the library's is the same. */
#define AS_TEXT(x) #x
#define VERSION(major, minor, release) AS_TEXT(major) "." AS_TEXT(minor) "." AS_TEXT(release)
  return VERSION(H5_VERS_MAJOR, H5_VERS_MINOR, H5_VERS_RELEASE);
#undef VERSION
#undef AS_TEXT
}

/* File access: MPI with a team, plain otherwise. No locks: a file is only ever written under a temporary name, and
 * many cluster file systems have none. Negative where HDF5 refuses. Collective. */
static hid_t access_list(const mms_team *team) {
  const mms_h5 alone = {.team = team};
  hid_t list = H5Pcreate(H5P_FILE_ACCESS);
  bool good = list >= 0 && H5Pset_file_locking(list, 0, 1) >= 0 && H5Pset_fclose_degree(list, H5F_CLOSE_STRONG) >= 0 &&
              H5Pset_libver_bounds(list, H5F_LIBVER_V18, H5F_LIBVER_LATEST) >= 0;
  good = mms_h5_all(&alone, good);
  if (good && team != NULL) /* HDF5 duplicates the communicator, which all ranks do together */
    good = H5Pset_fapl_mpio(list, mms_team_communicator(team), MPI_INFO_NULL) >= 0;
  if (good) return list;
  if (list >= 0) H5Pclose(list);
  return -1;
}

static void forget(mms_h5 **file) {
  mms_h5_forget_written(*file);
  free((*file)->path);
  free((*file)->partial);
  free(*file);
  *file = NULL;
}

static mms_status new_file(mms_h5 **file, const mms_team *team, const char *path, bool writing, mms_error *error) {
  void *memory = NULL;
  mms_status status = mms_allocate(&memory, 1, sizeof(mms_h5), "an open HDF5 file", error);
  if (status != MMS_OK) return status;
  *file = memory;
  **file = (mms_h5){.id = -1, .team = team, .writing = writing};
  status = mms_copy_text(&(*file)->path, path, error);
  if (status == MMS_OK && writing) status = mms_format_text(&(*file)->partial, error, "%s.partial", path);
  return status;
}

/* On rank 0, before any rank opens: is there a place to write, and is it free of an old attempt? */
static mms_status clear_target(const mms_h5 *file, mms_error *error) {
  mms_status status = mms_file_check_target(file->path, error);
  if (status != MMS_OK) return status;
  if (unlink(file->partial) == 0 || errno == ENOENT) return MMS_OK;
  return mms_fail(error, MMS_ERR_INPUT, "%s: is in the way and cannot be removed: %s", file->partial, strerror(errno));
}

mms_status mms_h5_create(mms_h5 **file, const mms_team *team, const char *path, mms_error *error) {
  silence();
  *file = NULL;
  mms_h5 alone = {.team = team};
  mms_status status = new_file(file, team, path, true, error);
  if (status == MMS_OK && mms_h5_leads(&alone)) {
    status = clear_target(*file, error);
    if (status == MMS_OK) status = mms_h5_begin_file(*file, error);
  }
  status = mms_h5_agree(&alone, status, error);
  if (status == MMS_OK) {
    hid_t access = access_list(team);
    status =
        mms_h5_agree(&alone, access < 0 ? mms_h5_fail(*file, NULL, "the file cannot be made", error) : MMS_OK, error);
    if (status == MMS_OK) {
      (*file)->id = H5Fopen((*file)->partial, H5F_ACC_RDWR, access);
      if ((*file)->id < 0) status = mms_h5_fail(*file, NULL, "the file cannot be made", error);
      status = mms_h5_agree(&alone, status, error);
    }
    if (access >= 0) H5Pclose(access);
  }
  if (status != MMS_OK && *file != NULL) {
    if ((*file)->partial != NULL && mms_h5_leads(&alone)) unlink((*file)->partial); /* what was begun is no use */
    forget(file);
  }
  return status;
}

/* Tried by one rank with plain reads, so that what is wrong with the file is found out and said once. With a team only
 * tried; alone this is the opening. */
static mms_status try_open(mms_h5 *file, mms_error *error) {
  mms_status status = mms_file_size(file->path, &file->bytes, error);
  if (status != MMS_OK) return status;
  if (file->bytes == 0) return mms_fail(error, MMS_ERR_INPUT, "%s: is empty (0 bytes)", file->path);
  if (H5Fis_hdf5(file->path) <= 0)
    return mms_fail(error, MMS_ERR_INPUT, "%s: is not an HDF5 file (%lld bytes, no HDF5 signature)", file->path,
                    (long long)file->bytes);
  hid_t access = access_list(NULL);
  hid_t id = access < 0 ? -1 : H5Fopen(file->path, H5F_ACC_RDONLY, access);
  if (id < 0)
    status = mms_h5_fail(file, NULL, "is an HDF5 file but cut short, damaged or never closed; make it again", error);
  if (id >= 0 && file->team != NULL) H5Fclose(id);
  if (file->team == NULL) file->id = id;
  if (access >= 0) H5Pclose(access);
  return status;
}

mms_status mms_h5_open(mms_h5 **file, const mms_team *team, const char *path, mms_error *error) {
  silence();
  *file = NULL;
  mms_h5 alone = {.team = team};
  mms_status status = new_file(file, team, path, false, error);
  if (status == MMS_OK && mms_h5_leads(&alone)) status = try_open(*file, error);
  status = mms_h5_agree(&alone, status, error);
  if (status == MMS_OK && team != NULL)
    status = mms_h5_agree(&alone, mms_file_size(path, &(*file)->bytes, error), error);
  if (status == MMS_OK && team != NULL) {
    hid_t access = access_list(team);
    if (mms_h5_all(&alone, access >= 0)) (*file)->id = H5Fopen(path, H5F_ACC_RDONLY, access);
    if ((*file)->id < 0) status = mms_h5_fail(*file, NULL, "cannot be opened", error);
    if (access >= 0) H5Pclose(access);
    status = mms_h5_agree(&alone, status, error);
  }
  if (status != MMS_OK && *file != NULL) forget(file);
  return status;
}

mms_status mms_h5_commit(mms_h5 **file, mms_error *error) {
  mms_h5 *done = *file;
  mms_status status = MMS_OK;
  /* The flush makes every rank's MPI file system client write out before rank 0 syncs and renames. */
  if (H5Fflush(done->id, H5F_SCOPE_GLOBAL) < 0) status = mms_h5_fail(done, NULL, "could not be written out", error);
  if (H5Fclose(done->id) < 0 && status == MMS_OK) status = mms_h5_fail(done, NULL, "could not be closed", error);
  status = mms_h5_agree(done, status, error);
  if (status == MMS_OK) status = mms_h5_agree(done, mms_h5_leads(done) ? mms_h5_trim(done, error) : MMS_OK, error);
  if (status == MMS_OK) status = mms_digest_append(done->team, done->partial, error);
  if (status == MMS_OK) status = mms_h5_reread(done, error);
  if (mms_h5_leads(done)) {
    if (status == MMS_OK) status = mms_file_publish(done->partial, done->path, error);
    if (status != MMS_OK) unlink(done->partial);
  }
  status = mms_h5_agree(done, status, error);
  forget(file);
  return status;
}

mms_status mms_h5_check_digest(const mms_team *team, const char *path, mms_error *error) {
  return mms_digest_check(team, path, error);
}

void mms_h5_close(mms_h5 **file) {
  if (*file == NULL) return;
  if ((*file)->id >= 0) H5Fclose((*file)->id);
  if ((*file)->writing && mms_h5_leads(*file)) unlink((*file)->partial);
  forget(file);
}
