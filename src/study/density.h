/* The parts of `density`, a file each. Private to src/study. */
#ifndef STUDY_DENSITY_H
#define STUDY_DENSITY_H

#include "mmsold/ensemble/target.h"
#include "mmsold/parallel/blocks.h"
#include "mmsold/study/density.h"
#include "mmsold/study/limit.h"

/* What all σ share. Owns its arrays. */
typedef struct mms_density_setting {
  const mms_density_request *request;
  mms_training training;
  mms_target target;
  mms_blocks tilt_blocks; /* of the points λ and Λ are averaged over */
  double *tilt_points;    /* [n_local][2] */
  bool tilt_sampled;      /* they are a sample: their spread is part of the errors */
  int64_t test_count;
  mms_matrix test; /* [test_count][2], on every rank */
  mms_plane picture;
} mms_density_setting;

/* Everything one σ leaves. Owns its arrays. */
typedef struct mms_density_result {
  mms_density_row row;
  int64_t groups;                        /* G of the draws */
  double share[32];                      /* of each group */
  double slope[MMS_LAWS][32];            /* what a group's draws alone would add to the nll */
  mms_matrix energies;                   /* [MMS_LAWS][test_count] */
  mms_matrix potential, potential_error; /* of the picture [1][cells]; */
  mms_matrix density[MMS_LAWS];          /* of the picture [1][cells] */
} mms_density_result;

/* Points of block `size` MMS_POTENTIAL_BLOCK. Collective; agreed. */
mms_status mms_density_open(mms_density_setting *setting, const mms_density_request *request, mms_error *error);
void mms_density_close(mms_density_setting *setting);

/* One σ. Collective; agreed. */
mms_status mms_density_smoothing(const mms_density_setting *setting, double smoothing, mms_density_result *result,
                                 mms_error *error);
void mms_density_result_free(mms_density_result *result);

/* The least of each curve, by how much the others are above it, and which it might have been. Local. */
mms_status mms_density_compare(mms_density_result *results, int64_t count, int64_t test_count, uint64_t seed,
                               mms_density_table *table, mms_error *error);

/* Collective; agreed. */
mms_status mms_density_write(const mms_density_setting *setting, const mms_density_result *results,
                             const mms_density_table *table, const char *path, mms_error *error);

#endif
