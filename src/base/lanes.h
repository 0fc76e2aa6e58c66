/* Eight doubles at a time for plain code that the compiler does not vectorise well by itself. Where vectors are shorter
 * they are made in pieces; operations are lane by lane, so the bits are the same on all processors (see clones.h). */
#ifndef BASE_LANES_H
#define BASE_LANES_H

enum { MMS_LANES = 8 };

/* Anywhere in memory. Never an argument or a value returned: how those travel depends on the instruction set. */
typedef double mms_lanes __attribute__((vector_size(64), aligned(8), may_alias));

/* What is to be compiled for the instruction set of its caller. */
#define MMS_LANES_INLINE static inline __attribute__((always_inline))

#endif
