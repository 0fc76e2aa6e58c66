/* How the schema's table is put together: rows per group of sections, each group a file. Private to schema*.c. */
#ifndef CLI_SCHEMA_ROWS_H
#define CLI_SCHEMA_ROWS_H

#include "cli/config.h"
#include "mmsold/ensemble/observables.h"

/* Rows in the order of mms_key; together the groups are the whole table. */
typedef struct mms_schema_group {
  const mms_schema_key *rows;
  int count;
} mms_schema_group;

extern const mms_schema_group mms_schema_training; /* training */
extern const mms_schema_group mms_schema_sampler;  /* sampler and score */
extern const mms_schema_group mms_schema_output;   /* output */
/* One section, and one file, per later command; a run passes these by. */
extern const mms_schema_group mms_schema_density;
extern const mms_schema_group mms_schema_converge;

extern const mms_choice mms_schema_methods[], mms_schema_schemes[]; /* of sampler.method and sampler.scheme */

#define GROUP_OF(rows)                                                                                                 \
  { rows, (int)(sizeof(rows) / sizeof(rows)[0]) }
#define AT(member) offsetof(mms_config, member)

/* Counts of rows stay below 2^48 and steps below 2^40: what the counters of the random streams hold (random.h). */
#define MOST_ROWS (((int64_t)1 << 48) - 1)
#define MOST_STEPS (((int64_t)1 << 40) - 1)

#endif
