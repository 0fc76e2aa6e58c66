#include "run/anchor.h"

#include <math.h>
#include <string.h>

/* Of the widest direction's standard deviation: processors differ by some 1e-13 of it, other eigenvectors by all of it.
 */
static const double NEAR = 1e-6;

static const char *const NAME = "/position";

/* Z of particle 0, on every rank. Collective; agreed. */
static mms_status find_position(mms_session *session, mms_matrix *position, mms_error *error) {
  const mms_team *team = session->request->team;
  const mms_ensemble *ensemble = mms_dynamics_ensemble(session->dynamics);
  const mms_blocks *blocks = &ensemble->blocks;
  const double *together = mms_dynamics_positions_together(session->dynamics);
  mms_status status = mms_matrix_create(position, 1, ensemble->dim, "a particle's position", error);
  status = mms_team_agree(team, status, error);
  if (status != MMS_OK) return status;
  const size_t bytes = (size_t)ensemble->dim * sizeof(double);
  int owner = 0; /* a rank without blocks has no particle */
  while (mms_blocks_of_rank(blocks, owner, mms_team_size(team)).n_local == 0) owner++;
  if (owner == mms_team_rank(team) && together != NULL)
    memcpy(position->data, together, bytes);
  else if (owner == mms_team_rank(team))
    mms_target_positions(mms_dynamics_target(session->dynamics), 1, ensemble->y, position->data);
  mms_team_broadcast(team, position->data, bytes, owner);
  return MMS_OK;
}

mms_status mms_anchor_write(mms_session *session, mms_h5 *file, mms_error *error) {
  mms_matrix position = {0};
  mms_status status = find_position(session, &position, error);
  if (status == MMS_OK)
    status =
        mms_h5_write_array(file, NAME, MMS_H5_FLOAT64, 2, 1, position.cols, position.data,
                           "the first particle in the sampler's coordinates, by which a resume knows the state", error);
  mms_matrix_free(&position);
  return status;
}

/* How far the particle is from where it was, in standard deviations of the widest direction. */
static double distance(const mms_target *target, const double *then, const double *now) {
  double square = 0.0;
  for (int64_t k = 0; k < target->dim; k++) square += (now[k] - then[k]) * (now[k] - then[k]);
  return sqrt(square / target->eigenvalues.data[0]);
}

mms_status mms_anchor_check(mms_session *session, mms_h5 *file, const char *path, mms_error *error) {
  bool there = false;
  mms_matrix then = {0}, now = {0};
  mms_status status = mms_h5_find(file, NAME, &there, error);
  if (status != MMS_OK || !there) return status;
  status = find_position(session, &now, error);
  if (status == MMS_OK) status = mms_h5_read_matrix(file, NAME, &then, error);
  if (status == MMS_OK && then.rows * then.cols != now.cols)
    status = mms_fail(error, MMS_ERR_INPUT, "%s: %s does not hold one particle of %lld coordinates", path, NAME,
                      (long long)now.cols);
  const double away = status == MMS_OK ? distance(mms_dynamics_target(session->dynamics), then.data, now.data) : 0.0;
  if (status == MMS_OK && !(away <= NEAR))
    status =
        mms_fail(error, MMS_ERR_INPUT,
                 "%s: its state means other points here: the first particle would be %.2g standard deviations from "
                 "where it was, as eigenvectors of alike eigenvalues are found otherwise by another processor or "
                 "another score.linalg (the file's attributes say which it was); resume as the run began, or give "
                 "--fresh to start over",
                 path, away);
  mms_matrix_free(&then);
  mms_matrix_free(&now);
  return mms_team_agree(session->request->team, status, error);
}
