/* A mesh as a training source: points uniform on its surface, by closed forms; the same for the same seed. */
#include "file_support.h"

#include "mmsold/base/memory.h"
#include "mmsold/training/training.h"
#include <stdlib.h>

static int set_up(void **state) {
  (void)state;
  return folder_make("a.off");
}

static mms_points drawn(int64_t count, uint64_t seed, mms_thin thin) {
  const mms_training_options options = {.source = path, .count = count, .seed = seed, .thin = thin, .label = -1};
  mms_error error = mms_error_none();
  mms_points points;
  expect_ok(mms_points_select(&points, &options, &error), &error);
  assert_int_equal(points.values.rows, count);
  assert_int_equal(points.values.cols, 3);
  return points;
}

/* A triangle of area 3/2 and a square of area 3/4 · 3/4 off it, and triangles without area, which must get nothing. */
static const char two_pieces[] = "OFF 9 4 0\n0 0 0\n3 0 0\n0 1 0\n10 0 0\n10.75 0 0\n10.75 0 0.75\n10 0 0.75\n"
                                 "50 50 50\n60 50 50\n3 7 7 8\n3 0 1 2\n4 3 4 5 6\n3 7 8 8\n";

static void points_are_uniform_by_area(void **state) {
  (void)state;
  enum { N = 40000 };
  put_text(two_pieces);
  mms_points points = drawn(N, 7, MMS_THIN_DEFAULT);
  const double share = 1.5 / (1.5 + 0.5625);
  double on_triangle = 0, x = 0, y = 0, xx = 0, xy = 0;
  for (int64_t i = 0; i < N; i++) {
    const double *p = points.values.data + 3 * i;
    if (p[0] > 9) { /* on the square */
      assert_true(p[0] >= 10 && p[0] <= 10.75 && p[1] == 0 && p[2] >= 0 && p[2] <= 0.75);
      continue;
    }
    assert_true(p[0] >= 0 && p[1] >= 0 && p[0] / 3 + p[1] <= 1 + 1e-12 && p[2] == 0);
    on_triangle++;
    x += p[0];
    y += p[1];
    xx += p[0] * p[0];
    xy += p[0] * p[1];
  }
  /* moments of the uniform law on a triangle with corners 0, (3, 0), (0, 1): E x = 1, E y = 1/3, E x² = 9/6,
   * E xy = 3/12; five standard errors, the largest of which are those of x² (sd 1.80) and of the share */
  expect_near(on_triangle / N, share, 5 * sqrt(share * (1 - share) / N));
  double root = sqrt(on_triangle);
  expect_near(x / on_triangle, 1, 5 * 0.71 / root);
  expect_near(y / on_triangle, 1.0 / 3, 5 * 0.24 / root);
  expect_near(xx / on_triangle, 1.5, 5 * 1.81 / root);
  expect_near(xy / on_triangle, 0.25, 5 * 0.22 / root);
  mms_points_free(&points);
}

static void the_seed_says_which_points(void **state) {
  (void)state;
  put_text(two_pieces);
  mms_points a = drawn(50, 3, MMS_THIN_NONE), b = drawn(20, 3, MMS_THIN_NONE), c = drawn(20, 4, MMS_THIN_NONE);
  assert_memory_equal(a.values.data, b.values.data, 60 * sizeof(double)); /* row i depends on (seed, i) alone */
  assert_memory_not_equal(a.values.data, c.values.data, 60 * sizeof(double));
  mms_points thinned = drawn(10, 3, MMS_THIN_FARTHEST);
  for (int i = 0; i < 10; i++)
    for (int j = 0; j < i; j++)
      assert_true(hypot(thinned.values.data[3 * i] - thinned.values.data[3 * j],
                        thinned.values.data[3 * i + 1] - thinned.values.data[3 * j + 1]) > 0.05 ||
                  fabs(thinned.values.data[3 * i + 2] - thinned.values.data[3 * j + 2]) > 0.05);
  mms_points_free(&a);
  mms_points_free(&b);
  mms_points_free(&c);
  mms_points_free(&thinned);
}

/* Areas neither overflow nor vanish: a triangle of any size is one. */
static void size_does_not_matter(void **state) {
  (void)state;
  const char *texts[] = {"OFF 3 1 0\n0 0 0\n1e300 0 0\n0 1e300 0\n3 0 1 2\n",
                         "OFF 3 1 0\n0 0 0\n1e-300 0 0\n0 1e-300 0\n3 0 1 2\n"};
  const double sizes[] = {1e300, 1e-300};
  for (int i = 0; i < 2; i++) {
    put_text(texts[i]);
    mms_points points = drawn(1000, 0, MMS_THIN_NONE);
    double mean = 0;
    for (int j = 0; j < 1000; j++) mean += points.values.data[3 * j] / sizes[i] / 1000;
    expect_near(mean, 1.0 / 3, 5 * 0.24 / sqrt(1000));
    mms_points_free(&points);
  }
}

static void wrong_uses_are_refused(void **state) {
  (void)state;
  mms_error error = mms_error_none();
  mms_points points;
  mms_training_options options = {.source = path, .label = -1};
  put_text(two_pieces);
  expect_refused(mms_points_select(&points, &options, &error), MMS_ERR_INPUT, &error, "the mesh");
  expect_refused(mms_points_read(&points, path, &error), MMS_ERR_INPUT, &error, "mmsold prepare");
  options.count = 5;
  options.labels = "labels.npy";
  options.label = 1;
  expect_refused(mms_points_select(&points, &options, &error), MMS_ERR_INPUT, &error, "have no labels");
  options.labels = NULL;
  put_text("OFF 3 1 0\n1 1 1\n2 2 2\n3 3 3\n3 0 1 2\n");
  expect_refused(mms_points_select(&points, &options, &error), MMS_ERR_INPUT, &error, "has an area");
  put_text("OFF 1 1 0\n1 1 1\n3 0 0 0\n");
  expect_refused(mms_points_select(&points, &options, &error), MMS_ERR_INPUT, &error, "has an area");
  unlink(path);
  expect_refused(mms_points_select(&points, &options, &error), MMS_ERR_INPUT, &error, "no such file");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(points_are_uniform_by_area),
      cmocka_unit_test(the_seed_says_which_points),
      cmocka_unit_test(size_does_not_matter),
      cmocka_unit_test(wrong_uses_are_refused),
  };
  return cmocka_run_group_tests(tests, set_up, folder_remove);
}
