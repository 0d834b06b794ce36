/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VAULT_STORE_STATE_H
#define VAULT_STORE_STATE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "store/appender.h"
#include "store/index.h"
#include "store/io.h"
#include "store/packs.h"
#include "store/params.h"
#include "store/put.h"
#include "store/store.h"

/*
 * An open store. Internal to store/; a header of its own because opening,
 * records and checking are separate files.
 *
 * Lock order: `writing`, then the appender's own lock, then the packs'. Under
 * `writing` records are appended, synced and applied; who only reads never
 * takes it, so reading the past never waits for a sync.
 */
struct vault_store {
	const struct vault_io *io;
	int dirfd;   /* of the vault; kept, since the index's path names it */
	int packsfd; /* of packs/ */
	int lockfd;
	struct vault_params params;
	char uuid[VAULT_UUID_TEXT];
	struct vault_store_options options; /* with defaults filled in */
	struct vault_packs *packs;
	struct vault_index *index;
	struct vault_put_pool *pool;
	atomic_uint_fast64_t damage;
	bool rebuilt;

	pthread_mutex_t writing;
	struct vault_appender appender; /* under writing, but see there */
	/* Under writing: a durable entry that is not in the index yet. */
	bool behind;
	bool late_kept; /* there was memory for it */
	enum vault_entry_type late_type;
	uint64_t late_seq;
	struct vault_buf late_payload;
	bool appender_ready;
};

/* Names in the vault's directory. */
#define VAULT_CONFIG_NAME "config"
#define VAULT_SECRET_NAME "secret"
#define VAULT_PACKS_NAME "packs"
#define VAULT_INDEX_NAME "index"
#define VAULT_INDEX_BAD_NAME "index.bad"
#define VAULT_INDEX_MARK_NAME "index.rebuild"
#define VAULT_CACHE_NAME "cache"

#endif
