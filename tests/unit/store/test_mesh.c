/* Mesh files: every form of OFF and PLY that is promised reads alike; cut, lying and damaged ones are refused with
 * their place. */
#include "file_support.h"

#include "mmsold/store/mesh.h"
#include <stdlib.h>

static int set_up(void **state) {
  (void)state;
  return folder_make("a.mesh");
}

static void expect_refusal(const char *text, const char *part) {
  mms_error error = mms_error_none();
  mms_mesh mesh;
  put_text(text);
  expect_refused(mms_mesh_read(&mesh, path, &error), MMS_ERR_INPUT, &error, part);
  expect_refused(MMS_ERR_INPUT, MMS_ERR_INPUT, &error, path);
  assert_null(mesh.vertices.data);
  assert_null(mesh.triangles);
}

/* The unit square in the plane z = 2 as one face of four corners, by any file. */
static void expect_square(void) {
  static const double corners[4][3] = {{0, 0, 2}, {1, 0, 2}, {1, 1, 2}, {0, 1, 2}};
  static const int64_t triangles[6] = {0, 1, 2, 0, 2, 3};
  mms_error error = mms_error_none();
  mms_mesh mesh;
  expect_ok(mms_mesh_read(&mesh, path, &error), &error);
  assert_int_equal(mesh.vertices.rows, 4);
  assert_int_equal(mesh.vertices.cols, 3);
  assert_memory_equal(mesh.vertices.data, corners, sizeof corners);
  assert_int_equal(mesh.triangle_count, 2);
  assert_memory_equal(mesh.triangles, triangles, sizeof triangles);
  mms_mesh_free(&mesh);
}

static void every_way_of_writing_off_reads(void **state) {
  (void)state;
  const char *texts[] = {"OFF\n4 1 4\n0 0 2\n1 0 2\n1 1 2\n0 1 2\n4 0 1 2 3\n",
                         "OFF4 1 4\n0 0 2\n1 0 2\n1 1 2\n0 1 2\n4 0 1 2 3", /* no blank, no last line end */
                         "# made by hand\nOFF # a square\n\n 4 1\r\n0 0 2\r\n1e0 0. 2\n+1 1 2\n\n0 1 2 # last\n"
                         "4 0 1 2 3 0.5 0.5 0.5\n# end\n",
                         "COFF\n4 1 0\n0 0 2 255 0 0 255\n1 0 2 0 0 0 0\n1 1 2 0 0 0 0\n0 1 2 0 0 0 0\n4 0 1 2 3 7\n",
                         "STCNOFF 4 2 0\n0 0 2 9\n1 0 2 9\n1 1 2 9\n0 1 2 9\n2 0 1\n4 0 1 2 3\n"}; /* an edge */
  for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
    put_text(texts[i]);
    expect_square();
  }
}

static const char ply_head[] =
    "element vertex 4\nproperty float x\nproperty float y\nproperty float z\n"
    "property uchar red\nelement face 1\nproperty list uchar int vertex_indices\nend_header\n";

static void ascii_ply_reads(void **state) {
  (void)state;
  char text[1024];
  snprintf(text, sizeof text, "ply\nformat ascii 1.0\ncomment by hand\nobj_info %d\n%s%s", 1, ply_head,
           "0 0 2 1\n1 0 2 1 1 1 2 1\n0 1 2 1\n4 0 1 2 3\n");
  put_text(text);
  expect_square();
  put_text("ply\r\nformat ascii 1.0\r\nelement thing 2\r\nproperty list uint8 float32 a\r\nproperty int b\r\n"
           "element vertex 4\r\nproperty double z\r\nproperty float64 x\r\nproperty int8 y\r\nelement face 2\r\n"
           "property uchar flag\r\nproperty list uint16 uint32 vertex_index\r\nelement edge 0\r\nproperty int a\r\n"
           "end_header\r\n2 0.5 0.25 7\r\n0 7\r\n2 0 0\r\n2 1 0\r\n2 1 1\r\n2 0 1\r\n9 4 0 1 2 3\r\n9 1 0\r\n");
  expect_square();
}

/* The square in binary, either way round. */
static size_t binary_ply(char *out, int big_endian) {
  static const float corners[4][3] = {{0, 0, 2}, {1, 0, 2}, {1, 1, 2}, {0, 1, 2}};
  size_t at = (size_t)sprintf(out, "ply\nformat binary_%s_endian 1.0\n%s", big_endian ? "big" : "little", ply_head);
  for (int i = 0; i < 4; i++) {
    for (int k = 0; k < 3; k++) {
      uint32_t bits;
      memcpy(&bits, &corners[i][k], 4);
      for (int b = 0; b < 4; b++) out[at++] = (char)(bits >> 8 * (big_endian ? 3 - b : b));
    }
    out[at++] = 1;
  }
  out[at++] = 4;
  for (int i = 0; i < 4; i++)
    for (int b = 0; b < 4; b++) out[at++] = (char)(b == (big_endian ? 3 : 0) ? i : 0);
  return at;
}

static void binary_ply_reads_and_every_cut_is_noticed(void **state) {
  (void)state;
  mms_error error = mms_error_none();
  mms_mesh mesh;
  char bytes[1024];
  for (int big_endian = 0; big_endian < 2; big_endian++) {
    size_t size = binary_ply(bytes, big_endian);
    put(bytes, size);
    expect_square();
    for (size_t cut = 0; cut < size; cut++) {
      put(bytes, cut);
      expect_refused(mms_mesh_read(&mesh, path, &error), MMS_ERR_INPUT, &error, path);
      assert_null(mesh.vertices.data);
    }
    bytes[size] = 0;
    put(bytes, size + 1);
    expect_refused(mms_mesh_read(&mesh, path, &error), MMS_ERR_INPUT, &error, "goes on after");
    expect_refused(MMS_ERR_INPUT, MMS_ERR_INPUT, &error, "byte");
  }
}

/* A face of more corners is filled exactly: the triangles' areas are all of one sign and add up. */
static double area_of(const char *text) {
  mms_error error = mms_error_none();
  mms_mesh mesh;
  put_text(text);
  expect_ok(mms_mesh_read(&mesh, path, &error), &error);
  double area = 0;
  for (int64_t t = 0; t < mesh.triangle_count; t++) {
    const double *a = mesh.vertices.data + 3 * mesh.triangles[3 * t];
    const double *b = mesh.vertices.data + 3 * mesh.triangles[3 * t + 1];
    const double *c = mesh.vertices.data + 3 * mesh.triangles[3 * t + 2];
    area += 0.5 * fabs((b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0]));
  }
  mms_mesh_free(&mesh);
  return area;
}

static void dented_faces_are_filled_or_refused(void **state) {
  (void)state;
  /* an arrow head, whose first corner's fan overlaps itself; an L of six corners, of which some do not see all of it */
  expect_near(area_of("OFF 4 1 0\n2 0 0\n0 2 0\n-2 0 0\n0 0.5 0\n4 0 1 2 3\n"), 3, 1e-12);
  expect_near(area_of("OFF 6 1 0\n2 0 0\n2 1 0\n1 1 0\n1 2 0\n0 2 0\n0 0 0\n6 0 1 2 3 4 5\n"), 3, 1e-12);
  /* a comb: no corner sees all of it */
  expect_refusal("OFF 8 1 0\n0 0 0\n9 0 0\n9 3 0\n7 3 0\n7 1 0\n2 1 0\n2 3 0\n0 3 0\n8 0 1 2 3 4 5 6 7\n",
                 "line 10: a face of 8 corners is dented");
}

static void lies_and_damage_are_refused_with_their_place(void **state) {
  (void)state;
  const struct {
    const char *text, *part;
  } cases[] = {
      {"", "the file is empty"},
      {"hello", "neither with OFF nor with ply"},
      {"4OFF 1 1 1\n", "not in three dimensions"},
      {"OFF BINARY\n", "binary OFF is not read"},
      {"OFF\n", "number of vertices was expected"},
      {"OFF 3\n", "number of faces was expected"},
      {"OFF 0 0 0\n", "no vertices"},
      {"OFF -3 1 0\n", "-3, which is not a whole number"},
      {"OFF 2.5 1 0\n", "2.5, which is not a whole number"},
      {"OFF 1e30 1 0\n", "which is not a whole number"},
      {"OFF 900000000000 1 0\n0 0 0\n", "line 1: 900000000000 vertices are announced, but only 7 bytes follow"},
      {"OFF 1 900000000000 0\n0 0 0\n", "900000000000 faces are announced"},
      {"OFF 3 1 0\n0 0 0\n1 0\n0 1 0\n3 0 1 2\n", "line 3: the line ends where a coordinate"},
      {"OFF 3 1 0\n0 0 0\n1 0 0\n0 1 nan\n3 0 1 2\n", "line 4: a coordinate of a vertex is nan"},
      {"OFF 3 1 0\n0 0 0\n1 0 0\n0 1 -inf\n3 0 1 2\n", "-inf; all numbers must be finite"},
      {"OFF 3 1 0\n0 0 0\n1 0 0\n0 1 1e301\n3 0 1 2\n", "at most 1e300"},
      {"OFF 3 1 0\n0 0 0\n1 x0 0\n0 1 0\n3 0 1 2\n", "line 3: \"x0\" stands where a coordinate"},
      {"OFF 3 1 0\n0 0 0\n1 0 0\n0 1 0\n3 0 1 3\n", "line 5: a face has the corner 3, but the vertices are 0 to 2"},
      {"OFF 3 1 0\n0 0 0\n1 0 0\n0 1 0\n3 0 1 -1\n", "the index of a vertex is -1"},
      {"OFF 3 1 0\n0 0 0\n1 0 0\n0 1 0\n3 0 1\n2", "line 5: the line ends where the index"},
      {"OFF 3 1 0\n0 0 0\n1 0 0\n0 1 0\n3 0 1", "the file ends where the index"},
      {"OFF 3 1 0\n0 0 0\n1 0 0\n0 1 0\n3 0 1 2\n3 0 1 2\n", "line 6: the file goes on after"},
      {"OFF 3 1 0\n0 0 0\n1 0 0\n0 1 0\n2 0 1\n", "no faces of three corners"},
      {"ply\n", "the file ends inside its header"},
      {"ply\nelement vertex 3\n", "\"element\" is not expected"},
      {"ply\nformat ascii 2.0\n", "line 2: the format is not"},
      {"ply\nformat ascii 1.0\nproperty int a\n", "a property comes before any element"},
      {"ply\nformat ascii 1.0\nelement vertex\n", "an element has a name and a count"},
      {"ply\nformat ascii 1.0\nelement vertex -1\n", "the count of an element is -1"},
      {"ply\nformat ascii 1.0\nelement vertex 1\nproperty word x\n", "\"word\" is not a type"},
      {"ply\nformat ascii 1.0\nelement vertex 1\nproperty list float int x\n", "not a type for the length"},
      {"ply\nformat ascii 1.0\nelement vertex 1\nproperty int x\nproperty int x\n", "x is given twice"},
      {"ply\nformat ascii 1.0\nelement vertex 1\nproperty int x\nend_header\n1\n", "x, y and z"},
      {"ply\nformat ascii 1.0\nelement face 1\nproperty list int int vertex_index\nend_header\n3 0 0 0\n",
       "do not come before the faces"},
      {"ply\nformat ascii 1.0\nelement face 1\nproperty int a\nend_header\n3\n", "no list vertex_indices"},
      {"ply\nformat ascii 1.0\nelement a 99999999\nproperty int a\nend_header\n3\n", "99999999 elements \"a\""},
      {"ply\nformat ascii 1.0\nelement a 1\nproperty list int int a\nend_header\n-3\n", "length of a list is -3"},
      {"ply\nformat ascii 1.0\nelement a 1\nproperty int a\nend_header\n3 4\n", "line 6: the file goes on"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) expect_refusal(cases[i].text, cases[i].part);
  mms_error error = mms_error_none();
  mms_mesh mesh;
  expect_refused(mms_mesh_read(&mesh, "not-there.off", &error), MMS_ERR_INPUT, &error, "no such file");
  expect_refused(mms_mesh_read(&mesh, folder, &error), MMS_ERR_INPUT, &error, "is a folder");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_way_of_writing_off_reads),
      cmocka_unit_test(ascii_ply_reads),
      cmocka_unit_test(binary_ply_reads_and_every_cut_is_noticed),
      cmocka_unit_test(dented_faces_are_filled_or_refused),
      cmocka_unit_test(lies_and_damage_are_refused_with_their_place),
  };
  return cmocka_run_group_tests(tests, set_up, folder_remove);
}
