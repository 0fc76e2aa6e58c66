/* Signals are remembered, asked twice they end the process, and one that does not get on with its work after TERM ends
 * by itself: another rank may be dead. Each case runs in a process of its own. */
#include "support.h"

#include "mmsold/run/run.h"
#include "run/signals.h"
#include <signal.h>
#include <string.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* Time as the code under test sees it: its clock stands still but for what a test moves it, and its timer is only
 * noted; `real_timer` makes it go off as well. Nothing depends on how fast this machine is. */
static volatile double now;
static volatile sig_atomic_t timer = -1; /* what was last asked of it, in seconds */
static volatile bool real_timer;

int clock_gettime(clockid_t clock, struct timespec *time) {
  (void)clock;
  *time = (struct timespec){(time_t)now, (long)(1e9 * (now - (double)(time_t)now))};
  return 0;
}

unsigned alarm(unsigned seconds) {
  timer = (int)seconds;
  const struct itimerval left = {.it_value = {.tv_sec = (time_t)seconds}};
  if (real_timer) setitimer(ITIMER_REAL, &left, NULL);
  return 0;
}

/* For the timer to go off in; it need not be used up. */
static void wait_a_minute(void) {
  struct timespec left = {60, 0};
  while (nanosleep(&left, &left) != 0) {
  }
}

/* A process of its own that does `work`, and the pipe its stderr goes to. */
typedef struct worker {
  pid_t process;
  int output;
  char said[512];
} worker;

static worker start(int (*work)(void)) {
  int ends[2];
  assert_int_equal(pipe(ends), 0);
  worker made = {.process = fork(), .output = ends[0]};
  if (made.process == 0) {
    dup2(ends[1], STDERR_FILENO);
    _exit(work());
  }
  close(ends[1]);
  return made;
}

/* What it ends with: its exit status, or minus its signal. */
static int outcome(worker *of) {
  const ssize_t length = read(of->output, of->said, sizeof of->said - 1);
  of->said[length > 0 ? length : 0] = '\0';
  close(of->output);
  int status = 0;
  assert_int_equal(waitpid(of->process, &status, 0), of->process);
  return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

static int is_caught_early(void) {
  mms_run_catch_signals();
  raise(SIGUSR1);
  raise(SIGUSR2);
  mms_signals_begin(true);
  const bool both = mms_signals_stop() && mms_signals_take_checkpoint() && !mms_signals_take_checkpoint();
  mms_signals_end();
  raise(SIGUSR2); /* once a run is over it ends nothing */
  mms_signals_end();
  return both && !mms_signals_stop() ? 0 : 1;
}

static int is_not_caught(void) {
  raise(SIGUSR2);
  return 0;
}

static void what_comes_before_the_run_is_remembered(void **state) {
  (void)state;
  worker caught = start(is_caught_early), other = start(is_not_caught);
  assert_int_equal(outcome(&caught), 0);
  assert_int_equal(outcome(&other), -SIGUSR2);
}

static int gets_on(void) {
  mms_signals_begin(true);
  mms_signals_expect(0.5);
  const bool quiet = timer == -1;
  raise(SIGTERM);
  bool wound_up = timer == 1;
  for (int i = 2; i < 5; i++) { /* anew with each piece of work, as long as that may take */
    mms_signals_expect(i + 0.5);
    wound_up = wound_up && timer == i + 1;
  }
  const bool asked = mms_signals_stop();
  mms_signals_end();
  return asked && quiet && wound_up && timer == 0 ? 0 : 1;
}

static int hangs(void) {
  real_timer = true;
  mms_signals_begin(true);
  mms_signals_expect(0.5);
  raise(SIGTERM);
  wait_a_minute();
  return 0;
}

static int hangs_silently(void) {
  real_timer = true;
  mms_signals_begin(false);
  mms_signals_expect(0.5);
  raise(SIGINT);
  wait_a_minute();
  return 0;
}

static int is_patient(void) {
  mms_signals_begin(true);
  mms_signals_expect(0.5);
  raise(SIGUSR2);
  mms_signals_expect(0.5);
  return mms_signals_stop() && timer == -1 ? 0 : 1;
}

static void after_term_work_gets_on_or_ends(void **state) {
  (void)state;
  worker alive = start(gets_on), hung = start(hangs), silent = start(hangs_silently), patient = start(is_patient);
  assert_int_equal(outcome(&alive), 0);
  assert_string_equal(alive.said, "");
  assert_int_equal(outcome(&hung), -SIGTERM);
  assert_non_null(strstr(hung.said, "another rank may be dead"));
  assert_int_equal(outcome(&silent), -SIGINT);
  assert_string_equal(silent.said, "");
  assert_int_equal(outcome(&patient), 0); /* USR2 comes minutes before the end: a step may be long */
}

static int is_asked_twice(void) {
  now = 100.0;
  mms_signals_begin(true);
  raise(SIGUSR2);
  raise(SIGTERM); /* after USR2 the first of its kind */
  raise(SIGTERM); /* at once: a launcher's echo of it */
  if (write(STDERR_FILENO, "echo", 4) != 4) return 1;
  now = 100.6;
  raise(SIGTERM);
  return 0;
}

static int is_asked_once(void) {
  now = 100.0;
  mms_signals_begin(true);
  raise(SIGINT);
  raise(SIGTERM);
  now = 100.4;
  raise(SIGINT);
  return mms_signals_stop() ? 0 : 1;
}

static void a_second_request_ends_at_once(void **state) {
  (void)state;
  worker twice = start(is_asked_twice), once = start(is_asked_once);
  assert_int_equal(outcome(&twice), -SIGTERM);
  assert_string_equal(twice.said, "echo");
  assert_int_equal(outcome(&once), 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(what_comes_before_the_run_is_remembered),
      cmocka_unit_test(after_term_work_gets_on_or_ends),
      cmocka_unit_test(a_second_request_ends_at_once),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
