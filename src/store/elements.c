#include "store/elements.h"

#include <math.h>
#include <string.h>

static uint64_t bits_of(mms_element element, const unsigned char *bytes) {
  uint64_t bits = 0;
  for (int i = 0; i < element.size; i++) {
    int at = element.big_endian ? i : element.size - 1 - i;
    bits = (bits << 8) | bytes[at];
  }
  return bits;
}

/* IEEE 754 binary16: sign 1, exponent 5 (bias 15), fraction 10. */
static double half_value(uint64_t bits) {
  int exponent = (int)((bits >> 10) & 31);
  double fraction = (double)(bits & 1023);
  double size;
  if (exponent == 31)
    size = fraction == 0 ? (double)INFINITY : (double)NAN;
  else if (exponent == 0)
    size = ldexp(fraction, -24);
  else
    size = ldexp(fraction + 1024, exponent - 25);
  return (bits >> 15) ? -size : size;
}

static double float_value(int size, uint64_t bits) {
  if (size == 2) return half_value(bits);
  if (size == 4) {
    uint32_t narrow = (uint32_t)bits;
    float value;
    memcpy(&value, &narrow, sizeof value);
    return (double)value;
  }
  double value;
  memcpy(&value, &bits, sizeof value);
  return value;
}

static double signed_value(int size, uint64_t bits) {
  uint64_t sign = UINT64_C(1) << (8 * size - 1);
  if ((bits & sign) == 0) return (double)bits;
  uint64_t magnitude = size == 8 ? ~bits + 1 : 2 * sign - bits; /* two's complement */
  return -(double)magnitude;
}

double mms_element_value(mms_element element, const unsigned char *bytes) {
  uint64_t bits = bits_of(element, bytes);
  switch (element.kind) {
  case MMS_ELEMENT_BOOL:
    return bits != 0 ? 1.0 : 0.0;
  case MMS_ELEMENT_SIGNED:
    return signed_value(element.size, bits);
  case MMS_ELEMENT_UNSIGNED:
    return (double)bits;
  case MMS_ELEMENT_FLOAT:
    break;
  }
  return float_value(element.size, bits);
}

/* Are these doubles as this machine has them? */
static bool is_native(mms_element element) {
  const uint16_t one = 1;
  unsigned char first;
  memcpy(&first, &one, 1);
  return element.kind == MMS_ELEMENT_FLOAT && element.size == (int)sizeof(double) && element.big_endian == (first == 0);
}

void mms_element_values(mms_element element, int64_t count, const unsigned char *bytes, double *out) {
  if (element.kind == MMS_ELEMENT_UNSIGNED && element.size == 1) { /* images: the common large case */
    for (int64_t i = 0; i < count; i++) out[i] = bytes[i];
    return;
  }
  if (is_native(element)) {
    memcpy(out, bytes, (size_t)count * sizeof *out);
    return;
  }
  for (int64_t i = 0; i < count; i++) out[i] = mms_element_value(element, bytes + i * element.size);
}
