/* Which mmsold this is. */
#ifndef MMSOLD_BASE_VERSION_H
#define MMSOLD_BASE_VERSION_H

/* "0.1.0", and the commit it was built from ("unknown" outside a git checkout). Local. */
const char *mms_version(void);
const char *mms_version_commit(void);

#endif
