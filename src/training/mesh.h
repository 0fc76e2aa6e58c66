/* Points on the surface of a mesh. Private. */
#ifndef TRAINING_MESH_H
#define TRAINING_MESH_H

#include "mmsold/base/matrix.h"
#include "mmsold/base/status.h"
#include <stdbool.h>
#include <stdint.h>

/* Is `name` that of a mesh file (.off, .ply)? Local. */
bool mms_mesh_named(const char *name);

/* `rows` points [rows][3], independent and uniform on the surface of the mesh in `path`; row i depends on the mesh and
 * (seed, i) alone. Triangles without area get none. MMS_ERR_INPUT: the mesh cannot be read, or has no area. Local. */
mms_status mms_mesh_draw(mms_matrix *points, const char *path, int64_t rows, uint64_t seed, mms_error *error);

#endif
