#include "mmsold/base/version.h"
#include "cli/arguments.h"
#include "cli/command.h"
#include "mmsold/field/field.h"
#include "mmsold/linalg/dense.h"
#include "mmsold/linalg/distributed.h"
#include "mmsold/parallel/team.h"
#include "mmsold/picture/picture.h"
#include "mmsold/store/arrays.h"
#include "mmsold/store/h5.h"

#include <stdio.h>
#include <yaml.h>

mms_status mms_command_version(mms_cli *cli, int argc, char **argv, mms_error *error) {
  const mms_option options[] = {{0}};
  mms_arguments arguments;
  mms_status status =
      mms_cli_agree(cli, mms_arguments_parse(&arguments, argc, argv, NULL, NULL, 0, options, false, error), error);
  mms_arguments_free(&arguments);
  if (status != MMS_OK || !mms_cli_speaks(cli)) return status;
  char mpi[128];
  char gnuplot[128];
  mms_picture_gnuplot(gnuplot, sizeof gnuplot);
  mms_world_library(mpi, sizeof mpi);
  printf("mmsold %s (commit %s)\n", mms_version(), mms_version_commit());
  printf("kernels  %s\n", mms_field_kernels());
  printf("MPI      %s\n", mpi);
  printf("HDF5     %s\n", mms_h5_library_version());
  printf("BLAS     %s\n", mms_dense_library());
  printf("linalg   %s\n", mms_distributed_library());
  printf("libyaml  %s\n", yaml_get_version_string());
  printf("libpng   %s\n", mms_picture_libpng());
  printf("zlib     %s\n", mms_idx_zlib());
  printf("gnuplot  %s\n", gnuplot);
  return MMS_OK;
}
