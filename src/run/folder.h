/* The output folder: made, checked, locked, set aside. Private to run/. All Local, for rank 0. */
#ifndef RUN_FOLDER_H
#define RUN_FOLDER_H

#include "mmsold/base/status.h"
#include <stdbool.h>
#include <stdint.h>

/* An open output folder. Owns its strings. */
typedef struct mms_folder {
  char *path;
  int lock; /* descriptor of PATH/.lock, −1 when none */
} mms_folder;

/* Could a run write there? Changes nothing. MMS_ERR_INPUT: a file stands there, or the folder is
 * not writable. */
mms_status mms_folder_check(const char *path, mms_error *error);

/* May `path` (NULL: not given) stand in for the output folder at the end? MMS_ERR_INPUT: not there, a file,
 * not writable. */
mms_status mms_folder_check_fallback(const char *path, mms_error *error);

/* Make the folder and its parents where missing. MMS_ERR_INPUT: one of them cannot be made. */
mms_status mms_folder_make(const char *path, mms_error *error);

/* Make the folder (and its parents) where missing, see that files can be made in it, lock it, and remove the
 * unfinished files of a run that was killed while it wrote. The lock is a POSIX record lock: the system drops it when
 * its process ends, however it ends, and NFS and Lustre honour it between nodes. `fresh`: what is there is renamed to
 * PATH.old-N first; *aside (freed with free(), NULL if nothing was there) says where.
 * MMS_ERR_INPUT: a file stands there, it is not writable, or another run works in it. */
mms_status mms_folder_open(mms_folder *folder, const char *path, bool fresh, char **aside, mms_error *error);
void mms_folder_close(mms_folder *folder);

/* The steps of the `checkpoint-STEP.h5` files there, descending; *steps freed with free(). MMS_ERR_INPUT: the folder
 * cannot be opened; MMS_ERR_SYSTEM: not read to its end. */
mms_status mms_folder_checkpoints(const char *path, int64_t **steps, int64_t *count, mms_error *error);

/* A damaged checkpoint becomes `checkpoint-STEP.h5.damaged`, or pruning would count it among the newest and remove a
 * good one for it. False where it cannot be renamed. */
bool mms_folder_put_aside(const char *path, int64_t step);

/* Remove all but `keep` of the checkpoints up to the one of step `newest`, which was just written and is good; later
 * ones are not of this run's making and stay. Failures to remove are not errors. */
void mms_folder_prune(const char *path, int64_t newest, int64_t keep);

/* Is something there? Not to be able to tell is not a no, since what is there would be lost: MMS_ERR_SYSTEM. */
mms_status mms_folder_look(const char *path, bool *there, mms_error *error);

/* Rename PATH, a file or a folder, to the first free PATH.old-N; *aside (freed with free()) says where, NULL where
 * nothing was there. */
mms_status mms_folder_set_aside(const char *path, char **aside, mms_error *error);

#endif
