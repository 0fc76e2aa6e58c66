/* density.h5: the table, the pictures and what they were made from. */
#include "study/density.h"

#include "mmsold/base/memory.h"
#include "mmsold/base/version.h"
#include "mmsold/store/h5.h"
#include <stdlib.h>
#include <string.h>

/* A column of the table: `count` numbers of each row, the first at `offset`. Those of the laws come as [S][2]. */
typedef struct column {
  const char *name, *meaning;
  size_t offset;
  int64_t count;
  bool of_law;
} column;

#define ROW(member) offsetof(mms_density_row, member)
#define LAW(member) offsetof(mms_density_law, member)

static const column columns[] = {
    {"/smoothing", "sigma", ROW(smoothing), 1, false},
    {"/lambda", "linear tilt", ROW(lambda), 2, false},
    {"/lambda_stderr", "its standard error", ROW(lambda_error), 2, false},
    {"/Lambda", "quadratic tilt, a symmetric 2 x 2 matrix to a row", ROW(quadratic), 4, false},
    {"/Lambda_stderr", "its standard error", ROW(quadratic_error), 4, false},
    {"/log_Z", "logarithm of the integral of exp(-energy): naive, tilted", LAW(log_z), 1, true},
    {"/log_Z_stderr", "its standard error, from the draws", LAW(log_z_error), 1, true},
    {"/nll", "negative log-likelihood of a test point, on average: naive, tilted", LAW(nll), 1, true},
    {"/nll_stderr", "its standard error, from test points and draws", LAW(nll_error), 1, true},
    {"/nll_above", "nll less the least of its column", LAW(above), 1, true},
    {"/nll_above_stderr", "standard error of that difference (the same test points and draws)", LAW(above_error), 1,
     true},
    {"/chosen", "share of bootstrap replicates in which this smoothing has the least nll", LAW(chosen), 1, true},
    {"/mean", "mean of each law: naive x, y, tilted x, y", LAW(mean), 2, true},
    {"/covariance", "covariance of each law: naive xx, xy, yx, yy, then tilted", LAW(covariance), 4, true},
    {"/edge", "share of the mass in the outermost cells of the integrals", LAW(edge), 1, true},
    {"/cells_change", "change of log_Z where only every other cell is taken: a bound on its error", LAW(change), 1,
     true},
};

static mms_status write_table(const mms_team *team, mms_h5 *file, const mms_density_table *table, mms_error *error) {
  double *values = NULL;
  mms_status status = mms_allocate_doubles(&values, table->count * MMS_LAWS * 4, "a column", error);
  status = mms_team_agree(team, status, error);
  for (size_t c = 0; c < sizeof columns / sizeof columns[0] && status == MMS_OK; c++) {
    const column *one = &columns[c];
    int64_t laws = one->of_law ? MMS_LAWS : 1, width = laws * one->count;
    for (int64_t s = 0; s < table->count; s++)
      for (int64_t law = 0; law < laws; law++) {
        const char *at = one->of_law ? (const char *)&table->rows[s].law[law] : (const char *)&table->rows[s];
        memcpy(values + s * width + law * one->count, at + one->offset, (size_t)one->count * sizeof *values);
      }
    status = mms_h5_write_array(file, one->name, MMS_H5_FLOAT64, width == 1 ? 1 : 2, table->count, width, values,
                                one->meaning, error);
  }
  free(values);
  return status;
}

/* A picture to a row, [S][cells], written by rank 0. */
static mms_status write_pictures(const mms_team *team, mms_h5 *file, const mms_density_result *results, int64_t count,
                                 size_t offset, const char *name, const char *meaning, mms_error *error) {
  const mms_matrix *first = (const mms_matrix *)((const char *)&results[0] + offset);
  double *all = NULL;
  mms_status status = mms_allocate_doubles(&all, count * first->cols, "pictures", error);
  status = mms_team_agree(team, status, error);
  for (int64_t s = 0; s < count && status == MMS_OK; s++) {
    const mms_matrix *one = (const mms_matrix *)((const char *)&results[s] + offset);
    memcpy(all + s * first->cols, one->data, (size_t)first->cols * sizeof *all);
  }
  if (status == MMS_OK)
    status = mms_h5_write_array(file, name, MMS_H5_FLOAT32, 2, count, first->cols, all, meaning, error);
  free(all);
  return status;
}

static mms_status write_grid(const mms_team *team, mms_h5 *file, const mms_plane *plane, mms_error *error) {
  double *middles = NULL;
  int64_t most = plane->columns > plane->rows ? plane->columns : plane->rows;
  mms_status status = mms_allocate_doubles(&middles, most, "a grid", error);
  status = mms_team_agree(team, status, error);
  for (int axis = 0; axis < 2 && status == MMS_OK; axis++) {
    int64_t count = axis == 0 ? plane->columns : plane->rows;
    for (int64_t i = 0; i < count; i++) {
      double z[2];
      mms_plane_point(plane, axis == 0 ? i : i * plane->columns, z);
      middles[i] = z[axis];
    }
    status = mms_h5_write_array(file, axis == 0 ? "/grid/x" : "/grid/y", MMS_H5_FLOAT64, 1, count, 1, middles,
                                "middles of the cells of the pictures; a picture has rows of x, y by y", error);
  }
  free(middles);
  return status;
}

static mms_status write_attributes(mms_h5 *file, const mms_density_setting *setting, const mms_density_table *table,
                                   mms_error *error) {
  const mms_density_request *request = setting->request;
  const mms_h5_text texts[] = {
      {"kind", "density"},
      {"version", mms_version()},
      {"commit", mms_version_commit()},
      {"configuration", request->configuration},
      {"training_description", setting->training.description},
      {"expectation", request->density.expectation},
      {"test", request->density.test},
      {"potential", request->density.potential == MMS_DENSITY_QUADRATURE ? "quadrature" : "monte-carlo"}};
  mms_status status = mms_h5_attribute_texts(file, "/", texts, (int)(sizeof texts / sizeof *texts), error);
  if (status == MMS_OK) status = mms_h5_attribute_double(file, "/", "bandwidth", request->bandwidth, error);
  if (status == MMS_OK) status = mms_h5_attribute_int(file, "/", "test_count", setting->test_count, error);
  if (status == MMS_OK) status = mms_h5_attribute_uint(file, "/", "seed", request->density.seed, error);
  if (status == MMS_OK)
    status = mms_h5_attribute_uint(file, "/", "training_checksum", setting->training.checksum, error);
  double least[MMS_LAWS * 3];
  for (int law = 0; law < MMS_LAWS; law++) {
    least[3 * law] = table->least[law];
    least[3 * law + 1] = table->least_low[law];
    least[3 * law + 2] = table->least_high[law];
  }
  if (status == MMS_OK)
    status =
        mms_h5_write_array(file, "/least", MMS_H5_FLOAT64, 2, MMS_LAWS, 3, least,
                           "naive, tilted: smoothing of the least nll, and the 95 % range of it in a bootstrap over "
                           "test points and draws",
                           error);
  return status;
}

mms_status mms_density_write(const mms_density_setting *setting, const mms_density_result *results,
                             const mms_density_table *table, const char *path, mms_error *error) {
  mms_h5 *file = NULL;
  mms_status status = mms_h5_create(&file, setting->request->team, path, error);
  if (status != MMS_OK) return status;
  status = write_attributes(file, setting, table, error);
  if (status == MMS_OK) status = write_table(setting->request->team, file, table, error);
  if (status == MMS_OK) status = write_grid(setting->request->team, file, &setting->picture, error);
  static const struct {
    const char *name, *meaning;
    size_t offset;
  } pictures[] = {
      {"/density/naive", "exp(-V), normalised, at the cells", offsetof(mms_density_result, density)},
      {"/density/tilted", "the tilted limit law at the cells",
       offsetof(mms_density_result, density) + sizeof(mms_matrix)},
      {"/potential", "V at the cells", offsetof(mms_density_result, potential)},
      {"/potential_stderr", "its standard error, from the draws", offsetof(mms_density_result, potential_error)}};
  for (size_t p = 0; p < sizeof pictures / sizeof pictures[0] && status == MMS_OK; p++)
    status = write_pictures(setting->request->team, file, results, table->count, pictures[p].offset, pictures[p].name,
                            pictures[p].meaning, error);
  if (status == MMS_OK)
    status = mms_h5_write_array(file, "/target/mean", MMS_H5_FLOAT64, 1, 2, 1, setting->target.mean.data,
                                "target mean, sampler's coordinates", error);
  if (status == MMS_OK)
    status = mms_h5_write_array(file, "/target/covariance", MMS_H5_FLOAT64, 2, 2, 2, setting->target.covariance.data,
                                "target covariance, sampler's coordinates", error);
  if (status == MMS_OK)
    status = mms_h5_write_array(file, "/test", MMS_H5_FLOAT64, 2, setting->test.rows, 2, setting->test.data,
                                "test points, sampler's coordinates", error);
  if (status == MMS_OK) return mms_h5_commit(&file, error);
  mms_h5_close(&file);
  return status;
}
