/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VAULT_VERSIONS_ENGINE_H
#define VAULT_VERSIONS_ENGINE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "store/base/buf.h"
#include "store/base/err.h"
#include "store/base/span.h"
#include "versions/capture.h"
#include "versions/dirty.h"
#include "versions/ingest.h"
#include "versions/losses.h"
#include "versions/writers.h"

/*
 * The inside of versions/capture.h, shared by the files that make it up:
 *
 *   capture   the public functions, the planner's thread, sync
 *   capture_events  what the file system tells
 *   poll      files that stay open
 *   hold      old inodes kept until they have been read
 *   sweep     the disk against LIVE, directory by directory
 *   round     single names, as events point to them
 *   plan      what is to be read and committed, and doing so
 *   lineage   which node a name is
 *   ingest    one file into the store
 *
 * Two locks. `lock` guards what events touch (dirty names, writers, holds,
 * losses) and is held for moments only, never over a system call that may
 * wait. `work` is held by the one thread that looks at the disk and commits.
 * Order: work before lock.
 */

/* A version whose name is about to go, with its inode kept open. */
struct vault_hold {
	struct vault_hold *next;
	int fd;
	struct vault_ingest_stat st;
	struct vault_buf xattrs;
	char *path;
};

/* A row that only tells that nothing changed, for LIVE to know it. */
struct vault_soft_row {
	uint64_t dir;
	struct vault_row row;
	struct vault_backing backing;
	char *name;
};
#define VAULT_SOFT_ROWS_MAX ((size_t)4096)

struct vault_capture {
	struct vault_tree *tree;
	int projectfd;
	int vaultfd;
	struct vault_capture_options options;
	bool watch;
	unsigned threads;
	struct vault_ignore *ignore;
	uint64_t dev;	    /* of the project's root */
	uint64_t vault_dev; /* of the vault's folder */
	uint64_t vault_ino;
	uint64_t old_dev; /* as the root was last recorded */
	char *vault_name; /* or NULL */

	pthread_mutex_t lock;
	pthread_cond_t wake; /* the planner has something to do */
	struct vault_dirty dirty;
	struct vault_writers writers;
	struct vault_hold *holds; /* oldest first */
	struct vault_losses losses;
	struct vault_dirty taken; /* names being looked at just now */
	bool rescan_wanted;	  /* the rules changed, or names were lost */
	int64_t rescan_at_ms;	  /* not before */
	int64_t last_scan_ms;
	int64_t started_ms;

	pthread_mutex_t work;
	struct vault_soft_row *soft;
	size_t n_soft;
	int64_t last_commit_ms;

	pthread_t planner;
	bool has_planner;
	atomic_bool stopping;
	atomic_bool first_done; /* the first scan of this run is complete */
	atomic_bool scanning;
	atomic_bool paused;
	atomic_uint_fast64_t done; /* names looked at in this scan or sync */
	atomic_uint_fast64_t total;
};

/* Milliseconds of the monotonic clock. */
int64_t vault_engine_now(void);
/* Is it the vault itself, or something that is mounted in the project? */
bool vault_engine_is_foreign(const struct vault_capture *c,
			     const struct vault_ingest_stat *st);
/* Is somebody writing the inode? Takes the lock. */
bool vault_engine_is_written(struct vault_capture *c, uint64_t dev,
			     uint64_t ino);
/* Look at the name again, after `delay_ms` or, with `waits`, when its writer
 * closes or rests. Takes the lock. */
void vault_engine_put_off(struct vault_capture *c, struct vault_span path,
			  bool waits, int64_t delay_ms);
/* Is something known of the name that will be looked at later? */
bool vault_engine_is_pending(struct vault_capture *c, struct vault_span path);
/* Is an older state of it held, to be committed first? */
bool vault_engine_is_held(struct vault_capture *c, struct vault_span path);
/* Note a loss; forget one. Take the lock. */
void vault_engine_lost(struct vault_capture *c, struct vault_span path,
		       const char *reason);
void vault_engine_kept(struct vault_capture *c, struct vault_span path);
/* The space guard: NO_SPACE while it holds. Logs when that changes. */
VAULT_MUST_CHECK vault_err vault_engine_check_space(struct vault_capture *c);
VAULT_MUST_CHECK vault_err vault_engine_space(struct vault_capture *c,
					      uint64_t *free_bytes,
					      uint64_t *need_bytes);
/* Is it left out, whichever kind it is? */
bool vault_engine_is_ignored(struct vault_capture *c, struct vault_span path);

/* ---- poll.c ---- */

/* Look at the files open for writing; what has rested becomes due. */
void vault_poll_writers(struct vault_capture *c);

/* ---- hold.c ---- */

/*
 * If `path` has a finished save that nobody has read, keep it: its inode (now
 * found at `at`), or with `copy` a copy of its bytes. Takes the lock.
 */
void vault_hold_if_unread(struct vault_capture *c, struct vault_span path,
			  struct vault_span at, bool copy);
void vault_hold_free(struct vault_hold *h);
/* Read and commit what is held, oldest first. With the work lock. */
VAULT_MUST_CHECK vault_err vault_hold_commit_all(struct vault_capture *c);

#endif
