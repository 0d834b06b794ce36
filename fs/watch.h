/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VAULT_FS_WATCH_H
#define VAULT_FS_WATCH_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * The watcher: a small process beside the daemon that makes the real folder
 * show again when the daemon dies.
 *
 * It opens nothing of the project or the vault and runs one thread, so
 * nothing that kills the daemon kills it. It learns of a death by the end of
 * a pipe that only the daemon holds, at once. A dead mount is detached, and a
 * background daemon is started again: not when it said that it is ending, and
 * not after five deaths within a minute. When it dies twice in a row with the
 * index open, the next one is told to set the index aside.
 */

/* What the daemon says to its watcher. */
enum vault_watch_word {
	VAULT_WATCH_OPENING = 1, /* the index is open from here on */
	VAULT_WATCH_MOUNTED = 2, /* requests are answered */
	VAULT_WATCH_ENDING = 3,	 /* unmounted by somebody; a clean end */
};
void vault_watch_tell(int fd, enum vault_watch_word word);

struct vault_watch_job {
	const char *mountpoint;
	const char *vault; /* where the watcher logs what it did */
	/* Runs in a process of its own; the result is its exit code. */
	int (*daemon)(void *ctx, int watcherfd, bool set_index_aside);
	void *ctx;
};

/*
 * Be the watcher of a background mount: start the daemon, write one byte to
 * `readyfd` when it is mounted, and stay until it ends. Returns the exit
 * code for this process. The caller has forked us and made a session.
 */
int vault_watch_run(const struct vault_watch_job *job, int readyfd);

/*
 * Fork a watcher that only unmounts, for a daemon that is this process.
 * `*watcherfd` is what vault_watch_tell() needs. -1: could not, errno says.
 */
pid_t vault_watch_beside(const struct vault_watch_job *job, int *watcherfd);

#endif
