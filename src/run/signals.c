#include "run/signals.h"

#include "mmsold/run/run.h"
#include <signal.h>
#include <stddef.h>
#include <time.h>
#include <unistd.h>

/* timeout(1) sends its signal to the process and to its group, a launcher may pass on what the terminal sent already:
 * the same request within this many seconds is the first one again. */
static const double same_request = 0.5;

/* While a run is prepared there is nothing to lose: it may wait for this long for a rank that may be dead. */
enum { PATIENCE_AT_START = 5, PATIENCE_MOST = 1000000 };

static int depth; /* begun so many times and not ended */
static volatile sig_atomic_t stop_asked, checkpoint_asked;
static volatile sig_atomic_t hurried;                      /* the signal that set the timer, or 0 */
static volatile sig_atomic_t patience = PATIENCE_AT_START; /* seconds */
static volatile sig_atomic_t says_so;
static struct timespec first_asked; /* when, for the handler alone */
enum { SIGNALS = 6 };
static struct sigaction before[SIGNALS];
static const int signals[SIGNALS] = {SIGUSR1, SIGUSR2, SIGTERM, SIGINT, SIGALRM, SIGXFSZ};

/* End as `number` would have ended us, as soon as the handler returns. */
static void end_by(int number) {
  signal(number, SIG_DFL);
  raise(number);
}

static void on_signal(int number) {
  static const char words[] =
      "mmsold: a stop was asked for and a step or a file is not getting done (another rank may be "
      "dead): ended here; the same command goes on from the last checkpoint\n";
  if (number == SIGUSR1) {
    checkpoint_asked = 1;
    return;
  }
  if (number == SIGALRM) { /* written with write(2), and nothing can be done where that fails */
    if (says_so && hurried && write(STDERR_FILENO, words, sizeof words - 1) < 0) says_so = 0;
    end_by(hurried ? hurried : SIGALRM);
    return;
  }
  stop_asked = 1;
  if (number == SIGUSR2) return;
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  if (!hurried) {
    first_asked = now;
    hurried = number;
    alarm((unsigned)patience);
    return;
  }
  const double passed = (double)(now.tv_sec - first_asked.tv_sec) + 1e-9 * (double)(now.tv_nsec - first_asked.tv_nsec);
  if (passed >= same_request) end_by(number); /* asked again: end now */
}

static void take_over(int number, void (*handler)(int), struct sigaction *old) {
  struct sigaction action = {.sa_handler = handler, .sa_flags = SA_RESTART};
  sigfillset(&action.sa_mask); /* one handler at a time */
  sigaction(number, &action, old);
}

void mms_run_catch_signals(void) {
  take_over(SIGUSR1, on_signal, NULL);
  take_over(SIGUSR2, on_signal, NULL);
}

void mms_signals_begin(bool speaks) {
  patience = PATIENCE_AT_START;
  says_so = speaks;
  if (depth++ > 0) return;
  for (int i = 0; i < SIGNALS; i++) /* beyond a limit on file sizes a write then fails, as on a full disk */
    take_over(signals[i], signals[i] == SIGXFSZ ? SIG_IGN : on_signal, &before[i]);
}

void mms_signals_end(void) {
  if (--depth > 0) {
    mms_signals_expect(PATIENCE_MOST); /* what comes between two runs may be waiting for others' runs */
    return;
  }
  alarm(0);
  for (int i = 0; i < SIGNALS; i++) sigaction(signals[i], &before[i], NULL);
  stop_asked = 0;
  checkpoint_asked = 0;
  hurried = 0;
}

void mms_signals_expect(double seconds) {
  patience = seconds < PATIENCE_MOST ? (int)seconds + 1 : PATIENCE_MOST;
  if (hurried) alarm((unsigned)patience);
}

bool mms_signals_stop(void) { return stop_asked != 0; }

bool mms_signals_take_checkpoint(void) {
  const bool asked = checkpoint_asked != 0;
  checkpoint_asked = 0;
  return asked;
}
