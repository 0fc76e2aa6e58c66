/* Truth (d) for the screens by product: every score within its proved bound, in single precision and in bfloat16, on
 * every kind of data; the kernels' bfloat16 products are the same bits through tiles and written out; and the choice
 * between the two. */
#include "team_support.h"
#include "unit/field/field_support.h"

#include "field/choose.h"
#include "field/screen_points.h"

static const char *const KERNELS[] = {"portable", "avx2", "avx512", "amx"};
enum { SETS = 4 };

/* --- the kernels -------------------------------------------------------------------------- */

/* Queries and a tile of points in bfloat16 and their scores by one set of kernels. */
typedef struct product {
  uint16_t *queries, *points;
  float *scores;
  double norms[2];
} product;

static product multiply(const mms_field_kernel_table *kernels, const float *q, int64_t lines, int64_t d, int64_t width,
                        int64_t gap) {
  int64_t blocks = (d + 31) / 32, stride = width + 16, chunk = blocks * 32 * 64 + gap;
  int64_t padded = (lines + 15) / 16 * 16;
  product p = {.queries = aligned_alloc(64, (size_t)(padded * blocks * 64)),
               .points = aligned_alloc(64, (size_t)(width / 64 * chunk * 2)),
               .scores = aligned_alloc(64, (size_t)(padded * stride) * sizeof(float))};
  memset(p.queries, 0, (size_t)(padded * blocks * 64));
  for (int64_t r = 0; r < lines; r++)
    kernels->bfloat_row(q + r * d, d, p.queries + r / 16 * blocks * 512 + r % 16 * 32, p.norms);
  for (int64_t i = 0; i < width / 64 * chunk; i++) /* any finite numbers: the first 16 bits of other floats */
    p.points[i] = (uint16_t)(0x3e00 + i * 2654435761 % 512 + (i % 3 == 0 ? 0x8000 : 0));
  kernels->bfloat_product(p.queries, lines, blocks, p.points, chunk, width, p.scores, stride);
  return p;
}

static void product_free(product *p) {
  free(p->queries);
  free(p->points);
  free(p->scores);
}

static void every_set_of_kernels_has_the_same_bits(void **state) {
  (void)state;
  const int64_t shapes[][4] = {
      {1, 9, 64, 0}, {16, 32, 64, 128}, {17, 33, 128, 0}, {33, 100, 192, 64}, {50, 700, 64, 0}};
  for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
    int64_t lines = shapes[i][0], d = shapes[i][1], width = shapes[i][2];
    float *q = malloc((size_t)(lines * d) * sizeof(float));
    mms_random_normals_float((mms_random_key){.seed = 5, .stream = MMS_STREAM_TEST}, 0, lines * d, q);
    q[0] = 1e-40F, q[1] = 65535.5F, q[2] = -0.0F; /* subnormal; rounds up to a new power; a zero */
    product first = multiply(mms_field_kernels_named("portable"), q, lines, d, width, shapes[i][3]);
    for (int set = 1; set < SETS; set++) {
      const mms_field_kernel_table *kernels = mms_field_kernels_named(KERNELS[set]);
      if (kernels == NULL) continue;
      product other = multiply(kernels, q, lines, d, width, shapes[i][3]);
      assert_memory_equal(first.queries, other.queries, (size_t)(lines * 2));
      assert_memory_equal(first.norms, other.norms, sizeof first.norms);
      for (int64_t r = 0; r < lines; r++)
        assert_memory_equal(first.scores + r * (width + 16), other.scores + r * (width + 16),
                            (size_t)width * sizeof(float));
      product_free(&other);
    }
    product_free(&first);
    free(q);
  }
}

static void rounding_is_to_the_nearest_even(void **state) {
  (void)state;
  /* 1 + 2^-8 is halfway and goes to 1; 1 + 3·2^-8 to 1 + 2^-6; what is beyond halfway up */
  const float q[9] = {1.0F + 0x1p-8F, 1.0F + 3 * 0x1p-8F, 1.0F + 0x1.01p-8F, -3.0F, 0x1.ffp3F, 1e-40F, 0.0F, 0x1p-126F};
  const uint16_t wanted[9] = {0x3f80, 0x3f82, 0x3f81, 0xc040, 0x4180, 0, 0, 0x0080, 0};
  for (int set = 0; set < SETS; set++) {
    const mms_field_kernel_table *kernels = mms_field_kernels_named(KERNELS[set]);
    uint16_t out[512];
    double norms[2], away = 0.0;
    if (kernels == NULL) continue;
    memset(out, 0xff, sizeof out);
    kernels->bfloat_row(q, 9, out, norms);
    assert_memory_equal(out, wanted, sizeof wanted);
    for (int k = 9; k < 32; k++) assert_int_equal(out[k], 0);
    away = hypot(hypot(0x1p-8, 0x1p-8), hypot(0x1p-8 - 0x1p-16, 0x1p-5));
    assert_true(norms[0] >= away && norms[0] < away * 1.001 && norms[1] > 16.0 && norms[1] < 17.0);
  }
}

/* Every point and sign above the limit is listed once, with its score, and nothing below it; many in one chunk, none in
 * others, the last lane of a vector; too little room is said. */
static void the_screen_lists_what_clears_the_limit(void **state) {
  (void)state;
  enum { WIDTH = 320, FIRST = 512, DRAW = 6 };
  static float a[WIDTH], b[WIDTH];
  static mms_candidate out[2 * WIDTH];
  const float beta = 0.7F, margins[] = {1e-3F, 0.5F, 2.0F, 50.0F};
  mms_random_normals_float((mms_random_key){.seed = 9, .stream = MMS_STREAM_TEST}, 0, WIDTH, a);
  mms_random_normals_float((mms_random_key){.seed = 10, .stream = MMS_STREAM_TEST}, 0, WIDTH, b);
  for (int i = 64; i < 80; i++) a[i] += 4.0F, b[i] = i % 2 == 0 ? b[i] : 0.0F; /* with b = 0 both signs */
  a[WIDTH - 1] += 4.0F;
  for (int set = 0; set < SETS; set++)
    for (size_t m = 0; m < sizeof margins / sizeof margins[0]; m++) {
      const mms_field_kernel_table *kernels = mms_field_kernels_named(KERNELS[set]);
      if (kernels == NULL) continue;
      float top[2] = {-1e30F, -1e30F}, seen[2] = {-1e30F, -1e30F};
      const int64_t count = kernels->screen(a, b, beta, WIDTH, margins[m], top, FIRST, DRAW, out, 2L * WIDTH);
      int64_t wanted = 0, unsure = 0;
      for (int i = 0; i < 2 * WIDTH; i++)
        seen[i % 2] = fmaxf(seen[i % 2], a[i / 2] + (i % 2 == 0 ? beta : -beta) * b[i / 2]);
      for (int sign = 0; sign < 2; sign++) assert_true(fabsf(top[sign] - seen[sign]) < 1e-5F);
      for (int i = 0; i < 2 * WIDTH; i++) {
        const double score = (double)a[i / 2] + (i % 2 == 0 ? 1 : -1) * (double)beta * (double)b[i / 2];
        const double above = score - ((double)top[i % 2] - (double)margins[m]);
        int64_t listed = 0;
        for (int64_t c = 0; c < count; c++) {
          if (out[c].point != FIRST + i / 2 || out[c].draw != DRAW + i % 2) continue;
          assert_true(fabs((double)out[c].score - score) < 1e-5);
          listed++;
        }
        if (fabs(above) < 1e-5) unsure++;
        if (fabs(above) >= 1e-5) assert_int_equal(listed, above > 0.0 ? 1 : 0);
        wanted += above >= 1e-5;
      }
      assert_true(count >= wanted && count <= wanted + unsure && wanted >= 1);
      float high[2] = {top[0] + 2.0F * margins[m], top[1] + 2.0F * margins[m]};
      assert_int_equal(kernels->screen(a, b, beta, WIDTH, margins[m], high, FIRST, DRAW, out, 2L * WIDTH), 0);
      float low[2] = {-1e30F, -1e30F};
      if (margins[m] > 10.0F)
        assert_int_equal(kernels->screen(a, b, beta, WIDTH, margins[m], low, FIRST, DRAW, out, 128), -1);
    }
}

/* --- the bound ---------------------------------------------------------------------------- */

/* The largest error of a score over its bound, over all queries and points. Without its part for bfloat16 where
 * `bare`. */
static double largest_share(const mms_training *training, const double *z, const float *noise, int64_t rows,
                            double smoothing, mms_screen screen, bool bare) {
  mms_error error = mms_error_none();
  const mms_field_kernel_table *kernels = mms_field_kernels_best();
  int64_t d = training->dim, n = training->count;
  mms_screen_points points = {0};
  expect_ok(mms_screen_points_create(&points, team, training, false, screen, &error), &error);
  int64_t stride = points.padded + 16, padded = (2 * rows + 15) / 16 * 16;
  float *q = calloc((size_t)(2 * rows * d), sizeof(float));
  float *scores = aligned_alloc(64, (size_t)(padded * stride) * sizeof(float));
  uint16_t *packed = aligned_alloc(64, (size_t)(mms_screen_packed(&points, padded) * 2 + 64));
  mms_screen_line *lines = calloc((size_t)(2 * rows), sizeof *lines);
  double *norms = calloc((size_t)(2 * rows), sizeof(double));
  double most = 0.0, beta = smoothing / points.scale;
  for (int64_t line = 0; line < 2 * rows; line++) {
    double square = 0.0;
    for (int64_t k = 0; k < d; k++) {
      double value = line < rows ? (z[line * d + k] - points.centre[k]) / points.scale : noise[(line - rows) * d + k];
      q[line * d + k] = (float)value;
      square += value * value;
    }
    lines[line] = mms_screen_pack_query(&points, kernels, q + line * d, d, line, packed);
    norms[line] = lines[line].off + lines[line].size;
    assert_true(norms[line] >= sqrt(square) * (1.0 - 1e-7) && norms[line] <= sqrt(square) * 1.01 + 1e-9);
  }
  mms_screen_tile tile = mms_screen_points_tile(&points, 0, points.padded);
  mms_screen_multiply(&points, kernels, q, packed, 2 * rows, d, &tile, scores, stride);
  for (int64_t r = 0; r < rows; r++) {
    const mms_screen_line *row = &lines[r], *draw = &lines[rows + r];
    const double single = mms_screen_points_error(&points, d, norms[r], beta * norms[rows + r], beta);
    const double all = mms_screen_line_bound(&points, row) + beta * mms_screen_line_bound(&points, draw);
    kernels->subtract(scores + r * stride, tile.half, points.padded);
    for (int64_t i = 0; i < n; i++) {
      const float off = nextafterf((float)(row->off + beta * draw->off), INFINITY);
      const float size = nextafterf((float)(row->size + beta * draw->size), INFINITY);
      const double own = (double)mms_screen_point_bound(&tile, i, off, size), bound = single + (bare ? 0.0 : own);
      long double a = 0.0L, b = 0.0L;
      assert_true(own <= all * (1.0 + 1e-5));
      for (int64_t k = 0; k < d; k++) {
        long double x = ((long double)training->points[i * d + k] - points.centre[k]) / points.scale;
        a += x * (((long double)z[r * d + k] - points.centre[k]) / points.scale - 0.5L * x);
        b += x * noise[r * d + k];
      }
      for (int sign = -1; sign <= 1; sign += 2) {
        float score = fmaf((float)(sign * beta), scores[(rows + r) * stride + i], scores[r * stride + i]);
        most = fmax(most, (double)fabsl((long double)score - (a + sign * beta * b)) / bound);
      }
    }
  }
  free(q);
  free(scores);
  free(packed);
  free(lines);
  free(norms);
  mms_screen_points_free(&points);
  return most;
}

static void errors_stay_within_the_bound(void **state) {
  (void)state;
  const cloud_kind kinds[] = {CLOUD_NORMAL, CLOUD_CLUSTERED, CLOUD_DUPLICATED, CLOUD_OFFSET};
  const int64_t dims[] = {9, 31, 100, 257}, rows = 6;
  const double smoothings[] = {0.0, 1e-6, 0.3, 1e4};
  double most[2] = {0.0, 0.0};
  for (size_t c = 0; c < 4; c++)
    for (size_t i = 0; i < 4; i++) {
      int64_t d = dims[i];
      mms_training training = cloud_make(kinds[c], 150, d);
      double *z = queries_near(&training, rows, 0.3);
      float *noise = malloc((size_t)(rows * d) * sizeof(float));
      mms_random_normals_float((mms_random_key){.seed = 6, .stream = MMS_STREAM_TEST}, 0, rows * d, noise);
      memcpy(z, training.points, (size_t)d * sizeof(double)); /* a training point itself */
      for (int64_t k = 0; k < d; k++) z[d + k] *= 1e3, z[2 * d + k] *= 1e-3, z[3 * d + k] = 1e6;
      for (size_t s = 0; s < 4; s++)
        for (int screen = 0; screen < 2; screen++) {
          double share = largest_share(&training, z, noise, rows, smoothings[s], (mms_screen)screen, false);
          most[screen] = fmax(most[screen], share);
          if (!(share <= 1.0))
            fail_msg("screen %d, cloud %d, d = %lld, sigma = %g: an error of %g bounds", screen, (int)kinds[c],
                     (long long)d, smoothings[s], share);
        }
      free(z);
      free(noise);
      cloud_free(&training);
    }
  assert_true(most[0] > 1e-3 && most[1] > 0.02); /* bounds that mean something */
}

/* Coordinates that all round down by nearly half a unit, a query along them: the Cauchy-Schwarz inequality is an
 * equality and the bound is reached, so that one a hundredth smaller would not hold; without its part for bfloat16 it
 * is off by a factor of hundreds. */
static void the_bound_is_reached(void **state) {
  (void)state;
  enum { N = 64, D = 64 };
  double points[N * D], z[D];
  float noise[D] = {0};
  for (int i = 0; i < N; i++)
    for (int k = 0; k < D; k++) points[i * D + k] = (i % 2 == 0 ? 1.0 : -1.0) * (1.0 + 0.499 * 0x1p-7);
  for (int k = 0; k < D; k++) z[k] = points[k];
  mms_training training = {.count = N, .dim = D, .points = points};
  double share = largest_share(&training, z, noise, 1, 0.0, MMS_SCREEN_BFLOAT16, false);
  if (!(share > 0.99 && share <= 1.0)) fail_msg("an error of %.4f bounds", share);
  assert_true(largest_share(&training, z, noise, 1, 0.0, MMS_SCREEN_BFLOAT16, true) > 100.0);
}

/* --- the choice --------------------------------------------------------------------------- */

static mms_choice_screen_counts count(const mms_training *training, mms_score_options score, int64_t pairs) {
  mms_error error = mms_error_none();
  mms_choice_screen_counts counts;
  expect_ok(mms_choice_screen_count(&counts, team, training, &score, pairs, &error), &error);
  return counts;
}

/* Points far apart against the kernel: bfloat16 lets few more through, and is taken. A cluster that it cannot tell
 * apart: hundreds more, and SGEMM is. The same for the nearest. */
static void the_choice_is_by_what_is_let_through(void **state) {
  (void)state;
  mms_training far = cloud_make(CLOUD_NORMAL, 1000, 100), close = cloud_make(CLOUD_CLUSTERED, 1000, 100);
  double *points = (double *)(uintptr_t)close.points; /* 0.05 wide: far more than single precision's bound, and less */
  for (int64_t i = 0; i < close.count; i++)
    for (int64_t k = 0; k < close.dim; k++) {
      double middle = (double)(i % 4 == k % 4) * 5.0;
      points[i * close.dim + k] = middle + 50.0 * (points[i * close.dim + k] - middle);
    }
  const mms_backend backends[2] = {MMS_BACKEND_DENSE, MMS_BACKEND_NEIGHBOURS};
  for (int b = 0; b < 2; b++) {
    mms_score_options score = {.backend = backends[b], .bandwidth = 1e-4, .smoothing = 1e-3, .nearest = 5};
    mms_choice_screen_counts counts = count(&far, score, 4);
    assert_true(counts.brief >= counts.single && counts.single >= (b == 0 ? 1.0 : 0.0) && counts.brief < 40.0);
    assert_true(mms_choice_bfloat(&far, &score, 4, &counts));
    counts = count(&close, score, 4);
    if (!(counts.brief > 200.0 && counts.single < 50.0)) fail_msg("%g and %g points", counts.brief, counts.single);
    assert_false(mms_choice_bfloat(&close, &score, 4, &counts));
  }
  cloud_free(&far);
  cloud_free(&close);
}

static mms_screen chosen(const mms_training *training, const char *kernels, const char *forced, double bandwidth) {
  mms_error error = mms_error_none();
  mms_score_options score = {.backend = MMS_BACKEND_DENSE, .bandwidth = bandwidth};
  mms_screen screen;
  char why[96];
  setenv("MMSOLD_KERNELS", kernels, 1);
  if (forced != NULL) setenv("MMSOLD_SCREEN", forced, 1);
  expect_ok(mms_choice_screen(&screen, team, training, &score, 0, why, sizeof why, &error), &error);
  unsetenv("MMSOLD_KERNELS");
  unsetenv("MMSOLD_SCREEN");
  return screen;
}

static void without_tiles_it_is_single_precision(void **state) {
  (void)state;
  mms_training training = cloud_make(CLOUD_NORMAL, 300, 40);
  assert_int_equal(chosen(&training, "portable", NULL, 0.01), MMS_SCREEN_SINGLE);
  assert_int_equal(chosen(&training, "portable", "bfloat16", 0.01), MMS_SCREEN_BFLOAT16);
  assert_int_equal(chosen(&training, "portable", "bfloat16", 0.0), MMS_SCREEN_BFLOAT16);
  if (mms_field_kernels_named("amx") != NULL) {
    assert_int_equal(chosen(&training, "amx", NULL, 0.01), MMS_SCREEN_BFLOAT16);
    assert_int_equal(chosen(&training, "amx", NULL, 0.0), MMS_SCREEN_SINGLE); /* nothing to count by */
    assert_int_equal(chosen(&training, "amx", "single", 0.01), MMS_SCREEN_SINGLE);
  }
  cloud_free(&training);
}

int main(int argc, char **argv) {
  if (!team_begin(&argc, &argv)) return 1;
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_set_of_kernels_has_the_same_bits),
      cmocka_unit_test(rounding_is_to_the_nearest_even),
      cmocka_unit_test(the_screen_lists_what_clears_the_limit),
      cmocka_unit_test(errors_stay_within_the_bound),
      cmocka_unit_test(the_bound_is_reached),
      cmocka_unit_test(the_choice_is_by_what_is_let_through),
      cmocka_unit_test(without_tiles_it_is_single_precision),

  };
  return team_end(cmocka_run_group_tests(tests, NULL, NULL));
}
