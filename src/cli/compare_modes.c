/* Occupation of the modes of a known mixture, and what it says. */
#include "cli/compare_modes.h"

#include "cli/config.h"
#include "mmsold/base/memory.h"
#include "mmsold/store/h5.h"
#include "mmsold/training/training.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Below this a difference is taken for one; two tests are made, so that a good run is blamed once in fifty. */
static const double REJECTED = 0.01;

static const struct {
  const char *source, *words;
} sources[] = {
    {"gaussians", "8 Gaussians on a ring"}, {"grid", "25 Gaussians on a grid"}, {"clusters", "2 unequal clusters"}};

/* The file's name where `source` means the samples of an HDF5 file, else NULL. Freed by the caller. */
static mms_status file_of(char **file, const char *source, mms_error *error) {
  static const char dataset[] = ".h5:/samples";
  size_t length = strlen(source), end = sizeof dataset - 1;
  *file = NULL;
  if (length > end && strcmp(source + length - end, dataset) == 0)
    return mms_format_text(file, error, "%.*s", (int)(length - end + 3), source);
  if (length > 3 && strcmp(source + length - 3, ".h5") == 0) return mms_copy_text(file, source, error);
  return MMS_OK;
}

static mms_status count_training(mms_modes_report *report, const mms_training_options *options, mms_error *error) {
  mms_points points = {0};
  mms_status status = mms_points_select(&points, options, error);
  if (status == MMS_OK) status = mms_modes_count(&report->training, &points.values, &report->modes, error);
  for (int64_t k = 0; status == MMS_OK && k < report->modes.count; k++)
    report->training_share[k] = (double)report->training.count[k] / (double)report->training.points;
  mms_points_free(&points);
  return status;
}

static mms_status count_samples(mms_modes_report *report, mms_h5 *file, uint64_t seed, mms_error *error) {
  mms_matrix samples = {0};
  int64_t cells = report->modes.count;
  const int64_t *count = report->particles.count;
  mms_status status = mms_h5_read_matrix(file, "/samples", &samples, error);
  if (status == MMS_OK) status = mms_modes_count(&report->particles, &samples, &report->modes, error);
  if (status == MMS_OK)
    status = mms_chi_square_test(&report->against_weights, cells, count, report->modes.weight, seed, error);
  if (status == MMS_OK)
    status = mms_chi_square_test(&report->against_training, cells, count, report->training_share, seed, error);
  mms_matrix_free(&samples);
  return status;
}

static mms_status look(mms_modes_report *report, const char *path, uint64_t seed, mms_error *error) {
  mms_h5 *file = NULL;
  mms_config config = {0};
  char *text = NULL;
  mms_status status = mms_h5_open(&file, NULL, path, error);
  bool ours = status == MMS_OK && mms_h5_has(file, "/samples") &&
              mms_h5_read_text(file, "/", "configuration", &text, NULL) == MMS_OK;
  /* a configuration that is not understood, of another version say, only leaves the modes out */
  ours = ours && mms_config_parse(&config, text, path, NULL, 0, MMS_NEEDS_TRAINING, NULL) == MMS_OK;
  if (ours && mms_modes_of(&report->modes, config.training.source)) {
    for (size_t i = 0; i < sizeof sources / sizeof sources[0]; i++)
      if (strcmp(config.training.source, sources[i].source) == 0) report->source = sources[i].words;
    status = count_training(report, &config.training, error);
    if (status == MMS_OK) status = count_samples(report, file, seed, error);
    report->has = status == MMS_OK;
  }
  mms_config_free(&config);
  free(text);
  mms_h5_close(&file);
  return status;
}

mms_status mms_modes_look(mms_modes_report *report, const char *path, uint64_t seed, mms_error *error) {
  char *file = NULL;
  *report = (mms_modes_report){.source = ""};
  mms_status status = file_of(&file, path, error);
  if (status == MMS_OK && file != NULL) status = look(report, file, seed, error);
  free(file);
  return status;
}

static void print_list(const char *key, int64_t count, const double *values) {
  printf(", \"%s\": [", key);
  for (int64_t k = 0; k < count; k++) printf("%s%.6g", k > 0 ? ", " : "", values[k]);
  printf("]");
}

static void print_test_json(const char *name, const mms_chi_square *test) {
  if (isfinite(test->statistic)) printf(", \"chi2_%s\": %.6g", name, test->statistic); /* JSON has no infinity */
  printf(", \"freedom_%s\": %" PRId64 ", \"p_%s\": %.3g, \"p_%s_simulated\": %s", name, test->freedom, name, test->p,
         name, test->simulated ? "true" : "false");
}

void mms_modes_print_json(const mms_modes_report *report) {
  if (!report->has) return;
  double share[MMS_MODES_MOST];
  int64_t modes = report->modes.count, points = report->particles.points;
  for (int64_t k = 0; k < modes; k++) share[k] = (double)report->particles.count[k] / (double)points;
  printf(", \"modes\": {\"count\": %" PRId64 ", \"occupied\": %" PRId64, modes, report->particles.occupied);
  print_list("weight", modes, report->modes.weight);
  print_list("training_share", modes, report->training_share);
  print_list("share", modes, share);
  printf(", \"outside\": %.6g", (double)report->particles.outside / (double)points);
  print_test_json("weights", &report->against_weights);
  print_test_json("training", &report->against_training);
  printf("}");
}

static void print_test(const char *words, const mms_chi_square *test) {
  printf("chi-square against %-27s %.4g at %" PRId64 " degrees of freedom, p = %.2g%s\n", words, test->statistic,
         test->freedom, test->p, test->simulated ? " (simulated: an expected count is below 5)" : "");
}

static void print_verdict(const mms_modes_report *report) {
  int64_t missing = report->modes.count - report->particles.occupied;
  bool training = report->against_training.p < REJECTED, weights = report->against_weights.p < REJECTED;
  if (missing > 0) printf("FAILS: %" PRId64 " of %" PRId64 " modes hold no particle.\n", missing, report->modes.count);
  if (training) printf("FAILS: the shares are not those of the training points (p < %g).\n", REJECTED);
  if (weights && !training)
    printf(
        "The shares are not the mixture's, but they are those of the training points, which is all a run can know.\n");
  if (missing == 0 && !training) printf("Every mode is occupied, with the share of the training points.\n");
  printf(
      "The tests take particles for independent. Those of one run are exchangeable and share their moments, and far\n"
      "modes keep the particles they began with: repeat over sampler.seed and training.seed before trusting a p.\n");
}

void mms_modes_print_table(const mms_modes_report *report) {
  if (!report->has) return;
  const mms_modes *modes = &report->modes;
  double points = (double)report->particles.points;
  printf("\nmodes of A's source (%s)\n%6s %18s %9s %9s %9s %10s\n", report->source, "mode", "centre", "weight",
         "training", "share", "particles");
  for (int64_t k = 0; k < modes->count; k++)
    printf("%6" PRId64 "  (%7.3f, %7.3f) %9.4f %9.4f %9.4f %10" PRId64 "\n", k, modes->centre[k][0],
           modes->centre[k][1], modes->weight[k], report->training_share[k],
           (double)report->particles.count[k] / points, report->particles.count[k]);
  printf("\n%-46s %" PRId64 " of %" PRId64 "\n", "occupied modes", report->particles.occupied, modes->count);
  printf("%-46s %.4f (training %.4f, the mixture 0.0111)\n", "share more than 3 widths from its mode",
         (double)report->particles.outside / points,
         (double)report->training.outside / (double)report->training.points);
  print_test("the weights", &report->against_weights);
  print_test("the training points' shares", &report->against_training);
  print_verdict(report);
}
