/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VAULT_VERSIONS_INGEST_H
#define VAULT_VERSIONS_INGEST_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#include "store/base/err.h"
#include "store/base/span.h"
#include "store/digest.h"
#include "store/store.h"
#include "versions/row.h"

/*
 * Reading one file of the disk into the store.
 *
 * Half of one state and half of the next must never become a version: what
 * the file is (size, mtime, ctime) is asked before and after its bytes are
 * read, and if it changed the reading starts over. Any thread; one call, one
 * file.
 */

/* What statx() says, in the terms of this folder. */
struct vault_ingest_stat {
	enum vault_kind kind;
	uint32_t mode;
	uint32_t uid;
	uint32_t gid;
	uint64_t rdev;
	uint64_t size;
	uint32_t nlink;
	int64_t mtime_ns;
	struct vault_backing backing; /* `racy` is not set here */
};

/*
 * Of `name` in `dirfd`, no link followed; "" means `dirfd` itself. NOT_FOUND,
 * NOT_DIR, DENIED, IO.
 */
VAULT_MUST_CHECK vault_err vault_ingest_stat(int dirfd, const char *name,
					     struct vault_ingest_stat *out);

struct vault_ingest_request {
	struct vault_store *store;
	int projectfd;
	int scratchfd;	  /* for a reflink of a file that never rests, or -1 */
	const char *path; /* relative to the project */
	uint64_t ino;	  /* the inode that is expected there */
	enum vault_kind kind;
	const struct vault_id *like; /* may be NULL */
	bool busy; /* it never rests: clone it, else accept it as torn */
	const atomic_bool *stopping; /* when true, give up: CANCELLED */
};

struct vault_ingest_result {
	struct vault_row row; /* without its node */
	struct vault_backing backing;
	bool of_file; /* on an error: the file's, not the store's */
};

/*
 * CHANGED: it did not hold still over some tries, or another inode is there
 * now. NOT_FOUND: gone. DENIED, IO and others: see `out->of_file`, which
 * alone is written then.
 */
VAULT_MUST_CHECK vault_err vault_ingest_path(
	const struct vault_ingest_request *q, struct vault_ingest_result *out);

/* The same for an open file whose state then was `st` and whose packed xattrs
 * were `xattrs`: nothing can change any more, or that is accepted. */
VAULT_MUST_CHECK vault_err vault_ingest_fd(struct vault_store *store, int fd,
					   const struct vault_ingest_stat *st,
					   struct vault_span xattrs,
					   const struct vault_id *like,
					   struct vault_ingest_result *out);

#endif
