/* Tests that all ranks run together over one team. */
#ifndef TESTS_TEAM_SUPPORT_H
#define TESTS_TEAM_SUPPORT_H

#include "support.h"

#include "mmsold/parallel/team.h"
#include <stdlib.h>
#include <unistd.h>

static mms_team *team;

/* Begin MPI and make the team. Where there are others, a rank whose test fails ends all of them: they may wait for it
 * in their next collective. */
static inline bool team_begin(int *argc, char ***argv) {
  mms_error error = mms_error_none();
  if (mms_world_begin(argc, argv, &error) != MMS_OK || mms_team_create(&team, &error) != MMS_OK) {
    fprintf(stderr, "%s\n", error.message);
    return false;
  }
  if (mms_team_size(team) > 1) setenv("CMOCKA_TEST_ABORT", "1", 1);
  return true;
}

/* What main returns after so many tests failed. */
static inline int team_end(int failed) {
  if (failed != 0) mms_world_abort(1);
  mms_team_free(&team);
  mms_world_end();
  return 0;
}

/* A number of this run's own, the same on all ranks: for the names of files. Collective. */
static inline long long team_run_number(void) {
  int64_t id = (int64_t)getpid();
  mms_team_broadcast(team, &id, sizeof id, 0);
  return (long long)id;
}

/* `mine` holds the same bytes as rank 0's. Collective. */
static inline void expect_same_bytes(const void *mine, size_t bytes) {
  void *first = malloc(bytes + 1);
  assert_non_null(first);
  memcpy(first, mine, bytes);
  mms_team_broadcast(team, first, bytes, 0);
  assert_memory_equal(first, mine, bytes);
  free(first);
}

/* Every rank holds rank 0's message. Collective. */
static inline void expect_same_message(const mms_error *error) {
  mms_error first = *error;
  mms_team_broadcast(team, &first, sizeof first, 0);
  assert_int_equal(first.status, error->status);
  assert_string_equal(first.message, error->message);
}

#endif
