/* Words and numbers as people write them. Private to the program; all Local. */
#ifndef CLI_WORDS_H
#define CLI_WORDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Number of insertions, deletions, replacements and swaps of neighbours between two words,
 * letters of either case alike. Words longer than 63 bytes are infinitely far. */
int mms_words_distance(const char *a, const char *b);

/* The word of `words` [count] nearest to `word`, or NULL where none is near enough to be meant: more than
 * one change in three letters, and more than one at least. Ties: the first. */
const char *mms_words_nearest(const char *word, const char *const *words, int count);

/* Bytes of the UTF-8 character at `at`, 0 where there is none (overlong forms and surrogates too). */
int mms_words_utf8(const unsigned char *at);

/* How a number was read. */
typedef enum mms_number {
  MMS_NUMBER_OK,
  MMS_NUMBER_NOT,      /* not a number, or something follows it */
  MMS_NUMBER_FRACTION, /* a number, but not written as a whole one */
  MMS_NUMBER_RANGE     /* too large for the type */
} mms_number;

/* A whole number in decimal digits with an optional sign; leading zeros count for nothing (not octal). */
mms_number mms_number_integer(const char *text, int64_t *value);
mms_number mms_number_seed(const char *text, uint64_t *value);
/* A decimal number such as 5e-4, .5, 1.; never nan, inf, hexadecimal or with underscores. '.' is the
 * decimal point whatever the locale. */
mms_number mms_number_real(const char *text, double *value);

/* The shortest decimal that reads back to the same double; '.' whatever the locale. `out` has at least 32 bytes. */
void mms_number_print(double value, char *out, size_t size);

#endif
