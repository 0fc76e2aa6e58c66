/* The part of YAML 1.1 a configuration is written in: one document, a mapping of sections, each a mapping of keys
 * to scalars or lists of scalars. Everything else YAML could say is refused where it stands. */
#include "cli/config.h"

#include "cli/words.h"
#include "mmsold/base/memory.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

typedef struct reading {
  mms_config *config;
  yaml_parser_t parser;
  mms_error *error;
} reading;

/* libyaml counts lines and columns from 0. */
static mms_place place_of(yaml_mark_t mark) {
  return (mms_place){.line = (int)mark.line + 1, .column = (int)mark.column + 1};
}

__attribute__((format(printf, 3, 4))) static mms_status refuse(reading *r, mms_place place, const char *format, ...) {
  char why[1024];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(why, sizeof why, format, arguments);
  va_end(arguments);
  return mms_fail(r->error, MMS_ERR_INPUT, "%s:%d:%d: %s", r->config->name, place.line, place.column, why);
}

/* The next event, or why there is none. */
static mms_status next(reading *r, yaml_event_t *event) {
  if (yaml_parser_parse(&r->parser, event)) return MMS_OK;
  memset(event, 0, sizeof *event);
  if (r->parser.error == YAML_MEMORY_ERROR)
    return mms_fail(r->error, MMS_ERR_MEMORY, "%s: no memory to read it", r->config->name);
  yaml_mark_t mark = r->parser.problem_mark;
  if (r->parser.error == YAML_READER_ERROR) mark = r->parser.mark;
  const char *problem = r->parser.problem != NULL ? r->parser.problem : "unknown problem";
  const char *context = r->parser.context;
  const char *hint = strstr(problem, "cannot start any token") != NULL ? " (indent with spaces, not tabs)" : "";
  return refuse(r, place_of(mark), "not valid YAML: %s%s%s%s", context != NULL ? context : "",
                context != NULL ? ", " : "", problem, hint);
}

/* What an event is, where a scalar was wanted. */
static const char *kind_of(yaml_event_type_t type) {
  if (type == YAML_SEQUENCE_START_EVENT) return "a list";
  if (type == YAML_MAPPING_START_EVENT) return "a mapping";
  if (type == YAML_ALIAS_EVENT) return "an alias";
  return "nothing of use";
}

/* Anchors, aliases and tags have no use here, and would let a value mean something else than it says. */
static mms_status refuse_decorated(reading *r, const yaml_event_t *event) {
  const yaml_char_t *anchor = NULL, *tag = NULL;
  if (event->type == YAML_SCALAR_EVENT) {
    anchor = event->data.scalar.anchor;
    tag = event->data.scalar.tag;
  } else if (event->type == YAML_MAPPING_START_EVENT) {
    anchor = event->data.mapping_start.anchor;
    tag = event->data.mapping_start.tag;
  } else if (event->type == YAML_SEQUENCE_START_EVENT) {
    anchor = event->data.sequence_start.anchor;
    tag = event->data.sequence_start.tag;
  } else if (event->type == YAML_ALIAS_EVENT) {
    return refuse(r, place_of(event->start_mark), "the alias *%s: a configuration has no aliases, write the value",
                  (const char *)event->data.alias.anchor);
  }
  if (anchor != NULL)
    return refuse(r, place_of(event->start_mark), "the anchor &%s: a configuration has no anchors",
                  (const char *)anchor);
  if (tag != NULL)
    return refuse(r, place_of(event->start_mark), "the tag %s: a configuration has no tags", (const char *)tag);
  return MMS_OK;
}

/* The scalar an event must be: *text belongs to the event. */
static mms_status scalar_of(reading *r, const yaml_event_t *event, const char *what, const char **text) {
  mms_status status = refuse_decorated(r, event);
  if (status != MMS_OK) return status;
  if (event->type != YAML_SCALAR_EVENT)
    return refuse(r, place_of(event->start_mark), "%s is %s where one value belongs", what, kind_of(event->type));
  if (strlen((const char *)event->data.scalar.value) != event->data.scalar.length)
    return refuse(r, place_of(event->start_mark), "%s holds a zero character", what);
  *text = (const char *)event->data.scalar.value;
  return MMS_OK;
}

/* The key a name stands for, with an error that names the nearest right one. */
static mms_status find_key(reading *r, mms_section section, const char *name, mms_place place, mms_key *key) {
  *key = mms_schema_find(section, name);
  if (*key == MMS_KEYS) {
    char near[128];
    bool like = mms_schema_nearest(mms_schema_section(section), name, near, sizeof near);
    return refuse(r, place, "%s.%s: there is no such key%s%s%s", mms_schema_section(section), name,
                  like ? "; did you mean " : "", like ? near : "", like ? "?" : "");
  }
  const mms_value *value = &r->config->values[*key];
  if (value->set)
    return refuse(r, place, "%s.%s is given twice, first in line %d", mms_schema_section(section), name,
                  value->place.line);
  return MMS_OK;
}

/* The elements of a sequence that has begun; their texts stay with the events, [*count] to delete. */
static mms_status read_elements(reading *r, const char *path, yaml_event_t *events, mms_element *elements,
                                int64_t *count) {
  for (;;) {
    yaml_event_t event;
    mms_status status = next(r, &event);
    if (status != MMS_OK || event.type == YAML_SEQUENCE_END_EVENT) {
      yaml_event_delete(&event);
      return status;
    }
    const mms_place place = place_of(event.start_mark);
    const char *text;
    status = scalar_of(r, &event, path, &text);
    if (status == MMS_OK && *count == MMS_MOST_ELEMENTS)
      status = refuse(r, place, "%s: a list has at most %d values", path, MMS_MOST_ELEMENTS);
    if (status != MMS_OK) {
      yaml_event_delete(&event);
      return status;
    }
    elements[*count] =
        (mms_element){.text = text, .plain = event.data.scalar.style == YAML_PLAIN_SCALAR_STYLE, .place = place};
    events[(*count)++] = event;
  }
}

/* What a list takes: a sequence, or one value alone. */
static mms_status read_list(reading *r, mms_key key, const char *path, const yaml_event_t *first) {
  const mms_place place = place_of(first->start_mark);
  const char *text = NULL;
  mms_status status = refuse_decorated(r, first);
  if (status == MMS_OK && first->type != YAML_SEQUENCE_START_EVENT) {
    status = scalar_of(r, first, path, &text);
    if (status == MMS_OK && strchr(text, ',') != NULL)
      status = refuse(r, place, "%s: \"%s\" is one text; a list is written [a, b, c]", path, text);
    const mms_element one = {
        .text = text, .plain = status == MMS_OK && first->data.scalar.style == YAML_PLAIN_SCALAR_STYLE, .place = place};
    return status == MMS_OK ? mms_config_set_list(r->config, key, &one, 1, place, r->error) : status;
  }
  void *events = NULL, *elements = NULL;
  int64_t count = 0;
  if (status == MMS_OK)
    status = mms_allocate(&events, MMS_MOST_ELEMENTS, sizeof(yaml_event_t), "a list of the configuration", r->error);
  if (status == MMS_OK)
    status = mms_allocate(&elements, MMS_MOST_ELEMENTS, sizeof(mms_element), "a list of the configuration", r->error);
  if (status == MMS_OK) status = read_elements(r, path, events, elements, &count);
  if (status == MMS_OK) status = mms_config_set_list(r->config, key, elements, count, place, r->error);
  for (int64_t i = 0; i < count; i++) yaml_event_delete((yaml_event_t *)events + i);
  free(events);
  free(elements);
  return status;
}

/* One "key: value"; `event` is the key's and is left for the caller to delete. */
static mms_status read_key(reading *r, mms_section section, const yaml_event_t *event) {
  const char *name, *text;
  char path[128];
  mms_key key;
  mms_status status = scalar_of(r, event, "a key", &name);
  if (status == MMS_OK) status = find_key(r, section, name, place_of(event->start_mark), &key);
  if (status != MMS_OK) return status;
  mms_schema_path(key, path, sizeof path);
  yaml_event_t value;
  status = next(r, &value);
  if (status == MMS_OK && mms_schema(key)->list) {
    status = read_list(r, key, path, &value);
    yaml_event_delete(&value);
    return status;
  }
  if (status == MMS_OK) status = scalar_of(r, &value, path, &text);
  if (status == MMS_OK)
    status = mms_config_set(r->config, key, text, value.data.scalar.style == YAML_PLAIN_SCALAR_STYLE,
                            place_of(value.start_mark), r->error);
  yaml_event_delete(&value);
  return status;
}

/* What follows "section:": a mapping of keys, or nothing at all. */
static mms_status read_section(reading *r, mms_section section) {
  yaml_event_t event;
  mms_status status = next(r, &event);
  if (status == MMS_OK) status = refuse_decorated(r, &event);
  bool empty = status == MMS_OK && event.type == YAML_SCALAR_EVENT && event.data.scalar.length == 0 &&
               event.data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
  if (status == MMS_OK && !empty && event.type != YAML_MAPPING_START_EVENT)
    status = refuse(r, place_of(event.start_mark), "the section %s must hold \"key: value\" lines, indented",
                    mms_schema_section(section));
  yaml_event_delete(&event);
  while (status == MMS_OK && !empty) {
    status = next(r, &event);
    bool end = event.type == YAML_MAPPING_END_EVENT;
    if (status == MMS_OK && !end) status = read_key(r, section, &event);
    yaml_event_delete(&event);
    if (end) break;
  }
  return status;
}

/* The name of a section at the top level. */
static mms_status find_section(reading *r, const char *name, mms_place place, mms_section *section) {
  *section = mms_schema_find_section(name, strlen(name));
  if (*section < MMS_SECTIONS) {
    mms_place *first = &r->config->sections[*section];
    if (first->line > 0) return refuse(r, place, "the section %s is given twice, first in line %d", name, first->line);
    *first = place;
    return MMS_OK;
  }
  if (mms_schema_section_is_planned(name)) return refuse(r, place, "the section %s: not built in this version", name);
  const char *names[MMS_SECTIONS];
  char near[128];
  for (int s = 0; s < MMS_SECTIONS; s++) names[s] = mms_schema_section((mms_section)s);
  const char *like = mms_words_nearest(name, names, MMS_SECTIONS);
  if (like != NULL) return refuse(r, place, "there is no section %s; did you mean %s?", name, like);
  char all[128];
  mms_schema_section_list(all, sizeof all);
  if (mms_schema_nearest("", name, near, sizeof near))
    return refuse(r, place, "there is no section %s; did you mean the key %s, inside its section?", name, near);
  return refuse(r, place, "there is no section %s; there are %s", name, all);
}

/* Inside the outermost mapping, up to and with its end. */
static mms_status read_sections(reading *r) {
  for (;;) {
    yaml_event_t event;
    const char *name = NULL;
    mms_section section = MMS_SECTIONS;
    mms_status status = next(r, &event);
    bool end = event.type == YAML_MAPPING_END_EVENT;
    if (status == MMS_OK && !end) status = scalar_of(r, &event, "a section's name", &name);
    if (status == MMS_OK && !end) status = find_section(r, name, place_of(event.start_mark), &section);
    yaml_event_delete(&event);
    if (status == MMS_OK && !end) status = read_section(r, section);
    if (status != MMS_OK || end) return status;
  }
}

static mms_status read_stream(reading *r) {
  mms_status status = MMS_OK;
  int documents = 0;
  for (bool end = false; status == MMS_OK && !end;) {
    yaml_event_t event;
    status = next(r, &event);
    mms_place place = place_of(event.start_mark);
    if (status == MMS_OK && event.type == YAML_DOCUMENT_START_EVENT && ++documents > 1)
      status = refuse(r, place, "a second document begins here; a configuration is one document");
    if (status == MMS_OK) status = refuse_decorated(r, &event);
    bool mapping = event.type == YAML_MAPPING_START_EVENT;
    if (status == MMS_OK && (event.type == YAML_SCALAR_EVENT || event.type == YAML_SEQUENCE_START_EVENT))
      status = refuse(r, place, "a configuration begins with a section, such as \"training:\"");
    end = event.type == YAML_STREAM_END_EVENT;
    yaml_event_delete(&event);
    if (status == MMS_OK && mapping) status = read_sections(r);
  }
  if (status == MMS_OK && documents == 0)
    return mms_fail(r->error, MMS_ERR_INPUT, "%s: holds no configuration (the file is empty)", r->config->name);
  return status;
}

/* libyaml would take UTF-16 too, and says byte offsets; we say lines. */
static mms_status check_utf8(reading *r, const char *text) {
  mms_place place = {.line = 1, .column = 1};
  for (const unsigned char *at = (const unsigned char *)text; *at != '\0';) {
    int length = mms_words_utf8(at);
    if (length == 0) return refuse(r, place, "the byte 0x%02x is not UTF-8 text; save the file as UTF-8", *at);
    if ((*at < 0x20 && strchr("\t\n\r", *at) == NULL) || *at == 0x7F)
      return refuse(r, place, "the control character 0x%02x does not belong in a configuration", *at);
    place.column++;
    if (*at == '\n') place = (mms_place){.line = place.line + 1, .column = 1};
    at += length;
  }
  return MMS_OK;
}

mms_status mms_config_read_yaml(mms_config *config, const char *text, mms_error *error) {
  reading r = {.config = config, .error = error};
  mms_status status = check_utf8(&r, text);
  if (status != MMS_OK) return status;
  if (!yaml_parser_initialize(&r.parser))
    return mms_fail(error, MMS_ERR_MEMORY, "%s: no memory to read it", config->name);
  yaml_parser_set_encoding(&r.parser, YAML_UTF8_ENCODING);
  yaml_parser_set_input_string(&r.parser, (const unsigned char *)text, strlen(text));
  status = read_stream(&r);
  yaml_parser_delete(&r.parser);
  return status;
}
