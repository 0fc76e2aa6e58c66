/* Image sheets: real, through PCA and back, generated, nearest real. */
#include "cli/plot.h"

#include "mmsold/picture/picture.h"
#include "mmsold/study/distances.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* Enough to judge by, and still a page: 16 to a row, two rows of real ones, four of generated ones. */
enum { COLUMNS = 16, REAL = 2 * COLUMNS, GENERATED = 4 * COLUMNS };
enum { BANDS = 4, LABEL = 128 };

typedef struct sheet {
  mms_matrix images[BANDS];
  char labels[BANDS][LABEL];
  int64_t count;
} sheet;

static int64_t smaller(int64_t a, int64_t b) { return a < b ? a : b; }

/* Room for one more band of `rows` images. */
static mms_status add_band(sheet *s, int64_t rows, int64_t pixels, mms_matrix **images, mms_error *error) {
  *images = &s->images[s->count];
  mms_status status = mms_matrix_create(*images, rows, pixels, "images of the sheet", error);
  if (status == MMS_OK) s->count++;
  return status;
}

/* The first of the training images, and the same as the sampler sees them. */
static mms_status add_real(sheet *s, const mms_plot_training *training, mms_error *error) {
  const mms_transform *transform = &training->training.transform;
  int64_t pixels = transform->data_dim, shown = smaller(training->training.count, REAL);
  mms_matrix *images;
  snprintf(s->labels[s->count], LABEL, "real: %" PRId64 " of %" PRId64 " training images", shown,
           training->training.count);
  mms_status status = add_band(s, shown, pixels, &images, error);
  if (status != MMS_OK) return status;
  memcpy(images->data, training->real.values.data, (size_t)(shown * pixels) * sizeof(double));
  if (transform->identity) return MMS_OK;
  snprintf(s->labels[s->count], LABEL, "the same in %" PRId64 " coordinates and back to %" PRId64 " pixels",
           transform->dim, pixels);
  status = add_band(s, shown, pixels, &images, error);
  if (status == MMS_OK) mms_transform_decode(transform, shown, training->training.points, images->data);
  return status;
}

static mms_status add_generated(sheet *s, const mms_plot *plot, int64_t count, int64_t pixels, mms_error *error) {
  mms_matrix *images;
  int64_t shown = smaller(count, GENERATED);
  snprintf(s->labels[s->count], LABEL, "generated: %" PRId64 " of %" PRId64, shown, count);
  mms_status status = add_band(s, shown, pixels, &images, error);
  if (status != MMS_OK) return status;
  return mms_h5_read_rows(plot->file, "/samples", 0, shown, images->data, error);
}

/* Each generated image's nearest training image, by distance between pixels. */
static mms_status add_nearest(sheet *s, const mms_plot_training *training, mms_error *error) {
  const mms_matrix *generated = &s->images[s->count - 1], *real = &training->real.values;
  mms_matrix *images;
  int64_t index[GENERATED];
  snprintf(s->labels[s->count], LABEL, "the training image nearest to each of these, by its pixels");
  mms_status status = mms_nearest(generated, real, index, NULL, error);
  if (status == MMS_OK) status = add_band(s, generated->rows, generated->cols, &images, error);
  for (int64_t i = 0; status == MMS_OK && i < generated->rows; i++)
    memcpy(images->data + i * images->cols, real->data + index[i] * real->cols, (size_t)real->cols * sizeof(double));
  return status;
}

static mms_status draw(sheet *s, const char *output, int64_t rows, int64_t columns, mms_error *error) {
  mms_sheet_band bands[BANDS];
  for (int64_t b = 0; b < s->count; b++) bands[b] = (mms_sheet_band){.label = s->labels[b], .images = &s->images[b]};
  return mms_picture_sheet(output, bands, s->count, rows, columns, COLUMNS, error);
}

mms_status mms_plot_samples_sheet(const mms_plot *plot, int64_t image_rows, int64_t image_columns, mms_error *error) {
  sheet s = {.count = 0};
  mms_plot_training training;
  int rank = 0;
  int64_t dims[8] = {0};
  mms_status status = mms_h5_shape(plot->file, "/samples", &rank, dims, error);
  if (status != MMS_OK) return status;
  mms_plot_rebuild(plot, &training);
  if (training.has && training.real.values.cols != dims[1]) {
    mms_log_warn(plot->log,
                 "the training images have %" PRId64 " pixels, the samples %" PRId64 ": only these are shown",
                 training.real.values.cols, dims[1]);
    mms_plot_training_free(&training);
  }
  if (training.has) status = add_real(&s, &training, error);
  if (status == MMS_OK) status = add_generated(&s, plot, dims[0], dims[1], error);
  if (status == MMS_OK && training.has) status = add_nearest(&s, &training, error);
  if (status == MMS_OK) status = draw(&s, plot->output, image_rows, image_columns, error);
  for (int b = 0; b < BANDS; b++) mms_matrix_free(&s.images[b]);
  mms_plot_training_free(&training);
  return status;
}

/* The rows of a prepared set in the data's coordinates: decoded where there is a transform. */
static mms_status read_prepared(const mms_plot *plot, mms_training *training, mms_matrix *rows, mms_error *error) {
  mms_training_options options = {.source = plot->path, .label = -1};
  mms_status status = mms_training_create(training, NULL, &options, error);
  if (status != MMS_OK) return status;
  status = mms_matrix_create(rows, training->count, training->transform.data_dim, "the training rows", error);
  if (status == MMS_OK) mms_transform_decode(&training->transform, training->count, training->points, rows->data);
  if (status != MMS_OK) mms_training_free(training);
  return status;
}

mms_status mms_plot_prepared(const mms_plot *plot, mms_error *error) {
  mms_training training = {0};
  mms_matrix rows = {0};
  char label[LABEL];
  mms_status status = read_prepared(plot, &training, &rows, error);
  if (status != MMS_OK) return status;
  int64_t count = rows.rows;
  if (training.image_rows > 0 && training.image_rows * training.image_columns == rows.cols) {
    rows.rows = smaller(rows.rows, GENERATED);
    snprintf(label, sizeof label, "prepared: %" PRId64 " of %" PRId64 " training images", rows.rows, count);
    const mms_sheet_band band = {.label = label, .images = &rows};
    status = mms_picture_sheet(plot->output, &band, 1, training.image_rows, training.image_columns, COLUMNS, error);
  } else if (rows.cols == 2) {
    snprintf(label, sizeof label, "training (%" PRId64 ")", count);
    const mms_chart chart = {.title = "prepared training set", .x_label = "x", .y_label = "y", .equal_axes = 1};
    const mms_series series = {.label = label, .xy = &rows, .mark = MMS_MARK_POINTS};
    status = mms_picture_chart(plot->output, &chart, 1, &series, NULL, 1, error);
  } else if (rows.cols == 3) {
    const mms_matrix *const sets[1] = {&rows};
    const char *const labels[1] = {"training points"};
    status = mms_plot_space(plot->output, sets, labels, 1, error);
  } else {
    status = mms_fail(error, MMS_ERR_INPUT,
                      "%s: rows of %" PRId64 " columns are neither images nor points in the plane or in space",
                      plot->path, rows.cols);
  }
  mms_matrix_free(&rows);
  mms_training_free(&training);
  return status;
}
