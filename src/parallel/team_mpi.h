/* The team's communicators, for the floors that must speak MPI themselves. Private. */
#ifndef PARALLEL_TEAM_MPI_H
#define PARALLEL_TEAM_MPI_H

#include "mmsold/parallel/team.h"
#include <mpi.h>

/* The team's own communicator (a duplicate; never a Cartesian or BLACS one): HDF5 and
 * ScaLAPACK duplicate it again. Borrowed. NULL team: MPI_COMM_SELF. Local. */
MPI_Comm mms_team_communicator(const mms_team *team);
MPI_Comm mms_team_node_communicator(const mms_team *team);    /* ranks of this node */
MPI_Comm mms_team_leaders_communicator(const mms_team *team); /* node leaders; MPI_COMM_NULL on the others */

/* mms_team_create with nodes cut into parts of at most `ranks_per_node` neighbouring ranks that
 * then count as nodes of their own (0: nodes as they are). One machine can so stand for several.
 * Collective. */
mms_status mms_team_create_cut(mms_team **team, int ranks_per_node, mms_error *error);

/* mms_team_broadcast on any communicator. Collective over it. */
void mms_team_broadcast_on(MPI_Comm communicator, void *data, size_t bytes, int root);

/* Send errors of this window where those of communicators go. Local. */
void mms_world_guard_window(MPI_Win window);

#endif
