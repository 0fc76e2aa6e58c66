#include "parallel/team_mpi.h"

#include <stdio.h>
#include <string.h>

/* MPI answers with a paragraph; its name and version come before the first comma or line end. */
void mms_world_library(char *out, size_t size) {
  char text[MPI_MAX_LIBRARY_VERSION_STRING] = "";
  int length = 0;
  MPI_Get_library_version(text, &length);
  snprintf(out, size, "%.*s", (int)strcspn(text, ",\n"), text);
}
