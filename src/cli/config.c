#include "cli/config.h"

#include "cli/words.h"
#include "mmsold/base/memory.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

mms_status mms_config_refuse(const mms_config *config, mms_key key, mms_place place, mms_error *error,
                             const char *format, ...) {
  char why[1024], path[64];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(why, sizeof why, format, arguments);
  va_end(arguments);
  mms_schema_path(key, path, sizeof path);
  const char *text = config->values[key].text;
  if (place.command_line)
    return mms_fail(error, MMS_ERR_INPUT, "command line: --%s=%.200s%s: %s", path, text != NULL ? text : "",
                    text != NULL && strlen(text) > 200 ? "..." : "", why);
  if (place.line == 0) return mms_fail(error, MMS_ERR_INPUT, "%s: %s: %s", config->name, path, why);
  return mms_fail(error, MMS_ERR_INPUT, "%s:%d:%d: %s: %s", config->name, place.line, place.column, path, why);
}

/* Numbers of the three kinds; `why` [size] says more where one isn't accepted. */
static bool accept_number(const mms_schema_key *row, const char *text, mms_value *value, char *why, size_t size) {
  mms_number read = MMS_NUMBER_OK;
  why[0] = '\0';
  if (row->type == MMS_TYPE_INTEGER) {
    read = mms_number_integer(text, &value->integer);
    if (read == MMS_NUMBER_OK && row->even && value->integer % 2 != 0) {
      snprintf(why, size, ": draws come in antithetic pairs");
      return false;
    }
    if (read == MMS_NUMBER_OK && value->integer > row->most) snprintf(why, size, ": at most %" PRId64, row->most);
    if (read == MMS_NUMBER_OK) return value->integer >= row->least && value->integer <= row->most;
  } else if (row->type == MMS_TYPE_SEED) {
    read = mms_number_seed(text, &value->seed);
  } else {
    read = mms_number_real(text, &value->real);
    if (read == MMS_NUMBER_OK) return row->at_least ? value->real >= row->above : value->real > row->above;
  }
  if (read == MMS_NUMBER_FRACTION) snprintf(why, size, ": write it in digits alone");
  if (read == MMS_NUMBER_RANGE) snprintf(why, size, ": it is out of range");
  if (read == MMS_NUMBER_NOT && strspn(text, "+-.0123456789") > 0 && strpbrk(text, "0123456789") != NULL)
    snprintf(why, size, ": a number stands alone, without a unit or anything after it");
  return read == MMS_NUMBER_OK;
}

static mms_status set_choice(const mms_config *config, mms_key key, const char *text, mms_value *value, mms_place place,
                             mms_error *error) {
  const mms_schema_key *row = mms_schema(key);
  const char *names[16];
  int count = 0;
  for (const mms_choice *choice = row->choices; choice->name != NULL; choice++) {
    if (strcmp(choice->name, text) == 0) {
      value->choice = count;
      return MMS_OK;
    }
    names[count++] = choice->name;
  }
  char accepts[256];
  mms_schema_accepts_one(key, accepts, sizeof accepts);
  const char *near = mms_words_nearest(text, names, count);
  return mms_config_refuse(config, key, place, error, "\"%s\" is not one of %s%s%s%s", text, accepts,
                           near != NULL ? "; did you mean \"" : "", near != NULL ? near : "",
                           near != NULL ? "\"?" : "");
}

mms_status mms_config_accept(const mms_config *config, mms_key key, const char *text, bool plain, mms_place place,
                             mms_value *value, mms_error *error) {
  const mms_schema_key *row = mms_schema(key);
  char accepts[256];
  mms_schema_accepts_one(key, accepts, sizeof accepts);
  if (plain && (text[0] == '\0' || strcmp(text, "~") == 0 || strcmp(text, "null") == 0))
    return mms_config_refuse(config, key, place, error, "has no value; it takes %s%s", accepts,
                             row->required ? "" : ", or leave the key out for its default");
  if (row->type == MMS_TYPE_TEXT) {
    if (text[0] == '\0') return mms_config_refuse(config, key, place, error, "is an empty text");
    /* The text is stored in files and must read back. */
    for (const unsigned char *at = (const unsigned char *)text; *at != '\0'; at += mms_words_utf8(at))
      if (mms_words_utf8(at) == 0) return mms_config_refuse(config, key, place, error, "is not UTF-8 text");
  } else if (row->type == MMS_TYPE_CHOICE) {
    return set_choice(config, key, text, value, place, error);
  } else if (row->type == MMS_TYPE_REAL_OR_AUTO && strcmp(text, "auto") == 0) {
    value->is_auto = true;
  } else {
    char why[96];
    if (!plain)
      return mms_config_refuse(config, key, place, error, "\"%s\" in quotes is a text; it takes %s, without quotes",
                               text, accepts);
    if (!accept_number(row, text, value, why, sizeof why))
      return mms_config_refuse(config, key, place, error, "\"%s\" is not %s%s", text, accepts, why);
  }
  return MMS_OK;
}

mms_status mms_config_set(mms_config *config, mms_key key, const char *text, bool plain, mms_place place,
                          mms_error *error) {
  mms_value *value = &config->values[key];
  free(value->text);
  free(value->elements);
  *value = (mms_value){.place = place};
  mms_status status = mms_copy_text(&value->text, text, error);
  if (status != MMS_OK) return status;
  if (mms_schema(key)->list) return mms_config_split(config, key, place, error);
  status = mms_config_accept(config, key, text, plain, place, value, error);
  value->set = value->known = status == MMS_OK;
  return status;
}

mms_status mms_config_override(mms_config *config, const char *override, mms_error *error) {
  const char *equals = strchr(override, '='), *dot = strchr(override, '.');
  size_t length = equals != NULL ? (size_t)(equals - override) : strlen(override);
  char path[128], near[128];
  if (length >= sizeof path) length = sizeof path - 1;
  memcpy(path, override, length);
  path[length] = '\0';
  if (equals == NULL) return mms_fail(error, MMS_ERR_INPUT, "command line: --%s: write --%s=VALUE", path, path);
  if (dot == NULL || dot > equals)
    return mms_fail(error, MMS_ERR_INPUT, "command line: --%s: a key is written section.key", path);
  size_t section_length = (size_t)(dot - override);
  if (section_length > length) section_length = length;
  mms_section section = mms_schema_find_section(path, section_length);
  mms_key key = section < MMS_SECTIONS ? mms_schema_find(section, path + section_length + 1) : MMS_KEYS;
  if (key == MMS_KEYS) {
    path[section_length] = '\0';
    bool like = mms_schema_nearest(path, section_length < length ? path + section_length + 1 : "", near, sizeof near);
    bool planned = mms_schema_section_is_planned(path);
    if (section_length < length) path[section_length] = '.';
    if (planned) return mms_fail(error, MMS_ERR_INPUT, "command line: --%s: not built in this version", path);
    return mms_fail(error, MMS_ERR_INPUT, "command line: --%s: there is no such key%s%s%s", path,
                    like ? "; did you mean --" : "", like ? near : "", like ? "?" : "");
  }
  if (config->values[key].place.command_line)
    return mms_fail(error, MMS_ERR_INPUT, "command line: --%s is given twice", path);
  return mms_config_set(config, key, equals + 1, true, (mms_place){.command_line = true}, error);
}

mms_status mms_config_parse(mms_config *config, const char *text, const char *name, const char *const *overrides,
                            int override_count, unsigned needs, mms_error *error) {
  *config = (mms_config){.name = NULL};
  mms_status status = mms_copy_text(&config->name, name, error);
  if (status == MMS_OK) status = mms_config_read_yaml(config, text, error);
  for (int i = 0; status == MMS_OK && i < override_count; i++)
    status = mms_config_override(config, overrides[i], error);
  if (status == MMS_OK) status = mms_config_resolve(config, needs, error);
  if (status != MMS_OK) mms_config_free(config);
  return status;
}

void mms_config_free(mms_config *config) {
  for (int k = 0; k < MMS_KEYS; k++) {
    free(config->values[k].text);
    free(config->values[k].elements);
  }
  free(config->name);
  *config = (mms_config){.name = NULL};
}
