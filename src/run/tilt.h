/* The points a tilt is averaged over, from the samples of another run. Private to run/. */
#ifndef RUN_TILT_H
#define RUN_TILT_H

#include "mmsold/dynamics/dynamics.h"
#include "mmsold/store/h5.h"

/* Owns its arrays. */
typedef struct mms_tilt_file {
  bool given;             /* false: the tilt is that of the training points, or there is none */
  mms_tilt_points points; /* of the arrays below */
  mms_matrix rows;        /* this rank's rows of /latent */
  mms_matrix mean, covariance;
} mms_tilt_file;

/* Read the file that context->sampler.tilt names, where it names one: `/latent` and `/target` of a samples.h5.
 * Collective; agreed. MMS_ERR_INPUT: not there, not whole, without these, or of another dimension. */
mms_status mms_tilt_file_read(mms_tilt_file *tilt, const mms_dynamics_context *context, mms_error *error);
void mms_tilt_file_free(mms_tilt_file *tilt);

/* Write `/tilt/linear` and `/tilt/quadratic`; nothing where there is no tilt. Collective; agreed. */
mms_status mms_tilt_file_write(const mms_tilt *tilt, mms_h5 *file, mms_error *error);
/* Was the state in `file` made with this tilt? MMS_ERR_INPUT where not. Collective; agreed. */
mms_status mms_tilt_file_compare(const mms_tilt *tilt, const mms_team *team, mms_h5 *file, const char *path,
                                 mms_error *error);

#endif
