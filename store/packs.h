/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VAULT_STORE_PACKS_H
#define VAULT_STORE_PACKS_H

#include <stddef.h>
#include <stdint.h>

#include "store/base/buf.h"
#include "store/base/err.h"
#include "store/io.h"

/*
 * The set of pack files of a vault, and reading them. Internal to store/.
 *
 * Keeps a bounded number of descriptors, however many packs there are. Any
 * thread may read; packs are added by the one who appends.
 */
struct vault_packs;

struct vault_pack {
	uint32_t id;
	uint64_t len; /* bytes of the file */
};

#define VAULT_PACK_NAME_BYTES 24
/* "00000001.pack" */
void vault_packs_name(uint32_t id, char out[VAULT_PACK_NAME_BYTES]);

/* List the directory `dirfd` (borrowed, must outlive the set). */
VAULT_MUST_CHECK vault_err vault_packs_open(const struct vault_io *io,
					    int dirfd,
					    struct vault_packs **out);
void vault_packs_close(struct vault_packs *p);

/* The packs in order of id. */
size_t vault_packs_count(struct vault_packs *p);
struct vault_pack vault_packs_at(struct vault_packs *p, size_t i);
/* The length of one pack, 0 where there is none. */
uint64_t vault_packs_len(struct vault_packs *p, uint32_t id);
/* The sum of all lengths. */
uint64_t vault_packs_bytes(struct vault_packs *p);

/* Add a pack with a larger id than all others, or note a new length. NOMEM. */
VAULT_MUST_CHECK vault_err vault_packs_set(struct vault_packs *p, uint32_t id,
					   uint64_t len);

/*
 * Read up to `len` bytes at `off`; `*got` is short at the end of the file.
 * NOT_FOUND: no such pack. Failures are not logged here, since what is asked
 * may be tried again in smaller pieces; `errno` is set.
 */
VAULT_MUST_CHECK vault_err vault_packs_read(struct vault_packs *p, uint32_t id,
					    uint64_t off, void *buf, size_t len,
					    size_t *got);

#endif
