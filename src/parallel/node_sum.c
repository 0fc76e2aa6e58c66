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
  mms_node_sum_shape shape;
  MPI_Comm lane;   /* the ranks of all nodes that have this one's place in theirs; MPI_COMM_NULL on a single node */
  int64_t *outbox; /* what travels in it: this rank's share of all lists and of the rest; NULL on a single node */
  int64_t *part[]; /* [ranks of the node] */
};

/* Some of the places of a rank of the node. */
typedef struct share {
  int64_t first, count;
} share;

/* Of `length` places those of a rank, on whole cache lines. */
static share share_of(const mms_team *team, int64_t length, int node_rank) {
  const int64_t line = MMS_ALIGNMENT / (int64_t)sizeof(int64_t), lines = (length + line - 1) / line;
  const int ranks = mms_team_node_size(team);
  int64_t first = lines * node_rank / ranks * line, end = lines * (node_rank + 1) / ranks * line;
  first = first < length ? first : length;
  end = end < length ? end : length;
  return (share){.first = first, .count = end - first};
}

/* Whether every node has as many ranks as this one has, and more than one. */
static bool nodes_are_alike(const mms_team *team) {
  int64_t unlike = (int64_t)mms_team_node_size(team) * mms_team_node_count(team) != mms_team_size(team);
  mms_team_sum_int64(team, &unlike, 1);
  return unlike == 0 && mms_team_node_size(team) > 1;
}

/* The counterparts of this rank, where there are several nodes. */
static mms_status open_lane(mms_node_sum *sum, mms_error *error) {
  const mms_team *team = sum->team;
  if (mms_team_node_count(team) == 1) return MMS_OK;
  void *outbox = NULL;
  const int me = mms_team_node_rank(team);
  const int64_t length = share_of(team, sum->shape.length, me).count, rest = share_of(team, sum->shape.rest, me).count;
  mms_status status = mms_allocate(&outbox, sum->shape.lists * length + rest, sizeof(int64_t), "a node's sums", error);
  sum->outbox = outbox;
  status = mms_team_agree(team, status, error);
  if (status == MMS_OK)
    MPI_Comm_split(mms_team_communicator(team), mms_team_node_rank(team), mms_team_rank(team), &sum->lane);
  return status;
}

void mms_node_sum_create(mms_node_sum **sum, const mms_team *team, const mms_node_sum_shape *shape) {
  *sum = NULL;
  if (!nodes_are_alike(team)) return;
  const int ranks = mms_team_node_size(team);
  const size_t count = (size_t)shape->lists * (size_t)shape->length + (size_t)shape->rest;
  void *memory = NULL;
  mms_status status =
      mms_allocate(&memory, 1, sizeof(mms_node_sum) + (size_t)ranks * sizeof(int64_t *), "the sums of a node", NULL);
  if (mms_team_agree(team, status, NULL) != MMS_OK) {
    free(memory);
    return;
  }
  mms_node_sum *made = memory;
  *made = (mms_node_sum){.team = team, .shape = *shape, .lane = MPI_COMM_NULL};
  status = mms_shared_create_parts(&made->memory, team, count * sizeof(int64_t), "the sums of a node", NULL);
  if (status == MMS_OK) status = open_lane(made, NULL);
  if (status != MMS_OK) {
    mms_node_sum_free(&made);
    return;
  }
  for (int rank = 0; rank < ranks; rank++) made->part[rank] = mms_shared_part(made->memory, rank);
  *sum = made;
}

void mms_node_sum_free(mms_node_sum **sum) {
  if (*sum == NULL) return;
  if ((*sum)->lane != MPI_COMM_NULL) MPI_Comm_free(&(*sum)->lane);
  free((*sum)->outbox);
  mms_shared_free(&(*sum)->memory);
  free(*sum);
  *sum = NULL;
}

int64_t *mms_node_sum_values(const mms_node_sum *sum) { return sum->part[mms_team_node_rank(sum->team)]; }

MMS_CLONES
static void add(int64_t count, const int64_t *restrict from, int64_t *restrict to) {
  for (int64_t i = 0; i < count; i++) to[i] += from[i];
}

static void copy(int64_t count, const int64_t *from, int64_t *to) { memcpy(to, from, (size_t)count * sizeof *to); }

/* Totals of a share over the nodes. */
static void sum_lane(mms_node_sum *sum, share places, share rest, int64_t *mine) {
  const mms_node_sum_shape *shape = &sum->shape;
  int64_t *tail = sum->outbox + shape->lists * places.count, *from = mine + (int64_t)shape->lists * shape->length;
  for (int l = 0; l < shape->lists; l++)
    copy(places.count, mine + (int64_t)l * shape->length + places.first, sum->outbox + l * places.count);
  copy(rest.count, from + rest.first, tail);
  MPI_Allreduce(MPI_IN_PLACE, sum->outbox, (int)(tail - sum->outbox + rest.count), MPI_INT64_T, MPI_SUM, sum->lane);
  for (int l = 0; l < shape->lists; l++)
    copy(places.count, sum->outbox + l * places.count, mine + (int64_t)l * shape->length + places.first);
  copy(rest.count, tail, from + rest.first);
}

/* Nobody but its owner touches the share of a rank that is being written: first in its owner's part, then in the
 * others' own. The last synchronisation lets addends be written again. */
void mms_node_sum_reduce(mms_node_sum *sum) {
  const mms_node_sum_shape *shape = &sum->shape;
  const int ranks = mms_team_node_size(sum->team), me = mms_team_node_rank(sum->team);
  const int64_t beyond = (int64_t)shape->lists * shape->length;
  const share places = share_of(sum->team, shape->length, me), rest = share_of(sum->team, shape->rest, me);
  int64_t *mine = sum->part[me];
  mms_shared_synchronise(sum->memory);
  for (int k = 1; k < ranks; k++) {
    const int64_t *theirs = sum->part[(me + k) % ranks];
    for (int64_t at = places.first; at < beyond; at += shape->length) add(places.count, theirs + at, mine + at);
    add(rest.count, theirs + beyond + rest.first, mine + beyond + rest.first);
  }
  if (sum->lane != MPI_COMM_NULL) sum_lane(sum, places, rest, mine);
  shape->settle(shape->context, places.first, places.count);
  mms_shared_synchronise(sum->memory);
  for (int k = 1; k < ranks; k++) {
    const int other = (me + k) % ranks;
    const int64_t *theirs = sum->part[other];
    const share settled = share_of(sum->team, shape->length, other), totals = share_of(sum->team, shape->rest, other);
    copy(settled.count, theirs + settled.first, mine + settled.first);
    copy(totals.count, theirs + beyond + totals.first, mine + beyond + totals.first);
  }
  mms_shared_synchronise(sum->memory);
}
