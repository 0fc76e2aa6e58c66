/* Every key of the configuration, in one table: the reader, the resolved print, `help keys` and the README's table all
 * come from it. Private to the program. */
#ifndef CLI_SCHEMA_H
#define CLI_SCHEMA_H

#include "mmsold/base/status.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

typedef enum mms_section {
  MMS_SECTION_TRAINING,
  MMS_SECTION_SAMPLER,
  MMS_SECTION_SCORE,
  MMS_SECTION_OUTPUT,
  /* One for each later command; a run passes these by. */
  MMS_SECTION_DENSITY,
  MMS_SECTION_CONVERGE,
  MMS_SECTIONS
} mms_section;

/* In the order of the table and of every print. */
typedef enum mms_key {
  MMS_KEY_SOURCE,
  MMS_KEY_COUNT,
  MMS_KEY_THIN,
  MMS_KEY_TRAINING_SEED,
  MMS_KEY_LABELS,
  MMS_KEY_CLASS,
  MMS_KEY_COMPONENTS,
  MMS_KEY_WHITEN,
  MMS_KEY_WHITEN_TOP,
  MMS_KEY_PLACEMENT,
  MMS_KEY_METHOD,
  MMS_KEY_FRICTION,
  MMS_KEY_TILT,
  MMS_KEY_PARTICLES,
  MMS_KEY_STEPS,
  MMS_KEY_STEP_SIZE,
  MMS_KEY_SCHEME,
  MMS_KEY_RETRACTION,
  MMS_KEY_SAMPLER_SEED,
  MMS_KEY_BANDWIDTH,
  MMS_KEY_SMOOTHING,
  MMS_KEY_SMOOTHING_SAMPLES,
  MMS_KEY_NOISE,
  MMS_KEY_SHARING,
  MMS_KEY_BACKEND,
  MMS_KEY_NEAREST,
  MMS_KEY_REMAINDER,
  MMS_KEY_LINALG,
  MMS_KEY_DIRECTORY,
  MMS_KEY_PRECISION,
  MMS_KEY_SNAPSHOT_EVERY,
  MMS_KEY_TRACE_EVERY,
  MMS_KEY_OBSERVABLES,
  MMS_KEY_CHECKPOINT_MINUTES,
  MMS_KEY_KEEP_CHECKPOINTS,
  MMS_KEY_FALLBACK,
  MMS_KEY_DENSITY_SMOOTHING,
  MMS_KEY_DENSITY_POTENTIAL,
  MMS_KEY_DENSITY_SAMPLES,
  MMS_KEY_DENSITY_EXPECTATION,
  MMS_KEY_DENSITY_EXPECTATION_COUNT,
  MMS_KEY_DENSITY_CELLS,
  MMS_KEY_DENSITY_EXTENT,
  MMS_KEY_DENSITY_TEST,
  MMS_KEY_DENSITY_TEST_COUNT,
  MMS_KEY_DENSITY_SEED,
  MMS_KEY_CONVERGE_PARTICLES,
  MMS_KEY_CONVERGE_STEP_SIZE,
  MMS_KEY_CONVERGE_SMOOTHING_SAMPLES,
  MMS_KEY_CONVERGE_STEPS,
  MMS_KEY_CONVERGE_COUNT,
  MMS_KEY_CONVERGE_NEAREST,
  MMS_KEY_CONVERGE_METHOD,
  MMS_KEY_CONVERGE_SCHEME,
  MMS_KEY_CONVERGE_SEEDS,
  MMS_KEY_CONVERGE_OBSERVABLES,
  MMS_KEY_CONVERGE_BURN_IN,
  MMS_KEY_CONVERGE_REFERENCE,
  MMS_KEY_CONVERGE_DIRECTIONS,
  MMS_KEYS
} mms_key;

typedef enum mms_key_type {
  MMS_TYPE_INTEGER,
  MMS_TYPE_SEED, /* an integer 0 … 2^64 − 1 */
  MMS_TYPE_REAL,
  MMS_TYPE_REAL_OR_AUTO,
  MMS_TYPE_TEXT,
  MMS_TYPE_CHOICE
} mms_key_type;

/* One word a choice key accepts. */
typedef struct mms_choice {
  const char *name; /* NULL ends a list */
  int value;        /* of the enumeration the key is stored in */
} mms_choice;

typedef struct mms_schema_key {
  mms_key key;
  mms_section section;
  const char *name;
  mms_key_type type;         /* of a list: of its elements, integers, reals or choices */
  bool list;                 /* one or more values, in the order given */
  bool distinct;             /* lists: no value twice */
  const char *meaning;       /* one line */
  const char *unit;          /* "" where it has none */
  const char *default_text;  /* read by the same reader; NULL: none (required, unset, or default_words) */
  const char *default_words; /* how help says it where it isn't a fixed value */
  bool required;
  int64_t least, most;       /* integers */
  double above;              /* reals: value > above, or >= above where `at_least` */
  bool at_least;             /* reals */
  bool even;                 /* integers: only even values */
  const mms_choice *choices; /* choices */
  size_t offset;             /* where in mms_config the value goes (a list: a pointer); 0: nowhere */
  size_t auto_offset;        /* MMS_TYPE_REAL_OR_AUTO: where the bool goes */
  size_t count_offset;       /* lists: where the int64_t goes */
} mms_schema_key;

/* The table's row, how many rows it has (MMS_KEYS, or a test says which is missing), and a section's name. Local. */
const mms_schema_key *mms_schema(mms_key key);
int mms_schema_rows(void);
const char *mms_schema_section(mms_section section);

/* The section of this name, or MMS_SECTIONS; the key of this name in a section, or MMS_KEYS. Local. */
mms_section mms_schema_find_section(const char *name, size_t length);
mms_key mms_schema_find(mms_section section, const char *name);

/* The sections of INTERFACE.md's later commands: known words, refused as not built. Local. */
bool mms_schema_section_is_planned(const char *name);
/* A section that only the command of its name looks at. Local. */
bool mms_schema_section_is_command(mms_section section);
/* "training, sampler, score and output" with all there are. Local. */
void mms_schema_section_list(char *out, size_t size);

/* "section.key" into out. Local. */
void mms_schema_path(mms_key key, char *out, size_t size);
/* What a key accepts, and what one element of its list does, in words: "an integer, 1 or more". Local. */
void mms_schema_accepts(mms_key key, char *out, size_t size);
void mms_schema_accepts_one(mms_key key, char *out, size_t size);
/* What the nearest right key to a wrong one is ("sampler.steps"), or false where nothing is near. Local. */
bool mms_schema_nearest(const char *section, const char *name, char *out, size_t size);

/* `help keys`, for people, and as a Markdown table between marker lines. Local. */
void mms_schema_print(FILE *out);
void mms_schema_print_markdown(FILE *out);

#endif
