/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VAULT_STORE_DIGEST_H
#define VAULT_STORE_DIGEST_H

#include "store/base/err.h"
#include "store/base/span.h"
#include "store/id.h"

/*
 * The only door to xxhash. Pure functions of their input; any thread.
 */

/* Bytes of a vault's secret; XXH3 takes 136 or more and uses 192 by default. */
#define VAULT_SECRET_BYTES 192

/* "0123…ef" and its terminator. */
#define VAULT_DIGEST_HEX 33

/*
 * The id of `bytes` under `secret` (VAULT_SECRET_BYTES long). `salt` is 0 but
 * for the second and later contents that were found to share an id; it is
 * hashed in front of the bytes. Never VAULT_ID_NONE.
 */
struct vault_id vault_digest_id(const uint8_t *secret, uint32_t salt,
				struct vault_span bytes);

/* Checksum of a record or header: plain XXH3-64. */
uint64_t vault_digest_sum64(struct vault_span bytes);

/* Plain XXH3-128 of one span. */
struct vault_digest vault_digest_of(struct vault_span bytes);

/* Lower-case hexadecimal, as `xxhsum -H128` prints it. */
void vault_digest_hex(const struct vault_digest *d, char out[VAULT_DIGEST_HEX]);

/* A digest over a stream. */
struct vault_digest_stream;

VAULT_MUST_CHECK vault_err
vault_digest_stream_create(struct vault_digest_stream **out);
void vault_digest_stream_destroy(struct vault_digest_stream *s);
void vault_digest_stream_add(struct vault_digest_stream *s,
			     struct vault_span bytes);
/* Add `n` zero bytes, as a hole does, without the caller holding them. */
void vault_digest_stream_add_zeros(struct vault_digest_stream *s, uint64_t n);
/* The digest of all that was added; the stream may go on afterwards. */
struct vault_digest vault_digest_stream_end(
	const struct vault_digest_stream *s);

#endif
