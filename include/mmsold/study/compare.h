/* Two point sets from files, compared (`mmsold compare A B`). */
#ifndef MMSOLD_STUDY_COMPARE_H
#define MMSOLD_STUDY_COMPARE_H

#include "mmsold/base/matrix.h"
#include "mmsold/base/status.h"
#include <stdbool.h>
#include <stdint.h>

/* Every quantity of ALGORITHMS 9. `no_...` is NULL where the quantity applies, else the reason why it does not (a
 * constant string), and `has_...` is its short form. */
typedef struct mms_comparison {
  int64_t count_a, count_b, dim;
  double sw2;
  bool has_sw2_reference;
  double sw2_reference; /* SW2 between two random halves of B: sampling noise alone at that size; NaN if not */
  bool has_kid;         /* 50 subsets of 100 points; all points at once where a set has fewer than 100 */
  double kid, kid_stderr;
  bool has_manifold; /* precision, recall, coverage with k = 3: need more than 3 points each */
  double precision, recall, coverage;
  int64_t manifold_a, manifold_b; /* points these used: all, or a uniform subset of 50,000 drawn with the seed */
  bool has_duplicates;
  double duplicate_rate, duplicate_threshold;
  double duplicate_percentile; /* 5; 1 where B has more than 10,000 points */
  bool has_defects;
  double mean_defect, covariance_defect; /* A's `/latent` against its own `/target`, else A against B's moments */
  bool defects_against_target;
  const char *no_sw2_reference, *no_kid, *no_manifold, *no_duplicates, *no_defects;
} mms_comparison;

/* A: the generated set, B: the reference (training or target) set, both file sources as in mms_points_read
 * (`samples.h5` means its `/samples`, a `prepare` file its `/training` taken back to the data's coordinates). Where A
 * is "FILE.h5" or "FILE.h5:/samples" with `/latent` and `/target` in it, the defects are those of `/latent`. Local.
 * MMS_ERR_INPUT where the column counts differ (both named). */
mms_status mms_compare_files(mms_comparison *comparison, const char *a, const char *b, int64_t directions,
                             uint64_t seed, mms_error *error);

/* The counts and `sw2` alone, which cost n log n where the others cost the product of the sizes. Local; errors as
 * above. */
mms_status mms_compare_sliced(mms_comparison *comparison, const char *a, const char *b, int64_t directions,
                              uint64_t seed, mms_error *error);

/* mms_compare_files for sets in memory; defects of A against B's moments. Local. */
mms_status mms_compare_sets(mms_comparison *comparison, const mms_matrix *a, const mms_matrix *b, int64_t directions,
                            uint64_t seed, mms_error *error);

#endif
