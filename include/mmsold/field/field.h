/* The closed-form field. ONE operation, the softmax mean over the training set
 *     m(q) = Σ_i w_i x_i,  w = softmax_i ℓ(q, x_i),  and  log Σ_i exp ℓ(q, x_i)
 * with interchangeable backends. Here ℓ is Gaussian with the antithetic noise of the smoothed
 * score (ALGORITHMS 1; paper, score-smoothed potential):
 *     ℓ±_i = −|z − x_i|²/(2δ²) ± σ ε·(x_i − z)/δ².
 * Nothing of size P × n is ever stored. */
#ifndef MMSOLD_FIELD_FIELD_H
#define MMSOLD_FIELD_FIELD_H

#include "mmsold/base/status.h"
#include "mmsold/training/training.h"
#include <stdbool.h>
#include <stdint.h>

typedef enum mms_noise { MMS_NOISE_FRESH, MMS_NOISE_FIXED } mms_noise;
typedef enum mms_sharing { MMS_SHARING_PARTICLE, MMS_SHARING_BLOCK, MMS_SHARING_ALL } mms_sharing;
typedef enum mms_backend {
  MMS_BACKEND_AUTO,
  MMS_BACKEND_REFERENCE, /* plain double loops: the oracle */
  MMS_BACKEND_DENSE,     /* tiles through BLAS: screen in single, finish in double */
  MMS_BACKEND_TREE,      /* few dimensions: an index says which points are near, finish in double */
  MMS_BACKEND_NEIGHBOURS /* K nearest points and L random others: a statistical estimator, never chosen by auto */
} mms_backend;

/* What the `score:` section says about the field. */
typedef struct mms_score_options {
  double bandwidth;          /* δ > 0 */
  double smoothing;          /* σ >= 0 */
  int64_t smoothing_samples; /* M, even; 0 = none */
  mms_noise noise;
  mms_sharing sharing;
  mms_backend backend;
  int64_t nearest, remainder; /* K >= 1 and L >= 0, K + L <= n; looked at for neighbours only */
} mms_score_options;

/* Queries: `count` points and the identity of their noise. Borrowed for the call. */
typedef struct mms_queries {
  int64_t count;        /* rows, 0 <= count <= max_rows of the field */
  const double *points; /* z: [count][d] */
  double bandwidth;     /* δ of this call (a flow changes it every step) */
  double smoothing;     /* σ of this call */
  int64_t pairs;        /* M/2 antithetic pairs; 0 or smoothing == 0: the exact field */
  mms_noise noise;
  mms_sharing sharing;
  uint64_t seed;
  uint64_t step;          /* the step's number; FIXED noise ignores it */
  int64_t first_particle; /* global index of row 0 */
  int64_t block;          /* global index of the block the rows belong to (sharing: block) */
} mms_queries;

/* Where the time and the work went since creation; for reports and benchmarks. */
typedef struct mms_field_counters {
  double seconds;         /* inside mms_field_softmax_mean */
  double seconds_product; /* of these, in the screen's products (SGEMM or the low-d kernel) */
  double seconds_finish;  /* of these, in the double-precision finish */
  double product_flops;
  int64_t rows;     /* query rows times draws screened */
  int64_t finished; /* (row, training point) weights computed in double */
} mms_field_counters;

typedef struct mms_field mms_field;

/* A field over `training` (borrowed, must outlive it) for batches of up to max_rows rows and
 * max_pairs pairs. Collective over `team` (the screen's copy of the points is shared per node);
 * agreed. `backend` AUTO is resolved here by the written rule. */
mms_status mms_field_create(mms_field **field, const mms_team *team, const mms_training *training, mms_backend backend,
                            int64_t max_rows, int64_t max_pairs, mms_error *error);
/* The same for what the `score:` section says of backend, widths (with which AUTO knows more; bandwidth 0: not known),
 * nearest, remainder and sharing: the only way to `neighbours`
 * (ALGORITHMS 4), which takes for each row the K nearest training points, ties going to the smaller index, and L others
 * drawn uniformly without replacement (noise and sharing say who shares that draw as well), these with log((n − K)/L)
 * added to their logits. MMS_ERR_INPUT names K and L where there are not as many points. */
mms_status mms_field_create_for(mms_field **field, const mms_team *team, const mms_training *training,
                                const mms_score_options *score, int64_t max_rows, int64_t max_pairs, mms_error *error);
/* Over a partitioned training set there are dense, in more than 8 dimensions, and neighbours; both give the bits that
 * they give over a replicated one. Calls are Collective then (mms_field_collective): every rank asks equally often,
 * with no rows where it has none, and the whole set travels once for each 32 MiB of a rank's own queries and candidates
 * and again for the points that its rows need; so ask for all rows at once. MMS_ERR_INPUT for other backends. */
bool mms_field_collective(const mms_field *field);
/* Does it pay to ask for all rows of a rank at once (mms_field_softmax_mean_batches, after mms_field_reserve)? Where
 * calls are Collective, and for the tree over so many points that no core keeps them: batches that follow one another
 * are then answered in the order of the index. The bits are the same either way, and so is this answer on all ranks.
 */
bool mms_field_together(const mms_field *field);
/* Room for calls of mms_field_softmax_mean_batches of `rows` rows in all; none is taken where that does not pay.
 * Collective; agreed. */
mms_status mms_field_reserve(mms_field *field, int64_t rows, mms_error *error);
/* The least dimension in which what `score` asks for works over a partitioned set; INT64_MAX: in none. Local. */
int64_t mms_field_partition_from(const mms_score_options *score);

/* Makes ready for very many draws at one bandwidth, with smoothings about this one: in one and two dimensions the tree
 * then looks up the points of weight by cells of space. Calls at exactly this bandwidth are answered that way from then
 * on, as accurately, though not with the same bits; what is ready follows from the arguments and the training set, so
 * all ranks have it. Some milliseconds for a thousand points. Collective; agreed. */
mms_status mms_field_prepare(mms_field *field, double bandwidth, double smoothing, mms_error *error);

/* Collective; sets *field to NULL; fine on NULL. */
void mms_field_free(mms_field **field);

/* mean [count][d]: k̄(z) = average over the draws ± of the softmax mean. log_mass [count] (may be NULL):
 * average over the draws of log Σ_i exp ℓ±_i, so that V(z) = −log_mass + log n + dσ²/(2δ²)
 * (dσ²/(2δ²) only where draws are made; the sampled |ε|² never enters). Local; allocates nothing; needs finite
 * points. dense and tree are certified: points left out weigh less than double rounding; neighbours is an estimate. */
mms_status mms_field_softmax_mean(mms_field *field, const mms_queries *queries, double *mean, double *log_mass,
                                  mms_error *error);

/* The same for several batches in one call, results one after the other: mean [Σ count][d], log_mass [Σ count]. Local,
 * or Collective where mms_field_collective; agreed then: with a batch that cannot be asked nothing is computed, and the
 * rank that had it says why. */
mms_status mms_field_softmax_mean_batches(mms_field *field, const mms_queries *batches, int64_t count, double *mean,
                                          double *log_mass, mms_error *error);

/* gradient [count][d] = ∇V(z) = (z − k̄)/δ² and potential [count] = V(z) (may be NULL; the
 * dropped constants of ALGORITHMS 1 stay dropped). Same contract as mms_field_softmax_mean. */
mms_status mms_field_gradient(mms_field *field, const mms_queries *queries, double *gradient, double *potential,
                              mms_error *error);
/* The same for several batches, as mms_field_softmax_mean_batches. */
mms_status mms_field_gradient_batches(mms_field *field, const mms_queries *batches, int64_t count, double *gradient,
                                      double *potential, mms_error *error);

mms_field_counters mms_field_read_counters(const mms_field *field);
const char *mms_field_backend_name(const mms_field *field); /* "reference", "dense", "tree", "neighbours" */
const char *mms_field_reason(const mms_field *field);       /* one line: what was chosen and why, kernels in use */
int64_t mms_field_bytes(const mms_field *field);            /* private memory of this rank */
int64_t mms_field_shared_bytes(const mms_field *field);     /* shared per node */

/* The instruction set the kernels run on here: "amx" (AVX-512 with AMX tiles), "avx512", "avx2" or "portable"; chosen
 * once per process from the CPU; MMSOLD_KERNELS=name in the environment forces a lower one. Local. */
const char *mms_field_kernels(void);

#endif
