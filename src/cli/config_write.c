/* The resolved configuration as text. */
#include "cli/config.h"

#include "cli/words.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A text as YAML: plain where that is surely the same text, else in double quotes. */
static void write_text(FILE *out, const char *text) {
  const char *plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./-+:";
  size_t length = strlen(text);
  bool safe = strspn(text, plain) == length && strchr("-:+", text[0]) == NULL && text[length - 1] != ':' &&
              strcmp(text, "null") != 0;
  if (safe) {
    fputs(text, out);
    return;
  }
  fputc('"', out);
  for (const char *at = text; *at != '\0'; at++) {
    if (*at == '"' || *at == '\\')
      fprintf(out, "\\%c", *at);
    else if ((unsigned char)*at < 0x20 || *at == 0x7F)
      fprintf(out, "\\x%02x", (unsigned)(unsigned char)*at);
    else
      fputc(*at, out);
  }
  fputc('"', out);
}

/* Numbers are written in one way whatever way they were given, so that equal configurations are equal texts. */
static void write_value(FILE *out, const mms_schema_key *row, const mms_value *value) {
  char number[32];
  switch (row->type) {
  case MMS_TYPE_TEXT:
    write_text(out, value->text);
    return;
  case MMS_TYPE_CHOICE:
    fputs(row->choices[value->choice].name, out);
    return;
  case MMS_TYPE_INTEGER:
    fprintf(out, "%" PRId64, value->integer);
    return;
  case MMS_TYPE_SEED:
    fprintf(out, "%" PRIu64, value->seed);
    return;
  case MMS_TYPE_REAL:
  case MMS_TYPE_REAL_OR_AUTO:
    mms_number_print(value->real, number, sizeof number);
    fputs(value->is_auto ? "auto" : number, out);
    return;
  }
}

mms_status mms_config_write(const mms_config *config, char **text, mms_error *error) {
  size_t size = 0;
  *text = NULL;
  FILE *out = open_memstream(text, &size);
  if (out == NULL) return mms_fail(error, MMS_ERR_MEMORY, "no memory to write the resolved configuration");
  mms_section section = MMS_SECTIONS;
  for (int k = 0; k < MMS_KEYS; k++) {
    const mms_schema_key *row = mms_schema((mms_key)k);
    const mms_value *value = &config->values[k];
    if (!value->known) continue;
    if (row->section != section) fprintf(out, "%s:\n", mms_schema_section(row->section));
    section = row->section;
    fprintf(out, "  %s: ", row->name);
    write_value(out, row, value);
    fputc('\n', out);
  }
  bool failed = ferror(out) != 0;
  if (fclose(out) != 0 || failed) {
    free(*text);
    *text = NULL;
    return mms_fail(error, MMS_ERR_MEMORY, "no memory to write the resolved configuration");
  }
  return MMS_OK;
}
