/* Runs of components: whole groups are made, the part asked for is copied, so that a component does not depend on
 * how a run is split into calls. */
#include "mmsold/random/random.h"

#include "random/kernels.h"
#include <string.h>

/* The groups one turn of a loop makes. */
typedef struct part {
  uint32_t first; /* first group */
  int groups;     /* padded to whole vectors */
  int64_t skip;   /* components of the first group that are not wanted */
  int64_t take;   /* components that are */
} part;

static part next_part(int64_t first, int64_t count, int width) {
  part next = {.first = (uint32_t)(first / width), .skip = first % width};
  int64_t room = width * MMS_RANDOM_BATCH - next.skip;
  next.take = count < room ? count : room;
  int groups = (int)((next.skip + next.take + width - 1) / width);
  next.groups = (groups + MMS_RANDOM_LANES - 1) / MMS_RANDOM_LANES * MMS_RANDOM_LANES;
  return next;
}

void mms_random_normals(mms_random_key key, int64_t first, int64_t count, double *out) {
  mms_random_words words;
  double made[2 * MMS_RANDOM_BATCH];
  while (count > 0) {
    part now = next_part(first, count, 2);
    mms_random_fill_words(key, now.first, now.groups, &words);
    mms_random_box_muller(now.groups, &words, made);
    memcpy(out, made + now.skip, (size_t)now.take * sizeof *out);
    out += now.take, first += now.take, count -= now.take;
  }
}

void mms_random_normals_float(mms_random_key key, int64_t first, int64_t count, float *out) {
  mms_random_words words;
  float made[4 * MMS_RANDOM_BATCH];
  while (count > 0) {
    part now = next_part(first, count, 4);
    mms_random_fill_words(key, now.first, now.groups, &words);
    if (now.take == 4L * MMS_RANDOM_BATCH) { /* nothing is left over */
      mms_random_box_muller_float(now.groups, &words, out);
    } else {
      mms_random_box_muller_float(now.groups, &words, made);
      memcpy(out, made + now.skip, (size_t)now.take * sizeof *out);
    }
    out += now.take, first += now.take, count -= now.take;
  }
}

/* How many items of `per` groups one turn takes: 0 where an item is better made alone. */
static int64_t items_a_turn(int64_t per) { return per > 0 ? MMS_RANDOM_BATCH / per : 0; }

static int whole_vectors(int64_t groups) {
  return (int)((groups + MMS_RANDOM_LANES - 1) / MMS_RANDOM_LANES * MMS_RANDOM_LANES);
}

void mms_random_normals_items(mms_random_key key, int64_t items, int64_t components, double *out) {
  mms_random_words words;
  double made[2 * MMS_RANDOM_BATCH];
  const int64_t per = (components + 1) / 2, turn = items_a_turn(per);
  while (items > 0) {
    const int64_t now = turn > 1 ? (items < turn ? items : turn) : 1;
    if (turn > 1) {
      mms_random_fill_words_of_items(key, NULL, (int)per, (int)(now * per), &words);
      mms_random_box_muller(whole_vectors(now * per), &words, made);
      for (int64_t i = 0; i < now; i++)
        memcpy(out + i * components, made + i * 2 * per, (size_t)components * sizeof *out);
    } else {
      mms_random_normals(key, 0, components, out);
    }
    key.item += (uint64_t)now, items -= now, out += now * components;
  }
}

/* Of the items in `list`, or of consecutive ones from key.item on where it is NULL. */
static void float_items(mms_random_key key, const uint64_t *list, int64_t items, int64_t components, float *out) {
  mms_random_words words;
  float made[4 * MMS_RANDOM_BATCH];
  const int64_t per = (components + 3) / 4, turn = items_a_turn(per);
  while (items > 0) {
    const int64_t now = turn > 1 ? (items < turn ? items : turn) : 1;
    if (list != NULL) key.item = *list;
    if (turn > 1) {
      mms_random_fill_words_of_items(key, list, (int)per, (int)(now * per), &words);
      mms_random_box_muller_float(whole_vectors(now * per), &words, made);
      for (int64_t i = 0; i < now; i++)
        memcpy(out + i * components, made + i * 4 * per, (size_t)components * sizeof *out);
    } else {
      mms_random_normals_float(key, 0, components, out);
    }
    key.item += (uint64_t)now, items -= now, out += now * components;
    if (list != NULL) list += now;
  }
}

void mms_random_normals_items_float(mms_random_key key, int64_t items, int64_t components, float *out) {
  float_items(key, NULL, items, components, out);
}

void mms_random_normals_list_float(mms_random_key key, const uint64_t *list, int64_t items, int64_t components,
                                   float *out) {
  float_items(key, list, items, components, out);
}

void mms_random_uniforms(mms_random_key key, int64_t first, int64_t count, double *out) {
  mms_random_words words;
  while (count > 0) {
    part now = next_part(first, count, 2);
    mms_random_fill_words(key, now.first, now.groups, &words);
    for (int64_t i = 0; i < now.take; i++) {
      int64_t group = (now.skip + i) / 2, half = (now.skip + i) % 2;
      uint64_t bits = (uint64_t)words.word[2 * half][group] << 32 | words.word[2 * half + 1][group];
      out[i] = (double)(bits >> 11) * 0x1p-53;
    }
    out += now.take, first += now.take, count -= now.take;
  }
}

__extension__ typedef unsigned __int128 wide;

/* floor(x bound / 2^128) for x uniform on 0 .. 2^128 - 1: each value's probability is off by less than 2^-128. */
uint64_t mms_random_index(mms_random_key key, int64_t component, uint64_t bound) {
  mms_random_words words;
  mms_random_fill_words(key, (uint32_t)component, MMS_RANDOM_LANES, &words);
  uint64_t high = (uint64_t)words.word[0][0] << 32 | words.word[1][0];
  uint64_t low = (uint64_t)words.word[2][0] << 32 | words.word[3][0];
  return (uint64_t)(((wide)high * bound + ((wide)low * bound >> 64)) >> 64);
}
