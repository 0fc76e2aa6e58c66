/* The table of functions behind which ways of moving stand; one file per way. Private to src/dynamics. */
#ifndef DYNAMICS_METHOD_H
#define DYNAMICS_METHOD_H

#include "mmsold/dynamics/dynamics.h"

/* What every way of moving has; a way's own state begins with it. */
struct mms_dynamics {
  const struct mms_method_table *method;
  mms_dynamics_context context; /* a copy; what it points to is borrowed */
  mms_target target;
  mms_field *field;
  mms_ensemble ensemble;
  mms_constraint *constraint;
  double step_size; /* h in use */
  int64_t step;     /* steps done */
};

/* Contracts as in dynamics.h. */
typedef struct mms_method_table {
  /* Collective; agreed; *dynamics owns what it allocated also on failure, for `free`. */
  mms_status (*create)(mms_dynamics **dynamics, const mms_dynamics_context *context, mms_error *error);
  void (*free)(mms_dynamics *dynamics);
  mms_status (*start)(mms_dynamics *dynamics, mms_error *error);
  mms_status (*step)(mms_dynamics *dynamics, const mms_step_request *request, mms_step_report *report,
                     mms_error *error);
  int64_t (*bytes)(const mms_dynamics *dynamics);
} mms_method_table;

extern const mms_method_table mms_method_mmsold; /* mmsold.c: constrained overdamped Langevin dynamics */

#endif
