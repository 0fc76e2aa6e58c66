#include "mmsold/base/memory_use.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A line "Name:   123 kB" whose value is wanted. */
typedef struct wanted {
  const char *name;
  double *bytes;
} wanted;

/* false: the file is not there. */
static int read_lines(const char *path, const wanted *lines, int count) {
  FILE *file = fopen(path, "r");
  if (file == NULL) return 0;
  char line[256];
  while (fgets(line, sizeof line, file) != NULL) {
    for (int i = 0; i < count; i++) {
      const size_t length = strlen(lines[i].name);
      if (strncmp(line, lines[i].name, length) != 0 || line[length] != ':') continue;
      *lines[i].bytes += 1024.0 * strtod(line + length + 1, NULL);
    }
  }
  fclose(file);
  return 1;
}

mms_memory_use mms_memory_use_read(void) {
  mms_memory_use use = {0};
  const wanted shares[] = {{"Pss", &use.share}};
  const wanted sizes[] = {
      {"VmRSS", &use.resident}, {"RssFile", &use.shared}, {"RssShmem", &use.shared}, {"VmHWM", &use.most}};
  if (!read_lines("/proc/self/smaps_rollup", shares, 1) || !read_lines("/proc/self/status", sizes, 4))
    return (mms_memory_use){0};
  return use;
}
