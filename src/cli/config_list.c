/* Keys that take a list: elements checked one by one, then kept side by side. */
#include "cli/config.h"

#include "mmsold/base/memory.h"

#include <stdlib.h>
#include <string.h>

static size_t element_size(mms_key_type type) {
  return type == MMS_TYPE_INTEGER ? sizeof(int64_t) : type == MMS_TYPE_REAL ? sizeof(double) : sizeof(int);
}

mms_status mms_config_set_list(mms_config *config, mms_key key, const mms_element *elements, int64_t count,
                               mms_place place, mms_error *error) {
  const mms_schema_key *row = mms_schema(key);
  mms_value *value = &config->values[key];
  const size_t size = element_size(row->type);
  char accepts[256];
  mms_schema_accepts(key, accepts, sizeof accepts);
  if (count == 0) return mms_config_refuse(config, key, place, error, "is an empty list; it takes %s", accepts);
  if (count > MMS_MOST_ELEMENTS)
    return mms_config_refuse(config, key, place, error, "has %lld values; at most %d are taken", (long long)count,
                             MMS_MOST_ELEMENTS);
  free(value->elements);
  value->place = place;
  value->elements = NULL;
  value->count = 0;
  mms_status status = mms_allocate(&value->elements, count, size, "a list of the configuration", error);
  for (int64_t i = 0; status == MMS_OK && i < count; i++) {
    mms_value one = {0};
    char *at = (char *)value->elements + (size_t)i * size;
    status = mms_config_accept(config, key, elements[i].text, elements[i].plain, elements[i].place, &one, error);
    if (status != MMS_OK) return status;
    one.real += 0.0; /* -0 is 0 */
    if (row->type == MMS_TYPE_INTEGER)
      memcpy(at, &one.integer, size);
    else if (row->type == MMS_TYPE_REAL)
      memcpy(at, &one.real, size);
    else
      memcpy(at, &row->choices[one.choice].value, size);
    for (int64_t j = 0; row->distinct && j < i; j++)
      if (memcmp((char *)value->elements + (size_t)j * size, at, size) == 0)
        return mms_config_refuse(config, key, elements[i].place, error, "\"%s\" is in the list twice",
                                 elements[i].text);
  }
  if (status != MMS_OK) return status;
  value->count = count;
  value->set = value->known = true;
  return MMS_OK;
}

/* Cut "a, b, c" in place into elements; returns how many there are, of which the first `most` are written. */
static int64_t cut(char *text, mms_place place, mms_element *elements, int64_t most) {
  int64_t count = 0;
  for (char *at = text; at != NULL;) {
    char *comma = strchr(at, ','), *end = comma != NULL ? comma : at + strlen(at);
    at += strspn(at, " ");
    while (end > at && end[-1] == ' ') end--;
    *end = '\0';
    if (count < most) elements[count] = (mms_element){.text = at, .plain = true, .place = place};
    count++;
    at = comma != NULL ? comma + 1 : NULL;
  }
  return count;
}

mms_status mms_config_split(mms_config *config, mms_key key, mms_place place, mms_error *error) {
  const char *given = config->values[key].text;
  size_t length = strlen(given);
  char *text = NULL;
  void *memory = NULL;
  const bool bracketed = length >= 2 && given[0] == '[' && given[length - 1] == ']';
  mms_status status = mms_format_text(&text, error, "%.*s", (int)(bracketed ? length - 2 : length), given + bracketed);
  if (status == MMS_OK)
    status = mms_allocate(&memory, MMS_MOST_ELEMENTS, sizeof(mms_element), "a list of the configuration", error);
  if (status == MMS_OK) {
    mms_element *elements = memory;
    const bool empty = bracketed && text[strspn(text, " ")] == '\0';
    const int64_t count = empty ? 0 : cut(text, place, elements, MMS_MOST_ELEMENTS);
    status = mms_config_set_list(config, key, elements, count, place, error);
  }
  free(memory);
  free(text);
  return status;
}
