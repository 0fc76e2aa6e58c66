/* Which keys of `sampler:` go with which way of moving. */
#include "cli/config.h"

#include <stdio.h>
#include <string.h>

/* A key that only some ways of moving know. */
typedef struct rule {
  mms_key key;
  unsigned methods; /* bit m: mms_method m knows it */
  const char *reason;
} rule;

static const rule rules[] = {
    {MMS_KEY_RETRACTION, 1U << MMS_METHOD_MMSOLD, "only mmsold moves on a constraint and has a way back onto it"},
    {MMS_KEY_FRICTION, 1U << MMS_METHOD_KINETIC, "only kinetic has velocities"},
    {MMS_KEY_TILT, 1U << MMS_METHOD_KINETIC, "only kinetic moves in the tilted energy"},
    {MMS_KEY_STEP_SIZE, ~(1U << MMS_METHOD_CFDM), "the steps of its flow are 1/steps"},
    {MMS_KEY_SCHEME, ~(1U << MMS_METHOD_CFDM), "its flow is stepped in one way"},
};

/* The schemes a way of moving takes, as a list of words. */
static void list_schemes(mms_method method, char *out, size_t size) {
  out[0] = '\0';
  for (const mms_choice *choice = mms_schema(MMS_KEY_SCHEME)->choices; choice->name != NULL; choice++) {
    if (!mms_method_takes(method, (mms_scheme)choice->value)) continue;
    size_t used = strlen(out);
    snprintf(out + used, size - used, "%s%s", used > 0 ? ", " : "", choice->name);
  }
}

static mms_status check_scheme(mms_config *config, mms_method method, mms_error *error) {
  mms_value *scheme = &config->values[MMS_KEY_SCHEME];
  const mms_choice *choices = mms_schema(MMS_KEY_SCHEME)->choices;
  if (!scheme->known) {
    const mms_choice *first = choices;
    while (first->name != NULL && !mms_method_takes(method, (mms_scheme)first->value)) first++;
    if (first->name == NULL) return MMS_OK;
    mms_status status = mms_config_set(config, MMS_KEY_SCHEME, first->name, true, (mms_place){0}, error);
    scheme->set = false;
    return status;
  }
  if (mms_method_takes(method, (mms_scheme)choices[scheme->choice].value)) return MMS_OK;
  char list[128];
  list_schemes(method, list, sizeof list);
  return mms_config_refuse(config, MMS_KEY_SCHEME, scheme->place, error, "method %s takes %s, not %s",
                           mms_method_name(method), list, scheme->text);
}

mms_status mms_config_resolve_method(mms_config *config, mms_error *error) {
  const mms_value *chosen = &config->values[MMS_KEY_METHOD];
  if (!chosen->known) return MMS_OK;
  mms_method method = (mms_method)mms_schema(MMS_KEY_METHOD)->choices[chosen->choice].value;
  for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
    mms_value *value = &config->values[rules[i].key];
    if ((rules[i].methods & 1U << method) != 0) continue;
    if (value->set && !value->is_auto) /* auto asks for nothing */
      return mms_config_refuse(config, rules[i].key, value->place, error,
                               "it says nothing to sampler.method: %s (%s); leave it out", mms_method_name(method),
                               rules[i].reason);
    value->known = false; /* nor does its default */
  }
  return check_scheme(config, method, error);
}
