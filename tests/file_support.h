/* A folder of a test's own with one file in it. */
#ifndef TESTS_FILE_SUPPORT_H
#define TESTS_FILE_SUPPORT_H

#include "support.h"

#include <stdlib.h>
#include <unistd.h>

static char folder[] = "files-XXXXXX";
static char path[256]; /* of the file */

/* For a group's set-up, with the file's name; 0 or -1. */
static inline int folder_make(const char *name) {
  if (mkdtemp(folder) == NULL) return -1;
  snprintf(path, sizeof path, "%s/%s", folder, name);
  return 0;
}

/* A group's tear-down. */
static inline int folder_remove(void **state) {
  (void)state;
  unlink(path);
  return rmdir(folder);
}

/* These bytes are the file. */
static inline void put(const void *bytes, size_t count) {
  FILE *stream = fopen(path, "wb");
  assert_non_null(stream);
  assert_int_equal(fwrite(bytes, 1, count, stream), count);
  fclose(stream);
}

static inline void put_text(const char *text) { put(text, strlen(text)); }

#endif
