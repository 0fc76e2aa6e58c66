/* PCA and whitening with the D × D algebra spread over the ranks: the transform that one rank fits, to rounding. */
#include "team_support.h"

#include "mmsold/base/memory.h"
#include "mmsold/random/random.h"
#include "mmsold/training/transform.h"

enum { N = 700 };

/* All ranks fit to rank 0's data; the others bring none. */
static mms_status fit_together(mms_transform *transform, const mms_matrix *data, int64_t components, mms_whiten whiten,
                               int64_t whiten_top, mms_error *error) {
  return mms_transform_fit_distributed(transform, team, mms_team_rank(team) == 0 ? data : NULL, components, whiten,
                                       whiten_top, error);
}

/* Correlated columns around 3, of variances from 9 down; rank 0's, nobody else's. */
static mms_matrix data_of(int64_t n, int64_t columns) {
  mms_matrix data = {0};
  mms_error error = mms_error_none();
  expect_ok(mms_matrix_create(&data, n, columns, "data", &error), &error);
  mms_random_normals((mms_random_key){.seed = 4, .stream = MMS_STREAM_TEST}, 0, n * columns, data.data);
  for (int64_t i = 0; i < n; i++)
    for (int64_t k = columns - 1; k >= 0; k--) {
      double *x = data.data + i * columns + k;
      *x = 3.0 + 3.0 * (*x + (k > 0 ? 0.5 * x[-1] : 0.0)) / (1.0 + (double)k);
    }
  return data;
}

static void compare(const mms_matrix *alone, const mms_matrix *spread, double least_gap) {
  double largest = 0.0, away = 0.0;
  assert_true(alone->rows == spread->rows && alone->cols == spread->cols);
  for (int64_t i = 0; i < alone->rows * alone->cols; i++) {
    largest = fmax(largest, fabs(alone->data[i]));
    away = fmax(away, fabs(alone->data[i] - spread->data[i]));
  }
  expect_near(away / largest, 0.0, 1e-13 / least_gap);
}

static void fits_agree(void **state) {
  (void)state;
  static const struct {
    int64_t columns, components;
    mms_whiten whiten;
    int64_t top;
  } cases[] = {{6, 0, MMS_WHITEN_CAP, 2},   {6, 6, MMS_WHITEN_NONE, 0},  {1, 1, MMS_WHITEN_FULL, 1},
               {70, 20, MMS_WHITEN_CAP, 7}, {80, 0, MMS_WHITEN_FULL, 9}, {80, 66, MMS_WHITEN_FULL, 66}};
  for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
    mms_error error = mms_error_none();
    mms_matrix data = data_of(N, cases[c].columns);
    mms_transform alone, spread;
    const bool leads = mms_team_rank(team) == 0;
    expect_ok(mms_transform_fit(&alone, &data, cases[c].components, cases[c].whiten, cases[c].top, &error), &error);
    expect_ok(fit_together(&spread, &data, cases[c].components, cases[c].whiten, cases[c].top, &error), &error);
    if (leads) {
      assert_true(!spread.identity && spread.dim == alone.dim && spread.data_dim == alone.data_dim);
      compare(&alone.offset, &spread.offset, 1.0);
      /* Eigenvectors are known to the rounding of C over the gap to the next eigenvalue; whitening divides by roots of
       * eigenvalues that are known to the rounding of the largest. */
      compare(&alone.encode, &spread.encode, 1e-3);
      compare(&alone.decode, &spread.decode, 1e-3);
    } else {
      assert_null(spread.encode.data);
    }
    mms_transform_free(&alone);
    mms_transform_free(&spread);
    mms_matrix_free(&data);
  }
}

static void nothing_to_fit_is_the_identity(void **state) {
  (void)state;
  mms_error error = mms_error_none();
  mms_matrix data = data_of(10, 3);
  mms_transform transform;
  expect_ok(fit_together(&transform, &data, 0, MMS_WHITEN_NONE, 0, &error), &error);
  assert_true(transform.identity);
  mms_transform_free(&transform);
  mms_matrix_free(&data);
}

/* What rank 0 alone can see is said by all. */
static void bad_sizes_are_agreed_on(void **state) {
  (void)state;
  mms_error error = mms_error_none();
  mms_matrix data = data_of(10, 30);
  mms_transform transform;
  expect_refused(fit_together(&transform, &data, 11, MMS_WHITEN_NONE, 0, &error), MMS_ERR_INPUT, &error,
                 "components: 11 is not possible with 10 points of 30 columns");
  expect_same_message(&error);
  data.data[7] = INFINITY;
  error = mms_error_none();
  expect_refused(fit_together(&transform, &data, 3, MMS_WHITEN_NONE, 0, &error), MMS_ERR_NUMERIC, &error, "finite");
  expect_same_message(&error);
  assert_null(transform.encode.data);
  mms_matrix_free(&data);
}

int main(int argc, char **argv) {
  if (!team_begin(&argc, &argv)) return 1;
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(fits_agree),
      cmocka_unit_test(nothing_to_fit_is_the_identity),
      cmocka_unit_test(bad_sizes_are_agreed_on),
  };
  return team_end(cmocka_run_group_tests(tests, NULL, NULL));
}
