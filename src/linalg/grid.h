/* What a grid of ranks knows. Private to src/linalg.
 *
 * Our matrices are row-major; ScaLAPACK's are column-major: it sees the transpose of each. So our rows lie over the
 * columns of its grid, our columns over its rows, our upper triangle is its lower one, and AB is its BᵀAᵀ. */
#ifndef LINALG_GRID_H
#define LINALG_GRID_H

#include "mmsold/linalg/distributed.h"
#include <mpi.h>

struct mms_rank_grid {
  const mms_team *team;
  MPI_Comm communicator; /* a duplicate of the team's */
  int handle, context;   /* BLACS' */
  int high, wide;        /* ScaLAPACK's grid: ranks down and across; rank r is (r / wide, r % wide) */
  int down, across;      /* this rank's place */
  int n, block;
  int rows, columns; /* of a matrix of ours on this rank */
  int descriptor[9]; /* ScaLAPACK's of every matrix here */
  int panel_rows;
  int *counts, *offsets; /* [ranks]: of a panel's entries */
  double *panel;         /* [panel_rows][n]: for the grid's callers */
  double *own, *packed;  /* the same, for the calls here: whole rows, and in the order of the ranks */
};

/* Of `n` things dealt out in blocks over `ranks`: how many lie on `rank` among the first n. */
int mms_rank_grid_share(int n, int block, int rank, int ranks);

/* This rank's part of rows first .. first + count − 1: local number of the first of them, and how many. */
int mms_rank_grid_part_of_rows(const mms_rank_grid *grid, int64_t first, int64_t count, int *local);

#endif
