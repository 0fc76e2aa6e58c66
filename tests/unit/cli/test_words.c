/* Likeness of words; numbers as people write them. */
#include "support.h"

#include "cli/words.h"

#include <limits.h>
#include <locale.h>

static void test_distance_counts_changes(void **state) {
  (void)state;
  assert_int_equal(mms_words_distance("steps", "steps"), 0);
  assert_int_equal(mms_words_distance("setps", "steps"), 1); /* a swap of neighbours is one change */
  assert_int_equal(mms_words_distance("step", "steps"), 1);
  assert_int_equal(mms_words_distance("", "abc"), 3);
  assert_int_equal(mms_words_distance("kitten", "sitting"), 3); /* the textbook's pair */
  assert_int_equal(mms_words_distance("SEED", "seed"), 0);
  char long_word[80];
  memset(long_word, 'x', 79);
  long_word[79] = '\0';
  assert_int_equal(mms_words_distance(long_word, "x"), INT_MAX);
}

static void test_nearest_is_near_or_nothing(void **state) {
  (void)state;
  const char *words[] = {"run", "prepare", "plot", "info"};
  assert_string_equal(mms_words_nearest("plto", words, 4), "plot");
  assert_string_equal(mms_words_nearest("prepair", words, 4), "prepare");
  assert_null(mms_words_nearest("banana", words, 4));
  assert_null(mms_words_nearest("x", words, 4));
}

static void test_integers(void **state) {
  (void)state;
  int64_t value = 0;
  assert_int_equal(mms_number_integer("1000", &value), MMS_NUMBER_OK);
  assert_true(value == 1000);
  assert_int_equal(mms_number_integer("-9223372036854775807", &value), MMS_NUMBER_OK);
  assert_int_equal(mms_number_integer("010", &value), MMS_NUMBER_OK);
  assert_true(value == 10); /* not octal */
  assert_int_equal(mms_number_integer("9223372036854775808", &value), MMS_NUMBER_RANGE);
  assert_int_equal(mms_number_integer("99999999999999999999999", &value), MMS_NUMBER_RANGE);
  assert_int_equal(mms_number_integer("1e3", &value), MMS_NUMBER_FRACTION);
  assert_int_equal(mms_number_integer("1000.0", &value), MMS_NUMBER_FRACTION);
  const char *bad[] = {"", " 1", "1 ", "1_000", "0x10", "ten", "-", "+", "1,000"};
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
    assert_int_equal(mms_number_integer(bad[i], &value), MMS_NUMBER_NOT);
}

static void test_seeds_span_64_bits(void **state) {
  (void)state;
  uint64_t value = 0;
  assert_int_equal(mms_number_seed("18446744073709551615", &value), MMS_NUMBER_OK);
  assert_true(value == UINT64_MAX);
  assert_int_equal(mms_number_seed("18446744073709551616", &value), MMS_NUMBER_RANGE);
  assert_int_equal(mms_number_seed("-1", &value), MMS_NUMBER_RANGE);
}

static void test_reals(void **state) {
  (void)state;
  double value = 0;
  const struct {
    const char *text;
    double value;
  } good[] = {{"5e-4", 5e-4}, {".5", 0.5}, {"1.", 1}, {"-2", -2}, {"1E+3", 1000}, {"0.1", 0.1}};
  for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
    assert_int_equal(mms_number_real(good[i].text, &value), MMS_NUMBER_OK);
    assert_true(value == good[i].value);
  }
  const char *bad[] = {"", " 1e", "1e", "nan", "inf", ".inf", "-.INF", "0x1p3", "5e-4s", "0.02m", "1_000", "1,5", "."};
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
    assert_int_equal(mms_number_real(bad[i], &value), MMS_NUMBER_NOT);
  assert_int_equal(mms_number_real("1e999", &value), MMS_NUMBER_RANGE);
}

/* What is printed reads back to the same double. */
static void test_print_reads_back(void **state) {
  (void)state;
  const double values[] = {0.1, 1.0 / 3.0, 5e-4, 1e300, 4.9e-324, 123456789.0, 0.0};
  for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
    char text[32];
    double back = -1;
    mms_number_print(values[i], text, sizeof text);
    assert_int_equal(mms_number_real(text, &back), MMS_NUMBER_OK);
    assert_true(back == values[i]);
  }
  char text[32];
  const struct {
    double value;
    const char *text;
  } everyday[] = {{5e-4, "0.0005"}, {10, "10"}, {1200, "1200"}, {-0.5, "-0.5"}, {1e-7, "1e-07"}, {1e20, "1e+20"}};
  for (size_t i = 0; i < sizeof everyday / sizeof *everyday; i++) {
    mms_number_print(everyday[i].value, text, sizeof text);
    assert_string_equal(text, everyday[i].text);
  }
}

/* A locale whose decimal point is a comma changes nothing, where the system has one. */
static void test_locale_does_not_matter(void **state) {
  (void)state;
  const char *names[] = {"de_DE.UTF-8", "de_DE.utf8", "fr_FR.UTF-8", "de_DE", "fr_FR"};
  bool set = false;
  for (size_t i = 0; i < sizeof names / sizeof *names && !set; i++) set = setlocale(LC_ALL, names[i]) != NULL;
  if (!set) skip(); /* only the C locale is installed */
  double value = 0;
  char text[32];
  mms_number number = mms_number_real("0.5", &value);
  mms_number_print(0.5, text, sizeof text);
  setlocale(LC_ALL, "C");
  assert_int_equal(number, MMS_NUMBER_OK);
  assert_true(value == 0.5);
  assert_string_equal(text, "0.5");
}

static void test_utf8(void **state) {
  (void)state;
  assert_int_equal(mms_words_utf8((const unsigned char *)"a"), 1);
  assert_int_equal(mms_words_utf8((const unsigned char *)"\xc3\xa9"), 2);
  assert_int_equal(mms_words_utf8((const unsigned char *)"\xf0\x9f\x91\x9f"), 4);
  const char *bad[] = {"\xff", "\xc0\x80", "\xed\xa0\x80", "\xc3", "\x80", "\xf5\x80\x80\x80"};
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
    assert_int_equal(mms_words_utf8((const unsigned char *)bad[i]), 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_distance_counts_changes),
      cmocka_unit_test(test_nearest_is_near_or_nothing),
      cmocka_unit_test(test_integers),
      cmocka_unit_test(test_seeds_span_64_bits),
      cmocka_unit_test(test_reals),
      cmocka_unit_test(test_print_reads_back),
      cmocka_unit_test(test_locale_does_not_matter),
      cmocka_unit_test(test_utf8),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
