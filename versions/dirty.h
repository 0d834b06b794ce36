/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VAULT_VERSIONS_DIRTY_H
#define VAULT_VERSIONS_DIRTY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "store/base/err.h"
#include "store/base/span.h"

/*
 * The names about which something was heard and that have not been looked at
 * since. A hash table by path with the times that decide when a name has
 * rested. Bounded: beyond VAULT_DIRTY_MAX names it gives up remembering which
 * and says `overflow`; then the whole project must be scanned.
 *
 * Times are milliseconds of a monotonic clock. Not locked: its owner's lock.
 */
#define VAULT_DIRTY_MAX ((size_t)200000)

struct vault_dirty_name {
	struct vault_dirty_name *chain; /* in its bucket, or in a taken list */
	uint64_t hash;
	int64_t first_ms;
	int64_t last_ms;       /* of the latest event */
	int64_t not_before_ms; /* after a failure: when to try again */
	char *partner; /* the other name of its latest rename, or NULL */
	unsigned tries;
	bool waits;    /* for an open writer to close or rest */
	bool resting;  /* look at it though a writer is open */
	bool busy;     /* … though it never rests */
	uint64_t node; /* free for the owner of the table */
	bool taking;   /* scratch of vault_dirty_take() */
	size_t len;
	char path[];
};

struct vault_dirty {
	struct vault_dirty_name **buckets;
	size_t n_buckets;
	size_t n;
	size_t limit; /* 0: VAULT_DIRTY_MAX */
	bool overflow;
};

#define VAULT_DIRTY_INIT ((struct vault_dirty){ NULL, 0, 0, 0, false })

void vault_dirty_release(struct vault_dirty *d);

/* Note an event on `path`; NULL without memory or room: `overflow` is set. */
struct vault_dirty_name *vault_dirty_mark(struct vault_dirty *d,
					  struct vault_span path, int64_t now);
/* NULL: not there. */
struct vault_dirty_name *vault_dirty_find(const struct vault_dirty *d,
					  struct vault_span path);

/* Remember that two names were exchanged by a rename. */
void vault_dirty_pair(struct vault_dirty_name *a, struct vault_dirty_name *b);

/* Give names below `from`/ their new place below `to`/. */
void vault_dirty_moved(struct vault_dirty *d, struct vault_span from,
		       struct vault_span to);

/* Take out all that `due` agrees to, as a list linked by `chain`. */
typedef bool vault_dirty_due(void *ctx, const struct vault_dirty *d,
			     const struct vault_dirty_name *n);
struct vault_dirty_name *vault_dirty_take(struct vault_dirty *d,
					  vault_dirty_due *due, void *ctx,
					  size_t *n_taken);
/* Put a taken name back; what was heard of it meanwhile wins. Takes over
 * `n`. */
void vault_dirty_put_back(struct vault_dirty *d, struct vault_dirty_name *n);
void vault_dirty_name_free(struct vault_dirty_name *n);

/* Non-OK stops. */
typedef vault_err vault_dirty_visit(void *ctx,
				    const struct vault_dirty_name *n);
VAULT_MUST_CHECK vault_err vault_dirty_each(const struct vault_dirty *d,
					    vault_dirty_visit *visit,
					    void *ctx);

/* Is `path` below the directory `dir`? */
static inline bool vault_dirty_is_below(struct vault_span path,
					struct vault_span dir)
{
	return path.len > dir.len + 1 && vault_span_starts(path, dir) &&
	       path.data[dir.len] == '/';
}

#endif
