/* What a backend of the field is: a private table of functions. Shapes as in mmsold/field/field.h. */
#ifndef FIELD_BACKEND_H
#define FIELD_BACKEND_H

#include "mmsold/field/field.h"

/* What is written to the output: the mean itself, or where it lies from the query. The second is what the
 * gradient needs; taken from the first it would lose digits where the query is close to its mean. */
typedef enum mms_pull {
  MMS_PULL_MEAN,        /* k̄ */
  MMS_PULL_DISPLACEMENT /* k̄ − z */
} mms_pull;

typedef struct mms_backend_table {
  const char *name;
  /* Collective over `team`; each rank returns its own status (the caller agrees). */
  mms_status (*create)(void **state, const mms_team *team, const mms_training *training, int64_t max_rows,
                       int64_t max_pairs, mms_error *error);
  /* Local. Queries are checked: finite points, possible widths; pairs >= 1 with smoothing > 0, or pairs == 0.
   * out: [count][d]; log_mass: [count], never NULL. */
  void (*evaluate)(void *state, const mms_queries *queries, mms_pull pull, double *out, double *log_mass,
                   mms_field_counters *counters);
  /* Makes ready for many calls at this bandwidth, with smoothings up to this one; may be NULL. Local. */
  mms_status (*prepare)(void *state, double bandwidth, double smoothing, mms_error *error);
  /* Many rows at once, in whatever order suits, with the bits of `evaluate`; all may be NULL. together: it pays
   * (follows from what is the same on all ranks). reserve: room for so many rows; Local. evaluate_all: false where it
   * has to be done batch by batch; Local, allocates nothing. */
  bool (*together)(const void *state);
  mms_status (*reserve)(void *state, int64_t rows, mms_error *error);
  bool (*evaluate_all)(void *state, const mms_queries *queries, mms_pull pull, double *out, double *log_mass,
                       mms_field_counters *counters);
  void (*free)(void *state); /* Collective */
  int64_t (*bytes)(const void *state);
  int64_t (*shared_bytes)(const void *state);
} mms_backend_table;

/* Can they be asked? Local. */
mms_status mms_queries_check(const mms_queries *queries, int64_t max_rows, int64_t max_pairs, int64_t dim,
                             mms_error *error);
mms_status mms_queries_check_masses(const mms_queries *queries, const double *masses, mms_error *error);
/* Widths and pairs as the backends want them. */
mms_queries mms_queries_normal(const mms_queries *queries);
/* `count` batches that follow one another in memory and in particles, and ask the same, as one. False: they do not.
 * Local. */
bool mms_queries_join(const mms_queries *batches, int64_t count, int64_t dim, mms_queries *all);

extern const mms_backend_table mms_backend_reference;
extern const mms_backend_table mms_backend_dense;
extern const mms_backend_table mms_backend_tree;

#endif
