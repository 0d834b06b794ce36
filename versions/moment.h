/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VAULT_VERSIONS_MOMENT_H
#define VAULT_VERSIONS_MOMENT_H

#include <stdbool.h>
#include <stdint.h>

#include "store/base/buf.h"
#include "store/base/err.h"
#include "store/base/span.h"
#include "versions/tree.h"

/*
 * Moments and the names people give them.
 *
 * A moment is a commit: its sequence orders it, its time names it. Times are
 * whole seconds of UTC, strictly increasing: max(clock, last + 1). The
 * clock's own reading is kept beside it. Partial moments (the first capture
 * of a large project comes in batches) are durable but never listed and never
 * resolved to. Any thread.
 */
enum vault_cause {
	VAULT_CAUSE_SAVE = 1,	  /* files that came to rest under the mount */
	VAULT_CAUSE_INITIAL = 2,  /* the first capture of a project */
	VAULT_CAUSE_OFFLINE = 3,  /* found when mounting: changed meanwhile */
	VAULT_CAUSE_RESCAN = 4,	  /* found behind the mount */
	VAULT_CAUSE_SYNC = 5,	  /* somebody asked */
	VAULT_CAUSE_RESTORE = 6,  /* the state before a restore --replace */
	VAULT_CAUSE_SNAPSHOT = 7, /* pending changes committed to be named */
};
/* "save", "initial", "offline", … Static storage. */
const char *vault_cause_text(enum vault_cause cause);

struct vault_moment {
	uint64_t seq;
	int64_t time;	  /* seconds since the epoch; unique, increasing */
	int64_t clock_ns; /* what the clock said */
	enum vault_cause cause;
	bool partial;
	uint32_t n_rows;
};

/* ---- making moments ---- */

/* Rows that become durable together. Single-threaded. */
struct vault_commit;

VAULT_MUST_CHECK vault_err vault_commit_create(struct vault_commit **out);
void vault_commit_destroy(struct vault_commit *c);
/* `backing` may be NULL for a tombstone (row->kind NONE). The last row for a
 * name wins. One that says again what the name holds renews the backing and
 * begins no version. */
VAULT_MUST_CHECK vault_err vault_commit_add(
	struct vault_commit *c, uint64_t dir, struct vault_span name,
	const struct vault_row *row, const struct vault_backing *backing);
size_t vault_commit_count(const struct vault_commit *c);
/* Memory held, for batching. */
size_t vault_commit_bytes(const struct vault_commit *c);

/*
 * Make it durable: one moment. Commits are serialised by the tree. The
 * commit is emptied on success and untouched on failure. INVALID if empty.
 */
VAULT_MUST_CHECK vault_err vault_tree_commit(struct vault_tree *t,
					     struct vault_commit *c,
					     enum vault_cause cause,
					     bool partial,
					     struct vault_moment *out);

/* ---- finding moments ---- */

/* The one that commit `seq` made, partial or not. NOT_FOUND. */
VAULT_MUST_CHECK vault_err vault_moment_get(struct vault_tree *t, uint64_t seq,
					    struct vault_moment *out);
/* The newest / oldest that is not partial. NOT_FOUND: none yet. */
VAULT_MUST_CHECK vault_err vault_moment_latest(struct vault_tree *t,
					       struct vault_moment *out);
VAULT_MUST_CHECK vault_err vault_moment_first(struct vault_tree *t,
					      struct vault_moment *out);
/* The newest not after `time`; the one before `seq` and after it. */
VAULT_MUST_CHECK vault_err vault_moment_as_of(struct vault_tree *t,
					      int64_t time,
					      struct vault_moment *out);
VAULT_MUST_CHECK vault_err vault_moment_before(struct vault_tree *t,
					       uint64_t seq,
					       struct vault_moment *out);
VAULT_MUST_CHECK vault_err vault_moment_after(struct vault_tree *t,
					      uint64_t seq,
					      struct vault_moment *out);
/* The complete moment whose state holds what commit `seq` wrote: itself, or
 * the next complete one when it is partial. For the names of versions. */
VAULT_MUST_CHECK vault_err vault_moment_of(struct vault_tree *t, uint64_t seq,
					   struct vault_moment *out);

/* Non-OK stops and is passed on. */
typedef vault_err vault_moment_visit(void *ctx, const struct vault_moment *m);

/* All complete moments, newest first. */
VAULT_MUST_CHECK vault_err vault_moment_each(struct vault_tree *t,
					     vault_moment_visit *visit,
					     void *ctx);
/*
 * The complete moments at which something below directory `dir` changed,
 * newest first; `thin` (with `now`) keeps all of the last 24 h, then the last
 * one an hour for a week, a day for a year, a month. 10,000 moments list in
 * well under 50 ms.
 */
VAULT_MUST_CHECK vault_err vault_moment_each_below(struct vault_tree *t,
						   uint64_t dir, bool thin,
						   int64_t now,
						   vault_moment_visit *visit,
						   void *ctx);

/* ---- snapshots: names of moments ---- */

struct vault_snapshot {
	struct vault_buf name;
	uint64_t seq;	    /* of the moment */
	int64_t set_at;	    /* when the name was given */
	int64_t removed_at; /* 0: it stands */
	struct vault_buf note;
	struct vault_buf tags; /* each followed by a newline */
};
#define VAULT_SNAPSHOT_INIT                                                \
	((struct vault_snapshot){ VAULT_BUF_INIT, 0, 0, 0, VAULT_BUF_INIT, \
				  VAULT_BUF_INIT })
void vault_snapshot_release(struct vault_snapshot *s);

/* How long a removed name can be brought back. */
#define VAULT_SNAPSHOT_UNDO_SECONDS (30 * 86400)

/*
 * Is it a name that may be given? SYNTAX (with a reason in `*why`, static):
 * empty, over 255 bytes, a "/" or control byte in it, contains "..", begins
 * with "." or "@", invalid UTF-8, or would be read as a time or alias.
 */
VAULT_MUST_CHECK vault_err vault_snapshot_check_name(struct vault_tree *t,
						     struct vault_span name,
						     const char **why);
/* Name moment `seq`. EXISTS: the name stands already. SYNTAX. */
VAULT_MUST_CHECK vault_err vault_snapshot_set(struct vault_tree *t,
					      struct vault_span name,
					      uint64_t seq,
					      struct vault_span note,
					      struct vault_span tags);
/* NOT_FOUND. The moment stays; the name can be brought back for 30 days. */
VAULT_MUST_CHECK vault_err vault_snapshot_remove(struct vault_tree *t,
						 struct vault_span name);
/* NOT_FOUND: nothing to bring back, or too late. EXISTS. */
VAULT_MUST_CHECK vault_err vault_snapshot_undo(struct vault_tree *t,
					       struct vault_span name);
VAULT_MUST_CHECK vault_err vault_snapshot_rename(struct vault_tree *t,
						 struct vault_span from,
						 struct vault_span to);
/* Fills `out` (initialised by the caller). NOT_FOUND also when removed. */
VAULT_MUST_CHECK vault_err vault_snapshot_get(struct vault_tree *t,
					      struct vault_span name,
					      struct vault_snapshot *out);
typedef vault_err vault_snapshot_visit(void *ctx,
				       const struct vault_snapshot *s);
/* Those that stand, in byte order of their names. */
VAULT_MUST_CHECK vault_err vault_snapshot_each(struct vault_tree *t,
					       vault_snapshot_visit *visit,
					       void *ctx);

#endif
