/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VAULT_VERSIONS_TREE_H
#define VAULT_VERSIONS_TREE_H

#include <stdbool.h>
#include <stdint.h>

#include "store/base/buf.h"
#include "store/base/err.h"
#include "store/base/span.h"
#include "store/store.h"
#include "versions/row.h"

/*
 * The project's tree through time.
 *
 * The tree is a set of rows keyed by directory, name and the commit they came
 * with; the state at a moment is, for each name, the newest row not younger
 * than it. Everything here is answered from the index alone. `at` is a
 * sequence: rows of commits up to and including it count; VAULT_AT_NOW is the
 * newest state that was committed. Any thread; no call blocks on a capture.
 */
struct vault_tree;

#define VAULT_AT_NOW UINT64_MAX

/*
 * Open the store in `dirfd` with this module's apply. `options` may be NULL;
 * its apply members are ignored. Errors as vault_store_open().
 */
VAULT_MUST_CHECK vault_err
vault_tree_open(int dirfd, const struct vault_store_options *options,
		struct vault_tree **out);
void vault_tree_close(struct vault_tree *t);
struct vault_store *vault_tree_store(struct vault_tree *t);

/*
 * Delete and rebuild the index of a vault nobody has open; and the strip
 * function that makes dumps of two indexes comparable (FORMAT.md, "The same
 * index").
 */
VAULT_MUST_CHECK vault_err vault_tree_rebuild_index(int dirfd);
extern vault_index_strip vault_tree_strip;

/* ---- as of then ---- */

/* NOT_FOUND: nothing there then (a tombstone, or never anything). */
VAULT_MUST_CHECK vault_err vault_tree_lookup(struct vault_tree *t, uint64_t dir,
					     struct vault_span name,
					     uint64_t at,
					     struct vault_version *out);

/*
 * Follow `path` ("a/b/c" without leading slash; "" is the root) name by name;
 * links are not followed. NOT_FOUND, NOT_DIR.
 */
VAULT_MUST_CHECK vault_err vault_tree_resolve(struct vault_tree *t,
					      struct vault_span path,
					      uint64_t at,
					      struct vault_version *out);

/* Non-OK stops the walk and is passed on. `name` lasts for the call. */
typedef vault_err vault_tree_visit(void *ctx, struct vault_span name,
				   const struct vault_version *v);

/* The entries of a directory as of then, in byte order, after `after`. */
VAULT_MUST_CHECK vault_err vault_tree_list(struct vault_tree *t, uint64_t dir,
					   uint64_t at, struct vault_span after,
					   vault_tree_visit *visit, void *ctx);

/* Every name `dir` ever held, in byte order, with its newest row (which may
 * be a tombstone, kind NONE; then `v->row` is otherwise the row before it). */
VAULT_MUST_CHECK vault_err vault_tree_list_ever(struct vault_tree *t,
						uint64_t dir,
						vault_tree_visit *visit,
						void *ctx);

/*
 * The newest row that `name` held up to `at`, even when a tombstone follows
 * it: what "was last at that path". NOT_FOUND: never anything.
 */
VAULT_MUST_CHECK vault_err vault_tree_last_known(struct vault_tree *t,
						 uint64_t dir,
						 struct vault_span name,
						 uint64_t at,
						 struct vault_version *out);
/* The same for a path, through directories that may be gone. */
VAULT_MUST_CHECK vault_err
vault_tree_resolve_last_known(struct vault_tree *t, struct vault_span path,
			      uint64_t at, struct vault_version *out);

/* ---- nodes ---- */

/* A name of a node. Non-OK stops. */
typedef vault_err vault_tree_place(void *ctx, uint64_t dir,
				   struct vault_span name,
				   const struct vault_version *v);

/* The names that a node has at `at` (several: hard links). */
VAULT_MUST_CHECK vault_err vault_tree_places(struct vault_tree *t,
					     uint64_t node, uint64_t at,
					     vault_tree_place *visit,
					     void *ctx);

/* The newest row a node ever had, under whatever name, whether or not it is
 * gone since. NOT_FOUND: there was no such node. */
VAULT_MUST_CHECK vault_err vault_tree_node_last(struct vault_tree *t,
						uint64_t node,
						struct vault_version *out);

/* Path of a directory at `at`, "" for the root; NOT_FOUND when it or an
 * ancestor is gone by then. */
VAULT_MUST_CHECK vault_err vault_tree_dir_path(struct vault_tree *t,
					       uint64_t dir, uint64_t at,
					       struct vault_buf *path);

/*
 * The versions of a file or link, oldest first, one for each whose content
 * differs from the one before (A, B, A: three), over all names it has had.
 * `dir` and `name` are where it was then.
 */
VAULT_MUST_CHECK vault_err vault_tree_timeline(struct vault_tree *t,
					       uint64_t node,
					       vault_tree_place *visit,
					       void *ctx);

/* ---- the present, as captured ---- */

struct vault_live {
	struct vault_version version;
	struct vault_backing backing;
};

/* The newest row of a name and the backing file it was read from. */
VAULT_MUST_CHECK vault_err vault_tree_live(struct vault_tree *t, uint64_t dir,
					   struct vault_span name,
					   struct vault_live *out);
typedef vault_err vault_tree_live_visit(void *ctx, struct vault_span name,
					const struct vault_live *l);
VAULT_MUST_CHECK vault_err vault_tree_live_list(struct vault_tree *t,
						uint64_t dir,
						vault_tree_live_visit *visit,
						void *ctx);
/* The names recorded for a backing inode. */
typedef vault_err vault_tree_inode_visit(void *ctx, uint64_t dir,
					 struct vault_span name);
VAULT_MUST_CHECK vault_err vault_tree_by_inode(struct vault_tree *t,
					       uint64_t dev, uint64_t ino,
					       vault_tree_inode_visit *visit,
					       void *ctx);

/* Sum of the sizes of all versions with a content of their own, and their
 * number: what copies would have cost. */
VAULT_MUST_CHECK vault_err vault_tree_totals(struct vault_tree *t,
					     uint64_t *logical_bytes,
					     uint64_t *versions);

/* A number no node has had. Unused ones are lost, which is fine. */
uint64_t vault_tree_new_node(struct vault_tree *t);

/* ---- differences ---- */

/*
 * What differs below directory `dir` between two moments; `before` or
 * `after` has kind NONE where there was nothing. Costs in proportion to the
 * changes between them. `path` is relative to `dir`.
 */
typedef vault_err vault_tree_change(void *ctx, struct vault_span path,
				    const struct vault_version *before,
				    const struct vault_version *after);
VAULT_MUST_CHECK vault_err vault_tree_diff(struct vault_tree *t, uint64_t dir,
					   uint64_t from, uint64_t to,
					   vault_tree_change *visit, void *ctx);

#endif
