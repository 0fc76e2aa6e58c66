/* Philox4x32-10: J. K. Salmon, M. A. Moraes, R. O. Dror, D. E. Shaw, "Parallel random numbers: as easy as 1, 2, 3",
 * SC'11, section 3.3. A round maps (x0, x1, x2, x3) with key (k0, k1) to
 *   (hi(M1 x2) ^ x1 ^ k0, lo(M1 x2), hi(M0 x0) ^ x3 ^ k1, lo(M0 x0))
 * and the key grows by (W0, W1) between rounds. The constants are those of Random123's philox.h. */
#include "random/kernels.h"

#if defined(__x86_64__) && defined(__GNUC__)
#define RANDOM_VECTORS
#include <immintrin.h>
#endif

/* Where each lane's counter differs from its neighbours'. */
typedef struct lanes {
  uint32_t group[MMS_RANDOM_BATCH];     /* c0 */
  uint32_t item_low[MMS_RANDOM_BATCH];  /* c2 */
  uint32_t item_high[MMS_RANDOM_BATCH]; /* bits 32..47, in the place c3 has for them */
} lanes;

/* The rounds' constants; the key grows by (W0, W1). */
enum { ROUNDS = 10 };
static const uint32_t M0 = 0xD2511F53, M1 = 0xCD9E8D57, W0 = 0x9E3779B9, W1 = 0xBB67AE85;

/* The key's part of the counters and of the rounds. */
typedef struct fixed {
  uint32_t step, last, seed[2];
} fixed;

static void rounds_portable(const fixed *f, const lanes *from, int groups, mms_random_words *words) {
  for (int g = 0; g < groups; g++) {
    uint32_t x0 = from->group[g], x1 = f->step, x2 = from->item_low[g], x3 = f->last | from->item_high[g];
    for (uint32_t round = 0; round < ROUNDS; round++) {
      uint64_t p0 = (uint64_t)M0 * x0, p1 = (uint64_t)M1 * x2;
      x0 = (uint32_t)(p1 >> 32) ^ x1 ^ (f->seed[0] + round * W0);
      x2 = (uint32_t)(p0 >> 32) ^ x3 ^ (f->seed[1] + round * W1);
      x1 = (uint32_t)p1;
      x3 = (uint32_t)p0;
    }
    words->word[0][g] = x0, words->word[1][g] = x1, words->word[2][g] = x2, words->word[3][g] = x3;
  }
}

#ifdef RANDOM_VECTORS
/* A word in the low half of each 64-bit lane: the multiplication reads nothing else, its low half is the next word as
 * it is, and what stands above it is never read. */
__attribute__((target("avx512f"))) static void rounds_avx512(const fixed *f, const lanes *from, int groups,
                                                             mms_random_words *words) {
  const __m512i m0 = _mm512_set1_epi64(M0), m1 = _mm512_set1_epi64(M1);
  const __m512i step = _mm512_set1_epi64(f->step), last = _mm512_set1_epi64(f->last);
  __m512i key[ROUNDS][2]; /* made once: a broadcast for every word would cost as much as the shuffles */
  for (uint32_t round = 0; round < ROUNDS; round++) {
    key[round][0] = _mm512_set1_epi64(f->seed[0] + round * W0);
    key[round][1] = _mm512_set1_epi64(f->seed[1] + round * W1);
  }
  for (int g = 0; g < groups; g += 8) {
    __m512i x0 = _mm512_cvtepu32_epi64(_mm256_loadu_si256((const void *)(from->group + g)));
    __m512i x1 = step;
    __m512i x2 = _mm512_cvtepu32_epi64(_mm256_loadu_si256((const void *)(from->item_low + g)));
    __m512i x3 = _mm512_or_si512(last, _mm512_cvtepu32_epi64(_mm256_loadu_si256((const void *)(from->item_high + g))));
    for (uint32_t round = 0; round < ROUNDS; round++) {
      __m512i p0 = _mm512_mul_epu32(x0, m0), p1 = _mm512_mul_epu32(x2, m1);
      x0 = _mm512_ternarylogic_epi64(_mm512_shuffle_epi32(p1, 0xf5), x1, key[round][0], 0x96); /* a ^ b ^ c */
      x2 = _mm512_ternarylogic_epi64(_mm512_shuffle_epi32(p0, 0xf5), x3, key[round][1], 0x96);
      x1 = p1;
      x3 = p0;
    }
    _mm256_storeu_si256((void *)(words->word[0] + g), _mm512_cvtepi64_epi32(x0));
    _mm256_storeu_si256((void *)(words->word[1] + g), _mm512_cvtepi64_epi32(x1));
    _mm256_storeu_si256((void *)(words->word[2] + g), _mm512_cvtepi64_epi32(x2));
    _mm256_storeu_si256((void *)(words->word[3] + g), _mm512_cvtepi64_epi32(x3));
  }
}

__attribute__((target("avx2"))) static inline void store_low_halves(uint32_t *out, __m256i x) {
  __m256i low = _mm256_permutevar8x32_epi32(x, _mm256_setr_epi32(0, 2, 4, 6, 0, 2, 4, 6));
  _mm_storeu_si128((void *)out, _mm256_castsi256_si128(low));
}

__attribute__((target("avx2"))) static void rounds_avx2(const fixed *f, const lanes *from, int groups,
                                                        mms_random_words *words) {
  const __m256i m0 = _mm256_set1_epi64x(M0), m1 = _mm256_set1_epi64x(M1);
  for (int g = 0; g < groups; g += 4) {
    __m256i x0 = _mm256_cvtepu32_epi64(_mm_loadu_si128((const void *)(from->group + g)));
    __m256i x1 = _mm256_set1_epi64x(f->step);
    __m256i x2 = _mm256_cvtepu32_epi64(_mm_loadu_si128((const void *)(from->item_low + g)));
    __m256i x3 = _mm256_or_si256(_mm256_set1_epi64x(f->last),
                                 _mm256_cvtepu32_epi64(_mm_loadu_si128((const void *)(from->item_high + g))));
    for (uint32_t round = 0; round < ROUNDS; round++) {
      __m256i p0 = _mm256_mul_epu32(x0, m0), p1 = _mm256_mul_epu32(x2, m1);
      __m256i k0 = _mm256_set1_epi64x(f->seed[0] + round * W0), k1 = _mm256_set1_epi64x(f->seed[1] + round * W1);
      x0 = _mm256_xor_si256(_mm256_xor_si256(_mm256_shuffle_epi32(p1, 0xf5), x1), k0);
      x2 = _mm256_xor_si256(_mm256_xor_si256(_mm256_shuffle_epi32(p0, 0xf5), x3), k1);
      x1 = p1;
      x3 = p0;
    }
    store_low_halves(words->word[0] + g, x0);
    store_low_halves(words->word[1] + g, x1);
    store_low_halves(words->word[2] + g, x2);
    store_low_halves(words->word[3] + g, x3);
  }
}
#endif

static void ten_rounds(mms_random_key key, const lanes *from, int groups, mms_random_words *words) {
  const fixed f = {.step = (uint32_t)key.step,
                   .last = ((uint32_t)key.stream & 0xff) | ((uint32_t)(key.step >> 32) & 0xff) << 8,
                   .seed = {(uint32_t)key.seed, (uint32_t)(key.seed >> 32)}};
#ifdef RANDOM_VECTORS
  if (__builtin_cpu_supports("avx512f")) {
    rounds_avx512(&f, from, groups, words);
    return;
  }
  if (__builtin_cpu_supports("avx2")) {
    rounds_avx2(&f, from, groups, words);
    return;
  }
#endif
  rounds_portable(&f, from, groups, words);
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

void mms_random_fill_words_of_items(mms_random_key key, const uint64_t *items, int per, int count,
                                    mms_random_words *words) {
  lanes from;
  int group = 0, filled = (count + MMS_RANDOM_LANES - 1) / MMS_RANDOM_LANES * MMS_RANDOM_LANES;
  if (items != NULL) key.item = *items;
  for (int g = 0; g < filled; g++) {
    from.group[g] = (uint32_t)group;
    from.item_low[g] = (uint32_t)key.item;
    from.item_high[g] = ((uint32_t)(key.item >> 32) & 0xffff) << 16;
    if (++group == per) {
      group = 0;
      if (items == NULL)
        key.item++;
      else if (g + 1 < count) /* lanes that only fill a vector repeat the last item */
        key.item = *++items;
    }
  }
  ten_rounds(key, &from, filled, words);
}
