/* The small runs whose every call is made to fail, and what may come of them. */
#ifndef TESTS_SCENARIOS_H
#define TESTS_SCENARIOS_H

#include "cli/command.h"

/* One command line, what stands in the output folder before it, and what is asked of it afterwards. */
typedef struct scenario {
  const char *name;
  const char *before;    /* the folder that `out` is a copy of; NULL: there is none */
  const char *arguments; /* of the command, words separated by one space */
} scenario;

/* Ended by a NULL name. */
extern const scenario scenarios[];

/* Make what the scenarios begin with, in the current folder: c.yaml, data.h5, and the runs `reference` (to the end),
 * `short` (finished, but of fewer steps) and `half` (that with a damaged checkpoint of a later step). Collective. */
mms_status scenario_prepare(mms_cli *cli, mms_error *error);

/* `out` and `fallback` as before the first command. For rank 0. */
void scenario_reset(const scenario *plan);

/* Do the command line. What it says goes to *said (freed with free()) on rank 0. Collective. */
mms_status scenario_run(const mms_cli *cli, const scenario *plan, char **said, mms_error *error);

/* After a run in which a call failed: NULL, or what is wrong. For rank 0. */
const char *scenario_judge(const scenario *plan, mms_status status, const mms_error *error, const char *said);

/* After the same command again, with nothing in its way; `before` is what the first one said. For rank 0. */
const char *scenario_judge_again(const scenario *plan, mms_status status, const char *before, const char *said);

#endif
