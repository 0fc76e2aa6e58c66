/* What every cmocka test includes: cmocka's own preliminaries in their order, and a few helpers. */
#ifndef TESTS_SUPPORT_H
#define TESTS_SUPPORT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "mmsold/base/status.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

/* Fail with our message where a call that must work did not. */
static inline void expect_ok(mms_status status, const mms_error *error) {
  if (status != MMS_OK) fail_msg("status %d: %s", (int)status, error->message);
}

/* |a − b| ≤ tolerance, and neither is NaN. */
static inline void expect_near(double a, double b, double tolerance) {
  if (!(fabs(a - b) <= tolerance)) fail_msg("%.17g is not within %.3g of %.17g", a, tolerance, b);
}

/* The call failed with this status, and its message names `part`. */
static inline void expect_refused(mms_status status, mms_status wanted, const mms_error *error, const char *part) {
  if (status != wanted) fail_msg("status %d instead of %d (%s)", (int)status, (int)wanted, error->message);
  if (strstr(error->message, part) == NULL) fail_msg("the message \"%s\" does not name \"%s\"", error->message, part);
}

#endif
