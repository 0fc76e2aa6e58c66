/* Time for reports and policies; never for anything that changes the arithmetic. */
#ifndef MMSOLD_BASE_CLOCK_H
#define MMSOLD_BASE_CLOCK_H

/* Seconds on a clock that never goes back (origin unspecified). Local. */
double mms_clock_seconds(void);

#endif
