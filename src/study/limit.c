/* The limit law as a whole: quadrature of V over the team's rows of cells, the matched tilt, the density. */
#include "mmsold/study/limit.h"

#include "mmsold/base/memory.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Standard deviations of the target the grid reaches to each side. ρ* falls off like a Gaussian or faster (V grows like
 * |z|²/(2δ²) less a linear part), in practice much faster than one of covariance Σ*: exp(−7²/2) = 2e-11. */
static const double EXTENT = 7.0;
static const double TOLERANCE = 1e-7; /* of V's lattice: the error left is about its square */

void mms_study_gather(const mms_team *team, const mms_blocks *blocks, int64_t columns, const double *mine,
                      double *all) {
  for (int rank = 0; rank < mms_team_size(team); rank++) {
    mms_blocks theirs = mms_blocks_of_rank(blocks, rank, mms_team_size(team));
    double *at = all + theirs.first_row * columns;
    size_t bytes = (size_t)(theirs.n_local * columns) * sizeof *all;
    if (rank == mms_team_rank(team) && bytes > 0) memmove(at, mine, bytes);
    if (bytes > 0) mms_team_broadcast(team, at, bytes, rank);
  }
}

void mms_limit_free(mms_limit *limit) {
  mms_law_free(&limit->law);
  mms_tilt_free(&limit->tilt);
  mms_target_free(&limit->target);
  *limit = (mms_limit){.target = {.dim = 0}};
}

static mms_plane plane_of(const mms_target *target, int64_t cells) {
  mms_plane plane = {.columns = cells, .rows = cells};
  for (int k = 0; k < 2; k++) {
    double reach = EXTENT * sqrt(target->covariance.data[3 * k]);
    plane.low[k] = target->mean.data[k] - reach;
    plane.high[k] = target->mean.data[k] + reach;
  }
  return plane;
}

/* V at all cells, on all ranks. Collective; agreed. */
static mms_status find_potential(const mms_team *team, const mms_training *training, double bandwidth, double smoothing,
                                 const mms_plane *plane, double *all, mms_error *error) {
  mms_quadrature *quadrature = NULL;
  mms_status status = mms_quadrature_create(&quadrature, team, training, bandwidth, smoothing, TOLERANCE, error);
  if (status != MMS_OK) return status;
  mms_blocks blocks = mms_blocks_make(plane->rows, 1, mms_team_rank(team), mms_team_size(team));
  double *mine = NULL;
  status = mms_allocate_doubles(&mine, blocks.n_local * plane->columns, "potentials of cells", error);
  if (status == MMS_OK) status = mms_quadrature_plane(quadrature, plane, blocks.first_row, blocks.n_local, mine, error);
  status = mms_team_agree(team, status, error);
  if (status == MMS_OK) mms_study_gather(team, &blocks, plane->columns, mine, all);
  free(mine);
  mms_quadrature_free(&quadrature);
  return status;
}

mms_status mms_limit_create(mms_limit *limit, const mms_team *team, const mms_training *training, double bandwidth,
                            double smoothing, int64_t cells, mms_error *error) {
  *limit = (mms_limit){.target = {.dim = 0}};
  double *potential = NULL;
  mms_status status = MMS_OK;
  if (training->dim != 2 || cells < 2)
    status = mms_fail(error, MMS_ERR_INPUT,
                      "the limit law is made on a grid of the plane: d = %lld and %lld cells a side are not possible",
                      (long long)training->dim, (long long)cells);
  if (status == MMS_OK) status = mms_allocate_doubles(&potential, cells * cells, "potentials of cells", error);
  status = mms_team_agree(team, status, error);
  if (status == MMS_OK)
    status = mms_target_create(&limit->target, team, training, bandwidth, MMS_FACTOR_CHOLESKY, error);
  mms_plane plane = {.columns = 0};
  if (status == MMS_OK) {
    plane = plane_of(&limit->target, cells);
    status = find_potential(team, training, bandwidth, smoothing, &plane, potential, error);
  }
  if (status == MMS_OK) { /* the same on every rank */
    status = mms_tilt_match(&limit->tilt, &limit->target, &plane, potential, error);
    if (status == MMS_OK) status = mms_law_create(&limit->law, &plane, potential, &limit->tilt, error);
    status = mms_team_agree(team, status, error);
  }
  free(potential);
  if (status != MMS_OK) mms_limit_free(limit);
  return status;
}
