#include "mmsold/study/compare.h"
#include "cli/arguments.h"
#include "cli/command.h"
#include "cli/compare_modes.h"
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

/* A quantity that was left out, and why; NULL: it is there, or was not asked for. */
typedef struct omission {
  const char *key, *words, *why;
} omission;

enum { OMISSIONS = 5 };

static void list_omissions(const mms_comparison *c, omission out[OMISSIONS]) {
  const omission all[OMISSIONS] = {{"sw2_reference", "SW2 between two halves of B", c->no_sw2_reference},
                                   {"kid", "kernel distance", c->no_kid},
                                   {"manifold", "precision, recall, coverage", c->no_manifold},
                                   {"duplicates", "duplicate rate", c->no_duplicates},
                                   {"defects", "moment defects", c->no_defects}};
  for (int i = 0; i < OMISSIONS; i++) out[i] = all[i];
}

static void print_json(const mms_comparison *c, const mms_modes_report *modes) {
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
  if (c->has_manifold)
    printf(", \"manifold_points_a\": %" PRId64 ", \"manifold_points_b\": %" PRId64, c->manifold_a, c->manifold_b);
  if (c->has_duplicates) printf(", \"duplicate_percentile\": %g", c->duplicate_percentile);
  omission left_out[OMISSIONS];
  list_omissions(c, left_out);
  for (int i = 0; i < OMISSIONS; i++)
    if (left_out[i].why != NULL) printf(", \"no_%s\": \"%s\"", left_out[i].key, left_out[i].why);
  mms_modes_print_json(modes);
  printf("}\n");
}

/* What a number of the table needs beside it to be read right. */
static void print_remarks(const mms_comparison *c) {
  omission left_out[OMISSIONS];
  list_omissions(c, left_out);
  printf("\n");
  if (c->has_kid && c->kid < 0)
    printf("The kernel distance is an unbiased estimate, so chance takes it below 0 where the sets are as good as "
           "equal.\n");
  if (c->has_manifold && (c->manifold_a < c->count_a || c->manifold_b < c->count_b))
    printf("Precision, recall and coverage are those of %" PRId64 " points of A and %" PRId64
           " of B, drawn at random.\n",
           c->manifold_a, c->manifold_b);
  if (c->has_duplicates)
    printf("A duplicate is nearer to a point of B than %g %% of B's points are to their nearest neighbour.\n",
           c->duplicate_percentile);
  for (int i = 0; i < OMISSIONS; i++)
    if (left_out[i].why != NULL) printf("Left out: %s (%s).\n", left_out[i].words, left_out[i].why);
}

static void print_table(const mms_comparison *c, const mms_modes_report *modes, const char *a, const char *b) {
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
  print_remarks(c);
  mms_modes_print_table(modes);
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
  mms_status status =
      mms_cli_agree(cli, mms_arguments_parse(&arguments, argc, argv, names, operands, 2, options, false, error), error);
  mms_arguments_free(&arguments);
  if (status != MMS_OK) return status;
  if (mms_cli_speaks(cli)) {
    mms_comparison comparison = {0};
    status = (sliced ? mms_compare_sliced : mms_compare_files)(&comparison, operands[0], operands[1], directions, seed,
                                                               error);
    mms_modes_report modes = {.has = false};
    if (status == MMS_OK) status = mms_modes_look(&modes, operands[0], seed, error);
    if (status == MMS_OK && json) print_json(&comparison, &modes);
    if (status == MMS_OK && !json) print_table(&comparison, &modes, operands[0], operands[1]);
  }
  return mms_cli_agree(cli, status, error);
}
