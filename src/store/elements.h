/* Numbers as array files hold them, and their way to double. Private. */
#ifndef STORE_ELEMENTS_H
#define STORE_ELEMENTS_H

#include <stdbool.h>
#include <stdint.h>

typedef enum mms_element_kind {
  MMS_ELEMENT_BOOL,
  MMS_ELEMENT_SIGNED,
  MMS_ELEMENT_UNSIGNED,
  MMS_ELEMENT_FLOAT
} mms_element_kind;

typedef struct mms_element {
  mms_element_kind kind;
  int size; /* bytes: 1, 2, 4 or 8; floats 2, 4 or 8 */
  bool big_endian;
} mms_element;

/* One element as a double (64-bit integers round to the nearest one). Local. */
double mms_element_value(mms_element element, const unsigned char *bytes);

/* `count` contiguous elements as doubles. Local. */
void mms_element_values(mms_element element, int64_t count, const unsigned char *bytes, double *out);

#endif
