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

#endif
