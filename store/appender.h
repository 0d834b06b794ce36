/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VAULT_STORE_APPENDER_H
#define VAULT_STORE_APPENDER_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "store/base/buf.h"
#include "store/base/err.h"
#include "store/frame.h"
#include "store/io.h"
#include "store/packs.h"
#include "store/params.h"
#include "store/pending.h"
#include "store/scan.h"

/*
 * The end of the newest pack, where records are appended. Internal to store/.
 *
 * Records gather in a buffer, reach the file in large writes, and count once
 * they are synced. A write that fails leaves its records in the buffer, to be
 * written when there is room again. A sync that fails makes the pack suspect:
 * what it did not acknowledge is read back, verified and written to a new
 * pack, whose first record says where the old one ends.
 *
 * One thread at a time calls the functions, all but vault_appender_read() and
 * vault_appender_find(), which may be called by any thread at any time.
 */

/* A pack that was left, and where it ends. */
struct vault_appender_end {
	uint32_t pack;
	struct vault_scan_last last;
};

struct vault_appender {
	const struct vault_io *io;
	int dirfd; /* of the packs */
	struct vault_packs *packs;
	struct vault_params params;
	uint64_t pack_size;

	uint32_t pack;	  /* the newest */
	int fd;		  /* of it; -1: finished, the next record opens one */
	uint64_t durable; /* bytes of it that are synced */
	uint64_t next_seq;
	struct vault_scan_last last;   /* newest record of all */
	struct vault_scan_last synced; /* newest of the durable ones */
	bool suspect;	 /* a sync went wrong: leave the pack before all else */
	bool unreadable; /* sectors of `pack`: it is left as it is */
	struct vault_buf left; /* vault_appender_end, for the index to learn */
	bool broken; /* records were lost; nothing more until reopened */

	pthread_mutex_t lock;	 /* of what readers see, below */
	uint64_t written;	 /* bytes of the pack in the file */
	struct vault_buf buffer; /* what follows them */
	struct vault_pending pending;
	struct vault_buf moved; /* places that changed when a pack was left */
};

/* Ready to resume; nothing is opened yet. */
void vault_appender_init(struct vault_appender *a, const struct vault_io *io,
			 int dirfd, struct vault_packs *packs,
			 const struct vault_params *params, uint64_t pack_size);
/* Forget what was not synced. */
void vault_appender_release(struct vault_appender *a);

/*
 * Continue in the newest pack after its tail, cutting and syncing the file
 * first; sequences go on from `next_seq`. A sealed pack, or one whose file is
 * shorter than what was once acknowledged (`stated`), is left as it is and
 * the next record begins a new one.
 */
VAULT_MUST_CHECK vault_err vault_appender_resume(
	struct vault_appender *a, uint32_t pack,
	const struct vault_scan_tail *tail, uint64_t stated, uint64_t next_seq);
/* The same where there is no pack at all: the next record begins pack 1. */
VAULT_MUST_CHECK vault_err vault_appender_begin(struct vault_appender *a);

/* Append one record; it is found and readable from here on. */
VAULT_MUST_CHECK vault_err vault_appender_add(struct vault_appender *a,
					      const struct vault_record_head *h,
					      struct vault_span stored,
					      struct vault_record_place *out);

/* Write and sync everything; then `synced` is the newest record. */
VAULT_MUST_CHECK vault_err vault_appender_sync(struct vault_appender *a);

/* Take back the newest record, which a failed sync has not acknowledged;
 * `before` is what `last` was before it was added. */
void vault_appender_retract(struct vault_appender *a,
			    const struct vault_scan_last *before);

/* Write a record that tells how far the pack is synced; may fail silently. */
void vault_appender_mark(struct vault_appender *a);

/* Copy a record that is still in the buffer. NOT_FOUND: it is in the file. */
VAULT_MUST_CHECK vault_err
vault_appender_read(struct vault_appender *a,
		    const struct vault_record_place *p, struct vault_buf *out);
/* Where a record went whose pack was left; false if it was not moved. */
bool vault_appender_moved(struct vault_appender *a,
			  struct vault_record_place *p);
/* Is `id` pending? */
bool vault_appender_find(struct vault_appender *a, const struct vault_id *id,
			 struct vault_record_place *out);

#endif
