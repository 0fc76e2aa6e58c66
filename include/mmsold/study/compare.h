/* Two point sets from files, compared (`mmsold compare A B`). */
#ifndef MMSOLD_STUDY_COMPARE_H
#define MMSOLD_STUDY_COMPARE_H

#include "mmsold/base/status.h"
#include <stdbool.h>
#include <stdint.h>

/* Every quantity of ALGORITHMS 9; `has_...` false where it does not apply, with the reason. */
typedef struct mms_comparison {
  int64_t count_a, count_b, dim;
  double sw2;
  double sw2_reference; /* SW2 between two random halves of B: what sampling noise alone gives at that size */
  bool has_kid;
  double kid, kid_stderr;
  bool has_manifold; /* precision, recall, coverage: need more than 3 points each */
  double precision, recall, coverage;
  bool has_duplicates;
  double duplicate_rate, duplicate_threshold;
  bool has_defects;
  double mean_defect, covariance_defect; /* A's `/latent` against its own `/target`, else A against B's moments */
  bool defects_against_target;
} mms_comparison;

/* A: the generated set, B: the reference (training or target) set, both file sources as in mms_points_read
 * (`samples.h5` means its `/samples`, a `prepare` file its `/training` in the data's coordinates). Local. MMS_ERR_INPUT
 * where the column counts differ (both named). */
mms_status mms_compare_files(mms_comparison *comparison, const char *a, const char *b, int64_t directions,
                             uint64_t seed, mms_error *error);

#endif
