/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VAULT_STORE_REPLAY_H
#define VAULT_STORE_REPLAY_H

#include <stdint.h>

#include "store/base/buf.h"
#include "store/base/err.h"
#include "store/index.h"
#include "store/packs.h"
#include "store/scan.h"
#include "store/store.h"

/*
 * From packs to index: reading stretches of packs, and keeping in the index
 * how far each pack has been applied. Internal to store/.
 *
 * Places of chunks and recipes go in first, later records over earlier ones;
 * then the entries in order of their sequence, each in one batch. How far a
 * pack is applied is noted last, so an interrupted replay is begun again and
 * shows apply entries that it knows.
 */
struct vault_replay_span {
	uint32_t pack;
	uint64_t from;
	uint64_t end;
};

struct vault_replay {
	struct vault_packs *packs;
	const uint8_t *uuid;
	struct vault_index *index;
	vault_store_apply *apply;
	void *apply_ctx;
	/* In order of pack; one that cannot be read to its end is cut there. */
	struct vault_replay_span *spans;
	size_t n_spans;
	/* A gap, a bad payload, or an entry that apply refuses. May be NULL. */
	void (*damaged)(void *ctx, uint32_t pack,
			const struct vault_scan_item *item, const char *what);
	void *damaged_ctx;

	uint64_t n_records;   /* out */
	uint64_t largest_seq; /* out */
};

/* INDEX: the index failed. Damage is told and passed over. */
VAULT_MUST_CHECK vault_err vault_replay_run(struct vault_replay *r);

/*
 * Apply one entry in one batch, together with what `b` holds already. After
 * an error the batch is empty and the index as before.
 */
VAULT_MUST_CHECK vault_err vault_replay_apply(struct vault_replay *r,
					      struct vault_batch *b,
					      const struct vault_entry *e);

/* ---- what the index knows of itself, in the family META ---- */

/* Whose index it is. NOT_FOUND: nobody's yet. INDEX: older layout. */
VAULT_MUST_CHECK vault_err vault_replay_get_uuid(struct vault_index *x,
						 uint8_t uuid[16]);
VAULT_MUST_CHECK vault_err vault_replay_put_uuid(struct vault_index *x,
						 const uint8_t uuid[16]);
/* How far a pack is applied. NOT_FOUND. */
VAULT_MUST_CHECK vault_err vault_replay_get_applied(
	struct vault_index *x, uint32_t pack, struct vault_scan_last *out);
void vault_replay_put_applied(struct vault_batch *b, struct vault_index *x,
			      uint32_t pack, const struct vault_scan_last *l);
/* The largest pack the index has heard of, 0 for none. */
VAULT_MUST_CHECK vault_err vault_replay_newest_pack(struct vault_index *x,
						    uint32_t *pack);

#endif
