/* Picture files: the checks, names and moves that sheets and charts share. Private. */
#ifndef PICTURE_FILE_H
#define PICTURE_FILE_H

#include "mmsold/base/status.h"
#include <stdio.h>

/* Does `path` end in `suffix` (case does not matter) with a name before it? Local. */
int mms_picture_has_suffix(const char *path, const char *suffix);

/* Refuse a path that cannot become a picture, before any work: no folder there, the path is a folder. Local. */
mms_status mms_picture_check_path(const char *path, mms_error *error);

/* `text` (NULL: none) between `quote`s, which are doubled inside it as RFC 4180 and gnuplot have it; line ends and
 * other controls become spaces. Local. */
void mms_picture_put_quoted(FILE *file, const char *text, char quote);

/* Close what was written; MMS_ERR_SYSTEM with `path` where anything of it failed. Local. */
mms_status mms_picture_finish(FILE *file, const char *path, mms_error *error);

/* Give the finished temporary file its final name; the temporary one is removed where that fails. Local. */
mms_status mms_picture_rename(const char *temporary, const char *path, mms_error *error);

#endif
