/* SPDX-License-Identifier: Apache-2.0 */
#include "store/digest.h"

#include <stdlib.h>

/* For a hash state on the stack. */
#define XXH_STATIC_LINKING_ONLY
#include <xxhash.h>
/* Where the library can choose by processor, it is five times as fast. */
#if defined(__x86_64__) && __has_include(<xxh_x86dispatch.h>)
#include <xxh_x86dispatch.h>
#endif

#include "store/base/bytes.h"

_Static_assert(VAULT_SECRET_BYTES >= XXH3_SECRET_SIZE_MIN,
	       "xxhash would refuse the secret");

/* Fits the first-level cache, so that zeros are hashed at full speed. */
static const uint8_t zeros[16 * 1024];

struct vault_digest_stream {
	XXH3_state_t *state;
};

/* Canonical order: what xxhsum prints, first byte first. */
static void canonical(XXH128_hash_t hash, uint8_t out[16])
{
	XXH128_canonical_t c;

	XXH128_canonicalFromHash(&c, hash);
	memcpy(out, c.digest, sizeof(c.digest));
}

static XXH128_hash_t salted(const uint8_t *secret, uint32_t salt,
			    struct vault_span bytes)
{
	XXH3_state_t state;
	uint8_t front[4];

	XXH3_INITSTATE(&state);
	vault_bytes_put_le32(front, salt);
	XXH3_128bits_reset_withSecret(&state, secret, VAULT_SECRET_BYTES);
	XXH3_128bits_update(&state, front, sizeof(front));
	XXH3_128bits_update(&state, bytes.data, bytes.len);
	return XXH3_128bits_digest(&state);
}

struct vault_id vault_digest_id(const uint8_t *secret, uint32_t salt,
				struct vault_span bytes)
{
	struct vault_id id;

	if (salt == 0)
		canonical(XXH3_128bits_withSecret(bytes.data, bytes.len, secret,
						  VAULT_SECRET_BYTES),
			  id.b);
	else
		canonical(salted(secret, salt, bytes), id.b);
	if (vault_id_is_none(&id))
		id.b[sizeof(id.b) - 1] = 1;
	return id;
}

uint64_t vault_digest_sum64(struct vault_span bytes)
{
	return XXH3_64bits(bytes.data, bytes.len);
}

struct vault_digest vault_digest_of(struct vault_span bytes)
{
	struct vault_digest d;

	canonical(XXH3_128bits(bytes.data, bytes.len), d.b);
	return d;
}

void vault_digest_hex(const struct vault_digest *d, char out[VAULT_DIGEST_HEX])
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < sizeof(d->b); i++) {
		out[2 * i] = digits[d->b[i] >> 4];
		out[2 * i + 1] = digits[d->b[i] & 15];
	}
	out[2 * sizeof(d->b)] = 0;
}

vault_err vault_digest_stream_create(struct vault_digest_stream **out)
{
	struct vault_digest_stream *s = malloc(sizeof(*s));

	if (s == NULL)
		return VAULT_ERR_NOMEM;
	s->state = XXH3_createState();
	if (s->state == NULL) {
		free(s);
		return VAULT_ERR_NOMEM;
	}
	XXH3_128bits_reset(s->state);
	*out = s;
	return VAULT_OK;
}

void vault_digest_stream_destroy(struct vault_digest_stream *s)
{
	if (s == NULL)
		return;
	XXH3_freeState(s->state);
	free(s);
}

void vault_digest_stream_add(struct vault_digest_stream *s,
			     struct vault_span bytes)
{
	if (bytes.len != 0)
		XXH3_128bits_update(s->state, bytes.data, bytes.len);
}

void vault_digest_stream_add_zeros(struct vault_digest_stream *s, uint64_t n)
{
	while (n > 0) {
		const size_t part =
			n < sizeof(zeros) ? (size_t)n : sizeof(zeros);

		XXH3_128bits_update(s->state, zeros, part);
		n -= part;
	}
}

struct vault_digest vault_digest_stream_end(const struct vault_digest_stream *s)
{
	struct vault_digest d;

	canonical(XXH3_128bits_digest(s->state), d.b);
	return d;
}
