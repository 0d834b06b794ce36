/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VAULT_VERSIONS_WRITERS_H
#define VAULT_VERSIONS_WRITERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "store/base/err.h"
#include "store/base/span.h"

/*
 * The files that somebody has open for writing, by backing inode, and when
 * each was last seen to change: under kernel passthrough no write reaches us,
 * so they are looked at once a second.
 *
 * Times are milliseconds of a monotonic clock. Not locked: its owner's lock.
 */
struct vault_writer {
	struct vault_writer *chain;
	uint64_t dev;
	uint64_t ino;
	unsigned count;	    /* opens that may write */
	int64_t fsynced_ms; /* 0: never */
	int64_t changed_ms; /* when a change was last noticed */
	int64_t dirty_ms;   /* since when it differs from what was kept; 0 */
	int64_t size;	    /* as last seen, valid when `seen` */
	int64_t mtime_ns;
	int64_t ctime_ns;
	bool seen;
	char *path;
};

struct vault_writers {
	struct vault_writer **buckets;
	size_t n_buckets;
	size_t n;
};

#define VAULT_WRITERS_INIT ((struct vault_writers){ NULL, 0, 0 })

void vault_writers_release(struct vault_writers *w);
/* NULL: no memory; the file then counts as not open. */
struct vault_writer *vault_writers_opened(struct vault_writers *w, uint64_t dev,
					  uint64_t ino, struct vault_span path,
					  int64_t now);
/* True when that was the last one. */
bool vault_writers_closed(struct vault_writers *w, uint64_t dev, uint64_t ino);
/* NULL: nobody has it open. */
struct vault_writer *vault_writers_find(const struct vault_writers *w,
					uint64_t dev, uint64_t ino);
/* Paths equal to `from` or below it move to `to`. */
void vault_writers_moved(struct vault_writers *w, struct vault_span from,
			 struct vault_span to);

#endif
