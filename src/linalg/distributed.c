/* Grids of ranks and the matrices on them. */
#include "mmsold/linalg/distributed.h"

#include "linalg/grid.h"
#include "linalg/scalapack.h"
#include "mmsold/base/memory.h"
#include "parallel/team_mpi.h"
#include <limits.h>
#include <math.h>
#include <stdlib.h>

/* Blocks large enough for BLAS' full rate, small enough that a matrix of some hundred rows still spreads. */
static const int64_t USUAL_BLOCK = 64;

/* Rows of a panel: enough for BLAS; a panel of 4,096 columns is 4 MiB. */
enum { PANEL_ROWS = 128 };

int mms_rank_grid_share(int n, int block, int rank, int ranks) {
  int whole = n / block, mine = whole / ranks * block, rest = whole % ranks;
  if (rank < rest) return mine + block;
  return rank == rest ? mine + n % block : mine;
}

int mms_rank_grid_part_of_rows(const mms_rank_grid *grid, int64_t first, int64_t count, int *local) {
  *local = mms_rank_grid_share((int)first, grid->block, grid->across, grid->wide);
  return mms_rank_grid_share((int)(first + count), grid->block, grid->across, grid->wide) - *local;
}

bool mms_linalg_spreads(mms_linalg asked, int ranks, double bytes) {
  static const double AUTO_BYTES = 1073741824.0; /* 1 GiB */
  if (asked != MMS_LINALG_AUTO) return asked == MMS_LINALG_DISTRIBUTED;
  return ranks > 1 && bytes >= AUTO_BYTES;
}

/* As near to a square as the number of ranks allows, wider than high. */
static void shape_for(int ranks, int *high, int *wide) {
  *high = (int)sqrt((double)ranks);
  while (ranks % *high != 0) (*high)--;
  *wide = ranks / *high;
}

static mms_status check(const mms_rank_grid *grid, int64_t n, mms_error *error) {
  if (n < 1 || n > INT_MAX / PANEL_ROWS)
    return mms_fail(error, MMS_ERR_INPUT, "a distributed matrix of order %lld: it must be 1 to %d", (long long)n,
                    INT_MAX / PANEL_ROWS);
  /* The first rank has the most. Its eigenvectors' workspace is twice a part, and some. */
  int64_t rows = mms_rank_grid_share((int)n, grid->block, 0, grid->wide);
  int64_t columns = mms_rank_grid_share((int)n, grid->block, 0, grid->high);
  if (3 * rows * columns + 64 * n > INT_MAX)
    return mms_fail(error, MMS_ERR_INPUT,
                    "a matrix of order %lld on %d ranks: a rank's part of it is more than ScaLAPACK can count; take "
                    "more ranks",
                    (long long)n, grid->high * grid->wide);
  return MMS_OK;
}

static mms_status allocate(mms_rank_grid *grid, mms_error *error) {
  void *counts = NULL, *offsets = NULL;
  int64_t ranks = grid->high * grid->wide, entries = (int64_t)grid->panel_rows * grid->n;
  mms_status status = mms_allocate(&counts, ranks, sizeof(int), "a grid of ranks", error);
  if (status == MMS_OK) status = mms_allocate(&offsets, ranks, sizeof(int), "a grid of ranks", error);
  grid->counts = counts;
  grid->offsets = offsets;
  if (status == MMS_OK) status = mms_allocate_doubles(&grid->panel, entries, "a panel of a matrix", error);
  if (status == MMS_OK) status = mms_allocate_doubles(&grid->own, entries, "a panel of a matrix", error);
  if (status == MMS_OK) status = mms_allocate_doubles(&grid->packed, entries, "a panel of a matrix", error);
  return status;
}

static void free_memory(mms_rank_grid *grid) {
  free(grid->counts);
  free(grid->offsets);
  free(grid->panel);
  free(grid->own);
  free(grid->packed);
  free(grid);
}

mms_status mms_rank_grid_create(mms_rank_grid **grid, const mms_team *team, int64_t n, int64_t block,
                                mms_error *error) {
  *grid = NULL;
  void *memory = NULL;
  mms_status status = mms_allocate(&memory, 1, sizeof(mms_rank_grid), "a grid of ranks", error);
  mms_rank_grid *made = memory;
  if (status == MMS_OK) {
    made->team = team;
    made->block = (int)(block > 0 && block < INT_MAX ? block : USUAL_BLOCK);
    shape_for(mms_team_size(team), &made->high, &made->wide);
    made->down = mms_team_rank(team) / made->wide;
    made->across = mms_team_rank(team) % made->wide;
    status = check(made, n, error);
  }
  if (status == MMS_OK) {
    made->n = (int)n;
    made->rows = mms_rank_grid_share(made->n, made->block, made->across, made->wide);
    made->columns = mms_rank_grid_share(made->n, made->block, made->down, made->high);
    made->panel_rows = made->n < PANEL_ROWS ? made->n : PANEL_ROWS;
    status = allocate(made, error);
  }
  status = mms_team_agree(team, status, error);
  if (status != MMS_OK) {
    if (made != NULL) free_memory(made);
    return status;
  }
  MPI_Comm_dup(mms_team_communicator(team), &made->communicator);
  made->handle = Csys2blacs_handle(made->communicator);
  made->context = made->handle;
  Cblacs_gridinit(&made->context, "Row", made->high, made->wide);
  /* A dense matrix, n × n in square blocks from rank 0 on; its leading dimension here. */
  const int descriptor[9] = {
      1, made->context, made->n, made->n, made->block, made->block, 0, 0, made->columns > 0 ? made->columns : 1};
  for (int i = 0; i < 9; i++) made->descriptor[i] = descriptor[i];
  *grid = made;
  return MMS_OK;
}

void mms_rank_grid_free(mms_rank_grid **grid) {
  if (*grid == NULL) return;
  Cblacs_gridexit((*grid)->context);
  Cfree_blacs_system_handle((*grid)->handle);
  MPI_Comm_free(&(*grid)->communicator);
  free_memory(*grid);
  *grid = NULL;
}

const mms_team *mms_rank_grid_team(const mms_rank_grid *grid) { return grid->team; }
int64_t mms_rank_grid_order(const mms_rank_grid *grid) { return grid->n; }
int64_t mms_rank_grid_rows(const mms_rank_grid *grid) { return grid->rows; }
int64_t mms_rank_grid_columns(const mms_rank_grid *grid) { return grid->columns; }
int64_t mms_rank_grid_panel_rows(const mms_rank_grid *grid) { return grid->panel_rows; }
double *mms_rank_grid_panel(const mms_rank_grid *grid) { return grid->panel; }

void mms_rank_grid_shape(const mms_rank_grid *grid, int *rows, int *columns) {
  *rows = grid->high;
  *columns = grid->wide;
}

/* Local number → global one: block by block, every `ranks`-th of them. */
static int64_t global(int64_t local, int block, int rank, int ranks) {
  return (local / block * ranks + rank) * block + local % block;
}

int64_t mms_rank_grid_row(const mms_rank_grid *grid, int64_t local) {
  return global(local, grid->block, grid->across, grid->wide);
}

int64_t mms_rank_grid_column(const mms_rank_grid *grid, int64_t local) {
  return global(local, grid->block, grid->down, grid->high);
}

int64_t mms_rank_grid_matrix_bytes(const mms_rank_grid *grid) {
  return (int64_t)grid->rows * grid->columns * (int64_t)sizeof(double);
}

int64_t mms_rank_grid_bytes(const mms_rank_grid *grid) {
  int64_t ranks = grid->high * grid->wide;
  return (int64_t)sizeof *grid + 2 * ranks * (int64_t)sizeof(int) +
         3 * (int64_t)grid->panel_rows * grid->n * (int64_t)sizeof(double);
}

void mms_rank_grid_sum(const mms_rank_grid *grid, double *values, int64_t count) {
  /* Not an all-reduce: MPI does not promise the same bits on all ranks of one, and ranks decide by these sums. */
  bool first = mms_team_rank(grid->team) == 0;
  MPI_Reduce(first ? MPI_IN_PLACE : values, values, (int)count, MPI_DOUBLE, MPI_SUM, 0, grid->communicator);
  MPI_Bcast(values, (int)count, MPI_DOUBLE, 0, grid->communicator);
}

mms_status mms_distributed_create(mms_distributed *matrix, mms_rank_grid *grid, const char *what, mms_error *error) {
  *matrix = (mms_distributed){.grid = grid};
  return mms_allocate_doubles(&matrix->data, (int64_t)grid->rows * grid->columns, what, error);
}

void mms_distributed_free(mms_distributed *matrix) {
  free(matrix->data);
  *matrix = (mms_distributed){0};
}

const char *mms_distributed_library(void) { return "ScaLAPACK " MMS_SCALAPACK_VERSION; }
