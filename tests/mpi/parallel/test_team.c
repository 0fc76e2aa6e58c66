/* The team: agreement on errors, plain collectives, nodes, shared memory. */
#include "team_support.h"
#include "window_support.h"

#include "mmsold/base/memory.h"
#include "mmsold/parallel/blocks.h"
#include "mmsold/parallel/shared.h"
#include "parallel/team_mpi.h"
#include <stdlib.h>

/* The same status and the same message on every rank, compared with rank 0's. */
static void expect_same_everywhere(mms_status status, const mms_error *error) {
  expect_same_bytes(&status, sizeof status);
  expect_same_message(error);
}

static void all_well(void **state) {
  (void)state;
  mms_error error = mms_error_none();
  assert_int_equal(mms_team_agree(team, MMS_OK, &error), MMS_OK);
  assert_int_equal(error.status, MMS_OK);
  assert_int_equal(mms_team_agree(team, MMS_OK, NULL), MMS_OK);
}

static void one_rank_fails(void **state) {
  (void)state;
  for (int failing = 0; failing < mms_team_size(team); failing++) {
    mms_error error = mms_error_none();
    mms_status mine = MMS_OK;
    if (mms_team_rank(team) == failing) mine = mms_fail(&error, MMS_ERR_MEMORY, "no room for %d", failing);
    mms_status status = mms_team_agree(team, mine, &error);
    char wanted[64];
    snprintf(wanted, sizeof wanted, failing == 0 ? "no room for 0" : "rank %d: no room for %d", failing, failing);
    expect_refused(status, MMS_ERR_MEMORY, &error, "no room");
    assert_string_equal(error.message, wanted);
    expect_same_everywhere(status, &error);
    /* A rank that holds no error learns the status all the same. */
    assert_int_equal(mms_team_agree(team, mine, NULL), MMS_ERR_MEMORY);
  }
}

/* Several fail, each in its own way: the lowest rank speaks for all. */
static void several_fail(void **state) {
  (void)state;
  int rank = mms_team_rank(team), size = mms_team_size(team);
  mms_error error = mms_error_none();
  mms_status mine = MMS_OK;
  if (rank >= 1) mine = mms_fail(&error, rank == 1 ? MMS_ERR_INPUT : MMS_ERR_SYSTEM, "file %d", rank);
  mms_status status = mms_team_agree(team, mine, &error);
  if (size == 1)
    assert_int_equal(status, MMS_OK);
  else
    expect_refused(status, MMS_ERR_INPUT, &error, "rank 1: file 1");
  expect_same_everywhere(status, &error);
}

/* All ranks fail alike: the message needs no rank. */
static void all_fail_alike(void **state) {
  (void)state;
  mms_error error = mms_error_none();
  mms_status mine = mms_fail(&error, MMS_ERR_INPUT, "line 3: no such key");
  assert_int_equal(mms_team_agree(team, mine, &error), MMS_ERR_INPUT);
  assert_string_equal(error.message, "line 3: no such key");
}

static void ranks_and_nodes(void **state) {
  (void)state;
  int size = mms_team_size(team);
  assert_in_range(mms_team_rank(team), 0, size - 1);
  assert_int_equal(mms_team_node_count(team), 1); /* the tests run on one machine */
  assert_int_equal(mms_team_node_rank(team), mms_team_rank(team));
  assert_int_equal(mms_team_node_size(team), size);
  mms_team *cut = NULL;
  mms_error error = mms_error_none();
  expect_ok(mms_team_create_cut(&cut, 2, &error), &error);
  assert_int_equal(mms_team_node_count(cut), (size + 1) / 2);
  assert_int_equal(mms_team_node_rank(cut), mms_team_rank(cut) % 2);
  assert_true((mms_team_leaders_communicator(cut) == MPI_COMM_NULL) == (mms_team_node_rank(cut) != 0));
  mms_team_free(&cut);
  assert_null(cut);
  mms_team_free(&cut);
}

static void collectives(void **state) {
  (void)state;
  int rank = mms_team_rank(team), size = mms_team_size(team), root = size - 1;
  char text[6] = "     ";
  if (rank == root) memcpy(text, "hello", sizeof text);
  mms_team_broadcast(team, text, sizeof text, root);
  assert_string_equal(text, "hello");
  int64_t sums[2] = {rank, INT64_C(1) << 40};
  mms_team_sum_int64(team, sums, 2);
  assert_true(sums[0] == size * (size - 1) / 2 && sums[1] == size * (INT64_C(1) << 40));
  double most[4] = {rank, rank == root ? NAN : 1e300, rank == 0 ? 0.0 : -0.0, -INFINITY};
  mms_team_max_double(team, most, 4);
  assert_true(most[0] == size - 1 && isnan(most[1]) && most[2] == 0.0 && !signbit(most[2]) && most[3] == -INFINITY);
  double *all = rank == 0 ? calloc((size_t)size, sizeof *all) : NULL;
  mms_team_gather_double(team, 0.5 * rank, all);
  for (int r = 0; rank == 0 && r < size; r++) assert_true(all[r] == 0.5 * r);
  free(all);
  mms_team_barrier(team);
}

static void texts(void **state) {
  (void)state;
  int rank = mms_team_rank(team), root = mms_team_size(team) - 1;
  mms_error error = mms_error_none();
  const char *const sent[] = {"a configuration\nof two lines", "", NULL};
  for (int t = 0; t < 3; t++) {
    char *text = NULL;
    if (rank == root) expect_ok(mms_copy_text(&text, sent[t], &error), &error);
    expect_ok(mms_team_broadcast_text(team, &text, root, &error), &error);
    if (sent[t] == NULL)
      assert_null(text);
    else
      assert_string_equal(text, sent[t]);
    free(text);
  }
}

/* Without a team a rank is alone, and needs no MPI. */
static void no_team(void **state) {
  (void)state;
  assert_true(mms_team_rank(NULL) == 0 && mms_team_size(NULL) == 1 && mms_team_node_count(NULL) == 1);
  assert_true(mms_team_communicator(NULL) == MPI_COMM_SELF);
  mms_error error = mms_error_none();
  assert_int_equal(mms_team_agree(NULL, mms_fail(&error, MMS_ERR_SYSTEM, "alone"), &error), MMS_ERR_SYSTEM);
  assert_string_equal(error.message, "alone");
  double one = 0.0;
  mms_team_gather_double(NULL, 3.0, &one);
  assert_true(one == 3.0);
  char *text = NULL;
  expect_ok(mms_team_broadcast_text(NULL, &text, 0, &error), &error);
  mms_shared *shared = NULL;
  expect_ok(mms_shared_create(&shared, NULL, 100, "a test", &error), &error);
  mms_shared_publish(shared);
  mms_shared_free(&shared);
}

/* What rank 0 writes, all ranks read; the pages are the same for the ranks of a node. */
static void check_shared(const mms_team *of, size_t bytes) {
  mms_error error = mms_error_none();
  mms_shared *shared = NULL;
  expect_ok(mms_shared_create(&shared, of, bytes, "the test's memory", &error), &error);
  unsigned char *data = mms_shared_data(shared);
  assert_int_equal(mms_shared_bytes(shared), bytes);
  assert_int_equal((uintptr_t)data % MMS_ALIGNMENT, 0);
  for (size_t i = 0; i < bytes; i++) assert_int_equal(data[i], 0);
  mms_team_barrier(of);
  if (mms_team_rank(of) == 0)
    for (size_t i = 0; i < bytes; i++) data[i] = (unsigned char)(i * 7 + 1);
  mms_shared_publish(shared);
  for (size_t i = 0; i < bytes; i++) assert_int_equal(data[i], (unsigned char)(i * 7 + 1));
  mms_team_barrier(of);
  if (bytes > 0) { /* the last rank of each node writes, its leader reads: one copy a node */
    if (mms_team_node_rank(of) == mms_team_node_size(of) - 1) data[0] = 77;
    mms_team_barrier(of); /* before the first leader sends it on */
    mms_shared_publish(shared);
    assert_int_equal(data[0], 77);
  }
  mms_shared_free(&shared);
  assert_null(shared);
  mms_shared_free(&shared);
}

static void memory_is_shared(void **state) {
  (void)state;
  const size_t sizes[] = {0, 1, 100, 4096, 300001};
  for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) check_shared(team, sizes[s]);
}

/* Two ranks a "node": the leaders broadcast to each other. One rank a "node": plain memory everywhere. */
static void memory_is_shared_over_nodes(void **state) {
  (void)state;
  for (int ranks = 1; ranks <= 3; ranks++) {
    mms_team *cut = NULL;
    mms_error error = mms_error_none();
    expect_ok(mms_team_create_cut(&cut, ranks, &error), &error);
    check_shared(cut, 100000);
    mms_team_free(&cut);
  }
}

/* Every rank's part is its own, and seen by all ranks of its node. */
static void parts_of_memory_are_seen(void **state) {
  (void)state;
  enum { BYTES = 10000 };
  for (int ranks = 0; ranks <= 3; ranks++) {
    mms_team *cut = NULL;
    mms_shared *shared = NULL;
    mms_error error = mms_error_none();
    expect_ok(mms_team_create_cut(&cut, ranks, &error), &error);
    expect_ok(mms_shared_create_parts(&shared, cut, BYTES, "the test's memory", &error), &error);
    const int me = mms_team_node_rank(cut);
    unsigned char *mine = mms_shared_data(shared);
    assert_ptr_equal(mine, mms_shared_part(shared, me));
    for (int i = 0; i < BYTES; i++) assert_int_equal(mine[i], 0);
    mms_shared_synchronise(shared);
    memset(mine, 1 + me, BYTES);
    mms_shared_synchronise(shared);
    for (int other = 0; other < mms_team_node_size(cut); other++) {
      const unsigned char *part = mms_shared_part(shared, other);
      assert_int_equal((uintptr_t)part % MMS_ALIGNMENT, 0);
      assert_true(part[0] == 1 + other && part[BYTES - 1] == 1 + other);
    }
    mms_shared_free(&shared);
    mms_team_free(&cut);
  }
}

/* More than there can be is refused on all ranks alike, and the team works on. */
static void too_much_is_refused(void **state) {
  (void)state;
  if (mms_team_size(team) == 1) return; /* then it is plain memory, whose refusal is tested with it */
  mms_error error = mms_error_none();
  mms_shared *shared = NULL;
  mms_status status = mms_shared_create(&shared, team, (size_t)1 << 50, "the training set", &error);
  expect_refused(status, MMS_ERR_MEMORY, &error, "the training set needs 1073741825.0 MiB");
  assert_null(shared);
  expect_same_everywhere(status, &error);
  status = mms_shared_create(&shared, team, SIZE_MAX, "the training set", &error);
  expect_refused(status, MMS_ERR_MEMORY, &error, "not a possible size");
  status = mms_shared_create_parts(&shared, team, (size_t)1 << 40, "the sums", &error); /* twice that is to be free */
  expect_refused(status, MMS_ERR_MEMORY, &error, "the sums needs");
  char needed[64];
  snprintf(needed, sizeof needed, "needs %.1f MiB", 2.0 * 0x1p20 * mms_team_node_size(team) + 1.0);
  assert_non_null(strstr(error.message, needed));
  status = mms_shared_create_parts(&shared, team, (size_t)INT64_MAX / 2, "the sums", &error);
  expect_refused(status, MMS_ERR_MEMORY, &error, "not a possible size");
  check_shared(team, 1000);
}

static void window_refused_on_one_rank_is_refused_on_all(void **state) {
  (void)state;
  mms_error error = mms_error_none();
  mms_shared *shared = NULL;
  if (mms_team_node_size(team) == 1) return;
  refuse_window = mms_team_rank(team) == mms_team_size(team) - 1;
  mms_status status = mms_shared_create(&shared, team, 100, "the training set", &error);
  refuse_window = false;
  expect_refused(status, MMS_ERR_SYSTEM, &error, "MPI refused");
  expect_same_everywhere(status, &error);
  assert_null(shared);
  check_shared(team, 1000);
}

/* A folder that is not there: its name is in the message. */
static void missing_folder_is_named(void **state) {
  (void)state;
  if (mms_team_size(team) == 1) return;
  setenv("OMPI_MCA_osc_sm_backing_directory", "/no/such/folder", 1);
  mms_error error = mms_error_none();
  mms_shared *shared = NULL;
  mms_status status = mms_shared_create(&shared, team, 100, "the training set", &error);
  unsetenv("OMPI_MCA_osc_sm_backing_directory");
  expect_refused(status, MMS_ERR_SYSTEM, &error, "/no/such/folder");
  assert_null(shared);
}

/* Several tasks that each see one rank would all write the same files. */
static void singletons_are_refused(void **state) {
  (void)state;
  const char *before = getenv("OMPI_COMM_WORLD_SIZE");
  char kept[32] = "";
  if (before != NULL) snprintf(kept, sizeof kept, "%s", before);
  mms_error error = mms_error_none();
  unsetenv("OMPI_COMM_WORLD_SIZE");
  setenv("SLURM_NTASKS", "4", 1); /* in every batch script: proves nothing */
  expect_ok(mms_team_refuse_singletons(NULL, &error), &error);
  setenv("SLURM_STEP_NUM_TASKS", "1", 1);
  expect_ok(mms_team_refuse_singletons(NULL, &error), &error);
  setenv("SLURM_STEP_NUM_TASKS", "4", 1);
  expect_refused(mms_team_refuse_singletons(NULL, &error), MMS_ERR_INPUT, &error, "SLURM_STEP_NUM_TASKS = 4");
  if (mms_team_size(team) > 1) expect_ok(mms_team_refuse_singletons(team, &error), &error);
  unsetenv("SLURM_STEP_NUM_TASKS");
  unsetenv("SLURM_NTASKS");
  setenv("OMPI_COMM_WORLD_SIZE", "2", 1);
  expect_refused(mms_team_refuse_singletons(NULL, &error), MMS_ERR_INPUT, &error, "OMPI_COMM_WORLD_SIZE = 2");
  unsetenv("OMPI_COMM_WORLD_SIZE");
  if (before != NULL) setenv("OMPI_COMM_WORLD_SIZE", kept, 1);
}

static void begun_once(void **state) {
  (void)state;
  mms_error error = mms_error_none();
  expect_refused(mms_world_begin(NULL, NULL, &error), MMS_ERR_INTERNAL, &error, "begun twice");
}

/* Parts work apart: sizes, order, sums and a failure that stays with its part. One rank of a larger team is not taken
 * for a singleton. */
static void parts(void **state) {
  (void)state;
  const int rank = mms_team_rank(team), size = mms_team_size(team), mine = rank % 2;
  mms_team *part = NULL;
  mms_error error = mms_error_none();
  expect_ok(mms_team_split(&part, team, mine, &error), &error);
  assert_int_equal(mms_team_size(part), mine == 0 ? (size + 1) / 2 : size / 2);
  assert_int_equal(mms_team_rank(part), rank / 2);
  int64_t sum = 1 + mine;
  mms_team_sum_int64(part, &sum, 1);
  assert_int_equal(sum, mms_team_size(part) * (1 + mine));
  mms_status status = mine == 1 ? mms_fail(&error, MMS_ERR_SYSTEM, "only here") : MMS_OK;
  assert_int_equal(mms_team_agree(part, status, &error), mine == 1 ? MMS_ERR_SYSTEM : MMS_OK);
  mms_shared *memory = NULL;
  error = mms_error_none();
  expect_ok(mms_shared_create(&memory, part, sizeof(int), "a test", &error), &error);
  if (mms_team_rank(part) == 0) *(int *)mms_shared_data(memory) = 10 + mine;
  mms_shared_publish(memory);
  assert_int_equal(*(int *)mms_shared_data(memory), 10 + mine);
  mms_shared_free(&memory);
  setenv("SLURM_STEP_NUM_TASKS", "2", 1);
  status = mms_team_refuse_singletons(part, &error);
  assert_int_equal(status, size > 1 ? MMS_OK : MMS_ERR_INPUT);
  unsetenv("SLURM_STEP_NUM_TASKS");
  mms_team_free(&part);
  assert_null(part);
}

int main(int argc, char **argv) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(all_well),
      cmocka_unit_test(one_rank_fails),
      cmocka_unit_test(several_fail),
      cmocka_unit_test(all_fail_alike),
      cmocka_unit_test(ranks_and_nodes),
      cmocka_unit_test(collectives),
      cmocka_unit_test(texts),
      cmocka_unit_test(no_team),
      cmocka_unit_test(memory_is_shared),
      cmocka_unit_test(memory_is_shared_over_nodes),
      cmocka_unit_test(parts_of_memory_are_seen),
      cmocka_unit_test(too_much_is_refused),
      cmocka_unit_test(window_refused_on_one_rank_is_refused_on_all),
      cmocka_unit_test(missing_folder_is_named),
      cmocka_unit_test(singletons_are_refused),
      cmocka_unit_test(begun_once),
      cmocka_unit_test(parts),
  };
  if (!team_begin(&argc, &argv)) return 1;
  return team_end(cmocka_run_group_tests(tests, NULL, NULL));
}
