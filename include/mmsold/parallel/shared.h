/* Memory held once per node, in an MPI shared-memory window, so ranks cost no copies. */
#ifndef MMSOLD_PARALLEL_SHARED_H
#define MMSOLD_PARALLEL_SHARED_H

#include "mmsold/parallel/team.h"

typedef struct mms_shared mms_shared;

/* Zeroed memory of `bytes` bytes, the same pages for all ranks of a node, aligned to
 * MMS_ALIGNMENT. Checks that /dev/shm has room first (with several ranks on the node) and
 * refuses with the size needed rather than dying of a bus error later. Collective; agreed. */
mms_status mms_shared_create(mms_shared **shared, const mms_team *team, size_t bytes, const char *what,
                             mms_error *error);
/* The same with `bytes` bytes of each rank's own, which it is the first to touch, all of which every rank of the node
 * sees. For what can be done without: refused where it would leave less room than it takes. */
mms_status mms_shared_create_parts(mms_shared **shared, const mms_team *team, size_t bytes, const char *what,
                                   mms_error *error);
/* Where the part of a rank of this node begins. Local. */
void *mms_shared_part(const mms_shared *shared, int node_rank);

void *mms_shared_data(const mms_shared *shared); /* of parts: this rank's own */
size_t mms_shared_bytes(const mms_shared *shared);

/* What each rank of the node wrote before is seen by all of them after. Collective over the node. */
void mms_shared_synchronise(mms_shared *shared);

/* Make what team rank 0 wrote visible everywhere: broadcast among node leaders, then a
 * barrier with the memory synchronised. Collective. After it nobody writes any more. */
void mms_shared_publish(mms_shared *shared);

/* Collective; sets *shared to NULL; fine on NULL. */
void mms_shared_free(mms_shared **shared);

#endif
