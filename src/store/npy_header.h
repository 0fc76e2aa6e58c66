/* The header of a .npy file: a Python dictionary literal of three keys. Private. */
#ifndef STORE_NPY_HEADER_H
#define STORE_NPY_HEADER_H

#include "mmsold/base/status.h"
#include "store/elements.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct mms_npy_header {
  mms_element element;
  bool fortran_order;
  int rank;
  int64_t dims[8];
} mms_npy_header;

/* Parse `length` bytes, e.g. {'descr': '<f8', 'fortran_order': False, 'shape': (3, 4), }. Keys in any order,
 * each exactly once; anything else is refused (MMS_ERR_INPUT) with the place. Local; no allocation. */
mms_status mms_npy_parse(mms_npy_header *header, const char *text, size_t length, mms_error *error);

#endif
