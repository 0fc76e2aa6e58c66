#include "picture/gnuplot.h"

#include "mmsold/base/memory.h"
#include "mmsold/picture/picture.h"
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

/* gnuplot takes "<command", "|command", "-" and "+" for something else than files; "./" before a relative name
 * makes each of them a file again. */
static mms_status as_file(char **name, const char *path, mms_error *error) {
  return mms_format_text(name, error, "%s%s", path[0] == '/' ? "" : "./", path);
}

/* Start gnuplot with stdin empty and both outputs in the pipe; returns an errno. */
static int start(pid_t *child, char *const arguments[], const int ends[2]) {
  posix_spawn_file_actions_t actions;
  int failed = posix_spawn_file_actions_init(&actions);
  if (failed != 0) return failed;
  failed = posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  if (failed == 0) failed = posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
  if (failed == 0) failed = posix_spawn_file_actions_adddup2(&actions, ends[1], STDERR_FILENO);
  if (failed == 0) failed = posix_spawn_file_actions_addclose(&actions, ends[0]);
  if (failed == 0) failed = posix_spawn_file_actions_addclose(&actions, ends[1]);
  if (failed == 0) failed = posix_spawnp(child, arguments[0], &actions, NULL, arguments, environ);
  posix_spawn_file_actions_destroy(&actions);
  return failed;
}

/* All that comes out of the pipe, the first `size` − 1 bytes of it kept, on one line. */
static void listen_to(int end, char *said, size_t size) {
  size_t kept = 0;
  char buffer[1024];
  for (;;) {
    ssize_t got = read(end, buffer, sizeof buffer);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;
    for (ssize_t i = 0; i < got && kept + 1 < size; i++) said[kept++] = buffer[i] == '\n' ? ' ' : buffer[i];
  }
  said[kept] = '\0';
}

static mms_status run_to_the_end(char *const arguments[], mms_error *error) {
  int ends[2];
  if (pipe(ends) != 0) return mms_fail(error, MMS_ERR_SYSTEM, "cannot start gnuplot: %s", strerror(errno));
  pid_t child = 0;
  int failed = start(&child, arguments, ends);
  close(ends[1]);
  if (failed != 0) {
    close(ends[0]);
    if (failed == ENOENT)
      return mms_fail(error, MMS_ERR_SYSTEM,
                      "charts are drawn by gnuplot, which was not found in PATH; install it (Debian and Ubuntu: apt "
                      "install gnuplot-nox)");
    return mms_fail(error, MMS_ERR_SYSTEM, "cannot start gnuplot: %s", strerror(failed));
  }
  char said[512];
  listen_to(ends[0], said, sizeof said);
  close(ends[0]);
  int outcome = 0;
  while (waitpid(child, &outcome, 0) < 0)
    if (errno != EINTR) return mms_fail(error, MMS_ERR_SYSTEM, "lost sight of gnuplot: %s", strerror(errno));
  if (WIFEXITED(outcome) && WEXITSTATUS(outcome) == 0) return MMS_OK;
  return mms_fail(error, MMS_ERR_SYSTEM, "gnuplot failed: %s", said[0] == '\0' ? "it gave no reason" : said);
}

mms_status mms_gnuplot_run(const char *script, const char *data, const char *output, mms_error *error) {
  char *names[3] = {NULL, NULL, NULL};
  mms_status status = as_file(&names[0], script, error);
  if (status == MMS_OK) status = as_file(&names[1], data, error);
  if (status == MMS_OK) status = as_file(&names[2], output, error);
  if (status == MMS_OK) {
    char program[] = "gnuplot", plain[] = "-d", call[] = "-c"; /* -d: nobody's own start-up file */
    char *arguments[] = {program, plain, call, names[0], names[1], names[2], NULL};
    status = run_to_the_end(arguments, error);
  }
  for (int i = 0; i < 3; i++) free(names[i]);
  return status;
}

void mms_picture_gnuplot(char *text, size_t size) {
  snprintf(text, size, "not found");
  FILE *answer = popen("gnuplot --version 2>/dev/null", "r"); /* NOLINT(cert-env33-c): nobody's text is in it */
  char line[128] = "";
  bool read = answer != NULL && fgets(line, sizeof line, answer) != NULL;
  if (answer != NULL) pclose(answer);
  line[strcspn(line, "\n")] = '\0';
  if (read && strncmp(line, "gnuplot ", 8) == 0) snprintf(text, size, "%s", line + 8);
}
