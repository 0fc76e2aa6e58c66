#include "training/mesh.h"

#include "mmsold/base/memory.h"
#include "mmsold/random/random.h"
#include "mmsold/store/mesh.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

bool mms_mesh_named(const char *name) {
  size_t length = strlen(name);
  return length > 4 && (strcasecmp(name + length - 4, ".off") == 0 || strcasecmp(name + length - 4, ".ply") == 0);
}

/* The largest extent along an axis: areas are computed in units of its square, so that they neither overflow nor
 * vanish. */
static double extent_of(const mms_mesh *mesh) {
  double extent = 0;
  for (int k = 0; k < 3; k++) {
    double low = INFINITY, high = -INFINITY;
    for (int64_t i = 0; i < mesh->vertices.rows; i++) {
      low = fmin(low, mesh->vertices.data[3 * i + k]);
      high = fmax(high, mesh->vertices.data[3 * i + k]);
    }
    extent = fmax(extent, high - low);
  }
  return extent;
}

/* Twice the area of a triangle: |(b − a) × (c − a)|. */
static double area_of(const double *a, const double *b, const double *c, double extent) {
  double u[3], v[3];
  for (int k = 0; k < 3; k++) {
    u[k] = (b[k] - a[k]) / extent;
    v[k] = (c[k] - a[k]) / extent;
  }
  return hypot(hypot(u[1] * v[2] - u[2] * v[1], u[2] * v[0] - u[0] * v[2]), u[0] * v[1] - u[1] * v[0]);
}

static const double *corner(const mms_mesh *mesh, int64_t triangle, int which) {
  return mesh->vertices.data + 3 * mesh->triangles[3 * triangle + which];
}

/* upto[i]: area of triangles 0 … i; its last is the whole, which must not be zero. */
static mms_status add_up(const mms_mesh *mesh, const char *path, double *upto, mms_error *error) {
  double extent = extent_of(mesh), total = 0;
  for (int64_t t = 0; t < mesh->triangle_count && extent > 0; t++) {
    total += area_of(corner(mesh, t, 0), corner(mesh, t, 1), corner(mesh, t, 2), extent);
    upto[t] = total;
  }
  if (total > 0) return MMS_OK;
  return mms_fail(error, MMS_ERR_INPUT, "%s: none of the %lld triangles of the mesh has an area", path,
                  (long long)mesh->triangle_count);
}

/* The first triangle with upto > at, at < the total: never one without area. */
static int64_t find(const double *upto, int64_t count, double at) {
  int64_t low = 0, high = count - 1;
  while (low < high) {
    int64_t middle = low + (high - low) / 2;
    if (upto[middle] > at)
      high = middle;
    else
      low = middle + 1;
  }
  return low;
}

/* Uniform on a triangle: p = (1 − √u) a + √u ((1 − v) b + v c)  (R. Osada et al., Shape Distributions, 2002). */
static void draw(const mms_mesh *mesh, const double *upto, uint64_t seed, int64_t row, double *p) {
  double u[3];
  mms_random_key key = {.seed = seed, .stream = MMS_STREAM_GENERATE, .step = 0, .item = (uint64_t)row};
  mms_random_uniforms(key, 0, 3, u);
  int64_t t = find(upto, mesh->triangle_count, u[0] * upto[mesh->triangle_count - 1]);
  const double *a = corner(mesh, t, 0), *b = corner(mesh, t, 1), *c = corner(mesh, t, 2);
  double root = sqrt(u[1]);
  for (int k = 0; k < 3; k++) p[k] = (1 - root) * a[k] + root * ((1 - u[2]) * b[k] + u[2] * c[k]);
}

mms_status mms_mesh_draw(mms_matrix *points, const char *path, int64_t rows, uint64_t seed, mms_error *error) {
  mms_mesh mesh;
  double *upto = NULL;
  *points = (mms_matrix){0};
  mms_status status = mms_mesh_read(&mesh, path, error);
  if (status == MMS_OK) status = mms_allocate_doubles(&upto, mesh.triangle_count, "the areas of a mesh", error);
  if (status == MMS_OK) status = add_up(&mesh, path, upto, error);
  if (status == MMS_OK) status = mms_matrix_create(points, rows, 3, "points on a mesh", error);
  for (int64_t i = 0; status == MMS_OK && i < rows; i++) draw(&mesh, upto, seed, i, points->data + 3 * i);
  free(upto);
  mms_mesh_free(&mesh);
  return status;
}
