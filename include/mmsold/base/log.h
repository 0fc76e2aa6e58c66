/* Messages to people, on stderr, from one rank. */
#ifndef MMSOLD_BASE_LOG_H
#define MMSOLD_BASE_LOG_H

#include <stdbool.h>
#include <stdio.h>

typedef enum mms_log_level { MMS_LOG_QUIET = 0, MMS_LOG_NORMAL = 1, MMS_LOG_VERBOSE = 2 } mms_log_level;

/* Where messages go. `speaks` is true on one rank only; the others stay silent. A NULL
 * `mms_log *` is accepted everywhere and says nothing. */
typedef struct mms_log {
  mms_log_level level;
  bool speaks;
  bool terminal;  /* `stream` is a terminal: a progress line may be redrawn in place */
  bool line_open; /* a progress line stands unfinished on the terminal */
  FILE *stream;
} mms_log;

/* A log on stderr. Local. */
mms_log mms_log_to_stderr(mms_log_level level, bool speaks);

/* Say one line (the newline is added; flushed). `info` is silent when quiet, `detail`
 * speaks only when verbose, `warn` and `error` always speak and are marked. Local. */
void mms_log_info(mms_log *log, const char *format, ...) __attribute__((format(printf, 2, 3)));
void mms_log_detail(mms_log *log, const char *format, ...) __attribute__((format(printf, 2, 3)));
void mms_log_warn(mms_log *log, const char *format, ...) __attribute__((format(printf, 2, 3)));
void mms_log_error(mms_log *log, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Redraw the progress line on a terminal, or write it as a line in a log file; the caller
 * decides how often. Silent when quiet. Local. */
void mms_log_progress(mms_log *log, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
