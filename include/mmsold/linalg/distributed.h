/* Square matrices spread over the ranks of a team, block by block over a two-dimensional grid of them (ScaLAPACK's
 * block-cyclic distribution): with several ranks none ever holds a whole one. What goes in and out are panels of some
 * rows at a time: sums over the ranks of what each formed from its own rows, and products of each rank's own rows
 * with the whole matrix, which comes by.
 *
 * A matrix has n rows and n columns, n its grid's. Every call is Collective over the grid's team unless it says Local.
 * Sums over ranks are plain ones: their last bits depend on the number of ranks, and so does the order in which
 * ScaLAPACK works (law 1 is not promised here). MPI and ScaLAPACK take memory of their own while they work. */
#ifndef MMSOLD_LINALG_DISTRIBUTED_H
#define MMSOLD_LINALG_DISTRIBUTED_H

#include "mmsold/base/status.h"
#include "mmsold/parallel/team.h"
#include <stdbool.h>
#include <stdint.h>

/* Where d × d algebra is done: on every rank alike, or spread over them; auto: whoever has to choose, does. */
typedef enum mms_linalg { MMS_LINALG_AUTO, MMS_LINALG_REPLICATED, MMS_LINALG_DISTRIBUTED } mms_linalg;

/* Spread where whole matrices would take so many bytes a rank? auto: with several ranks, from 1 GiB on (a rule of
 * memory, not of speed: see README). Local. */
bool mms_linalg_spreads(mms_linalg asked, int ranks, double bytes);

/* The grid: which rank holds which blocks. Also owns the panels that its matrices need. */
typedef struct mms_rank_grid mms_rank_grid;

/* A grid over all ranks of `team` (borrowed) for matrices of order n, as near to a square as the number of ranks
 * allows, in blocks of `block` rows and columns (0: as suits). Collective; agreed. MMS_ERR_INPUT where a rank's part
 * would have 2^31 entries and more, the most ScaLAPACK counts to. */
mms_status mms_rank_grid_create(mms_rank_grid **grid, const mms_team *team, int64_t n, int64_t block, mms_error *error);
void mms_rank_grid_free(mms_rank_grid **grid); /* Collective; sets *grid to NULL; fine on NULL. */

/* Local. */
const mms_team *mms_rank_grid_team(const mms_rank_grid *grid);
int64_t mms_rank_grid_order(const mms_rank_grid *grid);                       /* n */
void mms_rank_grid_shape(const mms_rank_grid *grid, int *rows, int *columns); /* of ranks */
int64_t mms_rank_grid_rows(const mms_rank_grid *grid); /* of a matrix that this rank has entries of */
int64_t mms_rank_grid_columns(const mms_rank_grid *grid);
int64_t mms_rank_grid_row(const mms_rank_grid *grid, int64_t local); /* global number of the local-th of them */
int64_t mms_rank_grid_column(const mms_rank_grid *grid, int64_t local);
int64_t mms_rank_grid_matrix_bytes(const mms_rank_grid *grid); /* of this rank's part of one matrix */
int64_t mms_rank_grid_bytes(const mms_rank_grid *grid);        /* of the grid and its panels */

/* How many rows a panel has (the last may have fewer), and room for one: [mms_rank_grid_panel_rows][n], for callers. */
int64_t mms_rank_grid_panel_rows(const mms_rank_grid *grid);
double *mms_rank_grid_panel(const mms_rank_grid *grid);

/* values [count] summed over the ranks, in place: the same bits on all of them. count < 2^31. */
void mms_rank_grid_sum(const mms_rank_grid *grid, double *values, int64_t count);

/* A matrix. `data` is this rank's part, [mms_rank_grid_rows][mms_rank_grid_columns]. Owns it; the grid is borrowed. */
typedef struct mms_distributed {
  mms_rank_grid *grid;
  double *data;
} mms_distributed;

/* Zeros. Local. */
mms_status mms_distributed_create(mms_distributed *matrix, mms_rank_grid *grid, const char *what, mms_error *error);
void mms_distributed_free(mms_distributed *matrix);

/* What of a matrix is looked at; what is not looked at may be anything. */
typedef enum mms_shape {
  MMS_SHAPE_FULL,
  MMS_SHAPE_UPPER,    /* an upper triangle */
  MMS_SHAPE_SYMMETRIC /* a symmetric matrix, of which the upper triangle is stored */
} mms_shape;

/* Rows first .. first + count − 1 become the sum over the ranks of `panel` [count][n − from], which holds columns
 * `from` and on; those before are 0. count <= mms_rank_grid_panel_rows; panel may not be the grid's own. */
void mms_distributed_sum_rows(mms_distributed *matrix, int64_t first, int64_t count, int64_t from, const double *panel);
/* Those rows, whole, on every rank: panel [count][n]. */
void mms_distributed_fetch_rows(const mms_distributed *matrix, int64_t first, int64_t count, double *panel);
/* Those rows from a panel [count][n] that is the same on all ranks. Local. */
void mms_distributed_put_rows(mms_distributed *matrix, int64_t first, int64_t count, const double *panel);

/* Upper triangle of M (the rest is not touched) = sum over the ranks of XᵀX, and M = sum of XᵀY; x, y [rows][n] are
 * this rank's own rows, of which there may be none. */
void mms_distributed_gram(mms_distributed *matrix, int64_t rows, const double *x);
void mms_distributed_product(mms_distributed *matrix, int64_t rows, const double *x, const double *y);

/* M = scale · the sum over the ranks of (X − 1 meanᵀ)ᵀ(X − 1 meanᵀ), both triangles, for a mean [n] that is the same on
 * all ranks. Uses the panel for callers. */
void mms_distributed_covariance(mms_distributed *matrix, int64_t rows, const double *x, const double *mean,
                                double scale);

/* out [rows][n] = in op(M), or added to what is there; in and out are this rank's own rows and differ. */
void mms_distributed_rows_times(const mms_distributed *matrix, bool transpose, int64_t rows, const double *in, bool add,
                                double *out);
/* x [rows][n] ← x op(M), in place, M upper triangular. */
void mms_distributed_rows_triangle(const mms_distributed *matrix, bool transpose, int64_t rows, double *x);

/* diagonal [n]; out [n] = xᵀM for x [n]; all the same on all ranks. */
void mms_distributed_diagonal(const mms_distributed *matrix, double *diagonal);
void mms_distributed_vector_times(const mms_distributed *matrix, const double *x, double *out);
/* The same for a symmetric M, upper triangle stored. */
void mms_distributed_symmetric_vector_times(const mms_distributed *matrix, const double *x, double *out);
/* The 1-norm, and the largest square sum of a column (FULL and UPPER). */
double mms_distributed_norm(const mms_distributed *matrix, mms_shape shape);
double mms_distributed_longest_column(const mms_distributed *matrix, mms_shape shape);
/* Is every entry that is looked at finite? */
bool mms_distributed_is_finite(const mms_distributed *matrix, mms_shape shape);

/* C = alpha Aᵀ + beta C;  C = alpha op(A) B + beta C;  C = alpha S B + beta C with S symmetric, upper triangle stored.
 * No two may be the same. */
void mms_distributed_add_transposed(double alpha, const mms_distributed *a, double beta, mms_distributed *c);
void mms_distributed_multiply(bool transpose_a, double alpha, const mms_distributed *a, const mms_distributed *b,
                              double beta, mms_distributed *c);
void mms_distributed_symmetric_multiply(double alpha, const mms_distributed *s, const mms_distributed *b, double beta,
                                        mms_distributed *c);

/* In place: the upper Cholesky factor R (A = RᵀR) of a symmetric A, upper triangle stored; the inverse of an upper
 * triangular R. What lies below stays. Agreed: MMS_ERR_NUMERIC names the pivot. */
mms_status mms_distributed_cholesky_upper(mms_distributed *a, mms_error *error);
mms_status mms_distributed_invert_upper(mms_distributed *r, mms_error *error);

/* Eigenvalues [n] in DESCENDING order, the same on all ranks, of the symmetric A, upper triangle stored (destroyed);
 * and row j of `vectors` the eigenvector of the j-th, its largest entry in size (the first among equals) positive. Both
 * allocate what they need. Agreed. MMS_ERR_NUMERIC where A is not finite or the iteration does not converge;
 * MMS_ERR_INTERNAL where the vectors that came out are not its (one trial product). */
mms_status mms_distributed_eigenvalues(mms_distributed *a, double *eigenvalues, mms_error *error);
mms_status mms_distributed_eigen(mms_distributed *a, double *eigenvalues, mms_distributed *vectors, mms_error *error);

/* "ScaLAPACK 2.2.1": the library this was built with, for --version and files. Local. */
const char *mms_distributed_library(void);

#endif
