#include "mmsold/base/memory.h"

#include <limits.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

/* Arrays of this size are asked for in huge pages, where the system gives them to those who ask: an index of ten
 * million points is looked up in a fifth less time (tests/bench/README.md). Before they are touched, and whole ones
 * only. */
enum { HUGE_PAGE = 2 << 20, HUGE_FROM = 32 << 20 };

/* Left to itself glibc keeps what was freed once for later, as much as the largest piece so far, and whether that lies
 * at the heap's end and can be given back is chance: 6 of 50 MiB. */
enum { FROM_SYSTEM = 1 << 20 };

void mms_memory_begin(void) {
#ifdef __GLIBC__
  (void)mallopt(M_MMAP_THRESHOLD, FROM_SYSTEM); /* refused, it is as it was */
  (void)mallopt(M_TRIM_THRESHOLD, 2 * FROM_SYSTEM);
#endif
}

static void ask_for_huge_pages(void *memory, size_t bytes) {
#ifdef MADV_HUGEPAGE
  if (bytes < HUGE_FROM) return;
  char *begin = memory;
  const size_t skipped = (HUGE_PAGE - (uintptr_t)memory % HUGE_PAGE) % HUGE_PAGE;
  const size_t whole = (bytes - skipped) / HUGE_PAGE * HUGE_PAGE;
  (void)madvise(begin + skipped, whole, MADV_HUGEPAGE); /* without them it is only slower */
#else
  (void)memory, (void)bytes;
#endif
}

mms_status mms_allocate(void **out, int64_t count, size_t size, const char *what, mms_error *error) {
  *out = NULL;
  if (count < 0 || (size > 0 && (uint64_t)count > (SIZE_MAX - MMS_ALIGNMENT) / size))
    return mms_fail(error, MMS_ERR_MEMORY, "cannot allocate %s: %lld items of %zu bytes is not a possible size", what,
                    (long long)count, size);
  size_t bytes = (size_t)count * size;
  size_t padded = (bytes / MMS_ALIGNMENT + 1) * MMS_ALIGNMENT; /* aligned_alloc wants a multiple */
  *out = aligned_alloc(MMS_ALIGNMENT, padded);
  if (*out == NULL)
    return mms_fail(error, MMS_ERR_MEMORY, "not enough memory for %s: %.3g GiB were refused", what,
                    (double)bytes / (1024.0 * 1024.0 * 1024.0));
  ask_for_huge_pages(*out, padded);
  memset(*out, 0, padded);
  return MMS_OK;
}

mms_status mms_allocate_doubles(double **out, int64_t count, const char *what, mms_error *error) {
  void *memory = NULL;
  mms_status status = mms_allocate(&memory, count, sizeof(double), what, error);
  *out = memory;
  return status;
}

mms_status mms_allocate_floats(float **out, int64_t count, const char *what, mms_error *error) {
  void *memory = NULL;
  mms_status status = mms_allocate(&memory, count, sizeof(float), what, error);
  *out = memory;
  return status;
}

mms_status mms_copy_text(char **out, const char *text, mms_error *error) {
  *out = NULL;
  if (text == NULL) return MMS_OK;
  void *memory = NULL;
  size_t bytes = strlen(text) + 1;
  mms_status status = mms_allocate(&memory, (int64_t)bytes, 1, "a string", error);
  if (status != MMS_OK) return status;
  memcpy(memory, text, bytes);
  *out = memory;
  return MMS_OK;
}

mms_status mms_format_text(char **out, mms_error *error, const char *format, ...) {
  *out = NULL;
  va_list arguments;
  va_start(arguments, format);
  int length = vsnprintf(NULL, 0, format, arguments);
  va_end(arguments);
  if (length < 0) return mms_fail(error, MMS_ERR_INTERNAL, "a message could not be formatted");
  void *memory = NULL;
  mms_status status = mms_allocate(&memory, (int64_t)length + 1, 1, "a string", error);
  if (status != MMS_OK) return status;
  va_start(arguments, format);
  vsnprintf(memory, (size_t)length + 1, format, arguments);
  va_end(arguments);
  *out = memory;
  return MMS_OK;
}

mms_status mms_narrow(int *out, int64_t value, const char *what, mms_error *error) {
  if (value < 0 || value > INT_MAX)
    return mms_fail(error, MMS_ERR_INTERNAL, "%s = %lld does not fit the 32-bit count that MPI and BLAS take", what,
                    (long long)value);
  *out = (int)value;
  return MMS_OK;
}
