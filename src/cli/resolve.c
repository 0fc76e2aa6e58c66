/* From values as given to options: defaults, what must agree between keys. */
#include "cli/config.h"

#include "mmsold/base/memory.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Choices are stored through memcpy as an int: that is what every enumeration here is. */
_Static_assert(sizeof(mms_thin) == sizeof(int) && sizeof(mms_whiten) == sizeof(int) &&
                   sizeof(mms_placement) == sizeof(int) && sizeof(mms_method) == sizeof(int) &&
                   sizeof(mms_scheme) == sizeof(int) && sizeof(mms_retraction) == sizeof(int) &&
                   sizeof(mms_noise) == sizeof(int) && sizeof(mms_sharing) == sizeof(int) &&
                   sizeof(mms_backend) == sizeof(int) && sizeof(mms_density_rule) == sizeof(int) &&
                   sizeof(mms_precision) == sizeof(int) && sizeof(mms_linalg) == sizeof(int),
               "an enumeration is not an int");

_Static_assert(offsetof(mms_config, name) == 0, "an offset of 0 in the schema means nowhere");

static const mms_value *value_of(const mms_config *config, mms_key key) { return &config->values[key]; }

static const char *choice_of(const mms_config *config, mms_key key) {
  const mms_value *value = value_of(config, key);
  return value->known ? mms_schema(key)->choices[value->choice].name : "";
}

/* All required keys that are missing, in one message. */
static mms_status check_required(const mms_config *config, unsigned needs, mms_error *error) {
  char missing[512] = "";
  int count = 0;
  for (int k = 0; k < MMS_KEYS; k++) {
    const mms_schema_key *row = mms_schema((mms_key)k);
    if (!row->required || (needs & 1U << row->section) == 0 || value_of(config, (mms_key)k)->set) continue;
    char path[64];
    mms_schema_path((mms_key)k, path, sizeof path);
    size_t used = strlen(missing);
    snprintf(missing + used, sizeof missing - used, "%s%s", count++ > 0 ? ", " : "", path);
  }
  if (count == 0) return MMS_OK;
  return mms_fail(error, MMS_ERR_INPUT, "%s: required and missing: %s (mmsold help keys says what %s)", config->name,
                  missing, count == 1 ? "it means" : "they mean");
}

static mms_status check_training(const mms_config *config, mms_error *error) {
  const mms_value *source = value_of(config, MMS_KEY_SOURCE), *count = value_of(config, MMS_KEY_COUNT);
  const mms_value *labels = value_of(config, MMS_KEY_LABELS), *label = value_of(config, MMS_KEY_CLASS);
  const mms_value *top = value_of(config, MMS_KEY_WHITEN_TOP), *whiten = value_of(config, MMS_KEY_WHITEN);
  const mms_value *components = value_of(config, MMS_KEY_COMPONENTS);
  if (label->set && !labels->set)
    return mms_config_refuse(config, MMS_KEY_CLASS, label->place, error,
                             "a class is looked up in labels: give training.labels too");
  if (labels->set && !label->set)
    return mms_config_refuse(config, MMS_KEY_LABELS, labels->place, error,
                             "labels choose rows by their class: give training.class too");
  bool whitens = strcmp(choice_of(config, MMS_KEY_WHITEN), "none") != 0;
  if (top->set && !whitens)
    return mms_config_refuse(config, MMS_KEY_WHITEN_TOP, top->place, error,
                             "nothing is whitened: give training.whiten (cap or full) too, or leave it out");
  if (whitens && !top->set)
    return mms_config_refuse(config, MMS_KEY_WHITEN, whiten->place, error,
                             "give training.whiten_top too: how many leading directions");
  if (top->set && components->integer > 0 && top->integer > components->integer)
    return mms_config_refuse(config, MMS_KEY_WHITEN_TOP, top->place, error,
                             "%" PRId64 " directions of training.components = %" PRId64, top->integer,
                             components->integer);
  if (source->set && mms_source_is_drawn(source->text)) {
    if (labels->set)
      return mms_config_refuse(config, MMS_KEY_LABELS, labels->place, error,
                               "%s is generated and has no labels; leave labels and class out", source->text);
    if (count->integer == 0)
      return mms_config_refuse(config, count->set ? MMS_KEY_COUNT : MMS_KEY_SOURCE,
                               count->set ? count->place : source->place, error,
                               "%s is generated: give training.count, the number of points", source->text);
  }
  return MMS_OK;
}

/* K nearest and L others come from n points. */
static mms_status check_neighbours(const mms_config *config, mms_error *error) {
  const mms_value *nearest = value_of(config, MMS_KEY_NEAREST), *remainder = value_of(config, MMS_KEY_REMAINDER);
  int64_t count = value_of(config, MMS_KEY_COUNT)->integer;
  if (strcmp(choice_of(config, MMS_KEY_BACKEND), "neighbours") != 0) return MMS_OK;
  if (!nearest->set)
    return mms_config_refuse(config, MMS_KEY_BACKEND, value_of(config, MMS_KEY_BACKEND)->place, error,
                             "neighbours needs score.nearest, the number K of nearest points kept exactly; and "
                             "score.remainder, that of random others");
  int64_t k = nearest->integer, l = remainder->set ? remainder->integer : 0;
  if (count == 0 || k + l <= count) return MMS_OK;
  return mms_config_refuse(config, MMS_KEY_NEAREST, nearest->place, error,
                           "score.nearest = %" PRId64 " and score.remainder = %" PRId64 " are %" PRId64
                           " points of training.count = %" PRId64 "; together they may not be more",
                           k, l, k + l, count);
}

/* A section that only another command looks at. */
static bool passed_by(mms_section section, unsigned needs) {
  return mms_schema_section_is_command(section) && (needs & 1U << section) == 0;
}

static void pass_by(mms_config *config, unsigned needs) {
  for (int k = 0; k < MMS_KEYS; k++) {
    if (!passed_by(mms_schema((mms_key)k)->section, needs)) continue;
    free(config->values[k].text);
    free(config->values[k].elements);
    config->values[k] = (mms_value){0};
  }
}

static mms_status set_defaults(mms_config *config, unsigned needs, mms_error *error) {
  for (int k = 0; k < MMS_KEYS; k++) {
    const mms_schema_key *row = mms_schema((mms_key)k);
    mms_value *value = &config->values[k];
    if (value->set || row->default_text == NULL || passed_by(row->section, needs)) continue;
    mms_status status = mms_config_set(config, (mms_key)k, row->default_text, true, (mms_place){0}, error);
    if (status != MMS_OK) return status;
    value->set = false;
  }
  return MMS_OK;
}

/* The folder is called as the configuration is: config/fashion.yaml → fashion. */
static mms_status default_directory(mms_config *config, mms_error *error) {
  if (config->values[MMS_KEY_DIRECTORY].set) return MMS_OK;
  const char *slash = strrchr(config->name, '/'), *base = slash != NULL ? slash + 1 : config->name;
  const char *dot = strrchr(base, '.');
  int length = (int)(dot != NULL && dot != base ? (size_t)(dot - base) : strlen(base));
  char *name = NULL;
  mms_status status = mms_format_text(&name, error, "%.*s", length, base);
  if (status == MMS_OK) status = mms_config_set(config, MMS_KEY_DIRECTORY, name, false, (mms_place){0}, error);
  config->values[MMS_KEY_DIRECTORY].set = false;
  free(name);
  return status;
}

/* Defaults that depend on other keys. */
static mms_status dependent_defaults(mms_config *config, mms_error *error) {
  const mms_value *source = value_of(config, MMS_KEY_SOURCE);
  if (source->set && !value_of(config, MMS_KEY_THIN)->set) {
    bool thins = strcmp(source->text, "checkerboard") == 0 || strcmp(source->text, "spirals") == 0;
    mms_status status = mms_config_set(config, MMS_KEY_THIN, thins ? "farthest" : "none", true, (mms_place){0}, error);
    if (status != MMS_OK) return status;
    config->values[MMS_KEY_THIN].set = false;
  }
  return default_directory(config, error);
}

static void bind(mms_config *config) {
  config->training.label = -1;
  for (int k = 0; k < MMS_KEYS; k++) {
    const mms_schema_key *row = mms_schema((mms_key)k);
    const mms_value *value = &config->values[k];
    if (!value->known || row->offset == 0) continue;
    char *at = (char *)config + row->offset;
    const char *text = value->text;
    if (row->list) {
      memcpy(at, &value->elements, sizeof value->elements);
      memcpy((char *)config + row->count_offset, &value->count, sizeof value->count);
      continue;
    }
    switch (row->type) {
    case MMS_TYPE_INTEGER:
      memcpy(at, &value->integer, sizeof value->integer);
      break;
    case MMS_TYPE_SEED:
      memcpy(at, &value->seed, sizeof value->seed);
      break;
    case MMS_TYPE_REAL_OR_AUTO:
      memcpy((char *)config + row->auto_offset, &value->is_auto, sizeof value->is_auto);
      memcpy(at, &value->real, sizeof value->real);
      break;
    case MMS_TYPE_REAL:
      memcpy(at, &value->real, sizeof value->real);
      break;
    case MMS_TYPE_TEXT:
      memcpy(at, &text, sizeof text);
      break;
    case MMS_TYPE_CHOICE:
      memcpy(at, &row->choices[value->choice].value, sizeof(int));
      break;
    }
  }
}

mms_status mms_config_resolve(mms_config *config, unsigned needs, mms_error *error) {
  mms_status status = check_required(config, needs, error);
  if (status == MMS_OK) status = set_defaults(config, needs, error);
  if (status == MMS_OK) status = check_neighbours(config, error);
  if (status == MMS_OK) pass_by(config, needs);
  if (status == MMS_OK) status = check_training(config, error);
  if (status == MMS_OK) status = mms_config_resolve_method(config, error);
  if (status == MMS_OK) status = dependent_defaults(config, error);
  if (status == MMS_OK) bind(config);
  return status;
}

void mms_config_warn(const mms_config *config, mms_log *log) {
  double smoothing = config->score.smoothing;
  int64_t draws = config->score.smoothing_samples;
  if (smoothing > 0 && draws == 0)
    mms_log_warn(
        log,
        "%s: score.smoothing = %g has no effect with score.smoothing_samples = 0: the score is exact; set both "
        "to smooth",
        config->name, smoothing);
  if (smoothing == 0 && draws > 0)
    mms_log_warn(log,
                 "%s: score.smoothing_samples = %" PRId64
                 " has no effect with score.smoothing = 0: the score is exact; set both to smooth",
                 config->name, draws);
}
