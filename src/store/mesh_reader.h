/* What the readers of mesh files share. Private. */
#ifndef STORE_MESH_READER_H
#define STORE_MESH_READER_H

#include "mmsold/store/mesh.h"
#include <stdbool.h>

/* A file in memory, read from its start; a zero byte stands behind `end`. `line` counts from 1 in text. */
typedef struct mms_mesh_reader {
  const char *path, *start, *at, *end;
  int64_t line;
  bool binary; /* places are bytes, not lines */
  mms_mesh mesh;
  int64_t triangle_room; /* triangles that have memory */
  int64_t *corners;      /* [corner_room] of the face being read */
  int64_t corner_room, corner_count;
} mms_mesh_reader;

/* The whole of each format; the reader stands at the start. Local. */
mms_status mms_mesh_read_off(mms_mesh_reader *reader, mms_error *error);
mms_status mms_mesh_read_ply(mms_mesh_reader *reader, mms_error *error);

/* Record `MMS_ERR_INPUT` as "PATH: line N: ..." (or "byte N"). */
mms_status mms_mesh_refuse(const mms_mesh_reader *reader, mms_error *error, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Bytes that are left. */
int64_t mms_mesh_left(const mms_mesh_reader *reader);

/* Pass over blanks, and over line ends (`lines`) and what follows a '#' (`comments`). False at the end of the
 * file, or of the line where lines are not passed over. */
bool mms_mesh_skip(mms_mesh_reader *reader, bool lines, bool comments);
/* Pass over the rest of the line. */
void mms_mesh_skip_line(mms_mesh_reader *reader);
/* The next number of the text, which `what` names in messages; refuses another word, and a number that is not finite.
 * With `lines` false it must stand on the present line. */
mms_status mms_mesh_number(mms_mesh_reader *reader, bool lines, bool comments, const char *what, double *value,
                           mms_error *error);
/* The same where only a whole number, 0 or more, will do. */
mms_status mms_mesh_count(mms_mesh_reader *reader, bool lines, bool comments, const char *what, int64_t *value,
                          mms_error *error);
/* `value`, read by whatever means, as a whole number, 0 or more. */
mms_status mms_mesh_whole(const mms_mesh_reader *reader, const char *what, double value, int64_t *whole,
                          mms_error *error);

/* Room for `count` vertices. */
mms_status mms_mesh_make_vertices(mms_mesh_reader *reader, int64_t count, mms_error *error);
/* Is a coordinate small enough to compute with? */
mms_status mms_mesh_check_coordinate(const mms_mesh_reader *reader, double value, mms_error *error);
/* Begin a face, give it its corners one by one, and cut it into triangles. */
void mms_mesh_begin_face(mms_mesh_reader *reader);
mms_status mms_mesh_add_corner(mms_mesh_reader *reader, double index, mms_error *error);
mms_status mms_mesh_end_face(mms_mesh_reader *reader, mms_error *error);

#endif
