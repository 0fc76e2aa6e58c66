/* Where the first particle is: what Y of a checkpoint means hangs on the factor of the covariance that this program
 * finds, and eigenvectors of alike eigenvalues are another processor's, or another library's, to choose. Private to
 * run/. */
#ifndef RUN_ANCHOR_H
#define RUN_ANCHOR_H

#include "run/session.h"

/* Write `/position` [1][d], Z of particle 0, beside the state. Collective; agreed. */
mms_status mms_anchor_write(mms_session *session, mms_h5 *file, mms_error *error);

/* Is the state, which has been read, the one that was written? MMS_ERR_INPUT where particle 0 is elsewhere now. A file
 * without `/position` is not looked at. Collective; agreed. */
mms_status mms_anchor_check(mms_session *session, mms_h5 *file, const char *path, mms_error *error);

#endif
