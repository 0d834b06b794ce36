/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VAULT_STORE_CHUNKER_H
#define VAULT_STORE_CHUNKER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "store/base/err.h"
#include "store/base/span.h"

/*
 * Content-defined chunking (FastCDC with a 64-bit gear hash).
 *
 * Where a chunk ends depends only on the bytes since the previous end, so a
 * brush stroke changes the chunks it touches and the rest of the painting
 * keeps its old ones. Sizes and gear table are part of the vault format
 * (store/FORMAT.md, "Chunking"): other values read old vaults perfectly but
 * no longer share chunks with them.
 *
 * A chunk that begins in a run of zeros is never cut inside that run before
 * it is `max` long; so a hole of any length is chunked in constant time.
 *
 * A chunker holds a few words of state. It never allocates, never does I/O
 * and never keeps a pointer to the bytes it is shown. One stream, one
 * chunker, one thread.
 */

/* Hard limits on what vault_chunker_init() accepts, in bytes. */
#define VAULT_CHUNK_FLOOR ((uint32_t)256)
#define VAULT_CHUNK_CEILING ((uint32_t)16 << 20)

struct vault_chunk_sizes {
	uint32_t min; /* no chunk but the last of a stream is shorter */
	uint32_t avg; /* power of two; where cutting becomes easy */
	uint32_t max; /* no chunk is longer */
};

/* Caller-owned; treat the fields as private. There is nothing to release. */
struct vault_chunker {
	struct vault_chunk_sizes sizes;
	uint64_t hard; /* hash mask below the average size */
	uint64_t easy; /* hash mask above it */
	uint64_t hash;
	size_t filled; /* bytes of the open chunk seen so far; < sizes.max */
};

/*
 * Prepare `c` for a new stream. VAULT_ERR_INVALID unless
 * FLOOR <= min < avg < max <= CEILING and avg is a power of two.
 */
VAULT_MUST_CHECK vault_err vault_chunker_init(
	struct vault_chunker *c, const struct vault_chunk_sizes *sizes);

/*
 * Take bytes from the front of `in` into the open chunk and return how many
 * were taken. `*cut` says whether the chunk ends right after them; if it does
 * not, all of `in` was taken. How a stream is split over calls never moves a
 * cut. At the end of the stream the caller closes the open chunk itself.
 */
size_t vault_chunker_scan(struct vault_chunker *c, struct vault_span in,
			  bool *cut);

/*
 * The same for `n` zero bytes that nobody need hold, in constant time.
 */
size_t vault_chunker_zeros(struct vault_chunker *c, uint64_t n, bool *cut);

#endif
