/* R. W. Floyd's sampling (J. Bentley, R. Floyd, "A sample of brilliance", CACM 30 (1987) 754): for j = total - size ..
 * total - 1 draw t uniform on 0 .. j and take t, or j where t is taken already. */
#include "mmsold/random/random.h"

#include "mmsold/base/memory.h"
#include <stdbool.h>
#include <stdlib.h>

static int ascending(const void *a, const void *b) {
  int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
  return (x > y) - (x < y);
}

/* Add value + 1 (0 marks an empty slot) to an open-addressing table of 2^bits slots; false if it was there. The
 * multiplier is 2^64 / golden ratio (Knuth, TAOCP 3, 6.4: Fibonacci hashing). */
static bool insert(int64_t *table, int bits, int64_t value) {
  uint64_t mask = (UINT64_C(1) << bits) - 1;
  uint64_t slot = ((uint64_t)value * UINT64_C(0x9E3779B97F4A7C15)) >> (64 - bits);
  for (; table[slot] != 0; slot = (slot + 1) & mask)
    if (table[slot] == value + 1) return false;
  table[slot] = value + 1;
  return true;
}

mms_status mms_random_subset(mms_random_key key, int64_t total, int64_t size, int64_t *chosen, mms_error *error) {
  if (size < 0 || size > total || size > UINT32_MAX)
    return mms_fail(error, MMS_ERR_INTERNAL, "cannot choose a subset of %lld out of %lld", (long long)size,
                    (long long)total);
  if (size == total) {
    for (int64_t i = 0; i < size; i++) chosen[i] = i;
    return MMS_OK;
  }
  int bits = 1;
  while ((INT64_C(1) << bits) < 2 * size) bits++;
  void *memory = NULL;
  mms_status status = mms_allocate(&memory, INT64_C(1) << bits, sizeof(int64_t), "a random subset", error);
  if (status != MMS_OK) return status;
  int64_t *table = memory;
  for (int64_t i = 0; i < size; i++) {
    int64_t j = total - size + i;
    int64_t t = (int64_t)mms_random_index(key, i, (uint64_t)j + 1);
    if (!insert(table, bits, t)) {
      t = j;
      insert(table, bits, j);
    }
    chosen[i] = t;
  }
  free(table);
  qsort(chosen, (size_t)size, sizeof *chosen, ascending);
  return MMS_OK;
}
