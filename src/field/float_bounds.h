/* Floats certainly below and above one, without a call: what sums and bounds in single precision are rounded out to. */
#ifndef FIELD_FLOAT_BOUNDS_H
#define FIELD_FLOAT_BOUNDS_H

#include <float.h>
#include <math.h>

/* A finite x in [2^e, 2^(e+1)) has steps of 2^(e−23) <= |x| 2^-23 < 2^(e−22): one or two of them are taken off, or put
 * on. The smallest normal number does where that product underflows. */
static inline float mms_float_below(float x) { return x - (fabsf(x) * 0x1p-23F + FLT_MIN); }
static inline float mms_float_above(float x) { return x + (fabsf(x) * 0x1p-23F + FLT_MIN); }

#endif
