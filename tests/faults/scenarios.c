#include "scenarios.h"

#include "mmsold/store/h5.h"
#include <dirent.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

const scenario scenarios[] = {
    {"start", NULL, "run c.yaml"},
    {"resume", "half", "run c.yaml"},
    {"fresh", "short", "run c.yaml --fresh"},
    {"finished", "reference", "run c.yaml"},
    {"prepare", NULL,
     "prepare c.yaml --output out.h5 --training.source=spirals --training.whiten=full --training.whiten_top=2"},
    {0}};

static const char configuration[] = "training: {source: data.h5, count: 40}\n"
                                    "score: {bandwidth: 0.3, smoothing: 0.1, smoothing_samples: 2}\n"
                                    "sampler: {particles: 40, steps: 4, step_size: auto}\n"
                                    "output: {directory: out, precision: double, trace_every: 2, snapshot_every: 3,\n"
                                    "  checkpoint_minutes: 1.0e-9, keep_checkpoints: 2, fallback: fallback}\n";

static bool there(const char *path) { return access(path, F_OK) == 0; }

static int remove_entry(const char *path, const struct stat *about, int kind, struct FTW *at) {
  (void)about, (void)kind, (void)at;
  return remove(path);
}

static void remove_folder(const char *path) { nftw(path, remove_entry, 8, FTW_DEPTH | FTW_PHYS); }

static bool copy_file(const char *from, const char *to) {
  char bytes[1 << 14];
  FILE *in = fopen(from, "rb"), *out = fopen(to, "wb");
  bool good = in != NULL && out != NULL;
  for (size_t got = 1; good && got > 0;) {
    got = fread(bytes, 1, sizeof bytes, in);
    good = fwrite(bytes, 1, got, out) == got;
  }
  if (in != NULL) fclose(in);
  if (out != NULL) good = fclose(out) == 0 && good;
  return good;
}

static bool copy_folder(const char *from, const char *to) {
  DIR *folder = opendir(from);
  bool good = folder != NULL && mkdir(to, 0777) == 0;
  for (const struct dirent *entry = good ? readdir(folder) : NULL; entry != NULL && good; entry = readdir(folder)) {
    char in[512], out[512];
    snprintf(in, sizeof in, "%s/%.200s", from, entry->d_name);
    snprintf(out, sizeof out, "%s/%.200s", to, entry->d_name);
    if (entry->d_name[0] != '.') good = copy_file(in, out);
  }
  if (folder != NULL) closedir(folder);
  return good;
}

static bool write_text(const char *path, const char *text) {
  FILE *file = fopen(path, "w");
  return file != NULL && fputs(text, file) >= 0 && fclose(file) == 0;
}

mms_status scenario_run(const mms_cli *cli, const scenario *plan, char **said, mms_error *error) {
  char line[256], *words[16] = {NULL};
  int count = 0;
  snprintf(line, sizeof line, "%s", plan->arguments);
  for (char *word = strtok(line, " "); word != NULL && count < 15; word = strtok(NULL, " ")) words[count++] = word;
  size_t size = 0;
  mms_cli own = *cli;
  own.log.stream = open_memstream(said, &size);
  const mms_command *command = mms_command_find(words[0]);
  mms_status status = command->run(&own, count, words, error);
  fclose(own.log.stream);
  return status;
}

mms_status scenario_prepare(mms_cli *cli, mms_error *error) {
  static const scenario made[] = {
      {"data", NULL,
       "prepare c.yaml --output data.h5 --training.source=spirals --training.whiten=full --training.whiten_top=2"},
      {"reference", NULL, "run c.yaml --output.directory=reference"},
      {"short", NULL, "run c.yaml --output.directory=short --sampler.steps=2"},
      {"half", NULL, "run c.yaml --output.directory=half --sampler.steps=2"}};
  mms_status status = MMS_OK;
  if (mms_cli_speaks(cli) && (!write_text("c.yaml", configuration) || mkdir("fallback", 0777) != 0))
    status = mms_fail(error, MMS_ERR_SYSTEM, "c.yaml and fallback cannot be made here");
  status = mms_cli_agree(cli, status, error);
  for (size_t i = 0; i < sizeof made / sizeof *made && status == MMS_OK; i++) {
    char *said = NULL;
    status = scenario_run(cli, &made[i], &said, error);
    free(said);
  }
  if (status == MMS_OK && mms_cli_speaks(cli) && !write_text("half/checkpoint-3.h5", "no checkpoint"))
    status = mms_fail(error, MMS_ERR_SYSTEM, "half cannot be damaged");
  return mms_cli_agree(cli, status, error);
}

void scenario_reset(const scenario *plan) {
  static const char *const folders[] = {"out", "fallback", "out.old-1", "out.old-2"};
  for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) remove_folder(folders[i]);
  unlink("out.h5");
  if (mkdir("fallback", 0777) != 0 || (plan->before != NULL && !copy_folder(plan->before, "out"))) {
    fprintf(stderr, "%s cannot be copied\n", plan->before);
    exit(2);
  }
}

enum { DATASETS_MOST = 6 };

/* What of a file is looked at, and how it has to be: read from `reference` once. */
typedef struct answer {
  const char *reference;
  const char *datasets[DATASETS_MOST + 1];
  mms_matrix values[DATASETS_MOST];
} answer;

static answer samples = {
    "reference/samples.h5",
    {"/samples", "/latent", "/target/covariance", "/trace/step", "/trace/mean_defect", "/trace/drift", NULL},
    {{0}}};
static answer training = {"data.h5", {"/training", "/transform/encode", NULL}, {{0}}};

/* Those datasets of a whole file of ours, into values [DATASETS_MOST]; 0 x 0 where one cannot be had. */
static void read_datasets(const char *path, const answer *of, mms_matrix *values) {
  mms_error error = mms_error_none();
  mms_h5 *file = NULL;
  mms_status status = mms_h5_check_digest(NULL, path, &error);
  if (status == MMS_OK) status = mms_h5_open(&file, NULL, path, &error);
  for (int i = 0; status == MMS_OK && of->datasets[i] != NULL; i++)
    status = mms_h5_read_matrix(file, of->datasets[i], &values[i], &error);
  if (status != MMS_OK) fprintf(stderr, "  %s\n", error.message);
  mms_h5_close(&file);
}

/* Does the file hold the result, bit by bit? */
static bool holds(const char *path, answer *wanted) {
  mms_matrix values[DATASETS_MOST] = {{0}};
  bool good = true;
  if (wanted->values[0].rows == 0) read_datasets(wanted->reference, wanted, wanted->values);
  read_datasets(path, wanted, values);
  for (int i = 0; wanted->datasets[i] != NULL; i++) {
    const mms_matrix *left = &values[i], *right = &wanted->values[i];
    good = good && left->rows > 0 && left->rows == right->rows && left->cols == right->cols &&
           memcmp(left->data, right->data, (size_t)(left->rows * left->cols) * sizeof(double)) == 0;
    mms_matrix_free(&values[i]);
  }
  return good;
}

static bool same_samples(const char *path) { return holds(path, &samples); }

static bool same_training(const char *path) { return holds(path, &training); }

/* A command that ended well left all it should, or what it said (or the one before it) has a warning of what it did
 * not. */
static const char *judge_success(const scenario *plan, const char *before, const char *said) {
  if (strcmp(plan->name, "prepare") == 0) return same_training("out.h5") ? NULL : "the prepared file is not right";
  if (!same_samples("out/samples.h5")) return "the result is not there or not right";
  const bool warned = strstr(said, "warning") != NULL || strstr(before, "warning") != NULL;
  if (strcmp(plan->name, "finished") != 0 && !warned && (!there("out/checkpoint-4.h5") || !there("out/snapshot-3.h5")))
    return "a file is missing, and nothing was said";
  return NULL;
}

const char *scenario_judge(const scenario *plan, mms_status status, const mms_error *error, const char *said) {
  if (strcmp(plan->name, "fresh") == 0 && !there("out/checkpoint-2.h5") && !there("out.old-1/checkpoint-2.h5"))
    return "the old output is lost";
  if (strcmp(plan->name, "finished") == 0 && !same_samples("out/samples.h5")) return "the finished result is lost";
  if (status == MMS_OK) return judge_success(plan, "", said);
  if (error->message[0] == '\0') return "it failed without a message";
  if (strstr(error->message, "instead") != NULL && !same_samples("fallback/out-samples.h5"))
    return "what was rescued is not right";
  return NULL;
}

const char *scenario_judge_again(const scenario *plan, mms_status status, const char *before, const char *said) {
  if (strcmp(plan->name, "prepare") == 0 && status != MMS_OK && same_training("out.h5")) return NULL; /* it is there */
  if (status != MMS_OK) return "the same command fails when nothing is in its way";
  if (strcmp(plan->name, "resume") == 0 && strstr(said, "resumed") == NULL && strstr(said, "nothing to do") == NULL)
    return "it starts over instead of going on";
  return judge_success(plan, before, said);
}
