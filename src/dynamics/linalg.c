/* Where the d × d algebra is done. */
#include "dynamics/method.h"
#include <stdio.h>

/* What the target and the constraint of a rank hold of d × d doubles where they are whole: three matrices, seven, the
 * totals of a step (2), and their exact sums at three words each, of a step and of a plain retraction (6 + 1.5). */
static const double WHOLE_MATRICES = 19.5;

/* auto spreads them from here on (and not for speed: see README). */
static const double AUTO_BYTES = 1073741824.0; /* 1 GiB a rank: d = 2,624 */

mms_status mms_method_choose_linalg(const mms_dynamics_context *context, const mms_method_table *method,
                                    mms_linalg *linalg, char *reason, size_t size, mms_error *error) {
  const double mib = 1048576.0, d = (double)context->training->dim;
  const double bytes = WHOLE_MATRICES * d * d * (double)sizeof(double);
  const int ranks = mms_team_size(context->team);
  const mms_linalg asked = context->sampler.linalg;
  *linalg = asked;
  if (asked == MMS_LINALG_DISTRIBUTED && method->map == NULL)
    return mms_fail(error, MMS_ERR_INPUT,
                    "score.linalg: distributed is for sampler.method: mmsold; %s works with whole d x d matrices: give "
                    "auto or replicated",
                    method->name);
  if (asked == MMS_LINALG_AUTO)
    *linalg = method->map != NULL && ranks > 1 && bytes >= AUTO_BYTES ? MMS_LINALG_DISTRIBUTED : MMS_LINALG_REPLICATED;
  const char *how = asked == MMS_LINALG_AUTO ? "auto" : "as given";
  if (*linalg == MMS_LINALG_DISTRIBUTED)
    snprintf(
        reason, size,
        "distributed over %d rank%s (%s: whole d x d matrices would take %.0f MiB a rank); the last bits depend on "
        "the number of ranks",
        ranks, ranks == 1 ? "" : "s", how, bytes / mib);
  else if (asked == MMS_LINALG_AUTO && bytes >= AUTO_BYTES)
    snprintf(reason, size, "replicated (auto: %s), %.0f MiB of d x d matrices a rank",
             ranks == 1 ? "one rank" : "this method knows no other", bytes / mib);
  else
    snprintf(reason, size, "replicated (%s), %.3g MiB of d x d matrices a rank", how, bytes / mib);
  return MMS_OK;
}
