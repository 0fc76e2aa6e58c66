/* The training set on all ranks: the same points, transform and words everywhere; failures are agreed on; what
 * `prepare` stores comes back to the bit. */
#include "team_support.h"

#include "mmsold/base/memory.h"
#include "mmsold/store/arrays.h"
#include "mmsold/training/training.h"
#include <stdlib.h>
#include <unistd.h>

static char npy[64], prepared[64];

enum { N = 300, D = 8 };

/* On rank 0 a file of N x D numbers; `bad` puts a NaN into it. */
static void write_data(bool bad) {
  mms_error error = mms_error_none();
  if (mms_team_rank(team) == 0) {
    mms_matrix data;
    expect_ok(mms_matrix_create(&data, N, D, "data", &error), &error);
    for (int i = 0; i < N * D; i++) data.data[i] = sin(1.7 * i * i) * (1 + i % D) + 0.2 * (i % D);
    if (bad) data.data[17 * D + 3] = NAN;
    expect_ok(mms_npy_write(&data, npy, &error), &error);
    mms_matrix_free(&data);
  }
  mms_team_barrier(team);
}

static mms_training_options options_for(const char *source) {
  return (mms_training_options){.source = source, .count = 200, .seed = 9, .label = -1, .whiten = MMS_WHITEN_NONE};
}

static void expect_same_refusal(const mms_training_options *options, const char *part) {
  mms_error error = mms_error_none();
  mms_training training;
  mms_status status = mms_training_create(&training, team, options, &error);
  expect_refused(status, MMS_ERR_INPUT, &error, part);
  expect_same_bytes(error.message, sizeof error.message);
  assert_null(training.points);
  assert_null(training.memory);
  assert_null(training.description);
}

static void all_ranks_hold_the_same(void **state) {
  (void)state;
  mms_error error = mms_error_none();
  mms_training training;
  write_data(false);
  mms_training_options options = options_for(npy);
  options.components = 5;
  options.whiten = MMS_WHITEN_CAP;
  options.whiten_top = 2;
  expect_ok(mms_training_create(&training, team, &options, &error), &error);
  assert_true(training.count == 200 && training.dim == 5 && training.transform.data_dim == D);
  expect_same_bytes(training.points, 200 * 5 * sizeof(double));
  expect_same_bytes(training.transform.offset.data, D * sizeof(double));
  expect_same_bytes(training.transform.encode.data, D * 5 * sizeof(double));
  expect_same_bytes(training.transform.decode.data, D * 5 * sizeof(double));
  expect_same_bytes(&training.checksum, sizeof training.checksum);
  assert_non_null(
      strstr(training.description, "300 rows, 200 kept; PCA to 5 components; whitening (cap) of the top 2"));
  /* The points are the selected rows, encoded. */
  mms_points points;
  double z[5];
  expect_ok(mms_points_select(&points, &options, &error), &error);
  for (int i = 0; i < 200; i++) {
    mms_transform_encode(&training.transform, 1, points.values.data + i * D, z);
    assert_memory_equal(z, training.points + i * 5, sizeof z);
  }
  mms_points_free(&points);
  mms_training_free(&training);
  assert_null(training.points);
}

static void generators_need_no_file(void **state) {
  (void)state;
  mms_error error = mms_error_none();
  mms_training training;
  mms_training_options options = options_for("checkerboard");
  expect_ok(mms_training_create(&training, team, &options, &error), &error);
  assert_true(training.count == 200 && training.dim == 2 && training.transform.identity);
  expect_same_bytes(training.points, 400 * sizeof(double));
  assert_non_null(strstr(training.description, "200 points thinned from 2000 draws"));
  mms_training_free(&training);
}

/* One byte's difference shows; the value for no bytes but the sizes is FNV-1a's by hand. */
static void the_checksum_sees_every_byte(void **state) {
  (void)state;
  mms_error error = mms_error_none();
  mms_training a, b;
  mms_training_options options = options_for("circle");
  options.count = 2;
  expect_ok(mms_training_create(&a, team, &options, &error), &error);
  uint64_t hash = UINT64_C(14695981039346656037);
  const int64_t sizes[2] = {2, 2};
  for (int i = 0; i < 16; i++) hash = (hash ^ ((const unsigned char *)sizes)[i]) * UINT64_C(1099511628211);
  for (int i = 0; i < 32; i++) hash = (hash ^ ((const unsigned char *)a.points)[i]) * UINT64_C(1099511628211);
  assert_true(a.checksum == hash);
  options = options_for("gaussians");
  options.count = 2;
  expect_ok(mms_training_create(&b, team, &options, &error), &error);
  assert_true(a.checksum != b.checksum);
  mms_training_free(&a);
  mms_training_free(&b);
}

static void store_and_read_back(const mms_training_options *options, bool identity) {
  mms_error error = mms_error_none();
  mms_training made, read;
  expect_ok(mms_training_create(&made, team, options, &error), &error);
  if (mms_team_rank(team) == 0) {
    unlink(prepared);
    expect_ok(mms_training_store(&made, "training:\n  source: here\n", prepared, &error), &error);
    expect_refused(mms_training_store(&made, NULL, prepared, &error), MMS_ERR_INPUT, &error, "not written over");
  }
  mms_team_barrier(team);
  mms_training_options again = options_for(prepared);
  again.count = 0;
  expect_ok(mms_training_create(&read, team, &again, &error), &error);
  assert_true(read.count == made.count && read.dim == made.dim && read.checksum == made.checksum);
  assert_memory_equal(read.points, made.points, (size_t)(made.count * made.dim) * sizeof(double));
  assert_true(read.transform.identity == identity);
  assert_int_equal(read.transform.data_dim, made.transform.data_dim);
  if (!identity) {
    size_t bytes = (size_t)(made.dim * made.transform.data_dim) * sizeof(double);
    assert_memory_equal(read.transform.encode.data, made.transform.encode.data, bytes);
    assert_memory_equal(read.transform.decode.data, made.transform.decode.data, bytes);
    assert_memory_equal(read.transform.offset.data, made.transform.offset.data, D * sizeof(double));
  }
  /* Read as plain points it is in the data's coordinates. */
  mms_points points;
  expect_ok(mms_points_read(&points, prepared, &error), &error);
  assert_int_equal(points.values.cols, made.transform.data_dim);
  double x[D];
  mms_transform_decode(&made.transform, 1, made.points + 7 * made.dim, x);
  assert_memory_equal(points.values.data + 7 * points.values.cols, x, (size_t)points.values.cols * sizeof(double));
  mms_points_free(&points);
  mms_training_free(&read);
  mms_training_free(&made);
}

static void what_prepare_stores_comes_back_to_the_bit(void **state) {
  (void)state;
  write_data(false);
  mms_training_options options = options_for("spirals");
  store_and_read_back(&options, true);
  options = options_for(npy);
  options.components = 5;
  options.whiten = MMS_WHITEN_FULL;
  options.whiten_top = 3;
  store_and_read_back(&options, false);
  options = options_for(prepared);
  options.components = 2;
  expect_same_refusal(&options, "has its transform");
  options.components = 0;
  options.count = 50; /* a part of it keeps the transform */
  mms_error error = mms_error_none();
  mms_training part;
  expect_ok(mms_training_create(&part, team, &options, &error), &error);
  assert_true(part.count == 50 && part.dim == 5 && !part.transform.identity);
  mms_training_free(&part);
}

static void a_changed_prepared_file_is_refused(void **state) {
  (void)state;
  mms_error error = mms_error_none();
  mms_training made;
  mms_training_options options = options_for("circle");
  expect_ok(mms_training_create(&made, team, &options, &error), &error);
  if (mms_team_rank(team) == 0) {
    unlink(prepared);
    made.checksum ^= 1;
    expect_ok(mms_training_store(&made, NULL, prepared, &error), &error);
  }
  mms_team_barrier(team);
  options = options_for(prepared);
  expect_same_refusal(&options, "does not have the checksum");
  mms_training_free(&made);
}

static void refusals_are_the_same_on_all_ranks(void **state) {
  (void)state;
  mms_training_options options = options_for("not-there.npy");
  expect_same_refusal(&options, "not-there.npy: no such file");
  write_data(true);
  options = options_for(npy);
  expect_same_refusal(&options, "row 17, column 3 (counting from 0) is NaN");
  write_data(false);
  options.count = 301;
  expect_same_refusal(&options, "301 rows were asked for");
  options.count = 0;
  options.components = 9;
  expect_same_refusal(&options, "components: 9");
  options.components = -3;
  expect_same_refusal(&options, "components: -3");
  options.components = 4;
  options.whiten = MMS_WHITEN_CAP;
  options.whiten_top = 5;
  expect_same_refusal(&options, "whiten_top: 5");
  options = options_for("circle");
  options.placement = MMS_PLACEMENT_PARTITIONED;
  expect_same_refusal(&options, "placement: partitioned");
  options = options_for("spiral");
  expect_same_refusal(&options, "did you mean spirals?");
}

static int set_up(void **state) {
  (void)state;
  snprintf(npy, sizeof npy, "training-%d.npy", mms_team_size(team));
  snprintf(prepared, sizeof prepared, "training-%d.h5", mms_team_size(team));
  return 0;
}

static int tear_down(void **state) {
  (void)state;
  mms_team_barrier(team);
  if (mms_team_rank(team) == 0) {
    unlink(npy);
    unlink(prepared);
  }
  return 0;
}

int main(int argc, char **argv) {
  if (!team_begin(&argc, &argv)) return 1;
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(all_ranks_hold_the_same),
      cmocka_unit_test(generators_need_no_file),
      cmocka_unit_test(the_checksum_sees_every_byte),
      cmocka_unit_test(what_prepare_stores_comes_back_to_the_bit),
      cmocka_unit_test(a_changed_prepared_file_is_refused),
      cmocka_unit_test(refusals_are_the_same_on_all_ranks),
  };
  return team_end(cmocka_run_group_tests(tests, set_up, tear_down));
}
