#include "store/files.h"

#include "mmsold/base/memory.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

mms_status mms_file_size(const char *path, int64_t *bytes, mms_error *error) {
  *bytes = 0;
  struct stat about;
  if (path == NULL || path[0] == '\0') return mms_fail(error, MMS_ERR_INPUT, "the name of the file is empty");
  if (stat(path, &about) != 0) {
    if (errno == ENOENT || errno == ENOTDIR)
      return mms_fail(error, MMS_ERR_INPUT, "%s: no such file, seen from the current folder", path);
    return mms_fail(error, MMS_ERR_INPUT, "%s: cannot be looked at: %s", path, strerror(errno));
  }
  if (S_ISDIR(about.st_mode)) return mms_fail(error, MMS_ERR_INPUT, "%s: is a folder; name a file in it", path);
  if (!S_ISREG(about.st_mode)) return mms_fail(error, MMS_ERR_INPUT, "%s: is not a regular file", path);
  if (access(path, R_OK) != 0) return mms_fail(error, MMS_ERR_INPUT, "%s: cannot be read: %s", path, strerror(errno));
  *bytes = (int64_t)about.st_size;
  return MMS_OK;
}

/* The folder that `path` lies in, "." for a bare name. */
static mms_status folder_of(char **folder, const char *path, mms_error *error) {
  mms_status status = mms_copy_text(folder, path, error);
  if (status != MMS_OK) return status;
  char *slash = strrchr(*folder, '/');
  if (slash != NULL) {
    slash[slash == *folder ? 1 : 0] = '\0'; /* "/name" lies in "/" */
    return MMS_OK;
  }
  free(*folder);
  return mms_copy_text(folder, ".", error);
}

mms_status mms_file_check_target(const char *path, mms_error *error) {
  if (path == NULL || path[0] == '\0') return mms_fail(error, MMS_ERR_INPUT, "the name of the file to write is empty");
  struct stat about;
  if (stat(path, &about) == 0 && S_ISDIR(about.st_mode))
    return mms_fail(error, MMS_ERR_INPUT, "%s: is a folder; a file was to be written there", path);
  char *folder = NULL;
  mms_status status = folder_of(&folder, path, error);
  if (status != MMS_OK) return status;
  if (stat(folder, &about) != 0)
    status = mms_fail(error, MMS_ERR_INPUT, "%s: cannot be written: its folder %s: %s", path, folder, strerror(errno));
  else if (!S_ISDIR(about.st_mode))
    status = mms_fail(error, MMS_ERR_INPUT, "%s: cannot be written: %s is not a folder", path, folder);
  else if (access(folder, W_OK | X_OK) != 0)
    status = mms_fail(error, MMS_ERR_INPUT, "%s: cannot be written: its folder %s: %s", path, folder, strerror(errno));
  free(folder);
  return status;
}

static mms_status sync_path(const char *path, int flags, mms_error *error) {
  int descriptor = open(path, flags);
  if (descriptor < 0) return mms_fail(error, MMS_ERR_SYSTEM, "%s: cannot be opened: %s", path, strerror(errno));
  int failed = fsync(descriptor);
  int reason = errno;
  close(descriptor);
  /* Some file systems cannot sync a folder (EINVAL); the rename is then as safe as they make it. */
  if (failed != 0 && !((flags & O_DIRECTORY) && reason == EINVAL))
    return mms_fail(error, MMS_ERR_SYSTEM, "%s: could not be brought to the disk: %s", path, strerror(reason));
  return MMS_OK;
}

mms_status mms_file_publish(const char *partial, const char *path, mms_error *error) {
  mms_status status = sync_path(partial, O_RDWR, error);
  if (status != MMS_OK) return status;
  if (rename(partial, path) != 0)
    return mms_fail(error, MMS_ERR_SYSTEM, "%s: cannot be renamed to %s: %s", partial, path, strerror(errno));
  char *folder = NULL;
  status = folder_of(&folder, path, error);
  if (status == MMS_OK) status = sync_path(folder, O_RDONLY | O_DIRECTORY, error);
  free(folder);
  return status;
}
