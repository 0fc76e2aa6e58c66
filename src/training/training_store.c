#include "mmsold/base/version.h"
#include "mmsold/store/h5.h"
#include "mmsold/training/training.h"
#include <unistd.h>

static mms_status write_transform(mms_h5 *file, const mms_transform *t, mms_error *error) {
  if (t->identity) return MMS_OK;
  mms_status status = mms_h5_write_array(file, "/transform/offset", MMS_H5_FLOAT64, 1, t->data_dim, 0, t->offset.data,
                                         "z = (x - offset) encode", error);
  if (status == MMS_OK)
    status = mms_h5_write_array(file, "/transform/encode", MMS_H5_FLOAT64, 2, t->data_dim, t->dim, t->encode.data,
                                "z = (x - offset) encode", error);
  if (status == MMS_OK)
    status = mms_h5_write_array(file, "/transform/decode", MMS_H5_FLOAT64, 2, t->dim, t->data_dim, t->decode.data,
                                "x = offset + z decode", error);
  return status;
}

static mms_status write_attributes(mms_h5 *file, const mms_training *training, const char *configuration,
                                   mms_error *error) {
  const mms_h5_text texts[] = {{"kind", "training"},
                               {"version", mms_version()},
                               {"commit", mms_version_commit()},
                               {"source", training->description},
                               {"configuration", configuration}};
  mms_status status = mms_h5_attribute_texts(file, "/", texts, (int)(sizeof texts / sizeof *texts), error);
  if (status == MMS_OK) status = mms_h5_attribute_uint(file, "/", "checksum", training->checksum, error);
  if (status == MMS_OK) status = mms_h5_attribute_int(file, "/", "image_rows", training->image_rows, error);
  if (status == MMS_OK) status = mms_h5_attribute_int(file, "/", "image_columns", training->image_columns, error);
  return status;
}

mms_status mms_training_store(const mms_training *training, const char *configuration, const char *path,
                              mms_error *error) {
  if (access(path, F_OK) == 0)
    return mms_fail(error, MMS_ERR_INPUT, "%s: exists already and is not written over; remove it or give another name",
                    path);
  mms_h5 *file = NULL;
  mms_status status = mms_h5_create(&file, NULL, path, error);
  if (status != MMS_OK) return status;
  status =
      mms_h5_write_rows(file, "/training", MMS_H5_FLOAT64, training->count, training->dim, 0, training->count,
                        training->points, "training points in the sampler's coordinates", "point", "coordinate", error);
  if (status == MMS_OK) status = write_transform(file, &training->transform, error);
  if (status == MMS_OK) status = write_attributes(file, training, configuration, error);
  if (status == MMS_OK) return mms_h5_commit(&file, error);
  mms_h5_close(&file);
  return status;
}
