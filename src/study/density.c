/* `density` as a whole: σ after σ, then the file. */
#include "study/density.h"

#include "mmsold/base/clock.h"
#include "mmsold/base/memory.h"
#include "run/folder.h"
#include <stdlib.h>

static mms_status check(const mms_density_request *request, mms_error *error) {
  const mms_density_options *density = &request->density;
  if (density->smoothing_count < 1 || density->cells < 2 || density->smoothing_samples < 0 ||
      density->smoothing_samples % 2 != 0 || (density->extent_count != 0 && density->extent_count % 2 != 0) ||
      density->extent_count > 4)
    return mms_fail(error, MMS_ERR_INPUT,
                    "density: %lld smoothings, %lld cells a side, %lld draws, an extent of %lld numbers: at least one "
                    "smoothing and 2 cells, an even number of draws, and an extent of low and high, once or for each "
                    "axis, are needed",
                    (long long)density->smoothing_count, (long long)density->cells,
                    (long long)density->smoothing_samples, (long long)density->extent_count);
  if (density->potential == MMS_DENSITY_MONTE_CARLO && density->smoothing_samples == 0)
    return mms_fail(error, MMS_ERR_INPUT,
                    "density.smoothing_samples: 0 draws smooth nothing; give a number, or potential: quadrature");
  return MMS_OK;
}

/* Is the place free, or can it be made so? On rank 0. */
static mms_status prepare_place(const mms_density_request *request, const char *path, mms_error *error) {
  bool there = false;
  char *aside = NULL;
  mms_status status = mms_folder_check(request->directory, error);
  if (status == MMS_OK) status = mms_folder_look(path, &there, error);
  if (status != MMS_OK || !there) return status;
  if (!request->fresh)
    return mms_fail(error, MMS_ERR_INPUT,
                    "%s exists; --fresh keeps it aside and starts over, or choose another output.directory", path);
  if (mms_folder_set_aside(path, &aside, error) != MMS_OK) return mms_fail_within(error, "--fresh");
  if (aside != NULL) mms_log_info(request->log, "the old %s is now %s", path, aside);
  free(aside);
  return MMS_OK;
}

/* σ after σ. Collective; agreed. */
static mms_status work_through(const mms_density_setting *setting, mms_density_result *results, mms_error *error) {
  const mms_density_options *density = &setting->request->density;
  mms_log *log = setting->request->log;
  double begun = mms_clock_seconds();
  mms_status status = MMS_OK;
  for (int64_t s = 0; s < density->smoothing_count && status == MMS_OK; s++) {
    status = mms_density_smoothing(setting, density->smoothing[s], &results[s], error);
    if (status == MMS_OK)
      mms_log_progress(log, "smoothing %g: %lld of %lld done, %.1f s", density->smoothing[s], (long long)s + 1,
                       (long long)density->smoothing_count, mms_clock_seconds() - begun);
  }
  return status;
}

static mms_status run(const mms_density_request *request, const char *path, mms_density_table *table,
                      mms_error *error) {
  mms_density_setting setting;
  mms_density_result *results = NULL;
  void *memory = NULL;
  int64_t count = request->density.smoothing_count;
  mms_status status = mms_density_open(&setting, request, error);
  if (status != MMS_OK) return status;
  mms_log_info(request->log, "training   %s", setting.training.description);
  mms_log_info(request->log, "density    %lld smoothings, %lld test points, tilt by %s (%lld points)", (long long)count,
               (long long)setting.test_count, request->density.expectation, (long long)setting.tilt_blocks.total);
  status = mms_allocate(&memory, count, sizeof *results, "densities", error);
  results = memory;
  status = mms_team_agree(request->team, status, error);
  if (status == MMS_OK) status = work_through(&setting, results, error);
  if (status == MMS_OK)
    status = mms_team_agree(
        request->team, mms_density_compare(results, count, setting.test_count, request->density.seed, table, error),
        error);
  if (status == MMS_OK) status = mms_density_write(&setting, results, table, path, error);
  for (int64_t s = 0; s < count && results != NULL; s++) mms_density_result_free(&results[s]);
  free(results);
  mms_density_close(&setting);
  return status;
}

mms_status mms_density(const mms_density_request *request, mms_density_table *table, mms_error *error) {
  *table = (mms_density_table){.rows = NULL};
  mms_folder folder = {.lock = -1};
  char *path = NULL, *aside = NULL;
  mms_status status = mms_format_text(&path, error, "%s/density.h5", request->directory);
  if (status == MMS_OK) status = check(request, error);
  if (status == MMS_OK && mms_team_rank(request->team) == 0) {
    status = prepare_place(request, path, error);
    if (status == MMS_OK) status = mms_folder_open(&folder, request->directory, false, &aside, error);
  }
  status = mms_team_agree(request->team, status, error);
  if (status == MMS_OK) status = run(request, path, table, error);
  if (status != MMS_OK) mms_density_table_free(table);
  mms_folder_close(&folder);
  free(aside);
  free(path);
  return status;
}
