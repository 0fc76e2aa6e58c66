/* fault_run FIRST STRIDE SCENARIO:KIND[:lasting] ...: in each scenario every STRIDE-th call of KIND fails, beginning
 * with call FIRST (the first scenario) or STRIDE - 1 (the others), on rank MMSOLD_FAULT_RANK alone. STRIDE 0: the first
 * call along each chain of callers (MMSOLD_FAULT_CALLERS: so many of the innermost), which leaves out what loops
 * repeat. One process does them all, so that what an error path forgets to give back is noticed. The place is written
 * to `at` (scenario, call) for whoever goes on after a crash. Exit: 0 every fault was borne, 3 not so, 4 a hang. KIND
 * is memory, system, library, hdf5, mpi, or the name of one function. MMSOLD_FAULT_PLANT=lie|crash|hang: the fault is
 * one that must be caught.
 * fault_run again SCENARIO: its command once more, where one that was ended by a fault left off. */
#include "faults.h"
#include "scenarios.h"

#include "parallel/team_mpi.h"
#include <dirent.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { NOT_BORNE = 3, HANG = 4 };

static const char *const kinds[FAULT_KINDS] = {"memory", "system", "library", "hdf5", "mpi"};
static const char *const plants[] = {"", "lie", "crash", "hang"};

static int seconds = 120; /* for one fault; MMSOLD_FAULT_SECONDS sets it */
static char place[128];
static long injected; /* by this process */

static timer_t watch;

static void on_watch(int number) {
  (void)number;
  (void)!write(STDERR_FILENO, "HANG: ", 6);
  (void)!write(STDERR_FILENO, place, strlen(place));
  (void)!write(STDERR_FILENO, "\n", 1);
  _exit(HANG);
}

/* What Open MPI calls where a rank waits for others (mpi_yield_when_idle): sleep, so that ranks which share a core with
 * much else do not spend it on waiting. */
int sched_yield(void) {
  const struct timespec nap = {.tv_nsec = 20000};
  nanosleep(&nap, NULL);
  return 0;
}

/* The fault now begun has so many seconds. A timer of its own: the program has its own use for SIGALRM. */
static void wind_up(void) {
  const struct itimerspec left = {.it_value = {.tv_sec = seconds}};
  timer_settime(watch, 0, &left, NULL);
}

/* Open file descriptors of this process. */
static int descriptors(void) {
  int count = 0;
  DIR *folder = opendir("/proc/self/fd");
  if (folder == NULL) return 0;
  while (readdir(folder) != NULL) count++;
  closedir(folder);
  return count;
}

/* Where it stands: "PLAN CALL FAULTS-SO-FAR NAME". */
static void note_place(const mms_cli *cli, int plan, long call, const char *name) {
  snprintf(place, sizeof place, "%s call %ld", name, call);
  wind_up();
  if (!mms_cli_speaks(cli)) return;
  FILE *file = fopen("at", "w");
  if (file != NULL) fprintf(file, "%d %ld %ld %s\n", plan, call, injected, place);
  if (file != NULL) fclose(file);
}

/* All ranks returned the same? */
static bool alike(mms_status status) {
  int ends[2] = {(int)status, -(int)status};
  MPI_Allreduce(MPI_IN_PLACE, ends, 2, MPI_INT, MPI_MAX, MPI_COMM_WORLD);
  return ends[0] == -ends[1];
}

/* One fault. *fired: the run makes so many calls. True where it was borne. */
static bool inject(const mms_cli *cli, const scenario *plan, bool fails_here, bool *fired) {
  char *said = NULL, *said_again = NULL;
  mms_error error = mms_error_none(), again = mms_error_none();
  const char *wrong = NULL;
  if (mms_cli_speaks(cli)) scenario_reset(plan);
  mms_team_barrier(cli->team);
  const int before = descriptors();
  fault.count = 0;
  fault.failed = NULL;
  fault.stream_broken = false;
  fault.armed = fails_here;
  mms_status status = scenario_run(cli, plan, &said, &error);
  fault.armed = false;
  fault.stream_broken = false;
  if (!alike(status)) wrong = "the ranks ended in different ways";
  int64_t any = fault.failed != NULL;
  mms_team_sum_int64(cli->team, &any, 1);
  *fired = any > 0;
  /* A file that HDF5 was said not to have opened or closed is still open where the others take part. */
  if (!fault.together && descriptors() > before) wrong = "a file is left open";
  if (mms_cli_speaks(cli) && wrong == NULL) wrong = scenario_judge(plan, status, &error, said);
  if (!*fired && status != MMS_OK && wrong == NULL) wrong = "it fails without a fault";
  mms_status second = status;
  mms_team_broadcast(cli->team, &second, sizeof second, 0);
  if (*fired && second != MMS_OK) {
    second = scenario_run(cli, plan, &said_again, &again);
    if (mms_cli_speaks(cli) && wrong == NULL) wrong = scenario_judge_again(plan, second, said, said_again);
  }
  if (wrong != NULL)
    fprintf(stderr, "NOT BORNE: %.100s, %s fails on rank %d: %s (status %d: %s; again: %s)\n", place,
            fault.failed != NULL ? fault.failed : "it", mms_team_rank(cli->team), wrong, (int)status, error.message,
            again.message);
  else if (getenv("MMSOLD_FAULT_VERBOSE") != NULL && fault.failed != NULL)
    fprintf(stderr, "%.100s, %s: %s\n", place, fault.failed, status == MMS_OK ? "no harm" : error.message);
  free(said);
  free(said_again);
  int64_t bad = wrong != NULL;
  mms_team_sum_int64(cli->team, &bad, 1);
  return bad == 0;
}

/* The first call along each chain of callers of the rank that fails, the same list on all ranks. They are found in a
 * run without a fault. */
static void find_places(const mms_cli *cli, const scenario *plan, bool fails_here, long places[FAULT_PLACES + 1]) {
  bool fired = false;
  const char *callers = getenv("MMSOLD_FAULT_CALLERS");
  fault.callers = callers != NULL ? atoi(callers) : 64;
  fault.at = 0;
  fault.place_count = 0;
  fault.places = fails_here ? places : NULL;
  (void)inject(cli, plan, fails_here, &fired);
  fault.places = NULL;
  places[fault.place_count] = LONG_MAX; /* past all calls: ends the sweep */
  const char *rank = getenv("MMSOLD_FAULT_RANK");
  mms_team_broadcast(cli->team, places, (FAULT_PLACES + 1) * sizeof *places, rank != NULL ? atoi(rank) : 0);
}

static const scenario *find(const char *name) {
  const scenario *plan = scenarios;
  while (plan->name != NULL && strcmp(plan->name, name) != 0) plan++;
  if (plan->name != NULL) return plan;
  fprintf(stderr, "fault_run: there is no %s\n", name);
  exit(2);
}

/* What an end by MPI left is as good as what a kill leaves. Files on the way may be missing, which nobody could say. */
static int again(const mms_cli *cli, const char *name) {
  char *said = NULL;
  mms_error error = mms_error_none();
  const scenario *plan = find(name);
  const mms_status status = scenario_run(cli, plan, &said, &error);
  const char *wrong = scenario_judge_again(plan, status, "warning", said);
  if (wrong != NULL) fprintf(stderr, "NOT BORNE: %s, again: %s (%s)\n", name, wrong, error.message);
  free(said);
  return wrong != NULL ? NOT_BORNE : 0;
}

/* All faults of one "scenario:kind[:lasting]". Returns how many were not borne. */
static long sweep(const mms_cli *cli, int number, const char *text, long first, long stride, bool fails_here) {
  char name[32] = "", kind[32] = "", mode[32] = "";
  sscanf(text, "%31[^:]:%31[^:]:%31s", name, kind, mode);
  const scenario *plan = find(name);
  int k = 0;
  while (k < FAULT_KINDS && strcmp(kinds[k], kind) != 0) k++;
  fault.kind = (fault_kind)k;
  fault.only = k == FAULT_KINDS ? kind : NULL;
  fault.lasting = strcmp(mode, "lasting") == 0;
  const long before = injected;
  long bad = 0;
  bool fired = true;
  static long places[FAULT_PLACES + 1];
  long *place_of = places;
  if (stride == 0) find_places(cli, plan, fails_here, places);
  while (stride == 0 && *place_of < first) place_of++;
  for (long call = first; fired; call += stride) {
    if (stride == 0) call = *place_of++;
    fault.at = call;
    note_place(cli, number, call, text);
    bad += !inject(cli, plan, fails_here, &fired);
    injected += fired;
    if (!fired && fails_here)
      fprintf(stderr, "%s: %ld faults, of %ld calls; %ld not borne\n", text, injected - before, fault.count, bad);
  }
  return bad;
}

int main(int argc, char **argv) {
  mms_error error = mms_error_none();
  mms_cli cli = {.team = NULL};
  if (mms_world_begin(&argc, &argv, &error) != MMS_OK || argc < 3) return 2;
  const char *rank = getenv("MMSOLD_FAULT_RANK"), *planted = getenv("MMSOLD_FAULT_PLANT");
  for (int i = 1; i < 4 && planted != NULL; i++)
    if (strcmp(planted, plants[i]) == 0) fault.plant = (fault_plant)i;
  const char *patience = getenv("MMSOLD_FAULT_SECONDS");
  if (patience != NULL) seconds = atoi(patience);
  struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGPWR};
  signal(SIGPWR, on_watch);
  if (timer_create(CLOCK_MONOTONIC, &event, &watch) != 0) return 2;
  if (mms_team_create(&cli.team, &error) != MMS_OK) return 2;
  cli.log = (mms_log){.level = MMS_LOG_NORMAL, .speaks = mms_cli_speaks(&cli)};
  fault.together = mms_team_size(cli.team) > 1;
  const bool fails_here = mms_team_rank(cli.team) == (rank != NULL ? atoi(rank) : 0);
  if (strcmp(argv[1], "again") == 0) {
    const int code = again(&cli, argv[2]);
    mms_team_free(&cli.team);
    mms_world_end();
    return code;
  }
  if (scenario_prepare(&cli, &error) != MMS_OK) {
    fprintf(stderr, "fault_run: %s\n", error.message);
    return 2;
  }
  const long first = strtol(argv[1], NULL, 10), stride = strtol(argv[2], NULL, 10);
  long bad = 0;
  for (int i = 3; i < argc; i++) {
    const long from = i == 3 ? first : stride > 1 ? stride - 1 : 1;
    bad += sweep(&cli, i - 3, argv[i], from, stride, fails_here);
  }
  note_place(&cli, argc - 4, 0, "the end");
  mms_team_free(&cli.team);
  mms_world_end();
  return bad == 0 ? 0 : NOT_BORNE;
}
