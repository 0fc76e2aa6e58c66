#include "mmsold/base/status.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

mms_error mms_error_none(void) { return (mms_error){.status = MMS_OK, .message = ""}; }

mms_status mms_fail(mms_error *error, mms_status status, const char *format, ...) {
  if (error == NULL) return status;
  error->status = status;
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(error->message, sizeof error->message, format, arguments);
  va_end(arguments);
  return status;
}

mms_status mms_fail_within(mms_error *error, const char *format, ...) {
  if (error == NULL) return MMS_ERR_INTERNAL;
  char inner[MMS_MESSAGE_SIZE];
  memcpy(inner, error->message, sizeof inner);
  va_list arguments;
  va_start(arguments, format);
  int used = vsnprintf(error->message, sizeof error->message, format, arguments);
  va_end(arguments);
  if (used < 0) used = 0;
  if ((size_t)used < sizeof error->message)
    snprintf(error->message + used, sizeof error->message - (size_t)used, ": %s", inner);
  return error->status;
}

int mms_exit_code(mms_status status) {
  if (status == MMS_OK || status == MMS_ERR_INPUT || status == MMS_STOPPED) return (int)status;
  return 1;
}
