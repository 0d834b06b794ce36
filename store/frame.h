/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VAULT_STORE_FRAME_H
#define VAULT_STORE_FRAME_H

#include <stdint.h>

#include "store/base/buf.h"
#include "store/base/err.h"
#include "store/base/span.h"
#include "store/pack_format.h"
#include "store/records.h"

/*
 * Records and pack headers as bytes: the one packer and the one unpacker.
 * Internal to store/. Nothing here does I/O or logs.
 *
 * A record's header checksum also covers the vault, the pack and the offset
 * it lies at, which are not stored: a record is valid in its own place only,
 * so neither an old block of the disk nor a copy of a pack that was captured
 * as somebody's content is ever taken for a record.
 */
struct vault_frame_at {
	uint8_t uuid[16];
	uint32_t pack;
	uint64_t offset;
};

struct vault_frame {
	struct vault_record_head head;
	uint64_t durable;     /* bytes of this pack known synced by then */
	uint64_t payload_sum; /* XXH3-64 of the stored bytes */
	uint64_t header_sum;
};

/* Bytes on disk of a record with `stored_len` bytes of payload. */
static inline uint64_t vault_frame_bytes(uint32_t stored_len)
{
	const uint64_t mask = VAULT_RECORD_ALIGN - 1;

	return VAULT_RECORD_HEADER_BYTES + ((stored_len + mask) & ~mask);
}

/* Append header, payload and padding to `out`, which keeps its length on
 * error. `f`'s checksums are ignored and computed. NOMEM. */
VAULT_MUST_CHECK vault_err vault_frame_pack(const struct vault_frame_at *at,
					    const struct vault_frame *f,
					    struct vault_span stored,
					    struct vault_buf *out);

/* The header at the front of VAULT_RECORD_HEADER_BYTES; CORRUPT: it is none,
 * or not at home here. The payload is not looked at. */
VAULT_MUST_CHECK vault_err vault_frame_unpack(const struct vault_frame_at *at,
					      const uint8_t *bytes,
					      struct vault_frame *out);

/* Do the stored bytes match their header? */
bool vault_frame_payload_ok(const struct vault_frame *f,
			    struct vault_span stored);

/* Write VAULT_PACK_HEADER_BYTES. */
void vault_frame_pack_header(const uint8_t uuid[16], uint32_t pack,
			     uint8_t *out);
/*
 * The header of a pack: CORRUPT where there is none, NEWER where it is sound
 * but of a later format. `*version` is written in that case too.
 */
VAULT_MUST_CHECK vault_err vault_frame_unpack_header(const uint8_t *bytes,
						     uint8_t uuid[16],
						     uint32_t *pack,
						     uint32_t *version);

/* Index rows of the family CHUNK. */
void vault_frame_pack_place(const struct vault_record_place *p,
			    uint8_t out[VAULT_PLACE_BYTES]);
VAULT_MUST_CHECK vault_err vault_frame_unpack_place(
	struct vault_span bytes, struct vault_record_place *out);

#endif
