/* The loops under the generators, one group of words a lane. Private. */
#ifndef RANDOM_KERNELS_H
#define RANDOM_KERNELS_H

#include "mmsold/random/random.h"

/* Groups made at once: long enough for vector code, short enough for the stack and for short requests. */
enum { MMS_RANDOM_BATCH = 64, MMS_RANDOM_LANES = 8 };

/* The four Philox words of `groups` groups of a key from `first` on (modulo 2^32), as words[word][group]. */
typedef struct mms_random_words {
  uint32_t word[4][MMS_RANDOM_BATCH];
} mms_random_words;

/* Fill the first `groups` lanes (a multiple of MMS_RANDOM_LANES, at most MMS_RANDOM_BATCH). Local. */
void mms_random_fill_words(mms_random_key key, uint32_t first, int groups, mms_random_words *words);

/* The same for lanes of several items: lane g < count is group g % per of item items[g / per], or key.item + g / per
 * where items is NULL. `count`, a multiple of `per`, is filled up to whole vectors. */
void mms_random_fill_words_of_items(mms_random_key key, const uint64_t *items, int per, int count,
                                    mms_random_words *words);

/* Normals of the first `groups` lanes (as above): two a group in double, four in float. Local. */
void mms_random_box_muller(int groups, const mms_random_words *words, double *out);
void mms_random_box_muller_float(int groups, const mms_random_words *words, float *out);

#endif
