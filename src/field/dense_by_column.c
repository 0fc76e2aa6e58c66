/* The dense backend in few dimensions. One product a row, whatever the number of draws: |z − x_i| alone says which
 * points can matter to any of them, and the finish does all draws over these. */
#include "field/dense.h"

#include "field/noise.h"
#include "mmsold/base/clock.h"
#include <math.h>

/* A clock reading costs a tenth of a row, so one row in this many is timed and counted for all. */
enum { TIMED = 16 };

/* In the screen's units: let D >= |z − x*| for the point x* of the largest computed score, e >= |ε_j| for every draw,
 * m = bδ². The nearest point to a draw q = z ± ε is at most D + e away, so x_i can only matter to it where
 * |q − x_i|² <= (D + e)² + 2m, and |q − x_i| >= |z − x_i| − e; so where
 *     |z − x_i| <= R = e + ((D + e)² + 2m)^{1/2},   a_i = (|z|² − |z − x_i|²)/2 >= (|z|² − R²)/2.
 * `error` bounds the rounding of a_i, and is added where it makes the list longer. */
static float limit_of(double norm, double top, double error, double noise, double m) {
  double norm2 = norm * norm, nearest2 = norm2 - 2.0 * (top - error);
  double nearest = nearest2 > 0.0 ? sqrt(nearest2) : 0.0;
  double reach = noise + sqrt((nearest + noise) * (nearest + noise) + 2.0 * m);
  double limit = 0.5 * (norm2 - reach * reach) - error;
  limit -= 1e-12 * (norm2 + reach * reach); /* the rounding of this line and of D, generously */
  if (!(limit > -1e29)) return -1e29F;      /* above the padding's −1e30 */
  return nextafterf((float)limit, -INFINITY);
}

/* |ε_j| of the largest draw, rounded up. */
static double largest_noise(const mms_field_kernel_table *kernels, const float *noise, int64_t pairs, int64_t dim) {
  double most = 0.0;
  for (int64_t j = 0; j < pairs; j++) {
    double square = 0.0;
    for (int64_t k = 0; k < dim; k++) square += (double)noise[j * dim + k] * (double)noise[j * dim + k];
    most = square > most ? square : most;
  }
  (void)kernels;
  return sqrt(most) * (1.0 + 1e-12);
}

void mms_dense_by_column(mms_dense *self, const mms_queries *q, mms_pull pull, double *out, double *log_mass,
                         mms_field_counters *counters) {
  int64_t d = self->training->dim, n = self->training->count, pairs = q->pairs > 0 ? q->pairs : 1;
  const mms_screen_points *points = &self->points;
  double m = mms_dense_depth(self) * (q->bandwidth / points->scale) * (q->bandwidth / points->scale);
  mms_finish_scale scale = {q->bandwidth, q->smoothing, 0.5 / (double)pairs};
  bool drawn = false;
  if (q->pairs == 0)
    for (int64_t k = 0; k < d; k++) self->queries[k] = 0.0F; /* the exact field: one pair with ε = 0 */
  for (int64_t row = 0; row < q->count; row++) {
    bool timed = row % TIMED == 0;
    const double *z = q->points + row * d;
    mms_finish_row sums = mms_finish_begin(z, out + row * d, d);
    float zf[MMS_FINISH_COLUMNS];
    double start = timed ? mms_clock_seconds() : 0.0;
    double norm = mms_dense_centre(self, z, zf), top = 0.0;
    bool far = !(norm < MMS_DENSE_FAR);
    double error = mms_screen_points_error(points, d, norm, 0.0, 0.0);
    if (!far) top = (double)self->kernels->scores(points->x, points->half, points->padded, d, zf, self->scores);
    double product = timed ? mms_clock_seconds() : 0.0, finish = 0.0;
    for (int64_t first = 0; first < pairs; first += MMS_DENSE_PAIRS) {
      int64_t now = pairs - first < MMS_DENSE_PAIRS ? pairs - first : MMS_DENSE_PAIRS, count = n;
      if (q->pairs > 0 && !drawn) mms_noise_draw(q, row, first, now, d, self->queries);
      drawn = q->sharing != MMS_SHARING_PARTICLE && pairs <= MMS_DENSE_PAIRS;
      if (!far) {
        double noise = q->smoothing / points->scale * largest_noise(self->kernels, self->queries, now, d);
        float limit = limit_of(norm, top, error, noise, m);
        count = self->kernels->select(self->scores, points->padded, limit, self->list);
      }
      double before = timed ? mms_clock_seconds() : 0.0;
      mms_finish_add(self->finish, &sums, &scale, self->queries, now, far ? NULL : self->list, count);
      if (timed) finish += mms_clock_seconds() - before;
      counters->finished += 2 * now * count;
    }
    mms_dense_end(self, &sums, pull, out + row * d, log_mass + row);
    if (timed) {
      double rows = (double)(q->count - row < TIMED ? q->count - row : TIMED);
      counters->seconds_product += rows * (product - start);
      counters->seconds_finish += rows * finish;
    }
  }
  counters->rows += 2 * pairs * q->count;
  counters->product_flops += 2.0 * (double)(q->count * n * d);
}
