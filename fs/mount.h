/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VAULT_FS_MOUNT_H
#define VAULT_FS_MOUNT_H

#include <stdbool.h>

#include "fs/project.h"
#include "fs/view.h"
#include "store/base/err.h"

/*
 * Mounting, the daemon, and the watcher beside it.
 *
 * `artvault mount` forks a watcher, the watcher forks the daemon; the first
 * process returns when the mount answers. When the daemon dies, the watcher
 * lazily unmounts what is left within a second, so that the real folder shows
 * again; unless the mount was made with -f or somebody unmounted it, it then
 * mounts again and scans. After two deaths with the index open the index is
 * set aside and rebuilt.
 */
struct vault_mount_options {
	bool foreground;
	bool allow_other; /* default for root */
	enum vault_view_listing listing;
	const char *fuse_options; /* further -o words for the kernel, or NULL */
	struct vault_capture_options capture;
};

/*
 * Mount the project of `place` on `mountpoint` (the project itself when NULL).
 * Returns the exit code of `artvault mount`: 0 once the mount answers (with
 * `foreground`: once it is gone again), 1 with the reason on stderr. Refused:
 * no /dev/fuse, a mountpoint that is a mount of ours already or no directory,
 * a mountpoint below the vault, everything vault_project_open() refuses.
 */
int vault_mount_main(const struct vault_place *place, const char *mountpoint,
		     const struct vault_mount_options *options);

/* Ask the daemon behind `mountpoint` to sync and unmount, wait until it is
 * gone; a dead mount of ours is lazily unmounted. 0 or 1, reason on stderr. */
int vault_mount_unmount(const char *mountpoint);

#endif
