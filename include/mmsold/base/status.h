/* Errors are values: what a failed call returns and how it says why. */
#ifndef MMSOLD_BASE_STATUS_H
#define MMSOLD_BASE_STATUS_H

#include <stddef.h>

/* How a call ended. MMS_OK is zero; every other value is a failure or an early, orderly stop. */
typedef enum mms_status {
  MMS_OK = 0,
  MMS_ERR_INTERNAL = 1, /* a defect of ours, or of a library we stand on */
  MMS_ERR_INPUT = 2,    /* the user's input is wrong: file, key, value, point */
  MMS_ERR_MEMORY = 3,   /* memory was refused */
  MMS_ERR_SYSTEM = 4,   /* the operating system, a file system or MPI refused */
  MMS_ERR_NUMERIC = 5,  /* the numbers went wrong: not finite, not positive definite */
  MMS_STOPPED = 75      /* stopped in order before the end; the same command goes on */
} mms_status;

enum { MMS_MESSAGE_SIZE = 2048 };

/* Why a call failed. Owned by the caller, written only on failure. `message` is one
 * sentence or two: what, where (file, key, line, dataset), the value seen, what to do. */
typedef struct mms_error {
  mms_status status;
  char message[MMS_MESSAGE_SIZE];
} mms_error;

/* An error that holds nothing yet. Local. */
mms_error mms_error_none(void);

/* Record `status` and a formatted message in `error` (which may be NULL) and return
 * `status`, so that a failing function ends with `return mms_fail(...)`. Local. */
mms_status mms_fail(mms_error *error, mms_status status, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* Put a formatted context and ": " before the message already in `error`; returns
 * error->status. For a caller that knows the file or key its callee did not. Local. */
mms_status mms_fail_within(mms_error *error, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The exit status of the program for `status`: 0, 2, 75, or 1 for anything else. Local. */
int mms_exit_code(mms_status status);

#endif
