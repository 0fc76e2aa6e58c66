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

/* The tree backend's leaves and nodes hold sixteen each; its list of points near a query, this many. */
enum { MMS_TREE_LEAF = 16, MMS_TREE_LIST = 2048 };

/* Points near a query, by coordinate: y = x − z [dim][stride], c = −|y|²/2 [stride]; work t [2][stride]; weights w.
 * Stride
 * >= MMS_TREE_LIST + MMS_KERNEL_PAD_F64. */
typedef struct mms_tree_list {
  double *y, *c, *t, *w;
  int64_t stride;
} mms_tree_list;

/* Draws q = z + s_j, and z − s_j where `both`: shifts s = σε [count][dim]; 1/δ²; weights below e^cut of a draw's
 * largest are zero; `share` of each draw in the average. */
typedef struct mms_tree_draws {
  const double *shifts;
  int64_t count;
  bool both;
  double inverse, cut, share;
  /* Leaves of the next row, asked for a few at a time while this one is worked on; `ahead` may be 0. */
  const double *points;
  const int32_t *next;
  int64_t ahead;
} mms_tree_draws;

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

  /* --- the tree: a node is floats [dim][low, high][16], a leaf is doubles [dim][16], padded with infinity --- */

  /* The child of a node whose box is nearest to q. */
  int64_t (*tree_nearest_box)(const float *node, int64_t dim, const double *q);
  /* The children with |q − box|² <= reach2, one bit each. */
  uint32_t (*tree_boxes_within)(const float *node, int64_t dim, const double *q, double reach2);
  /* The point of a leaf nearest to z; and of each draw the least |q − x|² over the leaf: least [count] or [count][2].
   */
  int64_t (*tree_seed)(const double *leaf, int64_t dim, const double *z, const double *shifts, int64_t count, bool both,
                       double *least);
  /* Append the points of a leaf with |x − z − shift|² <= reach2 to a list of `count` (shift NULL: none); returns the
   * new count. */
  int64_t (*tree_collect)(const double *leaf, int64_t dim, const double *z, const double *shift, double reach2,
                          const mms_tree_list *list, int64_t count);
  /* Fill entries count .. width − 1 with points of no weight. */
  void (*tree_close)(const mms_tree_list *list, int64_t dim, int64_t count, int64_t width);
  /* w += Σ over draws of share·softmax; returns Σ over draws of log Σ exp ℓ. */
  double (*tree_softmax)(const mms_tree_list *list, int64_t dim, int64_t width, const mms_tree_draws *draws);
  /* The same over a list in pieces: first each draw's largest logit and its mass (online softmax; begin with −DBL_MAX
   * and 0), then the weights of each piece. */
  void (*tree_masses)(const mms_tree_list *list, int64_t dim, int64_t width, const mms_tree_draws *draws, double *tops,
                      double *sums);
  void (*tree_weights)(const mms_tree_list *list, int64_t dim, int64_t width, const mms_tree_draws *draws,
                       const double *tops, const double *sums);
} mms_field_kernel_table;

/* The table called `name` ("portable", "avx2", "avx512"), or NULL where this build or this processor has none. */
const mms_field_kernel_table *mms_field_kernels_named(const char *name);

/* The table in use: the best of this processor, or what MMSOLD_KERNELS names if that can run. */
const mms_field_kernel_table *mms_field_kernels_best(void);

#endif
