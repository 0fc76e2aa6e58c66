/* The start and end of MPI, and what is known about how we were started. */
#include "mmsold/parallel/team.h"

#include "parallel/team_mpi.h"
#include <stdio.h>
#include <stdlib.h>

/* OpenBLAS reads OPENBLAS_NUM_THREADS when it is loaded, before main: too late to set it here.
 * A rank is a core, so this is set where ranks begin and not in linalg. */
extern void openblas_set_num_threads(int threads);

/* Every MPI error ends here: communication has failed, so nothing can be agreed on any more. */
static void die_of_mpi(const char *where, int code) {
  char text[MPI_MAX_ERROR_STRING] = "unknown error";
  int length = 0, rank = -1;
  MPI_Error_string(code, text, &length);
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  fprintf(stderr, "mmsold: error: MPI failed on rank %d (%s): %s\n", rank, where, text);
  fflush(stderr);
  mms_world_abort(EXIT_FAILURE);
}

static void on_communicator_error(MPI_Comm *communicator, int *code, ...) {
  (void)communicator;
  die_of_mpi("communicator", *code);
}

static void on_window_error(MPI_Win *window, int *code, ...) {
  (void)window;
  die_of_mpi("shared memory window", *code);
}

void mms_world_guard_window(MPI_Win window) {
  MPI_Errhandler handler;
  MPI_Win_create_errhandler(on_window_error, &handler);
  MPI_Win_set_errhandler(window, handler);
  MPI_Errhandler_free(&handler);
}

mms_status mms_world_begin(int *argc, char ***argv, mms_error *error) {
  int begun = 0, provided = 0;
  MPI_Initialized(&begun);
  if (begun) return mms_fail(error, MMS_ERR_INTERNAL, "MPI was begun twice");
  if (MPI_Init_thread(argc, argv, MPI_THREAD_FUNNELED, &provided) != MPI_SUCCESS)
    return mms_fail(error, MMS_ERR_SYSTEM, "MPI could not be started");
  MPI_Errhandler handler; /* communicators made from these two inherit it; MPI keeps it while it is in use */
  MPI_Comm_create_errhandler(on_communicator_error, &handler);
  MPI_Comm_set_errhandler(MPI_COMM_WORLD, handler);
  MPI_Comm_set_errhandler(MPI_COMM_SELF, handler);
  MPI_Errhandler_free(&handler);
  if (provided < MPI_THREAD_FUNNELED)
    return mms_fail(error, MMS_ERR_SYSTEM, "this MPI does not offer MPI_THREAD_FUNNELED (it offers level %d)",
                    provided);
  if (getenv("OPENBLAS_NUM_THREADS") == NULL) openblas_set_num_threads(1);
  return MMS_OK;
}

void mms_world_end(void) {
  int begun = 0, ended = 0;
  MPI_Initialized(&begun);
  MPI_Finalized(&ended);
  if (begun && !ended) MPI_Finalize();
}

_Noreturn void mms_world_abort(int exit_code) {
  int begun = 0, ended = 0;
  MPI_Initialized(&begun);
  MPI_Finalized(&ended);
  if (begun && !ended) MPI_Abort(MPI_COMM_WORLD, exit_code);
  _Exit(exit_code);
}

mms_status mms_team_refuse_singletons(const mms_team *team, mms_error *error) {
  static const char *const names[] = {"SLURM_STEP_NUM_TASKS", "OMPI_COMM_WORLD_SIZE"};
  int begun = 0, world = 1; /* a part of a larger team may well be one rank */
  MPI_Initialized(&begun);
  if (begun) MPI_Comm_size(MPI_COMM_WORLD, &world);
  if (mms_team_size(team) > 1 || (team != NULL && world > 1)) return MMS_OK;
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    const char *text = getenv(names[i]);
    long tasks = text != NULL ? strtol(text, NULL, 10) : 0;
    if (tasks > 1)
      return mms_fail(error, MMS_ERR_INPUT,
                      "%s = %ld, but MPI sees one rank only: %ld separate copies of this program would write the same "
                      "files; start it with \"srun --mpi=pmix\" or mpirun of the MPI it was built with, or as one task",
                      names[i], tasks, tasks);
  }
  return MMS_OK;
}
