/* The ladders and seeds of `converge`. */
#include "cli/schema_rows.h"

static const mms_schema_key rows[] = {
    {.key = MMS_KEY_CONVERGE_PARTICLES,
     .section = MMS_SECTION_CONVERGE,
     .name = "particles",
     .type = MMS_TYPE_INTEGER,
     .list = true,
     .distinct = true,
     .meaning = "ladder of sampler.particles",
     .unit = "particles",
     .default_words = "sampler.particles alone",
     .least = 1,
     .most = MOST_ROWS},
    {.key = MMS_KEY_CONVERGE_STEP_SIZE,
     .section = MMS_SECTION_CONVERGE,
     .name = "step_size",
     .type = MMS_TYPE_REAL,
     .list = true,
     .distinct = true,
     .meaning = "ladder of sampler.step_size",
     .unit = "time",
     .default_words = "sampler.step_size alone",
     .above = 0.0},
};

const mms_schema_group mms_schema_converge = GROUP_OF(rows);
