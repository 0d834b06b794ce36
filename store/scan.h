/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VAULT_STORE_SCAN_H
#define VAULT_STORE_SCAN_H

#include <stdbool.h>
#include <stdint.h>

#include "store/base/buf.h"
#include "store/base/err.h"
#include "store/base/span.h"
#include "store/frame.h"
#include "store/packs.h"

/*
 * Going through a pack record by record, and past what is damaged.
 * Internal to store/.
 *
 * Where no record begins, the scan looks for the next place at which a sound
 * header lies; what is between is a gap. Sectors that cannot be read count as
 * zeros, hence as a gap, and are remembered: they may be readable another
 * time. Whether a gap is a loss or the tail of a write that was never
 * acknowledged is for vault_scan_find_tail() to say.
 */
enum vault_scan_kind {
	VAULT_SCAN_RECORD,
	VAULT_SCAN_BAD_PAYLOAD, /* sound header, damaged bytes */
	VAULT_SCAN_GAP,
};

/* Which payloads are read and compared with their checksum. */
enum vault_scan_depth {
	VAULT_SCAN_HEADERS,
	VAULT_SCAN_ENTRIES, /* all but chunks, recipes, and footers */
	VAULT_SCAN_ALL,
};

struct vault_scan_item {
	enum vault_scan_kind kind;
	uint64_t offset;
	uint64_t size;		  /* on disk */
	struct vault_frame frame; /* not of a gap */
	struct vault_span stored; /* if it was read; until the next call */
};

/* Caller-owned; treat the fields as private. */
struct vault_scan {
	struct vault_packs *packs;
	struct vault_frame_at at; /* the next record */
	uint64_t end;
	enum vault_scan_depth depth;
	struct vault_buf window; /* bytes of the pack from window_off on */
	uint64_t window_off;
	uint64_t unreadable; /* where the first such sector lies */
};

/* There is no such sector. */
#define VAULT_SCAN_READABLE UINT64_MAX

/* From `from` (where a record begins) to `end`. */
void vault_scan_init(struct vault_scan *s, struct vault_packs *packs,
		     const uint8_t uuid[16], uint32_t pack, uint64_t from,
		     uint64_t end, enum vault_scan_depth depth);
void vault_scan_release(struct vault_scan *s);

/* The next record or gap; NOT_FOUND at the end. */
VAULT_MUST_CHECK vault_err vault_scan_next(struct vault_scan *s,
					   struct vault_scan_item *out);

/* Where a record lies and which it is: enough to know it again. */
struct vault_scan_last {
	uint64_t offset; /* 0: none */
	uint64_t end;
	uint64_t seq;
	uint64_t header_sum;
	uint8_t type;
};

/*
 * Marks of two pasts can be equal to the bit. So, of a mark, the record before
 * it stays the one to be known again.
 */
static inline void vault_scan_last_pass(struct vault_scan_last *l,
					const struct vault_scan_last *before)
{
	if (l->type != VAULT_RECORD_MARK || before->offset == 0)
		return;
	l->offset = before->offset;
	l->header_sum = before->header_sum;
}

struct vault_scan_tail {
	uint64_t end;		     /* where the next record may be put */
	uint64_t largest_seq;	     /* that a record may have */
	struct vault_scan_last last; /* of the records that stay */
	uint64_t unseen; /* at most so many records could not be read */
	bool unreadable; /* nothing may be appended: go on in a new pack */
};

/*
 * Decide where the newest pack ends. From the first flaw on that no evidence
 * calls acknowledged, everything is the torn tail of a crash. Evidence is
 * `durable` (bytes known to have been synced, from the index), or a later
 * record that says so. Flaws before that are damage, and stay. Where sectors
 * cannot be read nothing can be decided: the pack ends where its file does,
 * and `unreadable` is set. Nothing is changed.
 */
VAULT_MUST_CHECK vault_err
vault_scan_find_tail(struct vault_packs *packs, const uint8_t uuid[16],
		     uint32_t pack, const struct vault_scan_last *from,
		     uint64_t durable, struct vault_scan_tail *out);

#endif
