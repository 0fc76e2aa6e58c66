/* The Object File Format of Geomview (M. Phillips, Geomview manual, "OFF Files"), as text. */
#include "store/mesh_reader.h"

#include <string.h>

/* The word before the counts: [ST][C][N][4][n]OFF. Some writers leave no blank behind it ("OFF8 6 12"). */
static mms_status read_keyword(mms_mesh_reader *reader, mms_error *error) {
  if (!mms_mesh_skip(reader, true, true)) return mms_mesh_refuse(reader, error, "the file is empty");
  const char *at = reader->at;
  at += strncmp(at, "ST", 2) == 0 ? 2 : 0;
  at += *at == 'C';
  at += *at == 'N';
  bool other_space = *at == '4' || *at == 'n';
  at += strspn(at, "4n");
  if (strncmp(at, "OFF", 3) != 0)
    return mms_mesh_refuse(reader, error,
                           "the file begins neither with OFF nor with ply: it is no mesh of a kind "
                           "that is read");
  if (other_space) return mms_mesh_refuse(reader, error, "the mesh is not in three dimensions");
  reader->at = at + 3;
  if (mms_mesh_skip(reader, false, true) && strncmp(reader->at, "BINARY", 6) == 0)
    return mms_mesh_refuse(reader, error, "binary OFF is not read; text is, and binary PLY");
  return MMS_OK;
}

static mms_status read_counts(mms_mesh_reader *reader, int64_t *vertices, int64_t *faces, mms_error *error) {
  mms_status status = mms_mesh_count(reader, true, true, "the number of vertices", vertices, error);
  if (status == MMS_OK) status = mms_mesh_count(reader, true, true, "the number of faces", faces, error);
  if (status != MMS_OK) return status;
  mms_mesh_skip_line(reader); /* the number of edges, which nobody keeps right */
  int64_t left = mms_mesh_left(reader);
  if (*vertices > left / 6) /* "\n0 0 0" is the shortest */
    return mms_mesh_refuse(reader, error, "%lld vertices are announced, but only %lld bytes follow",
                           (long long)*vertices, (long long)left);
  if (*faces > left / 2)
    return mms_mesh_refuse(reader, error, "%lld faces are announced, but only %lld bytes follow", (long long)*faces,
                           (long long)left);
  return MMS_OK;
}

/* A line of its own: three numbers, and what else is on it is passed over. */
static mms_status read_vertex(mms_mesh_reader *reader, double *point, mms_error *error) {
  mms_status status = MMS_OK;
  for (int k = 0; k < 3 && status == MMS_OK; k++) {
    status = mms_mesh_number(reader, k == 0, true, "a coordinate of a vertex", &point[k], error);
    if (status == MMS_OK) status = mms_mesh_check_coordinate(reader, point[k], error);
  }
  mms_mesh_skip_line(reader);
  return status;
}

static mms_status read_face(mms_mesh_reader *reader, mms_error *error) {
  int64_t corners = 0;
  double index = 0;
  mms_mesh_begin_face(reader);
  mms_status status = mms_mesh_count(reader, true, true, "the number of a face's corners", &corners, error);
  for (int64_t i = 0; i < corners && status == MMS_OK; i++) {
    status = mms_mesh_number(reader, false, true, "the index of a vertex", &index, error);
    if (status == MMS_OK) status = mms_mesh_add_corner(reader, index, error);
  }
  if (status == MMS_OK) status = mms_mesh_end_face(reader, error);
  mms_mesh_skip_line(reader);
  return status;
}

mms_status mms_mesh_read_off(mms_mesh_reader *reader, mms_error *error) {
  int64_t vertices = 0, faces = 0;
  mms_status status = read_keyword(reader, error);
  if (status == MMS_OK) status = read_counts(reader, &vertices, &faces, error);
  if (status == MMS_OK) status = mms_mesh_make_vertices(reader, vertices, error);
  for (int64_t i = 0; i < vertices && status == MMS_OK; i++)
    status = read_vertex(reader, reader->mesh.vertices.data + 3 * i, error);
  for (int64_t i = 0; i < faces && status == MMS_OK; i++) status = read_face(reader, error);
  if (status == MMS_OK && mms_mesh_skip(reader, true, true))
    status = mms_mesh_refuse(reader, error, "the file goes on after the %lld vertices and %lld faces its header says",
                             (long long)vertices, (long long)faces);
  return status;
}
