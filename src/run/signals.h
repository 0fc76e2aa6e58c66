/* Signals that ask for something in order. Private to run/.
 *
 * USR1: checkpoint and go on. USR2, TERM, INT: checkpoint and stop; TERM or INT a second time
 * (half a second later or more) ends the process at once. XFSZ, sent where a file would outgrow its limit, is
 * ignored: the write fails instead. A handler only sets a flag (the one piece of global state here: a signal
 * handler has no other place); the flags travel in the step's all-reduce, so a signal to one
 * rank reaches all at the same step. */
#ifndef RUN_SIGNALS_H
#define RUN_SIGNALS_H

#include <stdbool.h>

/* Take the signals over, and give them back as they were. Local; not nested. */
void mms_signals_begin(void);
void mms_signals_end(void);

/* Was a stop asked for? Was a checkpoint asked for since the last call (which forgets it)? */
bool mms_signals_stop(void);
bool mms_signals_take_checkpoint(void);

#endif
