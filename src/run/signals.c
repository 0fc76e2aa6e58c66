#include "run/signals.h"

#include <signal.h>
#include <stddef.h>
#include <time.h>

/* timeout(1) sends its signal to the process and to its group, a launcher may pass on what the terminal sent already:
 * the same request within this many seconds is the first one again. */
static const double same_request = 0.5;

static volatile sig_atomic_t stop_asked, checkpoint_asked;
static struct timespec first_asked; /* written before stop_asked is set, read after */
enum { SIGNALS = 5 };
static struct sigaction before[SIGNALS];
static const int signals[SIGNALS] = {SIGUSR1, SIGUSR2, SIGTERM, SIGINT, SIGXFSZ};

static void on_signal(int number) {
  if (number == SIGUSR1) {
    checkpoint_asked = 1;
    return;
  }
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  if (!stop_asked) {
    first_asked = now;
    stop_asked = 1;
    return;
  }
  const double passed = (double)(now.tv_sec - first_asked.tv_sec) + 1e-9 * (double)(now.tv_nsec - first_asked.tv_nsec);
  if (number == SIGUSR2 || passed < same_request) return;
  signal(number, SIG_DFL); /* asked again: end now, as the signal would have */
  raise(number);
}

void mms_signals_begin(void) {
  stop_asked = 0;
  checkpoint_asked = 0;
  struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
  sigfillset(&action.sa_mask); /* one handler at a time: they share first_asked */
  for (int i = 0; i < SIGNALS; i++) {
    /* Beyond a limit on file sizes a write then fails, as on a full disk, instead of ending the process. */
    action.sa_handler = signals[i] == SIGXFSZ ? SIG_IGN : on_signal;
    sigaction(signals[i], &action, &before[i]);
  }
}

void mms_signals_end(void) {
  for (int i = 0; i < SIGNALS; i++) sigaction(signals[i], &before[i], NULL);
}

bool mms_signals_stop(void) { return stop_asked != 0; }

bool mms_signals_take_checkpoint(void) {
  const bool asked = checkpoint_asked != 0;
  checkpoint_asked = 0;
  return asked;
}
