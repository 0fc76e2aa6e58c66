#include "field/backend.h"

#include <math.h>

bool mms_queries_join(const mms_queries *batches, int64_t count, int64_t dim, mms_queries *all) {
  if (count < 1) return false;
  *all = batches[0];
  for (int64_t b = 1; b < count; b++) {
    const mms_queries *q = &batches[b];
    if (q->points != all->points + all->count * dim || q->first_particle != all->first_particle + all->count ||
        q->bandwidth != all->bandwidth || q->smoothing != all->smoothing || q->pairs != all->pairs ||
        q->noise != all->noise || q->sharing != all->sharing || q->seed != all->seed || q->step != all->step)
      return false;
    all->count += q->count;
  }
  return true;
}

mms_status mms_queries_check(const mms_queries *q, int64_t max_rows, int64_t max_pairs, int64_t d, mms_error *error) {
  if (q->count < 0 || q->count > max_rows || q->pairs < 0 || q->pairs > max_pairs)
    return mms_fail(error, MMS_ERR_INTERNAL,
                    "a batch of %lld rows and %lld pairs was given to a field made for at most %lld and %lld",
                    (long long)q->count, (long long)q->pairs, (long long)max_rows, (long long)max_pairs);
  double inverse = 1.0 / (q->bandwidth * q->bandwidth);
  if (!(q->bandwidth > 0.0) || !isnormal(inverse))
    return mms_fail(error, MMS_ERR_INPUT, "bandwidth = %g: it must be positive and its inverse square a finite number",
                    q->bandwidth);
  if (!(q->smoothing >= 0.0) || isinf(q->smoothing))
    return mms_fail(error, MMS_ERR_INPUT, "smoothing = %g: it must be finite and not negative", q->smoothing);
  for (int64_t i = 0; i < q->count * d; i++)
    if (!isfinite(q->points[i]))
      return mms_fail(error, MMS_ERR_NUMERIC, "coordinate %lld of particle %lld (row %lld of its batch) is %g",
                      (long long)(i % d), (long long)(q->first_particle + i / d), (long long)(i / d), q->points[i]);
  return MMS_OK;
}

mms_queries mms_queries_normal(const mms_queries *queries) {
  mms_queries q = *queries;
  if (q.smoothing == 0.0) q.pairs = 0; /* all draws would be the same */
  if (q.pairs == 0) q.smoothing = 0.0;
  return q;
}

mms_status mms_queries_check_masses(const mms_queries *q, const double *masses, mms_error *error) {
  for (int64_t row = 0; row < q->count; row++)
    if (!isfinite(masses[row]))
      return mms_fail(error, MMS_ERR_NUMERIC,
                      "particle %lld (row %lld of its batch) is too far from the training set: its log-mass is %g",
                      (long long)(q->first_particle + row), (long long)row, masses[row]);
  return MMS_OK;
}
