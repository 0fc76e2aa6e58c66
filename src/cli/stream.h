/* stdout as a result that can fail. Private to the program; Local. */
#ifndef CLI_STREAM_H
#define CLI_STREAM_H

#include "mmsold/base/status.h"

/* Once, before anything is opened: a write into a closed pipe becomes an error instead of a signal, and where
 * stdin, stdout or stderr are closed their numbers are taken, so that no file of ours gets them. */
void mms_stream_prepare(void);

/* Flush stdout; MMS_ERR_SYSTEM where anything written to it was lost. */
mms_status mms_stream_finish(mms_error *error);

#endif
