/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VAULT_VERSIONS_TREE_INTERNAL_H
#define VAULT_VERSIONS_TREE_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "store/index.h"
#include "store/store.h"
#include "versions/moment.h"
#include "versions/tree.h"
#include "versions/tree_key.h"

/*
 * What the files of the tree share. Internal to versions/.
 *
 * Readers use the index and nothing else. An iterator is dear to make and
 * cheap to seek, but sees the index as it was when it was made; so a few lie
 * in a pool, each marked with the generation it belongs to, and every commit
 * starts a new generation.
 */

#define VAULT_TREE_POOL 4

struct vault_tree_cursor {
	struct vault_iter *it;
	enum vault_cf cf;
	uint64_t generation;
};

struct vault_tree {
	struct vault_store *store;
	struct vault_index *index;

	/* Held over every append; guards last_time. Taken before pool_lock. */
	pthread_mutex_t append_lock;
	int64_t last_time; /* of the newest moment; INT64_MIN: none */

	_Atomic uint64_t next_node;
	_Atomic uint64_t generation;

	pthread_mutex_t pool_lock; /* guards pool */
	struct vault_tree_cursor pool[VAULT_CF_COUNT][VAULT_TREE_POOL];
};

/* An iterator over a whole family that shows every commit that has returned.
 * Give it back. */
VAULT_MUST_CHECK vault_err vault_tree_cursor_take(
	struct vault_tree *t, enum vault_cf cf, struct vault_tree_cursor *out);
/* Accepts a cursor that was never taken (it == NULL). */
void vault_tree_cursor_give(struct vault_tree *t, struct vault_tree_cursor *c);
/* The index has changed: what lies in the pool is old. */
void vault_tree_cursor_renew(struct vault_tree *t);

/* What the index says about itself: VAULT_TREE_STATE_KEY. */
struct vault_tree_state {
	uint64_t last_seq;
	uint64_t next_node;
	uint64_t logical_bytes;
	uint64_t versions;
	uint64_t rows;
};
/* All 0 when there is none yet. INDEX: of another layout, or damaged. */
VAULT_MUST_CHECK vault_err vault_tree_state_get(struct vault_index *x,
						struct vault_tree_state *out);
VAULT_MUST_CHECK vault_err
vault_tree_state_put(struct vault_index *x, struct vault_batch *b,
		     const struct vault_tree_state *s);

/* Append an entry and make readers see it. append_lock is held. */
VAULT_MUST_CHECK vault_err vault_tree_append(struct vault_tree *t,
					     enum vault_entry_type type,
					     struct vault_span payload,
					     uint64_t *seq);

/* The store's apply for this folder's entries; `ctx` is not used. */
vault_store_apply vault_tree_apply;
/* One kind of entry each. */
vault_store_apply vault_tree_apply_commit;
vault_store_apply vault_snapshot_apply;

/* The value of a LIVE key. INDEX. */
VAULT_MUST_CHECK vault_err vault_tree_live_unpack(struct vault_span value,
						  struct vault_live *out);
/* The names of a directory in LIVE after `after`, which `it` runs over. */
VAULT_MUST_CHECK vault_err vault_tree_live_each(struct vault_iter *it,
						uint64_t dir,
						struct vault_span after,
						vault_tree_live_visit *visit,
						void *ctx);
/* The value of a ROW key. INDEX. */
VAULT_MUST_CHECK vault_err vault_tree_row_unpack(struct vault_span value,
						 struct vault_row *out);
/* The newest row of `name` up to `at`, a tombstone too. NOT_FOUND. */
VAULT_MUST_CHECK vault_err vault_tree_row_at(struct vault_tree *t, uint64_t dir,
					     struct vault_span name,
					     uint64_t at,
					     struct vault_version *out);
/* Is the iterator over ROW at a row of `name`? NOT_FOUND. */
VAULT_MUST_CHECK vault_err vault_tree_row_here(const struct vault_iter *it,
					       uint64_t dir,
					       struct vault_span name,
					       struct vault_version *out);
/* The value of a MOMENT key. INDEX. */
VAULT_MUST_CHECK vault_err vault_moment_unpack(struct vault_span value,
					       struct vault_moment *out);
VAULT_MUST_CHECK vault_err vault_moment_put(struct vault_index *x,
					    struct vault_batch *b,
					    const struct vault_moment *m);

/*
 * The directory that holds directory `dir` at `at`, and its name there.
 * NOT_FOUND: it is not linked then. Nothing is said of what is above. `it`
 * runs over NODE; `name` lasts until it moves.
 */
VAULT_MUST_CHECK vault_err vault_tree_dir_parent(struct vault_iter *it,
						 uint64_t dir, uint64_t at,
						 uint64_t *parent,
						 struct vault_span *name);
/* Is the directory there at `at`, with everything above it? */
VAULT_MUST_CHECK vault_err vault_tree_dir_reachable(struct vault_tree *t,
						    uint64_t dir, uint64_t at,
						    bool *out);

/*
 * Every name that a node was ever linked to or unlinked from up to `at`, in
 * order of directory and name; of each the newest such commit.
 */
struct vault_tree_link {
	uint64_t dir;
	uint64_t seq;
	size_t name_off; /* in names */
	uint32_t name_len;
	bool linked;
};
struct vault_tree_links {
	struct vault_buf names;
	struct vault_tree_link *items;
	size_t n_items;
	size_t cap;
};
#define VAULT_TREE_LINKS_INIT \
	((struct vault_tree_links){ VAULT_BUF_INIT, NULL, 0, 0 })
VAULT_MUST_CHECK vault_err vault_tree_links_read(struct vault_tree *t,
						 uint64_t node, uint64_t at,
						 struct vault_tree_links *out);
void vault_tree_links_release(struct vault_tree_links *l);
struct vault_span vault_tree_links_name(const struct vault_tree_links *l,
					const struct vault_tree_link *i);

#endif
