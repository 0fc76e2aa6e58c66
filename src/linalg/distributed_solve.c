/* Products, factors and eigenvalues of distributed matrices: the calls of PBLAS and ScaLAPACK. They see the transpose
 * of each of our matrices (grid.h). */
#include "linalg/grid.h"
#include "linalg/scalapack.h"
#include "mmsold/base/memory.h"
#include "mmsold/linalg/distributed.h"
#include <math.h>
#include <stdlib.h>

/* Eigenvectors are good to about n·eps; what is wrong is wrong altogether. */
static const double TRIAL_TOLERANCE = 1e-8;

static const int ONE = 1; /* matrices are used whole: from row and column 1 on */

void mms_distributed_add_transposed(double alpha, const mms_distributed *a, double beta, mms_distributed *c) {
  const mms_rank_grid *grid = c->grid;
  pdgeadd_("T", &grid->n, &grid->n, &alpha, a->data, &ONE, &ONE, grid->descriptor, &beta, c->data, &ONE, &ONE,
           grid->descriptor);
}

void mms_distributed_multiply(bool transpose_a, double alpha, const mms_distributed *a, const mms_distributed *b,
                              double beta, mms_distributed *c) {
  const mms_rank_grid *grid = c->grid;
  const int *n = &grid->n, *descriptor = grid->descriptor;
  pdgemm_("N", transpose_a ? "T" : "N", n, n, n, &alpha, b->data, &ONE, &ONE, descriptor, a->data, &ONE, &ONE,
          descriptor, &beta, c->data, &ONE, &ONE, descriptor);
}

void mms_distributed_symmetric_multiply(double alpha, const mms_distributed *s, const mms_distributed *b, double beta,
                                        mms_distributed *c) {
  const mms_rank_grid *grid = c->grid;
  const int *n = &grid->n, *descriptor = grid->descriptor;
  pdsymm_("R", "L", n, n, &alpha, s->data, &ONE, &ONE, descriptor, b->data, &ONE, &ONE, descriptor, &beta, c->data,
          &ONE, &ONE, descriptor);
}

/* A negative info of ScaLAPACK: argument −info is wrong (its entry too, in hundreds). */
static mms_status wrong_argument(const char *what, int info, mms_error *error) {
  return mms_fail(error, MMS_ERR_INTERNAL, "distributed %s: argument %d is wrong", what, -info);
}

mms_status mms_distributed_cholesky_upper(mms_distributed *a, mms_error *error) {
  const mms_rank_grid *grid = a->grid;
  int n = grid->n, info = 0;
  mms_status status = MMS_OK;
  pdpotrf_("L", &n, a->data, &ONE, &ONE, grid->descriptor, &info, 1);
  /* NaN passes the test of the pivot on some processors: look again. The diagonal is the same on all ranks. */
  double *diagonal = grid->own;
  mms_distributed_diagonal(a, diagonal);
  if (info < 0) status = wrong_argument("Cholesky factorisation", info, error);
  if (info > 0)
    status = mms_fail(error, MMS_ERR_NUMERIC,
                      "a %d x %d matrix is not positive definite: its Cholesky factorisation breaks at pivot %d", n, n,
                      info);
  for (int i = 0; i < n && status == MMS_OK; i++)
    if (!(diagonal[i] > 0.0) || !isfinite(diagonal[i]))
      status = mms_fail(error, MMS_ERR_NUMERIC, "a %d x %d matrix is not finite: its Cholesky pivot %d is %g", n, n,
                        i + 1, diagonal[i]);
  return mms_team_agree(grid->team, status, error);
}

mms_status mms_distributed_invert_upper(mms_distributed *r, mms_error *error) {
  const mms_rank_grid *grid = r->grid;
  int n = grid->n, info = 0;
  mms_status status = MMS_OK;
  pdtrtri_("L", "N", &n, r->data, &ONE, &ONE, grid->descriptor, &info, 1, 1);
  if (info < 0) status = wrong_argument("inverse of a triangle", info, error);
  if (info > 0)
    status = mms_fail(error, MMS_ERR_NUMERIC, "a triangular %d x %d matrix is singular: diagonal entry %d is zero", n,
                      n, info);
  return mms_team_agree(grid->team, status, error);
}

/* Rank 0's eigenvalues, ascending, on all ranks and descending. ScaLAPACK 2.2.1's divide and conquer leaves other
 * ranks' in disorder where the matrix is a single block, as rank 0 then solves it alone. */
static void settle(const mms_rank_grid *grid, double *values) {
  int64_t count = grid->n;
  mms_team_broadcast(grid->team, values, (size_t)count * sizeof *values, 0);
  for (int64_t i = 0; i < count / 2; i++) {
    double swapped = values[i];
    values[i] = values[count - 1 - i];
    values[count - 1 - i] = swapped;
  }
}

static mms_status allocate_work(const mms_rank_grid *grid, int64_t wanted, double **work, int *length,
                                mms_error *error) {
  mms_status status = mms_narrow(length, wanted, "workspace for distributed eigenvalues", error);
  if (status == MMS_OK) status = mms_allocate_doubles(work, *length, "workspace for distributed eigenvalues", error);
  return mms_team_agree(grid->team, status, error);
}

/* What pdsyevd of ScaLAPACK 2.2.1 needs: its own answer leaves out what two routines below it want where blocks are
 * large against the matrix (PDORMTR, and PDLASRT that sorts). They refuse, and it goes on without them. */
static int64_t workspace(const mms_rank_grid *grid, double answer) {
  int64_t n = grid->n, block = grid->block, down = grid->columns, across = grid->rows; /* of its matrix */
  int64_t turning = block * (down + across + 2 * block), sorting = down * (block + across);
  int64_t more = 6 * n + (turning > sorting ? turning : sorting);
  return more > (int64_t)answer ? more : (int64_t)answer;
}

/* Before ScaLAPACK, which may not come back from NaN. */
static mms_status check_finite(const mms_distributed *a, mms_error *error) {
  if (mms_distributed_is_finite(a, MMS_SHAPE_SYMMETRIC)) return MMS_OK;
  return mms_fail(error, MMS_ERR_NUMERIC, "eigenvalues of a %d x %d matrix: it holds entries that are not finite",
                  a->grid->n, a->grid->n);
}

static mms_status judge(const mms_rank_grid *grid, int info, mms_error *error) {
  mms_status status = MMS_OK;
  if (info < 0) status = wrong_argument("eigenvalues", info, error);
  if (info > 0)
    status = mms_fail(error, MMS_ERR_NUMERIC, "eigenvalues of a %d x %d matrix: the iteration did not converge",
                      grid->n, grid->n);
  return mms_team_agree(grid->team, status, error);
}

mms_status mms_distributed_eigenvalues(mms_distributed *a, double *eigenvalues, mms_error *error) {
  const mms_rank_grid *grid = a->grid;
  int n = grid->n, info = 0, length = -1;
  double wanted = 0.0, *work = NULL, unused = 0.0;
  mms_status status = check_finite(a, error);
  if (status != MMS_OK) return status;
  pdsyev_("N", "L", &n, a->data, &ONE, &ONE, grid->descriptor, eigenvalues, &unused, &ONE, &ONE, grid->descriptor,
          &wanted, &length, &info, 1, 1);
  status = judge(grid, info, error);
  if (status == MMS_OK) status = allocate_work(grid, (int64_t)wanted, &work, &length, error);
  if (status == MMS_OK) {
    pdsyev_("N", "L", &n, a->data, &ONE, &ONE, grid->descriptor, eigenvalues, &unused, &ONE, &ONE, grid->descriptor,
            work, &length, &info, 1, 1);
    status = judge(grid, info, error);
  }
  free(work);
  if (status == MMS_OK) settle(grid, eigenvalues);
  return status;
}

/* A vector x, what A made of it, and what its eigenvectors say: Σ_j w_j (q_j·x) q_j. */
typedef struct trial {
  double *x, *image, *shares, *found; /* [n] */
} trial;

/* A trial of A, before that is destroyed. Agreed. */
static mms_status begin_trial(trial *t, const mms_distributed *a, mms_error *error) {
  const mms_rank_grid *grid = a->grid;
  int64_t n = grid->n;
  mms_status status = mms_allocate_doubles(&t->x, 4 * n, "a trial of the eigenvectors", error);
  status = mms_team_agree(grid->team, status, error);
  if (status != MMS_OK) return status;
  t->image = t->x + n;
  t->shares = t->x + 2 * n;
  t->found = t->x + 3 * n;
  for (int64_t k = 0; k < n; k++) t->x[k] = sin((double)(k + 1)); /* orthogonal to no eigenvector that matters */
  mms_distributed_symmetric_vector_times(a, t->x, t->image);
  return MMS_OK;
}

/* Routines inside ScaLAPACK have been seen to refuse their arguments without a word to the caller: look at what came
 * out. The same on all ranks. */
static mms_status end_trial(trial *t, const double *w, const mms_distributed *vectors, mms_error *error) {
  int64_t n = vectors->grid->n;
  double size = 0.0, away = 0.0, scale = fmax(fabs(w[0]), fabs(w[n - 1]));
  for (int64_t k = 0; k < n; k++) t->shares[k] *= w[k];
  mms_distributed_vector_times(vectors, t->shares, t->found);
  for (int64_t k = 0; k < n; k++) {
    size += t->x[k] * t->x[k];
    away += (t->found[k] - t->image[k]) * (t->found[k] - t->image[k]);
  }
  free(t->x);
  if (sqrt(away) <= TRIAL_TOLERANCE * scale * sqrt(size)) return MMS_OK;
  return mms_fail(error, MMS_ERR_INTERNAL,
                  "eigenvalues of a %lld x %lld matrix: what ScaLAPACK gave back is not its eigenvectors (off by %.2g)",
                  (long long)n, (long long)n, sqrt(away / size) / scale);
}

/* Rows of `from`, eigenvectors in ascending order of their eigenvalues, into `to` in descending order, signs fixed; and
 * their products with x into `shares`. */
static void turn_round(const mms_distributed *from, mms_distributed *to, const trial *t) {
  const mms_rank_grid *grid = to->grid;
  int64_t n = grid->n;
  double *panel = grid->panel;
  for (int64_t first = 0; first < n; first += grid->panel_rows) {
    int64_t count = n - first < grid->panel_rows ? n - first : grid->panel_rows;
    mms_distributed_fetch_rows(from, first, count, panel);
    for (int64_t i = 0; i < count / 2; i++)
      for (int64_t k = 0; k < n; k++) {
        double swapped = panel[i * n + k];
        panel[i * n + k] = panel[(count - 1 - i) * n + k];
        panel[(count - 1 - i) * n + k] = swapped;
      }
    for (int64_t i = 0; i < count; i++) {
      double *vector = panel + i * n;
      int64_t largest = 0;
      for (int64_t k = 1; k < n; k++)
        if (fabs(vector[k]) > fabs(vector[largest])) largest = k;
      for (int64_t k = 0, turns = vector[largest] < 0.0; turns && k < n; k++) vector[k] = -vector[k];
      double *share = &t->shares[n - first - count + i];
      *share = 0.0;
      for (int64_t k = 0; k < n; k++) *share += vector[k] * t->x[k];
    }
    mms_distributed_put_rows(to, n - first - count, count, panel);
  }
}

mms_status mms_distributed_eigen(mms_distributed *a, double *eigenvalues, mms_distributed *vectors, mms_error *error) {
  mms_rank_grid *grid = a->grid;
  int n = grid->n, info = 0, length = -1, integer_length = -1, integers_wanted = 0;
  double wanted = 0.0, *work = NULL;
  void *integers = NULL;
  mms_distributed columns = {0};
  trial t = {0};
  mms_status status = check_finite(a, error);
  if (status == MMS_OK) status = begin_trial(&t, a, error);
  if (status != MMS_OK) return status;
  status = mms_team_agree(grid->team, mms_distributed_create(&columns, grid, "eigenvectors", error), error);
  if (status == MMS_OK) {
    pdsyevd_("V", "L", &n, a->data, &ONE, &ONE, grid->descriptor, eigenvalues, columns.data, &ONE, &ONE,
             grid->descriptor, &wanted, &length, &integers_wanted, &integer_length, &info, 1, 1);
    status = judge(grid, info, error);
  }
  if (status == MMS_OK) status = allocate_work(grid, workspace(grid, wanted), &work, &length, error);
  if (status == MMS_OK) {
    integer_length = integers_wanted;
    status = mms_allocate(&integers, integer_length, sizeof(int), "workspace for distributed eigenvalues", error);
    status = mms_team_agree(grid->team, status, error);
  }
  if (status == MMS_OK) {
    pdsyevd_("V", "L", &n, a->data, &ONE, &ONE, grid->descriptor, eigenvalues, columns.data, &ONE, &ONE,
             grid->descriptor, work, &length, integers, &integer_length, &info, 1, 1);
    status = judge(grid, info, error);
  }
  free(work);
  free(integers);
  if (status == MMS_OK) {
    settle(grid, eigenvalues);
    turn_round(&columns, vectors, &t);
    status = end_trial(&t, eigenvalues, vectors, error);
  } else {
    free(t.x);
  }
  mms_distributed_free(&columns);
  return status;
}
