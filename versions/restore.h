/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VAULT_VERSIONS_RESTORE_H
#define VAULT_VERSIONS_RESTORE_H

#include <stdbool.h>
#include <stdint.h>

#include "store/base/err.h"
#include "store/base/span.h"
#include "store/store.h"
#include "versions/tree.h"

/*
 * Bringing the past back: a walk over an old tree that feeds a sink, and the
 * sink that writes files.
 *
 * Directories, links and files come in the order of their names, a directory
 * before what it holds. The walk and the writer are two ends of one interface,
 * so that a daemon can walk while its client writes (the calls go over a
 * socket between them).
 * Everything of a version is brought back: content with its holes, type,
 * mode, owner where permitted, mtime, xattrs and ACLs; two names of one node
 * are hard links. A directory gets its mtime after its entries.
 */

struct vault_restore_item {
	struct vault_span path; /* relative to what is restored; "" is itself */
	struct vault_row row;
	struct vault_span xattrs;  /* packed, see xattrs.h */
	struct vault_span target;  /* of a link */
	struct vault_span link_to; /* not empty: a hard link to this path */
};

/* Called in order: begin, data… , end for each item; directories come before
 * what they hold and `leave` after it. Any may stop the walk. */
struct vault_restore_sink {
	void *ctx;
	vault_err (*begin)(void *ctx, const struct vault_restore_item *item);
	vault_err (*data)(void *ctx, uint64_t off, struct vault_span bytes);
	vault_err (*end)(void *ctx, const struct vault_restore_item *item);
	vault_err (*leave)(void *ctx, const struct vault_restore_item *dir);
};

/* May this be shown to whoever asks? NULL: everything. DENIED skips the item
 * (and what is below it); it is counted. */
typedef vault_err vault_restore_may(void *ctx, struct vault_span path,
				    const struct vault_version *v);

/*
 * Walk what `path` (relative to the project) was at `at`. NOT_FOUND, NOT_DIR.
 * CORRUPT or DANGLING: a content could not be read; it was logged, the walk
 * went on to its end, and `*failed` counts it. If its bytes had begun to flow,
 * the sink got `end` with row.kind NONE, which means: remove what you have of
 * it. `*failed` is written in any case. Errors of the sink stop the walk.
 */
VAULT_MUST_CHECK vault_err
vault_restore_walk(struct vault_tree *t, struct vault_span path, uint64_t at,
		   vault_restore_may *may, void *may_ctx,
		   const struct vault_restore_sink *sink, uint64_t *failed);

/*
 * A sink that writes below directory `dirfd` under `name` (which must not
 * exist: EXISTS). Written under a temporary name and renamed when complete,
 * so that nobody sees half of it; a failure leaves nothing behind. What the
 * caller has no right to set (owner, trusted xattrs) is left out silently.
 * Every path is checked: nothing in a vault can make it write elsewhere.
 */
struct vault_restore_writer;
/* Fills `sink`, which lives no longer than the writer. */
VAULT_MUST_CHECK vault_err vault_restore_writer_create(
	int dirfd, const char *name, struct vault_restore_writer **out,
	struct vault_restore_sink *sink);
/*
 * Put it in place; with `replace`, whatever has the name is swapped out
 * atomically (RENAME_EXCHANGE, or rename for a file) and removed. EXISTS: not
 * `replace`, and the name is taken. NOT_FOUND: nothing was written.
 */
VAULT_MUST_CHECK vault_err
vault_restore_writer_finish(struct vault_restore_writer *w, bool replace);
/* Remove what was not finished; accepts NULL. */
void vault_restore_writer_destroy(struct vault_restore_writer *w);

/* "hero (2026-11-20_10-30-00).psd" from "hero.psd" and a moment's name; the
 * last extension stays last; cut so that it fits into 255 bytes. */
VAULT_MUST_CHECK vault_err vault_restore_beside_name(struct vault_span name,
						     const char *moment,
						     struct vault_buf *out);

#endif
