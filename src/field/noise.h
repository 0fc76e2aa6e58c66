/* The smoothing noise ε of a query row. The float value IS the noise: every backend converts it exactly. */
#ifndef FIELD_NOISE_H
#define FIELD_NOISE_H

#include "mmsold/field/field.h"
#include "mmsold/random/random.h"

/* The key of a row's numbers: (seed, stream, step or 0, particle | block | 0) as noise and sharing say. Local. */
mms_random_key mms_noise_key(const mms_queries *queries, int64_t row, mms_stream stream);

/* ε of pairs first .. first + pairs − 1 of row `row`: out [pairs][dim]. Component k of pair j has index
 * j·dim + k of the key (seed, smoothing, step or 0, particle | block | 0). Local; no allocation. */
void mms_noise_draw(const mms_queries *queries, int64_t row, int64_t first, int64_t pairs, int64_t dim, float *out);

/* The same of all pairs of `count` rows, at most MMS_NOISE_ROWS, made together, where each particle has its own: out
 * [count][pairs][dim]. */
enum { MMS_NOISE_ROWS = 16 };
void mms_noise_draw_rows(const mms_queries *queries, const int64_t *rows, int64_t count, int64_t dim, float *out);

#endif
