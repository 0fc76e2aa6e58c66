/* What a run leaves: samples, snapshots, checkpoints. */
#include "run/session.h"
#include "run/tilt.h"

#include "mmsold/base/clock.h"
#include "mmsold/base/memory.h"
#include "mmsold/base/version.h"
#include "run/anchor.h"
#include "run/signals.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* Rows decoded at a time: about this many bytes of /samples, in whole blocks. */
static const int64_t decode_bytes = 1 << 22;

int64_t mms_output_rows(int64_t rows, int64_t block, int64_t data_dim) {
  int64_t chunk = decode_bytes / (8 * data_dim) / block * block;
  if (chunk < block) chunk = block;
  return chunk < rows ? chunk : rows;
}

/* Where the rows of /latent and /samples come from. */
typedef struct decoder {
  const mms_session *session;
  const double *y;  /* this rank's Y [n_local][d] */
  const double *z;  /* and its Z where they are known already, else NULL */
  double *position; /* [block size][d] */
} decoder;

/* Block by block: BLAS gives a row other last bits when other rows stand beside it (law 1). */
static void fill_latent(void *context, const mms_blocks *blocks, int64_t first, int64_t end, double *out) {
  const decoder *from = context;
  const mms_target *target = mms_dynamics_target(from->session->dynamics);
  for (int64_t b = first; b < end; b++) {
    const int64_t rows = mms_blocks_rows(blocks, b);
    const int64_t at = (mms_blocks_first_row(blocks, b) - blocks->first_row) * target->dim;
    if (from->z != NULL)
      memcpy(out, from->z + at, (size_t)(rows * target->dim) * sizeof *out);
    else
      mms_target_positions(target, rows, from->y + at, out);
    out += rows * target->dim;
  }
}

static void fill_samples(void *context, const mms_blocks *blocks, int64_t first, int64_t end, double *out) {
  const decoder *from = context;
  const mms_transform *transform = &from->session->training.transform;
  for (int64_t b = first; b < end; b++) {
    const int64_t rows = mms_blocks_rows(blocks, b);
    fill_latent(context, blocks, b, b + 1, from->position);
    mms_transform_decode(transform, rows, from->position, out);
    out += rows * transform->data_dim;
  }
}

static mms_status write_attributes(mms_session *session, mms_h5 *file, const char *kind, mms_error *error) {
  const mms_run_request *request = session->request;
  char host[256] = "";
  gethostname(host, sizeof host - 1);
  char finished_at[32] = "";
  const time_t now = time(NULL);
  struct tm utc;
  if (gmtime_r(&now, &utc) != NULL) strftime(finished_at, sizeof finished_at, "%Y-%m-%dT%H:%M:%SZ", &utc);
  char libraries[64];
  snprintf(libraries, sizeof libraries, "HDF5 %s", mms_h5_library_version());
  const mms_h5_text texts[] = {{"kind", kind},
                               {"version", mms_version()},
                               {"commit", mms_version_commit()},
                               {"configuration", request->configuration},
                               {"training_description", session->training.description},
                               {"kernels", mms_field_kernels()},
                               {"linalg", mms_dynamics_linalg(session->dynamics)},
                               {"libraries", libraries},
                               {"host", host},
                               {"started", session->started_at},
                               {"written", finished_at}};
  mms_status status = mms_h5_attribute_texts(file, "/", texts, (int)(sizeof texts / sizeof *texts), error);
  const struct {
    const char *name;
    int64_t value;
  } numbers[] = {{"step", mms_dynamics_steps_done(session->dynamics)},
                 {"ranks", mms_team_size(request->team)},
                 {"particles", request->sampler.particles},
                 {"dimension", session->training.dim},
                 {"image_rows", session->training.image_rows},
                 {"image_columns", session->training.image_columns}};
  for (size_t i = 0; i < sizeof numbers / sizeof *numbers && status == MMS_OK; i++)
    status = mms_h5_attribute_int(file, "/", numbers[i].name, numbers[i].value, error);
  if (status == MMS_OK)
    status = mms_h5_attribute_double(file, "/", "step_size", mms_dynamics_step_size(session->dynamics), error);
  if (status == MMS_OK) status = mms_h5_attribute_uint(file, "/", "seed", request->sampler.seed, error);
  if (status == MMS_OK)
    status = mms_h5_attribute_uint(file, "/", "training_checksum", session->training.checksum, error);
  return status;
}

static mms_status write_points(mms_session *session, mms_h5 *file, mms_error *error) {
  const mms_output_options *output = &session->request->output;
  const mms_ensemble *ensemble = mms_dynamics_ensemble(session->dynamics);
  const mms_blocks *blocks = &ensemble->blocks;
  const int64_t data_dim = session->training.transform.data_dim;
  const int64_t chunk = mms_output_rows(blocks->n_local, blocks->size, data_dim);
  decoder from = {.session = session, .y = ensemble->y, .z = mms_dynamics_positions_together(session->dynamics)};
  mms_status status =
      mms_allocate_doubles(&from.position, blocks->size * ensemble->dim, "positions to be decoded", error);
  status = mms_team_agree(session->request->team, status, error);
  if (status == MMS_OK)
    status = mms_h5_write_rows_by(
        file, "/samples", output->precision == MMS_PRECISION_DOUBLE ? MMS_H5_FLOAT64 : MMS_H5_FLOAT32, data_dim, blocks,
        chunk, fill_samples, &from,
        "generated points in the coordinates of the data (un-whitened, PCA undone; not clipped)", "particle",
        "coordinate", error);
  if (status == MMS_OK)
    status = mms_h5_write_rows_by(file, "/latent", MMS_H5_FLOAT64, ensemble->dim, blocks, chunk, fill_latent, &from,
                                  mms_dynamics_moments_are_exact(session->dynamics)
                                      ? "the same in the sampler's coordinates: here mean and covariance are exact"
                                      : "the same in the sampler's coordinates",
                                  "particle", "coordinate", error);
  free(from.position);
  return status;
}

static mms_status write_timing(const mms_session *session, mms_h5 *file, mms_error *error) {
  const mms_run_timing *timing = &session->timing;
  const double steps = (double)(mms_dynamics_steps_done(session->dynamics) - session->steps_at_start);
  const struct {
    const char *path, *description;
    double value;
  } rows[] = {
      {"/timing/seconds_total", "seconds of this process so far, from its start", timing->total},
      {"/timing/seconds_field", "seconds in the field (rank 0)", timing->field},
      {"/timing/seconds_reduce", "seconds in the all-reduce, waiting included (rank 0)", timing->reduce},
      {"/timing/seconds_algebra", "seconds in moments, factorisation and update (rank 0)", timing->algebra},
      {"/timing/seconds_output", "seconds in writing files (rank 0)", timing->output},
      {"/timing/steps", "steps those seconds were spent on", steps},
  };
  mms_status status = MMS_OK;
  for (size_t i = 0; i < sizeof rows / sizeof *rows && status == MMS_OK; i++)
    status =
        mms_h5_write_array(file, rows[i].path, MMS_H5_FLOAT64, 0, 1, 1, &rows[i].value, rows[i].description, error);
  return status;
}

static mms_status write_samples_into(mms_session *session, mms_h5 *file, bool complete, mms_error *error) {
  double mean_defect = 0.0, covariance_defect = 0.0;
  mms_status status = mms_dynamics_measure(session->dynamics, &mean_defect, &covariance_defect, error);
  if (status == MMS_OK) status = write_attributes(session, file, "samples", error);
  if (status == MMS_OK) status = mms_h5_attribute_int(file, "/", "complete", complete, error);
  if (status == MMS_OK) status = mms_h5_attribute_double(file, "/", "mean_defect", mean_defect, error);
  if (status == MMS_OK) status = mms_h5_attribute_double(file, "/", "covariance_defect", covariance_defect, error);
  if (status == MMS_OK) status = write_points(session, file, error);
  if (status == MMS_OK) status = mms_target_file_write(session, file, error);
  if (status == MMS_OK) status = mms_tilt_file_write(mms_dynamics_tilt(session->dynamics), file, error);
  if (status == MMS_OK) status = mms_trace_write(&session->trace, file, error);
  if (status == MMS_OK)
    status = mms_observations_write(&session->observations, session->request->team, session->request->sampler.particles,
                                    mms_dynamics_steps_done(session->dynamics), file, error);
  if (status == MMS_OK) status = write_timing(session, file, error);
  return status;
}

static mms_status write_checkpoint_into(mms_session *session, mms_h5 *file, bool complete, mms_error *error) {
  (void)complete;
  const mms_ensemble *ensemble = mms_dynamics_ensemble(session->dynamics);
  const mms_blocks *blocks = &ensemble->blocks;
  mms_status status = write_attributes(session, file, "checkpoint", error);
  mms_state_array arrays[MMS_STATE_ARRAYS];
  const int count = mms_dynamics_arrays(session->dynamics, arrays);
  for (int i = 0; i < count && status == MMS_OK; i++) {
    char name[64];
    snprintf(name, sizeof name, "/%s", arrays[i].name);
    status = mms_h5_write_rows(file, name, MMS_H5_FLOAT64, blocks->total, ensemble->dim, blocks->first_row,
                               blocks->n_local, arrays[i].data, arrays[i].description, "particle", "coordinate", error);
  }
  if (status == MMS_OK) status = mms_anchor_write(session, file, error);
  if (status == MMS_OK) status = mms_tilt_file_write(mms_dynamics_tilt(session->dynamics), file, error);
  if (status == MMS_OK) status = mms_trace_write(&session->trace, file, error);
  if (status == MMS_OK)
    status = mms_observations_write(&session->observations, session->request->team, session->request->sampler.particles,
                                    mms_dynamics_steps_done(session->dynamics), file, error);
  return status;
}

/* A file of the name to be written that this run did not make, or at another step, is kept under another name.
 * Collective; agreed. */
static mms_status spare_foreign(const mms_session *session, const char *path, mms_error *error) {
  const mms_run_request *request = session->request;
  mms_status status = MMS_OK;
  bool there = false;
  int64_t step = -1;
  if (mms_team_rank(request->team) == 0) status = mms_folder_look(path, &there, error);
  const bool ours = there && mms_resume_is_ours(session, path, &step);
  if (there && !(ours && step == mms_dynamics_steps_done(session->dynamics))) {
    char *aside = NULL;
    status = mms_folder_set_aside(path, &aside, error);
    if (aside != NULL && ours)
      mms_log_info(request->log, "%s of step %lld is kept as %s", path, (long long)step, aside);
    else if (aside != NULL)
      mms_log_warn(request->log, "%s is not of this run: it is kept as %s", path, aside);
    free(aside);
  }
  return mms_team_agree(request->team, status, error);
}

typedef mms_status writer(mms_session *session, mms_h5 *file, bool complete, mms_error *error);

/* What a first checkpoint is taken to cost before one has been measured: a slow shared file system. */
static const double assumed_bytes_per_second = 50e6;

double mms_session_write_seconds(const mms_session *session) {
  const double bytes = 8.0 * (double)session->request->sampler.particles * (double)session->training.dim;
  return session->timing.last_checkpoint > 0.0 ? session->timing.last_checkpoint : bytes / assumed_bytes_per_second;
}

/* After TERM a file may take this many times what a checkpoint does, samples in the data's own coordinates included,
 * and these seconds more, before a dead rank is suspected. */
static const double write_patience_factor = 20.0, write_patience = 10.0;

/* Create, fill and commit FOLDER/name; the time is counted as output. */
static mms_status write_file(mms_session *session, const char *folder, const char *name, writer *write, bool complete,
                             mms_error *error) {
  const double begun = mms_clock_seconds();
  session->timing.total = begun - session->started;
  mms_signals_expect(write_patience + write_patience_factor * mms_session_write_seconds(session));
  char *path = NULL;
  mms_status status = mms_format_text(&path, error, "%s/%s", folder, name);
  status = mms_team_agree(session->request->team, status, error);
  mms_h5 *file = NULL;
  if (status == MMS_OK) status = spare_foreign(session, path, error);
  if (status == MMS_OK) status = mms_h5_create(&file, session->request->team, path, error);
  if (status == MMS_OK) status = write(session, file, complete, error);
  if (status == MMS_OK)
    status = mms_h5_commit(&file, error);
  else
    mms_h5_close(&file);
  free(path);
  session->timing.output += mms_clock_seconds() - begun;
  return status;
}

mms_status mms_session_write_samples(mms_session *session, const char *name, bool complete, mms_error *error) {
  return write_file(session, session->request->output.directory, name, write_samples_into, complete, error);
}

/* A file name for the rescued samples that is free in `folder`, "" if a thousand are taken. For rank 0; Local. */
static void free_name(const char *folder, const char *directory, char *name, size_t size) {
  const char *slash = strrchr(directory, '/');
  const char *base = slash != NULL && slash[1] != '\0' ? slash + 1 : "run";
  if (slash == NULL) base = directory;
  for (int n = 0; n < 1000; n++) {
    char number[16] = "", path[4096];
    if (n > 0) snprintf(number, sizeof number, "-%d", n);
    snprintf(name, size, "%.200s-samples%s.h5", base, number);
    snprintf(path, sizeof path, "%s/%s", folder, name);
    if (access(path, F_OK) != 0 && errno == ENOENT) return;
  }
  name[0] = '\0';
}

mms_status mms_session_rescue(mms_session *session, mms_status status, mms_error *error) {
  const mms_run_request *request = session->request;
  const char *folder = request->output.fallback != NULL ? request->output.fallback : ".";
  char name[256] = "";
  if (mms_team_rank(request->team) == 0) free_name(folder, request->output.directory, name, sizeof name);
  mms_team_broadcast(request->team, name, sizeof name, 0);
  mms_error second = mms_error_none();
  const mms_error first = error != NULL ? *error : mms_error_none();
  if (status == MMS_ERR_INPUT) status = MMS_ERR_SYSTEM; /* the folder was good at the start: not the user's input */
  if (name[0] != '\0' && write_file(session, folder, name, write_samples_into, true, &second) == MMS_OK)
    return mms_fail(error, status, "%.900s; the finished result was written to %.500s/%s instead", first.message,
                    folder, name);
  return mms_fail(error, status,
                  "%.900s; nor could it be written to output.fallback %.300s (%.600s): the last checkpoint "
                  "is what is left",
                  first.message, folder, second.message);
}

mms_status mms_session_write_checkpoint(mms_session *session, mms_error *error) {
  char name[64];
  snprintf(name, sizeof name, "checkpoint-%lld.h5", (long long)mms_dynamics_steps_done(session->dynamics));
  const double begun = mms_clock_seconds();
  mms_status status =
      write_file(session, session->request->output.directory, name, write_checkpoint_into, false, error);
  session->timing.last_checkpoint = mms_clock_seconds() - begun;
  if (status == MMS_OK && mms_team_rank(session->request->team) == 0)
    mms_folder_prune(session->request->output.directory, mms_dynamics_steps_done(session->dynamics),
                     session->request->output.keep_checkpoints);
  return status;
}
