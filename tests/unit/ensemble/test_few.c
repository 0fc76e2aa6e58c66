/* The products in few dimensions against the general ones (they stand in for BLAS, so the same truth). */
#include "support.h"

#include "ensemble/few.h"
#include "mmsold/linalg/dense.h"
#include "mmsold/random/random.h"

enum { ROWS = 37, MOST = MMS_FEW_DIMENSIONS };

static double y[ROWS * MOST], w[ROWS * MOST], a[MOST * MOST], inverse[MOST * MOST], m[MOST], after[MOST];

static void fill(uint64_t item, int64_t count, double *out) {
  mms_random_normals((mms_random_key){.seed = 21, .stream = MMS_STREAM_TEST, .item = item}, 0, count, out);
}

static void fill_all(int64_t d) {
  fill(1, ROWS * d, y), fill(2, ROWS * d, w), fill(3, d * d, a), fill(4, d * d, inverse), fill(5, d, m);
  fill(6, d, after);
}

static void moments_are_those_of_blas(void **state) {
  (void)state;
  for (int64_t d = 1; d <= MOST; d++) {
    double got[2 * MOST + MOST * (MOST + 1) + MOST * MOST], alone[MOST + MOST * (MOST + 1) / 2];
    double yy[MOST * MOST], ww[MOST * MOST], yw[MOST * MOST];
    int64_t triangle = d * (d + 1) / 2, at = 2 * d;
    fill_all(d);
    mms_few_moments(ROWS, d, y, w, got);
    mms_few_moments(ROWS, d, y, NULL, alone);
    mms_dense_gram_upper(ROWS, d, 1.0, y, 0.0, yy);
    mms_dense_gram_upper(ROWS, d, 1.0, w, 0.0, ww);
    mms_dense_multiply(true, false, d, d, ROWS, 1.0, y, w, 0.0, yw);
    for (int64_t i = 0; i < d; i++) {
      double sums[2] = {0.0, 0.0};
      for (int64_t r = 0; r < ROWS; r++) sums[0] += y[r * d + i], sums[1] += w[r * d + i];
      expect_near(got[i], sums[0], 1e-13);
      expect_near(got[d + i], sums[1], 1e-13);
      expect_near(alone[i], sums[0], 1e-13);
      for (int64_t j = i; j < d; j++, at++) {
        expect_near(got[at], yy[i * d + j], 1e-12);
        expect_near(alone[at - d], yy[i * d + j], 1e-12);
        expect_near(got[at + triangle], ww[i * d + j], 1e-12);
      }
    }
    for (int64_t i = 0; i < d * d; i++) expect_near(got[2 * d + 2 * triangle + i], yw[i], 1e-12);
  }
}

static void update_and_map_are_those_of_blas(void **state) {
  (void)state;
  for (int64_t d = 1; d <= MOST; d++) {
    double wanted[ROWS * MOST], moved[ROWS * MOST], got[ROWS * MOST];
    fill_all(d);
    for (int with = 0; with < 2; with++) {
      for (int64_t i = 0; i < ROWS * d; i++) moved[i] = (with ? w[i] : y[i]) - m[i % d];
      if (with) mms_dense_multiply(false, false, ROWS, d, d, 1.0, y, a, 1.0, moved);
      mms_dense_multiply(false, false, ROWS, d, d, 1.0, moved, inverse, 0.0, wanted);
      memcpy(got, y, sizeof got);
      mms_few_update(ROWS, d, a, m, inverse, with ? w : NULL, got);
      for (int64_t i = 0; i < ROWS * d; i++) expect_near(got[i], wanted[i], 1e-11);
    }
    for (int transpose = 0; transpose < 2; transpose++) {
      for (int64_t i = 0; i < ROWS * d; i++) moved[i] = y[i] - m[i % d];
      mms_dense_multiply(false, transpose, ROWS, d, d, 1.0, moved, a, 0.0, wanted);
      memcpy(got, y, sizeof got);
      mms_few_map(ROWS, d, transpose, a, m, after, got, got); /* in place */
      for (int64_t i = 0; i < ROWS * d; i++) expect_near(got[i], wanted[i] + after[i % d], 1e-12);
    }
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(moments_are_those_of_blas),
      cmocka_unit_test(update_and_map_are_those_of_blas),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
