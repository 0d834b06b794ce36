/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VAULT_STORE_PUT_H
#define VAULT_STORE_PUT_H

#include <stddef.h>

#include "store/base/err.h"

/*
 * What the upper half of the store keeps while a vault is open: the workers
 * that hash, compare and pack chunks of large contents side by side, and the
 * cache of unpacked chunks. Internal to store/; vault_store_put() and
 * vault_content_file_read() are the ways in (store/store.h). Contents of one
 * chunk are handled on the caller's own thread. Any thread.
 */
struct vault_put_pool;

/* Without threads, work is done by whoever waits for it. */
VAULT_MUST_CHECK vault_err vault_put_pool_create(unsigned threads,
						 struct vault_put_pool **out);
/* Waits for what is in hand. Accepts NULL. */
void vault_put_pool_destroy(struct vault_put_pool *p);

/*
 * A piece of work. Embed it, set `run`, submit it, wait for it; the fields
 * below `run` belong to the pool until wait returns.
 */
struct vault_put_task {
	void (*run)(struct vault_put_task *task);
	struct vault_put_task *next;
	int state;
};

/* `t` lasts until it was waited for. */
void vault_put_pool_submit(struct vault_put_pool *p, struct vault_put_task *t);
/* Returns when `t` is done; runs it here if no worker has begun it. */
void vault_put_pool_wait(struct vault_put_pool *p, struct vault_put_task *t);

/* Held from looking an id up to appending it, so that none comes in twice. */
void vault_put_pool_lock(struct vault_put_pool *p);
void vault_put_pool_unlock(struct vault_put_pool *p);

/* Unpacked chunks in memory, shared by all readers (store/chunk_cache.h). */
struct vault_chunk_cache;
struct vault_chunk_cache *vault_put_pool_cache(struct vault_put_pool *p);

/*
 * Buffers of `bytes` that are handed round between puts, since fresh memory
 * costs more than hashing does. NULL: no memory. A buffer goes back with the
 * length it was asked for.
 */
void *vault_put_pool_take_buffer(struct vault_put_pool *p, size_t bytes);
void vault_put_pool_give_buffer(struct vault_put_pool *p, void *buffer,
				size_t bytes);

#endif
