#include "mmsold/linalg/dense.h"

#include <cblas.h>

const char *mms_dense_library(void) { return openblas_get_config(); }
