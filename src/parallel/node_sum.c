#include "parallel/node_sum.h"

#include "base/clones.h"
#include "mmsold/base/memory.h"
#include "mmsold/parallel/shared.h"
#include "parallel/team_mpi.h"
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

struct mms_node_sum {
  const mms_team *team;
  mms_shared *memory;
  MPI_Comm lane; /* the ranks of all nodes that have this one's place in theirs; MPI_COMM_NULL on a single node */
  int64_t count;
  int64_t *part[]; /* [ranks of the node] */
};

/* Whether every node has as many ranks as this one has, and more than one. */
static bool nodes_are_alike(const mms_team *team) {
  int64_t unlike = (int64_t)mms_team_node_size(team) * mms_team_node_count(team) != mms_team_size(team);
  mms_team_sum_int64(team, &unlike, 1);
  return unlike == 0 && mms_team_node_size(team) > 1;
}

void mms_node_sum_create(mms_node_sum **sum, const mms_team *team, int count) {
  *sum = NULL;
  if (mms_team_size(team) == 1 || !nodes_are_alike(team)) return;
  const int ranks = mms_team_node_size(team);
  void *memory = NULL;
  mms_shared *shared = NULL;
  mms_status status =
      mms_allocate(&memory, 1, sizeof(mms_node_sum) + (size_t)ranks * sizeof(int64_t *), "the sums of a node", NULL);
  status = mms_team_agree(team, status, NULL);
  if (status == MMS_OK)
    status = mms_shared_create_parts(&shared, team, (size_t)count * sizeof(int64_t), "the sums of a node", NULL);
  if (status != MMS_OK) {
    free(memory);
    return;
  }
  mms_node_sum *made = memory;
  *made = (mms_node_sum){.team = team, .memory = shared, .lane = MPI_COMM_NULL, .count = count};
  for (int rank = 0; rank < ranks; rank++) made->part[rank] = mms_shared_part(shared, rank);
  if (mms_team_node_count(team) > 1)
    MPI_Comm_split(mms_team_communicator(team), mms_team_node_rank(team), mms_team_rank(team), &made->lane);
  *sum = made;
}

void mms_node_sum_free(mms_node_sum **sum) {
  if (*sum == NULL) return;
  if ((*sum)->lane != MPI_COMM_NULL) MPI_Comm_free(&(*sum)->lane);
  mms_shared_free(&(*sum)->memory);
  free(*sum);
  *sum = NULL;
}

int64_t *mms_node_sum_values(const mms_node_sum *sum) { return sum->part[mms_team_node_rank(sum->team)]; }

/* Where the share of a rank of the node begins: on a cache line. */
static int64_t share(const mms_node_sum *sum, int node_rank) {
  const int64_t line = MMS_ALIGNMENT / (int64_t)sizeof(int64_t), lines = (sum->count + line - 1) / line;
  const int64_t first = lines * node_rank / mms_team_node_size(sum->team) * line;
  return first < sum->count ? first : sum->count;
}

MMS_CLONES
static void add(int64_t count, const int64_t *restrict from, int64_t *restrict to) {
  for (int64_t i = 0; i < count; i++) to[i] += from[i];
}

/* Nobody but its owner touches the share of a rank that is being written: first in its owner's part, then in the
 * others' own. The last synchronisation lets addends be written again. */
void mms_node_sum_reduce(mms_node_sum *sum) {
  const int ranks = mms_team_node_size(sum->team), me = mms_team_node_rank(sum->team);
  const int64_t first = share(sum, me), count = share(sum, me + 1) - first;
  int64_t *mine = sum->part[me];
  mms_shared_synchronise(sum->memory);
  for (int k = 1; k < ranks; k++) add(count, sum->part[(me + k) % ranks] + first, mine + first);
  if (sum->lane != MPI_COMM_NULL)
    MPI_Allreduce(MPI_IN_PLACE, mine + first, (int)count, MPI_INT64_T, MPI_SUM, sum->lane);
  mms_shared_synchronise(sum->memory);
  for (int k = 1; k < ranks; k++) {
    const int other = (me + k) % ranks;
    const int64_t from = share(sum, other), places = share(sum, other + 1) - from;
    memcpy(mine + from, sum->part[other] + from, (size_t)places * sizeof *mine);
  }
  mms_shared_synchronise(sum->memory);
}
