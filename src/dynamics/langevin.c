/* Plain overdamped Langevin dynamics dY = −∇V dt + √2 dB: MM-SOLD's step in MM-SOLD's coordinates without projection
 * and retraction, so every particle for itself. Its law is exp(−V), whose moments are not the target's once V is
 * smoothed. lm-corrected is not offered: it undoes a bias that only the retraction has (ALGORITHMS 3, "Bias"). */
#include "dynamics/overdamped.h"

const mms_method_table mms_method_langevin = {
    .name = "langevin",
    .size = sizeof(mms_overdamped),
    .parts = true,
    .schemes = 1U << MMS_SCHEME_LM | 1U << MMS_SCHEME_EM | 1U << MMS_SCHEME_EXPONENTIAL,
    .factor = mms_overdamped_factor,
    .prepare = mms_overdamped_prepare,
    .free = mms_overdamped_free,
    .start = mms_overdamped_start,
    .block = mms_overdamped_block,
    .describe = mms_overdamped_describe,
    .bytes = mms_overdamped_bytes,
};
