/* Counter-based randomness: every number is a pure function of what it is for.
 *
 * Philox4x32-10 (J. Salmon et al., SC'11; Random123). Key: the 64-bit seed. Counter words:
 *   c0 = group of components, c1 = low 32 bits of step, c2 = low 32 bits of item,
 *   c3 = stream (8 bits) | bits 32..39 of step (8) | bits 32..47 of item (16).
 * An item is a particle, a block or a training row, whichever the stream is about. Kinds of
 * numbers (normals, uniforms, ...) of one key share counters, so a key is for one kind. A group is
 * one Philox call: components are at most 2^33 (double normals, uniforms), 2^34 (float), 2^32
 * (indices, subsets). */
#ifndef MMSOLD_RANDOM_RANDOM_H
#define MMSOLD_RANDOM_RANDOM_H

#include "mmsold/base/status.h"
#include <stdint.h>

/* What a number is for; two streams never share a counter. The values are part of the
 * format of a run (the same seed must give the same bits in a later version): never reused. */
typedef enum mms_stream {
  MMS_STREAM_GENERATE = 1,    /* data generators; item = row */
  MMS_STREAM_SELECT = 2,      /* choice of training rows, thinning's first point */
  MMS_STREAM_START_INDEX = 3, /* which training point a particle starts at */
  MMS_STREAM_START_NOISE = 4, /* the start's delta N(0, I) */
  MMS_STREAM_LANGEVIN = 5,    /* xi of a step */
  MMS_STREAM_SMOOTHING = 6,   /* epsilon of the smoothed score */
  MMS_STREAM_DIRECTION = 7,   /* random directions of sliced distances */
  MMS_STREAM_SUBSET = 8,      /* subsets of kernel distances */
  MMS_STREAM_REMAINDER = 9,   /* the L others of the neighbours backend */
  MMS_STREAM_BOOTSTRAP = 16,  /* replicates of a paired bootstrap; step = replicate */
  MMS_STREAM_STUDY = 20,      /* points drawn from a law a study compares with; item = point */
  MMS_STREAM_CHOICE = 24,     /* particles and draws that the choice of a backend is made on; item = particle */
  MMS_STREAM_TEST = 63        /* tests only */
} mms_stream;

/* The name of a run of numbers: component k of (seed, stream, step, item). */
typedef struct mms_random_key {
  uint64_t seed;
  mms_stream stream;
  uint64_t step; /* < 2^40 */
  uint64_t item; /* < 2^48 */
} mms_random_key;

/* Components first .. first + count - 1 of the key, independent standard normals by
 * Box-Muller, two a Philox call (64 bits for the radius, 64 for the angle). out[i] is
 * component first + i however the components are split over calls. Local; no allocation. */
void mms_random_normals(mms_random_key key, int64_t first, int64_t count, double *out);

/* The same law in single precision, four normals a Philox call (31 bits for each radius, 32 for each angle; |x| < 6.7);
 * a different sequence from the double one. Components first .. first + count - 1. */
void mms_random_normals_float(mms_random_key key, int64_t first, int64_t count, float *out);

/* Components 0 .. components - 1 of `items` consecutive items, key.item on: the same numbers as one call of
 * mms_random_normals (or _float) an item, made together so that short runs cost no more than long ones.
 * out: [items][components]. Local; no allocation. */
void mms_random_normals_items(mms_random_key key, int64_t items, int64_t components, double *out);
void mms_random_normals_items_float(mms_random_key key, int64_t items, int64_t components, float *out);
/* The same of the items list[0 .. items - 1], in any order; key.item is not looked at. */
void mms_random_normals_list_float(mms_random_key key, const uint64_t *list, int64_t items, int64_t components,
                                   float *out);

/* Uniforms on [0, 1), 53 bits, two a Philox call. */
void mms_random_uniforms(mms_random_key key, int64_t first, int64_t count, double *out);

/* Component `component` of the key as an integer uniform on 0 .. bound - 1, without bias
 * beyond 2^-64 (bound >= 1). */
uint64_t mms_random_index(mms_random_key key, int64_t component, uint64_t bound);

/* A uniformly random subset of `size` of 0 .. total - 1, in ascending order, in O(size) work
 * on average and O(size) memory whatever total is (Floyd's method with a hash set, then buckets). chosen: [size].
 * Needs 0 <= size <= total, size < 2^32 (MMS_ERR_INTERNAL). Local. MMS_ERR_MEMORY. */
mms_status mms_random_subset(mms_random_key key, int64_t total, int64_t size, int64_t *chosen, mms_error *error);

/* The same subset in memory set aside beforehand, for callers that may not allocate: room
 * [mms_random_subset_room(size)] (not looked at where size == total). Needs 0 <= size <= total, size < 2^32. Local. */
void mms_random_subset_in(mms_random_key key, int64_t total, int64_t size, int64_t *chosen, int64_t *room);
int64_t mms_random_subset_room(int64_t size);

#endif
