/* What this process takes of the machine's memory; for reports. */
#ifndef MMSOLD_BASE_MEMORY_USE_H
#define MMSOLD_BASE_MEMORY_USE_H

/* Bytes, as Linux's /proc says; all 0 where it does not. */
typedef struct mms_memory_use {
  double share;    /* a page that k processes use counts as 1/k of one (PSS) */
  double resident; /* every page in full */
  double shared;   /* of these, pages of files and of shared memory */
  double most;     /* the largest `resident` so far */
} mms_memory_use;

/* Takes about a microsecond for each page. Local. */
mms_memory_use mms_memory_use_read(void);

#endif
