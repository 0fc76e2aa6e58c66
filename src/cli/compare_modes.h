/* The modes of a run's source, for `mmsold compare`. Private to the program; all Local. */
#ifndef CLI_COMPARE_MODES_H
#define CLI_COMPARE_MODES_H

#include "mmsold/study/modes.h"

/* Samples of a run whose source has known modes, and the training points they were made from. */
typedef struct mms_modes_report {
  bool has; /* false: not such a file; the rest is empty */
  const char *source;
  mms_modes modes;
  mms_mode_counts particles, training;
  double training_share[MMS_MODES_MOST];
  mms_chi_square against_weights, against_training;
} mms_modes_report;

/* Look at `path`, the samples of a run ("FILE.h5" or "FILE.h5:/samples"); any other source: has = false. Its training
 * set is made again from the configuration in the file. */
mms_status mms_modes_look(mms_modes_report *report, const char *path, uint64_t seed, mms_error *error);

/* The members of a JSON object, each after ", "; and a table. Nothing where there are no modes. */
void mms_modes_print_json(const mms_modes_report *report);
void mms_modes_print_table(const mms_modes_report *report);

#endif
