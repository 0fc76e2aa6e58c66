/* From lists to cells. */
#include "cli/converge.h"

#include "cli/words.h"
#include "mmsold/base/memory.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* In this order; the first with two values or more is the abscissa, so words, which have no place on an axis, come
 * last. */
static const mms_ladder ladders[] = {{.list = MMS_KEY_CONVERGE_PARTICLES, .key = MMS_KEY_PARTICLES},
                                     {.list = MMS_KEY_CONVERGE_STEP_SIZE, .key = MMS_KEY_STEP_SIZE, .falls = true},
                                     {.list = MMS_KEY_CONVERGE_SMOOTHING_SAMPLES, .key = MMS_KEY_SMOOTHING_SAMPLES},
                                     {.list = MMS_KEY_CONVERGE_STEPS, .key = MMS_KEY_STEPS},
                                     {.list = MMS_KEY_CONVERGE_COUNT, .key = MMS_KEY_COUNT},
                                     {.list = MMS_KEY_CONVERGE_NEAREST, .key = MMS_KEY_NEAREST},
                                     {.list = MMS_KEY_CONVERGE_METHOD, .key = MMS_KEY_METHOD},
                                     {.list = MMS_KEY_CONVERGE_SCHEME, .key = MMS_KEY_SCHEME}};

/* Element i of a list as a number, and as the text a person would write. */
static double number_of(const mms_schema_key *row, const mms_value *value, int64_t i) {
  return row->type == MMS_TYPE_INTEGER ? (double)((const int64_t *)value->elements)[i]
                                       : ((const double *)value->elements)[i];
}

static void text_of(const mms_schema_key *row, const mms_value *value, int64_t i, char *out, size_t size) {
  if (row->type == MMS_TYPE_INTEGER) {
    snprintf(out, size, "%" PRId64, ((const int64_t *)value->elements)[i]);
  } else if (row->type == MMS_TYPE_REAL) {
    mms_number_print(((const double *)value->elements)[i], out, size);
  } else {
    const mms_choice *choice = row->choices;
    while (choice->value != ((const int *)value->elements)[i]) choice++;
    snprintf(out, size, "%s", choice->name);
  }
}

/* Place `rung` on a ladder, from the coarsest to the finest: the index of the value. Lists of words keep their order.
 */
static int64_t element_at(const mms_config *config, const mms_ladder *ladder, int64_t rung) {
  const mms_schema_key *row = mms_schema(ladder->list);
  const mms_value *value = &config->values[ladder->list];
  if (row->type == MMS_TYPE_CHOICE) return rung;
  for (int64_t i = 0; i < value->count; i++) {
    int64_t before = 0;
    for (int64_t j = 0; j < value->count; j++) {
      const double a = number_of(row, value, j), b = number_of(row, value, i);
      before += ladder->falls ? a > b : a < b;
    }
    if (before == rung) return i;
  }
  return rung;
}

static mms_status find_ladders(mms_grid *grid, const mms_config *config, mms_error *error) {
  for (size_t l = 0; l < sizeof ladders / sizeof ladders[0]; l++) {
    const mms_value *value = &config->values[ladders[l].list];
    if (!value->known) continue;
    grid->ladders[grid->ladder_count] = ladders[l];
    grid->ladders[grid->ladder_count++].count = value->count;
  }
  int first = 0;
  while (first < grid->ladder_count &&
         (grid->ladders[first].count < 2 || mms_schema(grid->ladders[first].list)->type == MMS_TYPE_CHOICE))
    first++;
  if (first == grid->ladder_count)
    return mms_fail(error, MMS_ERR_INPUT,
                    "%s: the section converge has no ladder: give at least one list of two numbers or more, such as "
                    "converge.particles: [100, 200, 400]",
                    config->name);
  const mms_ladder abscissa = grid->ladders[first];
  memmove(grid->ladders + 1, grid->ladders, (size_t)first * sizeof(mms_ladder));
  grid->ladders[0] = abscissa;
  grid->rungs = abscissa.count;
  grid->curves = 1;
  grid->seeds = config->values[MMS_KEY_CONVERGE_SEEDS].integer;
  for (int l = 1; l < grid->ladder_count; l++) {
    grid->curves *= grid->ladders[l].count;
    if (grid->curves > MMS_MOST_CELLS) break;
  }
  if (grid->curves > MMS_MOST_CELLS || grid->curves * grid->rungs > MMS_MOST_CELLS ||
      grid->seeds > MMS_MOST_CELLS / (grid->curves * grid->rungs))
    return mms_fail(error, MMS_ERR_INPUT, "%s: the section converge asks for more than %d cells", config->name,
                    MMS_MOST_CELLS);
  grid->count = grid->curves * grid->rungs * grid->seeds;
  return MMS_OK;
}

/* FNV-1a of a cell's name, so that a seed belongs to its cell whatever cells there are beside it; mixed with the
 * study's own. */
static uint64_t seed_of(uint64_t study, const char *name) {
  uint64_t hash = UINT64_C(14695981039346656037) ^ study;
  for (const char *at = name; *at != '\0'; at++) hash = (hash ^ (unsigned char)*at) * UINT64_C(1099511628211);
  return hash;
}

/* Add "WORD-value" to a name, and "section.key=value" to the overrides. */
typedef struct override_list {
  char *text[16];
  int count;
} override_list;

static mms_status add_override(override_list *list, mms_error *error, const char *key, const char *value) {
  mms_status status = mms_format_text(&list->text[list->count], error, "%s=%s", key, value);
  if (status == MMS_OK) list->count++;
  return status;
}

/* The overrides of a ladder's value, and its part of the name and of the curve's label. */
static mms_status add_ladder(const mms_config *config, const mms_ladder *ladder, int64_t rung, override_list *list,
                             char *name, char *label, size_t size, mms_error *error) {
  char key[64], value[64];
  const size_t used = strlen(name), labelled = label != NULL ? strlen(label) : 0;
  const mms_schema_key *row = mms_schema(ladder->list);
  mms_schema_path(ladder->key, key, sizeof key);
  text_of(row, &config->values[ladder->list], element_at(config, ladder, rung), value, sizeof value);
  snprintf(name + used, size - used, "%s%s-%s", used > 0 ? "_" : "", row->name, value);
  if (label != NULL && ladder->count > 1)
    snprintf(label + labelled, size - labelled, "%s%s %s", labelled > 0 ? ", " : "", row->name, value);
  return add_override(list, error, key, value);
}

/* What the trace of every cell must hold. */
static mms_status add_observables(const mms_config *config, override_list *list, mms_error *error) {
  const mms_value *value = &config->values[MMS_KEY_CONVERGE_OBSERVABLES];
  char names[256] = "";
  for (int64_t i = 0; i < value->count; i++) {
    const int which = ((const int *)value->elements)[i];
    const size_t used = strlen(names);
    if (which == MMS_STUDY_POTENTIAL) continue;
    snprintf(names + used, sizeof names - used, "%s%s", used > 0 ? "," : "", mms_study_observable_name(which));
  }
  return names[0] == '\0' ? MMS_OK : add_override(list, error, "output.observables", names);
}

static mms_status make_cell(mms_grid *grid, const mms_config *config, int64_t c, bool fresh, mms_error *error) {
  const int64_t rung = c / grid->seeds % grid->rungs, replica = c % grid->seeds;
  int64_t curve = c / (grid->seeds * grid->rungs);
  char name[256] = "", label[256] = "", seed[32];
  override_list list = {.count = 0};
  char *folder = NULL;
  mms_status status = add_ladder(config, &grid->ladders[0], rung, &list, name, NULL, sizeof name, error);
  for (int l = 1; status == MMS_OK && l < grid->ladder_count; l++) {
    const mms_ladder *ladder = &grid->ladders[l];
    status = add_ladder(config, ladder, curve % ladder->count, &list, name, label, sizeof name, error);
    curve /= ladder->count;
  }
  const size_t used = strlen(name);
  snprintf(name + used, sizeof name - used, "_seed-%" PRId64, replica);
  snprintf(seed, sizeof seed, "%" PRIu64, seed_of(config->sampler.seed, name));
  if (status == MMS_OK) status = mms_copy_text(&grid->names[c], name, error);
  if (status == MMS_OK) status = mms_format_text(&folder, error, "%s/cells/%s", config->output.directory, name);
  if (status == MMS_OK) status = mms_format_text(&grid->samples[c], error, "%s/samples.h5", folder);
  if (status == MMS_OK && rung == 0 && replica == 0)
    status = mms_copy_text(&grid->labels[c / (grid->seeds * grid->rungs)], label, error);
  if (status == MMS_OK) status = add_override(&list, error, "sampler.seed", seed);
  if (status == MMS_OK) status = add_override(&list, error, "output.directory", folder);
  if (status == MMS_OK) status = add_observables(config, &list, error);
  if (status == MMS_OK) {
    status = mms_config_parse(&grid->configs[c], grid->base, config->name, (const char *const *)list.text, list.count,
                              MMS_NEEDS_TRAINING | MMS_NEEDS_SAMPLER | MMS_NEEDS_SCORE, error);
    if (status == MMS_OK) status = mms_config_write(&grid->configs[c], &grid->configurations[c], error);
    if (status != MMS_OK) mms_fail_within(error, "the cell %s", name);
  }
  const mms_config *own = &grid->configs[c];
  if (status == MMS_OK)
    grid->cells[c] = (mms_cell){.name = grid->names[c],
                                .talks = replica == 0,
                                .run = {.training = own->training,
                                        .score = own->score,
                                        .sampler = own->sampler,
                                        .output = own->output,
                                        .configuration = grid->configurations[c],
                                        .fresh = fresh}};
  free(folder);
  for (int i = 0; i < list.count; i++) free(list.text[i]);
  return status;
}

/* What the section asks for must be there in each run's trace. */
static mms_status check(const mms_config *config, mms_error *error) {
  const mms_value *burn_in = &config->values[MMS_KEY_CONVERGE_BURN_IN];
  const mms_value *trace = &config->values[MMS_KEY_TRACE_EVERY];
  if (burn_in->real >= 1.0)
    return mms_config_refuse(config, MMS_KEY_CONVERGE_BURN_IN, burn_in->place, error,
                             "%g leaves no step for the averages: give a share below 1", burn_in->real);
  if (trace->integer == 0)
    return mms_config_refuse(config, MMS_KEY_TRACE_EVERY, trace->place, error,
                             "converge averages over the trace: it cannot be 0 here");
  const mms_value *reference = &config->values[MMS_KEY_CONVERGE_REFERENCE];
  if (strcmp(reference->text, "limit") == 0 && config->values[MMS_KEY_CONVERGE_COUNT].count > 1)
    return mms_config_refuse(config, MMS_KEY_CONVERGE_REFERENCE, reference->place, error,
                             "every converge.count has a limit of its own: take finest, or one count");
  return MMS_OK;
}

static mms_status allocate(mms_grid *grid, mms_error *error) {
  const struct {
    void **to;
    int64_t count;
    size_t size;
  } arrays[] = {{(void **)&grid->x, grid->rungs, sizeof *grid->x},
                {(void **)&grid->labels, grid->curves, sizeof *grid->labels},
                {(void **)&grid->names, grid->count, sizeof *grid->names},
                {(void **)&grid->configs, grid->count, sizeof *grid->configs},
                {(void **)&grid->configurations, grid->count, sizeof *grid->configurations},
                {(void **)&grid->cells, grid->count, sizeof *grid->cells},
                {(void **)&grid->samples, grid->count, sizeof *grid->samples}};
  mms_status status = MMS_OK;
  for (size_t i = 0; i < sizeof arrays / sizeof arrays[0] && status == MMS_OK; i++)
    status = mms_allocate(arrays[i].to, arrays[i].count, arrays[i].size, "the cells of the study", error);
  return status;
}

mms_status mms_grid_create(mms_grid *grid, const mms_config *config, bool fresh, mms_error *error) {
  *grid = (mms_grid){0};
  mms_status status = check(config, error);
  if (status == MMS_OK) status = find_ladders(grid, config, error);
  if (status == MMS_OK) status = allocate(grid, error);
  if (status == MMS_OK) status = mms_config_write(config, &grid->text, error);
  if (status != MMS_OK) return status;
  /* What the cells have in common; they pass by the study's own section. */
  status = mms_config_write_given(config, &grid->base, error);
  const mms_schema_key *row = mms_schema(grid->ladders[0].list);
  for (int64_t rung = 0; rung < grid->rungs; rung++)
    grid->x[rung] = number_of(row, &config->values[row->key], element_at(config, &grid->ladders[0], rung));
  for (int64_t c = 0; status == MMS_OK && c < grid->count; c++) status = make_cell(grid, config, c, fresh, error);
  const mms_value *nearest = &config->values[MMS_KEY_CONVERGE_NEAREST];
  if (status == MMS_OK && nearest->known && grid->configs[0].score.backend != MMS_BACKEND_NEIGHBOURS)
    return mms_config_refuse(config, MMS_KEY_CONVERGE_NEAREST, nearest->place, error,
                             "score.nearest is looked at by score.backend: neighbours alone: give that too");
  return status;
}

void mms_grid_free(mms_grid *grid) {
  for (int64_t i = 0; grid->labels != NULL && i < grid->curves; i++) free(grid->labels[i]);
  for (int64_t c = 0; c < grid->count; c++) {
    if (grid->names != NULL) free(grid->names[c]);
    if (grid->samples != NULL) free(grid->samples[c]);
    if (grid->configurations != NULL) free(grid->configurations[c]);
    if (grid->configs != NULL) mms_config_free(&grid->configs[c]);
  }
  free(grid->x);
  free(grid->labels);
  free(grid->names);
  free(grid->configs);
  free(grid->configurations);
  free(grid->cells);
  free(grid->samples);
  free(grid->text);
  free(grid->base);
  *grid = (mms_grid){0};
}
