/* Charts: the picture is there, the numbers beside it are the numbers given, odd names and labels do no harm. */
#include "support.h"

#include "mmsold/base/matrix.h"
#include "mmsold/picture/picture.h"
#include <dirent.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[] = "chart-test-XXXXXX";

static int make_folder(void **state) {
  (void)state;
  return mkdtemp(folder) == NULL ? -1 : 0;
}

/* Empties and removes the folder; fails on a temporary file left behind. */
static int remove_folder(void **state) {
  (void)state;
  int left = 0;
  DIR *listing = opendir(folder);
  for (struct dirent *entry = readdir(listing); entry != NULL; entry = readdir(listing)) {
    if (entry->d_name[0] == '.') continue;
    char path[512];
    snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
    if (strstr(entry->d_name, "partial") != NULL) left = -1;
    unlink(path);
  }
  closedir(listing);
  rmdir(folder);
  strcpy(folder, "chart-test-XXXXXX");
  return left;
}

static const char *in_folder(const char *name) {
  static char path[256];
  snprintf(path, sizeof path, "%s/%s", folder, name);
  return path;
}

static void expect_begins(const char *path, const char *head, size_t length) {
  char found[64] = {0};
  FILE *file = fopen(path, "rb");
  assert_non_null(file);
  assert_int_equal(fread(found, 1, length, file), length);
  fclose(file);
  assert_memory_equal(found, head, length);
}

static double line_values[6] = {0, 1, 1, 1e-3, 2, 1e-6};
static double point_values[4] = {0.1, -0.25, 1.0 / 3, 2};
static const mms_matrix line = {3, 2, line_values}, points = {2, 2, point_values};

static void every_format_is_drawn(void **state) {
  (void)state;
  mms_chart chart = {"Trace", "step", "defect", 0, 1, 0, NULL};
  mms_series series = {"covariance", &line, MMS_MARK_LINES};
  mms_error error = mms_error_none();
  expect_ok(mms_picture_chart(in_folder("a.png"), &chart, 1, &series, NULL, 1, &error), &error);
  expect_begins(in_folder("a.png"), "\x89PNG\r\n\x1a\n", 8);
  expect_ok(mms_picture_chart(in_folder("a.pdf"), &chart, 1, &series, NULL, 1, &error), &error);
  expect_begins(in_folder("a.pdf"), "%PDF-", 5);
  expect_ok(mms_picture_chart(in_folder("a.SVG"), &chart, 1, &series, NULL, 1, &error), &error);
  expect_begins(in_folder("a.SVG"), "<?xml", 5);
}

/* What a file begins with, into text [room] of zeros. */
static void read_text(const char *path, char *text, size_t room) {
  FILE *file = fopen(path, "r");
  assert_non_null(file);
  assert_true(fread(text, 1, room - 1, file) > 0);
  fclose(file);
}

static void numbers_are_kept_beside_the_picture(void **state) {
  (void)state;
  mms_chart charts[2] = {{"one", "x", "y", 0, 0, 1, NULL}, {"two", "x", "y", 0, 1, 0, NULL}};
  mms_series series[2] = {{"say \"hi\", twice", &points, MMS_MARK_POINTS}, {NULL, &line, MMS_MARK_LINES}};
  const int64_t panel_of[2] = {0, 1};
  mms_error error = mms_error_none();
  expect_ok(mms_picture_chart(in_folder("two.png"), charts, 2, series, panel_of, 2, &error), &error);
  char text[512] = {0};
  read_text(in_folder("two.png.csv"), text, sizeof text);
  assert_string_equal(text, "x,y,panel,series,label\n"
                            "0.10000000000000001,-0.25,0,0,\"say \"\"hi\"\", twice\"\n"
                            "0.33333333333333331,2,0,0,\"say \"\"hi\"\", twice\"\n"
                            "0,1,1,1,\"\"\n1,0.001,1,1,\"\"\n2,9.9999999999999995e-07,1,1,\"\"\n");
}

/* Points with bars, beside a line of the same label, on logarithmic axes: ends in the CSV; three columns are refused.
 */
static void error_bars(void **state) {
  (void)state;
  double ends[8] = {1, 2, 1.5, 2.5, 10, 0.5, 1e-9, 0.75}, slope[4] = {1, 2, 10, 0.5};
  const mms_matrix bars = {2, 4, ends}, fit = {2, 2, slope}, narrow = {2, 3, ends};
  const mms_chart chart = {.title = "bars", .x_label = "P", .y_label = "error", .log_x = 1, .log_y = 1};
  mms_series series[2] = {{"law, one", &bars, MMS_MARK_BARS}, {"law, one", &fit, MMS_MARK_LINES}};
  mms_error error = mms_error_none();
  expect_ok(mms_picture_chart(in_folder("bars.png"), &chart, 1, series, NULL, 2, &error), &error);
  char text[512] = {0};
  read_text(in_folder("bars.png.csv"), text, sizeof text);
  assert_string_equal(text, "x,y,panel,series,label,low,high\n"
                            "1,2,0,0,\"law, one\",1.5,2.5\n"
                            "10,0.5,0,0,\"law, one\",1.0000000000000001e-09,0.75\n"
                            "1,2,0,1,\"law, one\",,\n10,0.5,0,1,\"law, one\",,\n");
  series[0].xy = &narrow;
  expect_refused(mms_picture_chart(in_folder("bars.png"), &chart, 1, series, NULL, 2, &error), MMS_ERR_INTERNAL, &error,
                 "columns");
}

/* Names that gnuplot or a shell would take for commands, and labels full of its syntax. */
static void names_and_labels_are_only_text(void **state) {
  (void)state;
  const char *nasty = "it's `touch hit` \"$(touch hit)\" {/Symbol a}_b^c @x & ~y \\n \n % #";
  mms_chart chart = {nasty, nasty, nasty, 0, 0, 0, NULL};
  mms_series series = {nasty, &points, MMS_MARK_POINTS};
  mms_error error = mms_error_none();
  const char *const names[] = {"| touch hit;.png", "< touch hit '\";.png", "`touch hit` $(touch hit).svg"};
  char before[512];
  assert_non_null(getcwd(before, sizeof before));
  assert_int_equal(chdir(folder), 0);
  mms_status status = MMS_OK;
  for (int i = 0; i < 3 && status == MMS_OK; i++)
    status = mms_picture_chart(names[i], &chart, 1, &series, NULL, 1, &error);
  int there = access(names[0], R_OK) == 0 && access(names[1], R_OK) == 0 && access(names[2], R_OK) == 0;
  int hit = access("hit", F_OK) == 0;
  assert_int_equal(chdir(before), 0);
  expect_ok(status, &error);
  assert_true(there);
  assert_false(hit);
}

static void nothing_to_draw_still_gives_a_picture(void **state) {
  (void)state;
  double one[2] = {3, 3}, never[4] = {1, -1, NAN, INFINITY};
  mms_matrix none = {0, 2, NULL}, single = {1, 2, one}, unseen = {2, 2, never};
  mms_chart charts[4] = {{"no series", "x", "y", 0, 0, 0, NULL},
                         {"empty series", "x", "y", 0, 0, 1, NULL},
                         {"one point", "x", "y", 1, 1, 0, NULL},
                         {"nothing positive", "x", "y", 0, 1, 0, NULL}};
  mms_series series[3] = {
      {"none", &none, MMS_MARK_LINES}, {"one", &single, MMS_MARK_POINTS}, {"unseen", &unseen, MMS_MARK_LINES}};
  const int64_t panel_of[3] = {1, 2, 3};
  mms_error error = mms_error_none();
  expect_ok(mms_picture_chart(in_folder("empty.png"), charts, 4, series, panel_of, 3, &error), &error);
  expect_begins(in_folder("empty.png"), "\x89PNG", 4);
}

static void impossible_charts_are_refused(void **state) {
  (void)state;
  mms_chart chart = {"", "x", "y", 0, 0, 0, NULL};
  mms_matrix wide = {1, 3, line_values};
  mms_series series = {"a", &points, MMS_MARK_POINTS}, three = {"b", &wide, MMS_MARK_POINTS};
  const int64_t wrong[1] = {1};
  mms_error error = mms_error_none();
  expect_refused(mms_picture_chart("a.jpg", &chart, 1, &series, NULL, 1, &error), MMS_ERR_INPUT, &error, ".svg");
  expect_refused(mms_picture_chart(".png", &chart, 1, &series, NULL, 1, &error), MMS_ERR_INPUT, &error, ".png");
  expect_refused(mms_picture_chart("no-such-folder/a.png", &chart, 1, &series, NULL, 1, &error), MMS_ERR_INPUT, &error,
                 "no folder no-such-folder");
  expect_refused(mms_picture_chart(in_folder("a.png"), &chart, 1, &series, wrong, 1, &error), MMS_ERR_INTERNAL, &error,
                 "panel 1 of 1");
  expect_refused(mms_picture_chart(in_folder("a.png"), &chart, 1, &three, NULL, 1, &error), MMS_ERR_INTERNAL, &error,
                 "3 columns");
}

/* A chart drawn with only the test's folder on PATH. */
static mms_status chart_by_what_is_there(const char *name, mms_error *error) {
  char *path = strdup(getenv("PATH"));
  mms_chart chart = {"", "x", "y", 0, 0, 0, NULL};
  mms_series series = {"a", &points, MMS_MARK_POINTS};
  setenv("PATH", folder, 1);
  mms_status status = mms_picture_chart(in_folder(name), &chart, 1, &series, NULL, 1, error);
  setenv("PATH", path, 1);
  free(path);
  return status;
}

/* Without gnuplot: says which package has it, keeps the numbers, leaves no half picture. */
static void missing_gnuplot_is_named(void **state) {
  (void)state;
  mms_error error = mms_error_none();
  mms_status status = chart_by_what_is_there("b.png", &error);
  expect_refused(status, MMS_ERR_SYSTEM, &error, "gnuplot-nox");
  expect_refused(status, MMS_ERR_SYSTEM, &error, "b.png.csv");
  assert_int_equal(access(in_folder("b.png.csv"), R_OK), 0);
  assert_int_not_equal(access(in_folder("b.png"), F_OK), 0);
}

/* A gnuplot that fails: its own words reach the user. */
static void failing_gnuplot_is_quoted(void **state) {
  (void)state;
  FILE *fake = fopen(in_folder("gnuplot"), "w");
  assert_non_null(fake);
  fputs("#!/bin/sh\necho 'out of ink' >&2\nexit 3\n", fake);
  fclose(fake);
  assert_int_equal(chmod(in_folder("gnuplot"), 0700), 0);
  mms_error error = mms_error_none();
  mms_status status = chart_by_what_is_there("c.png", &error);
  expect_refused(status, MMS_ERR_SYSTEM, &error, "out of ink");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(every_format_is_drawn, make_folder, remove_folder),
      cmocka_unit_test_setup_teardown(numbers_are_kept_beside_the_picture, make_folder, remove_folder),
      cmocka_unit_test_setup_teardown(error_bars, make_folder, remove_folder),
      cmocka_unit_test_setup_teardown(names_and_labels_are_only_text, make_folder, remove_folder),
      cmocka_unit_test_setup_teardown(nothing_to_draw_still_gives_a_picture, make_folder, remove_folder),
      cmocka_unit_test_setup_teardown(impossible_charts_are_refused, make_folder, remove_folder),
      cmocka_unit_test_setup_teardown(missing_gnuplot_is_named, make_folder, remove_folder),
      cmocka_unit_test_setup_teardown(failing_gnuplot_is_quoted, make_folder, remove_folder),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
