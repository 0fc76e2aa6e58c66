/* Truths (d) and (h) for the lists of the neighbours' search and the screen of what it found: kernels do what plain
 * loops do, products are within their bound, and whatever is left out, the bits of the field are those of a list taken
 * whole. */
#include "team_support.h"
#include "unit/field/field_support.h"

#include "field/neighbours.h"

static const char *const KERNELS[] = {"portable", "avx2", "avx512", "amx"};
enum { SETS = 4 };

static float normal(int64_t i) {
  double value;
  mms_random_normals((mms_random_key){.seed = 8, .stream = MMS_STREAM_TEST}, i, 1, &value);
  return (float)value;
}

/* --- the kernels --------------------------------------------------------------------------- */

/* Every number of queries, rows of floats and of bfloat16, listed with repetition, against sums in double. */
static void products_are_near_those_in_double(void **state) {
  (void)state;
  enum { N = 10, COUNT = 13, WIDTH = 16, LINES = 7, MOST = 96 };
  const int32_t index[COUNT] = {0, 1, 1, 2, 3, 4, 5, 6, 7, 8, 8, 8, 0};
  for (int64_t stride = 16; stride <= MOST; stride += 16) {
    float *rows = aligned_alloc(64, (size_t)(N * MOST) * sizeof *rows);
    float *queries = aligned_alloc(64, (size_t)(LINES * MOST) * sizeof *queries), out[LINES * WIDTH];
    uint16_t *half = aligned_alloc(64, (size_t)(N * MOST) * sizeof *half);
    for (int64_t i = 0; i < N * stride; i++) rows[i] = normal(i);
    for (int64_t i = 0; i < LINES * stride; i++) queries[i] = normal(10000 + i);
    for (int64_t i = 0; i < N * stride; i++) { /* any sixteen bits of a number's float are a bfloat16 */
      uint32_t bits;
      memcpy(&bits, &rows[i], sizeof bits);
      half[i] = (uint16_t)(bits >> 16);
    }
    for (int set = 0; set < SETS; set++)
      for (int way = 0; way < 2; way++)
        for (int64_t lines = 1; lines <= LINES; lines++) {
          const mms_field_kernel_table *kernels = mms_field_kernels_named(KERNELS[set]);
          if (kernels == NULL) continue;
          for (int i = 0; i < LINES * WIDTH; i++) out[i] = 77.0F;
          kernels->listed_products(way == 0 ? rows : NULL, way == 0 ? NULL : half, stride, index, COUNT, queries, lines,
                                   out, WIDTH);
          for (int64_t l = 0; l < LINES; l++)
            for (int64_t i = 0; i < WIDTH; i++) {
              double sum = 0.0, size = 0.0;
              for (int64_t k = 0; k < stride && i < COUNT; k++) {
                float x = rows[index[i] * stride + k];
                const uint32_t bits = (uint32_t)half[index[i] * stride + k] << 16;
                if (way == 1) memcpy(&x, &bits, sizeof x);
                sum += (double)x * (double)queries[l * stride + k];
                size += fabs((double)x * (double)queries[l * stride + k]);
              }
              if (l >= lines || i >= COUNT)
                assert_true(out[l * WIDTH + i] == 77.0F); /* nothing is written beyond */
              else
                expect_near((double)out[l * WIDTH + i], sum, (double)stride * 0x1p-24 * size);
            }
        }
    free(rows), free(queries), free(half);
  }
}

/* Where the threshold of a search for the K nearest starts: reached by K scores and by few more where they differ. */
static void scores_that_k_reach(void **state) {
  (void)state;
  enum { WIDTH = 512 };
  const int64_t ks[] = {1, 20, 50, 200, 400};
  double normals[WIDTH];
  float *a = aligned_alloc(64, WIDTH * sizeof *a);
  mms_random_normals((mms_random_key){.seed = 5, .stream = MMS_STREAM_TEST}, 0, WIDTH, normals);
  for (int kind = 0; kind < 4; kind++) { /* as they are, on few values, with one far above, filled up */
    for (int64_t i = 0; i < WIDTH; i++) a[i] = (float)(kind == 1 ? round(2.0 * normals[i]) : normals[i] - 30.0);
    if (kind == 2) a[77] = 1e4F;
    if (kind == 3) a[500] = a[501] = -1e30F;
    for (int set = 0; set < SETS; set++)
      for (size_t c = 0; c < 5; c++) {
        const mms_field_kernel_table *kernels = mms_field_kernels_named(KERNELS[set]);
        if (kernels == NULL) continue;
        float t = kernels->reached(a, WIDTH, ks[c]);
        int64_t count = 0;
        for (int64_t i = 0; i < WIDTH; i++) count += a[i] >= t;
        assert_true(count >= ks[c]);
        if (kind == 0 || kind == 2) assert_true(count <= ks[c] + ks[c] / 8);
      }
  }
  for (int64_t i = 0; i < WIDTH; i++) a[i] = 3.0F;
  assert_true(mms_field_kernels_named("portable")->reached(a, WIDTH, 50) == 3.0F);
  free(a);
}

/* What a search lists of a tile, and what it keeps of the list: by each set of kernels what plain loops say, the bounds
 * neither too narrow nor wide. */
static void lists_are_those_of_plain_loops(void **state) {
  (void)state;
  enum { WIDTH = 512, ROOM = WIDTH + MMS_KERNEL_PAD };
  const float room = 1.0F + 0x1p-20F, bound[3] = {0.01F * room, 2.0F * room, 1e-4F * room};
  const float thresholds[] = {-1e29F, -0.8F, 1.0F, 5.0F};
  double normals[2 * WIDTH];
  float *a = aligned_alloc(64, 6 * ROOM * sizeof *a), *half = a + ROOM, *off = half + ROOM, *norm = off + ROOM;
  float *low = norm + ROOM, *high = low + ROOM;
  int32_t *points = aligned_alloc(64, ROOM * sizeof *points);
  mms_random_normals((mms_random_key){.seed = 6, .stream = MMS_STREAM_TEST}, 0, 2 * WIDTH, normals);
  for (int64_t i = 0; i < WIDTH; i++) {
    const bool real = i < WIDTH - 3; /* padding at the end */
    a[i] = (float)normals[i];
    half[i] = real ? (float)(0.5 + 0.1 * fabs(normals[WIDTH + i])) : 1e30F;
    norm[i] = sqrtf(2.0F * half[i]);
    off[i] = real ? (float)(1e-3 * fabs(normals[WIDTH + i])) : 0.0F;
  }
  for (int set = 0; set < SETS; set++)
    for (int way = 0; way < 2; way++)
      for (int t = 0; t < 4; t++) {
        const mms_field_kernel_table *kernels = mms_field_kernels_named(KERNELS[set]);
        if (kernels == NULL) continue;
        const int64_t count =
            kernels->list(a, half, norm, way == 0 ? NULL : off, WIDTH, thresholds[t], bound, 1000, low, high, points);
        int64_t wanted = 0, kept = 0;
        for (int64_t i = 0; i < WIDTH; i++) {
          double error = 1e-4, score = (double)(a[i] - half[i]);
          if (way == 1) error += 0.01 * (double)norm[i] + 2.0 * (double)off[i];
          if (score + error < (double)thresholds[t]) continue;
          assert_true(wanted < count && points[wanted] == 1000 + i);
          assert_true((double)low[wanted] < score - error && (double)low[wanted] > score - error - 1e-6);
          assert_true((double)high[wanted] > score + error && (double)high[wanted] < score + error + 1e-6);
          wanted++;
        }
        assert_int_equal(count, wanted);
        const float least = count > 0 ? low[count / 2] : 0.0F;
        float before[2][ROOM];
        int32_t names[ROOM];
        memcpy(before[0], low, sizeof before[0]);
        memcpy(before[1], high, sizeof before[1]);
        memcpy(names, points, sizeof names);
        const int64_t left = kernels->keep(low, high, points, count, least);
        for (int64_t i = 0; i < count; i++) {
          if (before[1][i] < least) continue;
          assert_true(kept < left && points[kept] == names[i]);
          assert_true(low[kept] == before[0][i] && high[kept] == before[1][i]);
          kept++;
        }
        assert_int_equal(left, kept);
      }
  free(a), free(points);
}

/* --- the field ---------------------------------------------------------------------------- */

static mms_neighbours *make(const mms_training *training, const mms_score_options *score, mms_screen screen,
                            int64_t pairs) {
  mms_error error = mms_error_none();
  void *state = NULL;
  expect_ok(mms_neighbours_create(&state, team, training, score, screen, 8, pairs, &error), &error);
  return state;
}

/* Means and masses of a batch; `whole`: no list is screened. */
static void ask(mms_neighbours *self, const mms_queries *q, bool whole, double *mean, double *mass) {
  mms_field_counters counters = {0};
  const int64_t stride = self->sift.stride;
  const uint16_t *half = self->sift.half;
  if (whole) self->sift.stride = 0, self->sift.half = NULL; /* nor what is open in a search */
  self->sift.pause = 0;
  mms_backend_neighbours.evaluate(self, q, MMS_PULL_DISPLACEMENT, mean, mass, &counters);
  self->sift.stride = stride;
  self->sift.half = half;
}

/* How many points the screen keeps of the list that row 0 was left with. */
static int64_t kept_of(mms_neighbours *self, const mms_queries *q) {
  mms_queries first = *q;
  double mean[64], mass;
  first.count = 1;
  ask(self, &first, false, mean, &mass);
  self->sift.pause = 0;
  return mms_sift_list(self, &first, 0, q->pairs > 0 ? q->pairs : 1);
}

/* Every kind of cloud, kernel and screen, draws and widths from those where one point has all the weight to those where
 * all have; far rows; few and many draws, shared ones. */
static void lists_are_as_good_as_whole(void **state) {
  (void)state;
  enum { ROWS = 8, N = 900 };
  const cloud_kind kinds[] = {CLOUD_NORMAL, CLOUD_CLUSTERED, CLOUD_DUPLICATED, CLOUD_OFFSET};
  const int64_t dims[] = {11, 40}, pair_counts[] = {0, 1, 5};
  const double bandwidths[] = {0.02, 0.3, 20.0}, smoothings[] = {0.1, 2.0};
  int64_t few = 0, many = 0;
  for (int c = 0; c < 4; c++)
    for (int i = 0; i < 2; i++)
      for (int set = 0; set < SETS; set++) {
        if (mms_field_kernels_named(KERNELS[set]) == NULL) continue;
        const int64_t d = dims[i];
        mms_training training = cloud_make(kinds[c], N, d);
        double *points = queries_near(&training, ROWS, 0.05), mean[2][ROWS * 40], mass[2][ROWS];
        for (int64_t k = 0; k < d; k++) points[d + k] *= 1e3, points[2 * d + k] *= 1e7, points[3 * d + k] *= 1e12;
        mms_score_options score = {.nearest = 40, .remainder = 30, .sharing = MMS_SHARING_BLOCK};
        setenv("MMSOLD_KERNELS", KERNELS[set], 1);
        mms_neighbours *self = make(&training, &score, set == 3 ? MMS_SCREEN_BFLOAT16 : (mms_screen)(i % 2), 5);
        unsetenv("MMSOLD_KERNELS");
        assert_true(self->sift.stride > 0);
        for (int w = 0; w < 18; w++) {
          mms_queries q = {.count = ROWS, .points = points, .bandwidth = bandwidths[w % 3]};
          q.smoothing = smoothings[w / 3 % 2], q.pairs = pair_counts[w / 6], q.step = (uint64_t)w;
          q.sharing = w % 2 == 0 ? MMS_SHARING_BLOCK : MMS_SHARING_PARTICLE;
          for (int whole = 0; whole < 2; whole++) ask(self, &q, whole == 1, mean[whole], mass[whole]);
          assert_memory_equal(mean[0], mean[1], (size_t)(ROWS * d) * sizeof(double));
          assert_memory_equal(mass[0], mass[1], sizeof mass[0]);
          const int64_t kept = kept_of(self, &q);
          assert_true(kept >= 1 && kept <= self->list);
          few += 4 * kept < self->list, many += kept == self->list;
        }
        mms_backend_neighbours.free(self);
        free(points);
        cloud_free(&training);
      }
  assert_true(few > 50 && many > 50); /* both ways were gone */
}

/* With the bound taken away, the point of all the weight is left out for one that bfloat16 cannot tell from it. */
static void the_bound_is_needed(void **state) {
  (void)state;
  enum { N = 700, D = 16 };
  mms_training training = cloud_make(CLOUD_NORMAL, N, D);
  double *points = malloc((size_t)(N * D) * sizeof *points), z[D], mean[2][D], mass[2];
  memcpy(points, training.points, (size_t)(N * D) * sizeof *points);
  memcpy(z, points, sizeof z);
  for (int64_t i = 0; i < 60; i++) /* at nearly one distance */
    for (int64_t k = 0; k < D; k++) points[i * D + k] = z[k] + (k == i % D ? 0.5 - 1e-5 * (double)i : 0.0);
  cloud_free(&training);
  training.points = points;
  mms_score_options score = {.nearest = 50, .remainder = 20};
  mms_neighbours *self = make(&training, &score, MMS_SCREEN_BFLOAT16, 0);
  mms_queries q = {.count = 1, .points = z, .bandwidth = 1e-4};
  for (int whole = 0; whole < 2; whole++) ask(self, &q, whole == 1, mean[whole], &mass[whole]);
  assert_memory_equal(mean[0], mean[1], sizeof mean[0]);
  assert_true(mass[0] == mass[1]);
  self->points.rounding = 0.0;
  const int64_t kept = mms_sift_list(self, &q, 0, 1);
  bool there = false;
  for (int64_t i = 0; i < kept; i++) there = there || self->sift.names[i] == 59; /* the nearest */
  assert_true(kept > 0 && kept < 50 && !there);
  mms_backend_neighbours.free(self);
  free(points);
}

/* Where most points are kept the screen rests for some rows; far away it does not start. */
static void it_rests_where_it_is_of_no_use(void **state) {
  (void)state;
  enum { D = 20 };
  mms_training training = cloud_make(CLOUD_NORMAL, 300, D);
  double *z = queries_near(&training, 1, 0.1), mean[D], mass;
  mms_score_options score = {.nearest = 20, .remainder = 10};
  mms_neighbours *self = make(&training, &score, MMS_SCREEN_SINGLE, 0);
  mms_queries q = {.count = 1, .points = z, .bandwidth = 30.0};
  ask(self, &q, false, mean, &mass);
  const int64_t rests = self->sift.pause;
  assert_true(rests > 0);
  for (int64_t r = 1; r <= rests; r++) {
    assert_int_equal(mms_sift_list(self, &q, 0, 1), self->list);
    assert_int_equal(self->sift.pause, rests - r);
  }
  q.bandwidth = 1e-3;
  assert_int_equal(mms_sift_list(self, &q, 0, 1), 1);
  assert_int_equal(self->sift.pause, 0);
  for (int64_t k = 0; k < D; k++) z[k] += 1e5;
  assert_int_equal(mms_sift_list(self, &q, 0, 1), self->list);
  mms_backend_neighbours.free(self);
  free(z);
  cloud_free(&training);
}

int main(int argc, char **argv) {
  if (!team_begin(&argc, &argv)) return 1;
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(products_are_near_those_in_double),
      cmocka_unit_test(scores_that_k_reach),
      cmocka_unit_test(lists_are_those_of_plain_loops),
      cmocka_unit_test(lists_are_as_good_as_whole),
      cmocka_unit_test(the_bound_is_needed),
      cmocka_unit_test(it_rests_where_it_is_of_no_use),
  };
  return team_end(cmocka_run_group_tests(tests, NULL, NULL));
}
