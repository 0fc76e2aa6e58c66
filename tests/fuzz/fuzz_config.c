/* Configurations: any text is refused with its place, or read, printed and read back to the same. */
#include "fuzz.h"

#include "cli/config.h"

static const char name[] = "fuzz.yaml";

/* The printed configuration reads back, to the same print. */
static void demand_round_trip(const mms_config *config, unsigned needs) {
  char *first = NULL, *second = NULL;
  mms_error error = mms_error_none();
  mms_config again;
  fuzz_demand(mms_config_write(config, &first, &error) == MMS_OK, "a configuration that was read can be printed");
  mms_status status = mms_config_parse(&again, first, name, NULL, 0, needs, &error);
  if (status != MMS_OK) fprintf(stderr, "%s\n----\n%s\n", error.message, first);
  fuzz_demand(status == MMS_OK, "the print of a configuration reads back");
  fuzz_demand(mms_config_write(&again, &second, &error) == MMS_OK, "and can be printed again");
  fuzz_demand(strcmp(first, second) == 0, "to the same text");
  mms_config_free(&again);
  free(first);
  free(second);
}

static void read_it(const char *text, const char *const *overrides, int count, unsigned needs) {
  mms_config config;
  mms_error error = mms_error_none();
  mms_status status = mms_config_parse(&config, text, name, overrides, count, needs, &error);
  if (status == MMS_OK) {
    demand_round_trip(&config, needs);
    mms_config_free(&config);
    return;
  }
  bool from_command_line = count > 0 && strncmp(error.message, "command line: --", 16) == 0;
  fuzz_demand_refusal(status, &error, from_command_line ? "command line: --" : name);
  fuzz_demand(config.name == NULL, "a refused configuration is left empty");
}

/* The text to its first zero byte; lines after it, if any, are given on the command line. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  char *text = malloc(size + 1);
  const char *overrides[8];
  int count = 0;
  fuzz_demand(text != NULL, "there is memory");
  if (size > 0) memcpy(text, data, size);
  text[size] = '\0';
  for (size_t at = strlen(text); at < size && count < 8; at += 1 + strlen(text + at + 1))
    overrides[count++] = text + at + 1;
  const unsigned all = MMS_NEEDS_TRAINING | MMS_NEEDS_SAMPLER | MMS_NEEDS_SCORE;
  read_it(text, overrides, count, all);
  read_it(text, overrides, count, MMS_NEEDS_TRAINING);
  free(text);
  return 0;
}
