/* Sources of training rows: generators obey their formulas, files are read as meant, selection does what it says,
 * and each wrong input is refused by name. */
#include "support.h"

#include "mmsold/base/memory.h"
#include "mmsold/random/random.h"
#include "mmsold/store/arrays.h"
#include "mmsold/store/h5.h"
#include "mmsold/training/training.h"
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define FASHION "/usr/share/datasets/fashion-mnist/train-"

static char folder[] = "sources-XXXXXX";
static char npy[64], npy_labels[64], h5[64], odd[64];

static void write_rows(const char *path, int64_t rows, int64_t cols, const double *values) {
  mms_error error = mms_error_none();
  mms_matrix matrix = {.rows = rows, .cols = cols, .data = (double *)values};
  expect_ok(mms_npy_write(&matrix, path, &error), &error);
}

static int set_up(void **state) {
  (void)state;
  if (mkdtemp(folder) == NULL) return -1;
  snprintf(npy, sizeof npy, "%s/a.npy", folder);
  snprintf(npy_labels, sizeof npy_labels, "%s/labels.npy", folder);
  snprintf(h5, sizeof h5, "%s/a.h5", folder);
  snprintf(odd, sizeof odd, "%s/odd", folder);
  return 0;
}

static int tear_down(void **state) {
  (void)state;
  unlink(npy);
  unlink(npy_labels);
  unlink(h5);
  unlink(odd);
  return rmdir(folder);
}

static mms_training_options options_for(const char *source, int64_t count) {
  return (mms_training_options){.source = source, .count = count, .seed = 3, .label = -1};
}

static mms_matrix select_rows(const mms_training_options *options) {
  mms_error error = mms_error_none();
  mms_points points;
  expect_ok(mms_points_select(&points, options, &error), &error);
  return points.values;
}

static void expect_select_refused(const mms_training_options *options, const char *part) {
  mms_error error = mms_error_none();
  mms_points points;
  expect_refused(mms_points_select(&points, options, &error), MMS_ERR_INPUT, &error, part);
  assert_null(points.values.data);
}

static void the_checkerboard_is_one(void **state) {
  (void)state;
  mms_training_options options = options_for("checkerboard", 8000);
  options.thin = MMS_THIN_NONE;
  mms_matrix x = select_rows(&options);
  int fields[4][4] = {{0}};
  for (int i = 0; i < 8000; i++) {
    int column = (int)floor(x.data[2 * i] / 2) + 2, row = (int)floor(x.data[2 * i + 1] / 2) + 2;
    assert_in_range(column, 0, 3);
    assert_in_range(row, 0, 3);
    fields[column][row]++;
  }
  /* columns −2, 0 (even): rows [−2, −1) and [0, 1); odd columns one higher, each field times 2. Eight of equal weight:
   * 1,000 expected, five standard deviations of 29.6 allowed */
  for (int c = 0; c < 4; c++)
    for (int r = 0; r < 4; r++) expect_near(fields[c][r], (c + r) % 2 == 0 ? 1000 : 0, (c + r) % 2 == 0 ? 150 : 0);
  mms_matrix_free(&x);
}

static void the_spirals_are_two(void **state) {
  (void)state;
  mms_training_options options = options_for("spirals", 4000);
  options.thin = MMS_THIN_NONE;
  mms_matrix x = select_rows(&options);
  enum { ARM = 480 };
  double arm[ARM][2];
  for (int k = 0; k < ARM; k++) {
    double t = 3 * acos(-1.0) * k / (ARM - 1);
    arm[k][0] = (-t * cos(t) + 0.25) / 3;
    arm[k][1] = (t * sin(t) + 0.25) / 3;
  }
  double mean[2] = {0};
  int near = 0;
  for (int i = 0; i < 4000; i++) {
    double a = x.data[2 * i], b = x.data[2 * i + 1];
    mean[0] += a / 4000;
    mean[1] += b / 4000;
    /* distance to the nearer noiseless arm ±(−θ cos θ + 1/4, θ sin θ + 1/4)/3 over 0 ≤ θ ≤ 3π */
    double least = 1e9;
    for (int k = 0; k < ARM; k++)
      for (int sign = -1; sign <= 1; sign += 2) {
        double u = a - sign * arm[k][0], v = b - sign * arm[k][1];
        least = fmin(least, u * u + v * v);
      }
    least = sqrt(least);
    near += least < 0.3;
    assert_true(least < 0.8);
  }
  assert_true(near > 3800);
  expect_near(mean[0], 0, 0.12); /* the two arms mirror each other; standard deviation about 1.6/√4000 */
  expect_near(mean[1], 0, 0.12);
  mms_matrix_free(&x);
}

static void the_circle_is_exact(void **state) {
  (void)state;
  mms_training_options options = options_for("circle", 12);
  mms_matrix x = select_rows(&options);
  assert_true(x.data[0] == 1 && x.data[1] == 0);
  for (int i = 0; i < 12; i++) {
    expect_near(hypot(x.data[2 * i], x.data[2 * i + 1]), 1, 1e-15);
    expect_near(x.data[2 * i], cos(i * acos(-1.0) / 6), 1e-15);
    expect_near(x.data[2 * i + 1], sin(i * acos(-1.0) / 6), 1e-15);
  }
  mms_matrix_free(&x);
}

static void the_gaussians_are_eight(void **state) {
  (void)state;
  mms_training_options options = options_for("gaussians", 8000);
  mms_matrix x = select_rows(&options);
  int modes[8] = {0};
  double spread = 0;
  for (int i = 0; i < 8000; i++) {
    double angle = atan2(x.data[2 * i + 1], x.data[2 * i]) * 4 / acos(-1.0);
    int mode = ((int)floor(angle + 0.5) + 8) % 8;
    double a = x.data[2 * i] - 4 / 1.414 * cos(mode * acos(-1.0) / 4);
    double b = x.data[2 * i + 1] - 4 / 1.414 * sin(mode * acos(-1.0) / 4);
    modes[mode]++;
    spread += (a * a + b * b) / 16000;
  }
  for (int m = 0; m < 8; m++) expect_near(modes[m], 1000, 150);
  expect_near(sqrt(spread), 0.5 / 1.414, 0.01); /* a few draws in a thousand are nearer another centre */
  mms_matrix_free(&x);
}

static double gap(const mms_matrix *x) { /* the least distance between two rows */
  double least = 1e300;
  for (int64_t i = 0; i < x->rows; i++)
    for (int64_t j = 0; j < i; j++)
      least = fmin(least, hypot(x->data[2 * i] - x->data[2 * j], x->data[2 * i + 1] - x->data[2 * j + 1]));
  return least;
}

static void thinning_spreads_the_points(void **state) {
  (void)state;
  mms_training_options options = options_for("checkerboard", 1000);
  mms_matrix thinned = select_rows(&options), again = select_rows(&options);
  assert_int_equal(thinned.rows, 1000);
  assert_memory_equal(thinned.data, again.data, 2000 * sizeof(double));
  mms_matrix_free(&again);
  options.thin = MMS_THIN_NONE;
  mms_matrix drawn = select_rows(&options);
  assert_true(gap(&thinned) > 0.08 && gap(&drawn) < 0.02);
  /* What farthest-point sampling promises: every draw lies within the least gap of a chosen point. */
  options.count = 10000;
  mms_matrix all = select_rows(&options);
  double reach = 0;
  for (int i = 0; i < 10000; i++) {
    double least = 1e300;
    for (int j = 0; j < 1000; j++)
      least = fmin(least, hypot(all.data[2 * i] - thinned.data[2 * j], all.data[2 * i + 1] - thinned.data[2 * j + 1]));
    reach = fmax(reach, least);
  }
  assert_true(reach <= gap(&thinned));
  options.seed = 4;
  mms_matrix other = select_rows(&options);
  assert_memory_not_equal(all.data, other.data, 2000 * sizeof(double));
  mms_matrix_free(&all);
  mms_matrix_free(&other);
  mms_matrix_free(&drawn);
  mms_matrix_free(&thinned);
}

static void rows_of_a_file_are_chosen_in_order(void **state) {
  (void)state;
  double values[200];
  for (int i = 0; i < 200; i++) values[i] = i;
  write_rows(npy, 100, 2, values);
  mms_training_options options = options_for(npy, 0);
  mms_matrix x = select_rows(&options);
  assert_int_equal(x.rows, 100);
  assert_memory_equal(x.data, values, sizeof values);
  mms_matrix_free(&x);
  options.count = 30;
  x = select_rows(&options);
  assert_int_equal(x.rows, 30);
  for (int i = 1; i < 30; i++) assert_true(x.data[2 * i] > x.data[2 * i - 2]);
  mms_matrix_free(&x);
  options.count = 2; /* on a line: the first is drawn, the second is an end of it */
  options.thin = MMS_THIN_FARTHEST;
  x = select_rows(&options);
  assert_true(x.data[2] == 0 || x.data[2] == 198);
  mms_matrix_free(&x);
  options.count = 101;
  expect_select_refused(&options, "101 rows were asked for");
  expect_select_refused(&options, "has 100");
  options.count = -1;
  expect_select_refused(&options, "negative");
}

static void duplicates_are_thinned_to_the_end(void **state) {
  (void)state;
  const double values[12] = {1, 1, 1, 1, 2, 2, 1, 1, 2, 2, 1, 1};
  write_rows(npy, 6, 2, values);
  mms_training_options options = options_for(npy, 5);
  options.thin = MMS_THIN_FARTHEST;
  mms_matrix x = select_rows(&options);
  assert_int_equal(x.rows, 5);
  assert_true(x.data[0] != x.data[2]);
  mms_matrix_free(&x);
}

static void labels_keep_one_class(void **state) {
  (void)state;
  const double values[12] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}, labels[6] = {3, -1, 7, 3, 7, 7};
  write_rows(npy, 6, 2, values);
  write_rows(npy_labels, 6, 1, labels);
  mms_training_options options = options_for(npy, 0);
  options.labels = npy_labels;
  options.label = 7;
  mms_matrix x = select_rows(&options);
  assert_int_equal(x.rows, 3);
  assert_true(x.data[0] == 4 && x.data[2] == 8 && x.data[4] == 10);
  mms_matrix_free(&x);
  options.count = 4;
  expect_select_refused(&options, "has 3 of that class");
  options.label = 5;
  expect_select_refused(&options, "the labels there are -1, 3, 7");
  write_rows(npy_labels, 5, 1, labels);
  expect_select_refused(&options, "5 labels");
  expect_select_refused(&options, "6 rows");
  write_rows(npy_labels, 3, 2, labels);
  expect_select_refused(&options, "2 numbers per row");
  const double broken[6] = {3, 0.5, 7, 3, 7, 7};
  write_rows(npy_labels, 6, 1, broken);
  expect_select_refused(&options, "row 1 is 0.5");
  options.labels = "not-there.npy";
  expect_select_refused(&options, "not-there.npy: no such file");
  options = options_for("circle", 6);
  options.labels = npy_labels;
  expect_select_refused(&options, "have no labels");
}

static void what_is_not_finite_is_named(void **state) {
  (void)state;
  double values[12] = {0};
  mms_error error = mms_error_none();
  mms_points points;
  values[2 * 4 + 1] = NAN;
  write_rows(npy, 6, 2, values);
  expect_refused(mms_points_read(&points, npy, &error), MMS_ERR_INPUT, &error,
                 "row 4, column 1 (counting from 0) is NaN");
  values[0] = -INFINITY;
  write_rows(npy, 6, 2, values);
  expect_refused(mms_points_read(&points, npy, &error), MMS_ERR_INPUT, &error, "row 0, column 0");
  expect_refused(mms_points_read(&points, npy, &error), MMS_ERR_INPUT, &error, "infinite");
  write_rows(npy, 0, 2, values);
  expect_refused(mms_points_read(&points, npy, &error), MMS_ERR_INPUT, &error, "0 rows of 2 columns");
  write_rows(npy, 2, 0, values);
  expect_refused(mms_points_read(&points, npy, &error), MMS_ERR_INPUT, &error, "2 rows of 0 columns");
}

static void unknown_sources_are_refused_with_what_is_known(void **state) {
  (void)state;
  mms_training_options options = options_for("checkerbord", 10);
  expect_select_refused(&options, "did you mean checkerboard?");
  expect_select_refused(&options, "FILE.npy");
  options.source = "something-else-entirely";
  expect_select_refused(&options, "no such file or generator; accepted are");
  options.source = "there-is-no.npy";
  expect_select_refused(&options, "there-is-no.npy: no such file");
  options.source = NULL;
  expect_select_refused(&options, "source: is missing");
  options.source = folder;
  expect_select_refused(&options, folder);
  FILE *stream = fopen(odd, "wb");
  fputs("1,2\n3,4\n", stream);
  fclose(stream);
  options.source = odd;
  expect_select_refused(&options, "is not a file of a known kind");
  options = options_for("circle", 0);
  expect_select_refused(&options, "count: 0");
}

static void write_h5(const char *name, int rank, const char *name2) {
  double values[24];
  for (int i = 0; i < 24; i++) values[i] = 0.5 * i;
  mms_error error = mms_error_none();
  mms_h5 *file = NULL;
  expect_ok(mms_h5_create(&file, NULL, h5, &error), &error);
  expect_ok(mms_h5_write_array(file, name, MMS_H5_FLOAT64, rank, rank == 1 ? 24 : 4, 6, values, NULL, &error), &error);
  if (name2 != NULL) expect_ok(mms_h5_write_array(file, name2, MMS_H5_FLOAT64, 1, 12, 0, values, NULL, &error), &error);
  expect_ok(mms_h5_attribute_int(file, "/", "image_rows", 2, &error), &error);
  expect_ok(mms_h5_attribute_int(file, "/", "image_columns", 3, &error), &error);
  expect_ok(mms_h5_commit(&file, &error), &error);
}

static void datasets_are_found_or_asked_for(void **state) {
  (void)state;
  mms_error error = mms_error_none();
  mms_points points;
  char name[128];
  write_h5("/samples", 2, "/other/one");
  expect_ok(mms_points_read(&points, h5, &error), &error);
  assert_true(points.values.rows == 4 && points.values.cols == 6 && points.values.data[7] == 3.5);
  assert_true(points.image_rows == 2 && points.image_columns == 3);
  mms_points_free(&points);
  snprintf(name, sizeof name, "%s:/other/one", h5);
  expect_ok(mms_points_read(&points, name, &error), &error);
  assert_true(points.values.rows == 12 && points.values.cols == 1 && points.image_rows == 0);
  mms_points_free(&points);
  snprintf(name, sizeof name, "%s:/nothing", h5);
  expect_refused(mms_points_read(&points, name, &error), MMS_ERR_INPUT, &error, "no dataset /nothing");
  write_h5("/mine", 2, "/yours");
  expect_refused(mms_points_read(&points, h5, &error), MMS_ERR_INPUT, &error, "it holds /mine, /yours");
  write_h5("/samples", 0, NULL);
  expect_refused(mms_points_read(&points, h5, &error), MMS_ERR_INPUT, &error, "single number");
  /* Told by content where the name says nothing; cut short. */
  write_h5("/samples", 2, NULL);
  assert_int_equal(rename(h5, odd), 0);
  expect_ok(mms_points_read(&points, odd, &error), &error);
  mms_points_free(&points);
  assert_int_equal(truncate(odd, 600), 0);
  expect_refused(mms_points_read(&points, odd, &error), MMS_ERR_INPUT, &error, "cut short");
}

static void idx_images_are_scaled_to_one(void **state) {
  (void)state;
  const unsigned char images[] = {0, 0, 8, 3, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 51, 102, 153, 204, 255};
  FILE *stream = fopen(odd, "wb");
  fwrite(images, 1, sizeof images, stream);
  fclose(stream);
  mms_error error = mms_error_none();
  mms_points points;
  expect_ok(mms_points_read(&points, odd, &error), &error);
  assert_true(points.image_rows == 2 && points.image_columns == 3 && points.values.rows == 1);
  for (int i = 0; i < 6; i++) expect_near(points.values.data[i], i / 5.0, 1e-16);
  mms_points_free(&points);
}

static void fashion_sneakers_are_found(void **state) {
  (void)state;
  if (access(FASHION "images-idx3-ubyte.gz", R_OK) != 0) {
    print_message("skipped: Debian's dataset-fashion-mnist is not installed\n");
    skip();
  }
  mms_training_options options = options_for(FASHION "images-idx3-ubyte.gz", 1000);
  options.labels = FASHION "labels-idx1-ubyte.gz";
  options.label = 7;
  mms_error error = mms_error_none();
  mms_points points;
  expect_ok(mms_points_select(&points, &options, &error), &error);
  assert_int_equal(points.values.rows, 1000);
  assert_int_equal(points.values.cols, 784);
  assert_int_equal(points.image_rows, 28);
  double largest = 0, least = 1;
  for (int i = 0; i < 784000; i++) {
    largest = fmax(largest, points.values.data[i]);
    least = fmin(least, points.values.data[i]);
  }
  assert_true(largest == 1.0 && least == 0.0);
  mms_points_free(&points);
  options.count = 6001; /* each of the ten classes has 6,000 */
  expect_refused(mms_points_select(&points, &options, &error), MMS_ERR_INPUT, &error, "has 6000 of that class");
  options.label = 10;
  expect_refused(mms_points_select(&points, &options, &error), MMS_ERR_INPUT, &error, "0, 1, 2, 3, 4, 5, 6, 7, 8, 9");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(the_checkerboard_is_one),
      cmocka_unit_test(the_spirals_are_two),
      cmocka_unit_test(the_circle_is_exact),
      cmocka_unit_test(the_gaussians_are_eight),
      cmocka_unit_test(thinning_spreads_the_points),
      cmocka_unit_test(rows_of_a_file_are_chosen_in_order),
      cmocka_unit_test(duplicates_are_thinned_to_the_end),
      cmocka_unit_test(labels_keep_one_class),
      cmocka_unit_test(what_is_not_finite_is_named),
      cmocka_unit_test(unknown_sources_are_refused_with_what_is_known),
      cmocka_unit_test(datasets_are_found_or_asked_for),
      cmocka_unit_test(idx_images_are_scaled_to_one),
      cmocka_unit_test(fashion_sneakers_are_found),
  };
  return cmocka_run_group_tests(tests, set_up, tear_down);
}
