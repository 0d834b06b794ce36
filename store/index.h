/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VAULT_STORE_INDEX_H
#define VAULT_STORE_INDEX_H

#include <stdbool.h>
#include <stdint.h>

#include "store/base/buf.h"
#include "store/base/err.h"
#include "store/base/span.h"

/*
 * Ordered keys and values in column families: the only door to RocksDB.
 *
 * The index is a cache of what the packs say. It may be lost, old or damaged
 * at any time: open() notices and answers VAULT_ERR_INDEX, a damaged block
 * met later does so too, and the store rebuilds it. Writes are atomic over
 * all families of one batch and are never synced: durability is the packs'
 * affair. Families are flushed together, and a write-ahead log is replayed
 * only up to its first flaw, so what is there is always a prefix of the
 * batches in the order they were written.
 *
 * All functions but open and close may be called from any thread; one batch
 * or iterator belongs to one thread at a time. Keys are compared as bytes.
 */
struct vault_index;
struct vault_batch;
struct vault_iter;

enum vault_cf {
	VAULT_CF_META,	/* vault uuid, format, applied offsets, counters */
	VAULT_CF_CHUNK, /* id -> place of a chunk or recipe record */
	VAULT_CF_ROW,	/* versions/: see versions/FORMAT.md for all below */
	VAULT_CF_LIVE,
	VAULT_CF_INODE,
	VAULT_CF_NODE,
	VAULT_CF_TOUCHED,
	VAULT_CF_MOMENT,
	VAULT_CF_NAME,
	VAULT_CF_FACTS,
	VAULT_CF_SEARCH,
	VAULT_CF_COUNT,
};

/*
 * Open the database in directory `path` (absolute; may be a /proc/self/fd
 * path), made empty if it is absent and `create` is set. VAULT_ERR_INDEX: it
 * cannot be used; the reason has been logged. VAULT_ERR_NOT_FOUND: absent and
 * not to be made. NO_SPACE, IO and their like: the disk takes no writes, and
 * nothing is known about the index. Only one process can have it open.
 */
VAULT_MUST_CHECK vault_err vault_index_open(const char *path, bool create,
					    struct vault_index **out);
/* Flush everything and close. Accepts NULL. */
void vault_index_close(struct vault_index *x);

/*
 * Called, from any thread, whenever an INDEX error is about to be returned.
 * Set before other threads use the index.
 */
typedef void vault_index_alarm(void *ctx);
void vault_index_set_alarm(struct vault_index *x, vault_index_alarm *alarm,
			   void *ctx);

/* The value of `key`, replacing what `*value` held. VAULT_ERR_NOT_FOUND. */
VAULT_MUST_CHECK vault_err vault_index_get(struct vault_index *x,
					   enum vault_cf cf,
					   struct vault_span key,
					   struct vault_buf *value);

/*
 * Look up `n` keys at once (for chunk ids, 10x cheaper than one by one).
 * `values[i]` is replaced; `found[i]` says whether the key was there.
 */
VAULT_MUST_CHECK vault_err vault_index_get_many(struct vault_index *x,
						enum vault_cf cf, size_t n,
						const struct vault_span *keys,
						struct vault_buf *values,
						bool *found);

/* Changes to be made together or not at all, gathered by one thread. What is
 * put is copied; the later of two changes to a key counts. */
VAULT_MUST_CHECK vault_err vault_batch_create(struct vault_batch **out);
void vault_batch_destroy(struct vault_batch *b);
void vault_batch_clear(struct vault_batch *b);
size_t vault_batch_bytes(const struct vault_batch *b);
void vault_batch_put(struct vault_batch *b, struct vault_index *x,
		     enum vault_cf cf, struct vault_span key,
		     struct vault_span value);
void vault_batch_delete(struct vault_batch *b, struct vault_index *x,
			enum vault_cf cf, struct vault_span key);
/* Apply all of it or nothing; the batch is empty afterwards. */
VAULT_MUST_CHECK vault_err vault_index_write(struct vault_index *x,
					     struct vault_batch *b);

/*
 * An iterator sees the index as it was when it was made. `lower`/`upper`
 * bound it ([lower, upper)); an empty upper means no bound. Both are copied.
 */
VAULT_MUST_CHECK vault_err vault_iter_create(struct vault_index *x,
					     enum vault_cf cf,
					     struct vault_span lower,
					     struct vault_span upper,
					     struct vault_iter **out);
void vault_iter_destroy(struct vault_iter *it);
void vault_iter_seek_first(struct vault_iter *it);
void vault_iter_seek_last(struct vault_iter *it);
/* To the first key >= `key`; or the last key <= `key`. */
void vault_iter_seek(struct vault_iter *it, struct vault_span key);
void vault_iter_seek_back(struct vault_iter *it, struct vault_span key);
void vault_iter_next(struct vault_iter *it);
void vault_iter_prev(struct vault_iter *it);
bool vault_iter_valid(const struct vault_iter *it);
/* Valid until the iterator moves. */
struct vault_span vault_iter_key(const struct vault_iter *it);
struct vault_span vault_iter_value(const struct vault_iter *it);
/* Why it is not valid: VAULT_OK at the end, else VAULT_ERR_INDEX. */
VAULT_MUST_CHECK vault_err vault_iter_error(const struct vault_iter *it);

/* Roughly, bytes on disk. */
uint64_t vault_index_disk_bytes(struct vault_index *x);

#endif
