/* Arrays: aligned, counted without overflow, zeroed. */
#ifndef MMSOLD_BASE_MEMORY_H
#define MMSOLD_BASE_MEMORY_H

#include "mmsold/base/status.h"
#include <stddef.h>
#include <stdint.h>

enum { MMS_ALIGNMENT = 64 }; /* one cache line, one AVX-512 register */

/* At the start of a program: from now on memory from 1 MiB on comes from the system piece by piece and goes back to it
 * when it is freed, so that the most a process takes is the same at every run (glibc; elsewhere nothing). Local. */
void mms_memory_begin(void);

/* Zeroed memory for count × size bytes, aligned to MMS_ALIGNMENT, at least one byte; free
 * it with free(). Negative counts, products that overflow and refusals leave *out NULL and
 * return MMS_ERR_MEMORY with `what` named in the message. Local. */
mms_status mms_allocate(void **out, int64_t count, size_t size, const char *what, mms_error *error);

/* The same for doubles, and for floats. */
mms_status mms_allocate_doubles(double **out, int64_t count, const char *what, mms_error *error);
mms_status mms_allocate_floats(float **out, int64_t count, const char *what, mms_error *error);

/* A copy of `text` (NULL gives NULL and MMS_OK), freed with free(). Local. */
mms_status mms_copy_text(char **out, const char *text, mms_error *error);

/* A new string, formatted; freed with free(). Local. */
mms_status mms_format_text(char **out, mms_error *error, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* Narrow a global count to the `int` that MPI, BLAS and LAPACK take; refuses what does not
 * fit (MMS_ERR_INTERNAL), naming `what`. Local. */
mms_status mms_narrow(int *out, int64_t value, const char *what, mms_error *error);

#endif
