/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VAULT_STORE_ID_H
#define VAULT_STORE_ID_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/*
 * The two 128-bit names of bytes.
 *
 * An id names a chunk or a recipe inside one vault: XXH3-128 under the
 * vault's secret. It is never shown to anybody, since whoever knows the
 * secret can forge collisions. A digest names a whole content everywhere:
 * plain XXH3-128, as `xxhsum -H128` prints it. Both are kept in xxhash's
 * canonical (big-endian) byte order.
 *
 * The all-zero id never names anything: it stands for "none", and for a hole
 * in a recipe.
 */
struct vault_id {
	uint8_t b[16];
};

struct vault_digest {
	uint8_t b[16];
};

#define VAULT_ID_NONE ((struct vault_id){ { 0 } })

static inline bool vault_id_equal(const struct vault_id *a,
				  const struct vault_id *b)
{
	return memcmp(a->b, b->b, sizeof(a->b)) == 0;
}

static inline bool vault_id_is_none(const struct vault_id *id)
{
	static const struct vault_id none;

	return vault_id_equal(id, &none);
}

#endif
