/* Products, factors and eigenvalues of distributed matrices: the calls of PBLAS and ScaLAPACK. They see the transpose
 * of each of our matrices (grid.h). */
#include "linalg/grid.h"
#include "linalg/scalapack.h"
#include "mmsold/base/memory.h"
#include "mmsold/linalg/distributed.h"
#include <math.h>
#include <stdlib.h>

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

/* The workspace that a query asks for, and `more`: what some versions ask for is not what they need. */
static mms_status allocate_work(const mms_rank_grid *grid, double wanted, double **work, int *length,
                                mms_error *error) {
  int64_t more = (int64_t)grid->columns * (grid->block + grid->rows) + 4 * (int64_t)grid->n +
                 (int64_t)grid->block * (grid->columns + 3 * (int64_t)grid->block);
  mms_status status = mms_narrow(length, (int64_t)wanted + more, "workspace for distributed eigenvalues", error);
  if (status == MMS_OK) status = mms_allocate_doubles(work, *length, "workspace for distributed eigenvalues", error);
  return mms_team_agree(grid->team, status, error);
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
  if (status == MMS_OK) status = allocate_work(grid, wanted, &work, &length, error);
  if (status == MMS_OK) {
    pdsyev_("N", "L", &n, a->data, &ONE, &ONE, grid->descriptor, eigenvalues, &unused, &ONE, &ONE, grid->descriptor,
            work, &length, &info, 1, 1);
    status = judge(grid, info, error);
  }
  free(work);
  if (status == MMS_OK) settle(grid, eigenvalues);
  return status;
}

/* Rows of `from`, eigenvectors in ascending order of their eigenvalues, into `to` in descending order, signs fixed. */
static void turn_round(const mms_distributed *from, mms_distributed *to) {
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
  mms_status status = check_finite(a, error);
  if (status != MMS_OK) return status;
  status = mms_team_agree(grid->team, mms_distributed_create(&columns, grid, "eigenvectors", error), error);
  if (status == MMS_OK) {
    pdsyevd_("V", "L", &n, a->data, &ONE, &ONE, grid->descriptor, eigenvalues, columns.data, &ONE, &ONE,
             grid->descriptor, &wanted, &length, &integers_wanted, &integer_length, &info, 1, 1);
    status = judge(grid, info, error);
  }
  if (status == MMS_OK) status = allocate_work(grid, wanted, &work, &length, error);
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
    turn_round(&columns, vectors);
  }
  mms_distributed_free(&columns);
  return status;
}
