/* Looking things up in the table. */
#include "cli/schema.h"
#include "cli/words.h"

#include <stdio.h>
#include <string.h>

static const char *const sections[MMS_SECTIONS] = {"training", "sampler", "score", "output", "density", "converge"};

const char *mms_schema_section(mms_section section) { return sections[section]; }

mms_section mms_schema_find_section(const char *name, size_t length) {
  for (int s = 0; s < MMS_SECTIONS; s++)
    if (strlen(sections[s]) == length && memcmp(sections[s], name, length) == 0) return (mms_section)s;
  return MMS_SECTIONS;
}

mms_key mms_schema_find(mms_section section, const char *name) {
  for (int k = 0; k < MMS_KEYS; k++)
    if (mms_schema((mms_key)k)->section == section && strcmp(mms_schema((mms_key)k)->name, name) == 0)
      return (mms_key)k;
  return MMS_KEYS;
}

bool mms_schema_section_is_planned(const char *name) { return strcmp(name, "classify") == 0; }

bool mms_schema_section_is_command(mms_section section) { return section > MMS_SECTION_OUTPUT; }

void mms_schema_section_list(char *out, size_t size) {
  out[0] = '\0';
  for (int s = 0; s < MMS_SECTIONS; s++) {
    const size_t used = strlen(out);
    snprintf(out + used, size - used, "%s%s", s == 0 ? "" : s + 1 < MMS_SECTIONS ? ", " : " and ", sections[s]);
  }
}

void mms_schema_path(mms_key key, char *out, size_t size) {
  snprintf(out, size, "%s.%s", sections[mms_schema(key)->section], mms_schema(key)->name);
}

/* The same name in another section is meant before a like name in this one. */
bool mms_schema_nearest(const char *section, const char *name, char *out, size_t size) {
  mms_section known = mms_schema_find_section(section, strlen(section));
  const char *names[MMS_KEYS];
  mms_key keys[MMS_KEYS];
  int here = 0;
  for (int k = 0; k < MMS_KEYS; k++)
    if (mms_schema((mms_key)k)->section == known) {
      keys[here] = (mms_key)k;
      names[here++] = mms_schema((mms_key)k)->name;
    }
  int others = here;
  for (int k = 0; k < MMS_KEYS; k++)
    if (mms_schema((mms_key)k)->section != known) {
      keys[others] = (mms_key)k;
      names[others++] = mms_schema((mms_key)k)->name;
    }
  const char *near = NULL;
  for (int k = here; k < others && near == NULL; k++)
    if (strcmp(names[k], name) == 0) near = names[k];
  if (near == NULL) near = mms_words_nearest(name, names, here);
  if (near == NULL) near = mms_words_nearest(name, names + here, others - here);
  for (int k = 0; near != NULL && k < others; k++)
    if (names[k] == near) {
      mms_schema_path(keys[k], out, size);
      return true;
    }
  return false;
}
