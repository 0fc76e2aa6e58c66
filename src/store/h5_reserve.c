/* Room on the disk, taken before HDF5 asks for it. A write that fails inside HDF5 leaves ranks waiting for each other
 * in a collective call, or a file that HDF5 cannot close and stumbles over at the end; so no write of its own may meet
 * a full disk, a quota or a limit on file sizes. Rank 0 takes the room with plain system calls, whose failure is a
 * status. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* fallocate */
#endif
#include "store/h5_internal.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

enum {
  BASE_BYTES = 1 << 15,   /* superblock, root group and what metadata rounds up to */
  OBJECT_BYTES = 1 << 12, /* a group's or dataset's header with its link and first B-tree node */
  EOF_AT = 28,            /* where a superblock of version 2 holds the end of file, 8 bytes, little-endian */
  CHUNK_ENTRY_BYTES = 128 /* a chunk's checksum and its keys in half-full B-tree nodes */
};

/* An HDF5 file with nothing in it, as the format's specification has it and HDF5 1.8 and later write it: superblock of
 * version 2 (end of file 0xb3, root group at 0x30, checksum) and the root group's object header of version 2 (link
 * info, group info, room for links, checksum). HDF5 is not asked to make it, since that could fail for want of room. */
static const unsigned char empty_file[0xb3] = {0x89, 'H',  'D',  'F',           '\r', '\n', 0x1a, '\n', 0x02, 0x08,
                                               0x08, 0x00, /* signature, sizes */
                                               0x00, 0x00, 0x00, 0x00,          0x00, 0x00, 0x00, 0x00, 0xff, 0xff,
                                               0xff, 0xff, 0xff, 0xff,          0xff, 0xff, /* no extension */
                                               0xb3, 0x00, 0x00, 0x00,          0x00, 0x00, 0x00, 0x00, 0x30, 0x00,
                                               0x00, 0x00, 0x00, 0x00,          0x00, 0x00, 0x87, 0x67, 0x2a, 0x28,
                                               'O',  'H',  'D',  'R',           0x02, 0x00, 0x78, 0x02, 0x12, 0x00,
                                               0x00, 0x00, 0x00, 0xff,          0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
                                               0xff, 0xff, 0xff, 0xff,          0xff, 0xff, 0xff, 0xff, 0xff, 0x0a,
                                               0x02, 0x00, 0x01, 0x00,          0x00, 0x00, 0x58, 0x00, 0x00, 0x00,
                                               0x00, 0x00, 0x00, [0xaf] = 0xc5, 0xb9, 0xc8, 0xac};

/* `count` bytes of `bytes` (NULL: zeros) at `offset`. 0, or errno. */
static int put_bytes(int descriptor, const unsigned char *bytes, int64_t offset, int64_t count) {
  static const unsigned char zeros[1 << 16];
  for (int64_t done = 0; done < count;) {
    int64_t now = count - done;
    if (bytes == NULL && now > (int64_t)sizeof zeros) now = sizeof zeros;
    const ssize_t put = pwrite(descriptor, bytes != NULL ? bytes + done : zeros, (size_t)now, offset + done);
    if (put < 0 && errno == EINTR) continue;
    if (put <= 0) return put < 0 ? errno : ENOSPC;
    done += put;
  }
  return 0;
}

/* Blocks for `count` more bytes from `offset` on. Where the file system cannot promise them, zeros are written and
 * brought to the disk. 0, or errno. */
static int take_room(int descriptor, int64_t offset, int64_t count) {
#ifdef __linux__
  int refused;
  do refused = fallocate(descriptor, 0, offset, count) != 0 ? errno : 0;
  while (refused == EINTR);
  if (refused != EOPNOTSUPP && refused != ENOSYS) return refused;
#endif
  const int failed = put_bytes(descriptor, NULL, offset, count);
  if (failed != 0) return failed;
  return fsync(descriptor) == 0 ? 0 : errno;
}

static mms_status no_room(const mms_h5 *file, int64_t bytes, int reason, mms_error *error) {
  return mms_fail(error, MMS_ERR_SYSTEM, "%s: there is no room for the file (%.3g MiB so far): %s", file->path,
                  (double)bytes / 1048576.0, strerror(reason));
}

mms_status mms_h5_begin_file(mms_h5 *file, mms_error *error) {
  const int64_t bytes = sizeof empty_file;
  file->reserved = bytes + BASE_BYTES;
  const int descriptor = open(file->partial, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  int failed = descriptor < 0 ? errno : put_bytes(descriptor, empty_file, 0, bytes);
  if (failed == 0) failed = take_room(descriptor, bytes, BASE_BYTES);
  if (descriptor >= 0 && close(descriptor) != 0 && failed == 0) failed = errno;
  return failed == 0 ? MMS_OK : no_room(file, file->reserved, failed, error);
}

mms_status mms_h5_reserve(mms_h5 *file, int64_t bytes, int64_t chunks, mms_error *error) {
  mms_status status = MMS_OK;
  if (mms_h5_leads(file)) {
    const int64_t more = bytes + OBJECT_BYTES + chunks * CHUNK_ENTRY_BYTES;
    const int descriptor = open(file->partial, O_RDWR | O_CLOEXEC);
    int failed = descriptor < 0 ? errno : take_room(descriptor, file->reserved, more);
    if (descriptor >= 0 && close(descriptor) != 0 && failed == 0) failed = errno;
    file->reserved += more;
    if (failed != 0) status = no_room(file, file->reserved, failed, error);
  }
  return mms_h5_agree(file, status, error);
}

mms_status mms_h5_trim(mms_h5 *file, mms_error *error) {
  unsigned char bytes[8] = {0};
  const int descriptor = open(file->partial, O_RDWR | O_CLOEXEC);
  int failed = descriptor < 0 ? errno : 0;
  if (failed == 0 && pread(descriptor, bytes, sizeof bytes, EOF_AT) != (ssize_t)sizeof bytes) failed = EIO;
  off_t end = 0;
  for (int i = 7; i >= 0; i--) end = end * 256 + bytes[i];
  if (failed == 0 && ftruncate(descriptor, end) != 0) failed = errno;
  if (descriptor >= 0 && close(descriptor) != 0 && failed == 0) failed = errno;
  if (failed == 0) return MMS_OK;
  return mms_fail(error, MMS_ERR_SYSTEM, "%s: cannot be cut to its end: %s", file->path, strerror(failed));
}
