#include "store/digest.h"

#include "mmsold/base/memory.h"
#include "parallel/team_mpi.h"
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

static const char magic[8] = "MMSOLD\r\n";
enum { PIECE = 1 << 20 }; /* bytes read at a time */

static void put_number(unsigned char *out, uint64_t value) {
  for (int i = 0; i < 8; i++) out[i] = (unsigned char)(value >> (8 * i));
}

static uint64_t get_number(const unsigned char *in) {
  uint64_t value = 0;
  for (int i = 0; i < 8; i++) value |= (uint64_t)in[i] << (8 * i);
  return value;
}

static void make_trailer(unsigned char trailer[MMS_DIGEST_BYTES], uint64_t length, uint64_t crc) {
  memcpy(trailer, magic, sizeof magic);
  put_number(trailer + 8, length);
  put_number(trailer + 16, crc);
  put_number(trailer + 24, crc32(0, trailer, 24));
}

/* CRC-32 of bytes begin … end − 1 of an open file. */
static mms_status crc_of_slice(int file, const char *path, int64_t begin, int64_t end, uint64_t *crc,
                               mms_error *error) {
  void *memory = NULL;
  mms_status status = mms_allocate(&memory, PIECE, 1, "a piece of a file", error);
  uLong sum = crc32(0, NULL, 0);
  while (status == MMS_OK && begin < end) {
    const size_t wanted = end - begin < PIECE ? (size_t)(end - begin) : PIECE;
    const ssize_t got = pread(file, memory, wanted, begin);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) {
      status = mms_fail(error, MMS_ERR_SYSTEM, "%s: reading at byte %lld failed: %s", path, (long long)begin,
                        got < 0 ? strerror(errno) : "the file became shorter");
      break;
    }
    sum = crc32(sum, memory, (uInt)got);
    begin += got;
  }
  free(memory);
  *crc = sum;
  return status;
}

/* CRC-32 of the first `length` bytes, every rank a slice, the same value on all ranks. Collective; agreed. */
static mms_status crc_of_file(const mms_team *team, int file, const char *path, int64_t length, uint64_t *crc,
                              mms_error *error) {
  const int rank = mms_team_rank(team), size = mms_team_size(team);
  const int64_t begin = length / size * rank, end = rank + 1 == size ? length : length / size * (rank + 1);
  uint64_t mine[2] = {0, (uint64_t)(end - begin)};
  void *memory = NULL;
  mms_status status = mms_allocate(&memory, 2 * (int64_t)size, sizeof(uint64_t), "digests of slices", error);
  if (status == MMS_OK) status = crc_of_slice(file, path, begin, end, &mine[0], error);
  status = mms_team_agree(team, status, error);
  uint64_t *all = memory;
  if (status == MMS_OK) {
    memcpy(all, mine, sizeof mine);
    if (team != NULL) MPI_Allgather(mine, 2, MPI_UINT64_T, all, 2, MPI_UINT64_T, mms_team_communicator(team));
    uLong sum = (uLong)all[0];
    for (int r = 1; r < size; r++) sum = crc32_combine(sum, (uLong)all[2 * r], (z_off_t)all[2 * r + 1]);
    *crc = sum;
  }
  free(memory);
  return status;
}

/* Open and measure a file on this rank. O_NONBLOCK: a pipe of that name is refused, not waited for. */
static mms_status open_file(const char *path, int flags, int *file, int64_t *length, mms_error *error) {
  struct stat info;
  *file = open(path, flags | O_CLOEXEC | O_NONBLOCK);
  if (*file < 0 || fstat(*file, &info) != 0) return mms_fail(error, MMS_ERR_SYSTEM, "%s: %s", path, strerror(errno));
  if (!S_ISREG(info.st_mode)) return mms_fail(error, MMS_ERR_INPUT, "%s: is not a regular file", path);
  *length = info.st_size;
  return MMS_OK;
}

mms_status mms_digest_append(const mms_team *team, const char *path, mms_error *error) {
  int file = -1;
  int64_t length = 0;
  uint64_t crc = 0;
  mms_status status = open_file(path, mms_team_rank(team) == 0 ? O_RDWR : O_RDONLY, &file, &length, error);
  status = mms_team_agree(team, status, error);
  if (status == MMS_OK) status = crc_of_file(team, file, path, length, &crc, error);
  if (status == MMS_OK && mms_team_rank(team) == 0) {
    unsigned char trailer[MMS_DIGEST_BYTES];
    make_trailer(trailer, (uint64_t)length, crc);
    if (pwrite(file, trailer, sizeof trailer, length) != (ssize_t)sizeof trailer || fsync(file) != 0)
      status = mms_fail(error, MMS_ERR_SYSTEM, "%s: the digest cannot be written: %s", path, strerror(errno));
  }
  if (file >= 0) close(file);
  return mms_team_agree(team, status, error);
}

mms_status mms_digest_check(const mms_team *team, const char *path, mms_error *error) {
  int file = -1;
  int64_t size = 0;
  unsigned char trailer[MMS_DIGEST_BYTES] = {0}, wanted[MMS_DIGEST_BYTES];
  mms_status status = open_file(path, O_RDONLY, &file, &size, error);
  const int64_t length = size - MMS_DIGEST_BYTES;
  if (status == MMS_OK &&
      (length < 0 || pread(file, trailer, sizeof trailer, length) != (ssize_t)sizeof trailer ||
       memcmp(trailer, magic, sizeof magic) != 0 || get_number(trailer + 24) != crc32(0, trailer, 24)))
    status = mms_fail(error, MMS_ERR_INPUT, "%s: cut short or not one of our files: it does not end in a digest", path);
  if (status == MMS_OK && get_number(trailer + 8) != (uint64_t)length)
    status = mms_fail(error, MMS_ERR_INPUT, "%s: damaged: %lld bytes long where its digest says %llu", path,
                      (long long)length, (unsigned long long)get_number(trailer + 8));
  status = mms_team_agree(team, status, error);
  uint64_t crc = 0;
  if (status == MMS_OK) status = crc_of_file(team, file, path, length, &crc, error);
  if (file >= 0) close(file);
  if (status != MMS_OK) return status;
  make_trailer(wanted, (uint64_t)length, crc);
  if (memcmp(trailer, wanted, sizeof wanted) != 0)
    return mms_fail(error, MMS_ERR_INPUT, "%s: damaged: its bytes do not fit the digest at its end", path);
  return MMS_OK;
}
