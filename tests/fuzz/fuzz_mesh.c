/* Mesh files: refused with a reason, or read to triangles whose corners are there. */
#include "fuzz.h"

#include "mmsold/store/mesh.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static fuzz_file file;
  fuzz_file_fill(&file, data, size);
  mms_mesh mesh;
  mms_error error = mms_error_none();
  mms_status status = mms_mesh_read(&mesh, file.path, &error);
  if (status != MMS_OK) {
    fuzz_demand_refusal(status, &error, file.path);
    fuzz_demand(mesh.vertices.data == NULL && mesh.triangles == NULL, "nothing is left of a refused file");
    return 0;
  }
  fuzz_demand(mesh.vertices.rows >= 1 && mesh.vertices.cols == 3, "a mesh has vertices in space");
  fuzz_demand((uint64_t)mesh.vertices.rows <= size && (uint64_t)mesh.triangle_count <= size,
              "every vertex and every corner has its bytes in the file");
  for (int64_t i = 0; i < 3 * mesh.vertices.rows; i++)
    fuzz_demand(fabs(mesh.vertices.data[i]) <= 1e300, "coordinates can be computed with");
  fuzz_demand(mesh.triangle_count >= 1, "a mesh has a surface");
  for (int64_t i = 0; i < 3 * mesh.triangle_count; i++)
    fuzz_demand(mesh.triangles[i] >= 0 && mesh.triangles[i] < mesh.vertices.rows, "every corner is a vertex");
  mms_mesh_free(&mesh);
  return 0;
}
