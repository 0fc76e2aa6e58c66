/* MM-SOLD: overdamped Langevin dynamics of the whole ensemble on the moment manifold (ALGORITHMS 2 and 3). */
#include "dynamics/overdamped.h"

const mms_method_table mms_method_mmsold = {
    .name = "mmsold",
    .size = sizeof(mms_overdamped),
    .constrained = true,
    .parts = true,
    .schemes = 1U << MMS_SCHEME_LM | 1U << MMS_SCHEME_LM_CORRECTED | 1U << MMS_SCHEME_EM | 1U << MMS_SCHEME_EXPONENTIAL,
    .factor = mms_overdamped_factor,
    .prepare = mms_overdamped_prepare,
    .free = mms_overdamped_free,
    .start = mms_overdamped_start,
    .block = mms_overdamped_block,
    .front = mms_overdamped_front,
    .map = mms_overdamped_map,
    .back = mms_overdamped_back,
    .describe = mms_overdamped_describe,
    .bytes = mms_overdamped_bytes,
};
