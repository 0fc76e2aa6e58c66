#include "store/npy_header.h"

#include <string.h>

/* A place in the text. */
typedef struct cursor {
  const char *text;
  size_t length, at;
} cursor;

static void skip_spaces(cursor *c) {
  while (c->at < c->length && strchr(" \t\r\n", c->text[c->at]) != NULL && c->text[c->at] != '\0') c->at++;
}

static bool take(cursor *c, char wanted) {
  skip_spaces(c);
  if (c->at >= c->length || c->text[c->at] != wanted) return false;
  c->at++;
  return true;
}

static bool take_word(cursor *c, const char *word) {
  skip_spaces(c);
  size_t size = strlen(word);
  if (c->length - c->at < size || memcmp(c->text + c->at, word, size) != 0) return false;
  c->at += size;
  return true;
}

/* A quoted string without escapes, cut to what `out` holds (longer ones are refused). */
static bool take_string(cursor *c, char *out, size_t size) {
  skip_spaces(c);
  if (c->at >= c->length || (c->text[c->at] != '\'' && c->text[c->at] != '"')) return false;
  char quote = c->text[c->at++];
  size_t used = 0;
  while (c->at < c->length && c->text[c->at] != quote) {
    char letter = c->text[c->at++];
    if (letter == '\\' || letter == '\n' || letter == '\0' || used + 1 >= size) return false;
    out[used++] = letter;
  }
  if (c->at >= c->length) return false;
  c->at++;
  out[used] = '\0';
  return true;
}

/* A non-negative integer that fits int64; Python 2 wrote an L behind it. */
static bool take_count(cursor *c, int64_t *out) {
  skip_spaces(c);
  size_t start = c->at;
  int64_t value = 0;
  while (c->at < c->length && c->text[c->at] >= '0' && c->text[c->at] <= '9') {
    int digit = c->text[c->at++] - '0';
    if (value > (INT64_MAX - digit) / 10) return false;
    value = 10 * value + digit;
  }
  if (c->at == start) return false;
  if (c->at < c->length && c->text[c->at] == 'L') c->at++;
  *out = value;
  return true;
}

static mms_status not_understood(const cursor *c, const char *wanted, mms_error *error) {
  return mms_fail(error, MMS_ERR_INPUT, "the .npy header is not understood at byte %zu of it: %s was expected", c->at,
                  wanted);
}

static bool little_endian_here(void) {
  const uint16_t one = 1;
  unsigned char first;
  memcpy(&first, &one, 1);
  return first == 1;
}

static mms_status parse_dtype(mms_element *element, const char *descr, mms_error *error) {
  const char *rest = descr;
  char order = '=';
  if (*rest != '\0' && strchr("<>=|", *rest) != NULL) order = *rest++;
  const char *kinds = "biuf";
  const char *kind = *rest != '\0' ? strchr(kinds, *rest) : NULL;
  bool known = kind != NULL && rest[1] >= '1' && rest[1] <= '8' && rest[2] == '\0';
  int size = known ? rest[1] - '0' : 0;
  known = known && (size == 1 || size == 2 || size == 4 || size == 8);
  if (known && *rest == 'b') known = size == 1;
  if (known && *rest == 'f') known = size >= 2;
  if (known && order == '|') known = size == 1; /* "no byte order" makes sense for single bytes only */
  if (!known)
    return mms_fail(error, MMS_ERR_INPUT,
                    "dtype '%s' is not one of ours: bool, integers of 8 to 64 bits and floats of 16, 32 and 64 bits "
                    "are read (in NumPy: array.astype('float64'))",
                    descr);
  const mms_element_kind meanings[] = {MMS_ELEMENT_BOOL, MMS_ELEMENT_SIGNED, MMS_ELEMENT_UNSIGNED, MMS_ELEMENT_FLOAT};
  element->kind = meanings[kind - kinds];
  element->size = size;
  element->big_endian = order == '>' || (order == '=' && !little_endian_here());
  return MMS_OK;
}

static mms_status parse_shape(cursor *c, mms_npy_header *header, mms_error *error) {
  if (!take(c, '(')) return not_understood(c, "a shape like (100, 2)", error);
  bool comma = true;
  header->rank = 0;
  while (!take(c, ')')) {
    if (!comma) return not_understood(c, "a comma in the shape", error);
    int64_t size;
    if (!take_count(c, &size)) return not_understood(c, "a size that fits 63 bits", error);
    if (header->rank == 8)
      return mms_fail(error, MMS_ERR_INPUT, "the array has more than 8 dimensions; reshape it to rows x columns");
    header->dims[header->rank++] = size;
    comma = take(c, ',');
    if (!comma && header->rank == 1) return not_understood(c, "a comma after a shape's only size", error);
  }
  return MMS_OK;
}

static mms_status parse_value(cursor *c, mms_npy_header *header, const char *key, unsigned *seen, mms_error *error) {
  static const char *const keys[] = {"descr", "fortran_order", "shape"};
  int which = 0;
  while (which < 3 && strcmp(key, keys[which]) != 0) which++;
  if (which == 3) return mms_fail(error, MMS_ERR_INPUT, "the .npy header has the unknown key '%s'", key);
  if (*seen & (1u << which)) return mms_fail(error, MMS_ERR_INPUT, "the .npy header has the key '%s' twice", key);
  *seen |= 1u << which;
  if (which == 0) {
    if (take(c, '['))
      return mms_fail(error, MMS_ERR_INPUT,
                      "the dtype is a structured one (named fields); save a plain array of numbers");
    char descr[64];
    if (!take_string(c, descr, sizeof descr)) return not_understood(c, "a dtype in quotes", error);
    return parse_dtype(&header->element, descr, error);
  }
  if (which == 2) return parse_shape(c, header, error);
  header->fortran_order = take_word(c, "True");
  if (!header->fortran_order && !take_word(c, "False")) return not_understood(c, "True or False", error);
  return MMS_OK;
}

mms_status mms_npy_parse(mms_npy_header *header, const char *text, size_t length, mms_error *error) {
  *header = (mms_npy_header){0};
  cursor c = {.text = text, .length = length, .at = 0};
  unsigned seen = 0;
  bool comma = true;
  if (!take(&c, '{')) return not_understood(&c, "{", error);
  while (!take(&c, '}')) {
    char key[32];
    if (!comma) return not_understood(&c, "a comma or }", error);
    if (!take_string(&c, key, sizeof key)) return not_understood(&c, "a key in quotes", error);
    if (!take(&c, ':')) return not_understood(&c, "a colon", error);
    mms_status status = parse_value(&c, header, key, &seen, error);
    if (status != MMS_OK) return status;
    comma = take(&c, ',');
  }
  skip_spaces(&c);
  if (c.at != c.length) return not_understood(&c, "nothing but spaces to the end", error);
  if (seen != 7u)
    return mms_fail(error, MMS_ERR_INPUT, "the .npy header lacks one of the keys descr, fortran_order, shape");
  return MMS_OK;
}
