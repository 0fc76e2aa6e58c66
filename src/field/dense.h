/* What the screens of the dense backend share. */
#ifndef FIELD_DENSE_H
#define FIELD_DENSE_H

#include "field/backend.h"
#include "field/finish.h"
#include "field/kernels.h"
#include "field/screen_points.h"

enum {
  MMS_DENSE_PAIRS = 256,   /* pairs screened together; more go round by round */
  MMS_DENSE_QUERIES = 512, /* rows of the screen's product */
  MMS_DENSE_DRAWS = 8192,  /* (row, pair) of a group: more only where noise is shared */
  MMS_DENSE_WIDTH = 512,   /* points of a tile: 512 x 512 floats are 1 MiB, an L2 */
  MMS_DENSE_STRIDE = 528,  /* floats from one row's scores to the next: rows 2 KiB apart would share a cache's sets */
  MMS_DENSE_CANDIDATES = 1 << 18
};

/* Of one draw of a row, all rounded up: how far below the largest score what is listed may be (bδ² + 2 error, in the
 * screen's units), and what bounds the error of one score: its part in single precision, and |q − q̂| and |q̂| of row and
 * draw together, for mms_screen_point_bound. */
typedef struct mms_dense_margin {
  float margin, single, off, size;
} mms_dense_margin;

typedef struct mms_dense {
  const mms_training *training;
  const mms_field_kernel_table *kernels;
  mms_screen_points points;
  mms_finish *finish;
  int64_t max_rows;
  int64_t bytes;
  bool by_column;

  int32_t *list;        /* points of one row: [n + 16] */
  double *centred;      /* z' of one row: [d] */
  float *queries;       /* by row: z' rows then ε rows [QUERIES][d]; by column: ε of one row [PAIRS][d] */
  float *scores;        /* by row: [QUERIES][STRIDE]; by column: a of one row [padded] */
  mms_finish_row *rows; /* [max_rows] */

  /* by row only */
  uint16_t *packed;          /* the queries in bfloat16, where the screen is */
  mms_screen_line *lines;    /* of the queries: [QUERIES] */
  mms_dense_margin *margins; /* [DRAWS] */
  float *tops;               /* [4 DRAWS]: the largest scores of draws, and what the largest is at least */
  mms_candidate *candidates; /* [CANDIDATES] */
  int64_t *counts;           /* candidates of a row, or −1: it goes to the finish with all points: [max_rows] */
  uint64_t *marks;           /* one bit a point: [n/64 + 1] */
} mms_dense;

/* Rows first .. first + rows − 1 of a batch with pairs first_pair .. first_pair + pairs − 1: what the screen by row
 * works on at a time. */
typedef struct mms_dense_group {
  const mms_queries *q;
  int64_t first, rows, first_pair, pairs;
  bool shared;      /* one set of draws for all rows */
  int64_t room;     /* candidates a row has room for */
  int64_t enough;   /* candidates from which listing no longer pays */
  float beta;       /* σ/S */
  double depth;     /* how far below the largest score a point may be and still count */
  int64_t screened; /* rows still in the screen */
} mms_dense_group;

/* Collective; agreed. As mms_backend_table.create. By column there is single precision alone. */
mms_status mms_dense_create(void **state, const mms_team *team, const mms_training *training, int64_t max_rows,
                            mms_screen screen, mms_error *error);

/* The groups of a batch, in their order: start with {.q = q}; false when there is none left. */
bool mms_dense_next_group(const mms_dense *self, mms_dense_group *g);
/* Fill the queries of the product and the margins. */
void mms_dense_begin_group(mms_dense *self, mms_dense_group *g);
void mms_dense_screen_tile(mms_dense *self, mms_dense_group *g, const mms_screen_tile *tile,
                           mms_field_counters *counters);
/* The candidates of row r as an ascending list of points in self->list; returns how many. */
int64_t mms_dense_list_points(mms_dense *self, const mms_dense_group *g, int64_t r);
/* The draws of row r: [pairs][d]. */
const float *mms_dense_noise_of(const mms_dense *self, const mms_dense_group *g, int64_t r);

/* The screens: every row of the queries, evaluated. Local. */
void mms_dense_by_column(mms_dense *self, const mms_queries *queries, mms_pull pull, double *out, double *log_mass,
                         mms_field_counters *counters);
void mms_dense_by_row(mms_dense *self, const mms_queries *queries, mms_pull pull, double *out, double *log_mass,
                      mms_field_counters *counters);

/* z' of a row into self->centred and, as floats, into z; returns |z'|. */
double mms_dense_centre(mms_dense *self, const double *z, float *out);

/* How far below the largest logit a point may be and still count, in units of 1: n e^-b <= 2^-53. */
double mms_dense_depth(const mms_dense *self);

/* Turn the sums of a finished row into its output. */
void mms_dense_end(const mms_dense *self, const mms_finish_row *row, mms_pull pull, double *out, double *log_mass);

/* |z'| and β|ε| beyond which single precision is not asked (2^24): such rows go to the finish with all points. */
#define MMS_DENSE_FAR 16777216.0

#endif
