/* The table of functions behind which ways of moving stand, one file per way, and what they share. Private to
 * src/dynamics. */
#ifndef DYNAMICS_METHOD_H
#define DYNAMICS_METHOD_H

#include "mmsold/dynamics/dynamics.h"

/* Where mms_field_together, the field is asked once a step for all local blocks: what they ask, and the answers. */
typedef struct mms_asked {
  bool together;        /* the field is asked so */
  bool asking;          /* questions are being noted */
  mms_queries *queries; /* [local blocks] */
  int64_t count, rows;
  int64_t *first;         /* [local blocks]: of a block's rows among those asked, or −1 */
  double *points, *means; /* [n_local][d] */
  double *log_mass;       /* [n_local] */
} mms_asked;

/* What every way of moving has; a way's own state begins with it. */
struct mms_dynamics {
  const struct mms_method_table *method;
  mms_dynamics_context context; /* a copy; what it points to is borrowed */
  mms_target target;
  mms_field *field;
  mms_ensemble ensemble;
  mms_constraint *constraint; /* of a way of moving with the moment constraint, else NULL ... */
  mms_moments *moments;       /* ... and this instead */
  double step_size;           /* h in use */
  double step_bound;          /* h is linearly stable below it; infinite where there is no such bound */
  bool always_stable;         /* the scheme is stable above it too */
  int64_t step;               /* steps done */
  int64_t pairs;              /* M/2, or 0 where there is nothing to smooth */

  char linalg[256]; /* where the d × d algebra is done, and why */

  double *w;         /* [n_local][d]: what a step adds to Y */
  double *potential; /* [local blocks]: a step's sums of V */
  double *speed;     /* [local blocks]: a step's sums of squared velocities; 0 where there are none */
  /* Of the block in hand: */
  double *z, *mean, *xi;            /* [block size][d] */
  double *log_mass;                 /* [block size] */
  double *mapped;                   /* [n_local][d]: of a spread target with eigenvectors, else NULL */
  mms_asked asked;                  /* empty unless mms_field_together */
  int64_t bad_block;                /* the first local block that was refused in this step, or −1 */
  int64_t bad_blocks;               /* local blocks refused before the moments were formed */
  bool observing;                   /* this step is observed: the two below are wanted of each block */
  double pull_square, noise_square; /* sums of squares of W's two parts; 0 where it has none */
};

/* Contracts as in dynamics.h. Entries may be NULL where a way has nothing to do. */
typedef struct mms_method_table {
  const char *name;
  size_t size;      /* of its state */
  bool constrained; /* moves on the moment manifold */
  bool velocities;  /* has velocities: their squares are reported */
  bool flow;        /* asks at another bandwidth every step */
  bool parts;       /* a block may be begun twice, as asking for all at once does: works over a partitioned set */
  unsigned schemes; /* bit s: takes mms_scheme s; 0: has no schemes */
  mms_factor (*factor)(const mms_sampler_options *sampler);
  /* Its own memory, and step_size, step_bound, always_stable. Local, once all but the field stands. */
  mms_status (*prepare)(mms_dynamics *dynamics, mms_error *error);
  /* What needs the field. Collective; agreed. */
  mms_status (*settle)(mms_dynamics *dynamics, mms_error *error);
  void (*free)(mms_dynamics *dynamics); /* what prepare and settle made */
  mms_status (*start)(mms_dynamics *dynamics, mms_error *error);
  /* W of block b in step `step`, with its potential; Y stays as it is. Local; a failure is only this rank's. */
  mms_status (*block)(mms_dynamics *dynamics, int64_t step, int64_t b, mms_error *error);
  /* The same in two parts, between which all rows meet a target that is spread over the ranks (together.c): from the
   * block's positions in dynamics->z to what is to be mapped, in W; and from there to W. Ways that have none work with
   * whole matrices only. Local. */
  mms_status (*front)(mms_dynamics *dynamics, int64_t step, int64_t b, mms_error *error);
  void (*back)(mms_dynamics *dynamics, int64_t step, int64_t b);
  void (*map)(mms_dynamics *dynamics); /* Collective */
  /* Y + W was taken: the rest of the state follows. Local. */
  void (*accept)(mms_dynamics *dynamics);
  int (*arrays)(mms_dynamics *dynamics, mms_state_array *arrays); /* those after Y */
  const mms_tilt *(*tilt)(const mms_dynamics *dynamics);
  void (*describe)(const mms_dynamics *dynamics, char *text, size_t size);
  int64_t (*bytes)(const mms_dynamics *dynamics); /* of its own memory */
} mms_method_table;

extern const mms_method_table mms_method_mmsold;   /* constrained overdamped Langevin dynamics */
extern const mms_method_table mms_method_langevin; /* the same without the constraint */
extern const mms_method_table mms_method_kinetic;  /* kinetic Langevin dynamics in the tilted energy */
extern const mms_method_table mms_method_cfdm;     /* the closed-form flow */

/* What a block's step is made of. Local. */

/* A block of this rank: its rows in arrays of [n_local][d]. */
typedef struct mms_block_rows {
  int64_t first;  /* global index of the first particle */
  int64_t rows;   /* particles */
  int64_t offset; /* of the first entry in an array [n_local][d] */
} mms_block_rows;
mms_block_rows mms_method_rows(const mms_dynamics *dynamics, int64_t b);

/* Is block b where the field can be asked? If not it is noted as bad, its W is set to zero, and nothing
 * more is to be done for it. */
bool mms_method_block_is_sound(mms_dynamics *dynamics, int64_t b);
bool mms_method_block_is_there(const mms_dynamics *dynamics, int64_t b); /* the same, nothing noted */

/* k̄ at the positions `points` [rows][d] of block b, at this bandwidth and smoothing, into dynamics->mean; the
 * block's sum of V into dynamics->potential. While questions are noted the block's work ends here, with a status that
 * is not looked at. */
mms_status mms_method_means(mms_dynamics *dynamics, int64_t step, int64_t b, const double *points, double bandwidth,
                            double smoothing, mms_error *error);

/* Is the target spread over the ranks, so that maps are of all rows together? */
bool mms_method_is_spread(const mms_dynamics *dynamics);
/* Where the d × d algebra is to be done: MMS_LINALG_REPLICATED or MMS_LINALG_DISTRIBUTED, and the reason in one line.
 * MMS_ERR_INPUT where distributed is asked for and not possible. Local. */
mms_status mms_method_choose_linalg(const mms_dynamics_context *context, const mms_method_table *method,
                                    mms_linalg *linalg, char *reason, size_t size, mms_error *error);
/* Positions of block b into dynamics->z. Where the target is spread they are taken from W, which holds all rows'. */
void mms_method_positions(mms_dynamics *dynamics, int64_t b);
/* W of all local blocks, their potentials and what is observed of them, where the target is spread. Collective whatever
 * becomes of a rank's blocks; a failure is only this rank's. */
mms_status mms_method_together(mms_dynamics *dynamics, int64_t step, mms_error *error);

/* Ask the field for all local blocks at once. Where mms_field_collective Collective and agreed, Local otherwise. */
mms_status mms_method_ask(mms_dynamics *dynamics, int64_t step, mms_error *error);
mms_status mms_method_note(mms_dynamics *dynamics, int64_t b, const mms_queries *queries); /* a question of block b */
void mms_method_answer(mms_dynamics *dynamics, int64_t b);                  /* into dynamics->mean and log_mass */
mms_status mms_method_ask_create(mms_dynamics *dynamics, mms_error *error); /* its memory. Collective; agreed */
void mms_method_ask_free(mms_dynamics *dynamics);

/* xi [rows][d]: the standard normals of step `step` for the particles of block b. */
void mms_method_noise(const mms_dynamics *dynamics, int64_t step, int64_t b, double *xi);

/* The words for numbers that went wrong in step `step`, the same on every rank: the particle is the one of the lowest
 * block that was refused. Collective. */
mms_status mms_method_explain(const mms_dynamics *dynamics, int64_t step, mms_error *error);

#endif
