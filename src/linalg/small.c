#include "linalg/small.h"

#include "base/processor.h"
#include <stddef.h>
#include <string.h>

extern const mms_small_kernels mms_small_kernels_portable;
#ifdef MMS_KERNELS_X86
extern const mms_small_kernels mms_small_kernels_avx2;
extern const mms_small_kernels mms_small_kernels_avx512;
#endif

const mms_small_kernels *mms_small_kernels_named(const char *name) {
#ifdef MMS_KERNELS_X86
  if (strcmp(name, "avx512") == 0 && mms_processor_avx512()) return &mms_small_kernels_avx512;
  if (strcmp(name, "avx2") == 0 && mms_processor_avx2()) return &mms_small_kernels_avx2;
#endif
  return strcmp(name, "portable") == 0 ? &mms_small_kernels_portable : NULL;
}

static const mms_small_kernels *best(void) {
  static const char *const sets[] = {"avx512", "avx2", "portable"};
  const mms_small_kernels *found = NULL;
  for (size_t i = 0; found == NULL && i < sizeof sets / sizeof sets[0]; i++) found = mms_small_kernels_named(sets[i]);
  return found;
}

int mms_small_cholesky(int n, int width, double *a) { return best()->cholesky(n, width, a); }

void mms_small_invert_upper(int n, int width, double *r) { best()->invert_upper(n, width, r); }
