#include "run/compatible.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { KEY_SIZE = 128, VALUE_SIZE = 1024 };

/* One `section.key` and its value as text. */
typedef struct entry {
  char key[KEY_SIZE];
  char value[VALUE_SIZE];
} entry;

/* The next entry of a resolved configuration; `*text` moves on. False at the end. */
static bool next_entry(const char **text, char section[KEY_SIZE], entry *out) {
  while (**text != '\0') {
    const char *line = *text;
    const size_t length = strcspn(line, "\n");
    *text = line + length + (line[length] == '\n');
    const char *colon = memchr(line, ':', length);
    if (colon == NULL || *line == '#') continue;
    if (*line != ' ') { /* "section:" */
      snprintf(section, KEY_SIZE, "%.*s", (int)(colon - line), line);
      continue;
    }
    const size_t indent = strspn(line, " ");
    const char *value = colon + 1 + strspn(colon + 1, " ");
    snprintf(out->key, sizeof out->key, "%.40s.%.*s", section, (int)(colon - line - (long)indent), line + indent);
    snprintf(out->value, sizeof out->value, "%.*s", (int)(line + length - value), value);
    return true;
  }
  return false;
}

/* The value of `key`, or "not set". */
static const char *find_value(const char *text, const char *key, entry *found) {
  char section[KEY_SIZE] = "";
  while (next_entry(&text, section, found))
    if (strcmp(found->key, key) == 0) return found->value;
  return "not set";
}

static bool may_differ(const char *key) {
  return strncmp(key, "output.", 7) == 0 || strcmp(key, "training.placement") == 0 || strcmp(key, "score.linalg") == 0;
}

/* A flow's steps are parts of its time: more of them are another flow from the start. */
static bool has_fixed_end(const char *text) {
  entry found;
  return strcmp(find_value(text, "sampler.method", &found), "cfdm") == 0;
}

/* Every key of `a` has the same value in `b`; `a_is_then` says which of the two is the older. */
static mms_status compare(const char *a, const char *b, bool a_is_then, const char *file, mms_error *error) {
  char section[KEY_SIZE] = "";
  entry here, there;
  while (next_entry(&a, section, &here)) {
    if (may_differ(here.key)) continue;
    const char *other = find_value(b, here.key, &there);
    if (strcmp(here.value, other) == 0) continue;
    const char *then = a_is_then ? here.value : other, *now = a_is_then ? other : here.value;
    if (strcmp(here.key, "sampler.steps") == 0 && !has_fixed_end(b)) {
      if (strtoll(now, NULL, 10) >= strtoll(then, NULL, 10)) continue;
      return mms_fail(error, MMS_ERR_INPUT,
                      "%s: this run was made with sampler.steps = %.400s and cannot be shortened to %.400s; give "
                      "--fresh to start over, or another output.directory",
                      file, then, now);
    }
    return mms_fail(error, MMS_ERR_INPUT,
                    "%s: the run there was made with %s = %.400s, now it is %.400s; go on with the old value, give "
                    "--fresh to start over (the old output is kept aside), or choose another output.directory",
                    file, here.key, then, now);
  }
  return MMS_OK;
}

mms_status mms_configuration_compatible(const char *then, const char *now, const char *file, mms_error *error) {
  mms_status status = compare(then, now, true, file, error);
  if (status == MMS_OK) status = compare(now, then, false, file, error);
  return status;
}
