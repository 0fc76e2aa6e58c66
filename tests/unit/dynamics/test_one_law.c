/* Truth r beyond the plane: MM-SOLD's long-run law of one particle and kinetic Langevin dynamics in the tilt that
 * MM-SOLD's particles give are one law in five dimensions too, where nothing is in closed form. */
#include "dynamics_support.h"

enum { D = 5, N = 2 * D, P = 200, STEPS = 2000, THIN = 10, KEPT = P * STEPS / THIN, BATCHES = 20 };
enum { ENTRIES = D * (D + 1) / 2, FOUND = ENTRIES + 2 };

/* The corners of a cross with unequal arms, turned a little and away from zero: kurtosis is far from a normal law's. */
static mms_training cross(double *points) {
  for (int i = 0; i < N; i++)
    for (int k = 0; k < D; k++) {
      double arm = i / 2 == k ? 1.8 + 0.1 * k : (i / 2 + 1) % D == k ? 0.5 : 0.0;
      points[i * D + k] = 2.0 + (i % 2 == 0 ? arm : -arm);
    }
  return (mms_training){.count = N, .dim = D, .points = points};
}

static mms_dynamics_context setting(const mms_training *training, mms_method method, mms_scheme scheme, double h) {
  return (mms_dynamics_context){.training = training,
                                .score = {.bandwidth = 0.7,
                                          .smoothing = 0.8, /* four draws that all share and keep: V is one function */
                                          .smoothing_samples = 4,
                                          .noise = MMS_NOISE_FIXED,
                                          .sharing = MMS_SHARING_ALL,
                                          .backend = MMS_BACKEND_TREE},
                                .sampler = {.method = method,
                                            .scheme = scheme,
                                            .particles = P,
                                            .steps = STEPS,
                                            .step_size = h,
                                            .friction = 1.0,
                                            .seed = 5}};
}

/* Averages over time and particles of (z−μ*)(z−μ*)ᵀ (upper triangle, by rows), of q = (z−μ*)ᵀ Σ*⁻¹ (z−μ*) squared and
 * of Σ_k (z−μ*)_k⁴ / Σ*_kk², with standard errors from batches. */
typedef struct averages {
  double value[FOUND], error[FOUND];
} averages;

static void add(const mms_target *target, const double *z, double weight, double *sums) {
  double away[D], q = 0.0, fourth = 0.0;
  int at = 0;
  for (int k = 0; k < D; k++) away[k] = z[k] - target->mean.data[k];
  for (int k = 0; k < D; k++)
    for (int l = k; l < D; l++) sums[at++] += weight * away[k] * away[l];
  for (int k = 0; k < D; k++) { /* q = |L⁻¹(z−μ*)|² */
    double y = 0.0, square = away[k] * away[k] / target->covariance.data[k * D + k];
    for (int l = 0; l < D; l++) y += target->inverse.data[k * D + l] * away[l];
    q += y * y;
    fourth += square * square;
  }
  sums[at] += weight * q * q;
  sums[at + 1] += weight * fourth;
}

static averages long_run(mms_dynamics *dynamics, const mms_target *target, double *kept) {
  static double z[P * D], batch[BATCHES][FOUND];
  averages found = {{0}, {0}};
  memset(batch, 0, sizeof batch);
  walk(dynamics, STEPS / 10);
  for (int step = 0; step < STEPS; step++) {
    walk(dynamics, 1);
    positions(dynamics, z);
    if (kept != NULL && step % THIN == 0) memcpy(kept + (int64_t)step / THIN * P * D, z, sizeof z);
    for (int p = 0; p < P; p++)
      add(target, z + (int64_t)p * D, 1.0 * BATCHES / STEPS / P, batch[step * BATCHES / STEPS]);
  }
  for (int k = 0; k < FOUND; k++) {
    double squares = 0.0;
    for (int b = 0; b < BATCHES; b++) found.value[k] += batch[b][k] / BATCHES;
    for (int b = 0; b < BATCHES; b++) squares += (batch[b][k] - found.value[k]) * (batch[b][k] - found.value[k]);
    found.error[k] = sqrt(squares / (BATCHES - 1) / BATCHES);
  }
  return found;
}

/* Fires: without the tilt (langevin) variances fall short by up to 15 %, which the test itself looks at; with the
 * sign of the tilt turned, or Λ without its off-diagonal part, it was seen to fail. */
static void one_law_in_five_dimensions(void **state) {
  (void)state;
  static double points[N * D], kept[KEPT * D];
  mms_training training = cross(points);
  mms_dynamics_context context = setting(&training, MMS_METHOD_MMSOLD, MMS_SCHEME_LM_CORRECTED, 0.1);
  mms_dynamics *constrained = begin(&context);
  const mms_target *target = mms_dynamics_target(constrained);
  averages mmsold = long_run(constrained, target, kept);
  int at = 0;
  for (int k = 0; k < D; k++) /* held, not sampled */
    for (int l = k; l < D; l++) expect_near(mmsold.value[at++], target->covariance.data[k * D + l], 1e-12);

  context = setting(&training, MMS_METHOD_KINETIC, MMS_SCHEME_BAOAB, 0.2);
  context.tilt_points = &(mms_tilt_points){.count = KEPT, .points = kept};
  mms_dynamics *dynamics = begin(&context);
  averages kinetic = long_run(dynamics, target, NULL);
  mms_dynamics_free(&dynamics);
  context = setting(&training, MMS_METHOD_LANGEVIN, MMS_SCHEME_LM, 0.1);
  dynamics = begin(&context);
  averages naive = long_run(dynamics, target, NULL);
  mms_dynamics_free(&dynamics);
  for (int k = 0; k < FOUND; k++) { /* 1/P: what the constraint changes in the law of one particle */
    double error = hypot(kinetic.error[k], mmsold.error[k]);
    expect_near(kinetic.value[k], mmsold.value[k], 4.0 * error + (k < ENTRIES ? 0.0 : 2.0 / P * mmsold.value[k]));
    assert_true(error < 0.01 * fmax(fabs(mmsold.value[k]), 2.0));
  }
  assert_true(naive.value[ENTRIES - 1] < kinetic.value[ENTRIES - 1] - 0.15); /* it can tell other laws from this one */
  assert_true(naive.value[ENTRIES] < kinetic.value[ENTRIES] - 3.0);
  mms_dynamics_free(&constrained);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(one_law_in_five_dimensions)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
