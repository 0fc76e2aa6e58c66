/* R. W. Floyd's sampling (J. Bentley, R. Floyd, "A sample of brilliance", CACM 30 (1987) 754): for j = total - size ..
 * total - 1 draw t uniform on 0 .. j and take t, or j where t is taken already. */
#include "mmsold/random/random.h"

#include "mmsold/base/memory.h"
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

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

static int64_t bucket_of(int64_t value, double buckets, int64_t size) {
  int64_t bucket = (int64_t)((double)value * buckets);
  return bucket < size ? bucket : size - 1;
}

static int table_bits(int64_t size) {
  int bits = 1;
  while ((INT64_C(1) << bits) <= 2 * size) bits++; /* at least 2 size + 1 */
  return bits;
}

int64_t mms_random_subset_room(int64_t size) { return INT64_C(1) << table_bits(size); }

/* Ascending. Distinct values spread evenly over 0 .. total - 1: dealt into `size` buckets of equal width they are in
 * order but for neighbours, one to a bucket on average, so that both passes take O(size). room: [2 size + 1]. */
static void sort_spread(int64_t *values, int64_t size, int64_t total, int64_t *room) {
  int64_t *first = room, *dealt = room + size + 1;
  const double buckets = (double)size / (double)total; /* rounding is monotonic, so is the bucket in the value */
  memset(first, 0, (size_t)(size + 1) * sizeof *first);
  for (int64_t i = 0; i < size; i++) first[bucket_of(values[i], buckets, size) + 1]++;
  for (int64_t b = 0; b < size; b++) first[b + 1] += first[b];
  for (int64_t i = 0; i < size; i++) dealt[first[bucket_of(values[i], buckets, size)]++] = values[i];
  for (int64_t i = 0; i < size; i++) {
    int64_t at = i;
    for (; at > 0 && values[at - 1] > dealt[i]; at--) values[at] = values[at - 1];
    values[at] = dealt[i];
  }
}

void mms_random_subset_in(mms_random_key key, int64_t total, int64_t size, int64_t *chosen, int64_t *room) {
  if (size == total) {
    for (int64_t i = 0; i < size; i++) chosen[i] = i;
    return;
  }
  int bits = table_bits(size);
  memset(room, 0, ((size_t)1 << bits) * sizeof *room);
  for (int64_t i = 0; i < size; i++) {
    int64_t j = total - size + i;
    int64_t t = (int64_t)mms_random_index(key, i, (uint64_t)j + 1);
    if (!insert(room, bits, t)) {
      t = j;
      insert(room, bits, j);
    }
    chosen[i] = t;
  }
  sort_spread(chosen, size, total, room);
}

mms_status mms_random_subset(mms_random_key key, int64_t total, int64_t size, int64_t *chosen, mms_error *error) {
  if (size < 0 || size > total || size > UINT32_MAX)
    return mms_fail(error, MMS_ERR_INTERNAL, "cannot choose a subset of %lld out of %lld", (long long)size,
                    (long long)total);
  void *room = NULL;
  if (size < total) {
    mms_status status = mms_allocate(&room, mms_random_subset_room(size), sizeof(int64_t), "a random subset", error);
    if (status != MMS_OK) return status;
  }
  mms_random_subset_in(key, total, size, chosen, room);
  free(room);
  return MMS_OK;
}
