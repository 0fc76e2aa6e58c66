/* A shared window that is made, and of which this rank alone is told that it was not. */
#ifndef TESTS_WINDOW_SUPPORT_H
#define TESTS_WINDOW_SUPPORT_H

#include "parallel/team_mpi.h"

static bool refuse_window;

int MPI_Win_allocate_shared(MPI_Aint size, int unit, MPI_Info info, MPI_Comm comm, void *base, MPI_Win *window) {
  int code = PMPI_Win_allocate_shared(size, unit, info, comm, base, window);
  return refuse_window ? MPI_ERR_OTHER : code;
}

#endif
