/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VAULT_VERSIONS_CAPTURE_H
#define VAULT_VERSIONS_CAPTURE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "store/base/err.h"
#include "store/base/span.h"
#include "versions/ignore.h"
#include "versions/moment.h"
#include "versions/tree.h"

/*
 * Turning finished saves into versions.
 *
 * The engine is told what happens to names (the functions under "events"),
 * waits until a name has rested, compares the file on the disk with the row
 * last recorded, and commits what differs; what comes to rest together
 * becomes one moment. It decides from the state of the disk, not from the
 * events: an event only says where to look, so a lost one costs time until
 * the next scan, never a version. Lineage is found by the backing inode and
 * its birth time: a name that was and is keeps its node whatever inode is
 * behind it now; a name that is new takes over the node of a recorded name
 * with the same inode, if that name is gone (a rename) or still has it (a
 * hard link).
 *
 * Events come from the threads that serve the file system and return at once,
 * with the two exceptions that say so. Reading, packing and committing happen
 * on the engine's own threads at low priority. Paths are relative to the
 * project, without a leading slash; "" is the root.
 */
struct vault_capture;

struct vault_capture_options {
	int64_t quiet_ms;	 /* after a save; default 2,000 */
	int64_t open_quiet_ms;	 /* a file that stays open: 10,000 */
	int64_t busy_ms;	 /* one that never rests: 900,000 */
	int64_t rescan_ms;	 /* look for changes behind the mount: 600,000;
				    0: never */
	int64_t batch_ms;	 /* first capture: a partial moment at most
				    every so often; 5,000 */
	int64_t spacing_ms;	 /* between two moments of saves: 1,000 */
	uint64_t min_free_bytes; /* of the vault's disk: 2 GB … */
	unsigned min_free_percent; /* … or 5 %, whichever is more */
	unsigned threads;	   /* readers; 0: one a core */
	const char *vault_name; /* name of the vault in the project's root, or
				    NULL when it lies elsewhere */
};
extern const struct vault_capture_options vault_capture_options_default;

/*
 * Start the engine on a tree and an open project directory (both borrowed,
 * both must outlive it; `vaultfd` tells free space). With `watch`, threads
 * run and the first scan begins at once behind the caller's back: INITIAL if
 * nothing was ever captured to the end, else OFFLINE. Without it nothing
 * happens until vault_capture_sync(), which scans: the way of a project that
 * is not mounted.
 */
VAULT_MUST_CHECK vault_err
vault_capture_start(struct vault_tree *t, int projectfd, int vaultfd,
		    const struct vault_capture_options *options, bool watch,
		    struct vault_capture **out);
/* Stop at once; what was not acknowledged is found by the next scan. */
void vault_capture_stop(struct vault_capture *c);

/* ---- events ---- */

/*
 * A file is about to be opened for writing, before it happens. `truncating`:
 * the old bytes will go. May wait, at most 100 ms, for a reflink or a copy,
 * when a finished save of it has not been read yet.
 */
void vault_capture_opening(struct vault_capture *c, struct vault_span path,
			   bool truncating);
/* It was opened; one call for each open that may write. */
void vault_capture_opened(struct vault_capture *c, uint64_t dev, uint64_t ino,
			  struct vault_span path);
void vault_capture_fsynced(struct vault_capture *c, uint64_t dev, uint64_t ino);
/* The last reference of one such open is gone (RELEASE). */
void vault_capture_closed(struct vault_capture *c, uint64_t dev, uint64_t ino,
			  struct vault_span path);
/*
 * The name is about to be unlinked or renamed over: an unread finished save
 * behind it keeps its inode until it has been read. Opens a file at most.
 */
void vault_capture_replacing(struct vault_capture *c, struct vault_span path);
/* Something about the name changed: created, removed, linked, truncated,
 * mode, owner, times, xattrs. */
void vault_capture_changed(struct vault_capture *c, struct vault_span path);
/* After a rename (for EXCHANGE: with `exchanged`). */
void vault_capture_renamed(struct vault_capture *c, struct vault_span from,
			   struct vault_span to, bool exchanged);

/* ---- asking ---- */

/* Called now and then from sync's thread; `total` may grow. */
typedef void vault_capture_progress(void *ctx, uint64_t done, uint64_t total);

/*
 * Treat every path without an open writer as quiet now and return when all of
 * it is durable; a running first or offline scan is waited for. Not watching,
 * and in the first minute of watching (a program may write on through a file
 * that it opened before), it scans the project itself. `cause` marks
 * the moment (SYNC, SNAPSHOT, RESTORE). `out` may be NULL; it is the newest
 * complete moment, which may be an older one if nothing had changed.
 * NO_SPACE: paused by the space guard. Other paths that could not be kept do
 * not fail it: see vault_capture_status().
 */
VAULT_MUST_CHECK vault_err vault_capture_sync(struct vault_capture *c,
					      enum vault_cause cause,
					      vault_capture_progress *progress,
					      void *progress_ctx,
					      struct vault_moment *out);

/* Scan the whole project now for changes made behind the mount; they become a
 * moment of their own (RESCAN). Errors as vault_capture_sync(). */
VAULT_MUST_CHECK vault_err vault_capture_rescan(struct vault_capture *c);

struct vault_capture_status {
	uint64_t pending; /* names that wait to rest or to be read */
	uint64_t open;	  /* files open for writing */
	bool scanning;
	bool paused;	     /* by the space guard */
	uint64_t free_bytes; /* of the vault's disk */
	uint64_t need_bytes; /* the guard's line */
};
void vault_capture_status(struct vault_capture *c,
			  struct vault_capture_status *out);
/* What was not kept and why, newest last, at most 1,000; an entry goes away
 * when a later version of the path is kept. Non-OK stops. */
typedef vault_err vault_capture_not_kept(void *ctx, struct vault_span path,
					 const char *reason, int64_t time);
VAULT_MUST_CHECK vault_err vault_capture_each_not_kept(
	struct vault_capture *c, vault_capture_not_kept *visit, void *ctx);
/* Names that wait, for people; at most `max`. */
VAULT_MUST_CHECK vault_err
vault_capture_each_pending(struct vault_capture *c, size_t max,
			   vault_capture_not_kept *visit, void *ctx);

#endif
