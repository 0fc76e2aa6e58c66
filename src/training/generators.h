/* Data made rather than read (ALGORITHMS section 10). Private. */
#ifndef TRAINING_GENERATORS_H
#define TRAINING_GENERATORS_H

#include "mmsold/base/matrix.h"
#include "mmsold/training/training.h"
#include <stdbool.h>

/* Is `name` a generator? Local. */
bool mms_generator_known(const char *name);
/* Are this generator's training sets thinned unless the user says otherwise? */
bool mms_generator_thins(const char *name);
/* "checkerboard, spirals, ..." */
const char *mms_generator_names(void);
/* The generator nearest to a misspelt `name`, or NULL when none is near. */
const char *mms_generator_nearest(const char *name);

/* `rows` draws [rows][2]; row i depends on (seed, i) alone, except on the circle, whose points are equally spaced. */
mms_status mms_generator_draw(mms_matrix *points, const char *name, int64_t rows, uint64_t seed, mms_error *error);

#endif
