/* PCA and whitening against what they must do: project, invert, give the predicted spectrum, turn with the data. */
#include "support.h"

#include "mmsold/base/memory.h"
#include "mmsold/linalg/dense.h"
#include "mmsold/random/random.h"
#include "mmsold/training/transform.h"
#include <stdlib.h>

static const double FLOOR = 1e-5; /* ALGORITHMS section 5 */

/* n points in d dimensions, correlated, column j with a scale of about 3/(1 + j), far from the origin. */
static mms_matrix make_data(int64_t n, int64_t d) {
  mms_matrix data;
  mms_error error = mms_error_none();
  expect_ok(mms_matrix_create(&data, n, d, "data", &error), &error);
  for (int64_t i = 0; i < n; i++) {
    mms_random_key key = {.seed = 5, .stream = MMS_STREAM_TEST, .step = 0, .item = (uint64_t)i};
    double *row = data.data + i * d;
    mms_random_normals(key, 0, d, row);
    for (int64_t j = 0; j < d; j++) row[j] = 3 * row[j] / (double)(1 + j) + (j > 0 ? 0.3 * row[j - 1] : 0) + 10;
  }
  return data;
}

/* Covariance by 1/(n − 1), plainly: [d][d]. */
static double *covariance_of(int64_t n, int64_t d, const double *x) {
  double *mean = calloc((size_t)d, sizeof(double)), *c = calloc((size_t)(d * d), sizeof(double));
  for (int64_t i = 0; i < n * d; i++) mean[i % d] += x[i] / (double)n;
  for (int64_t i = 0; i < n; i++)
    for (int64_t j = 0; j < d; j++)
      for (int64_t k = 0; k < d; k++)
        c[j * d + k] += (x[i * d + j] - mean[j]) * (x[i * d + k] - mean[k]) / (double)(n - 1);
  free(mean);
  return c;
}

static double *eigenvalues_of(int64_t n, int64_t d, const double *x) {
  double *c = covariance_of(n, d, x), *e = malloc((size_t)d * sizeof(double)), *q = malloc((size_t)(d * d) * 8);
  mms_error error = mms_error_none();
  expect_ok(mms_dense_eigen(d, c, e, q, &error), &error);
  free(c);
  free(q);
  return e;
}

static double *encoded(const mms_transform *t, const mms_matrix *data) {
  double *z = malloc((size_t)(data->rows * t->dim) * sizeof(double));
  mms_transform_encode(t, data->rows, data->data, z);
  return z;
}

static void nothing_to_fit_is_the_identity_to_the_bit(void **state) {
  (void)state;
  mms_error error = mms_error_none();
  mms_matrix data = make_data(20, 3);
  mms_transform t;
  double z[60], x[60];
  expect_ok(mms_transform_fit(&t, &data, 0, MMS_WHITEN_NONE, 0, &error), &error);
  assert_true(t.identity && t.dim == 3 && t.data_dim == 3);
  mms_transform_encode(&t, 20, data.data, z);
  assert_memory_equal(z, data.data, sizeof z);
  mms_transform_decode(&t, 20, z, x);
  assert_memory_equal(x, data.data, sizeof x);
  mms_transform_free(&t);
  mms_matrix_free(&data);
}

static void pca_projects_on_the_largest_directions(void **state) {
  (void)state;
  enum { N = 200, D = 9, C = 4 };
  mms_error error = mms_error_none();
  mms_matrix data = make_data(N, D);
  mms_transform t;
  expect_ok(mms_transform_fit(&t, &data, C, MMS_WHITEN_NONE, 0, &error), &error);
  assert_true(!t.identity && t.dim == C && t.data_dim == D);
  double *z = encoded(&t, &data), *e = eigenvalues_of(N, D, data.data), *c = covariance_of(N, C, z);
  for (int i = 0; i < C; i++)
    for (int j = 0; j < C; j++) expect_near(c[i * C + j], i == j ? e[i] : 0.0, 1e-12 * e[0]);
  /* decode(encode(x)) is a projection: what it drops has the variance of the other directions, and twice is once. */
  double x[N * D], again[N * D], dropped = 0, rest = 0;
  mms_transform_decode(&t, N, z, x);
  for (int i = 0; i < N * D; i++) dropped += (x[i] - data.data[i]) * (x[i] - data.data[i]) / (N - 1);
  for (int j = C; j < D; j++) rest += e[j];
  expect_near(dropped, rest, 1e-10 * e[0]);
  mms_transform_encode(&t, N, x, z);
  mms_transform_decode(&t, N, z, again);
  for (int i = 0; i < N * D; i++) expect_near(again[i], x[i], 1e-12 * 10);
  free(z);
  free(e);
  free(c);
  mms_transform_free(&t);
  mms_matrix_free(&data);
}

/* The variance that direction j must have after whitening: e_j (without its floor) / λ'_j. */
static double predicted(const double *e, int d, int j, mms_whiten whiten, int k) {
  double lambda = 1;
  if (whiten == MMS_WHITEN_CAP && j >= k) lambda = (e[j] + FLOOR) / (e[k < d ? k : d - 1] + FLOOR);
  if (whiten == MMS_WHITEN_FULL) lambda = e[j < k ? j : k - 1] + FLOOR;
  return e[j] / lambda;
}

static int descending(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x < y) - (x > y);
}

static void whitened_spectra_are_as_predicted(void **state) {
  (void)state;
  enum { N = 150, D = 7 };
  mms_error error = mms_error_none();
  mms_matrix data = make_data(N, D);
  double *e = eigenvalues_of(N, D, data.data);
  for (int components = 0; components <= 5; components += 5) {
    int d = components > 0 ? components : D;
    for (int k = 1; k <= d; k++) {
      for (int w = MMS_WHITEN_CAP; w <= MMS_WHITEN_FULL; w++) {
        mms_transform t;
        expect_ok(mms_transform_fit(&t, &data, components, (mms_whiten)w, k, &error), &error);
        double *z = encoded(&t, &data), *found = eigenvalues_of(N, d, z), wanted[D];
        for (int j = 0; j < d; j++) wanted[j] = predicted(e, d, j, (mms_whiten)w, k);
        qsort(wanted, (size_t)d, sizeof(double), descending);
        for (int j = 0; j < d; j++) expect_near(found[j], wanted[j], 1e-11 * wanted[0]);
        double x[N * D]; /* without PCA nothing is lost */
        mms_transform_decode(&t, N, z, x);
        for (int i = 0; components == 0 && i < N * D; i++) expect_near(x[i], data.data[i], 1e-11);
        free(z);
        free(found);
        mms_transform_free(&t);
      }
    }
  }
  free(e);
  mms_matrix_free(&data);
}

/* Turn the data: a symmetric whitening turns its result along, and PCA's coordinates do not change but for sign. */
static void the_fit_turns_with_the_data(void **state) {
  (void)state;
  enum { N = 100, D = 5 };
  mms_error error = mms_error_none();
  mms_matrix data = make_data(N, D), turned = make_data(N, D);
  double q[D * D], e[D], symmetric[D * D];
  for (int i = 0; i < D * D; i++) symmetric[i] = sin(1.0 + (i / D) * (i % D)) + (i / D == i % D ? 3.0 * (i / D) : 0);
  for (int i = 0; i < D * D; i++) symmetric[(i % D) * D + i / D] = symmetric[i];
  expect_ok(mms_dense_eigen(D, symmetric, e, q, &error), &error);
  mms_dense_multiply(false, false, N, D, D, 1.0, data.data, q, 0.0, turned.data);
  for (int components = 0; components <= 3; components += 3) {
    int d = components > 0 ? components : D;
    mms_transform a, b;
    expect_ok(mms_transform_fit(&a, &data, components, MMS_WHITEN_FULL, 2, &error), &error);
    expect_ok(mms_transform_fit(&b, &turned, components, MMS_WHITEN_FULL, 2, &error), &error);
    double *za = encoded(&a, &data), *zb = encoded(&b, &turned), expected[N * D];
    if (components == 0) mms_dense_multiply(false, false, N, D, D, 1.0, za, q, 0.0, expected);
    for (int i = 0; i < N * d; i++) {
      if (components == 0)
        expect_near(zb[i], expected[i], 1e-11);
      else
        expect_near(fabs(zb[i]), fabs(za[i]), 1e-11);
    }
    free(za);
    free(zb);
    mms_transform_free(&a);
    mms_transform_free(&b);
  }
  mms_matrix_free(&data);
  mms_matrix_free(&turned);
}

/* Law 1: a row's bits do not depend on which rows share the call. */
static void rows_do_not_depend_on_their_company(void **state) {
  (void)state;
  enum { N = 61, D = 33, C = 17 };
  mms_error error = mms_error_none();
  mms_matrix data = make_data(N, D);
  mms_transform t;
  expect_ok(mms_transform_fit(&t, &data, C, MMS_WHITEN_CAP, 3, &error), &error);
  double *z = encoded(&t, &data), whole[N * D], one[D], part[C];
  mms_transform_decode(&t, N, z, whole);
  for (int i = 0; i < N; i++) {
    mms_transform_encode(&t, 1, data.data + i * D, part);
    assert_memory_equal(part, z + i * C, sizeof part);
    mms_transform_decode(&t, 1, z + i * C, one);
    assert_memory_equal(one, whole + i * D, sizeof one);
  }
  mms_transform_encode(&t, 0, NULL, NULL);
  mms_transform_decode(&t, 0, NULL, NULL);
  free(z);
  mms_transform_free(&t);
  mms_matrix_free(&data);
}

static void constant_columns_and_few_points_work(void **state) {
  (void)state;
  enum { N = 4, D = 12 };
  mms_error error = mms_error_none();
  mms_matrix data = make_data(N, D);
  for (int i = 0; i < N; i++) data.data[i * D + 3] = 7.0;
  for (int w = MMS_WHITEN_NONE; w <= MMS_WHITEN_FULL; w++) {
    mms_transform t;
    expect_ok(mms_transform_fit(&t, &data, 4, (mms_whiten)w, 2, &error), &error); /* 4 points span 3 directions */
    double *z = encoded(&t, &data), x[N * D];
    mms_transform_decode(&t, N, z, x);
    for (int i = 0; i < N * D; i++) expect_near(x[i], data.data[i], 1e-9);
    free(z);
    mms_transform_free(&t);
  }
  mms_matrix_free(&data);
}

static void impossible_sizes_are_refused(void **state) {
  (void)state;
  mms_error error = mms_error_none();
  mms_matrix data = make_data(5, 8);
  mms_transform t;
  expect_refused(mms_transform_fit(&t, &data, 6, MMS_WHITEN_NONE, 0, &error), MMS_ERR_INPUT, &error, "components: 6");
  expect_refused(mms_transform_fit(&t, &data, -1, MMS_WHITEN_NONE, 0, &error), MMS_ERR_INPUT, &error, "components: -1");
  expect_refused(mms_transform_fit(&t, &data, 3, MMS_WHITEN_CAP, 4, &error), MMS_ERR_INPUT, &error, "whiten_top: 4");
  expect_refused(mms_transform_fit(&t, &data, 0, MMS_WHITEN_FULL, 0, &error), MMS_ERR_INPUT, &error, "whiten_top: 0");
  expect_refused(mms_transform_fit(&t, &data, 0, MMS_WHITEN_CAP, 9, &error), MMS_ERR_INPUT, &error, "whiten_top: 9");
  data.rows = 1;
  expect_refused(mms_transform_fit(&t, &data, 1, MMS_WHITEN_NONE, 0, &error), MMS_ERR_INPUT, &error, "at least 2");
  expect_ok(mms_transform_fit(&t, &data, 0, MMS_WHITEN_NONE, 0, &error), &error);
  mms_transform_free(&t);
  mms_matrix_free(&data);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(nothing_to_fit_is_the_identity_to_the_bit),
      cmocka_unit_test(pca_projects_on_the_largest_directions),
      cmocka_unit_test(whitened_spectra_are_as_predicted),
      cmocka_unit_test(the_fit_turns_with_the_data),
      cmocka_unit_test(rows_do_not_depend_on_their_company),
      cmocka_unit_test(constant_columns_and_few_points_work),
      cmocka_unit_test(impossible_sizes_are_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
