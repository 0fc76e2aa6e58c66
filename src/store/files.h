/* What every reader and writer of files needs to say and do in the same words. Private. */
#ifndef STORE_FILES_H
#define STORE_FILES_H

#include "mmsold/base/status.h"
#include <stdint.h>

/* The size of the regular file `path`. MMS_ERR_INPUT: missing, a folder, not a regular file, not readable. Local. */
mms_status mms_file_size(const char *path, int64_t *bytes, mms_error *error);

/* May a new file be made at `path`? Refuses a missing or unwritable parent folder and a `path` that is a
 * folder (MMS_ERR_INPUT). Local. */
mms_status mms_file_check_target(const char *path, mms_error *error);

/* `partial`, complete and closed, becomes `path`: fsync, rename, fsync of the folder. Local. */
mms_status mms_file_publish(const char *partial, const char *path, mms_error *error);

#endif
