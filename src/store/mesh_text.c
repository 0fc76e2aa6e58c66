/* Words and numbers of a mesh file's text. */
#include "store/mesh_reader.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

void mms_mesh_skip_line(mms_mesh_reader *reader) {
  const char *line_end = memchr(reader->at, '\n', (size_t)mms_mesh_left(reader));
  reader->at = line_end != NULL ? line_end : reader->end;
}

bool mms_mesh_skip(mms_mesh_reader *reader, bool lines, bool comments) {
  while (reader->at < reader->end) {
    const char c = *reader->at;
    if (c == '\n') {
      if (!lines) return false;
      reader->line++;
      reader->at++;
    } else if (c == ' ' || c == '\t' || c == '\r' || c == '\v' || c == '\f') {
      reader->at++;
    } else if (c == '#' && comments) {
      mms_mesh_skip_line(reader);
    } else {
      return true;
    }
  }
  return false;
}

/* May a number end here? (strchr finds a zero byte too; the next word is then none.) */
static bool ends(const mms_mesh_reader *reader, const char *at, bool comments) {
  return at == reader->end || strchr(" \t\r\n\v\f", *at) != NULL || (*at == '#' && comments);
}

mms_status mms_mesh_number(mms_mesh_reader *reader, bool lines, bool comments, const char *what, double *value,
                           mms_error *error) {
  if (!mms_mesh_skip(reader, lines, comments))
    return mms_mesh_refuse(reader, error,
                           reader->at == reader->end ? "the file ends where %s was expected: it is cut short, or its "
                                                       "header says more than it holds"
                                                     : "the line ends where %s was expected",
                           what);
  char *number_end = NULL;
  *value = strtod(reader->at, &number_end);
  if (number_end == reader->at || !ends(reader, number_end, comments)) {
    int length = 0;
    while (length < 24 && !ends(reader, reader->at + length, comments)) length++;
    return mms_mesh_refuse(reader, error, "\"%.*s\" stands where %s was expected", length, reader->at, what);
  }
  if (!isfinite(*value)) return mms_mesh_refuse(reader, error, "%s is %g; all numbers must be finite", what, *value);
  reader->at = number_end;
  return MMS_OK;
}

mms_status mms_mesh_count(mms_mesh_reader *reader, bool lines, bool comments, const char *what, int64_t *value,
                          mms_error *error) {
  double number = 0;
  mms_status status = mms_mesh_number(reader, lines, comments, what, &number, error);
  return status == MMS_OK ? mms_mesh_whole(reader, what, number, value, error) : status;
}
