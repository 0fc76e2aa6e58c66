/* The table of all keys, from its groups. */
#include "cli/schema_rows.h"

static const mms_schema_group *const groups[] = {&mms_schema_training, &mms_schema_sampler, &mms_schema_output,
                                                 &mms_schema_density, &mms_schema_converge};

const mms_schema_key *mms_schema(mms_key key) {
  int at = (int)key;
  size_t g = 0;
  for (; at >= groups[g]->count; g++) at -= groups[g]->count;
  return &groups[g]->rows[at];
}

int mms_schema_rows(void) {
  int count = 0;
  for (size_t g = 0; g < sizeof groups / sizeof groups[0]; g++) count += groups[g]->count;
  return count;
}
