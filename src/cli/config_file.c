/* A configuration out of a file: read once, parsed alike on every rank. */
#include "cli/config.h"

#include "mmsold/base/memory.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { MOST_BYTES = 1 << 20 }; /* a configuration is a page of text, not a megabyte */

/* The whole file as text; a NUL inside is refused, since it would hide what follows. Local. */
static mms_status read_text(const char *path, char **text, mms_error *error) {
  struct stat about;
  FILE *file = NULL;
  *text = NULL;
  if (stat(path, &about) != 0 || (S_ISDIR(about.st_mode) && (errno = EISDIR) != 0) ||
      (file = fopen(path, "rb")) == NULL)
    return mms_fail(error, MMS_ERR_INPUT, "%s: the configuration cannot be read: %s", path, strerror(errno));
  void *memory = NULL;
  mms_status status = mms_allocate(&memory, MOST_BYTES + 2, 1, "the configuration's text", error);
  if (status == MMS_OK) {
    size_t length = fread(memory, 1, MOST_BYTES + 1, file);
    if (ferror(file))
      status = mms_fail(error, MMS_ERR_INPUT, "%s: the configuration cannot be read: %s", path, strerror(errno));
    else if (length > MOST_BYTES)
      status = mms_fail(error, MMS_ERR_INPUT, "%s: more than %d bytes: this is no configuration", path, MOST_BYTES);
    else if (memchr(memory, 0, length) != NULL)
      status = mms_fail(error, MMS_ERR_INPUT, "%s: holds a zero byte: this is no text", path);
  }
  fclose(file);
  if (status == MMS_OK)
    *text = memory;
  else
    free(memory);
  return status;
}

mms_status mms_config_read(mms_config *config, const mms_team *team, const char *path, const char *const *overrides,
                           int override_count, unsigned needs, mms_error *error) {
  char *text = NULL;
  *config = (mms_config){.name = NULL};
  mms_status status = mms_team_rank(team) == 0 ? read_text(path, &text, error) : MMS_OK;
  status = mms_team_agree(team, status, error);
  if (status == MMS_OK) status = mms_team_broadcast_text(team, &text, 0, error);
  if (status == MMS_OK) {
    status = mms_config_parse(config, text, path, overrides, override_count, needs, error);
    status = mms_team_agree(team, status, error);
    if (status != MMS_OK) mms_config_free(config);
  }
  free(text);
  return status;
}
