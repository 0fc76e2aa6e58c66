#include "mmsold/parallel/shared.h"

#include "mmsold/base/memory.h"
#include "parallel/team_mpi.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>

struct mms_shared {
  const mms_team *team;
  void *data;   /* aligned; this rank's address of the node's pages */
  size_t bytes; /* of a part where there are parts */
  bool parts;
  bool windowed;  /* in an MPI window; otherwise plain memory of the node's only rank */
  MPI_Win window; /* in a passive epoch (lock_all) from creation to the end */
};

static const size_t most_added = 8192; /* to the bytes of a window or a part */
static const double mebibyte = 1024.0 * 1024.0;

/* Where Open MPI's one-sided component "sm" keeps the pages: its parameter, whose default on Linux is /dev/shm. */
static const char *backing_directory(void) {
  const char *set = getenv("OMPI_MCA_osc_sm_backing_directory");
  return set != NULL && set[0] != '\0' ? set : "/dev/shm";
}

/* The window's file is sparse: without this check a full file system shows as SIGBUS at the first touch. */
static mms_status check_room(size_t bytes, const char *what, mms_error *error) {
  const char *directory = backing_directory();
  struct statvfs room;
  if (statvfs(directory, &room) != 0)
    return mms_fail(error, MMS_ERR_SYSTEM, "%s: cannot see how much room there is for the shared copy of %s: %s",
                    directory, what, strerror(errno));
  double available = (double)room.f_bavail * (double)room.f_frsize;
  double overhead = 1 << 20; /* MPI's own state and rounding to pages: some kilobytes a rank */
  if ((double)bytes + overhead > available)
    return mms_fail(error, MMS_ERR_MEMORY,
                    "%s: the node's shared copy of %s needs %.1f MiB, but %.1f MiB are free there; make room (for a "
                    "container --shm-size, for a mount the option size=), start one rank per node, or share less",
                    directory, what, ((double)bytes + overhead) / mebibyte, available / mebibyte);
  return MMS_OK;
}

static void *align(void *address) {
  uintptr_t past = (uintptr_t)address % MMS_ALIGNMENT;
  return past == 0 ? address : (char *)address + (MMS_ALIGNMENT - past);
}

/* So that parts, which follow each other, hardly meet on a page. */
static MPI_Aint whole_pages(size_t bytes) {
  const size_t page = 4096;
  return (MPI_Aint)((bytes + page - 1) / page * page);
}

/* All memory belongs to the node's leader; the others ask for none and find his. Or to each its part. */
static mms_status open_window(mms_shared *shared, const char *what, mms_error *error) {
  MPI_Comm node = mms_team_node_communicator(shared->team);
  bool owns = shared->parts || mms_team_node_rank(shared->team) == 0;
  MPI_Aint size = owns ? whole_pages(shared->bytes + MMS_ALIGNMENT) : 0;
  MPI_Errhandler before;
  MPI_Comm_get_errhandler(node, &before);
  MPI_Comm_set_errhandler(node, MPI_ERRORS_RETURN); /* a refusal is an error message, not the end */
  void *base = NULL;
  int code = MPI_Win_allocate_shared(size, 1, MPI_INFO_NULL, node, &base, &shared->window);
  MPI_Comm_set_errhandler(node, before);
  MPI_Errhandler_free(&before);
  if (code != MPI_SUCCESS) {
    char text[MPI_MAX_ERROR_STRING] = "";
    int length = 0;
    MPI_Error_string(code, text, &length);
    return mms_fail(error, MMS_ERR_SYSTEM, "MPI refused %.4g MiB of shared memory for %s: %s",
                    (double)shared->bytes / mebibyte, what, text);
  }
  shared->windowed = true;
  mms_world_guard_window(shared->window);
  MPI_Win_lock_all(MPI_MODE_NOCHECK, shared->window);
  shared->data = mms_shared_part(shared, shared->parts ? mms_team_node_rank(shared->team) : 0);
  return MMS_OK;
}

void *mms_shared_part(const mms_shared *shared, int node_rank) {
  if (!shared->windowed) return shared->data;
  MPI_Aint size;
  int unit = 1;
  void *base = NULL;
  MPI_Win_shared_query(shared->window, node_rank, &size, &unit, &base);
  return align(base); /* maps begin on pages, so every rank moves by the same amount */
}

void mms_shared_synchronise(mms_shared *shared) {
  if (!shared->windowed) return;
  MPI_Win_sync(shared->window);
  MPI_Barrier(mms_team_node_communicator(shared->team));
  MPI_Win_sync(shared->window);
}

/* What the window takes of the node's memory; of parts twice that, so that as much again is left. */
static size_t room_for(const mms_shared *shared) {
  return shared->parts ? 2 * shared->bytes * (size_t)mms_team_node_size(shared->team) : shared->bytes;
}

static mms_status create(mms_shared **shared, const mms_team *team, size_t bytes, bool parts, const char *what,
                         mms_error *error) {
  *shared = NULL;
  void *memory = NULL;
  mms_status status = mms_allocate(&memory, 1, sizeof(mms_shared), what, error);
  mms_shared *made = memory;
  bool leads = mms_team_node_rank(team) == 0, alone = mms_team_node_size(team) == 1;
  if (status == MMS_OK) {
    *made = (mms_shared){.team = team, .bytes = bytes, .parts = parts};
    if (bytes > ((size_t)INT64_MAX - most_added) / (parts ? 2 * (size_t)mms_team_node_size(team) : 1))
      status = mms_fail(error, MMS_ERR_MEMORY, "cannot share %s: %zu bytes is not a possible size", what, bytes);
    else if (alone)
      status = mms_allocate(&made->data, (int64_t)bytes, 1, what, error);
    else if (leads)
      status = check_room(room_for(made), what, error);
  }
  status = mms_team_agree(team, status, error);
  if (status == MMS_OK && mms_team_node_count(team) < mms_team_size(team)) {
    if (!alone) status = open_window(made, what, error);
    status = mms_team_agree(team, status, error);
  }
  if (status != MMS_OK) {
    /* A window that opened here and not elsewhere cannot be closed: closing is collective. It is left to the end. */
    if (made != NULL && !made->windowed) free(made->data);
    free(made);
    return status;
  }
  if ((leads || parts) && made->windowed) memset(made->data, 0, bytes); /* and so the pages are taken now, not later */
  mms_shared_synchronise(made);
  *shared = made;
  return MMS_OK;
}

mms_status mms_shared_create(mms_shared **shared, const mms_team *team, size_t bytes, const char *what,
                             mms_error *error) {
  return create(shared, team, bytes, false, what, error);
}

mms_status mms_shared_create_parts(mms_shared **shared, const mms_team *team, size_t bytes, const char *what,
                                   mms_error *error) {
  return create(shared, team, bytes, true, what, error);
}

void *mms_shared_data(const mms_shared *shared) { return shared->data; }
size_t mms_shared_bytes(const mms_shared *shared) { return shared->bytes; }

void mms_shared_publish(mms_shared *shared) {
  MPI_Comm leaders = mms_team_leaders_communicator(shared->team);
  if (mms_team_node_count(shared->team) > 1 && leaders != MPI_COMM_NULL)
    mms_team_broadcast_on(leaders, shared->data, shared->bytes, 0);
  mms_shared_synchronise(shared);
}

void mms_shared_free(mms_shared **shared) {
  if (*shared == NULL) return;
  if ((*shared)->windowed) {
    MPI_Win_unlock_all((*shared)->window);
    MPI_Win_free(&(*shared)->window);
  } else {
    free((*shared)->data);
  }
  free(*shared);
  *shared = NULL;
}
