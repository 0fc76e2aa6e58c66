/* A digest of a whole file, at its end. Private to store/.
 *
 * fletcher32 guards the chunks of datasets but not HDF5's own metadata, nor the gaps between. So
 * a finished file of ours ends with 32 bytes that HDF5 does not look at (they lie behind its end of file
 * address): the magic "MMSOLD\r\n", the length of what precedes (8 bytes), its CRC-32 (8 bytes, the upper 4
 * zero) and the CRC-32 of those 24 bytes (8 bytes), integers little-endian. A CRC-32 sees every
 * change confined to 4 neighbouring bytes, and all but 2^-32 of others; the length sees every truncation. */
#ifndef STORE_DIGEST_H
#define STORE_DIGEST_H

#include "mmsold/base/status.h"
#include "mmsold/parallel/team.h"

enum { MMS_DIGEST_BYTES = 32 };

/* Append the digest to the closed file `path` and fsync it. Every rank reads a slice of the file;
 * rank 0 writes. team NULL: this process alone. Collective; agreed. */
mms_status mms_digest_append(const mms_team *team, const char *path, mms_error *error);

/* Does the file end in a digest that fits it? MMS_ERR_INPUT says what does not: no digest, length, bytes.
 * Collective; agreed. */
mms_status mms_digest_check(const mms_team *team, const char *path, mms_error *error);

#endif
