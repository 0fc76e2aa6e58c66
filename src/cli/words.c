#include "cli/words.h"

#include <ctype.h>
#include <limits.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LONGEST = 63 };

static int smaller(int a, int b) { return a < b ? a : b; }

/* Optimal string alignment: the dynamic programme over prefixes, three rows kept. */
int mms_words_distance(const char *a, const char *b) {
  size_t m = strlen(a), n = strlen(b);
  if (m > LONGEST || n > LONGEST) return INT_MAX;
  int before[LONGEST + 1], last[LONGEST + 1], now[LONGEST + 1] = {0};
  for (size_t j = 0; j <= n; j++) {
    last[j] = (int)j;
    before[j] = 0;
  }
  for (size_t i = 1; i <= m; i++) {
    now[0] = (int)i;
    for (size_t j = 1; j <= n; j++) {
      int p = tolower((unsigned char)a[i - 1]), q = tolower((unsigned char)b[j - 1]);
      int best = smaller(smaller(last[j], now[j - 1]) + 1, last[j - 1] + (p != q));
      if (i > 1 && j > 1 && p == tolower((unsigned char)b[j - 2]) && q == tolower((unsigned char)a[i - 2]))
        best = smaller(best, before[j - 2] + 1);
      now[j] = best;
    }
    memcpy(before, last, sizeof before);
    memcpy(last, now, sizeof last);
  }
  return last[n];
}

const char *mms_words_nearest(const char *word, const char *const *words, int count) {
  size_t length = strlen(word);
  int allowed = length < 6 ? (length < 3 ? 1 : 2) : (int)(length / 3);
  const char *nearest = NULL;
  for (int i = 0; i < count; i++) {
    int distance = mms_words_distance(word, words[i]);
    /* A word of which nothing is left over is no likeness ("x" to "y"). */
    if (distance > allowed || distance >= (int)strlen(words[i])) continue;
    allowed = distance - 1;
    nearest = words[i];
    if (distance == 0) break;
  }
  return nearest;
}

int mms_words_utf8(const unsigned char *at) {
  if (at[0] < 0x80) return 1;
  int length = at[0] >= 0xC2 && at[0] <= 0xDF   ? 2
               : at[0] >= 0xE0 && at[0] <= 0xEF ? 3
               : at[0] >= 0xF0 && at[0] <= 0xF4 ? 4
                                                : 0;
  for (int i = 1; i < length; i++)
    if ((at[i] & 0xC0) != 0x80) return 0;
  if ((at[0] == 0xE0 && at[1] < 0xA0) || (at[0] == 0xED && at[1] > 0x9F) || (at[0] == 0xF0 && at[1] < 0x90) ||
      (at[0] == 0xF4 && at[1] > 0x8F))
    return 0;
  return length;
}

/* Length of a decimal number at the start of `text`, 0 where there is none; *whole: no point, no exponent. */
static size_t number_length(const char *text, bool *whole) {
  const char *at = text;
  *whole = true;
  if (*at == '+' || *at == '-') at++;
  size_t digits = strspn(at, "0123456789");
  at += digits;
  if (*at == '.') {
    *whole = false;
    size_t more = strspn(at + 1, "0123456789");
    digits += more;
    at += 1 + more;
  }
  if (digits == 0) return 0;
  if (*at == 'e' || *at == 'E') {
    const char *exponent = at + 1;
    if (*exponent == '+' || *exponent == '-') exponent++;
    size_t more = strspn(exponent, "0123456789");
    if (more > 0) {
      *whole = false;
      at = exponent + more;
    }
  }
  return (size_t)(at - text);
}

/* The digits' value in *magnitude. */
static mms_number whole_number(const char *text, bool *negative, uint64_t *magnitude) {
  bool whole;
  size_t length = number_length(text, &whole);
  if (length == 0 || text[length] != '\0') return MMS_NUMBER_NOT;
  if (!whole) return MMS_NUMBER_FRACTION;
  *negative = *text == '-';
  *magnitude = 0;
  for (const char *at = text + strspn(text, "+-"); *at != '\0'; at++) {
    uint64_t digit = (uint64_t)(*at - '0');
    if (*magnitude > (UINT64_MAX - digit) / 10) return MMS_NUMBER_RANGE;
    *magnitude = *magnitude * 10 + digit;
  }
  return MMS_NUMBER_OK;
}

mms_number mms_number_integer(const char *text, int64_t *value) {
  bool negative;
  uint64_t magnitude;
  mms_number read = whole_number(text, &negative, &magnitude);
  if (read != MMS_NUMBER_OK) return read;
  if (magnitude > (uint64_t)INT64_MAX) return MMS_NUMBER_RANGE;
  *value = negative ? -(int64_t)magnitude : (int64_t)magnitude;
  return MMS_NUMBER_OK;
}

mms_number mms_number_seed(const char *text, uint64_t *value) {
  bool negative;
  uint64_t magnitude;
  mms_number read = whole_number(text, &negative, &magnitude);
  if (read != MMS_NUMBER_OK) return read;
  if (negative && magnitude != 0) return MMS_NUMBER_RANGE;
  *value = magnitude;
  return MMS_NUMBER_OK;
}

/* strtod and printf follow the locale of whoever runs us; these two stand in the C locale. Where it cannot be had,
 * *c is 0 and the thread's own stays. */
static locale_t enter_c_locale(locale_t *c) {
  *c = newlocale(LC_ALL_MASK, "C", (locale_t)0);
  return uselocale(*c);
}

static void leave_c_locale(locale_t c, locale_t before) {
  uselocale(before);
  if (c != (locale_t)0) freelocale(c);
}

mms_number mms_number_real(const char *text, double *value) {
  bool whole;
  size_t length = number_length(text, &whole);
  if (length == 0 || text[length] != '\0') return MMS_NUMBER_NOT;
  locale_t c, before = enter_c_locale(&c);
  *value = strtod(text, NULL);
  leave_c_locale(c, before);
  return isfinite(*value) ? MMS_NUMBER_OK : MMS_NUMBER_RANGE;
}

void mms_number_print(double value, char *out, size_t size) {
  locale_t c, before = enter_c_locale(&c);
  /* 17 digits always read back to the same double. People write 10, not 1e+01: %g does with enough digits. */
  bool everyday = fabs(value) >= 1e-4 && fabs(value) < 1e15;
  for (int digits = 1; digits <= 17; digits++) {
    snprintf(out, size, "%.*g", digits, value);
    if (strtod(out, NULL) == value && !(everyday && strchr(out, 'e') != NULL)) break;
  }
  leave_c_locale(c, before);
}
