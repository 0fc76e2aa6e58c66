/* Every number is what Philox4x32-10 says it is, whatever run it was made in. */
#include "support.h"

#include "mmsold/random/random.h"
#include "random/kernels.h"
#include <Random123/philox.h>

static philox4x32_ctr_t random123(uint32_t c0, uint32_t c1, uint32_t c2, uint32_t c3, uint32_t k0, uint32_t k1) {
  philox4x32_ctr_t counter = {{c0, c1, c2, c3}};
  philox4x32_key_t key = {{k0, k1}};
  return philox4x32(counter, key);
}

/* The known answers of Random123 1.09 (kat_vectors, "philox4x32 10"). */
static void known_answers(void **state) {
  (void)state;
  static const uint32_t answers[3][10] = {{0, 0, 0, 0, 0, 0, 0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8},
                                          {0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff,
                                           0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd},
                                          {0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344, 0xa4093822, 0x299f31d0,
                                           0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}};
  for (int a = 0; a < 3; a++) {
    const uint32_t *row = answers[a];
    philox4x32_ctr_t oracle = random123(row[0], row[1], row[2], row[3], row[4], row[5]);
    mms_random_key key = {.seed = (uint64_t)row[5] << 32 | row[4],
                          .stream = (mms_stream)(row[3] & 0xff),
                          .step = (uint64_t)(row[3] >> 8 & 0xff) << 32 | row[1],
                          .item = (uint64_t)(row[3] >> 16) << 32 | row[2]};
    mms_random_words words;
    mms_random_fill_words(key, row[0], MMS_RANDOM_LANES, &words);
    for (int w = 0; w < 4; w++) {
      assert_int_equal(oracle.v[w], row[6 + w]);
      assert_int_equal(words.word[w][0], row[6 + w]);
    }
  }
}

/* All lanes of a batch, at a counter that wraps, against Random123's own code. */
static void lanes_match_random123(void **state) {
  (void)state;
  mms_random_key key = {
      .seed = 0x0123456789abcdef, .stream = MMS_STREAM_TEST, .step = 0xfedcba9876, .item = 0xabcdef012345};
  mms_random_words words;
  uint32_t first = 0xffffffe0;
  mms_random_fill_words(key, first, MMS_RANDOM_BATCH, &words);
  for (uint32_t g = 0; g < MMS_RANDOM_BATCH; g++) {
    philox4x32_ctr_t oracle =
        random123(first + g, 0xdcba9876, 0xef012345, 63U | 0xfeU << 8 | 0xabcdU << 16, 0x89abcdef, 0x01234567);
    for (int w = 0; w < 4; w++) assert_int_equal(words.word[w][g], oracle.v[w]);
  }
}

enum { N = 1000 };
static const mms_random_key base = {.seed = 7, .stream = MMS_STREAM_TEST, .step = 3, .item = 11};

/* A component does not depend on how a run is split into calls. */
static void runs_can_be_split(void **state) {
  (void)state;
  double whole[N], part[N], whole_u[N], part_u[N];
  float whole_f[N], part_f[N];
  mms_random_normals(base, 0, N, whole);
  mms_random_normals_float(base, 0, N, whole_f);
  mms_random_uniforms(base, 0, N, whole_u);
  for (int size = 1; size < N; size = 2 * size + 1) {
    for (int at = 0; at < N; at += size) {
      int count = at + size < N ? size : N - at;
      mms_random_normals(base, at, count, part + at);
      mms_random_normals_float(base, at, count, part_f + at);
      mms_random_uniforms(base, at, count, part_u + at);
    }
    assert_memory_equal(whole, part, sizeof whole);
    assert_memory_equal(whole_f, part_f, sizeof whole_f);
    assert_memory_equal(whole_u, part_u, sizeof whole_u);
  }
  double untouched = 5.0;
  mms_random_normals(base, 3, 0, &untouched);
  assert_true(untouched == 5.0);
}

/* Each part of a key, to its highest bit, changes every number. */
static void keys_are_distinct(void **state) {
  (void)state;
  mms_random_key keys[] = {base, base, base, base, base, base, base, base};
  keys[1].seed = 8;
  keys[2].seed = base.seed | UINT64_C(1) << 63;
  keys[3].stream = MMS_STREAM_LANGEVIN;
  keys[4].step = 4;
  keys[5].step = base.step | UINT64_C(1) << 39;
  keys[6].item = 12;
  keys[7].item = base.item | UINT64_C(1) << 47;
  enum { KEYS = sizeof keys / sizeof *keys };
  double made[KEYS][N];
  for (int k = 0; k < KEYS; k++) mms_random_normals(keys[k], 0, N, made[k]);
  for (int a = 0; a < KEYS; a++)
    for (int b = 0; b < a; b++) {
      double product = 0.0;
      int equal = 0;
      for (int i = 0; i < N; i++) {
        product += made[a][i] * made[b][i];
        equal += made[a][i] == made[b][i];
      }
      assert_int_equal(equal, 0);
      expect_near(product / sqrt((double)N), 0.0, 5.0); /* standard error 1 */
    }
}

/* FNV-1a over 32-bit words of the numbers' bits. */
static uint64_t digest(const void *data, size_t bytes) {
  uint64_t hash = UINT64_C(0xcbf29ce484222325);
  for (size_t i = 0; i < bytes; i += 4) {
    uint32_t word;
    memcpy(&word, (const char *)data + i, sizeof word);
    hash = (hash ^ word) * UINT64_C(0x100000001b3);
  }
  return hash;
}

/* The same bits in every build and on every processor: with vectors or without, optimised or not. */
static void bits_are_the_same_everywhere(void **state) {
  (void)state;
  static double x[1 << 16];
  static float f[1 << 16];
  mms_random_normals(base, 0, 1 << 16, x);
  assert_true(digest(x, sizeof x) == UINT64_C(0xd86aa5c9149ec76b));
  mms_random_normals_float(base, 0, 1 << 16, f);
  assert_true(digest(f, sizeof f) == UINT64_C(0x809d9387cbb5940a));
  mms_random_uniforms(base, 0, 1 << 16, x);
  assert_true(digest(x, sizeof x) == UINT64_C(0x951de6f8c6e183fa));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(known_answers),
      cmocka_unit_test(lanes_match_random123),
      cmocka_unit_test(runs_can_be_split),
      cmocka_unit_test(keys_are_distinct),
      cmocka_unit_test(bits_are_the_same_everywhere),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
