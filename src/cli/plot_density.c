/* Pictures of density.h5: both laws at every σ, and the likelihood over σ. */
#include "cli/plot.h"

#include "mmsold/base/memory.h"
#include "mmsold/picture/maps.h"
#include "mmsold/picture/picture.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { ACROSS = 8, LAWS = 2, TITLE = 64 };
static const char *const laws[LAWS] = {"naive", "tilted"};

/* The edges of a grid of which the middles are known. */
static mms_status read_edges(const mms_plot *plot, const char *name, double edges[2], int64_t *count,
                             mms_error *error) {
  mms_matrix middles = {0};
  mms_status status = mms_h5_read_matrix(plot->file, name, &middles, error);
  if (status == MMS_OK && middles.rows < 2)
    status = mms_fail(error, MMS_ERR_INPUT, "%s: %s has %" PRId64 " rows; a grid has at least 2", plot->path, name,
                      middles.rows);
  if (status == MMS_OK) {
    *count = middles.rows;
    double half = 0.5 * (middles.data[middles.rows - 1] - middles.data[0]) / (double)(middles.rows - 1);
    edges[0] = middles.data[0] - half;
    edges[1] = middles.data[middles.rows - 1] + half;
  }
  mms_matrix_free(&middles);
  return status;
}

/* Naive above tilted, ACROSS σ to a line. */
static mms_status draw_maps(const mms_plot *plot, const mms_matrix *smoothing, const mms_matrix density[LAWS],
                            int64_t rows, int64_t columns, const double x[2], const double y[2], mms_error *error) {
  static const double empty = 0.0;
  int64_t count = smoothing->rows, across = count < ACROSS ? count : ACROSS, used = 0;
  int64_t most = (count + across - 1) / across * across * LAWS;
  void *memory = NULL, *texts = NULL, *blank = NULL;
  mms_status status = mms_allocate(&memory, most, sizeof(mms_map), "maps", error);
  if (status == MMS_OK) status = mms_allocate(&texts, most, TITLE, "titles", error);
  if (status == MMS_OK) status = mms_allocate(&blank, rows * columns, sizeof empty, "a blank map", error);
  mms_map *maps = memory;
  char(*titles)[TITLE] = texts;
  for (int64_t first = 0; first < count && status == MMS_OK; first += across)
    for (int law = 0; law < LAWS; law++)
      for (int64_t s = first; s < first + across; s++, used++) {
        bool there = s < count;
        if (there) snprintf(titles[used], TITLE, "%s, \xCF\x83 = %g", laws[law], smoothing->data[s]);
        maps[used] = (mms_map){titles[used], there ? density[law].data + s * rows * columns : blank};
      }
  if (status == MMS_OK) status = mms_picture_maps(plot->output, maps, used, across, rows, columns, x, y, error);
  free(memory);
  free(texts);
  free(blank);
  return status;
}

mms_status mms_plot_density(const mms_plot *plot, mms_error *error) {
  mms_matrix smoothing = {0}, density[LAWS] = {{0}};
  double x[2], y[2];
  int64_t columns = 0, rows = 0;
  mms_status status = mms_h5_read_matrix(plot->file, "/smoothing", &smoothing, error);
  if (status == MMS_OK) status = mms_h5_read_matrix(plot->file, "/density/naive", &density[0], error);
  if (status == MMS_OK) status = mms_h5_read_matrix(plot->file, "/density/tilted", &density[1], error);
  if (status == MMS_OK) status = read_edges(plot, "/grid/x", x, &columns, error);
  if (status == MMS_OK) status = read_edges(plot, "/grid/y", y, &rows, error);
  for (int law = 0; law < LAWS && status == MMS_OK; law++)
    if (density[law].rows != smoothing.rows || density[law].cols != rows * columns)
      status =
          mms_fail(error, MMS_ERR_INPUT, "%s: /density/%s is %" PRId64 " x %" PRId64 ", not %" PRId64 " x %" PRId64,
                   plot->path, laws[law], density[law].rows, density[law].cols, smoothing.rows, rows * columns);
  if (status == MMS_OK) status = draw_maps(plot, &smoothing, density, rows, columns, x, y, error);
  mms_matrix_free(&smoothing);
  for (int law = 0; law < LAWS; law++) mms_matrix_free(&density[law]);
  return status;
}

enum { CURVES = 2 * LAWS }; /* each law's, and the outline of two standard errors around it */

/* The curve (once along it), or the outline: along the upper edge and back along the lower one. */
static mms_status make_curve(const mms_matrix *smoothing, const mms_matrix *nll, const mms_matrix *errors, int law,
                             bool outline, mms_matrix *xy, mms_error *error) {
  int64_t count = smoothing->rows;
  mms_status status = mms_matrix_create(xy, outline ? 2 * count : count, 2, "a curve", error);
  for (int64_t i = 0; i < xy->rows && status == MMS_OK; i++) {
    int64_t s = i < count ? i : 2 * count - 1 - i;
    double away = !outline ? 0.0 : i < count ? 2.0 : -2.0;
    xy->data[2 * i] = smoothing->data[s];
    xy->data[2 * i + 1] = nll->data[LAWS * s + law] + away * errors->data[LAWS * s + law];
  }
  return status;
}

mms_status mms_plot_likelihood(const mms_plot *plot, mms_error *error) {
  mms_matrix smoothing = {0}, nll = {0}, errors = {0}, xy[CURVES] = {{0}};
  mms_series series[CURVES];
  static const char *const labels[CURVES] = {"naive \xC2\xB1 2 s.e.", "tilted \xC2\xB1 2 s.e.", "naive exp(-V)",
                                             "tilted, moments held"}; /* curves last: on top */
  mms_status status = mms_h5_read_matrix(plot->file, "/smoothing", &smoothing, error);
  if (status == MMS_OK) status = mms_h5_read_matrix(plot->file, "/nll", &nll, error);
  if (status == MMS_OK) status = mms_h5_read_matrix(plot->file, "/nll_stderr", &errors, error);
  if (status == MMS_OK &&
      (nll.rows != smoothing.rows || nll.cols != LAWS || errors.rows != nll.rows || errors.cols != LAWS))
    status = mms_fail(error, MMS_ERR_INPUT, "%s: /nll is %" PRId64 " x %" PRId64 " for %" PRId64 " smoothings",
                      plot->path, nll.rows, nll.cols, smoothing.rows);
  for (int c = 0; c < CURVES && status == MMS_OK; c++) {
    status = make_curve(&smoothing, &nll, &errors, c % LAWS, c < LAWS, &xy[c], error);
    series[c] = (mms_series){.label = labels[c], .xy = &xy[c], .mark = MMS_MARK_LINES};
  }
  const mms_chart chart = {
      .title = "negative log-likelihood of test points", .x_label = "smoothing \xCF\x83", .y_label = "nats a point"};
  if (status == MMS_OK) status = mms_picture_chart(plot->output, &chart, 1, series, NULL, CURVES, error);
  for (int i = 0; i < CURVES; i++) mms_matrix_free(&xy[i]);
  mms_matrix_free(&smoothing);
  mms_matrix_free(&nll);
  mms_matrix_free(&errors);
  return status;
}
