/* Attributes: rank 0's value is written by all ranks alike, since HDF5 keeps attributes in its metadata. */
#include "mmsold/base/memory.h"
#include "store/h5_internal.h"
#include <stdlib.h>
#include <string.h>

static mms_status fail_attribute(const mms_h5 *file, const char *object, const char *name, const char *verb,
                                 mms_error *error) {
  char what[256];
  snprintf(what, sizeof what, "the attribute %s cannot be %s", name, verb);
  return mms_h5_fail(file, object, what, error);
}

/* Write one scalar attribute of `type`, in the file as in memory. Every rank the same value. */
static mms_status put(mms_h5 *file, const char *object, const char *name, hid_t type, const void *value,
                      mms_error *error) {
  mms_status room = mms_h5_reserve(file, type >= 0 ? (int64_t)H5Tget_size(type) : 0, 0, error);
  if (room != MMS_OK) return room;
  hid_t target = H5Oopen(file->id, object, H5P_DEFAULT);
  hid_t space = H5Screate(H5S_SCALAR);
  hid_t attribute = -1;
  if (mms_h5_all(file, target >= 0 && space >= 0 && type >= 0))
    attribute = H5Acreate2(target, name, type, space, H5P_DEFAULT, H5P_DEFAULT);
  mms_status status = MMS_OK;
  if (attribute < 0 || H5Awrite(attribute, type, value) < 0)
    status = fail_attribute(file, object, name, "written", error);
  if (attribute >= 0) H5Aclose(attribute);
  if (space >= 0) H5Sclose(space);
  if (target >= 0) H5Oclose(target);
  return mms_h5_agree(file, status, error);
}

static mms_status put_number(mms_h5 *file, const char *object, const char *name, hid_t type, const void *value,
                             mms_error *error) {
  unsigned char same[8];
  memcpy(same, value, sizeof same);
  if (file->team != NULL) mms_team_broadcast(file->team, same, sizeof same, 0);
  return put(file, object, name, type, same, error);
}

mms_status mms_h5_attribute_int(mms_h5 *file, const char *object, const char *name, int64_t value, mms_error *error) {
  return put_number(file, object, name, H5T_NATIVE_INT64, &value, error);
}

mms_status mms_h5_attribute_uint(mms_h5 *file, const char *object, const char *name, uint64_t value, mms_error *error) {
  return put_number(file, object, name, H5T_NATIVE_UINT64, &value, error);
}

mms_status mms_h5_attribute_double(mms_h5 *file, const char *object, const char *name, double value, mms_error *error) {
  return put_number(file, object, name, H5T_NATIVE_DOUBLE, &value, error);
}

mms_status mms_h5_attribute_text(mms_h5 *file, const char *object, const char *name, const char *value,
                                 mms_error *error) {
  char *same = NULL;
  mms_status status = MMS_OK;
  if (mms_h5_leads(file)) status = mms_copy_text(&same, value != NULL ? value : "", error);
  status = mms_h5_agree(file, status, error);
  if (status == MMS_OK && file->team != NULL) status = mms_team_broadcast_text(file->team, &same, 0, error);
  if (status == MMS_OK) {
    hid_t type = H5Tcopy(H5T_C_S1);
    if (type >= 0 && (H5Tset_size(type, strlen(same) + 1) < 0 || H5Tset_cset(type, H5T_CSET_UTF8) < 0)) {
      H5Tclose(type);
      type = -1;
    }
    status = put(file, object, name, type, same, error);
    if (type >= 0) H5Tclose(type);
  }
  free(same);
  return status;
}

mms_status mms_h5_attribute_texts(mms_h5 *file, const char *object, const mms_h5_text *texts, int count,
                                  mms_error *error) {
  mms_status status = MMS_OK;
  for (int i = 0; i < count && status == MMS_OK; i++)
    if (texts[i].value != NULL) status = mms_h5_attribute_text(file, object, texts[i].name, texts[i].value, error);
  return status;
}

mms_status mms_h5_find_attribute(mms_h5 *file, const char *object, const char *name, bool *there, mms_error *error) {
  const htri_t found = H5Aexists_by_name(file->id, object, name, H5P_DEFAULT);
  *there = found > 0;
  mms_status status = found < 0 ? fail_attribute(file, object, name, "looked for", error) : MMS_OK;
  return mms_h5_agree(file, status, error);
}

/* Open a scalar attribute of one of two classes; its type goes to *type. Negative after a failure. */
static hid_t open_attribute(mms_h5 *file, const char *object, const char *name, H5T_class_t kind, const char *wanted,
                            hid_t *type, mms_error *error) {
  *type = -1;
  if (H5Aexists_by_name(file->id, object, name, H5P_DEFAULT) == 0) {
    mms_fail(error, MMS_ERR_INPUT, "%s: %s: there is no attribute %s", file->path, object, name);
    return -1;
  }
  hid_t attribute = H5Aopen_by_name(file->id, object, name, H5P_DEFAULT, H5P_DEFAULT);
  if (attribute < 0) {
    fail_attribute(file, object, name, "opened", error);
    return -1;
  }
  *type = H5Aget_type(attribute);
  hid_t space = H5Aget_space(attribute);
  bool good = *type >= 0 && space >= 0 && H5Tget_class(*type) == kind && H5Sget_simple_extent_npoints(space) == 1;
  if (space >= 0) H5Sclose(space);
  if (good) return attribute;
  char found[64];
  mms_h5_type_name(*type, found, sizeof found);
  mms_fail(error, MMS_ERR_INPUT, "%s: %s: the attribute %s is %s where %s was expected", file->path, object, name,
           found, wanted);
  if (*type >= 0) H5Tclose(*type);
  H5Aclose(attribute);
  return -1;
}

static mms_status get_number(mms_h5 *file, const char *object, const char *name, H5T_class_t kind, const char *wanted,
                             hid_t memory, void *value, mms_error *error) {
  hid_t type;
  hid_t attribute = open_attribute(file, object, name, kind, wanted, &type, error);
  if (attribute < 0) return MMS_ERR_INPUT;
  mms_status status = MMS_OK;
  if (H5Aread(attribute, memory, value) < 0) status = fail_attribute(file, object, name, "read", error);
  H5Tclose(type);
  H5Aclose(attribute);
  return status;
}

mms_status mms_h5_read_int(mms_h5 *file, const char *object, const char *name, int64_t *value, mms_error *error) {
  return get_number(file, object, name, H5T_INTEGER, "an integer", H5T_NATIVE_INT64, value, error);
}

mms_status mms_h5_read_uint(mms_h5 *file, const char *object, const char *name, uint64_t *value, mms_error *error) {
  return get_number(file, object, name, H5T_INTEGER, "an integer", H5T_NATIVE_UINT64, value, error);
}

mms_status mms_h5_read_double(mms_h5 *file, const char *object, const char *name, double *value, mms_error *error) {
  return get_number(file, object, name, H5T_FLOAT, "a number with a fraction", H5T_NATIVE_DOUBLE, value, error);
}

mms_status mms_h5_read_text(mms_h5 *file, const char *object, const char *name, char **value, mms_error *error) {
  *value = NULL;
  hid_t type;
  hid_t attribute = open_attribute(file, object, name, H5T_STRING, "text", &type, error);
  if (attribute < 0) return MMS_ERR_INPUT;
  mms_status status = MMS_OK;
  bool read = false;
  const htri_t varies = H5Tis_variable_str(type);
  const int64_t size = (int64_t)H5Tget_size(type); /* 0: cannot be told */
  if (varies > 0) {                                /* as h5py writes them; the library's copy is given back to it */
    char *theirs = NULL;
    read = H5Aread(attribute, type, &theirs) >= 0;
    if (read) status = mms_copy_text(value, theirs != NULL ? theirs : "", error);
    if (theirs != NULL) H5free_memory(theirs);
  } else if (varies == 0 && size > 0) {
    void *memory = NULL;
    status = mms_allocate(&memory, size + 1, 1, "a text attribute", error);
    read = status == MMS_OK && H5Aread(attribute, type, memory) >= 0; /* zeroed, so ended even where null-padded */
    if (read)
      *value = memory;
    else
      free(memory);
  }
  if (!read && status == MMS_OK) status = fail_attribute(file, object, name, "read", error);
  H5Tclose(type);
  H5Aclose(attribute);
  return status;
}
