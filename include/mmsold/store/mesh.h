/* Surfaces of triangles from .off and .ply files. Local. */
#ifndef MMSOLD_STORE_MESH_H
#define MMSOLD_STORE_MESH_H

#include "mmsold/base/matrix.h"
#include "mmsold/base/status.h"
#include <stdint.h>

/* A mesh; faces with more than three corners are cut into triangles. Owns its arrays. */
typedef struct mms_mesh {
  mms_matrix vertices; /* [n][3], finite, at most 1e300 in size */
  int64_t triangle_count;
  int64_t *triangles; /* [triangle_count][3], indices of vertices */
} mms_mesh;

/* Read a mesh; what it is is told by its first bytes. OFF: text, also COFF, NOFF, STOFF; what follows the coordinates
 * and the corners on a line (colours, normals) is passed over. PLY 1.0: ascii, binary_little_endian and
 * binary_big_endian, vertices (x, y, z) before faces (vertex_indices or vertex_index); other elements and properties
 * are passed over. Faces of one or two corners have no surface and are passed over; one of more than three becomes the
 * fan of triangles from one of its corners that fills it. MMS_ERR_INPUT with the file and line (binary: byte): missing,
 * neither of both, cut short, longer than its header says, counts that the file cannot hold, a number that is not
 * finite, an index out of range, a face that no such fan fills, no faces. */
mms_status mms_mesh_read(mms_mesh *mesh, const char *path, mms_error *error);
void mms_mesh_free(mms_mesh *mesh);

#endif
