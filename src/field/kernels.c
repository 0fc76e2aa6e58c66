#include "field/kernels.h"

#include "mmsold/field/field.h"
#include <stdlib.h>
#include <string.h>

extern const mms_field_kernel_table mms_field_kernels_portable;
#ifdef MMS_KERNELS_X86
extern const mms_field_kernel_table mms_field_kernels_avx2;
extern const mms_field_kernel_table mms_field_kernels_avx512;
#endif

const mms_field_kernel_table *mms_field_kernels_named(const char *name) {
#ifdef MMS_KERNELS_X86
  bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  bool avx512 = avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
  if (avx512 && strcmp(name, "avx512") == 0) return &mms_field_kernels_avx512;
  if (avx2 && strcmp(name, "avx2") == 0) return &mms_field_kernels_avx2;
#endif
  return strcmp(name, "portable") == 0 ? &mms_field_kernels_portable : NULL;
}

const mms_field_kernel_table *mms_field_kernels_best(void) {
  const char *forced = getenv("MMSOLD_KERNELS");
  const mms_field_kernel_table *table = forced == NULL ? NULL : mms_field_kernels_named(forced);
  if (table == NULL) table = mms_field_kernels_named("avx512");
  if (table == NULL) table = mms_field_kernels_named("avx2");
  if (table == NULL) table = mms_field_kernels_named("portable");
  return table;
}

const char *mms_field_kernels(void) { return mms_field_kernels_best()->name; }
