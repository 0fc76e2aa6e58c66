/* Going on where an earlier run left off. */
#include "run/session.h"

#include "mmsold/base/memory.h"
#include "run/anchor.h"
#include "run/compatible.h"
#include "run/tilt.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* Is there a finished `samples.h5`, of how many steps, and is it of this configuration? */
static mms_status look_at_samples(const mms_run_request *request, const char *path, bool *there, int64_t *step,
                                  uint64_t *checksum, mms_error *error) {
  struct stat info;
  *there = false;
  if (stat(path, &info) != 0) {
    if (errno == ENOENT) return MMS_OK;
    return mms_fail(error, MMS_ERR_SYSTEM, "%s: cannot be looked at: %s", path, strerror(errno));
  }
  mms_h5 *file = NULL;
  char *then = NULL;
  int64_t complete = 0;
  mms_status status = mms_h5_open(&file, NULL, path, error);
  if (status == MMS_OK) status = mms_h5_read_text(file, "/", "configuration", &then, error);
  if (status == MMS_OK) status = mms_h5_read_int(file, "/", "complete", &complete, error);
  if (status == MMS_OK) status = mms_h5_read_int(file, "/", "step", step, error);
  if (status == MMS_OK) status = mms_h5_read_uint(file, "/", "training_checksum", checksum, error);
  mms_h5_close(&file);
  if (status == MMS_OK) status = mms_h5_check_digest(NULL, path, error);
  if (status != MMS_OK) {
    free(then);
    return mms_fail_within(error, "output.directory holds a samples.h5 that is not a whole result of ours and would be "
                                  "written over; move it away, or give --fresh");
  }
  *there = complete != 0;
  status = mms_configuration_compatible(then, request->configuration, path, error);
  free(then);
  return status;
}

mms_status mms_resume_look(const mms_run_request *request, mms_found *found, uint64_t *checksum, mms_error *error) {
  *found = MMS_FOUND_NOTHING;
  const char *directory = request->output.directory;
  char *path = NULL;
  mms_status status = mms_format_text(&path, error, "%s/samples.h5", directory);
  if (status != MMS_OK) return status;
  bool finished = false;
  int64_t step = 0, count = 0, *steps = NULL;
  status = look_at_samples(request, path, &finished, &step, checksum, error);
  if (status == MMS_OK) status = mms_folder_checkpoints(directory, &steps, &count, error);
  free(steps);
  if (status == MMS_OK && finished && step >= mms_sampler_steps(&request->sampler))
    *found = MMS_FOUND_FINISHED;
  else if (status == MMS_OK && count > 0)
    *found = MMS_FOUND_CHECKPOINTS;
  else if (status == MMS_OK && finished)
    status = mms_fail(error, MMS_ERR_INPUT,
                      "%s is finished after %lld steps and no checkpoint is left there to go on from to step %lld; "
                      "give --fresh to start over, or another output.directory",
                      path, (long long)step, (long long)mms_sampler_steps(&request->sampler));
  free(path);
  return status;
}

/* "/NAME" of an array of the state. */
static void array_path(const mms_state_array *array, char *path, size_t size) {
  snprintf(path, size, "/%s", array->name);
}

/* Is every array of the state there, P x d? Local. */
static mms_status check_arrays(const mms_session *session, mms_h5 *file, const char *path, mms_error *error) {
  mms_state_array arrays[MMS_STATE_ARRAYS];
  const int count = mms_dynamics_arrays(session->dynamics, arrays);
  const int64_t particles = session->request->sampler.particles, dim = session->training.dim;
  mms_status status = MMS_OK;
  for (int i = 0; i < count && status == MMS_OK; i++) {
    char name[64];
    int rank = 0;
    int64_t dims[8] = {0};
    array_path(&arrays[i], name, sizeof name);
    status = mms_h5_shape(file, name, &rank, dims, error);
    if (status == MMS_OK && (rank != 2 || dims[0] != particles || dims[1] != dim))
      status =
          mms_fail(error, MMS_ERR_INPUT, "%s: %s is not %lld x %lld", path, name, (long long)particles, (long long)dim);
  }
  return status;
}

static mms_status training_changed(const char *path, uint64_t then, uint64_t now, mms_error *error) {
  return mms_fail(error, MMS_ERR_INPUT,
                  "%s: the training set has changed since this run began (checksum %016llx then, %016llx now); bring "
                  "the old data back, or give --fresh to start over",
                  path, (unsigned long long)then, (unsigned long long)now);
}

mms_status mms_resume_check_finished(const mms_run_request *request, uint64_t checksum, mms_error *error) {
  mms_training training = {0};
  mms_error unread = mms_error_none();
  mms_team_broadcast(request->team, &checksum, sizeof checksum, 0);
  const mms_training_options options = mms_session_training(request);
  mms_status status = mms_training_create(&training, request->team, &options, &unread);
  if (status != MMS_OK) {
    mms_log_warn(request->log, "%s/samples.h5 cannot be held against its training set any more: %s",
                 request->output.directory, unread.message);
    return MMS_OK;
  }
  if (training.checksum != checksum) {
    char path[1024];
    snprintf(path, sizeof path, "%.1000s/samples.h5", request->output.directory);
    status = training_changed(path, checksum, training.checksum, error);
  }
  mms_training_free(&training);
  return mms_team_agree(request->team, status, error);
}

bool mms_resume_is_ours(const mms_session *session, const char *path, int64_t *step) {
  mms_h5 *file = NULL;
  char *then = NULL;
  uint64_t checksum = 0;
  const bool ours = mms_h5_open(&file, NULL, path, NULL) == MMS_OK &&
                    mms_h5_read_text(file, "/", "configuration", &then, NULL) == MMS_OK &&
                    mms_h5_read_int(file, "/", "step", step, NULL) == MMS_OK &&
                    mms_h5_read_uint(file, "/", "training_checksum", &checksum, NULL) == MMS_OK &&
                    checksum == session->training.checksum &&
                    mms_configuration_compatible(then, session->request->configuration, path, NULL) == MMS_OK;
  mms_h5_close(&file);
  free(then);
  return ours;
}

/* Attributes of an open checkpoint, by its name that of step `named`, against this run. *foreign: the file is whole but
 * of another run. */
static mms_status check_checkpoint(const mms_session *session, mms_h5 *file, const char *path, int64_t named,
                                   bool *foreign, mms_error *error) {
  const mms_run_request *request = session->request;
  char *then = NULL;
  uint64_t checksum = 0;
  int64_t step = 0;
  mms_status status = mms_h5_read_text(file, "/", "configuration", &then, error);
  if (status == MMS_OK) status = mms_h5_read_uint(file, "/", "training_checksum", &checksum, error);
  if (status == MMS_OK) status = mms_h5_read_int(file, "/", "step", &step, error);
  if (status == MMS_OK) {
    status = mms_configuration_compatible(then, request->configuration, path, error);
    if (status == MMS_OK && checksum != session->training.checksum)
      status = training_changed(path, checksum, session->training.checksum, error);
    *foreign = status != MMS_OK;
  }
  if (status == MMS_OK) status = check_arrays(session, file, path, error);
  if (status == MMS_OK && step != named)
    status = mms_fail(error, MMS_ERR_INPUT,
                      "%s: is by its name the state after %lld steps, by its attribute that after %lld", path,
                      (long long)named, (long long)step);
  free(then);
  return status;
}

/* Read one checkpoint whole. Collective; agreed. */
static mms_status read_checkpoint(mms_session *session, const char *path, int64_t step, bool *foreign,
                                  mms_error *error) {
  const mms_team *team = session->request->team;
  const mms_blocks *blocks = &mms_dynamics_ensemble(session->dynamics)->blocks;
  mms_state_array arrays[MMS_STATE_ARRAYS];
  const int count = mms_dynamics_arrays(session->dynamics, arrays);
  mms_h5 *file = NULL;
  *foreign = false;
  mms_status status = mms_h5_check_digest(team, path, error);
  if (status == MMS_OK) status = mms_h5_open(&file, team, path, error);
  if (status != MMS_OK) return status;
  status = check_checkpoint(session, file, path, step, foreign, error);
  status = mms_team_agree(team, status, error);
  if (status == MMS_OK) {
    status = mms_tilt_file_compare(mms_dynamics_tilt(session->dynamics), team, file, path, error);
    *foreign = status != MMS_OK;
  }
  for (int i = 0; i < count && status == MMS_OK; i++) {
    char name[64];
    array_path(&arrays[i], name, sizeof name);
    status = mms_h5_read_rows(file, name, blocks->first_row, blocks->n_local, arrays[i].data, error);
  }
  status = mms_team_agree(team, status, error);
  if (status == MMS_OK) {
    status = mms_anchor_check(session, file, path, error);
    *foreign = status != MMS_OK;
  }
  if (status == MMS_OK) status = mms_trace_read(&session->trace, file, step, error);
  if (status == MMS_OK) status = mms_observations_read(&session->observations, file, step, error);
  mms_h5_close(&file);
  status = mms_team_agree(team, status, error);
  if (status != MMS_OK) return status;
  mms_dynamics_resume(session->dynamics, step);
  session->steps_at_start = step;
  return MMS_OK;
}

mms_status mms_resume_read(mms_session *session, mms_error *error) {
  const mms_team *team = session->request->team;
  const char *directory = session->request->output.directory;
  int64_t *steps = NULL, count = 0;
  mms_status status = MMS_OK;
  if (mms_team_rank(team) == 0) status = mms_folder_checkpoints(directory, &steps, &count, error);
  status = mms_team_agree(team, status, error);
  if (status != MMS_OK) return status;
  mms_team_broadcast(team, &count, sizeof count, 0);
  bool foreign = false, resumed = false;
  int64_t damaged = 0; /* the first so many are */
  for (int64_t i = 0; i < count && !resumed && !foreign; i++) {
    int64_t step = mms_team_rank(team) == 0 ? steps[i] : 0;
    mms_team_broadcast(team, &step, sizeof step, 0);
    char *path = NULL;
    status = mms_format_text(&path, error, "%s/checkpoint-%lld.h5", directory, (long long)step);
    status = mms_team_agree(team, status, error);
    if (status == MMS_OK) status = read_checkpoint(session, path, step, &foreign, error);
    foreign = mms_team_agree(team, foreign ? MMS_ERR_INPUT : MMS_OK, NULL) != MMS_OK;
    resumed = status == MMS_OK;
    if (resumed)
      mms_log_info(session->request->log, "resumed   from %s, step %lld of %lld", path, (long long)step,
                   (long long)mms_sampler_steps(&session->request->sampler));
    else if (!foreign && path != NULL)
      mms_log_warn(session->request->log, "the checkpoint %s %s and passed over (%s)", path,
                   status == MMS_ERR_INPUT ? "is damaged" : "could not be read", error->message);
    if (!resumed && !foreign && status == MMS_ERR_INPUT && damaged == i) damaged = i + 1;
    free(path);
  }
  for (int64_t i = 0; resumed && steps != NULL && i < damaged; i++)
    if (!mms_folder_put_aside(directory, steps[i]))
      mms_log_warn(session->request->log, "%s/checkpoint-%lld.h5, the damaged one, cannot be renamed: remove it",
                   directory, (long long)steps[i]);
  free(steps);
  if (resumed || foreign) return status;
  return mms_fail(error, MMS_ERR_INPUT,
                  "%s: none of the %lld checkpoints there can be read; nothing was changed: restore one, or give "
                  "--fresh to start over",
                  directory, (long long)count);
}
