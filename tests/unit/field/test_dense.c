/* Truth (c): the dense backend agrees with the reference on every kind of data, at every width, with every set of
 * kernels. */
#include "unit/field/field_support.h"

#include "field/kernels.h"

static mms_team *team;
static const char *const KERNELS[] = {"portable", "avx2", "avx512"};

/* How far two fields may be apart: their double roundings. A logit is known to u |z − x||q|/δ² at best, so a weight to
 * as much relatively; that moves k̄ by its share of the spread. */
typedef struct distance {
  double mean, gradient, mass;
} distance;

static distance compare(const mms_training *training, mms_queries q) {
  mms_error error = mms_error_none();
  int64_t values = q.count * training->dim;
  double *memory = calloc((size_t)(4 * values + 2 * q.count + 1), sizeof(double));
  double *mean[2] = {memory, memory + values}, *gradient[2] = {memory + 2 * values, memory + 3 * values};
  double *mass[2] = {memory + 4 * values, memory + 4 * values + q.count};
  const mms_backend backends[2] = {MMS_BACKEND_REFERENCE, MMS_BACKEND_DENSE};
  for (int b = 0; b < 2; b++) {
    mms_field *field = field_make(team, training, backends[b], q.count, q.pairs);
    expect_ok(mms_field_softmax_mean(field, &q, mean[b], mass[b], &error), &error);
    expect_ok(mms_field_gradient(field, &q, gradient[b], NULL, &error), &error);
    mms_field_free(&field);
  }
  distance far = {.mean = largest_difference(mean[0], mean[1], values),
                  .gradient = largest_difference(gradient[0], gradient[1], values),
                  .mass = largest_difference(mass[0], mass[1], q.count)};
  far.gradient /= fmax(largest_entry(gradient[0], values), 1e-300);
  far.mass /= fmax(largest_entry(mass[0], q.count), 1.0);
  free(memory);
  return far;
}

static void expect_agreement(const char *what, const mms_training *training, mms_queries q, double tolerance) {
  for (size_t i = 0; i < sizeof KERNELS / sizeof KERNELS[0]; i++) {
    if (mms_field_kernels_named(KERNELS[i]) == NULL) continue;
    setenv("MMSOLD_KERNELS", KERNELS[i], 1);
    distance far = compare(training, q);
    double size = largest_entry(training->points, training->count * training->dim);
    if (!(far.mean <= tolerance * size && far.gradient <= tolerance && far.mass <= tolerance))
      fail_msg("%s, %s kernels, n = %lld, d = %lld, delta = %g, sigma = %g, %lld pairs: mean off by %.2e, gradient by "
               "%.2e, mass by %.2e",
               what, KERNELS[i], (long long)training->count, (long long)training->dim, q.bandwidth, q.smoothing,
               (long long)q.pairs, far.mean, far.gradient, far.mass);
  }
  unsetenv("MMSOLD_KERNELS");
}

static void every_dimension_and_width(void **state) {
  (void)state;
  const int64_t dims[] = {1, 2, 3, 7, 8, 9, 64, 100, 700};
  const double widths[] = {1e-3, 0.05, 0.5, 3.0, 1e3};
  for (size_t i = 0; i < sizeof dims / sizeof dims[0]; i++) {
    mms_training training = cloud_make(CLOUD_NORMAL, dims[i] < 100 ? 300 : 150, dims[i]);
    double *points = queries_near(&training, 5, 0.1);
    for (size_t w = 0; w < sizeof widths / sizeof widths[0]; w++) {
      mms_queries q = {.count = 5, .points = points, .bandwidth = widths[w], .smoothing = 0.3, .pairs = 3};
      expect_agreement("normal", &training, q, 1e-9);
    }
    free(points);
    cloud_free(&training);
  }
}

int main(int argc, char **argv) {
  mms_error error = mms_error_none();
  if (mms_world_begin(&argc, &argv, &error) != MMS_OK || mms_team_create(&team, &error) != MMS_OK) return 1;
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_dimension_and_width),
  };
  int failures = cmocka_run_group_tests(tests, NULL, NULL);
  mms_team_free(&team);
  mms_world_end();
  return failures;
}
