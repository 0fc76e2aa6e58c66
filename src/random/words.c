/* Philox4x32-10: J. K. Salmon, M. A. Moraes, R. O. Dror, D. E. Shaw, "Parallel random numbers: as easy as 1, 2, 3",
 * SC'11, section 3.3. A round maps (x0, x1, x2, x3) with key (k0, k1) to
 *   (hi(M1 x2) ^ x1 ^ k0, lo(M1 x2), hi(M0 x0) ^ x3 ^ k1, lo(M0 x0))
 * and the key grows by (W0, W1) between rounds. The constants are those of Random123's philox.h. */
#include "random/kernels.h"

/* Where each lane's counter differs from its neighbours'. */
typedef struct lanes {
  uint32_t group[MMS_RANDOM_BATCH];     /* c0 */
  uint32_t item_low[MMS_RANDOM_BATCH];  /* c2 */
  uint32_t item_high[MMS_RANDOM_BATCH]; /* bits 32..47, in the place c3 has for them */
} lanes;

MMS_RANDOM_CLONES
static void ten_rounds(mms_random_key key, const lanes *from, int groups, mms_random_words *words) {
  const uint32_t m0 = 0xD2511F53, m1 = 0xCD9E8D57, w0 = 0x9E3779B9, w1 = 0xBB67AE85;
  const uint32_t step = (uint32_t)key.step;
  const uint32_t last = ((uint32_t)key.stream & 0xff) | ((uint32_t)(key.step >> 32) & 0xff) << 8;
  const uint32_t seed0 = (uint32_t)key.seed, seed1 = (uint32_t)(key.seed >> 32);
  const uint32_t *restrict group = from->group, *restrict low = from->item_low, *restrict high = from->item_high;
  uint32_t *restrict out0 = words->word[0], *restrict out1 = words->word[1];
  uint32_t *restrict out2 = words->word[2], *restrict out3 = words->word[3];
  for (int g = 0; g < groups; g++) {
    uint32_t x0 = group[g], x1 = step, x2 = low[g], x3 = last | high[g];
    for (uint32_t round = 0; round < 10; round++) {
      uint64_t p0 = (uint64_t)m0 * x0, p1 = (uint64_t)m1 * x2;
      x0 = (uint32_t)(p1 >> 32) ^ x1 ^ (seed0 + round * w0);
      x2 = (uint32_t)(p0 >> 32) ^ x3 ^ (seed1 + round * w1);
      x1 = (uint32_t)p1;
      x3 = (uint32_t)p0;
    }
    out0[g] = x0, out1[g] = x1, out2[g] = x2, out3[g] = x3;
  }
}

void mms_random_fill_words(mms_random_key key, uint32_t first, int groups, mms_random_words *words) {
  lanes from;
  for (int g = 0; g < groups; g++) {
    from.group[g] = first + (uint32_t)g;
    from.item_low[g] = (uint32_t)key.item;
    from.item_high[g] = ((uint32_t)(key.item >> 32) & 0xffff) << 16;
  }
  ten_rounds(key, &from, groups, words);
}

void mms_random_fill_words_of_items(mms_random_key key, int per, int count, mms_random_words *words) {
  lanes from;
  int group = 0;
  for (int g = 0; g < count; g++) {
    from.group[g] = (uint32_t)group;
    from.item_low[g] = (uint32_t)key.item;
    from.item_high[g] = ((uint32_t)(key.item >> 32) & 0xffff) << 16;
    if (++group == per) {
      group = 0;
      key.item++;
    }
  }
  ten_rounds(key, &from, count, words);
}
