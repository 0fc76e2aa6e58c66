/* Linked into the program for tests (mmsold_held), so that a run waits for what is to happen to it and nothing depends
 * on how fast it is. Rank 0 looks for a file `stop` in the run's folder in its first step and then once a second; where
 * there is none but a file `hold`, it waits there (`hold` becomes `held`) until `held` is removed or a signal was
 * handled. And ranks that wait for others sleep. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { NUMBERS = 65 };
static void (*handlers[NUMBERS])(int);
static volatile sig_atomic_t came; /* in whichever thread */

static void note(int number) {
  came = 1;
  handlers[number](number);
}

/* Handlers are called through `note`. */
int sigaction(int number, const struct sigaction *wanted, struct sigaction *before) {
  int (*real)(int, const struct sigaction *, struct sigaction *) = NULL;
  *(void **)&real = dlsym(RTLD_NEXT, "sigaction");
  struct sigaction noting;
  if (number > 0 && number < NUMBERS && wanted != NULL && (wanted->sa_flags & SA_SIGINFO) == 0 &&
      wanted->sa_handler != SIG_DFL && wanted->sa_handler != SIG_IGN && wanted->sa_handler != note) {
    handlers[number] = wanted->sa_handler;
    noting = *wanted;
    noting.sa_handler = note;
    wanted = &noting;
  }
  return real(number, wanted, before);
}

int access(const char *path, int mode) {
  const int answer = faccessat(AT_FDCWD, path, mode, 0);
  const char *name = strrchr(path, '/');
  if (answer == 0 || name == NULL || strcmp(name, "/stop") != 0) return answer;
  char hold[4096], held[4096];
  snprintf(hold, sizeof hold, "%.*s/hold", (int)(name - path), path);
  snprintf(held, sizeof held, "%.*s/held", (int)(name - path), path);
  came = 0;
  if (rename(hold, held) != 0) return answer;
  const struct timespec nap = {.tv_nsec = 20000000};
  while (came == 0 && faccessat(AT_FDCWD, held, F_OK, 0) == 0) nanosleep(&nap, NULL);
  unlink(held);
  return answer;
}

/* What Open MPI calls where a rank waits for others (mpi_yield_when_idle). */
int sched_yield(void) {
  const struct timespec nap = {.tv_nsec = 200000};
  return nanosleep(&nap, NULL);
}
