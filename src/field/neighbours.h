/* The neighbours backend: K nearest training points exactly, and L of the others at random (ALGORITHMS 4; the paper's
 * Algorithm 2). A statistical estimator: its draws differ from the exact field by what the others weigh. */
#ifndef FIELD_NEIGHBOURS_H
#define FIELD_NEIGHBOURS_H

#include "field/backend.h"
#include "field/kernels.h"
#include "field/nearest.h"
#include "field/screen_points.h"
#include "field/tree.h"

enum {
  MMS_NEIGHBOURS_TREE_DIM = 10, /* up to here an index beats the product: the rule of `auto` */
  MMS_NEIGHBOURS_ROWS = 256,    /* queries of one product */
  MMS_NEIGHBOURS_WIDTH = 512,   /* points of one product */
  MMS_NEIGHBOURS_STRIDE = 528,  /* floats from one row's scores to the next */
  MMS_NEIGHBOURS_LISTED = 1 << 20
};

/* Points that may be among the nearest, and between what their scores lie. */
typedef struct mms_scored {
  float *low, *high;
  int32_t *point;
} mms_scored;

/* What the product has found for one row so far: every point that may be among the nearest K. */
typedef struct mms_scored_list {
  int64_t count;   /* −1: the row is searched in double precision instead */
  int64_t level;   /* beyond so many the list is cut down */
  float threshold; /* no point whose score is certainly below it is among the nearest */
  float bound[3];  /* what a score's error is at most made of: |q − q̂|, |q̂|, and that of single precision */
} mms_scored_list;

/* The screen of a list (neighbours_sift.c). */
typedef struct mms_sift {
  int64_t stride, width; /* numbers of a row (0: lists are not screened); K + L rounded up to the screen's chunks */
  mms_shared *memory;    /* of `half`, where there are such rows */
  const uint16_t *half;  /* x̂ in bfloat16: [n][stride]; or NULL and */
  const float *single;   /* x' as the product has it */
  float *queries;        /* z' of a row, and ε of this round: [1 + round][stride] */
  float *products;       /* of these with the list: [1 + round][width] */
  mms_candidate *found;
  bool *marks;           /* [width] */
  int32_t *kept, *names; /* places in the list, ascending, and the points there: [K + L, rounded up to vectors] */
  double longest;        /* the largest |ε| */
  int64_t pause;         /* rows that still go by unscreened */
} mms_sift;

typedef struct mms_neighbours {
  const mms_training *training;
  const mms_field_kernel_table *kernels;
  int64_t k, l, list, stride; /* K, L, K + L; rounded up to vectors */
  int64_t max_rows, bytes;
  bool indexed; /* the search is the tree's */
  bool gram;    /* noise is drawn by the factor of the Gram matrix */
  mms_nearest nearest;

  /* the search by product */
  mms_screen_points points;
  int64_t rows, room; /* rows of a group, list entries of each */
  float *queries;     /* [rows][d] */
  uint16_t *packed;   /* the same in bfloat16, where the screen is */
  float *scores;      /* [rows, rounded up to 16][STRIDE] */
  float *norms;       /* [WIDTH]: |x'| of a tile, rounded up */
  float *ranked;      /* [room, at least WIDTH]: scores to choose from */
  float *scored;      /* [rows][low, high][room] */
  int32_t *named;     /* [rows][room] */
  mms_scored_list *lists;

  /* the search by the tree */
  mms_tree_index index;
  mms_shared *names; /* int32: which training point is in a leaf's slot, [leaves][16] */

  mms_sift sift;

  /* the list of one row and its softmax */
  int64_t *chosen, *subset_room, *others; /* K + L indices; work of the subset; [L] */
  bool drawn;                             /* `others` and the noise are already those of this batch */
  int32_t *points_of;                     /* [stride]: ascending */
  bool *lifted;                           /* [stride]: a random other */
  bool columns;
  int64_t width, y_stride; /* points of a tile; doubles from a coordinate (by column) or point to the next */
  int64_t round;           /* pairs worked on together */
  double *x, *y, *tile_c;  /* x only by column */
  float *drawn_noise;      /* [round][d] */
  double *noise;           /* [round][y_stride], by row only */
  double *product;         /* [4 or more pairs][width] of one tile */
  double *c, *b, *plus, *minus, *w;
  double *factor, *factor_work; /* Gram matrix: [K + L][K + L]; [2 (K + L)] */
  int *pivots;
} mms_neighbours;

/* Collective; agreed. As mms_backend_table.create, with K = score->nearest and L = score->remainder; the screen is
 * looked at where the search is by product. */
mms_status mms_neighbours_create(void **state, const mms_team *team, const mms_training *training,
                                 const mms_score_options *score, mms_screen screen, int64_t max_rows, int64_t max_pairs,
                                 mms_error *error);

/* Its state with K, L and the way of noise, and no memory yet. Local. */
mms_status mms_neighbours_begin(mms_neighbours **state, const mms_training *training, const mms_score_options *score,
                                int64_t max_pairs, mms_error *error);
void mms_neighbours_free(void *state);

/* K and L against n and each other, both values named. Local. */
mms_status mms_neighbours_check(const mms_training *training, const mms_score_options *score, mms_error *error);

/* Whether the noise is drawn through the Gram matrix (the rule is in neighbours_finish.c). Local. */
bool mms_neighbours_gram(const mms_score_options *score, int64_t dim, int64_t pairs);

/* --- the search: self->nearest holds the K nearest to z, in no order --- */

/* By product: rows first .. first + rows − 1 (rows <= self->rows) against all points; then row by row. Local. */
void mms_neighbours_scan(mms_neighbours *self, const mms_queries *q, int64_t first, int64_t rows,
                         mms_field_counters *counters);
void mms_neighbours_settle(mms_neighbours *self, int64_t r, const double *z);
/* What these are made of, row r standing for itself: its query and an empty list; a tile of points for all rows; a
 * row's scores a against that; its list. */
void mms_neighbours_begin_row(mms_neighbours *self, const double *z, int64_t r);
void mms_neighbours_begin_tile(mms_neighbours *self, const mms_screen_tile *tile);
void mms_neighbours_take(mms_neighbours *self, int64_t r, const float *a, const mms_screen_tile *tile);
static inline mms_scored mms_neighbours_scored(const mms_neighbours *self, int64_t r) {
  float *low = self->scored + 2 * r * self->room;
  return (mms_scored){low, low + self->room, self->named + r * self->room};
}
/* With k places left among the nearest: drops from a row's list what is certainly not of them, offers what certainly is
 * as if it were infinitely near, and leaves the points that are open. */
void mms_neighbours_cut(mms_neighbours *self, int64_t r, int64_t k, mms_nearest *nearest);
int64_t mms_neighbours_room(int64_t k);
mms_status mms_neighbours_scan_create(mms_neighbours *self, const mms_team *team, mms_screen screen, mms_error *error);

/* By the tree. */
mms_status mms_neighbours_index_create(mms_neighbours *self, const mms_team *team, mms_error *error);
void mms_neighbours_search(mms_neighbours *self, const double *z);

/* --- the finish --- */

mms_status mms_neighbours_finish_create(mms_neighbours *self, int64_t max_pairs, mms_error *error);
/* The smoothed softmax mean over self->nearest and L others, for row `row` of the batch. Local; allocates nothing. */
void mms_neighbours_finish(mms_neighbours *self, const mms_queries *q, int64_t row, mms_pull pull, double *out,
                           double *log_mass);
/* Its two halves: self->points_of and self->lifted from self->nearest; and the mean over these. */
void mms_neighbours_list(mms_neighbours *self, const mms_queries *q, int64_t row);
void mms_neighbours_average(mms_neighbours *self, const mms_queries *q, int64_t row, mms_pull pull, double *out,
                            double *log_mass);

/* log((n − K)/L), which the others' logits are raised by. */
double mms_neighbours_lift(const mms_neighbours *self);

/* After everything else of `self`. Collective; agreed. */
mms_status mms_sift_create(mms_neighbours *self, const mms_team *team, mms_error *error);
void mms_sift_free(mms_sift *sift); /* Collective */
/* Closer bounds for what is open in the list of row r: its query need not be rounded to bfloat16 here. Local. */
void mms_sift_open(mms_neighbours *self, int64_t r);
/* Take over ε of self->drawn_noise. Local. */
void mms_sift_noise(mms_neighbours *self, int64_t pairs);
/* The points of the list of row `row` that may have weight in any of these draws, into `kept` and `names`; returns how
 * many, or K + L and nothing there: take them all. Every other point's weight is zero, computed in double or not.
 * Local. */
int64_t mms_sift_list(mms_neighbours *self, const mms_queries *q, int64_t row, int64_t pairs);

/* Allocate, and count the bytes. Local. */
mms_status mms_neighbours_allocate(mms_neighbours *self, void *array, int64_t count, size_t size, mms_error *error);

extern const mms_backend_table mms_backend_neighbours;

#endif
