#include "cli/stream.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

void mms_stream_prepare(void) {
  /* Read only for stdout: what is written to a stdout that isn't there must fail, not vanish. */
  const int modes[] = {O_RDONLY, O_RDONLY, O_WRONLY};
  for (int fd = 0; fd <= 2; fd++)
    if (fcntl(fd, F_GETFD) == -1 && errno == EBADF) (void)!open("/dev/null", modes[fd]);
  signal(SIGPIPE, SIG_IGN);
}

mms_status mms_stream_finish(mms_error *error) {
  errno = 0;
  if (fflush(stdout) == 0 && ferror(stdout) == 0) return MMS_OK;
  return mms_fail(error, MMS_ERR_SYSTEM, "stdout: not everything could be written%s%s", errno != 0 ? ": " : "",
                  errno != 0 ? strerror(errno) : "");
}
