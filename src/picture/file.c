#include "picture/file.h"

#include "mmsold/base/memory.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

int mms_picture_has_suffix(const char *path, const char *suffix) {
  size_t length = strlen(path), tail = strlen(suffix);
  return length > tail && path[length - tail - 1] != '/' && strcasecmp(path + length - tail, suffix) == 0;
}

mms_status mms_picture_check_path(const char *path, mms_error *error) {
  struct stat found;
  if (stat(path, &found) == 0 && S_ISDIR(found.st_mode))
    return mms_fail(error, MMS_ERR_INPUT, "%s is a folder; give the picture a file name", path);
  const char *slash = strrchr(path, '/');
  if (slash == NULL || slash == path) return MMS_OK;
  char *folder = NULL;
  mms_status status = mms_copy_text(&folder, path, error);
  if (status != MMS_OK) return status;
  folder[slash - path] = '\0';
  if (stat(folder, &found) != 0 || !S_ISDIR(found.st_mode))
    status = mms_fail(error, MMS_ERR_INPUT, "cannot write %s: there is no folder %s; make it first", path, folder);
  free(folder);
  return status;
}

void mms_picture_put_quoted(FILE *file, const char *text, char quote) {
  fputc(quote, file);
  for (const char *c = text == NULL ? "" : text; *c != '\0'; c++) {
    if (*c == quote) fputc(quote, file);
    fputc((unsigned char)*c < 0x20 ? ' ' : *c, file);
  }
  fputc(quote, file);
}

mms_status mms_picture_finish(FILE *file, const char *path, mms_error *error) {
  int failed = ferror(file);
  if (fclose(file) != 0 || failed != 0)
    return mms_fail(error, MMS_ERR_SYSTEM, "cannot write %s: %s", path, strerror(errno));
  return MMS_OK;
}

mms_status mms_picture_rename(const char *temporary, const char *path, mms_error *error) {
  if (rename(temporary, path) == 0) return MMS_OK;
  int reason = errno;
  unlink(temporary);
  return mms_fail(error, MMS_ERR_SYSTEM, "cannot give the finished picture the name %s: %s", path, strerror(reason));
}
