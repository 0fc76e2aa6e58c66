/* How ranks come to hold the same status and message, and the same text. */
#include "mmsold/parallel/team.h"

#include "mmsold/base/memory.h"
#include "parallel/team_mpi.h"
#include <stdlib.h>
#include <string.h>

mms_status mms_team_agree(const mms_team *team, mms_status mine, mms_error *error) {
  if (mms_team_size(team) == 1) return mine;
  MPI_Comm all = mms_team_communicator(team);
  int rank = mms_team_rank(team), size = mms_team_size(team);
  int failing = mine == MMS_OK ? size : rank, lowest = size;
  MPI_Allreduce(&failing, &lowest, 1, MPI_INT, MPI_MIN, all);
  if (lowest == size) return MMS_OK;

  mms_error own = mms_error_none(), first = mms_error_none();
  if (mine != MMS_OK && error != NULL) own = *error;
  own.status = mine;
  if (rank == lowest) first = own;
  MPI_Bcast(&first, (int)sizeof first, MPI_BYTE, lowest, all);
  int alike = own.status == first.status && strcmp(own.message, first.message) == 0, all_alike = 0;
  MPI_Allreduce(&alike, &all_alike, 1, MPI_INT, MPI_MIN, all);
  if (error == NULL) return first.status;
  *error = first;
  if (lowest > 0 && !all_alike) mms_fail_within(error, "rank %d", lowest);
  return first.status;
}

mms_status mms_team_broadcast_text(const mms_team *team, char **text, int root, mms_error *error) {
  if (team == NULL) return MMS_OK;
  bool sends = mms_team_rank(team) == root;
  int64_t bytes = sends && *text != NULL ? (int64_t)strlen(*text) + 1 : 0; /* 0 stands for NULL */
  mms_team_broadcast(team, &bytes, sizeof bytes, root);
  char *copy = NULL;
  mms_status status = MMS_OK;
  if (!sends) {
    *text = NULL;
    void *memory = NULL;
    if (bytes > 0) status = mms_allocate(&memory, bytes, 1, "a string", error);
    copy = memory;
  }
  status = mms_team_agree(team, status, error);
  if (status != MMS_OK || bytes == 0) {
    free(copy);
    return status;
  }
  mms_team_broadcast(team, sends ? *text : copy, (size_t)bytes, root);
  if (!sends) *text = copy;
  return MMS_OK;
}
