/* May a run with this configuration go on from files another one left? Private to run/. */
#ifndef RUN_COMPATIBLE_H
#define RUN_COMPATIBLE_H

#include "mmsold/base/status.h"

/* Compare two resolved configurations ("section:" lines with "  key: value" lines under them).
 * What may differ: `output.*`, `training.placement`, and, but for a flow, `sampler.steps`, which may grow.
 * Anything else is MMS_ERR_INPUT naming the key, both values and how to start afresh. Local. */
mms_status mms_configuration_compatible(const char *then, const char *now, const char *file, mms_error *error);

#endif
