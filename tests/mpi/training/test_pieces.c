/* Truth (h) at set-up: rows that come by in pieces are dealt out as they were when one rank held them all, from every
 * kind of source; and no rank, the one that reads included, takes more memory than its own part and some pieces. */
#include "team_support.h"

#include "mmsold/base/memory_use.h"
#include "mmsold/random/random.h"
#include "mmsold/store/h5.h"
#include "mmsold/training/training.h"
#include "training/source.h"
#include <malloc.h>
#include <stdio.h>
#include <unistd.h>

static char npy[64], fortran[64], idx[64], labels[64], plain[80], prepared[64];

enum { N = 1100, D = 520, SIDE = 20 }; /* three pieces of a tile, the last one short */

static void write_header(FILE *file, const char *type, const char *order, int64_t rows, int64_t cols) {
  char header[128];
  memset(header, ' ', sizeof header);
  memcpy(header, "\x93NUMPY\x01\x00\x76\x00", 10);
  int used = snprintf(header + 10, sizeof header - 10, "{'descr': '%s', 'fortran_order': %s, 'shape': (%lld, %lld), }",
                      type, order, (long long)rows, (long long)cols);
  header[10 + used] = ' ';
  header[127] = '\n';
  assert_int_equal(fwrite(header, 1, sizeof header, file), sizeof header);
}

static void close_file(FILE *file) { assert_int_equal(fclose(file), 0); }

/* rows x cols normals with columns that hang together, a row at a time. */
static void write_npy(const char *path, int64_t rows, int64_t cols, bool by_column) {
  FILE *file = fopen(path, "wb");
  double *line = malloc((size_t)cols * sizeof *line);
  assert_true(file != NULL && line != NULL);
  write_header(file, "<f8", by_column ? "True" : "False", by_column ? cols : rows, by_column ? rows : cols);
  for (int64_t i = 0; i < rows; i++) {
    mms_random_normals((mms_random_key){.seed = 4, .stream = MMS_STREAM_TEST, .item = (uint64_t)i}, 0, cols, line);
    for (int64_t k = 1; k < cols; k++) line[k] += 0.5 * line[k - 1];
    assert_int_equal(fwrite(line, sizeof *line, (size_t)cols, file), cols);
  }
  free(line);
  close_file(file);
}

static void write_idx(const char *path) {
  FILE *file = fopen(path, "wb");
  assert_non_null(file);
  const unsigned char header[] = {0, 0, 8, 3, 0, 0, N >> 8, N & 255, 0, 0, 0, SIDE, 0, 0, 0, D / SIDE};
  assert_int_equal(fwrite(header, 1, sizeof header, file), sizeof header);
  for (int i = 0; i < N * D; i++) fputc((i * 7 + i / D) % 251, file);
  close_file(file);
}

static void write_labels(void) {
  FILE *file = fopen(labels, "wb");
  assert_non_null(file);
  write_header(file, "|u1", "False", N, 1);
  for (int i = 0; i < N; i++) fputc(i % 5 == 2 ? 8 : i % 3, file);
  close_file(file);
}

/* A file of rows that were never prepared, in chunks that neither pieces nor rows end with. */
static void write_h5(void) {
  mms_error error = mms_error_none();
  mms_points points;
  mms_h5 *file = NULL;
  expect_ok(mms_points_read(&points, npy, &error), &error);
  char path[64];
  snprintf(path, sizeof path, "%.*s", (int)(strchr(plain, ':') - plain), plain);
  expect_ok(mms_h5_create(&file, NULL, path, &error), &error);
  expect_ok(mms_h5_write_rows(file, "/x", MMS_H5_FLOAT32, N, D, 0, N, points.values.data, "x", NULL, NULL, &error),
            &error);
  expect_ok(mms_h5_commit(&file, &error), &error);
  mms_points_free(&points);
}

static mms_training_options options_for(const char *source, mms_placement placement) {
  return (mms_training_options){
      .source = source, .seed = 9, .label = -1, .may_partition = true, .placement = placement};
}

static void prepare(const mms_training_options *options) {
  mms_error error = mms_error_none();
  mms_training training;
  expect_ok(mms_training_create(&training, team, options, &error), &error);
  if (mms_team_rank(team) == 0) {
    unlink(prepared);
    expect_ok(mms_training_store(&training, NULL, prepared, &error), &error);
  }
  mms_team_barrier(team);
  mms_training_free(&training);
}

static void see(void *context, int64_t first, int64_t rows, const double *points) {
  const mms_training *whole = context;
  assert_memory_equal(points, whole->points + first * whole->dim, (size_t)(rows * whole->dim) * sizeof(double));
}

/* The transform is that of all the rows together. */
static void expect_fit(const mms_transform *fit, const mms_matrix *data, const mms_training_options *options) {
  mms_error error = mms_error_none();
  mms_transform again;
  expect_ok(mms_transform_fit(&again, data, options->components, options->whiten, options->whiten_top, &error), &error);
  assert_true(again.identity == fit->identity && again.dim == fit->dim && again.data_dim == fit->data_dim);
  const size_t bytes = (size_t)(fit->dim * fit->data_dim) * sizeof(double);
  if (!fit->identity) {
    assert_memory_equal(again.offset.data, fit->offset.data, (size_t)fit->data_dim * sizeof(double));
    assert_memory_equal(again.encode.data, fit->encode.data, bytes);
    assert_memory_equal(again.decode.data, fit->decode.data, bytes);
  }
  mms_transform_free(&again);
}

/* Both placements against each other and against the selected rows, sent through the transform one by one. */
static void expect_alike(mms_training_options options) {
  mms_error error = mms_error_none();
  mms_training whole, parts;
  mms_points points;
  options.placement = MMS_PLACEMENT_REPLICATED;
  expect_ok(mms_training_create(&whole, team, &options, &error), &error);
  options.placement = MMS_PLACEMENT_PARTITIONED;
  expect_ok(mms_training_create(&parts, team, &options, &error), &error);
  assert_true(parts.partitioned && parts.count == whole.count && parts.dim == whole.dim);
  assert_true(parts.checksum == whole.checksum);
  assert_true(whole.checksum == mms_training_checksum(whole.count, whole.dim, whole.points));
  assert_true(parts.image_rows == whole.image_rows && parts.image_columns == whole.image_columns);
  assert_string_equal(parts.description, whole.description);
  mms_training_walk(&parts, see, &whole);
  if (mms_team_rank(team) == 0 && options.source != prepared) {
    expect_ok(mms_points_select(&points, &options, &error), &error);
    assert_true(points.values.rows == whole.count);
    expect_fit(&whole.transform, &points.values, &options);
    double *z = malloc((size_t)whole.dim * sizeof *z);
    assert_non_null(z);
    for (int64_t i = 0; i < whole.count; i++) {
      mms_transform_encode(&whole.transform, 1, points.values.data + i * points.values.cols, z);
      assert_memory_equal(z, whole.points + i * whole.dim, (size_t)whole.dim * sizeof *z);
    }
    free(z);
    mms_points_free(&points);
  }
  mms_training_free(&whole);
  mms_training_free(&parts);
}

static void parts_are_the_rows(void **state) {
  (void)state;
  if (mms_team_rank(team) == 0) {
    write_npy(npy, N, D, false);
    write_npy(fortran, D, N, true);
    write_idx(idx);
    write_labels();
    write_h5();
  }
  mms_team_barrier(team);
  assert_true(mms_rows_piece(D) < N / 2); /* there are several */
  const char *const sources[] = {npy, fortran, idx, plain};
  for (size_t s = 0; s < sizeof sources / sizeof *sources; s++) {
    mms_training_options options = options_for(sources[s], MMS_PLACEMENT_AUTO);
    expect_alike(options);
    options.count = 600;
    expect_alike(options);
    options.labels = labels;
    options.label = 8;
    options.count = s % 2 == 0 ? 0 : 200;
    expect_alike(options);
  }
  mms_training_options options = options_for(npy, MMS_PLACEMENT_AUTO);
  options.components = 5;
  options.whiten = MMS_WHITEN_FULL;
  options.whiten_top = 2;
  expect_alike(options);
  options.count = 40;
  options.thin = MMS_THIN_FARTHEST;
  expect_alike(options);
  options.count = 1050;
  options.thin = MMS_THIN_NONE;
  prepare(&options);
  options = options_for(prepared, MMS_PLACEMENT_AUTO);
  expect_alike(options);
  options.count = 555;
  expect_alike(options);
}

/* What goes wrong after pieces were sent is heard of by all. */
static void late_faults_are_agreed_on(void **state) {
  (void)state;
  const double nan = NAN;
  for (int partitioned = 0; partitioned < 2; partitioned++) {
    if (mms_team_rank(team) == 0) {
      FILE *file = fopen(npy, "r+b");
      assert_non_null(file);
      assert_int_equal(fseek(file, 128 + ((N - 2) * D + 17) * 8, SEEK_SET), 0);
      assert_int_equal(fwrite(&nan, sizeof nan, 1, file), 1);
      close_file(file);
    }
    mms_team_barrier(team);
    mms_error error = mms_error_none();
    mms_training training;
    mms_training_options options = options_for(npy, partitioned ? MMS_PLACEMENT_PARTITIONED : MMS_PLACEMENT_REPLICATED);
    for (int fitted = 0; fitted < 2; fitted++) {
      options.components = fitted ? 3 : 0;
      expect_refused(mms_training_create(&training, team, &options, &error), MMS_ERR_INPUT, &error,
                     "row 1098, column 17 (counting from 0) is NaN");
      expect_same_message(&error);
      assert_true(training.points == NULL && training.mine == NULL && training.memory == NULL);
    }
  }
}

/* --- memory --------------------------------------------------------------------------------- */

static const double mebibyte = 1024.0 * 1024.0;

/* Forget the largest resident size so far. False where the kernel cannot. */
static bool forget_most(void) {
  FILE *file = fopen("/proc/self/clear_refs", "w");
  if (file == NULL) return false;
  bool good = fputs("5", file) >= 0;
  return fclose(file) == 0 && good;
}

/* MiB that this rank took at most beyond what it had before. */
static double taken(const mms_training_options *options, double *part) {
  mms_error error = mms_error_none();
  mms_training training;
  malloc_trim(0);
  mms_team_barrier(team);
  assert_true(forget_most());
  const double before = mms_memory_use_read().resident;
  expect_ok(mms_training_create(&training, team, options, &error), &error);
  const double most = (mms_memory_use_read().most - before) / mebibyte;
  *part = (double)training.parts.n_local * (double)training.dim * sizeof(double) / mebibyte;
  mms_training_free(&training);
  return most;
}

static void no_rank_takes_more_than_its_part(void **state) {
  (void)state;
#ifdef __SANITIZE_ADDRESS__
  skip(); /* memory that was given back is kept */
#endif
  enum { ROWS = 1 << 14, COLS = 256 }; /* 32 MiB */
  const double pieces = 24.0;          /* four of 4 MiB, and what MPI and HDF5 touch for the first time */
  if (!forget_most()) skip();
  mallopt(M_MMAP_THRESHOLD, 1 << 20); /* what is freed is given back */
  if (mms_team_rank(team) == 0) write_npy(npy, ROWS, COLS, false);
  mms_team_barrier(team);
  mms_training_options whole = options_for(npy, MMS_PLACEMENT_REPLICATED);
  prepare(&whole);
  mms_training_options cases[] = {
      options_for(npy, MMS_PLACEMENT_PARTITIONED), options_for(prepared, MMS_PLACEMENT_PARTITIONED),
      options_for(npy, MMS_PLACEMENT_PARTITIONED), options_for(npy, MMS_PLACEMENT_PARTITIONED)};
  cases[2].count = ROWS / 2;
  cases[3].components = 16;
  for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
    double part = 0.0, most = taken(&cases[c], &part);
    print_message("case %zu: a part of %.1f MiB, %.1f at most\n", c, part, most);
    assert_true(most >= 0.95 * part && most <= part + pieces);
  }
  /* and what it would take to hold them all is seen */
  double part = 0.0, most = taken(&whole, &part);
  assert_true(mms_team_node_rank(team) != 0 || most >= 32.0);
  cases[0].thin = MMS_THIN_FARTHEST;
  cases[0].count = 2;
  most = taken(&cases[0], &part);
  assert_true(mms_team_rank(team) != 0 || most >= 32.0);
}

static int set_up(void **state) {
  (void)state;
  const int size = mms_team_size(team);
  snprintf(npy, sizeof npy, "pieces-%d.npy", size);
  snprintf(fortran, sizeof fortran, "pieces-%d-f.npy", size);
  snprintf(idx, sizeof idx, "pieces-%d-idx3-ubyte", size);
  snprintf(labels, sizeof labels, "pieces-%d-labels.npy", size);
  snprintf(plain, sizeof plain, "pieces-%d-plain.h5:/x", size);
  snprintf(prepared, sizeof prepared, "pieces-%d.h5", size);
  return 0;
}

static int tear_down(void **state) {
  (void)state;
  mms_team_barrier(team);
  if (mms_team_rank(team) != 0) return 0;
  *strchr(plain, ':') = '\0';
  const char *const files[] = {npy, fortran, idx, labels, plain, prepared};
  for (size_t i = 0; i < sizeof files / sizeof *files; i++) unlink(files[i]);
  return 0;
}

int main(int argc, char **argv) {
  if (!team_begin(&argc, &argv)) return 1;
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(parts_are_the_rows),
      cmocka_unit_test(late_faults_are_agreed_on),
      cmocka_unit_test(no_rank_takes_more_than_its_part),
  };
  return team_end(cmocka_run_group_tests(tests, set_up, tear_down));
}
