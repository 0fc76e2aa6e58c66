#include "run/folder.h"

#include "mmsold/base/memory.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

mms_status mms_folder_make(const char *path, mms_error *error) {
  char *copy = NULL;
  mms_status status = mms_copy_text(&copy, path, error);
  if (status != MMS_OK) return status;
  for (char *slash = copy; status == MMS_OK; slash++) {
    slash += strcspn(slash, "/");
    const char kept = *slash;
    *slash = '\0';
    if (*copy != '\0' && mkdir(copy, 0777) != 0 && errno != EEXIST)
      status = mms_fail(error, MMS_ERR_INPUT, "output.directory: %s: the folder %s cannot be made: %s", path, copy,
                        strerror(errno));
    *slash = kept;
    if (kept == '\0') break;
  }
  free(copy);
  return status;
}

mms_status mms_folder_look(const char *path, bool *there, mms_error *error) {
  struct stat info;
  *there = lstat(path, &info) == 0;
  if (*there || errno == ENOENT || errno == ENOTDIR) return MMS_OK;
  return mms_fail(error, MMS_ERR_SYSTEM, "%s: cannot be looked at: %s", path, strerror(errno));
}

mms_status mms_folder_set_aside(const char *path, char **aside, mms_error *error) {
  *aside = NULL;
  bool there = false;
  mms_status status = mms_folder_look(path, &there, error);
  if (status != MMS_OK || !there) return status;
  for (int n = 1; n < 10000; n++) {
    char *name = NULL;
    status = mms_format_text(&name, error, "%s.old-%d", path, n);
    if (status == MMS_OK) status = mms_folder_look(name, &there, error);
    if (status == MMS_OK && !there) {
      if (rename(path, name) == 0) {
        *aside = name;
        return MMS_OK;
      }
      status = mms_fail(error, MMS_ERR_INPUT, "%s cannot be renamed to %s: %s", path, name, strerror(errno));
    }
    free(name);
    if (status != MMS_OK) return status;
  }
  return mms_fail(error, MMS_ERR_INPUT, "%s.old-1 to %s.old-9999 all exist; remove some", path, path);
}

static mms_status take_lock(mms_folder *folder, mms_error *error) {
  char *name = NULL;
  mms_status status = mms_format_text(&name, error, "%s/.lock", folder->path);
  if (status != MMS_OK) return status;
  folder->lock = open(name, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
  if (folder->lock < 0) {
    status = mms_fail(error, MMS_ERR_INPUT, "output.directory: no file can be made in %s: %s", folder->path,
                      strerror(errno));
  } else {
    struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    if (fcntl(folder->lock, F_SETLK, &whole) != 0 && (errno == EACCES || errno == EAGAIN))
      status =
          mms_fail(error, MMS_ERR_INPUT,
                   "output.directory: another run is working in %s; wait for it, stop it, or choose another folder",
                   folder->path);
    /* A file system without locks (ENOLCK, ENOSYS) is no reason not to run. */
  }
  free(name);
  return status;
}

mms_status mms_folder_check(const char *path, mms_error *error) {
  struct stat info;
  if (stat(path, &info) != 0) {
    if (errno == ENOENT || errno == ENOTDIR) return MMS_OK; /* ENOTDIR is found out when the folders are made */
    return mms_fail(error, MMS_ERR_SYSTEM, "output.directory: %s: cannot be looked at: %s", path, strerror(errno));
  }
  if (!S_ISDIR(info.st_mode))
    return mms_fail(error, MMS_ERR_INPUT, "output.directory: %s is a file; name a folder", path);
  if (access(path, W_OK | X_OK) != 0)
    return mms_fail(error, MMS_ERR_INPUT, "output.directory: no file can be made in %s: %s", path, strerror(errno));
  return MMS_OK;
}

mms_status mms_folder_check_fallback(const char *path, mms_error *error) {
  struct stat info;
  if (path == NULL) return MMS_OK;
  if (stat(path, &info) != 0)
    return mms_fail(error, MMS_ERR_INPUT, "output.fallback: %s: %s; name a folder that is there", path,
                    strerror(errno));
  if (!S_ISDIR(info.st_mode))
    return mms_fail(error, MMS_ERR_INPUT, "output.fallback: %s is a file; name a folder", path);
  if (access(path, W_OK | X_OK) != 0)
    return mms_fail(error, MMS_ERR_INPUT, "output.fallback: no file can be made in %s: %s", path, strerror(errno));
  return MMS_OK;
}

/* A run that was killed while it wrote leaves `NAME.h5.partial`: no use to anybody, and it fills the disk. */
static void sweep(const char *path) {
  DIR *folder = opendir(path);
  if (folder == NULL) return;
  for (const struct dirent *entry = readdir(folder); entry != NULL; entry = readdir(folder)) {
    const char *name = entry->d_name, *end = strstr(name, ".h5.partial");
    const bool ours = strncmp(name, "checkpoint-", 11) == 0 || strncmp(name, "snapshot-", 9) == 0 ||
                      strcmp(name, "samples.h5.partial") == 0;
    if (ours && end != NULL && end[11] == '\0') unlinkat(dirfd(folder), name, 0);
  }
  closedir(folder);
}

mms_status mms_folder_open(mms_folder *folder, const char *path, bool fresh, char **aside, mms_error *error) {
  *folder = (mms_folder){.lock = -1};
  *aside = NULL;
  bool there = false;
  mms_status status = mms_folder_check(path, error);
  if (status == MMS_OK) status = mms_folder_look(path, &there, error);
  if (status == MMS_OK) status = mms_copy_text(&folder->path, path, error);
  if (status == MMS_OK && fresh && there) { /* a folder another run works in is not pulled away */
    status = take_lock(folder, error);
    if (folder->lock >= 0) close(folder->lock);
    folder->lock = -1;
    if (status == MMS_OK && mms_folder_set_aside(path, aside, error) != MMS_OK)
      status = mms_fail_within(error, "--fresh");
  }
  if (status == MMS_OK) status = mms_folder_make(path, error);
  if (status == MMS_OK) status = take_lock(folder, error);
  if (status == MMS_OK) sweep(path);
  if (status != MMS_OK) mms_folder_close(folder);
  return status;
}

void mms_folder_close(mms_folder *folder) {
  if (folder->lock >= 0) close(folder->lock);
  free(folder->path);
  *folder = (mms_folder){.lock = -1};
}

static int descending(const void *a, const void *b) {
  const int64_t left = *(const int64_t *)a, right = *(const int64_t *)b;
  return (left < right) - (left > right);
}

/* The STEP of "checkpoint-STEP.h5", −1 for any other name. */
static int64_t checkpoint_step(const char *name) {
  static const char head[] = "checkpoint-";
  if (strncmp(name, head, sizeof head - 1) != 0) return -1;
  const char *digits = name + sizeof head - 1;
  char *end;
  errno = 0;
  const long long step = strtoll(digits, &end, 10);
  if (*digits < '0' || *digits > '9' || errno != 0 || strcmp(end, ".h5") != 0) return -1;
  return step;
}

mms_status mms_folder_checkpoints(const char *path, int64_t **steps, int64_t *count, mms_error *error) {
  *steps = NULL;
  *count = 0;
  DIR *folder = opendir(path);
  if (folder == NULL)
    return mms_fail(error, MMS_ERR_INPUT, "output.directory: %s cannot be read: %s", path, strerror(errno));
  int64_t capacity = 0;
  mms_status status = MMS_OK;
  for (;;) {
    errno = 0; /* a checkpoint that a failing listing leaves out must not look like no checkpoint */
    const struct dirent *entry = readdir(folder);
    if (entry == NULL && errno != 0)
      status = mms_fail(error, MMS_ERR_SYSTEM, "output.directory: %s cannot be listed: %s", path, strerror(errno));
    if (entry == NULL) break;
    const int64_t step = checkpoint_step(entry->d_name);
    if (step < 0) continue;
    if (*count == capacity) {
      capacity = 2 * capacity + 16;
      int64_t *grown = realloc(*steps, (size_t)capacity * sizeof **steps);
      if (grown == NULL) {
        status = mms_fail(error, MMS_ERR_MEMORY, "not enough memory for the list of checkpoints in %s", path);
        break;
      }
      *steps = grown;
    }
    (*steps)[(*count)++] = step;
  }
  closedir(folder);
  if (status != MMS_OK) {
    free(*steps);
    *steps = NULL;
    *count = 0;
  } else if (*count > 1) {
    qsort(*steps, (size_t)*count, sizeof **steps, descending);
  }
  return status;
}

bool mms_folder_put_aside(const char *path, int64_t step) {
  char *name = NULL, *aside = NULL;
  const bool done = mms_format_text(&name, NULL, "%s/checkpoint-%lld.h5", path, (long long)step) == MMS_OK &&
                    mms_format_text(&aside, NULL, "%s.damaged", name) == MMS_OK && rename(name, aside) == 0;
  free(name);
  free(aside);
  return done;
}

void mms_folder_prune(const char *path, int64_t newest, int64_t keep) {
  int64_t *steps = NULL, count = 0, kept = 0;
  if (mms_folder_checkpoints(path, &steps, &count, NULL) != MMS_OK) return;
  for (int64_t i = 0; i < count; i++) {
    if (steps[i] > newest || kept++ < keep) continue;
    char *name = NULL;
    if (mms_format_text(&name, NULL, "%s/checkpoint-%lld.h5", path, (long long)steps[i]) != MMS_OK) break;
    unlink(name);
    free(name);
  }
  free(steps);
}
