/* The team: the ranks that work together, and how they agree. No MPI type is seen here;
 * parallel/team_mpi.h hands the communicator to the floors that need it (store, linalg). */
#ifndef MMSOLD_PARALLEL_TEAM_H
#define MMSOLD_PARALLEL_TEAM_H

#include "mmsold/base/status.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct mms_team mms_team;

/* Start MPI (MPI_THREAD_FUNNELED) and send every MPI error to one function that names it on
 * stderr and aborts: where communication itself fails, ranks cannot agree. Collective over
 * the world; once per process. Sets OpenBLAS to one thread unless OPENBLAS_NUM_THREADS is
 * set. */
mms_status mms_world_begin(int *argc, char ***argv, mms_error *error);
/* End MPI. Collective. */
void mms_world_end(void);
/* End all ranks at once, for what cannot be agreed on any more. Local; does not return. */
_Noreturn void mms_world_abort(int exit_code);

/* "Open MPI v4.1.4": the library in use, for --version, cut to `size`. Local, after mms_world_begin. */
void mms_world_library(char *out, size_t size);

/* A team of all ranks, on a duplicate of the world communicator, with one communicator per
 * node inside it. Collective. Free with mms_team_free before mms_world_end. */
mms_status mms_team_create(mms_team **team, mms_error *error);
/* Cut a team into smaller ones: ranks that give the same number (0 or more) work together from now on, in the order
 * they had. The team stays. Collective over `team`; agreed. Free with mms_team_free, collective over the part. */
mms_status mms_team_split(mms_team **part, const mms_team *team, int part_number, mms_error *error);
/* Collective; sets *team to NULL; fine on NULL. */
void mms_team_free(mms_team **team);

int mms_team_rank(const mms_team *team);
int mms_team_size(const mms_team *team);
int mms_team_node_count(const mms_team *team); /* nodes (shared-memory domains) in the team */
int mms_team_node_rank(const mms_team *team);  /* this rank's place on its node; 0 leads */
int mms_team_node_size(const mms_team *team);

/* The launcher started several tasks but MPI sees one rank (srun without PMIx): N singletons
 * that would all write one file. MMS_ERR_INPUT with the cause and the cure. Local. Looks at
 * SLURM_STEP_NUM_TASKS (SLURM_NTASKS is set in every batch script and proves nothing) and at
 * OMPI_COMM_WORLD_SIZE. Commands that write call it first. */
mms_status mms_team_refuse_singletons(const mms_team *team, mms_error *error);

/* Agree on how it went: every rank passes its own status (and, where that is a failure, its
 * message in `error`); all return the same status and hold the same message, those of the
 * lowest rank that failed, with "rank r: " before the message unless r is 0 or all failed
 * alike. Call it before leaving any section that only some ranks may fail. Collective; one
 * all-reduce of an integer when all is well. */
mms_status mms_team_agree(const mms_team *team, mms_status mine, mms_error *error);

/* Collective helpers on plain memory. `bytes` may exceed 2^31 (sent in pieces). */
void mms_team_broadcast(const mms_team *team, void *data, size_t bytes, int root);
void mms_team_barrier(const mms_team *team);
void mms_team_sum_int64(const mms_team *team, int64_t *values, int count); /* in place, on all ranks */
void mms_team_max_double(const mms_team *team, double *values,
                         int count); /* order-independent; in place, on all ranks */
void mms_team_gather_double(const mms_team *team, double mine, double *all); /* all: [size] on rank 0, else NULL */

/* Broadcast a string from `root`: elsewhere *text is replaced by a new copy, freed with
 * free(). NULL travels as NULL. Collective; agreed. */
mms_status mms_team_broadcast_text(const mms_team *team, char **text, int root, mms_error *error);

#endif
