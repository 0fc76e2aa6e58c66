#include "run/signals.h"

#include <signal.h>
#include <stddef.h>

static volatile sig_atomic_t stop_asked, checkpoint_asked;
static struct sigaction before[4];
static const int signals[4] = {SIGUSR1, SIGUSR2, SIGTERM, SIGINT};

static void on_signal(int number) {
  if (number == SIGUSR1) {
    checkpoint_asked = 1;
    return;
  }
  if (stop_asked && number != SIGUSR2) { /* asked again: end now, as the signal would have */
    signal(number, SIG_DFL);
    raise(number);
    return;
  }
  stop_asked = 1;
}

void mms_signals_begin(void) {
  stop_asked = 0;
  checkpoint_asked = 0;
  struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
  sigemptyset(&action.sa_mask);
  for (int i = 0; i < 4; i++) sigaction(signals[i], &action, &before[i]);
}

void mms_signals_end(void) {
  for (int i = 0; i < 4; i++) sigaction(signals[i], &before[i], NULL);
}

bool mms_signals_stop(void) { return stop_asked != 0; }

bool mms_signals_take_checkpoint(void) {
  const bool asked = checkpoint_asked != 0;
  checkpoint_asked = 0;
  return asked;
}
