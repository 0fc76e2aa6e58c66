/* PLY 1.0 (G. Turk, The PLY Polygon File Format, 1994): a header of lines, then elements as text or bytes. */
#include "store/elements.h"
#include "store/mesh_reader.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_ELEMENTS = 16, MOST_PROPERTIES = 256, WORD = 64, MOST_WORDS = 5 };

/* What a property is good for here. */
typedef enum role { ROLE_NONE, ROLE_X, ROLE_Y, ROLE_Z, ROLE_CORNERS } role;

typedef struct property {
  bool list;
  mms_element count, value; /* of a list: the type of its length; the type of a value */
  role role;
} property;

typedef struct element {
  char name[WORD];
  int64_t count;
  int first, properties; /* in the table of properties */
} element;

typedef struct ply {
  mms_mesh_reader *reader;
  bool big_endian;
  int elements, properties;
  element element[MOST_ELEMENTS];
  property property[MOST_PROPERTIES];
} ply;

static bool type_of(const char *word, bool big_endian, mms_element *type) {
  static const struct {
    const char *name, *sized;
    mms_element_kind kind;
    int size;
  } known[] = {{"char", "int8", MMS_ELEMENT_SIGNED, 1},    {"uchar", "uint8", MMS_ELEMENT_UNSIGNED, 1},
               {"short", "int16", MMS_ELEMENT_SIGNED, 2},  {"ushort", "uint16", MMS_ELEMENT_UNSIGNED, 2},
               {"int", "int32", MMS_ELEMENT_SIGNED, 4},    {"uint", "uint32", MMS_ELEMENT_UNSIGNED, 4},
               {"float", "float32", MMS_ELEMENT_FLOAT, 4}, {"double", "float64", MMS_ELEMENT_FLOAT, 8}};
  for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
    if (strcmp(word, known[i].name) == 0 || strcmp(word, known[i].sized) == 0) {
      *type = (mms_element){known[i].kind, known[i].size, big_endian};
      return true;
    }
  return false;
}

/* The words of the present line, each cut to fit; the reader stands at its end afterwards. */
static int read_words(mms_mesh_reader *reader, char words[MOST_WORDS][WORD]) {
  int count = 0;
  while (mms_mesh_skip(reader, false, false)) {
    int length = 0;
    while (reader->at < reader->end && strchr(" \t\r\n", *reader->at) == NULL) {
      if (count < MOST_WORDS && length < WORD - 1) words[count][length++] = *reader->at;
      reader->at++;
    }
    if (count < MOST_WORDS) words[count][length] = '\0';
    if (reader->at < reader->end && *reader->at == '\0') reader->at++;
    count++;
  }
  return count;
}

static mms_status read_format(ply *file, char words[MOST_WORDS][WORD], int count, bool *binary, mms_error *error) {
  bool little = count > 1 && strcmp(words[1], "binary_little_endian") == 0;
  file->big_endian = count > 1 && strcmp(words[1], "binary_big_endian") == 0;
  *binary = little || file->big_endian;
  if (count != 3 || (!*binary && strcmp(words[1], "ascii") != 0) || strcmp(words[2], "1.0") != 0)
    return mms_mesh_refuse(file->reader, error,
                           "the format is not ascii, binary_little_endian or binary_big_endian, "
                           "version 1.0");
  return MMS_OK;
}

static mms_status read_element(ply *file, char words[MOST_WORDS][WORD], int count, mms_error *error) {
  char *number_end = NULL;
  double number = count == 3 ? strtod(words[2], &number_end) : -1;
  if (count != 3 || *number_end != '\0')
    return mms_mesh_refuse(file->reader, error, "an element has a name and a count");
  if (file->elements == MOST_ELEMENTS)
    return mms_mesh_refuse(file->reader, error, "more than %d kinds of elements", (int)MOST_ELEMENTS);
  element *made = &file->element[file->elements++];
  *made = (element){.first = file->properties};
  snprintf(made->name, sizeof made->name, "%s", words[1]);
  return mms_mesh_whole(file->reader, "the count of an element", number, &made->count, error);
}

static role role_of(const char *of_element, const char *name, bool list) {
  if (strcmp(of_element, "vertex") == 0 && !list && name[0] >= 'x' && name[0] <= 'z' && name[1] == '\0')
    return (role)(ROLE_X + (name[0] - 'x'));
  if (strcmp(of_element, "face") == 0 && list &&
      (strcmp(name, "vertex_indices") == 0 || strcmp(name, "vertex_index") == 0))
    return ROLE_CORNERS;
  return ROLE_NONE;
}

static mms_status read_property(ply *file, char words[MOST_WORDS][WORD], int count, mms_error *error) {
  property made = {.list = count > 1 && strcmp(words[1], "list") == 0};
  if (file->elements == 0) return mms_mesh_refuse(file->reader, error, "a property comes before any element");
  if (file->properties == MOST_PROPERTIES)
    return mms_mesh_refuse(file->reader, error, "more than %d properties", (int)MOST_PROPERTIES);
  if (count != (made.list ? 5 : 3)) return mms_mesh_refuse(file->reader, error, "a property has a type and a name");
  const char *value = words[made.list ? 3 : 1];
  if (!type_of(value, file->big_endian, &made.value))
    return mms_mesh_refuse(file->reader, error, "\"%s\" is not a type of a property", value);
  if (made.list && (!type_of(words[2], file->big_endian, &made.count) || made.count.kind == MMS_ELEMENT_FLOAT))
    return mms_mesh_refuse(file->reader, error, "\"%s\" is not a type for the length of a list", words[2]);
  element *its = &file->element[file->elements - 1];
  made.role = role_of(its->name, words[count - 1], made.list);
  for (int i = its->first; i < file->properties; i++)
    if (made.role != ROLE_NONE && file->property[i].role == made.role)
      return mms_mesh_refuse(file->reader, error, "the property %s is given twice", words[count - 1]);
  file->property[file->properties++] = made;
  its->properties++;
  return MMS_OK;
}

/* Lines up to end_header; the reader stands behind its line end afterwards. */
static mms_status read_header(ply *file, mms_error *error) {
  mms_mesh_reader *reader = file->reader;
  char words[MOST_WORDS][WORD];
  bool binary = false, has_format = false;
  mms_mesh_skip_line(reader); /* "ply" */
  mms_status status = MMS_OK;
  while (status == MMS_OK) {
    if (!mms_mesh_skip(reader, true, false)) return mms_mesh_refuse(reader, error, "the file ends inside its header");
    int count = read_words(reader, words);
    if (strcmp(words[0], "end_header") == 0) break;
    if (strcmp(words[0], "comment") == 0 || strcmp(words[0], "obj_info") == 0) continue;
    if (strcmp(words[0], "format") == 0 && !has_format) {
      status = read_format(file, words, count, &binary, error);
      has_format = true;
    } else if (strcmp(words[0], "element") == 0 && has_format) {
      status = read_element(file, words, count, error);
    } else if (strcmp(words[0], "property") == 0) {
      status = read_property(file, words, count, error);
    } else {
      status = mms_mesh_refuse(reader, error, "\"%.40s\" is not expected in the header here", words[0]);
    }
  }
  if (status == MMS_OK && !has_format) return mms_mesh_refuse(reader, error, "the header names no format");
  if (status == MMS_OK && reader->at < reader->end) reader->at++; /* the line end: bytes follow at once */
  reader->line++;
  reader->binary = binary;
  return status;
}

/* The next number, whatever the format. Integers and floats alike; refuses what is not finite. */
static mms_status read_value(mms_mesh_reader *reader, mms_element type, const char *what, double *value,
                             mms_error *error) {
  if (!reader->binary) return mms_mesh_number(reader, true, false, what, value, error);
  if (mms_mesh_left(reader) < type.size)
    return mms_mesh_refuse(reader, error,
                           "the file ends where %s was expected: it is cut short, or its header says "
                           "more than it holds",
                           what);
  *value = mms_element_value(type, (const unsigned char *)reader->at);
  if (!isfinite(*value)) return mms_mesh_refuse(reader, error, "%s is %g; all numbers must be finite", what, *value);
  reader->at += type.size;
  return MMS_OK;
}

static mms_status read_list(mms_mesh_reader *reader, const property *p, mms_error *error) {
  int64_t length = 0;
  double value = 0;
  mms_status status = read_value(reader, p->count, "the length of a list", &value, error);
  if (status == MMS_OK) status = mms_mesh_whole(reader, "the length of a list", value, &length, error);
  if (p->role == ROLE_CORNERS) mms_mesh_begin_face(reader);
  for (int64_t i = 0; i < length && status == MMS_OK; i++) {
    status = read_value(reader, p->value, p->role == ROLE_CORNERS ? "the index of a vertex" : "a value of a list",
                        &value, error);
    if (status == MMS_OK && p->role == ROLE_CORNERS) status = mms_mesh_add_corner(reader, value, error);
  }
  if (status == MMS_OK && p->role == ROLE_CORNERS) status = mms_mesh_end_face(reader, error);
  return status;
}

/* One element: its vertex goes to `point` (NULL: it is none). */
static mms_status read_row(ply *file, const element *its, double *point, mms_error *error) {
  mms_status status = MMS_OK;
  for (int i = its->first; i < its->first + its->properties && status == MMS_OK; i++) {
    const property *p = &file->property[i];
    double value = 0;
    if (p->list) {
      status = read_list(file->reader, p, error);
      continue;
    }
    status = read_value(file->reader, p->value, "a property", &value, error);
    if (status != MMS_OK || p->role == ROLE_NONE || point == NULL) continue;
    point[p->role - ROLE_X] = value;
    status = mms_mesh_check_coordinate(file->reader, value, error);
  }
  return status;
}

/* Can what is left of the file hold so many? */
static mms_status check_count(const ply *file, const element *its, mms_error *error) {
  int64_t least = 0, left = mms_mesh_left(file->reader);
  for (int i = its->first; i < its->first + its->properties; i++) {
    const property *p = &file->property[i];
    least += !file->reader->binary ? 1 : p->list ? p->count.size : p->value.size;
  }
  if (least == 0 || its->count <= left / least) return MMS_OK;
  return mms_mesh_refuse(file->reader, error, "%lld elements \"%s\" are announced, but only %lld bytes follow",
                         (long long)its->count, its->name, (long long)left);
}

/* Does the element have the properties it is read for? */
static mms_status check_properties(const ply *file, const element *its, bool is_vertex, bool is_face,
                                   mms_error *error) {
  int found = 0;
  for (int i = its->first; i < its->first + its->properties; i++) found += file->property[i].role != ROLE_NONE;
  if (is_vertex && found != 3)
    return mms_mesh_refuse(file->reader, error, "the vertices do not have the properties x, y and z");
  if (is_face && found != 1)
    return mms_mesh_refuse(file->reader, error, "the faces have no list vertex_indices (or vertex_index)");
  if (is_face && file->reader->mesh.vertices.rows == 0)
    return mms_mesh_refuse(file->reader, error, "the vertices do not come before the faces");
  return MMS_OK;
}

static mms_status read_elements(ply *file, const element *its, mms_error *error) {
  bool is_vertex = strcmp(its->name, "vertex") == 0, is_face = strcmp(its->name, "face") == 0;
  mms_mesh *mesh = &file->reader->mesh;
  if (is_vertex && mesh->vertices.rows > 0)
    return mms_mesh_refuse(file->reader, error, "the element vertex is given twice");
  mms_status status = check_properties(file, its, is_vertex, is_face, error);
  if (status != MMS_OK || its->properties == 0) return status;
  status = check_count(file, its, error);
  if (status == MMS_OK && is_vertex) status = mms_mesh_make_vertices(file->reader, its->count, error);
  for (int64_t i = 0; i < its->count && status == MMS_OK; i++)
    status = read_row(file, its, is_vertex ? mesh->vertices.data + 3 * i : NULL, error);
  return status;
}

mms_status mms_mesh_read_ply(mms_mesh_reader *reader, mms_error *error) {
  ply file = {.reader = reader};
  mms_status status = read_header(&file, error);
  for (int e = 0; e < file.elements && status == MMS_OK; e++) status = read_elements(&file, &file.element[e], error);
  if (status != MMS_OK) return status;
  bool more = reader->binary ? mms_mesh_left(reader) > 0 : mms_mesh_skip(reader, true, false);
  return more ? mms_mesh_refuse(reader, error, "the file goes on after all that its header says") : MMS_OK;
}
