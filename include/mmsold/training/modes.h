/* Mixtures whose modes are known: the sources that show whether samples find all of them. */
#ifndef MMSOLD_TRAINING_MODES_H
#define MMSOLD_TRAINING_MODES_H

#include <stdbool.h>
#include <stdint.h>

enum { MMS_MODES_MOST = 25 };

/* A mixture of round Gaussians in the plane. */
typedef struct mms_modes {
  int64_t count;
  double centre[MMS_MODES_MOST][2];
  double width[MMS_MODES_MOST];  /* standard deviation along every direction */
  double weight[MMS_MODES_MOST]; /* they add up to 1 */
} mms_modes;

/* The modes of a source: gaussians (8 on a ring), grid (25), clusters (2, unequal). False for any other. Local. */
bool mms_modes_of(mms_modes *modes, const char *source);

#endif
