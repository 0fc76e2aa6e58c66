#include "mmsold/parallel/team.h"

#include "mmsold/base/memory.h"
#include "parallel/team_mpi.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

struct mms_team {
  MPI_Comm all, node, leaders; /* leaders: MPI_COMM_NULL on ranks that lead no node */
  MPI_Op maximum;
  int rank, size, node_rank, node_size, node_count;
};

/* MPI_MAX leaves open what NaN and the two zeros give; here NaN wins and +0 beats -0, in any order. */
static void maximum(void *in, void *inout, int *count, MPI_Datatype *type) {
  (void)type;
  const double *a = in;
  double *b = inout;
  for (int i = 0; i < *count; i++) {
    if (isnan(a[i]) || isnan(b[i]))
      b[i] = NAN;
    else if (a[i] > b[i] || (a[i] == b[i] && signbit(b[i])))
      b[i] = a[i];
  }
}

/* A team of the ranks of `parent`. Collective over it. */
static mms_status create_on(mms_team **team, MPI_Comm parent, int ranks_per_node, mms_error *error) {
  *team = NULL;
  void *memory = NULL;
  mms_status status = mms_allocate(&memory, 1, sizeof(mms_team), "the team", error);
  int refused = status != MMS_OK, any = 0;
  MPI_Allreduce(&refused, &any, 1, MPI_INT, MPI_MAX, parent);
  if (any) {
    free(memory);
    return refused ? status : mms_fail(error, MMS_ERR_MEMORY, "not enough memory for the team on another rank");
  }
  mms_team *made = memory;
  MPI_Comm_dup(parent, &made->all);
  MPI_Comm_rank(made->all, &made->rank);
  MPI_Comm_size(made->all, &made->size);
  /* Keyed by rank: team rank 0 leads its node and comes first among the leaders. */
  MPI_Comm_split_type(made->all, MPI_COMM_TYPE_SHARED, made->rank, MPI_INFO_NULL, &made->node);
  MPI_Comm_rank(made->node, &made->node_rank);
  if (ranks_per_node > 0) {
    MPI_Comm whole = made->node;
    MPI_Comm_split(whole, made->node_rank / ranks_per_node, made->rank, &made->node);
    MPI_Comm_free(&whole);
    MPI_Comm_rank(made->node, &made->node_rank);
  }
  MPI_Comm_size(made->node, &made->node_size);
  int leads = made->node_rank == 0;
  MPI_Comm_split(made->all, leads ? 0 : MPI_UNDEFINED, made->rank, &made->leaders);
  MPI_Allreduce(&leads, &made->node_count, 1, MPI_INT, MPI_SUM, made->all);
  MPI_Op_create(maximum, 1, &made->maximum);
  *team = made;
  return MMS_OK;
}

mms_status mms_team_create(mms_team **team, mms_error *error) { return create_on(team, MPI_COMM_WORLD, 0, error); }

mms_status mms_team_create_cut(mms_team **team, int ranks_per_node, mms_error *error) {
  return create_on(team, MPI_COMM_WORLD, ranks_per_node, error);
}

mms_status mms_team_split(mms_team **part, const mms_team *team, int part_number, mms_error *error) {
  MPI_Comm mine;
  MPI_Comm_split(mms_team_communicator(team), part_number, mms_team_rank(team), &mine);
  mms_status status = create_on(part, mine, 0, error);
  MPI_Comm_free(&mine);
  status = mms_team_agree(team, status, error);
  if (status != MMS_OK) mms_team_free(part);
  return status;
}

void mms_team_free(mms_team **team) {
  if (*team == NULL) return;
  MPI_Op_free(&(*team)->maximum);
  if ((*team)->leaders != MPI_COMM_NULL) MPI_Comm_free(&(*team)->leaders);
  MPI_Comm_free(&(*team)->node);
  MPI_Comm_free(&(*team)->all);
  free(*team);
  *team = NULL;
}

int mms_team_rank(const mms_team *team) { return team == NULL ? 0 : team->rank; }
int mms_team_size(const mms_team *team) { return team == NULL ? 1 : team->size; }
int mms_team_node_count(const mms_team *team) { return team == NULL ? 1 : team->node_count; }
int mms_team_node_rank(const mms_team *team) { return team == NULL ? 0 : team->node_rank; }
int mms_team_node_size(const mms_team *team) { return team == NULL ? 1 : team->node_size; }

MPI_Comm mms_team_communicator(const mms_team *team) { return team == NULL ? MPI_COMM_SELF : team->all; }
MPI_Comm mms_team_node_communicator(const mms_team *team) { return team == NULL ? MPI_COMM_SELF : team->node; }
MPI_Comm mms_team_leaders_communicator(const mms_team *team) { return team == NULL ? MPI_COMM_SELF : team->leaders; }

void mms_team_broadcast_on(MPI_Comm communicator, void *data, size_t bytes, int root) {
  const size_t piece = (size_t)1 << 29; /* well inside MPI's int count */
  for (size_t done = 0; done < bytes; done += piece) {
    size_t rest = bytes - done;
    MPI_Bcast((char *)data + done, (int)(rest < piece ? rest : piece), MPI_BYTE, root, communicator);
  }
}

void mms_team_broadcast(const mms_team *team, void *data, size_t bytes, int root) {
  if (team != NULL) mms_team_broadcast_on(team->all, data, bytes, root);
}

void mms_team_barrier(const mms_team *team) {
  if (team != NULL) MPI_Barrier(team->all);
}

void mms_team_sum_int64(const mms_team *team, int64_t *values, int count) {
  if (team != NULL) MPI_Allreduce(MPI_IN_PLACE, values, count, MPI_INT64_T, MPI_SUM, team->all);
}

void mms_team_max_double(const mms_team *team, double *values, int count) {
  if (team != NULL) MPI_Allreduce(MPI_IN_PLACE, values, count, MPI_DOUBLE, team->maximum, team->all);
}

void mms_team_gather_double(const mms_team *team, double mine, double *all) {
  if (team == NULL)
    all[0] = mine;
  else
    MPI_Gather(&mine, 1, MPI_DOUBLE, all, 1, MPI_DOUBLE, 0, team->all);
}
