/* A sum that keeps beside it what each addition rounds away (A. Neumaier, ZAMM 54 (1974) 39). Private to study/. */
#ifndef STUDY_CAREFUL_H
#define STUDY_CAREFUL_H

#include <math.h>

typedef struct mms_careful {
  double sum, lost;
} mms_careful;

static inline void mms_careful_add(mms_careful *to, double value) {
  const double sum = to->sum + value;
  to->lost += fabs(to->sum) >= fabs(value) ? (to->sum - sum) + value : (value - sum) + to->sum;
  to->sum = sum;
}

static inline double mms_careful_total(const mms_careful *of) { return of->sum + of->lost; }

#endif
