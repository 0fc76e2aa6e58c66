#include "cli/arguments.h"
#include "cli/command.h"
#include "mmsold/store/arrays.h"
#include "mmsold/store/h5.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* The first bytes that tell the formats apart. */
static const char hdf5_magic[] = "\x89HDF\r\n\x1a\n", npy_magic[] = "\x93NUMPY";

static mms_status read_magic(const char *path, char magic[8], mms_error *error) {
  struct stat about;
  FILE *file = NULL;
  memset(magic, 0, 8);
  const bool there = stat(path, &about) == 0;
  if (there && !S_ISDIR(about.st_mode) && !S_ISREG(about.st_mode)) /* opening a pipe would wait for a writer */
    return mms_fail(error, MMS_ERR_INPUT, "%s: is not a regular file", path);
  if (!there || (S_ISDIR(about.st_mode) && (errno = EISDIR) != 0) || (file = fopen(path, "rb")) == NULL)
    return mms_fail(error, MMS_ERR_INPUT, "%s cannot be read: %s", path, strerror(errno));
  size_t length = fread(magic, 1, 8, file);
  bool failed = ferror(file) != 0;
  fclose(file);
  if (failed) return mms_fail(error, MMS_ERR_INPUT, "%s cannot be read", path);
  if (length == 0) return mms_fail(error, MMS_ERR_INPUT, "%s is empty", path);
  return MMS_OK;
}

/* Lines of the description as they come, but for the configuration: that is shown last, as it would stand in a file.
 * `context` says whether its lines are coming. */
static void print_line(void *context, const char *text) {
  bool *in_configuration = context;
  if (*in_configuration && strncmp(text, "      | ", 8) == 0) return;
  *in_configuration = strcmp(text, "    configuration =") == 0;
  if (!*in_configuration) printf("%s\n", text);
}

static mms_status verify(mms_h5 *file, const char *path, mms_error *error) {
  int64_t datasets = 0, bytes = 0;
  mms_status status = mms_h5_verify(file, &datasets, &bytes, error);
  if (status != MMS_OK) return status;
  printf("\n%s: all %" PRId64 " datasets read, %" PRId64 " bytes, checksums right\n", path, datasets, bytes);
  return MMS_OK;
}

/* Datasets and attributes, then the configuration as it would be written in a file. */
static mms_status describe_hdf5(const char *path, bool verifies, mms_error *error) {
  mms_h5 *file = NULL;
  mms_error none = mms_error_none();
  char *configuration = NULL;
  bool in_configuration = false;
  mms_status status = mms_h5_open(&file, NULL, path, error);
  if (status != MMS_OK) return status;
  printf("%s: HDF5\n", path);
  status = mms_h5_describe(file, print_line, &in_configuration, error);
  if (status == MMS_OK && mms_h5_read_text(file, "/", "configuration", &configuration, &none) == MMS_OK)
    printf("\nmade with this configuration:\n\n%s", configuration);
  if (status == MMS_OK && verifies) status = verify(file, path, error);
  free(configuration);
  mms_h5_close(&file);
  return status;
}

static mms_status describe_array(const char *path, const char *format, mms_array *array) {
  double least = 0, most = 0;
  for (int64_t i = 0; i < array->values.rows * array->values.cols; i++) {
    double value = array->values.data[i];
    if (i == 0 || value < least) least = value;
    if (i == 0 || value > most) most = value;
  }
  printf("%s: %s\n", path, format);
  for (int i = 0; i < array->rank; i++) printf("%s%" PRId64, i == 0 ? "  " : " x ", array->dims[i]);
  printf("  values %g to %g\n", least, most);
  mms_array_free(array);
  return MMS_OK;
}

static mms_status describe(const char *path, bool verifies, mms_error *error) {
  char magic[8];
  mms_array array = {0};
  int is_bytes = 0;
  mms_status status = read_magic(path, magic, error);
  if (status != MMS_OK) return status;
  if (memcmp(magic, hdf5_magic, 8) == 0) return describe_hdf5(path, verifies, error);
  if (memcmp(magic, npy_magic, 6) == 0) {
    status = mms_npy_read(&array, path, error);
    return status == MMS_OK ? describe_array(path, "NumPy array", &array) : status;
  }
  if (mms_idx_recognise(path)) {
    status = mms_idx_read(&array, path, &is_bytes, error);
    return status == MMS_OK ? describe_array(path, is_bytes ? "IDX array of bytes" : "IDX array", &array) : status;
  }
  return mms_fail(error, MMS_ERR_INPUT, "%s is neither HDF5 nor .npy nor IDX (with or without gzip)", path);
}

mms_status mms_command_info(mms_cli *cli, int argc, char **argv, mms_error *error) {
  bool verifies = false;
  const char *names[] = {"FILE"}, *operands[1] = {NULL};
  const mms_option options[] = {{"verify", MMS_OPTION_FLAG, &verifies}, {0}};
  mms_arguments arguments;
  mms_status status =
      mms_cli_agree(cli, mms_arguments_parse(&arguments, argc, argv, names, operands, 1, options, false, error), error);
  mms_arguments_free(&arguments);
  if (status != MMS_OK) return status;
  if (mms_cli_speaks(cli)) status = describe(operands[0], verifies, error);
  return mms_cli_agree(cli, status, error);
}
