/* Signals that ask for something in order. Private to run/.
 *
 * USR1: checkpoint and go on. USR2, TERM, INT: checkpoint and stop; TERM or INT a second time
 * (half a second later or more) ends the process at once. XFSZ, sent where a file would outgrow its limit, is
 * ignored: the write fails instead. A handler only sets a flag (the one piece of global state here: a signal
 * handler has no other place); the flags travel in the step's all-reduce, so a signal to one
 * rank reaches all at the same step.
 *
 * A launcher sends TERM also when another rank has died, and then no all-reduce ever ends. So TERM and INT set a
 * timer as well: a process that does not get on with its work in the time it said it would take ends as by the signal.
 */
#ifndef RUN_SIGNALS_H
#define RUN_SIGNALS_H

#include <stdbool.h>

/* Take the signals over, and give them back as they were, with all requests forgotten. What mms_run_catch_signals
 * has caught before counts. `speaks`: this process says so where its timer ends it. A pair inside another leaves all to
 * the outer one: what was asked for stays asked for. Local. */
void mms_signals_begin(bool speaks);
void mms_signals_end(void);

/* What this process does from now on is over in so many seconds if all ranks live; until it says so for the first
 * time, five. Cheap enough for every step. Local. */
void mms_signals_expect(double seconds);

/* Was a stop asked for? Was a checkpoint asked for since the last call (which forgets it)? */
bool mms_signals_stop(void);
bool mms_signals_take_checkpoint(void);

#endif
