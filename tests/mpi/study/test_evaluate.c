/* The field at given points: brute force, quadrature, standard errors that are true, and the same bits whatever the
 * number of ranks. */
#include "team_support.h"

#include "mmsold/base/memory.h"
#include "mmsold/random/random.h"
#include "mmsold/store/arrays.h"
#include "mmsold/store/h5.h"
#include "mmsold/study/evaluate.h"
#include <stdlib.h>
#include <unistd.h>

static char training_file[64], points_file[64], wide_file[64], output[64], alone[64];

/* The names, with this run's process number in them, are the same on all ranks. */
static void name_files(void) {
  const long long id = team_run_number();
  snprintf(training_file, sizeof training_file, "evaluate-%lld-training.npy", id);
  snprintf(points_file, sizeof points_file, "evaluate-%lld-points.npy", id);
  snprintf(wide_file, sizeof wide_file, "evaluate-%lld-wide.npy", id);
  snprintf(output, sizeof output, "evaluate-%lld.h5", id);
  snprintf(alone, sizeof alone, "evaluate-%lld-alone-%d.h5", id, mms_team_rank(team));
}

static mms_matrix normals(int64_t rows, int64_t cols, uint64_t item, double scale) {
  mms_matrix set;
  mms_error error = mms_error_none();
  expect_ok(mms_matrix_create(&set, rows, cols, "a test set", &error), &error);
  mms_random_normals((mms_random_key){.seed = 8, .stream = MMS_STREAM_TEST, .item = item}, 0, rows * cols, set.data);
  for (int64_t i = 0; i < rows * cols; i++) set.data[i] *= scale;
  return set;
}

/* On rank 0; all wait. The matrix is freed. */
static void write_npy(const char *path, mms_matrix set) {
  mms_error error = mms_error_none();
  mms_status status = mms_team_rank(team) == 0 ? mms_npy_write(&set, path, &error) : MMS_OK;
  expect_ok(mms_team_agree(team, status, &error), &error);
  mms_matrix_free(&set);
}

static void remove_file(const char *path) {
  mms_team_barrier(team);
  if (mms_team_rank(team) == 0) unlink(path);
  mms_team_barrier(team);
}

static mms_evaluate_request request_of(double bandwidth, double smoothing, int64_t samples) {
  return (mms_evaluate_request){.team = team,
                                .training = {.source = training_file, .thin = MMS_THIN_NONE, .label = -1},
                                .score = {.bandwidth = bandwidth, .smoothing = smoothing, .smoothing_samples = samples},
                                .seed = 11,
                                .points = points_file,
                                .output = output,
                                .configuration = "a: 1\n"};
}

/* Everything `evaluate` writes. */
typedef struct evaluated {
  mms_matrix sets[7];
} evaluated;
enum { POINTS, U, GRAD_U, V, GRAD_V, V_STDERR, GRAD_V_STDERR };
static const char *const names[7] = {"/points", "/U", "/grad_U", "/V", "/grad_V", "/V_stderr", "/grad_V_stderr"};

static evaluated read_back(const char *path) {
  evaluated found;
  mms_h5 *file = NULL;
  mms_error error = mms_error_none();
  expect_ok(mms_h5_open(&file, NULL, path, &error), &error);
  for (int i = 0; i < 7; i++) expect_ok(mms_h5_read_matrix(file, names[i], &found.sets[i], &error), &error);
  char *text = NULL;
  expect_ok(mms_h5_read_text(file, "/", "configuration", &text, &error), &error);
  assert_string_equal(text, "a: 1\n");
  free(text);
  mms_h5_close(&file);
  return found;
}

static void put_away(evaluated *found) {
  for (int i = 0; i < 7; i++) mms_matrix_free(&found->sets[i]);
}

static evaluated evaluate(mms_evaluate_request request) {
  mms_error error = mms_error_none();
  expect_ok(mms_evaluate(&request, &error), &error);
  evaluated found = read_back(request.output);
  if (request.team != NULL)
    remove_file(request.output);
  else
    unlink(request.output);
  return found;
}

/* U(z) = −log (1/n) Σ exp(−|z − x|²/2δ²) in one dimension, straight from its definition. */
static double potential_1d(double z, const double *x, int64_t n, double delta) {
  double sum = 0;
  for (int64_t i = 0; i < n; i++) sum += exp(-(z - x[i]) * (z - x[i]) / (2 * delta * delta));
  return -log(sum / (double)n);
}

/* E U(z + σε) by the trapezoidal rule over ±8 standard deviations: exact to rounding for so smooth a function. */
static double smoothed_1d(double z, const double *x, int64_t n, double delta, double sigma) {
  double sum = 0, weight = 0;
  for (int i = -400; i <= 400; i++) {
    double e = 0.02 * i, w = exp(-0.5 * e * e);
    sum += w * potential_1d(z + sigma * e, x, n, delta);
    weight += w;
  }
  return sum / weight;
}

static void exact_field_is_its_definition(void **state) {
  (void)state;
  write_npy(training_file, normals(9, 1, 1, 1));
  write_npy(points_file, normals(150, 1, 2, 1.5));
  evaluated found = evaluate(request_of(0.5, 0, 0));
  mms_matrix x = normals(9, 1, 1, 1);
  assert_int_equal(found.sets[POINTS].rows, 150);
  for (int64_t i = 0; i < 150; i++) {
    double z = found.sets[POINTS].data[i], h = 1e-5;
    double slope = (potential_1d(z + h, x.data, 9, 0.5) - potential_1d(z - h, x.data, 9, 0.5)) / (2 * h);
    expect_near(found.sets[U].data[i], potential_1d(z, x.data, 9, 0.5), 1e-12);
    expect_near(found.sets[GRAD_U].data[i], slope, 1e-7);
    assert_true(found.sets[V].data[i] == found.sets[U].data[i]); /* no smoothing: V = U, without an error */
    assert_true(found.sets[GRAD_V].data[i] == found.sets[GRAD_U].data[i]);
    assert_true(found.sets[V_STDERR].data[i] == 0 && found.sets[GRAD_V_STDERR].data[i] == 0);
  }
  mms_matrix_free(&x);
  put_away(&found);
  remove_file(training_file);
  remove_file(points_file);
}

/* Estimates less quadrature, in units of the standard error given, have mean square 1. */
static void standard_errors_are_true(void **state) {
  (void)state;
  write_npy(training_file, normals(9, 1, 1, 1));
  write_npy(points_file, normals(300, 1, 2, 1));
  const double delta = 0.3, sigma = 0.4;
  evaluated found = evaluate(request_of(delta, sigma, 400));
  mms_matrix x = normals(9, 1, 1, 1);
  double square = 0, square_gradient = 0;
  for (int64_t i = 0; i < 300; i++) {
    double z = found.sets[POINTS].data[i], h = 1e-4;
    double wanted = smoothed_1d(z, x.data, 9, delta, sigma);
    double slope =
        (smoothed_1d(z + h, x.data, 9, delta, sigma) - smoothed_1d(z - h, x.data, 9, delta, sigma)) / (2 * h);
    double score = (found.sets[V].data[i] - wanted) / found.sets[V_STDERR].data[i];
    double score_gradient = (found.sets[GRAD_V].data[i] - slope) / found.sets[GRAD_V_STDERR].data[i];
    assert_true(found.sets[V_STDERR].data[i] > 0 && fabs(score) < 6 && fabs(score_gradient) < 6);
    square += score * score / 300;
    square_gradient += score_gradient * score_gradient / 300;
  }
  const double spread = sqrt(2.0 / 300); /* of the mean of 300 squares of normals */
  expect_near(square, 1, 5 * spread);
  expect_near(square_gradient, 1, 5 * spread);
  mms_matrix_free(&x);
  put_away(&found);
  remove_file(training_file);
  remove_file(points_file);
}

/* A team of any size against this process alone; more ranks than blocks too (1 block, 1 point). */
static void same_bits_at_any_rank_count(void **state) {
  (void)state;
  const int64_t counts[4] = {1, 64, 65, 300};
  write_npy(training_file, normals(200, 3, 3, 1));
  for (int c = 0; c < 4; c++) {
    write_npy(points_file, normals(counts[c], 3, 4, 1));
    for (int sharing = 0; sharing < 3; sharing++) {
      mms_evaluate_request request = request_of(0.3, 0.2, 6);
      request.score.sharing = (mms_sharing)sharing;
      request.score.backend = sharing == 0 ? MMS_BACKEND_DENSE : MMS_BACKEND_AUTO;
      request.score.noise = sharing == 1 ? MMS_NOISE_FIXED : MMS_NOISE_FRESH;
      evaluated together = evaluate(request);
      request.team = NULL;
      request.output = alone;
      evaluated single = evaluate(request);
      for (int i = 0; i < 7; i++) {
        assert_int_equal(single.sets[i].rows, counts[c]);
        assert_int_equal(together.sets[i].rows, single.sets[i].rows);
        assert_int_equal(together.sets[i].cols, single.sets[i].cols);
        assert_memory_equal(together.sets[i].data, single.sets[i].data,
                            (size_t)(single.sets[i].rows * single.sets[i].cols) * sizeof(double));
      }
      for (int64_t i = 0; i < counts[c]; i++) assert_true(single.sets[V_STDERR].data[i] > 0); /* pairs differ */
      put_away(&together);
      put_away(&single);
    }
    remove_file(points_file);
  }
  remove_file(training_file);
}

/* The neighbours backend: U, V and their gradients are averages of an estimator over repeats, whose standard errors are
 * true, and K = n leaves nothing to chance in U. Same bits at any rank count. */
static void estimates_are_averaged_over_repeats(void **state) {
  (void)state;
  write_npy(training_file, normals(30, 3, 1, 1));
  write_npy(points_file, normals(100, 3, 2, 1));
  mms_evaluate_request request = request_of(0.8, 0.3, 4);
  evaluated exact = evaluate(request);
  request.score.backend = MMS_BACKEND_NEIGHBOURS;
  request.score.nearest = 30;
  evaluated all = evaluate(request);
  for (int64_t i = 0; i < 300; i++) expect_near(all.sets[GRAD_U].data[i], exact.sets[GRAD_U].data[i], 1e-12);
  assert_true(isnan(all.sets[GRAD_V_STDERR].data[0])); /* one estimate has no spread */
  request.score.nearest = 6, request.score.remainder = 12, request.repeats = 200;
  evaluated few = evaluate(request);
  request.team = NULL;
  request.output = alone;
  evaluated single = evaluate(request);
  for (int i = 0; i < 7; i++)
    assert_memory_equal(few.sets[i].data, single.sets[i].data,
                        (size_t)(single.sets[i].rows * single.sets[i].cols) * sizeof(double));
  request.score.backend = MMS_BACKEND_DENSE;
  request.score.smoothing_samples = 400;
  request.repeats = 10;
  evaluated many = evaluate(request); /* 2,000 pairs */
  double square = 0;
  for (int64_t i = 0; i < 300; i++) {
    double off = few.sets[GRAD_V].data[i] - many.sets[GRAD_V].data[i];
    double error = hypot(few.sets[GRAD_V_STDERR].data[i], many.sets[GRAD_V_STDERR].data[i]);
    square += off * off / (error * error) / 300;
  }
  expect_near(square, 1, 0.7); /* a ratio has a bias of O(1/L), below its spread over 200 repeats */
  evaluated *made[5] = {&exact, &all, &few, &single, &many};
  for (int i = 0; i < 5; i++) put_away(made[i]);
  remove_file(training_file);
  remove_file(points_file);
}

static void a_single_pair_has_no_standard_error(void **state) {
  (void)state;
  write_npy(training_file, normals(9, 2, 1, 1));
  write_npy(points_file, normals(5, 2, 2, 1));
  evaluated found = evaluate(request_of(0.3, 0.2, 2));
  for (int64_t i = 0; i < 5; i++) {
    assert_true(isnan(found.sets[V_STDERR].data[i]) && isnan(found.sets[GRAD_V_STDERR].data[2 * i]));
    assert_true(isfinite(found.sets[V].data[i]) && isfinite(found.sets[GRAD_V].data[2 * i]));
  }
  put_away(&found);
  remove_file(training_file);
  remove_file(points_file);
}

static void wrong_requests_are_refused_by_all(void **state) {
  (void)state;
  write_npy(training_file, normals(9, 2, 1, 1));
  write_npy(points_file, normals(5, 2, 2, 1));
  write_npy(wide_file, normals(5, 3, 2, 1));
  mms_error error = mms_error_none();
  mms_evaluate_request request = request_of(0.3, 0.2, 2);
  request.points = wide_file;
  expect_refused(mms_evaluate(&request, &error), MMS_ERR_INPUT, &error, "3 columns");
  expect_refused(mms_evaluate(&request, &error), MMS_ERR_INPUT, &error, "d = 2");
  assert_int_not_equal(access(output, F_OK), 0);
  request.points = "no-such-points.npy";
  expect_refused(mms_evaluate(&request, &error), MMS_ERR_INPUT, &error, "no-such-points.npy");
  request.points = points_file;
  request.output = points_file; /* any existing file */
  expect_refused(mms_evaluate(&request, &error), MMS_ERR_INPUT, &error, "exists");
  request.output = "no-such-folder/a.h5";
  expect_refused(mms_evaluate(&request, &error), MMS_ERR_INPUT, &error, "no-such-folder");
  request = request_of(0, 0.2, 2);
  expect_refused(mms_evaluate(&request, &error), MMS_ERR_INPUT, &error, "bandwidth 0");
  request = request_of(0.3, 0.2, 3);
  expect_refused(mms_evaluate(&request, &error), MMS_ERR_INPUT, &error, "3 draws");
  remove_file(training_file);
  remove_file(points_file);
  remove_file(wide_file);
}

int main(int argc, char **argv) {
  if (!team_begin(&argc, &argv)) return 1;
  name_files();
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(exact_field_is_its_definition),       cmocka_unit_test(standard_errors_are_true),
      cmocka_unit_test(estimates_are_averaged_over_repeats), cmocka_unit_test(same_bits_at_any_rank_count),
      cmocka_unit_test(a_single_pair_has_no_standard_error), cmocka_unit_test(wrong_requests_are_refused_by_all),
  };
  return team_end(cmocka_run_group_tests(tests, NULL, NULL));
}
