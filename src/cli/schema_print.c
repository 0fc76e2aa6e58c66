/* The table in words: what a key accepts, `help keys`, and the README's table. */
#include "cli/schema.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <string.h>

/* Add formatted text to a string of fixed size. */
__attribute__((format(printf, 3, 4))) static void add(char *out, size_t size, const char *format, ...) {
  size_t used = strlen(out);
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(out + used, size - used, format, arguments);
  va_end(arguments);
}

/* The choices, separated by commas. */
static void add_choices(char *out, size_t size, const mms_choice *choices) {
  for (const mms_choice *choice = choices; choice->name != NULL; choice++)
    add(out, size, "%s%s", choice == choices ? "" : ", ", choice->name);
}

void mms_schema_accepts_one(mms_key key, char *out, size_t size) {
  const mms_schema_key *row = mms_schema(key);
  out[0] = '\0';
  switch (row->type) {
  case MMS_TYPE_INTEGER:
    add(out, size, "%s integer, %" PRId64 " or more", row->even ? "an even" : "an", row->least);
    break;
  case MMS_TYPE_SEED:
    add(out, size, "an integer, 0 to 2^64 - 1");
    break;
  case MMS_TYPE_REAL:
  case MMS_TYPE_REAL_OR_AUTO:
    if (isinf(row->above))
      add(out, size, "a number");
    else
      add(out, size, "a number, %s%g%s", row->at_least ? "" : "more than ", row->above,
          row->at_least ? " or more" : "");
    if (row->type == MMS_TYPE_REAL_OR_AUTO) add(out, size, ", or auto");
    break;
  case MMS_TYPE_TEXT:
    add(out, size, "text");
    break;
  case MMS_TYPE_CHOICE:
    add_choices(out, size, row->choices);
    break;
  }
}

void mms_schema_accepts(mms_key key, char *out, size_t size) {
  static const char each[] = "a list, each ";
  const size_t used = mms_schema(key)->list ? strlen(each) : 0;
  memcpy(out, each, used);
  mms_schema_accepts_one(key, out + used, size - used);
}

static const char *default_of(const mms_schema_key *row) {
  if (row->required) return "required";
  return row->default_text != NULL ? row->default_text : row->default_words;
}

void mms_schema_print(FILE *out) {
  mms_section section = MMS_SECTIONS;
  for (int k = 0; k < MMS_KEYS; k++) {
    const mms_schema_key *row = mms_schema((mms_key)k);
    if (row->section != section) fprintf(out, "%s%s:\n", k > 0 ? "\n" : "", mms_schema_section(row->section));
    section = row->section;
    char accepts[256];
    mms_schema_accepts((mms_key)k, accepts, sizeof accepts);
    fprintf(out, "  %s\n      %s\n      %s", row->name, row->meaning, accepts);
    if (row->unit[0] != '\0') fprintf(out, " [%s]", row->unit);
    fprintf(out, "; %s%s\n", row->required ? "" : "default: ", default_of(row));
  }
}

void mms_schema_print_markdown(FILE *out) {
  fputs("<!-- keys: begin (mmsold help keys --markdown) -->\n"
        "| key | meaning | value | unit | default |\n|---|---|---|---|---|\n",
        out);
  for (int k = 0; k < MMS_KEYS; k++) {
    const mms_schema_key *row = mms_schema((mms_key)k);
    char path[64], accepts[256];
    mms_schema_path((mms_key)k, path, sizeof path);
    mms_schema_accepts((mms_key)k, accepts, sizeof accepts);
    fprintf(out, "| `%s` | %s | %s | %s | %s |\n", path, row->meaning, accepts, row->unit, default_of(row));
  }
  fputs("<!-- keys: end -->\n", out);
}
