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

/* bfloat16 in tiles: 16 rows of 32 numbers each. Queries are packed as [lines/16][blocks][16][32], blocks of 32
 * coordinates filled up with zeros; points by chunks of MMS_KERNEL_PAD, each [2][blocks][2][16 pairs of coordinates][16
 * points][2], so 32 points by 32 points. */
enum { MMS_BFLOAT_ROWS = 16, MMS_BFLOAT_BLOCK = 32 };

/* A training point that may matter to a draw (2·pair + sign) of a row, its score, and a bound of that one's error,
 * which is not the kernel's to say. */
typedef struct mms_candidate {
  int32_t point, draw;
  float score, error;
} mms_candidate;

/* The tree backend's leaves and nodes hold sixteen each; its list of points near a query, this many; its draws are
 * worked on eight at a time; it takes at most 32 dimensions, far beyond where an index helps (arrays of one point live
 * on the stack). */
enum { MMS_TREE_LEAF = 16, MMS_TREE_LIST = 2048, MMS_TREE_LANES = 8, MMS_TREE_DIM_MOST = 32 };

/* Weights may be up to 2^90 where no largest logit is looked for: sums over 2^31 points, multiplied over eight draws,
 * stay below 2^968. */
enum { MMS_TREE_RISE = 90 };

/* Where pairs are worked on together a draw's mass is at least 2^-90 of the largest 2^c (the same product of eight is
 * above 2^-720), and 2^c itself is taken for 0 from 2^-200 on. */
enum { MMS_TREE_PAIRS_DEPTH = 190 };

/* Points near a query, by coordinate: u = x − base [dim][stride], c = −κ|x − z|²/2 [stride], and room for the weights
 * of eight draws [8][stride]. Stride >= MMS_TREE_LIST + MMS_KERNEL_PAD_F64. */
typedef struct mms_tree_list {
  double *u, *c, *w;
  int64_t stride;
} mms_tree_list;

/* A training set by leaves of sixteen, about their middles, and the factors of shared draws: u [leaves][dim][16], half
 * = |u|²/2 [leaves][16], noise [leaves][draws][16], 0 for padding; draws even. */
typedef struct mms_cloud_points {
  const float *u, *half;
  float *noise;
  int64_t draws;
} mms_cloud_points;

/* A row z: the leaves that matter to it, their numbers, levels A and gaps g = z − middle [dim][stride] (room for a
 * vector more); weights e [count][16]; of each draw its mass and its share over that; mean − z. */
typedef struct mms_cloud_row {
  const double *z;
  int64_t count, stride;
  double top;
  double *leaf, *level, *gap, *sums, *mean;
  float *weights, *shares;
} mms_cloud_row;

enum { MMS_CLOUD_ROWS = 4 }; /* rows worked on together */

/* Lists of points by cells of space (tree_cells.h): 2^bits cells a side, their corner and one over their width; each
 * cell's list is UNITS·(its first unit) + (units in it) − 1, or −1. Lists are points by units of UNIT, [dim][UNIT]
 * each, filled up with points that are infinitely far. */
enum { MMS_CELLS_UNIT = 8, MMS_CELLS_UNITS = 8, MMS_CELLS_DIM_MOST = 2, MMS_CELLS_DRAWS = 128 };
typedef struct mms_cells {
  int64_t dim;
  int bits;
  double size, low[MMS_CELLS_DIM_MOST], inverse[MMS_CELLS_DIM_MOST];
  const int32_t *table;
  const double *lists;
} mms_cells;

typedef struct mms_field_kernel_table {
  const char *name;

  /* --- the screen, in single precision --- */

  /* a_i = z·x_i − half_i over points stored by coordinate, x: [dim][width]; returns the largest. */
  float (*scores)(const float *x, const float *half, int64_t width, int64_t dim, const float *z, float *a);
  /* The i < width with a_i >= threshold, in order; `index` has room for width. Returns how many. */
  int64_t (*select)(const float *a, int64_t width, float threshold, int32_t *index);
  /* A score that at least k of the a_i reach and not many more (by halving, so it need not be one of them); 1 <= k <=
   * width. */
  float (*reached)(const float *a, int64_t width, int64_t k);
  /* The points whose scores a_i − half_i may be `threshold` or more, in order: between what they lie, and their names
   * first + i. Errors are bound[0] norm_i + bound[1] off_i + bound[2]: |q − q̂| |x'| + |q̂| |x' − x̂| and what single
   * precision adds, with room for rounding; without off it is the last. The threshold is a few steps below the one that
   * is meant. Returns how many; low, high and points have room for MMS_KERNEL_PAD more. */
  int64_t (*list)(const float *a, const float *half, const float *norm, const float *off, int64_t width,
                  float threshold, const float *bound, int32_t first, float *low, float *high, int32_t *points);
  /* Of such a list those with high >= least, in order; returns how many. */
  int64_t (*keep)(float *low, float *high, int32_t *points, int64_t count, float least);
  /* a_i −= half_i. */
  void (*subtract)(float *a, const float *half, int64_t width);
  /* Scores s± = a ± beta b of one antithetic pair against one tile of points first .. first + width − 1 (width <=
   * 1024). Raises top[2] to the largest seen and appends to `out` every point with s > top − margin. Returns how many,
   * or −1 when `room` (>= 2 MMS_KERNEL_PAD) was not enough: then call again with more, top is already raised. */
  int64_t (*screen)(const float *a, const float *b, float beta, int64_t width, float margin, float *top, int32_t first,
                    int32_t draw, mms_candidate *out, int64_t room);
  /* |v|² of `count` floats, in double. */
  double (*square)(const float *v, int64_t count);

  /* --- the screen, in bfloat16 --- */

  bool bfloat_fast; /* the product beats SGEMM */
  /* q [dim] to bfloat16: one row of a packed tile of queries and of those of the next blocks. norms: |q − q̂| and |q̂|,
   * neither too small. */
  void (*bfloat_row)(const float *q, int64_t dim, uint16_t *out, double *norms);
  /* scores [lines, rounded up to 16][stride]: the products of packed queries with `width` packed points, whose chunks
   * are `chunk` numbers apart. */
  void (*bfloat_product)(const uint16_t *queries, int64_t lines, int64_t blocks, const uint16_t *points, int64_t chunk,
                         int64_t width, float *scores, int64_t stride);

  /* --- the screen of a list --- */

  /* out [lines][width] = the products of queries [lines][stride] with rows index[0 .. count − 1], count <= width, of
   * points by row, [.][stride]: `half`, in bfloat16, or where that is NULL `single`. Stride is a multiple of 16. */
  void (*listed_products)(const float *single, const uint16_t *half, int64_t stride, const int32_t *index,
                          int64_t count, const float *queries, int64_t lines, float *out, int64_t width);

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
  /* b [pairs][width] = ε_j·y_i, both by rows: y [width][stride], noise [pairs][stride]; each the same double whatever
   * pairs and width are. */
  void (*product_rows)(const double *y, int64_t stride, int64_t width, const double *noise, int64_t pairs, double *b);
  /* The same doubles for one point y (zero beyond dim, to a whole vector) and draws as floats: b [pairs]. */
  void (*product_of_one_point)(const double *y, int64_t dim, const float *noise, int64_t pairs, double *b);
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
  /* `tops` and what softmax_pair would add to it for one point alone, pair after pair: (c + sigma b_j) + (c − sigma
   * b_j). b has room for whole vectors. */
  double (*tops_of_one)(double c, const double *b, double sigma, int64_t pairs, double tops);
  /* sum_k += Σ_i w_i (x_ki − base_k), x by coordinate [dim][stride]. */
  void (*gather_columns)(const double *x, int64_t dim, int64_t stride, int64_t width, const double *w,
                         const double *base, double *sum);
  /* The same from the points' own rows; zero weights are skipped. */
  void (*gather_rows)(const double *points, int64_t dim, const int32_t *index, int64_t first, int64_t count,
                      const double *w, const double *base, double *sum);

  /* --- the tree: a node is floats [dim][low, high][16], a leaf is doubles [dim][16], padded with infinity. A group of
   * draws q = z + s is s [dim][8] and then |s| [8]; lane l is draw l % (8/per), per = 1, 2, 4 or 8. κ = log2(e)/δ². ---
   */

  /* The child of a node whose box is nearest to q. */
  int64_t (*tree_nearest_box)(const float *node, int64_t dim, const double *q);
  /* The children (numbers first, first + 1, ...) of `nodes` nodes, one after the other, whose boxes are within
   * (reach2)^{1/2} of the box low .. high, which is a point where the two are one, into ids and squares, which have
   * room for all. Returns how many. */
  int64_t (*tree_boxes_within)(const float *node, int64_t nodes, int64_t dim, const double *low, const double *high,
                               double reach2, int32_t first, int32_t *ids, double *squares);
  /* The point of a leaf nearest to z; and of each draw the least |q − x|² over the leaf: least [groups][8]. */
  int64_t (*tree_seed)(const double *leaf, int64_t dim, const double *z, const double *shifts, int64_t groups,
                       double *least);
  /* With r = f (least + b)^{1/2}: the largest r, the largest |s| + r, the largest |s|: out[3]. */
  void (*tree_reach)(int64_t dim, const double *shifts, int64_t groups, const double *least, double b, double f,
                     double *out);
  /* A list of the points with |x − z − shift|² <= reach2 (shift NULL: none; else lane 0 of a group) of the leaves
   * numbered leaves[*next] to leaves[leaf_count − 1], as far as it has room; *next is then where it ended. Returns how
   * many. `points` begins with leaf 0. */
  int64_t (*tree_collect)(const double *points, int64_t dim, const int32_t *leaves, int64_t leaf_count, int64_t *next,
                          const double *z, const double *base, const double *shift, double reach2, double scale,
                          const mms_tree_list *list);
  /* Fill entries count .. width − 1 with points of no weight. */
  void (*tree_close)(const mms_tree_list *list, int64_t dim, int64_t count, int64_t width);
  /* Begin a group's state [3 + dim][8]; to_base = base − z. False: tree_tops is needed, over all pieces of the list. */
  bool (*tree_begin)(int64_t dim, const double *shift, const double *least, const double *to_base, double scale,
                     double *state);
  void (*tree_tops)(const mms_tree_list *list, int64_t dim, int64_t width, const double *shift, double scale, int per,
                    double *state);
  /* Add a list, or a piece of one, to a group's state. */
  void (*tree_add)(const mms_tree_list *list, int64_t dim, int64_t width, const double *shift, double scale, int per,
                   double *state);
  /* sum += share Σ over draws of (mean − base); returns share Σ over draws of log Σ exp ℓ. */
  double (*tree_end)(int64_t dim, int64_t draws, int per, double share, double *state, double *sum);

  /* Eight draws ±s that are four antithetic pairs, over a whole list: sum += share Σ over draws of (mean − base);
   * returns share Σ over draws of log Σ exp ℓ. κ|s·u| must be below MMS_TREE_RISE and −c below MMS_TREE_PAIRS_DEPTH. */
  double (*tree_pairs)(const mms_tree_list *list, int64_t dim, int64_t width, const double *shift, double scale,
                       double share, double *sum);

  /* --- shared draws (tree_cloud.c) --- */

  /* |q − middle|² of every leaf; returns the least's number. */
  int64_t (*cloud_nearest)(const double *centres, int64_t dim, int64_t padded, const double *q, double *squares);
  /* The leaves with |q − middle|² <= limit: their numbers, gaps, and A = top − κ|q − middle|²/2. Returns how many. */
  int64_t (*cloud_select)(const double *centres, int64_t dim, int64_t padded, const double *q, const double *squares,
                          double limit, double top, double scale, const mms_cloud_row *row);
  /* The weights of a row: logits in single precision, or with `leaves`, the tree's points, in double. */
  void (*cloud_weights)(const mms_cloud_points *points, const double *leaves, int64_t dim, const mms_cloud_row *row,
                        double scale);
  /* Of one row, or of MMS_CLOUD_ROWS with the same leaves: sums_j += Σ_i e_i noise_ij; mean += Σ_i e_i (Σ_j share_j
   * noise_ij) (x_i − z). A row's bits are the same either way. */
  void (*cloud_masses)(const mms_cloud_points *points, const mms_cloud_row *row, int rows);
  void (*cloud_moments)(const mms_cloud_points *points, int64_t dim, const mms_cloud_row *row, int rows);

  /* --- lists by cells (tree_cells.c) --- */

  /* A row z and its draws z ± σε, noise [draws/2][dim], or a single one at z where noise is NULL; draws <=
   * MMS_CELLS_DRAWS: base, a training point; out = mean − base; mass = mean over the draws of log Σ exp ℓ. Returns how
   * many weights were computed, or −1 where a draw is in no cell with a list. */
  int64_t (*cells_row)(const mms_cells *cells, const double *z, const float *noise, int64_t draws, double smoothing,
                       double scale, double *base, double *out, double *mass);
} mms_field_kernel_table;

/* The table called `name` ("portable", "avx2", "avx512"; "amx": AVX-512 with AMX tiles), or NULL where this build or
 * this processor has none. */
const mms_field_kernel_table *mms_field_kernels_named(const char *name);

/* The table in use: the best of this processor, or what MMSOLD_KERNELS names if that can run. */
const mms_field_kernel_table *mms_field_kernels_best(void);

#endif
