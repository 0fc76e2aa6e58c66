/* Comparison of files: which dataset is meant, coordinates of a prepared set, defects against a file's own target. */
#include "support.h"

#include "mmsold/random/random.h"
#include "mmsold/store/arrays.h"
#include "mmsold/store/h5.h"
#include "mmsold/study/compare.h"
#include "mmsold/training/training.h"
#include "training/source.h"
#include <stdlib.h>
#include <unistd.h>

static char folder[] = "compare-test-XXXXXX";
static char a_file[64], b_file[64];

static int make_folder(void **state) {
  (void)state;
  if (mkdtemp(folder) == NULL) return -1;
  snprintf(a_file, sizeof a_file, "%s/a.h5", folder);
  snprintf(b_file, sizeof b_file, "%s/b.npy", folder);
  return 0;
}

static int remove_folder(void **state) {
  (void)state;
  unlink(a_file);
  unlink(b_file);
  int left = rmdir(folder);
  strcpy(folder, "compare-test-XXXXXX");
  return left;
}

enum { P = 40, D = 2 };
static double data[P * D], latent[P * D];

/* data = a + 10 · latent; latent has mean 0 and covariance I exactly. */
static void fill_points(void) {
  for (int i = 0; i < P; i++) {
    latent[D * i] = i % 2 == 0 ? 1 : -1;
    latent[D * i + 1] = i / 2 % 2 == 0 ? 1 : -1;
    data[D * i] = 3 + 10 * latent[D * i];
    data[D * i + 1] = -4 + 10 * latent[D * i + 1];
  }
}

static void put(mms_h5 *file, const char *name, int64_t rows, int64_t cols, const double *values) {
  mms_error error = mms_error_none();
  expect_ok(mms_h5_write_array(file, name, MMS_H5_FLOAT64, 2, rows, cols, values, "test", &error), &error);
}

static void write_b(const double *values, int64_t rows, int64_t cols) {
  mms_error error = mms_error_none();
  double copy[P * D];
  memcpy(copy, values, (size_t)(rows * cols) * sizeof *copy);
  mms_matrix set = {rows, cols, copy};
  expect_ok(mms_npy_write(&set, b_file, &error), &error);
}

static void samples_are_measured_against_their_own_target(void **state) {
  (void)state;
  fill_points();
  const double mean[D] = {1e-12, 0}, covariance[D * D] = {1, 0, 0, 1};
  mms_error error = mms_error_none();
  mms_h5 *file = NULL;
  expect_ok(mms_h5_create(&file, NULL, a_file, &error), &error);
  put(file, "/samples", P, D, data);
  put(file, "/latent", P, D, latent);
  expect_ok(mms_h5_write_array(file, "/target/mean", MMS_H5_FLOAT64, 1, D, 1, mean, "test", &error), &error);
  put(file, "/target/covariance", D, D, covariance);
  put(file, "/other", P, D, latent);
  expect_ok(mms_h5_commit(&file, &error), &error);
  write_b(data, P, D);
  mms_comparison found;
  expect_ok(mms_compare_files(&found, a_file, b_file, 16, 0, &error), &error);
  assert_true(found.sw2 == 0); /* /samples, in the data's coordinates */
  assert_true(found.has_defects && found.defects_against_target);
  expect_near(found.mean_defect, 1e-12, 1e-15);
  expect_near(found.covariance_defect, 0, 1e-14);
  char source[96];
  snprintf(source, sizeof source, "%s:/samples", a_file);
  expect_ok(mms_compare_files(&found, source, b_file, 16, 0, &error), &error);
  assert_true(found.defects_against_target);
  snprintf(source, sizeof source, "%s:/other", a_file); /* another dataset: nothing to do with the target */
  expect_ok(mms_compare_files(&found, source, b_file, 16, 0, &error), &error);
  assert_false(found.defects_against_target);
  assert_true(found.sw2 > 1 && found.has_defects);
}

static void a_prepared_set_is_taken_back_to_the_data(void **state) {
  (void)state;
  fill_points();
  double offset[D] = {3, -4}, factor[D * D] = {10, 0, 0, 10}, inverse[D * D] = {0.1, 0, 0, 0.1};
  char description[] = "made by hand";
  const mms_training training = {
      .count = P,
      .dim = D,
      .points = latent,
      .checksum = mms_training_checksum(P, D, latent),
      .description = description,
      .transform = {
          .data_dim = D, .dim = D, .offset = {1, D, offset}, .encode = {D, D, inverse}, .decode = {D, D, factor}}};
  mms_error error = mms_error_none();
  expect_ok(mms_training_store(&training, "", a_file, &error), &error);
  write_b(data, P, D);
  mms_comparison found;
  expect_ok(mms_compare_files(&found, b_file, a_file, 16, 0, &error), &error);
  expect_near(found.sw2, 0, 1e-13);
  assert_false(found.defects_against_target);
}

static void files_that_do_not_fit_are_refused(void **state) {
  (void)state;
  fill_points();
  const double offset[3] = {0}, covariance[1] = {1};
  mms_error error = mms_error_none();
  mms_comparison found;
  write_b(data, P / 2, D);
  expect_refused(mms_compare_files(&found, b_file, "no-such.npy", 8, 0, &error), MMS_ERR_INPUT, &error, "no-such.npy");
  mms_h5 *file = NULL;
  expect_ok(mms_h5_create(&file, NULL, a_file, &error), &error);
  put(file, "/samples", P / 4, 4, data);
  put(file, "/latent", P / 4, 4, data);
  put(file, "/target/mean", 1, 3, offset);
  put(file, "/target/covariance", 1, 1, covariance);
  put(file, "/training", P, D, latent);
  put(file, "/narrow", P / 2, D, latent);
  expect_ok(mms_h5_commit(&file, &error), &error);
  expect_refused(mms_compare_files(&found, a_file, b_file, 8, 0, &error), MMS_ERR_INPUT, &error, "has 4 columns");
  expect_refused(mms_compare_files(&found, a_file, a_file, 8, 0, &error), MMS_ERR_INPUT, &error, "/target/mean");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(samples_are_measured_against_their_own_target, make_folder, remove_folder),
      cmocka_unit_test_setup_teardown(a_prepared_set_is_taken_back_to_the_data, make_folder, remove_folder),
      cmocka_unit_test_setup_teardown(files_that_do_not_fit_are_refused, make_folder, remove_folder),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
