/* The resolved configuration as text. */
#include "cli/config.h"

#include "cli/words.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The code point at `at`, well-formed UTF-8 of `length` bytes. */
static unsigned code_point(const unsigned char *at, int length) {
  unsigned code = length == 1 ? at[0] : at[0] & (0x7Fu >> length);
  for (int i = 1; i < length; i++) code = code << 6 | (at[i] & 0x3Fu);
  return code;
}

/* YAML reads these as nothing, as a line break or not at all unless they are escaped: the two blocks of control
 * characters, the separators of lines and paragraphs, the byte order mark and what is no character. */
static bool must_be_escaped(unsigned code) {
  return code < 0x20 || (code >= 0x7F && code < 0xA0) || code == 0x2028 || code == 0x2029 || code == 0xFEFF ||
         code == 0xFFFE || code == 0xFFFF;
}

/* A text (UTF-8: so it was read) as YAML: plain where that is surely the same text, else in double quotes. */
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
  int bytes = 0;
  for (const unsigned char *at = (const unsigned char *)text; *at != '\0'; at += bytes) {
    bytes = mms_words_utf8(at);
    if (bytes == 0) bytes = 1; /* the reader refuses it; not ours to hide */
    unsigned code = code_point(at, bytes);
    if (*at == '"' || *at == '\\')
      fprintf(out, "\\%c", *at);
    else if (must_be_escaped(code))
      fprintf(out, code < 0x100 ? "\\x%02x" : "\\u%04x", code);
    else
      fwrite(at, 1, (size_t)bytes, out);
  }
  fputc('"', out);
}

/* Numbers are written in one way whatever way they were given, so that equal configurations are equal texts. */
static void write_list(FILE *out, const mms_schema_key *row, const mms_value *value) {
  char number[32];
  for (int64_t i = 0; i < value->count; i++) {
    fputs(i == 0 ? "[" : ", ", out);
    if (row->type == MMS_TYPE_INTEGER) {
      fprintf(out, "%" PRId64, ((const int64_t *)value->elements)[i]);
    } else if (row->type == MMS_TYPE_REAL) {
      mms_number_print(((const double *)value->elements)[i], number, sizeof number);
      fputs(number, out);
    } else {
      const mms_choice *choice = row->choices;
      while (choice->value != ((const int *)value->elements)[i]) choice++;
      fputs(choice->name, out);
    }
  }
  fputs("]", out);
}

static void write_value(FILE *out, const mms_schema_key *row, const mms_value *value) {
  char number[32];
  if (row->list) {
    write_list(out, row, value);
    return;
  }
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

/* All values that are known, or only those that were given. */
static mms_status write_values(const mms_config *config, bool given, char **text, mms_error *error) {
  size_t size = 0;
  *text = NULL;
  FILE *out = open_memstream(text, &size);
  if (out == NULL) return mms_fail(error, MMS_ERR_MEMORY, "no memory to write the resolved configuration");
  mms_section section = MMS_SECTIONS;
  for (int k = 0; k < MMS_KEYS; k++) {
    const mms_schema_key *row = mms_schema((mms_key)k);
    const mms_value *value = &config->values[k];
    if (!value->known || (given && !value->set)) continue;
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

mms_status mms_config_write(const mms_config *config, char **text, mms_error *error) {
  return write_values(config, false, text, error);
}

mms_status mms_config_write_given(const mms_config *config, char **text, mms_error *error) {
  return write_values(config, true, text, error);
}
