/* What the processor that runs the program can do, by the names of the sets of kernels compiled for it. */
#ifndef BASE_PROCESSOR_H
#define BASE_PROCESSOR_H

#include <stdbool.h>

#if defined(__x86_64__) && defined(__GNUC__)
/* AVX2 and FMA. */
static inline bool mms_processor_avx2(void) { return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"); }

/* Besides, AVX-512 with its instructions for bytes, words, doubles and short vectors. */
static inline bool mms_processor_avx512(void) {
  return mms_processor_avx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
}
#endif

#endif
