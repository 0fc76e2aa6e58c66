/* A configuration: read from text, checked, resolved, printed. Private to the program. */
#ifndef CLI_CONFIG_H
#define CLI_CONFIG_H

#include "cli/schema.h"
#include "mmsold/base/log.h"
#include "mmsold/dynamics/dynamics.h"
#include "mmsold/field/field.h"
#include "mmsold/parallel/team.h"
#include "mmsold/run/run.h"
#include "mmsold/study/density.h"
#include "mmsold/training/training.h"

/* Where a value was read. */
typedef struct mms_place {
  int line, column; /* 1-based; line 0: not in the file (default or command line) */
  bool command_line;
} mms_place;

/* One key's value as it was given, already checked against its own row of the schema. Owns `text` and `elements`. */
typedef struct mms_value {
  bool set;   /* given, in the file or on the command line */
  bool known; /* given or by default: the members below mean something */
  mms_place place;
  char *text; /* as written */
  int64_t integer;
  uint64_t seed;
  double real;
  bool is_auto;
  int choice; /* index into the choices */
  /* A list's: int64_t, double or the int of a choice (its `value`), [count]. */
  void *elements;
  int64_t count;
} mms_value;

/* One element of a list as it was given; borrows `text`. */
typedef struct mms_element {
  const char *text;
  bool plain;
  mms_place place;
} mms_element;

/* Owns its strings; the options borrow them. */
typedef struct mms_config {
  char *name; /* the file's name, for messages. The first member: an offset of 0 is nobody's */
  mms_training_options training;
  mms_score_options score;
  mms_sampler_options sampler;
  mms_output_options output;
  mms_density_options density;
  mms_value values[MMS_KEYS];
  mms_place sections[MMS_SECTIONS]; /* where each section began; line 0: not there */
} mms_config;

/* Bits of `needs`: sections whose required keys must be there. Those of other commands are read, checked and then
 * passed by: they are not part of the resolved configuration. */
enum {
  MMS_NEEDS_TRAINING = 1 << MMS_SECTION_TRAINING,
  MMS_NEEDS_SAMPLER = 1 << MMS_SECTION_SAMPLER,
  MMS_NEEDS_SCORE = 1 << MMS_SECTION_SCORE,
  MMS_NEEDS_DENSITY = 1 << MMS_SECTION_DENSITY,
  MMS_NEEDS_CONVERGE = 1 << MMS_SECTION_CONVERGE
};

/* A configuration out of `text` (called `name` in messages) and `overrides` (each "section.key=value"),
 * checked and resolved. Messages are "name:line:column: …" or "command line: --section.key=value: …".
 * Local. MMS_ERR_INPUT; on failure *config is empty. Free with mms_config_free. */
mms_status mms_config_parse(mms_config *config, const char *text, const char *name, const char *const *overrides,
                            int override_count, unsigned needs, mms_error *error);

/* The same from a file: rank 0 reads it, all ranks parse the same text. Collective; agreed. */
mms_status mms_config_read(mms_config *config, const mms_team *team, const char *path, const char *const *overrides,
                           int override_count, unsigned needs, mms_error *error);
void mms_config_free(mms_config *config);

/* The resolved configuration as text that reads back to the same: every key with a value, defaults too. The `needs`
 * of the reading decide nothing here: a required key that was not asked for is left out. *text is freed with
 * free(). Local. */
mms_status mms_config_write(const mms_config *config, char **text, mms_error *error);
/* The same without defaults, which may be others where a key is changed. Local. */
mms_status mms_config_write_given(const mms_config *config, char **text, mms_error *error);

/* Say what is odd but allowed. Local. */
void mms_config_warn(const mms_config *config, mms_log *log);

/* --- steps of the reading, each a file --------------------------------------------------------- */

/* Take one value, `plain` as written without quotes, for a key; checks type and range. A list is written
 * "a, b, c", with or without brackets around it. Local. */
mms_status mms_config_set(mms_config *config, mms_key key, const char *text, bool plain, mms_place place,
                          mms_error *error);
/* The same for a list given element by element, beginning at `place`. Local. */
mms_status mms_config_set_list(mms_config *config, mms_key key, const mms_element *elements, int64_t count,
                               mms_place place, mms_error *error);
enum { MMS_MOST_ELEMENTS = 1000 }; /* of a list: more is no ladder anybody reads */
/* Check one value of a key, or one element of its list, and put it into *value; the rest of it stays. Local. */
mms_status mms_config_accept(const mms_config *config, mms_key key, const char *text, bool plain, mms_place place,
                             mms_value *value, mms_error *error);
/* Take the list that the key's `text` says, parted by commas (config_list.c). Local. */
mms_status mms_config_split(mms_config *config, mms_key key, mms_place place, mms_error *error);
/* Read YAML text into values (reader.c). Local. */
mms_status mms_config_read_yaml(mms_config *config, const char *text, mms_error *error);
/* Take one "section.key=value" from the command line. Local. */
mms_status mms_config_override(mms_config *config, const char *override, mms_error *error);
/* Defaults, what must agree between keys, and the options structs (resolve.c). Local. */
mms_status mms_config_resolve(mms_config *config, unsigned needs, mms_error *error);
/* Refuse keys and schemes that sampler.method does not know, drop their defaults, find the scheme's
 * (resolve_method.c). Local. */
mms_status mms_config_resolve_method(mms_config *config, mms_error *error);
/* An MMS_ERR_INPUT that begins with where the value stands and which key it is. Local. */
mms_status mms_config_refuse(const mms_config *config, mms_key key, mms_place place, mms_error *error,
                             const char *format, ...) __attribute__((format(printf, 5, 6)));

#endif
