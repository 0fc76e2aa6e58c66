#include "mmsold/base/version.h"

const char *mms_version(void) { return MMS_VERSION; }

const char *mms_version_commit(void) { return MMS_COMMIT; }
