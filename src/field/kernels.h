/* The field's inner loops, one table of them per instruction set. All Local; none allocates. Arrays that a kernel reads
 * as vectors are aligned to MMS_ALIGNMENT and their lengths (`width`) are multiples of MMS_KERNEL_PAD. */
#ifndef FIELD_KERNELS_H
#define FIELD_KERNELS_H

#include <stdbool.h>
#include <stdint.h>

enum {
  MMS_KERNEL_PAD = 64,   /* floats: four AVX-512 vectors, the screen's chunk */
  MMS_KERNEL_PAD_F64 = 8 /* doubles: one AVX-512 vector */
};

/* Weights below e^-64 = 1.6e-28 of their row's largest are zero: n of them stay below 2^-53 for n <= 7e11. */
#define MMS_KERNEL_CUT (-64.0)

/* A training point that may matter to a draw (2·pair + sign) of a row, and its score. */
typedef struct mms_candidate {
  int32_t point, draw;
  float score;
} mms_candidate;

typedef struct mms_field_kernel_table {
  const char *name;

  /* --- the screen, in single precision --- */

  /* a_i = z·x_i − half_i over points stored by coordinate, x: [dim][width]; returns the largest. */
  float (*scores)(const float *x, const float *half, int64_t width, int64_t dim, const float *z, float *a);
  /* The i < width with a_i >= threshold, in order; `index` has room for width. Returns how many. */
  int64_t (*select)(const float *a, int64_t width, float threshold, int32_t *index);
  /* a_i −= half_i. */
  void (*subtract)(float *a, const float *half, int64_t width);
  /* Scores s± = a ± beta b of one antithetic pair against one tile of points first .. first + width − 1 (width <=
   * 1024). Raises top[2] to the largest seen and appends to `out` every point with s > top − margin. Returns how many,
   * or −1 when `room` (>= 2 MMS_KERNEL_PAD) was not enough: then call again with more, top is already raised. */
  int64_t (*screen)(const float *a, const float *b, float beta, int64_t width, float margin, float *top, int32_t first,
                    int32_t draw, mms_candidate *out, int64_t room);
  /* |v|² of `count` floats, in double. */
  double (*square)(const float *v, int64_t count);

  /* --- the finish, in double precision --- */

  /* From points x [.][dim] (rows index[i], or first + i without an index) by coordinate: x_out, y = x − z:
   * [dim][stride], c = −|y|²/2. Columns count .. width − 1 get y = 0 and c = −1e300. */
  void (*load_columns)(const double *points, int64_t dim, const int32_t *index, int64_t first, int64_t count,
                       int64_t width, int64_t stride, const double *z, double *x_out, double *y, double *c);
  /* The same by rows: y: [width][stride], zero beyond dim. */
  void (*load_rows)(const double *points, int64_t dim, const int32_t *index, int64_t first, int64_t count,
                    int64_t width, int64_t stride, const double *z, double *y, double *c);
  /* b_i = ε·y_i, y by coordinate. */
  void (*product_columns)(const double *y, int64_t dim, int64_t stride, int64_t width, const float *noise, double *b);
  /* b [pairs][width] = ε_j·y_i, both by rows: y [width][stride], noise [pairs][stride]; pairs a multiple of 4. */
  void (*product_rows)(const double *y, int64_t stride, int64_t width, const double *noise, int64_t pairs, double *b);
  /* The largest of c ± sigma b: top[2]. */
  void (*largest)(const double *c, const double *b, double sigma, int64_t width, double *top);
  /* plus, minus = exp((c ± sigma b − top±)·scale), zero below the cut; their sums: sum[2]. */
  void (*exponentials)(const double *c, const double *b, double sigma, double scale, int64_t width, const double *top,
                       double *plus, double *minus, double *sum);
  /* w += f[0] plus + f[1] minus. */
  void (*weights)(const double *plus, const double *minus, const double *f, int64_t width, double *w);
  /* The three above for one pair: w += share (plus/Σ plus + minus/Σ minus), top_sum += top+ + top−; returns the product
   * of the two sums. */
  double (*softmax_pair)(const double *c, const double *b, double sigma, double scale, double share, int64_t width,
                         double *plus, double *minus, double *w, double *top_sum);
  /* sum_k += Σ_i w_i (x_ki − base_k), x by coordinate [dim][stride]. */
  void (*gather_columns)(const double *x, int64_t dim, int64_t stride, int64_t width, const double *w,
                         const double *base, double *sum);
  /* The same from the points' own rows; zero weights are skipped. */
  void (*gather_rows)(const double *points, int64_t dim, const int32_t *index, int64_t first, int64_t count,
                      const double *w, const double *base, double *sum);
} mms_field_kernel_table;

/* The table called `name` ("portable", "avx2", "avx512"), or NULL where this build or this processor has none. */
const mms_field_kernel_table *mms_field_kernels_named(const char *name);

/* The table in use: the best of this processor, or what MMSOLD_KERNELS names if that can run. */
const mms_field_kernel_table *mms_field_kernels_best(void);

#endif
