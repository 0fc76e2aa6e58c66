/* The two halves of `converge`: numbers of single cells, then what they say together. Private to src/study. */
#ifndef STUDY_CONVERGE_CELLS_H
#define STUDY_CONVERGE_CELLS_H

#include "mmsold/study/converge.h"

/* Columns of a cell: the sliced and the energy distance of its snapshot, then two for each observable. */
enum { MMS_RAW_SLICED, MMS_RAW_ENERGY, MMS_RAW_FIRST_OBSERVABLE };

/* Points that stand for the limit: against sets of some thousands their own share of a distance is small, and all
 * distances among them take about a second. */
enum { MMS_MOST_REFERENCE = 20000 };

/* Truth of the observables at a rung: value and standard error, [observables]. */
typedef struct mms_truth {
  double *value, *stderr_value; /* [curves][rungs][observables]; NaN where it isn't known */
  int64_t reference_points;
  mms_matrix limit;                          /* of MMS_REFERENCE_LIMIT: points of the law, */
  double limit_value[MMS_STUDY_OBSERVABLES]; /* and its observables */
} mms_truth;

/* Fill raw [2 + 2 observables][cells] and the truth; both the same on all ranks. Collective; agreed. */
mms_status mms_converge_measure(const mms_converge_request *request, double *raw, mms_truth *truth, mms_error *error);

/* The limit law's points and observables into truth->limit and truth->limit_value. Collective; agreed. */
mms_status mms_converge_limit(const mms_converge_request *request, mms_truth *truth, mms_error *error);

/* Write everything as request->output. Rank 0 only; Local. */
mms_status mms_converge_write(const mms_converge_request *request, const mms_convergence *result, mms_error *error);

#endif
