/* How much memory a run takes: what has been taken is measured, what files will take is counted. */
#ifndef RUN_MEMORY_H
#define RUN_MEMORY_H

#include "mmsold/base/memory_use.h"
#include "mmsold/base/status.h"
#include "mmsold/parallel/team.h"
#include <stdbool.h>

/* This rank's memory from the run's beginning on, in bytes; pages that k processes share count as 1/k each. All 0 where
 * the system does not say. */
typedef struct mms_memory_watch {
  mms_memory_use last; /* at the last look */
  double libraries;    /* what there was before the run began */
  double most;         /* the largest so far */
} mms_memory_watch;

/* The run begins: what there is now are the program and its libraries. Local. */
void mms_memory_watch_begin(mms_memory_watch *watch);
/* A part of the run is over: its preparation, or steps. What was taken and given back since the last look is known from
 * the system's high-water mark. Local. */
void mms_memory_watch_look(mms_memory_watch *watch, const mms_team *team, bool preparing);

/* Where a run writes `rows` particles a rank of `dim` coordinates, which are `data_dim` in the data's own and stored in
 * `bytes` bytes each: what that takes besides what there is. Local. */
double mms_memory_of_files(int64_t rows, int64_t block, int64_t dim, int64_t data_dim, int64_t bytes);

/* The line that states a run's peak, made of what was seen so far and of `files` to come; of the largest rank and of
 * all together. "" where the system does not say. Freed with free(). Collective. */
mms_status mms_memory_describe(const mms_memory_watch *watch, const mms_team *team, double files, char **text,
                               mms_error *error);

#endif
