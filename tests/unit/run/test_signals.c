/* Signals are remembered, asked twice they end the process, and one that does not get on with its work after TERM ends
 * by itself: another rank may be dead. Each case runs in a process of its own. */
#include "support.h"

#include "mmsold/run/run.h"
#include "run/signals.h"
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void wait_seconds(double seconds) {
  struct timespec left = {(time_t)seconds, (long)(1e9 * (seconds - (double)(time_t)seconds))};
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
  raise(SIGTERM);
  for (int i = 0; i < 3; i++) { /* in all longer than the second that the timer has */
    wait_seconds(0.4);
    mms_signals_expect(0.5);
  }
  const bool asked = mms_signals_stop();
  mms_signals_end();
  wait_seconds(1.1); /* and the timer is off */
  return asked ? 0 : 1;
}

static int hangs(void) {
  mms_signals_begin(true);
  mms_signals_expect(0.5);
  raise(SIGTERM);
  wait_seconds(60);
  return 0;
}

static int hangs_silently(void) {
  mms_signals_begin(false);
  mms_signals_expect(0.5);
  raise(SIGINT);
  wait_seconds(60);
  return 0;
}

static int is_patient(void) {
  mms_signals_begin(true);
  mms_signals_expect(0.5);
  raise(SIGUSR2);
  wait_seconds(1.2);
  return mms_signals_stop() ? 0 : 1;
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
  mms_signals_begin(true);
  raise(SIGUSR2);
  raise(SIGTERM); /* after USR2 the first of its kind */
  raise(SIGTERM); /* at once: a launcher's echo of it */
  wait_seconds(0.6);
  raise(SIGTERM);
  return 0;
}

static int is_asked_once(void) {
  mms_signals_begin(true);
  raise(SIGINT);
  raise(SIGTERM);
  raise(SIGINT);
  return mms_signals_stop() ? 0 : 1;
}

static void a_second_request_ends_at_once(void **state) {
  (void)state;
  worker twice = start(is_asked_twice), once = start(is_asked_once);
  assert_int_equal(outcome(&twice), -SIGTERM);
  assert_string_equal(twice.said, "");
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
