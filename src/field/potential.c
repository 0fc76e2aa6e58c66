/* Shared draws: one exponential a point and training point, one a draw and training point, and products for the rest.
 *
 * Range. Write ℓ_i = −|z − x_i|²/(2δ²), ℓ* its largest, c_im = σ ε_m·(x_i − x_0)/δ² and, of draw m, t_m the middle and
 * 2h_m the width of the range of c_im over i. With H = max h_m and a lift s = 230 put
 *     a_i = exp(ℓ_i − ℓ* + s),   b_im = exp(±(c_im − t_m)),   S_m = Σ_i a_i b_im,
 * so that log Σ_i exp(ℓ_i ± c_im) = ℓ* − s ± t_m + log S_m; ±t_m cancels in the pair. b_im lies in [e^−H, e^H] and a_i
 * in [0, e^s]. If 2H <= 890 and log n <= 29, then
 *   - nothing overflows: S_m <= n e^(s+H) <= e^(29+230+445) < e^709;
 *   - S_m is a normal number: it holds the term of ℓ*, which is at least e^(s−H) >= e^−215;
 *   - what underflows has no weight: a_i loses digits only where ℓ_i − ℓ* < −708 − s, and then its share of S_m is
 * below e^(−938+2H) <= e^−48; a product a_i b_im below e^−708 has a share below e^(−708+215). n such shares, n <= e^29,
 *     are less than e^−19 in the very worst case, and less than 1e-17 for n <= 1,024, the most that comes here.
 *
 * Logarithms. With S = f 2^e, 1 <= f < 2, log Π S_m = ln 2 Σ e_m + log Π f_m: the exponents add up as integers and the
 * product of up to 256 factors f stays below 2^256: one logarithm for 256 draws, with a relative error of the product
 * of 256 roundings. */
#include "mmsold/field/potential.h"

#include "base/clones.h"
#include "field/noise.h"
#include "mmsold/base/memory.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
  PAIRS_AT_ONCE = 128,       /* of one group: 2 · 128 columns of b for 12 points are 24 KiB, within the first cache */
  WIDTH = 2 * PAIRS_AT_ONCE, /* draws: the pairs' plus signs, then their minus signs */
  MOST_POINTS = 1024,        /* beyond it the field's index, which meets only points of weight, is faster (measured) */
  LANES = 8
};

static const double LIFT = 230.0, WIDEST_RANGE = 890.0; /* s and 2H above */
static const double LN2 = 0.693147180559945309417;

struct mms_potential {
  const mms_training *training;
  mms_potential_options options;
  int64_t groups;
  bool exact, by_products;
  mms_field *field;
  float *noise;     /* [PAIRS_AT_ONCE][d] */
  double *b;        /* [n][WIDTH] */
  double *a;        /* [n] */
  double *sums;     /* [WIDTH]: S_m, then 1/S_m */
  double *log_mass; /* [MMS_POTENTIAL_BLOCK]: of the field */
  double *pull;     /* [MMS_POTENTIAL_BLOCK][d]: of the field */
  char why[128], reason[320];
};

static int64_t first_pair(const mms_potential *self, int64_t group) {
  return group * self->options.pairs / self->groups;
}

static int64_t pairs_of(const mms_potential *self, int64_t group) {
  return first_pair(self, group + 1) - first_pair(self, group);
}

/* The noise of pairs first … first + count − 1 of a group, as the field would draw it. */
static mms_queries queries_of(const mms_potential *self, int64_t group) {
  return (mms_queries){.bandwidth = self->options.bandwidth,
                       .smoothing = self->exact ? 0.0 : self->options.smoothing,
                       .pairs = self->exact ? 0 : pairs_of(self, group),
                       .noise = MMS_NOISE_FRESH,
                       .sharing = MMS_SHARING_ALL,
                       .seed = self->options.seed,
                       .step = (uint64_t)group + 1};
}

/* c_i = σ ε·(x_i − x_0)/δ² of one draw into c [n] (every `stride` doubles); the middle and width of its range. */
static void shifts(const mms_potential *self, const float *noise, int64_t stride, double *c, double *middle,
                   double *width) {
  const mms_training *training = self->training;
  double scale = self->options.smoothing / (self->options.bandwidth * self->options.bandwidth);
  double least = 0.0, most = 0.0;
  for (int64_t i = 0; i < training->count; i++) {
    double sum = 0.0;
    for (int64_t k = 0; k < training->dim; k++)
      sum += (double)noise[k] * (training->points[i * training->dim + k] - training->points[k]);
    c[i * stride] = scale * sum;
    least = fmin(least, scale * sum);
    most = fmax(most, scale * sum);
  }
  *middle = 0.5 * (least + most);
  *width = most - least;
}

/* The widest range of exponents among all draws. */
static double widest_range(mms_potential *self) {
  double widest = 0.0;
  for (int64_t group = 0; group < self->groups; group++) {
    const mms_queries queries = queries_of(self, group);
    for (int64_t first = 0; first < queries.pairs; first += PAIRS_AT_ONCE) {
      int64_t now = queries.pairs - first < PAIRS_AT_ONCE ? queries.pairs - first : PAIRS_AT_ONCE;
      mms_noise_draw(&queries, 0, first, now, self->training->dim, self->noise);
      for (int64_t j = 0; j < now; j++) {
        double middle, width;
        shifts(self, self->noise + j * self->training->dim, 1, self->a, &middle, &width);
        widest = fmax(widest, width);
      }
    }
  }
  return widest;
}

/* Products where they serve, else the field. The same on every rank: from the training set and the draws alone. */
static void choose(mms_potential *self) {
  int64_t n = self->training->count;
  if (self->options.backend != MMS_BACKEND_AUTO || self->exact) return;
  if (n > MOST_POINTS) {
    snprintf(self->why, sizeof self->why, "%lld training points, more than the %d that products pay for", (long long)n,
             (int)MOST_POINTS);
    return;
  }
  double widest = widest_range(self);
  self->by_products = widest <= WIDEST_RANGE;
  snprintf(self->why, sizeof self->why, "exponents of one draw reach over %.0f, %s the %.0f that products bear", widest,
           self->by_products ? "within" : "beyond", WIDEST_RANGE);
}

static mms_status check(const mms_potential_options *options, mms_error *error) {
  double inverse = 1.0 / (options->bandwidth * options->bandwidth);
  if (!(options->bandwidth > 0.0) || !isnormal(inverse) || !(options->smoothing >= 0.0) || isinf(options->smoothing) ||
      options->pairs < 0)
    return mms_fail(error, MMS_ERR_INPUT,
                    "bandwidth %g, smoothing %g, %lld pairs: the bandwidth must be positive, the smoothing finite and "
                    "not negative, the pairs not negative",
                    options->bandwidth, options->smoothing, (long long)options->pairs);
  return MMS_OK;
}

static mms_status allocate(mms_potential *self, mms_error *error) {
  int64_t n = self->training->count, d = self->training->dim;
  mms_status status = mms_allocate_floats(&self->noise, PAIRS_AT_ONCE * d, "the shared noise", error);
  if (status == MMS_OK) status = mms_allocate_doubles(&self->a, n, "exponentials of one point", error);
  if (status == MMS_OK) status = mms_allocate_doubles(&self->sums, WIDTH, "sums of one point", error);
  if (status == MMS_OK) status = mms_allocate_doubles(&self->log_mass, MMS_POTENTIAL_BLOCK, "log-masses", error);
  if (status == MMS_OK) status = mms_allocate_doubles(&self->pull, MMS_POTENTIAL_BLOCK * d, "gradients", error);
  return status;
}

mms_status mms_potential_create(mms_potential **potential, const mms_team *team, const mms_training *training,
                                const mms_potential_options *options, mms_error *error) {
  *potential = NULL;
  mms_potential *self = NULL;
  mms_status status = check(options, error);
  if (status == MMS_OK) status = mms_allocate((void **)&self, 1, sizeof *self, "the potential", error);
  if (status == MMS_OK) {
    self->training = training;
    self->options = *options;
    self->exact = options->pairs == 0 || options->smoothing == 0.0;
    self->groups = self->exact ? 1 : options->pairs < MMS_POTENTIAL_GROUPS ? options->pairs : MMS_POTENTIAL_GROUPS;
    status = allocate(self, error);
  }
  if (status == MMS_OK) choose(self);
  if (status == MMS_OK && self->by_products)
    status = mms_allocate_doubles(&self->b, training->count * WIDTH, "exponentials of the draws", error);
  status = mms_team_agree(team, status, error);
  if (status == MMS_OK && !self->by_products) {
    int64_t most = self->exact ? 0 : pairs_of(self, self->groups - 1);
    status = mms_field_create(&self->field, team, training, options->backend, MMS_POTENTIAL_BLOCK, most + 1, error);
  }
  if (status == MMS_OK) {
    if (self->by_products)
      snprintf(self->reason, sizeof self->reason, "products of exponentials (%s)", self->why);
    else
      snprintf(self->reason, sizeof self->reason, "%.160s%s%s", mms_field_reason(self->field),
               self->why[0] != '\0' ? "; " : "", self->why);
    *potential = self;
  } else {
    mms_potential_free(&self);
  }
  return status;
}

void mms_potential_free(mms_potential **potential) {
  mms_potential *self = *potential;
  if (self == NULL) return;
  mms_field_free(&self->field);
  free(self->noise);
  free(self->a);
  free(self->b);
  free(self->sums);
  free(self->log_mass);
  free(self->pull);
  free(self);
  *potential = NULL;
}

int64_t mms_potential_groups(const mms_potential *potential) { return potential->groups; }
const char *mms_potential_reason(const mms_potential *potential) { return potential->reason; }

double mms_potential_share(const mms_potential *potential, int64_t group) {
  return potential->exact ? 1.0 : (double)pairs_of(potential, group) / (double)potential->options.pairs;
}

/* --- products ------------------------------------------------------------------------------- */

/* b_im = exp(±(c_im − t_m)) for `now` pairs: columns 0 … now − 1, then now … 2 now − 1; b [n][WIDTH]. */
static void load_draws(mms_potential *self, const mms_queries *queries, int64_t first, int64_t now) {
  int64_t n = self->training->count;
  mms_noise_draw(queries, 0, first, now, self->training->dim, self->noise);
  for (int64_t j = 0; j < now; j++) {
    double middle, width;
    shifts(self, self->noise + j * self->training->dim, WIDTH, self->b + j, &middle, &width);
    for (int64_t i = 0; i < n; i++) {
      double c = self->b[i * WIDTH + j] - middle;
      self->b[i * WIDTH + j] = exp(c);
      self->b[i * WIDTH + now + j] = exp(-c);
    }
  }
}

/* S_m = Σ_i a_i b_im, four training points at a time. */
MMS_CLONES
static void add_products(int64_t n, int64_t width, const double *restrict a, const double *restrict b,
                         double *restrict s) {
  int64_t i = 0;
  for (int64_t m = 0; m < width; m++) s[m] = 0.0;
  for (; i + 4 <= n; i += 4) {
    const double *b0 = b + i * WIDTH, *b1 = b0 + WIDTH, *b2 = b1 + WIDTH, *b3 = b2 + WIDTH;
    double a0 = a[i], a1 = a[i + 1], a2 = a[i + 2], a3 = a[i + 3];
    for (int64_t m = 0; m < width; m++) s[m] += (a0 * b0[m] + a1 * b1[m]) + (a2 * b2[m] + a3 * b3[m]);
  }
  for (; i < n; i++) {
    const double *b0 = b + i * WIDTH;
    double a0 = a[i];
    for (int64_t m = 0; m < width; m++) s[m] += a0 * b0[m];
  }
}

/* log Π S_m of up to WIDTH normal numbers. */
MMS_CLONES
static double log_of_product(int64_t width, const double *restrict s) {
  uint64_t bits[WIDTH], exponents = 0;
  double factors[WIDTH], lanes[LANES], product = 1.0;
  const uint64_t fraction = ((uint64_t)1 << 52) - 1, one = (uint64_t)1023 << 52;
  memcpy(bits, s, (size_t)width * sizeof *bits);
  for (int64_t m = 0; m < width; m++) exponents += bits[m] >> 52; /* S > 0: no sign */
  for (int64_t m = 0; m < width; m++) bits[m] = (bits[m] & fraction) | one;
  memcpy(factors, bits, (size_t)width * sizeof *bits);
  for (int l = 0; l < LANES; l++) lanes[l] = 1.0;
  int64_t m = 0;
  for (; m + LANES <= width; m += LANES)
    for (int l = 0; l < LANES; l++) lanes[l] *= factors[m + l];
  for (; m < width; m++) product *= factors[m];
  for (int l = 0; l < LANES; l++) product *= lanes[l];
  return LN2 * (double)((int64_t)exponents - 1023 * width) + log(product);
}

/* Σ_m b_im r_m */
MMS_CLONES
static double weigh(int64_t width, const double *restrict b, const double *restrict r) {
  double lanes[LANES] = {0.0}, sum = 0.0;
  int64_t m = 0;
  for (; m + LANES <= width; m += LANES)
    for (int l = 0; l < LANES; l++) lanes[l] += b[m + l] * r[m + l];
  for (; m < width; m++) sum += b[m] * r[m];
  for (int l = 0; l < LANES; l++) sum += lanes[l];
  return sum;
}

/* a_i = exp(ℓ_i − ℓ* + s); returns ℓ*. */
static double load_point(mms_potential *self, const double *z) {
  int64_t n = self->training->count, d = self->training->dim;
  double inverse = 1.0 / (self->options.bandwidth * self->options.bandwidth), top = -INFINITY;
  for (int64_t i = 0; i < n; i++) {
    double square = 0.0;
    for (int64_t k = 0; k < d; k++) {
      double away = z[k] - self->training->points[i * d + k];
      square += away * away;
    }
    self->a[i] = -0.5 * inverse * square;
    top = fmax(top, self->a[i]);
  }
  for (int64_t i = 0; i < n; i++) self->a[i] = exp(self->a[i] - top + LIFT);
  return top;
}

/* gradient += share Σ_m Σ_i (a_i b_im/S_m) (z − x_i)/δ²; S is overwritten by its inverse. */
static void add_gradient(mms_potential *self, int64_t width, double share, const double *z, double *gradient) {
  int64_t n = self->training->count, d = self->training->dim;
  double scale = share / (self->options.bandwidth * self->options.bandwidth);
  for (int64_t m = 0; m < width; m++) self->sums[m] = 1.0 / self->sums[m];
  for (int64_t i = 0; i < n; i++) {
    if (self->a[i] == 0.0) continue;
    double weight = scale * self->a[i] * weigh(width, self->b + i * WIDTH, self->sums);
    for (int64_t k = 0; k < d; k++) gradient[k] += weight * (z[k] - self->training->points[i * d + k]);
  }
}

/* One group at all rows. Some pairs at a time for all rows: their exponentials are made once; the points' own are made
 * anew for each, one to 256 draws. */
static void evaluate_group(mms_potential *self, int64_t group, int64_t rows, const double *points, double *values,
                           double *gradients) {
  int64_t d = self->training->dim, step = self->groups;
  const mms_queries queries = queries_of(self, group);
  double delta2 = self->options.bandwidth * self->options.bandwidth, sigma = self->options.smoothing;
  double draws = 2.0 * (double)queries.pairs;
  double constant = log((double)self->training->count) + (double)d * sigma * sigma / (2.0 * delta2);
  for (int64_t p = 0; p < rows; p++) values[p * step + group] = constant;
  for (int64_t p = 0; p < rows && gradients != NULL; p++)
    memset(gradients + (p * step + group) * d, 0, (size_t)d * sizeof *gradients);
  for (int64_t first = 0; first < queries.pairs; first += PAIRS_AT_ONCE) {
    int64_t now = queries.pairs - first < PAIRS_AT_ONCE ? queries.pairs - first : PAIRS_AT_ONCE;
    load_draws(self, &queries, first, now);
    for (int64_t p = 0; p < rows; p++) {
      double top = load_point(self, points + p * d);
      add_products(self->training->count, 2 * now, self->a, self->b, self->sums);
      double logs = log_of_product(2 * now, self->sums);
      values[p * step + group] -= (2.0 * (double)now * (top - LIFT) + logs) / draws;
      if (gradients != NULL)
        add_gradient(self, 2 * now, 1.0 / draws, points + p * d, gradients + (p * step + group) * d);
    }
  }
}

/* --- the field ------------------------------------------------------------------------------- */

static mms_status evaluate_field(mms_potential *self, int64_t rows, const double *points, double *values,
                                 double *gradients, mms_error *error) {
  int64_t d = self->training->dim, step = self->groups;
  mms_status status = MMS_OK;
  for (int64_t first = 0; first < rows && status == MMS_OK; first += MMS_POTENTIAL_BLOCK)
    for (int64_t group = 0; group < self->groups && status == MMS_OK; group++) {
      mms_queries queries = queries_of(self, group);
      queries.count = rows - first < MMS_POTENTIAL_BLOCK ? rows - first : MMS_POTENTIAL_BLOCK;
      queries.points = points + first * d;
      queries.first_particle = first;
      status = mms_field_gradient(self->field, &queries, self->pull, self->log_mass, error);
      for (int64_t p = 0; p < queries.count && status == MMS_OK; p++) {
        values[(first + p) * step + group] = self->log_mass[p];
        if (gradients != NULL)
          memcpy(gradients + ((first + p) * step + group) * d, self->pull + p * d, (size_t)d * sizeof *gradients);
      }
    }
  return status;
}

mms_status mms_potential_evaluate(mms_potential *potential, int64_t rows, const double *points, double *values,
                                  double *gradients, mms_error *error) {
  int64_t d = potential->training->dim;
  if (!potential->by_products) return evaluate_field(potential, rows, points, values, gradients, error);
  for (int64_t i = 0; i < rows * d; i++)
    if (!isfinite(points[i]))
      return mms_fail(error, MMS_ERR_NUMERIC, "coordinate %lld of point %lld is %g", (long long)(i % d),
                      (long long)(i / d), points[i]);
  for (int64_t group = 0; group < potential->groups; group++)
    evaluate_group(potential, group, rows, points, values, gradients);
  for (int64_t i = 0; i < rows * potential->groups; i++)
    if (!isfinite(values[i]))
      return mms_fail(error, MMS_ERR_NUMERIC, "point %lld is too far from the training set: V is %g there",
                      (long long)(i / potential->groups), values[i]);
  return MMS_OK;
}

void mms_potential_average(const mms_potential *potential, int64_t rows, const double *values, double *mean,
                           double *standard_error) {
  int64_t groups = potential->groups;
  for (int64_t p = 0; p < rows; p++) {
    const double *v = values + p * groups;
    double sum = 0.0, squares = 0.0;
    for (int64_t g = 0; g < groups; g++) sum += mms_potential_share(potential, g) * (v[g] - v[0]);
    mean[p] = v[0] + sum;
    if (standard_error == NULL) continue;
    /* a group of k pairs of K has variance s²/k, and Σ share (v − mean)² estimates (G − 1) s²/K */
    for (int64_t g = 0; g < groups; g++)
      squares += mms_potential_share(potential, g) * (v[g] - mean[p]) * (v[g] - mean[p]);
    standard_error[p] = potential->exact ? 0.0 : groups < 2 ? NAN : sqrt(squares / (double)(groups - 1));
  }
}
