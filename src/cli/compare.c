#include "mmsold/study/compare.h"
#include "cli/arguments.h"
#include "cli/command.h"
#include "cli/words.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

/* One quantity: its key in JSON, and what it is called in the table. */
typedef struct quantity {
  bool has;
  const char *key, *words;
  double value;
} quantity;

enum { QUANTITIES = 11 };

static void list(const mms_comparison *c, quantity out[QUANTITIES]) {
  const char *against = c->defects_against_target ? "of A's own target" : "of B's moments";
  const quantity all[QUANTITIES] = {
      {true, "sw2", "sliced Wasserstein-2", c->sw2},
      {c->has_sw2_reference, "sw2_reference", "  the same between two halves of B", c->sw2_reference},
      {c->has_kid, "kid", "kernel distance (unbiased MMD^2)", c->kid},
      {c->has_kid, "kid_stderr", "  its standard error", c->kid_stderr},
      {c->has_manifold, "precision", "precision", c->precision},
      {c->has_manifold, "recall", "recall", c->recall},
      {c->has_manifold, "coverage", "coverage", c->coverage},
      {c->has_duplicates, "duplicate_rate", "duplicate rate", c->duplicate_rate},
      {c->has_duplicates, "duplicate_threshold", "  nearer than", c->duplicate_threshold},
      {c->has_defects, "mean_defect", against, c->mean_defect},
      {c->has_defects, "covariance_defect", against, c->covariance_defect},
  };
  for (int i = 0; i < QUANTITIES; i++) out[i] = all[i];
}

static void print_json(const mms_comparison *c) {
  quantity all[QUANTITIES];
  list(c, all);
  printf("{\"count_a\": %" PRId64 ", \"count_b\": %" PRId64 ", \"dim\": %" PRId64, c->count_a, c->count_b, c->dim);
  for (int i = 0; i < QUANTITIES; i++) {
    if (!all[i].has || !isfinite(all[i].value)) continue; /* JSON has no infinity */
    char number[32];
    mms_number_print(all[i].value, number, sizeof number);
    printf(", \"%s\": %s", all[i].key, number);
  }
  if (c->has_defects) printf(", \"defects_against\": \"%s\"", c->defects_against_target ? "target" : "b");
  printf("}\n");
}

static void print_table(const mms_comparison *c, const char *a, const char *b) {
  quantity all[QUANTITIES];
  list(c, all);
  printf("A  %s: %" PRId64 " points\nB  %s: %" PRId64 " points\nin %" PRId64 " columns\n\n", a, c->count_a, b,
         c->count_b, c->dim);
  for (int i = 0; i < QUANTITIES; i++) {
    if (!all[i].has) continue;
    bool defect = i >= QUANTITIES - 2;
    char words[64];
    snprintf(words, sizeof words, "%s%s",
             i == QUANTITIES - 2 ? "mean defect "
             : defect            ? "covariance defect "
                                 : "",
             all[i].words);
    printf("%-36s %.6g\n", words, all[i].value);
  }
}

mms_status mms_command_compare(mms_cli *cli, int argc, char **argv, mms_error *error) {
  bool json = false, sliced = false;
  int64_t directions = 512;
  uint64_t seed = 0;
  const char *names[] = {"A", "B"}, *operands[2] = {NULL, NULL};
  const mms_option options[] = {{"json", MMS_OPTION_FLAG, &json},
                                {"sliced", MMS_OPTION_FLAG, &sliced},
                                {"directions", MMS_OPTION_INTEGER, &directions},
                                {"seed", MMS_OPTION_SEED, &seed},
                                {0}};
  mms_arguments arguments;
  mms_status status = mms_arguments_parse(&arguments, argc, argv, names, operands, 2, options, false, error);
  mms_arguments_free(&arguments);
  if (status != MMS_OK) return status;
  if (mms_cli_speaks(cli)) {
    mms_comparison comparison;
    status = (sliced ? mms_compare_sliced : mms_compare_files)(&comparison, operands[0], operands[1], directions, seed,
                                                               error);
    if (status == MMS_OK && json) print_json(&comparison);
    if (status == MMS_OK && !json) print_table(&comparison, operands[0], operands[1]);
  }
  return mms_cli_agree(cli, status, error);
}
