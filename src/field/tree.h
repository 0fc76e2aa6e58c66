/* The tree backend: an index over the training set in few dimensions, and a search that finds the points of weight. */
#ifndef FIELD_TREE_H
#define FIELD_TREE_H

#include "field/backend.h"
#include "field/kernels.h"
#include "field/tree_cells.h"

enum { MMS_TREE_LEVELS = 9 }; /* 16^9 leaves */

/* A tree of sixteen branches over leaves of sixteen points. Leaf i holds points 16 i .. 16 i + 15 of an order in which
 * every aligned run of 16^k is one cell of a k-d tree, so the tree needs no pointers: child c of node i of level l is
 * node 16 i + c of level l − 1, and level 0 are the leaves. Boxes are floats, rounded outwards, of (x − centre)/scale
 * with scale a power of two. */
typedef struct mms_tree_index {
  int64_t dim, leaves;
  int levels;                     /* of nodes: 1 .. levels */
  int64_t first[MMS_TREE_LEVELS]; /* first node of each level from 1 on, among all nodes */
  int64_t nodes[MMS_TREE_LEVELS]; /* how many (level 0: leaves) */
  const double *points;           /* [leaves][dim][16], padded with infinity */
  const float *boxes;             /* [nodes][dim][2][16]; a missing child's box is nowhere */
  const double *centre;           /* [dim] */
  double scale, inverse;          /* and 1/scale, exact */
  mms_shared *memory;
} mms_tree_index;

/* O(n log n) on team rank 0, in memory shared by the node. Collective over `team`; agreed. */
mms_status mms_tree_index_create(mms_tree_index *index, const mms_team *team, const mms_training *training,
                                 mms_error *error);
void mms_tree_index_free(mms_tree_index *index); /* Collective */

static inline const float *mms_tree_node(const mms_tree_index *index, int level, int64_t node) {
  return index->boxes + (index->first[level] + node) * 2 * index->dim * MMS_TREE_LEAF;
}

static inline const double *mms_tree_leaf(const mms_tree_index *index, int64_t leaf) {
  return index->points + leaf * index->dim * MMS_TREE_LEAF;
}

/* Put rows [lo, hi) of p [.][dim] into an order in which no coordinate k of a row before `nth` is above one of a row
 * from `nth` on. Deterministic, expected O(hi − lo) on any data. */
void mms_tree_select(double *p, int64_t dim, int64_t k, int64_t lo, int64_t hi, int64_t nth);

/* Rows that are searched side by side, so that one's memory comes while another is worked on. */
enum {
  MMS_TREE_GROUP = 16,
  MMS_TREE_PAIRS = 64,                                /* pairs searched together; more go round by round */
  MMS_TREE_HOOD = 256,                                /* leaves that a group of rows may have in common */
  MMS_TREE_LEAVES = 512,                              /* leaves looked through for one list */
  MMS_TREE_FRONTIER = MMS_TREE_LEAVES + MMS_TREE_LEAF /* room to notice that there are more */
};

/* The draws of a round: `count` of them (1 without noise), in groups of eight lanes; those of the last group are
 * repeated over its lanes. κ = log2(e)/δ². */
typedef struct mms_tree_draws {
  int64_t count, groups;
  double bandwidth2, scale, share;
} mms_tree_draws;

/* One row on its way. */
typedef struct mms_tree_row {
  const double *z;
  const double *shifts;            /* σε of this round, signs included: [groups][dim + 1][8], |σε| last */
  bool apart;                      /* a single draw, searched about its own place z + s and not about z */
  double query[MMS_TREE_DIM_MOST]; /* (z − centre)/scale */
  double size;                     /* |query| */
  double base[MMS_TREE_DIM_MOST];  /* the training point that sums are taken about */
  double *least;                   /* u² of each draw: a bound of the square of its distance to the nearest point */
  double reach2;                   /* no point farther from z than this has weight for any draw */
  double away;                     /* the largest |s| */
  double wide;                     /* reach over the largest reach of one draw from its own place */
  double box_reach2;               /* the same in the boxes' units, rounding included */
  int64_t node;                    /* where the descent is */
  int64_t count;                   /* of the frontier; −1: more than it holds */
  int32_t frontier[MMS_TREE_FRONTIER]; /* nodes, in the end leaves, in ascending order */
} mms_tree_row;

/* Rows of one call that are worked on side by side: row r is row at[r] of the call. `leaves`: where their descents end,
 * or NULL. */
typedef struct mms_tree_group {
  int64_t count, at[MMS_TREE_GROUP];
  const int32_t *leaves;
} mms_tree_group;

/* The order in which many rows are met: (leaf, row) of each, sorted, and room to sort them in. */
typedef struct mms_tree_order {
  uint64_t *pairs, *spare; /* [room] */
  int64_t room, last;      /* rows of the last call, whose order is where the next one begins */
} mms_tree_order;

typedef struct mms_tree {
  mms_tree_index index;
  const mms_field_kernel_table *kernels;
  const mms_training *training;
  int64_t count, max_pairs;
  double depth;  /* b: what is left out weighs at most count e^-b of a draw's largest weight */
  double margin; /* of the search's radius: 1; a test makes it less, to see that it would be noticed */
  mms_tree_list list;
  double *shifts;     /* [GROUP][groups][dim + 1][8] */
  float *noise;       /* [GROUP][round][dim] */
  mms_tree_row *rows; /* [GROUP] for the rows of a batch, [GROUP] for draws searched apart */
  int32_t *hood;      /* leaves about a group: [HOOD] */
  float *hood_boxes;  /* theirs: [HOOD/16][dim][2][16] */
  int64_t hood_count;
  int32_t *wide[2];             /* frontiers that hold every leaf, or every node of level 1 */
  double *states;               /* [groups][3 + dim][8] */
  double *least;                /* [2 GROUP][groups][8] */
  double *apart;                /* shifts of single draws: [GROUP][dim + 1][8] */
  double *log_shares;           /* log of the share of all points in 0 .. MMS_TREE_LEAVES leaves, at most 0 */
  mms_queries drawn;            /* whose noise the first shifts hold, where rows share it (seed, step, block, ...) */
  bool kept;                    /* `drawn` is set */
  struct mms_tree_cloud *cloud; /* or NULL (tree_cloud.h) */
  mms_tree_cells cells;         /* empty unless prepared */
  mms_tree_order order;         /* empty unless reserved */
  int64_t bytes;
} mms_tree;

/* Lanes that `count` draws take: a power of two, eight at most. */
static inline int64_t mms_tree_lanes(int64_t count) { return count > 4 ? 8 : count > 2 ? 4 : count; }

/* Down to a leaf near each row's place, into row->node. Local. */
void mms_tree_descend(const mms_tree *self, mms_tree_row *rows, int64_t count);

/* Search the `count` rows of a group, whose z, shifts, query and node are set: base, reach and frontier. `near`: they
 * are likely to lie together. Local. */
void mms_tree_search(mms_tree *self, mms_tree_row *rows, int64_t count, const mms_tree_draws *draws, bool near);

/* Every leaf within the row's reach into self->wide[0]; returns how many. */
int64_t mms_tree_search_wide(mms_tree *self, const mms_tree_row *row);

/* Place a row at z + shift (lane 0 of a group; may be NULL), in the units of the boxes. */
void mms_tree_place(const mms_tree_index *index, mms_tree_row *row, const double *shift);

/* Ask for a leaf's, or a node's, memory. */
void mms_tree_fetch(const mms_tree_index *index, int level, int64_t node);

/* σε of pairs first .. first + draws->count/2 − 1 of each row of a group, into self->shifts and the rows. False: they
 * were there already. */
bool mms_tree_draw(mms_tree *self, const mms_queries *queries, const mms_tree_group *group, int64_t first,
                   const mms_tree_draws *draws);

/* What the queries say of their draws; count and groups are those of the first round. */
mms_tree_draws mms_tree_draws_of(const mms_queries *queries);

/* Search and finish a group's rows of a call: out [.][dim] and log_mass [.] at these rows. Local. */
void mms_tree_rows(mms_tree *self, const mms_queries *queries, const mms_tree_group *group, mms_pull pull, double *out,
                   double *log_mass, mms_field_counters *counters);

/* All rows of a call, in the order of the leaves that they are near (tree_order.c). Same bits. Local. */
mms_status mms_tree_order_create(mms_tree_order *order, int64_t rows, mms_error *error);
void mms_tree_order_free(mms_tree_order *order);
int64_t mms_tree_order_bytes(const mms_tree_order *order);
void mms_tree_order_rows(mms_tree *self, const mms_queries *queries, mms_pull pull, double *out, double *log_mass,
                         mms_field_counters *counters);

#endif
