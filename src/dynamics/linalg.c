/* Where the d × d algebra is done. */
#include "dynamics/method.h"
#include <stdio.h>

/* What the target and the constraint of a rank hold of d × d doubles where they are whole: three matrices, two, and
 * their exact sums at two words each, of a step and of a plain retraction (4 + 1), where the rest of the algebra is
 * done in place. The third word that sums have beyond 65,536 blocks and the polar retraction's own are left out, so
 * that the rule is one of d alone. */
static const double WHOLE_MATRICES = 10.0;

mms_status mms_method_choose_linalg(const mms_dynamics_context *context, const mms_method_table *method,
                                    mms_linalg *linalg, char *reason, size_t size, mms_error *error) {
  const double mib = 1048576.0, d = (double)context->training->dim;
  const double bytes = WHOLE_MATRICES * d * d * (double)sizeof(double);
  const int ranks = mms_team_size(context->team);
  const mms_linalg asked = context->sampler.linalg;
  if (asked == MMS_LINALG_DISTRIBUTED && method->map == NULL)
    return mms_fail(error, MMS_ERR_INPUT,
                    "score.linalg: distributed is for sampler.method: mmsold; %s works with whole d x d matrices: give "
                    "auto or replicated",
                    method->name);
  const bool large = mms_linalg_spreads(MMS_LINALG_AUTO, 2, bytes);
  *linalg =
      method->map != NULL && mms_linalg_spreads(asked, ranks, bytes) ? MMS_LINALG_DISTRIBUTED : MMS_LINALG_REPLICATED;
  const char *how = asked == MMS_LINALG_AUTO ? "auto" : "as given";
  if (*linalg == MMS_LINALG_DISTRIBUTED)
    snprintf(
        reason, size,
        "distributed over %d rank%s (%s: whole d x d matrices would take %.0f MiB a rank); the last bits depend on "
        "the number of ranks",
        ranks, ranks == 1 ? "" : "s", how, bytes / mib);
  else if (asked == MMS_LINALG_AUTO && large)
    snprintf(reason, size, "replicated (auto: %s), %.0f MiB of d x d matrices a rank",
             ranks == 1 ? "one rank" : "this method knows no other", bytes / mib);
  else
    snprintf(reason, size, "replicated (%s), %.3g MiB of d x d matrices a rank", how, bytes / mib);
  return MMS_OK;
}
