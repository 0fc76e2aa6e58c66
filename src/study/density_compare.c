/* Which σ explains the test points best, and how sure that is. */
#include "study/density.h"

#include "mmsold/base/memory.h"
#include "mmsold/base/sort.h"
#include "mmsold/random/random.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { REPLICATES = 1000 }; /* shares of them are known to 1.6 % */

/* nll less the least one; the error of the difference: the test points are the same, and so are the draws. */
static void find_differences(mms_density_result *results, int64_t count, int64_t test_count, int law) {
  int64_t best = 0;
  for (int64_t s = 1; s < count; s++)
    if (results[s].row.law[law].nll < results[best].row.law[law].nll) best = s;
  const mms_density_result *least = &results[best];
  for (int64_t s = 0; s < count; s++) {
    mms_density_result *one = &results[s];
    mms_density_law *out = &one->row.law[law];
    const double *mine = one->energies.data + law * test_count, *its = least->energies.data + law * test_count;
    double mean = 0.0, squares = 0.0, spread = 0.0;
    for (int64_t i = 0; i < test_count; i++) mean += (mine[i] - its[i]) / (double)test_count;
    for (int64_t i = 0; i < test_count; i++) squares += (mine[i] - its[i] - mean) * (mine[i] - its[i] - mean);
    int64_t groups = one->groups > least->groups ? one->groups : least->groups; /* σ = 0 has one, and no error */
    for (int64_t g = 0; g < groups && groups > 1; g++) {
      double away = (one->groups > 1 ? one->slope[law][g] : 0.0) - (least->groups > 1 ? least->slope[law][g] : 0.0);
      spread += (one->groups > 1 ? one : least)->share[g] * away * away / (double)(groups - 1);
    }
    out->above = out->nll - least->row.law[law].nll;
    out->above_error = hypot(sqrt(spread), sqrt(squares / ((double)test_count - 1.0) / (double)test_count));
  }
}

/* One replicate of a paired bootstrap: test points and groups of draws, drawn with replacement, alike for all σ; the σ
 * of the least nll. weight [test_count] and of groups [32]. The draws' part is linear: what a group would add. */
static int64_t replicate(const mms_density_result *results, int64_t count, int64_t test_count, int law,
                         const double *weight, const double *of_group) {
  int64_t best = 0;
  double least = INFINITY;
  for (int64_t s = 0; s < count; s++) {
    const double *energy = results[s].energies.data + law * test_count;
    double value = results[s].row.law[law].log_z;
    for (int64_t i = 0; i < test_count; i++) value += weight[i] * energy[i];
    for (int64_t g = 0; g < results[s].groups && results[s].groups > 1; g++)
      value += of_group[g] * results[s].share[g] * results[s].slope[law][g];
    if (value < least) least = value, best = s;
  }
  return best;
}

static void find_shares(mms_density_result *results, int64_t count, int64_t test_count, uint64_t seed, double *weight,
                        double *chosen, mms_density_table *table) {
  int64_t groups = 1;
  for (int64_t s = 0; s < count; s++)
    if (results[s].groups > groups) groups = results[s].groups;
  for (int b = 0; b < REPLICATES; b++) {
    const mms_random_key key = {.seed = seed, .stream = MMS_STREAM_BOOTSTRAP, .step = (uint64_t)b};
    double of_group[32] = {0.0};
    memset(weight, 0, (size_t)test_count * sizeof *weight);
    for (int64_t i = 0; i < test_count; i++)
      weight[mms_random_index(key, i, (uint64_t)test_count)] += 1.0 / (double)test_count;
    for (int64_t g = 0; g < groups; g++) of_group[mms_random_index(key, test_count + g, (uint64_t)groups)] += 1.0;
    for (int law = 0; law < MMS_LAWS; law++) {
      int64_t best = replicate(results, count, test_count, law, weight, of_group);
      results[best].row.law[law].chosen += 1.0 / REPLICATES;
      chosen[law * REPLICATES + b] = results[best].row.smoothing;
    }
  }
  for (int law = 0; law < MMS_LAWS; law++) {
    double *all = chosen + law * REPLICATES;
    mms_sort_doubles(all, REPLICATES);
    table->least_low[law] = all[REPLICATES / 40];
    table->least_high[law] = all[REPLICATES - 1 - REPLICATES / 40];
  }
}

mms_status mms_density_compare(mms_density_result *results, int64_t count, int64_t test_count, uint64_t seed,
                               mms_density_table *table, mms_error *error) {
  double *weight = NULL, *chosen = NULL;
  void *rows = NULL;
  *table = (mms_density_table){.count = count, .test_count = test_count};
  mms_status status = mms_allocate(&rows, count, sizeof *table->rows, "a table of densities", error);
  table->rows = rows;
  if (status == MMS_OK) status = mms_allocate_doubles(&weight, test_count, "weights of test points", error);
  if (status == MMS_OK) status = mms_allocate_doubles(&chosen, MMS_LAWS * REPLICATES, "replicates", error);
  if (status == MMS_OK) {
    for (int law = 0; law < MMS_LAWS; law++) find_differences(results, count, test_count, law);
    find_shares(results, count, test_count, seed, weight, chosen, table);
    for (int64_t s = 0; s < count; s++) {
      table->rows[s] = results[s].row;
      for (int law = 0; law < MMS_LAWS; law++)
        if (results[s].row.law[law].above == 0.0) table->least[law] = results[s].row.smoothing;
    }
  }
  free(weight);
  free(chosen);
  if (status != MMS_OK) mms_density_table_free(table);
  return status;
}

void mms_density_table_free(mms_density_table *table) {
  free(table->rows);
  *table = (mms_density_table){.rows = NULL};
}
