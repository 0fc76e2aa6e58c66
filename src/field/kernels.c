#include "field/kernels.h"

#include "base/processor.h"
#include "mmsold/field/field.h"
#include <stdlib.h>
#include <string.h>
#ifdef MMS_KERNELS_AMX
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

extern const mms_field_kernel_table mms_field_kernels_portable;
#ifdef MMS_KERNELS_X86
extern const mms_field_kernel_table mms_field_kernels_avx2;
extern const mms_field_kernel_table mms_field_kernels_avx512;
#endif
#ifdef MMS_KERNELS_AMX
extern const mms_field_kernel_table mms_field_kernels_amx;

/* The processor has tiles and their bfloat16 products (CPUID 7: EDX bits 24 and 22), the system saves the registers
 * (XCR0 bits 17 and 18), and grants this process their state (arch_prctl(2), ARCH_REQ_XCOMP_PERM, of the feature
 * XTILEDATA: Linux 5.16 on; it may be asked for again and again). */
static bool tiles_granted(void) {
  const long REQUEST = 0x1023, TILE_DATA = 18;
  const unsigned TILES = 1U << 24 | 1U << 22, OS_SAVES = 1U << 27, STATE = 1U << 17 | 1U << 18;
  unsigned a, b, c, d, low, high;
  if (__get_cpuid(1, &a, &b, &c, &d) == 0 || (c & OS_SAVES) == 0) return false;
  if (__get_cpuid_count(7, 0, &a, &b, &c, &d) == 0 || (d & TILES) != TILES) return false;
  __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return (low & STATE) == STATE && syscall(SYS_arch_prctl, REQUEST, TILE_DATA) == 0;
}
#endif

const mms_field_kernel_table *mms_field_kernels_named(const char *name) {
#ifdef MMS_KERNELS_X86
  const bool avx512 = mms_processor_avx512();
#ifdef MMS_KERNELS_AMX
  if (avx512 && strcmp(name, "amx") == 0 && tiles_granted()) return &mms_field_kernels_amx;
#endif
  if (avx512 && strcmp(name, "avx512") == 0) return &mms_field_kernels_avx512;
  if (strcmp(name, "avx2") == 0 && mms_processor_avx2()) return &mms_field_kernels_avx2;
#endif
  return strcmp(name, "portable") == 0 ? &mms_field_kernels_portable : NULL;
}

const mms_field_kernel_table *mms_field_kernels_best(void) {
  static const char *const sets[] = {"amx", "avx512", "avx2", "portable"};
  const char *forced = getenv("MMSOLD_KERNELS");
  const mms_field_kernel_table *table = forced == NULL ? NULL : mms_field_kernels_named(forced);
  for (size_t i = 0; table == NULL && i < sizeof sets / sizeof sets[0]; i++) table = mms_field_kernels_named(sets[i]);
  return table;
}

const char *mms_field_kernels(void) { return mms_field_kernels_best()->name; }
