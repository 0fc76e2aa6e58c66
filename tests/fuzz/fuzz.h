/* What the fuzzers share. Each reads the fuzzer's bytes through one of our readers and demands more than that nothing
 * crashes: a refusal names its file and says why, what is accepted is whole. */
#ifndef FUZZ_FUZZ_H
#define FUZZ_FUZZ_H

#include "mmsold/base/status.h"
#include <math.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What must hold; the fuzzer keeps the input that ends the program here. */
static inline void fuzz_demand(bool holds, const char *truth) {
  if (holds) return;
  fprintf(stderr, "FAIL: %s\n", truth);
  abort();
}

/* A file for our readers, which want a path; filled again and again. In TMPDIR, or in memory where that is not set. Not
 * a memfd: HDF5 follows links to the real name, and a memfd has none. */
typedef struct fuzz_file {
  int descriptor;
  char path[256];
} fuzz_file;

static inline void fuzz_file_fill(fuzz_file *file, const void *data, size_t size) {
  if (file->path[0] == '\0') {
    const char *folder = getenv("TMPDIR");
    snprintf(file->path, sizeof file->path, "%s/fuzz-XXXXXX", folder != NULL ? folder : "/dev/shm");
    file->descriptor = mkstemp(file->path);
  }
  fuzz_demand(file->descriptor >= 0 && ftruncate(file->descriptor, 0) == 0 &&
                  pwrite(file->descriptor, data, size, 0) == (ssize_t)size,
              "the fuzzer can fill its file");
}

/* The user's file is at fault, and the message says which file and why. */
static inline void fuzz_demand_refusal(mms_status status, const mms_error *error, const char *path) {
  fuzz_demand(status == MMS_ERR_INPUT, "bytes of a file are the user's input, and what is wrong with them is said so");
  fuzz_demand(error->status == status, "the error holds the status that was returned");
  size_t length = strnlen(error->message, sizeof error->message);
  fuzz_demand(length < sizeof error->message, "the message ends");
  fuzz_demand(strncmp(error->message, path, strlen(path)) == 0, "the message begins with the file");
  fuzz_demand(length > strlen(path) + 8, "the message says why");
}

#endif
