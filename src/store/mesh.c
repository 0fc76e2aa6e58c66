#include "mmsold/store/mesh.h"

#include "mmsold/base/memory.h"
#include "store/files.h"
#include "store/mesh_reader.h"
#include <errno.h>
#include <locale.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Differences of two coordinates and their products with numbers near one stay finite. */
static const double LARGEST_COORDINATE = 1e300;

/* Corners that are tried as the apex of a fan. A convex face takes the first, one with a single dent at most a few. */
enum { MOST_APEXES = 64 };

void mms_mesh_free(mms_mesh *mesh) {
  mms_matrix_free(&mesh->vertices);
  free(mesh->triangles);
  *mesh = (mms_mesh){0};
}

mms_status mms_mesh_refuse(const mms_mesh_reader *reader, mms_error *error, const char *format, ...) {
  char message[512];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(message, sizeof message, format, arguments);
  va_end(arguments);
  return mms_fail(error, MMS_ERR_INPUT, "%s: %s %lld: %s", reader->path, reader->binary ? "byte" : "line",
                  (long long)(reader->binary ? reader->at - reader->start : reader->line), message);
}

int64_t mms_mesh_left(const mms_mesh_reader *reader) { return reader->end - reader->at; }

mms_status mms_mesh_make_vertices(mms_mesh_reader *reader, int64_t count, mms_error *error) {
  if (count < 1) return mms_mesh_refuse(reader, error, "the mesh has no vertices");
  return mms_matrix_create(&reader->mesh.vertices, count, 3, "the vertices of a mesh", error);
}

mms_status mms_mesh_check_coordinate(const mms_mesh_reader *reader, double value, mms_error *error) {
  if (fabs(value) <= LARGEST_COORDINATE) return MMS_OK;
  return mms_mesh_refuse(reader, error, "a coordinate is %g; coordinates must be finite and at most 1e300 in size",
                         value);
}

/* Make room for `wanted` items of an array that grows by doubling. */
static mms_status grow(int64_t **items, int64_t *room, int64_t wanted, int64_t width, mms_error *error) {
  if (wanted <= *room) return MMS_OK;
  int64_t larger = *room < 512 ? 1024 : 2 * *room;
  void *memory = realloc(*items, (size_t)(larger * width) * sizeof **items);
  if (memory == NULL) return mms_fail(error, MMS_ERR_MEMORY, "not enough memory for the faces of a mesh");
  *items = memory;
  *room = larger;
  return MMS_OK;
}

void mms_mesh_begin_face(mms_mesh_reader *reader) { reader->corner_count = 0; }

mms_status mms_mesh_whole(const mms_mesh_reader *reader, const char *what, double value, int64_t *whole,
                          mms_error *error) {
  if (value == floor(value) && value >= 0 && value < 0x1p53) {
    *whole = (int64_t)value;
    return MMS_OK;
  }
  return mms_mesh_refuse(reader, error, "%s is %.17g, which is not a whole number, 0 or more", what, value);
}

mms_status mms_mesh_add_corner(mms_mesh_reader *reader, double index, mms_error *error) {
  int64_t corner = 0;
  mms_status status = mms_mesh_whole(reader, "the index of a vertex", index, &corner, error);
  if (status != MMS_OK) return status;
  if (corner >= reader->mesh.vertices.rows)
    return mms_mesh_refuse(reader, error, "a face has the corner %lld, but the vertices are 0 to %lld",
                           (long long)corner, (long long)reader->mesh.vertices.rows - 1);
  status = grow(&reader->corners, &reader->corner_room, reader->corner_count + 1, 1, error);
  if (status == MMS_OK) reader->corners[reader->corner_count++] = corner;
  return status;
}

/* out = (b − a)/size × (c − a)/size. */
static void cross(const double *a, const double *b, const double *c, double size, double out[3]) {
  double u[3], v[3];
  for (int k = 0; k < 3; k++) {
    u[k] = (b[k] - a[k]) / size;
    v[k] = (c[k] - a[k]) / size;
  }
  out[0] = u[1] * v[2] - u[2] * v[1];
  out[1] = u[2] * v[0] - u[0] * v[2];
  out[2] = u[0] * v[1] - u[1] * v[0];
}

static double dot(const double *a, const double *b) { return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]; }

static const double *corner(const mms_mesh_reader *reader, int64_t i) {
  return reader->mesh.vertices.data + 3 * reader->corners[i % reader->corner_count];
}

/* The largest distance along an axis from the first corner. */
static double size_of_face(const mms_mesh_reader *reader) {
  double size = 0;
  for (int64_t i = 1; i < reader->corner_count; i++)
    for (int k = 0; k < 3; k++) size = fmax(size, fabs(corner(reader, i)[k] - corner(reader, 0)[k]));
  return size;
}

/* Do the triangles (apex, apex + i, apex + i + 1) all lie on the side of the face's normal? Then, with the turns
 * about the apex all in one sense, they fill the face without overlap. */
static bool fan_fills(const mms_mesh_reader *reader, int64_t apex, const double normal[3], double size) {
  double piece[3], least = -1e-12 * dot(normal, normal); /* rounding of a triangle without area */
  for (int64_t i = 1; i + 1 < reader->corner_count; i++) {
    cross(corner(reader, apex), corner(reader, apex + i), corner(reader, apex + i + 1), size, piece);
    if (dot(piece, normal) < least) return false;
  }
  return true;
}

mms_status mms_mesh_end_face(mms_mesh_reader *reader, mms_error *error) {
  int64_t n = reader->corner_count, apex = 0;
  if (n < 3) return MMS_OK;
  double size = n > 3 ? size_of_face(reader) : 0;
  if (size > 0) { /* twice the face's area vector is the sum of any fan's */
    double normal[3] = {0}, piece[3];
    for (int64_t i = 1; i + 1 < n; i++) {
      cross(corner(reader, 0), corner(reader, i), corner(reader, i + 1), size, piece);
      for (int k = 0; k < 3; k++) normal[k] += piece[k];
    }
    int64_t tries = n < MOST_APEXES ? n : MOST_APEXES;
    while (apex < tries && !fan_fills(reader, apex, normal, size)) apex++;
    if (apex == tries)
      return mms_mesh_refuse(reader, error,
                             "a face of %lld corners is dented so that no fan of triangles from one corner fills it; "
                             "cut the faces into triangles first",
                             (long long)n);
  }
  mms_mesh *mesh = &reader->mesh;
  for (int64_t i = 1; i + 1 < n; i++) {
    mms_status status = grow(&mesh->triangles, &reader->triangle_room, mesh->triangle_count + 1, 3, error);
    if (status != MMS_OK) return status;
    int64_t *triangle = mesh->triangles + 3 * mesh->triangle_count++;
    triangle[0] = reader->corners[apex];
    triangle[1] = reader->corners[(apex + i) % n];
    triangle[2] = reader->corners[(apex + i + 1) % n];
  }
  return MMS_OK;
}

/* The whole file, and a zero byte behind it. */
static mms_status load(const char *path, char **bytes, int64_t *size, mms_error *error) {
  void *memory = NULL;
  mms_status status = mms_file_size(path, size, error);
  if (status == MMS_OK) status = mms_allocate(&memory, *size + 1, 1, "a mesh file", error);
  if (status != MMS_OK) return status;
  *bytes = memory;
  FILE *file = fopen(path, "rb");
  if (file == NULL) return mms_fail(error, MMS_ERR_INPUT, "%s: cannot be opened: %s", path, strerror(errno));
  if (fread(*bytes, 1, (size_t)*size, file) != (size_t)*size)
    status = mms_fail(error, MMS_ERR_SYSTEM, "%s: reading failed", path);
  fclose(file);
  return status;
}

static bool is_ply(const char *bytes, int64_t size) {
  return size >= 4 && memcmp(bytes, "ply", 3) == 0 && (bytes[3] == '\n' || bytes[3] == '\r' || bytes[3] == ' ');
}

mms_status mms_mesh_read(mms_mesh *mesh, const char *path, mms_error *error) {
  *mesh = (mms_mesh){0};
  char *bytes = NULL;
  int64_t size = 0;
  mms_status status = load(path, &bytes, &size, error);
  if (status == MMS_OK) {
    mms_mesh_reader reader = {.path = path, .start = bytes, .at = bytes, .end = bytes + size, .line = 1};
    locale_t c = newlocale(LC_ALL_MASK, "C", (locale_t)0), before = uselocale(c); /* '.' is the decimal point */
    status = is_ply(bytes, size) ? mms_mesh_read_ply(&reader, error) : mms_mesh_read_off(&reader, error);
    uselocale(before);
    if (c != (locale_t)0) freelocale(c);
    if (status == MMS_OK && reader.mesh.triangle_count == 0)
      status = mms_fail(error, MMS_ERR_INPUT,
                        "%s: the mesh has no faces of three corners or more, so no surface; points alone can be read "
                        "from FILE.npy or FILE.h5:/dataset",
                        path);
    *mesh = reader.mesh;
    free(reader.corners);
  }
  free(bytes);
  if (status != MMS_OK) mms_mesh_free(mesh);
  return status;
}
