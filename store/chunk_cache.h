/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VAULT_STORE_CHUNK_CACHE_H
#define VAULT_STORE_CHUNK_CACHE_H

#include <stddef.h>
#include <stdint.h>

#include "store/base/err.h"
#include "store/base/span.h"
#include "store/id.h"

/*
 * Unpacked chunks in memory, so that a chunk read in small pieces is unpacked
 * once. Shared by all readers of a vault: several shards, each with a lock of
 * its own that is never held while a chunk is read. Who asks for a chunk that
 * another thread is just reading waits for it. The least recently used go
 * when a shard is over its share of the budget. Any thread.
 */
struct vault_chunk_cache;
struct vault_cached_chunk;

/* `bytes` of chunks, beyond which unused ones go. */
VAULT_MUST_CHECK vault_err
vault_chunk_cache_create(size_t bytes, struct vault_chunk_cache **out);
/* Nothing may be held any more. Accepts NULL. */
void vault_chunk_cache_destroy(struct vault_chunk_cache *c);

/* Fills `out` with the `len` bytes of `id`, checked. */
typedef vault_err vault_chunk_load(void *ctx, const struct vault_id *id,
				   uint8_t *out, uint32_t len);

/*
 * Hold the chunk `id` of `len` bytes, loading it if it is not here; what
 * `load` says is passed on to all who waited. Each hold ends with one drop.
 */
VAULT_MUST_CHECK vault_err vault_chunk_cache_hold(
	struct vault_chunk_cache *c, const struct vault_id *id, uint32_t len,
	vault_chunk_load *load, void *ctx, struct vault_cached_chunk **out);
void vault_chunk_cache_drop(struct vault_chunk_cache *c,
			    struct vault_cached_chunk *chunk);
/* Hold it only if it is here already; NULL: it is not. */
struct vault_cached_chunk *vault_chunk_cache_peek(struct vault_chunk_cache *c,
						  const struct vault_id *id,
						  uint32_t len);

/* The bytes of a chunk that is held. */
struct vault_span vault_chunk_cache_bytes(
	const struct vault_cached_chunk *chunk);

#endif
