#include "mmsold/base/log.h"

#include <stdarg.h>
#include <unistd.h>

mms_log mms_log_to_stderr(mms_log_level level, bool speaks) {
  return (mms_log){.level = level, .speaks = speaks, .terminal = isatty(STDERR_FILENO) == 1, .stream = stderr};
}

/* One line: ends an open progress line first, so that nothing is written over it. */
static void say(mms_log *log, const char *mark, const char *format, va_list arguments) {
  if (log->line_open) fputc('\n', log->stream);
  log->line_open = false;
  fputs(mark, log->stream);
  vfprintf(log->stream, format, arguments);
  fputc('\n', log->stream);
  fflush(log->stream);
}

void mms_log_info(mms_log *log, const char *format, ...) {
  if (log == NULL || !log->speaks || log->level < MMS_LOG_NORMAL) return;
  va_list arguments;
  va_start(arguments, format);
  say(log, "", format, arguments);
  va_end(arguments);
}

void mms_log_detail(mms_log *log, const char *format, ...) {
  if (log == NULL || !log->speaks || log->level < MMS_LOG_VERBOSE) return;
  va_list arguments;
  va_start(arguments, format);
  say(log, "", format, arguments);
  va_end(arguments);
}

void mms_log_warn(mms_log *log, const char *format, ...) {
  if (log == NULL || !log->speaks) return;
  va_list arguments;
  va_start(arguments, format);
  say(log, "mmsold: warning: ", format, arguments);
  va_end(arguments);
}

void mms_log_error(mms_log *log, const char *format, ...) {
  if (log == NULL || !log->speaks) return;
  va_list arguments;
  va_start(arguments, format);
  say(log, "mmsold: error: ", format, arguments);
  va_end(arguments);
}

void mms_log_progress(mms_log *log, const char *format, ...) {
  if (log == NULL || !log->speaks || log->level < MMS_LOG_NORMAL) return;
  va_list arguments;
  va_start(arguments, format);
  if (log->terminal) fputs("\r\033[K", log->stream);
  vfprintf(log->stream, format, arguments);
  if (log->terminal)
    log->line_open = true;
  else
    fputc('\n', log->stream);
  fflush(log->stream);
  va_end(arguments);
}
